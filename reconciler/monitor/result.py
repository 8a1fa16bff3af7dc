"""Define the results of `monitor`: promises, findings and figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from reconciler.diff.diff import Difference

Verdict = Literal["kept", "not kept", "not measurable"]
Rule = Literal[
    "bloat",
    "dead-rows",
    "errors",
    "invalid-index",
    "locks",
    "sequential-scans",
    "slower",
    "unfinished-run",
    "unused-index",
]
HOUR = 3600.0


@dataclass(frozen=True)
class Window:
    """A time after a run; earlier, no index counts as unused. `then` is the advice for later."""

    name: str
    seconds: float
    then: str


WINDOWS = (
    Window("day", 24 * HOUR, "look again after a week: weekly jobs have run then"),
    Window("week", 7 * 24 * HOUR, "look again after a month: monthly jobs have run then"),
    Window("month", 30 * 24 * HOUR, "what was not used in a month can go"),
)


def window_of(age: float) -> Window:
    """Return the longest window filled by a run of an age in seconds; else the first."""
    return next((w for w in reversed(WINDOWS) if w.seconds <= age), WINDOWS[0])


@dataclass(frozen=True)
class Promise:
    """A promise of a plan, or of the workload, on a subject, and whether the promise holds.

    `reason` says how it was measured, or why it could not be. `differences` are those of an object
    from what the run left.
    """

    subject: str
    promise: str
    verdict: Verdict
    reason: str
    differences: Sequence[Difference] = ()


@dataclass(frozen=True)
class Finding:
    """A finding; `fix` is the SQL against the cause, if any."""

    rule: Rule
    subject: str
    message: str
    fix: str = ""


@dataclass(frozen=True)
class Figure:
    """A figure of a subject, "" for the database; `before` is the baseline's figure.

    `value` is None where nothing tells it.
    """

    name: str
    subject: str
    value: float | None
    before: float | None = None


FIGURES = {  # the names, and what each measures; `before` is that before the run, but for dead rows
    "index_scans": "Scans of the index since the run.",
    "sequential_scans": "Sequential scans of the table since the run.",
    "rows_per_read": "Rows that sequential scans read, by reads of the table.",
    "dead_rows": "Dead rows of the table now; before: at the end of the run.",
    "bloat_bytes": "Estimated bytes beyond the size when the run ended, and what rows took then.",
    "rolled_back_ratio": "Part of the transactions since the run that were rolled back.",
    "deadlocks": "Deadlocks since the run.",
    "conflicts": "Queries that recovery has ever cancelled on this standby.",
    "query_milliseconds": "Mean time of a query of the workload since the run.",
    "sessions_waiting": "Sessions that wait for a lock now.",
    "longest_wait_seconds": "The longest of the waits for locks.",
}


@dataclass(frozen=True)
class Monitoring:
    """The result of watching a run.

    target    the database's name
    age       seconds since the run ended
    unseen    what could not be read, and why
    undone    that the run is a rollback, or was rolled back; "" otherwise
    """

    target: str
    run: int
    status: str
    ended_at: datetime
    age: float
    window: Window
    promises: Sequence[Promise] = ()
    findings: Sequence[Finding] = ()
    figures: Sequence[Figure] = ()
    unseen: Sequence[str] = ()
    undone: str = ""

    @property
    def is_well(self) -> bool:
        """Whether nothing is to be looked at."""
        return not self.findings and not any(p.verdict == "not kept" for p in self.promises)

    def count(self, verdict: Verdict) -> int:
        """Return the number of promises with a verdict."""
        return sum(p.verdict == verdict for p in self.promises)
