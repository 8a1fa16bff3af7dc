"""Compare the statistics of a run's baseline with the present ones, as far as possible."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from reconciler.monitor.result import HOUR, Window
from reconciler.monitor.statistics import (
    Baseline,
    DatabaseStatistics,
    IndexStatistics,
    Present,
    StatementStatistics,
    Statistics,
    TableStatistics,
)


@dataclass(frozen=True)
class Times:
    """The executions of statements: number, total milliseconds, sum of squared deviations."""

    calls: int = 0
    total: float = 0.0
    squares: float = 0.0

    @property
    def mean(self) -> float:
        """The mean time in milliseconds, 0 without executions."""
        return self.total / self.calls if self.calls else 0.0


@dataclass(frozen=True)
class Observed:
    """The statistics before a run, after it, and now.

    without   why there is no baseline, or ""
    ended_at  the end of the run
    created   identities of objects that did not exist before the run
    """

    before: Baseline | None
    after: Baseline | None
    present: Present
    ended_at: datetime
    window: Window
    without: str = ""
    created: frozenset[str] = frozenset()

    @property
    def now(self) -> Statistics:
        """The statistics of now."""
        return self.present.statistics

    @cached_property
    def incomparable(self) -> str:
        """The reason why counters do not continue the baseline's counters; "" if they do."""
        if self.now.standby:
            return "this server is a standby, whose counters are its own"
        if self.after is None:
            return self.without or "the run broke off before it could keep statistics"
        timelines = {self.after.statistics.timeline, self.now.timeline} - {""}
        if len(timelines) > 1:
            return (
                "a standby has become the primary since the run, or a backup was restored: the"
                " counters begin anew"
            )
        return ""

    @cached_property
    def was_reset(self) -> bool:
        """Whether the counters of the database were set to zero since the baseline."""
        if self.after is None:
            return False
        then, now = self.after.statistics.database, self.now.database
        return (
            then is not None
            and now is not None
            and (then.reset != now.reset or now.commits < then.commits)
        )

    @cached_property
    def statements_were_reset(self) -> bool:
        """Whether pg_stat_statements was reset since the baseline."""
        then = self.after.statistics.statements_reset if self.after else None
        return then != self.now.statements_reset

    @cached_property
    def seconds(self) -> float | None:
        """The time covered by the counters: since the run, or since a later reset.

        None if they were lost at an unknown time, as by a crash.
        """
        begin = self.after.taken_at if self.after else self.ended_at
        if self.was_reset:
            reset = self.now.database.reset if self.now.database else None
            known = self.after and self.after.statistics.database
            if reset is None or (known and reset == known.reset):
                return None
            begin = max(begin, reset)
        return max((self.present.at - begin).total_seconds(), 0.0)

    @property
    def too_young(self) -> str:
        """Why nothing counts as unused yet; "" once the counters cover the window."""
        if self.seconds is None:
            return "the server lost its statistics since the run, as it does in a crash"
        if self.seconds >= self.window.seconds:
            return ""
        since = "the statistics were reset" if self.was_reset else "the run ended"
        span = duration(self.seconds)
        return f"too young: {since} {span} ago, and the window is a {self.window.name}"

    def is_new(self, index: IndexStatistics) -> bool:
        """Whether the run has built the index."""
        if self.before is None or self.after is None:
            return index.identity in self.created
        then = self.after.statistics.index_by_oid
        return index.oid in then and index.oid not in self.before.statistics.index_by_oid

    def index_since(self, index: IndexStatistics) -> int | None:
        """Return the scans of an index since the run; None if the counter then is not known."""
        if self.incomparable:
            return index.scans if self.is_new(index) else None
        assert self.after is not None
        then = self.after.statistics.index_by_oid.get(index.oid)
        if then is None:
            return None
        return index.scans if self.was_reset else max(index.scans - then.scans, 0)

    def table_since(self, table: TableStatistics) -> TableStatistics | None:
        """Return the counters of a table since the run; None without counters in the baseline."""
        if self.incomparable or self.after is None:
            return None
        then = self.after.statistics.table_by_oid.get(table.oid)
        if then is None or self.was_reset:
            return None if then is None else table
        return table.model_copy(
            update={
                "scans": max(table.scans - then.scans, 0),
                "scanned": max(table.scanned - then.scanned, 0),
                "index_scans": max(table.index_scans - then.index_scans, 0),
            }
        )

    def database_since(self) -> DatabaseStatistics | None:
        """Return the counters of the database since the run."""
        now = self.now.database
        then = self.after.statistics.database if self.after else None
        if self.incomparable or now is None or then is None:
            return None
        if self.was_reset:
            return now
        names = ("commits", "rollbacks", "deadlocks")
        deltas = {n: max(getattr(now, n) - getattr(then, n), 0) for n in names}
        return now.model_copy(update=deltas)

    def times_before(self, ids: Iterable[int]) -> Times | None:
        """Return the executions of statements before the run; None where not known."""
        if self.before is None or self.before.statistics.statements is None:
            return None
        known = self.before.statistics.statement_by_id
        return _sum(known[i] for i in ids if i in known)

    def times_since(self, ids: Iterable[int]) -> Times | None:
        """Return the executions of statements since the run; None where not known."""
        now = self.now.statement_by_id
        if self.incomparable or self.after is None or self.after.statistics.statements is None:
            return None
        then = self.after.statistics
        found: list[Times] = []
        for current in (now[i] for i in ids if i in now):
            earlier = then.statement_by_id.get(current.queryid)
            if earlier is None and not (then.complete or self.statements_were_reset):
                return None
            found.append(self._since(current, earlier))
        return _sum(found)

    def _since(self, now: StatementStatistics, then: StatementStatistics | None) -> Times:
        """Subtract; an evicted or reset entry begins anew."""
        if then is None or self.statements_were_reset or now.calls < then.calls:
            return Times(now.calls, now.total, now.squares)
        return Times(
            now.calls - then.calls,
            max(now.total - then.total, 0.0),
            max(now.squares - then.squares, 0.0),
        )


def _sum(found: Iterable[Times | StatementStatistics]) -> Times:
    listed = list(found)
    return Times(
        sum(t.calls for t in listed),
        sum(t.total for t in listed),
        sum(t.squares for t in listed),
    )


def duration(seconds: float) -> str:
    """Describe a time as people do: `26 hours`."""
    for unit, length in (("days", 24 * HOUR), ("hours", HOUR), ("minutes", 60.0)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return "1 second" if f"{seconds:.0f}" == "1" else f"{seconds:.0f} seconds"
