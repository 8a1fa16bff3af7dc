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
    """

    done: int
    total: int
    unit: str
    rate: float | None = None
    left: float | None = None
    waits: str = ""


class Meter:
    """A counter of rows against an estimate, with the time."""

    def __init__(self, total: int) -> None:
        self._total, self._done, self._began = total, 0, time.monotonic()

    def advance(self, count: int) -> None:
        """Count more scanned rows."""
        self._done += count

    def reading(self, waits: str = "", *, ended: bool = False) -> Progress:
        """Return the present progress."""
        total = self._done if ended else max(self._total, self._done)
        rate = self._done / max(time.monotonic() - self._began, 0.001)
        left = (total - self._done) / rate if rate else None
        return Progress(self._done, total, "rows", rate, left, waits)
