"""Waiting for locks: how long, behind whom, and never so that others must wait behind us.

https://www.postgresql.org/docs/current/explicit-locking.html
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from reconciler.connection import Connection, Row, rows
from reconciler.statement import quoted

_WEAKEST_FIRST: tuple[str, ...] = (
    "ACCESS SHARE",
    "ROW SHARE",
    "ROW EXCLUSIVE",
    "SHARE UPDATE EXCLUSIVE",
    "SHARE",
    "SHARE ROW EXCLUSIVE",
    "EXCLUSIVE",
    "ACCESS EXCLUSIVE",
)
# How many of the strongest modes each mode conflicts with; SHARE alone does not conflict with itself.
_CONFLICTS: Mapping[str, int] = dict(zip(_WEAKEST_FIRST, (1, 2, 4, 5, 6, 6, 7, 8), strict=True))
LONGEST_PAUSE = 5.0
_SESSION = """
    SELECT a.pid, a.usename::text AS role, a.application_name AS application, coalesce(a.state, a.backend_type) AS state,
           extract(epoch FROM clock_timestamp() - coalesce(a.xact_start, a.query_start))::float8 AS seconds,
           left(regexp_replace(a.query, '\\s+', ' ', 'g'), 80) AS query"""
_HOLDERS = f"""
    {_SESSION}
    FROM pg_stat_activity AS a
    WHERE a.pid <> pg_backend_pid() AND a.backend_type <> 'autovacuum worker'
          AND (clock_timestamp() - a.xact_start >= make_interval(secs => %(older)s)
               OR a.state LIKE 'idle in transaction%%' AND clock_timestamp() - a.state_change >= make_interval(secs => %(older)s / 8))
          AND EXISTS (SELECT FROM pg_locks AS l JOIN unnest(%(relations)s::text[], %(modes)s::text[]) AS w(relation, mode)
                      ON l.relation = to_regclass(w.relation) AND l.mode = w.mode
                      WHERE l.pid = a.pid AND l.granted AND l.locktype = 'relation')"""
_PREPARED = """
    SELECT 0 AS pid, p.owner::text AS role, p.gid AS application, 'prepared' AS state,
           extract(epoch FROM clock_timestamp() - p.prepared)::float8 AS seconds, '' AS query
    FROM pg_prepared_xacts AS p
    WHERE EXISTS (SELECT FROM pg_locks AS l JOIN unnest(%(relations)s::text[], %(modes)s::text[]) AS w(relation, mode)
                  ON l.relation = to_regclass(w.relation) AND l.mode = w.mode
                  WHERE l.pid IS NULL AND l.virtualtransaction = '-1/' || p.transaction::text)"""
_STAYING = f"""
    {_SESSION}
    FROM pg_stat_activity AS a
    WHERE a.pid = ANY(%(pids)s) AND a.backend_type <> 'autovacuum worker'
          AND clock_timestamp() - a.xact_start >= make_interval(secs => %(seconds)s)"""
_BLOCKING = f"{_SESSION} FROM unnest(pg_blocking_pids(%(pid)s)) AS b(pid) JOIN pg_stat_activity AS a ON a.pid = b.pid"


@dataclass(frozen=True)
class Patience:
    """How long we wait, in seconds: `lock` for one try at a lock, `total` for all tries of a step.

    `statement` bounds what should be quick; 0 is without bound. `session` holds settings for the run, such as
    maintenance_work_mem.
    """

    lock: float = 2.0
    total: float = 600.0
    statement: float = 30.0
    session: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True)
class Blocker:
    """A session that holds what we wait for; a prepared transaction has no pid, and its name as `application`."""

    pid: int
    role: str | None
    application: str
    state: str
    seconds: float | None
    query: str

    def __str__(self) -> str:
        if not self.pid:
            return f"the prepared transaction {self.application} ({self.role}, for {self.seconds or 0:.0f} s)"
        since = "" if self.seconds is None else f" for {self.seconds:.0f} s"
        return f"pid {self.pid} ({self.role}, {self.application or 'no application name'}, {self.state}{since}: {self.query})"


def holders(connection: Connection, wanted: Mapping[str, str], older: float = 0.0) -> list[Blocker]:
    """Who holds locks that conflict with the `wanted` ones (relation → mode), in transactions of at least `older` seconds.

    One that is idle counts as old eight times as soon. Autovacuum is left out: it gives way as soon as somebody waits
    for it. Of sessions that this role may not look at, PostgreSQL does not tell the age.
    """
    pairs = [(quoted(relation), mode) for relation, lock in wanted.items() for mode in _conflicting(lock)]
    if not pairs:
        return []
    given: dict[str, object] = {"relations": [r for r, _ in pairs], "modes": [m for _, m in pairs], "older": older}
    return [_blocker(r) for query in (_HOLDERS, _PREPARED) for r in rows(connection, query, given)]


def blocking(connection: Connection, pid: int) -> list[Blocker]:
    """Whom that backend waits for at this moment."""
    return [_blocker(r) for r in rows(connection, _BLOCKING, {"pid": pid})]


def staying(connection: Connection, blockers: Sequence[Blocker], seconds: float) -> list[Blocker]:
    """Those of them that are still in the transaction in which they were so many seconds ago.

    Autovacuum is left out: it gives way to whoever waits long enough.
    """
    pids = [b.pid for b in blockers]
    return [_blocker(r) for r in rows(connection, _STAYING, {"pids": pids, "seconds": seconds})] if pids else []


def named(blockers: Sequence[Blocker]) -> str:
    """All of them, for people to read."""
    return "; ".join(map(str, blockers))


def pauses() -> Iterator[float]:
    """Seconds, doubling from a quarter up to the longest, each shaken so that two appliers do not march in step."""
    pause = 0.25
    while True:
        yield pause * random.uniform(0.75, 1.25)  # noqa: S311 - not a secret
        pause = min(pause * 2, LONGEST_PAUSE)


def stronger(one: str, other: str) -> str:
    """The stronger of two modes; "" is none."""
    return max(one, other, key=lambda mode: _WEAKEST_FIRST.index(mode) if mode else -1)


def _conflicting(lock: str) -> list[str]:
    found = [m for m in _WEAKEST_FIRST[::-1][: _CONFLICTS.get(lock, 0)] if (lock, m) != ("SHARE", "SHARE")]
    return [mode.title().replace(" ", "") + "Lock" for mode in found]


def _blocker(row: Row) -> Blocker:
    return Blocker(**row)
