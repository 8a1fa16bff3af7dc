"""Measure the progress of long steps."""

from __future__ import annotations

import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """The progress of a long step: `done` of `total` in `unit`s.

    rate    units per second; None if unknown
    left    seconds that remain at this rate; None if unknown
    waits   the reason of a pause, if any
    phase   the part of the work under way, if it has several; each counts from 0
    """

    done: int
    total: int
    unit: str
    rate: float | None = None
    left: float | None = None
    waits: str = ""
    phase: str = ""


class Meter:
    """A counter of rows against an estimate, with the time."""

    def __init__(self, total: int) -> None:
        self._total, self._done, self._began = total, 0, time.monotonic()
        self._is_repeated = False

    def advance(self, count: int) -> None:
        """Count more scanned rows."""
        self._done += count

    def repeat(self) -> None:
        """Begin another pass, whose length is not known: over locked rows and rows added since."""
        self._is_repeated = True

    def reading(self, waits: str = "", *, ended: bool = False) -> Progress:
        """Return the present progress."""
        total = self._done if ended else max(self._total, self._done)
        rate = self._done / max(time.monotonic() - self._began, 0.001)
        left = (total - self._done) / rate if rate and not self._is_repeated else None
        if ended:
            left = 0.0
        elif self._is_repeated:
            waits = waits or "looks once more for rows that were locked or added"
        return Progress(self._done, total, "rows", rate, left, waits)
