"""How far a long step is."""

from __future__ import annotations

import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """How far a long step is: `done` of `total` in `unit`s.

    `rate` is units per second, `left` the seconds that are left at that rate; None where that is not known. `waits`
    says for what it waits, if it does.
    """

    done: int
    total: int
    unit: str
    rate: float | None = None
    left: float | None = None
    waits: str = ""


class Meter:
    """Counts rows against an estimate, and the time."""

    def __init__(self, total: int) -> None:
        self._total, self._done, self._began = total, 0, time.monotonic()

    def advance(self, count: int) -> None:
        """So many more rows have been looked at."""
        self._done += count

    def reading(self, waits: str = "", *, ended: bool = False) -> Progress:
        """What there is to tell now."""
        total = self._done if ended else max(self._total, self._done)
        rate = self._done / max(time.monotonic() - self._began, 0.001)
        left = (total - self._done) / rate if rate else None
        return Progress(self._done, total, "rows", rate, left, waits)
