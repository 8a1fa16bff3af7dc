"""Define the statistics of a moment, as kept in the journal.

Counters are cumulative: a difference of two moments tells what happened between them. Objects are
known by oid, so that a renamed one is the same and one that was built anew is another.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cached_property

from pydantic import BaseModel, ConfigDict, Field

from reconciler.sql import name, text


class _Record(BaseModel):
    """A record; keys of later versions of reconcile are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)


class _Relation(_Record):
    """A relation with rows; `rows` and `pages` are from the last VACUUM or ANALYZE.

    Those of a partitioned table are the sums over its partitions. `rows` is None where one of them
    was never analysed.
    """

    oid: int
    namespace: str
    name: str
    rows: float | None = None
    pages: int = 0

    @property
    def identity(self) -> str:
        """The name as a Ref spells it."""
        return f"{self.namespace}.{self.name}"

    @property
    def sql_name(self) -> str:
        """The name in SQL."""
        return text(name(self.namespace, self.name))


class TableStatistics(_Relation):
    """The counters of a table: `scans` are sequential scans, `scanned` the rows read thereby."""

    scans: int = 0
    scanned: int = 0
    index_scans: int = 0
    live: int = 0
    dead: int = 0

    @property
    def reads(self) -> int:
        """The number of reads of the table."""
        return self.scans + self.index_scans


class IndexStatistics(_Relation):
    """The counters of an index; `enforces`: the index does more than find rows, such as a key.

    Those of an index of a partitioned table are the sums over its partitions.
    """

    table: int
    scans: int = 0
    valid: bool = True
    enforces: bool = False
    partitioned: bool = False


class StatementStatistics(_Record):
    """The executions of a statement in pg_stat_statements, by queryid, without the text.

    `total` is in milliseconds, `squares` the sum of the squared deviations of the times.
    """

    queryid: int
    calls: int
    total: float
    squares: float = 0.0

    @property
    def mean(self) -> float | None:
        """The mean time in milliseconds."""
        return self.total / self.calls if self.calls else None


class DatabaseStatistics(_Record):
    """The counters of the database; `reset` is the time of the last reset, if any."""

    commits: int = 0
    rollbacks: int = 0
    deadlocks: int = 0
    conflicts: int = 0
    reset: datetime | None = None


class Statistics(_Record):
    """The statistics of a moment.

    block        bytes of a page
    timeline     of the server's WAL, by which a promoted standby is known; "" on a standby
    statements   None where there is no pg_stat_statements to read
    complete     whether `statements` are all; else the costliest
    unseen       parts that could not be read, each with the reason
    """

    version: int = 1
    standby: bool = False
    timeline: str = ""
    block: int = 8192
    database: DatabaseStatistics | None = None
    tables: tuple[TableStatistics, ...] = ()
    indexes: tuple[IndexStatistics, ...] = ()
    statements: tuple[StatementStatistics, ...] | None = None
    statements_reset: datetime | None = None
    complete: bool = False
    unseen: Mapping[str, str] = Field(default_factory=dict[str, str])

    @cached_property
    def table_by_oid(self) -> Mapping[int, TableStatistics]:
        """Map oids to tables."""
        return {t.oid: t for t in self.tables}

    @cached_property
    def index_by_oid(self) -> Mapping[int, IndexStatistics]:
        """Map oids to indexes."""
        return {i.oid: i for i in self.indexes}

    @cached_property
    def statement_by_id(self) -> Mapping[int, StatementStatistics]:
        """Map queryids to statements."""
        return {s.queryid: s for s in self.statements or ()}


class Waiting(_Record):
    """A session waiting for a lock; `seconds` is None at first."""

    pid: int
    relation: str = ""
    seconds: float | None = None
    blockers: tuple[int, ...] = ()


class Present(_Record):
    """The present statistics, with lock waits and texts of statements.

    `texts` are statements by queryid as pg_stat_statements normalises them; `waiting` lists the
    longest waits of `waits`.
    """

    at: datetime
    statistics: Statistics
    texts: Mapping[int, str] = Field(default_factory=dict[int, str])
    waits: int = 0
    waiting: tuple[Waiting, ...] = ()


class Baseline(_Record):
    """The statistics recorded by a run, with the time of reading."""

    taken_at: datetime
    statistics: Statistics
