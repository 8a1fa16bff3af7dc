"""Waiting for locks: how long, behind whom, and never so that others must wait behind us.

https://www.postgresql.org/docs/current/explicit-locking.html
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from reconciler.server.connection import Connection, Row, rows
from reconciler.sql import literal, spellings, text

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
# Of sessions that this role may not look at, PostgreSQL tells neither age nor state nor what they run, nor even that one is
# autovacuum's: that no user works in it gives it away.
_SESSION = """
    SELECT a.pid, a.usename::text AS role, a.application_name AS application, coalesce(a.state, a.backend_type) AS state,
           extract(epoch FROM clock_timestamp() - coalesce(a.xact_start, a.query_start))::float8 AS seconds,
           CASE WHEN a.state LIKE 'idle in transaction%%' THEN extract(epoch FROM clock_timestamp() - a.state_change)::float8 END AS rests,
           left(regexp_replace(a.query, '\\s+', ' ', 'g'), 80) AS query"""
_GIVES_WAY = """(coalesce(a.backend_type, CASE WHEN a.usesysid IS NULL THEN 'autovacuum worker' END, '') = 'autovacuum worker'
                     AND a.query NOT LIKE '%%(to prevent wraparound)')"""
_HELD = """
    SELECT DISTINCT l.pid, l.virtualtransaction AS transaction
    FROM pg_locks AS l
    LEFT JOIN (SELECT to_regclass(w.relation)::oid AS relation, w.mode
               FROM unnest(%(relations)s::text[], %(modes)s::text[]) AS w(relation, mode)) AS w
         ON l.locktype = 'relation' AND l.relation = w.relation AND l.mode = w.mode
            AND l.database = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
    WHERE l.granted AND (w.mode IS NOT NULL OR l.virtualtransaction = ANY(%(met)s::text[]))"""
_HOLDERS = f"""
    {_SESSION}, h.transaction
    FROM ({_HELD}) AS h JOIN pg_stat_activity AS a ON a.pid = h.pid
    WHERE a.pid <> pg_backend_pid() AND (%(vacuums)s OR NOT {_GIVES_WAY})"""
# Of a prepared transaction only the lock on its own number tells which of the locks of nobody are its.
_PREPARED = """
    SELECT 0 AS pid, p.owner::text AS role, p.gid AS application, 'prepared' AS state,
           extract(epoch FROM clock_timestamp() - p.prepared)::float8 AS seconds, NULL::float8 AS rests, '' AS query,
           o.virtualtransaction AS transaction
    FROM pg_prepared_xacts AS p
    JOIN pg_locks AS o ON o.locktype = 'transactionid' AND o.transactionid = p.transaction AND o.granted AND o.pid IS NULL"""
_HOLDING = f"{_PREPARED} WHERE o.virtualtransaction IN (SELECT h.transaction FROM ({_HELD}) AS h WHERE h.pid IS NULL)"
_BLOCKING = f"""
    {_SESSION}, coalesce(v.transaction, '') AS transaction
    FROM unnest(pg_blocking_pids(%(pid)s)) AS b(pid) JOIN pg_stat_activity AS a ON a.pid = b.pid
    LEFT JOIN LATERAL (SELECT min(l.virtualtransaction) AS transaction FROM pg_locks AS l
                       WHERE l.pid = a.pid AND l.locktype = 'virtualxid' AND l.granted) AS v ON true"""
# pg_blocking_pids says 0 for each of them.
_BLOCKING_PREPARED = f"""
    {_PREPARED}
    WHERE 0 = ANY(pg_blocking_pids(%(pid)s))
          AND EXISTS (SELECT FROM pg_locks AS w JOIN pg_locks AS l ON l.virtualtransaction = o.virtualtransaction AND l.granted
                      WHERE w.pid = %(pid)s AND NOT w.granted AND l.pid IS NULL
                            AND (w.locktype, w.database, w.relation, w.transactionid, w.virtualxid)
                                IS NOT DISTINCT FROM (l.locktype, l.database, l.relation, l.transactionid, l.virtualxid))"""


@dataclass(frozen=True)
class LockPolicy:
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
    """A session that holds what we wait for; a prepared transaction has no pid, and its name as `application`.

    `transaction` tells it from every other that the session was or will be in; for `rests` seconds it has done nothing.
    What this role may not know is None.
    """

    pid: int
    role: str | None
    application: str
    state: str | None
    seconds: float | None
    query: str
    rests: float | None = None
    transaction: str = ""

    def __str__(self) -> str:
        if not self.pid:
            gid = text(literal(self.application))
            end = f"COMMIT PREPARED {gid} or ROLLBACK PREPARED {gid} ends it"
            return f"the prepared transaction {self.application} ({self.role}, for {self.seconds or 0:.0f} s; {end})"
        who = f"pid {self.pid} ({self.role}, {self.application or 'no application name'}"
        if self.state is None:
            return f"{who}; what it does is shown to members of pg_read_all_stats)"
        since = "" if self.seconds is None else f" for {self.seconds:.0f} s"
        return f"{who}, {self.state}{since}: {self.query})"


@dataclass
class Queue:
    """The queue for locks (relation → mode), and who in it makes it a bad idea to stand in line: whoever comes after us waits too.

    A transaction of at least `lasts` seconds, or one that has been idle for an eighth of that, is expected to last, and so is
    whoever was in the way of our last try. Of whom nobody tells the age, our own looks do. For `vacuums` seconds autovacuum
    is one of them.
    """

    connection: Connection
    wanted: Mapping[str, str]
    lasts: float
    vacuums: float = 0.0
    _began: float = field(default_factory=time.monotonic)
    _seen: dict[str, float] = field(default_factory=dict[str, float])
    _met: set[str] = field(default_factory=set[str])
    _looked: bool = False

    def meet(self, blockers: Sequence[Blocker]) -> None:
        """Remember who was in the way of a try, whatever they hold: the other table of a foreign key, say."""
        self._met = {b.transaction for b in blockers}

    def look(self) -> list[Blocker]:
        """Those for whom to wait elsewhere, now; nobody, where all who last have come since the last look, and so may go."""
        now = time.monotonic()
        found = holders(
            self.connection, self.wanted, self._met, vacuums=now - self._began < self.vacuums
        )
        before, self._seen = (
            self._seen,
            {b.transaction: self._seen.get(b.transaction, now) for b in found},
        )
        lasting = [b for b in found if self._lasts(b, now)]
        first, self._looked = not self._looked, True
        return lasting if first or any(b.transaction in before for b in lasting) else []

    def _lasts(self, one: Blocker, now: float) -> bool:
        age = now - self._seen[one.transaction] if one.seconds is None else one.seconds
        return (
            not one.pid
            or one.transaction in self._met
            or age >= self.lasts
            or (one.rests or 0) >= self.lasts / 8
        )


def holders(
    connection: Connection,
    wanted: Mapping[str, str],
    met: Iterable[str] = (),
    *,
    vacuums: bool = False,
) -> list[Blocker]:
    """Who holds locks that conflict with the `wanted` ones (relation → mode), or is still in a transaction once `met`.

    Autovacuum is left out, but for `vacuums`: it gives way to whoever has waited for deadlock_timeout, unless it must prevent
    wraparound.
    """
    pairs = [
        (spelled, mode)
        for relation, lock in wanted.items()
        for spelled in spellings(relation)
        for mode in _conflicting(lock)
    ]
    if not pairs and not met:
        return []
    given: dict[str, object] = {
        "relations": [r for r, _ in pairs],
        "modes": [m for _, m in pairs],
        "met": [*met],
        "vacuums": vacuums,
    }
    return [_blocker(r) for query in (_HOLDERS, _HOLDING) for r in rows(connection, query, given)]


def blocking(connection: Connection, pid: int) -> list[Blocker]:
    """Whom that backend waits for at this moment."""
    return [
        _blocker(r)
        for query in (_BLOCKING, _BLOCKING_PREPARED)
        for r in rows(connection, query, {"pid": pid})
    ]


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
    found = [
        m
        for m in _WEAKEST_FIRST[::-1][: _CONFLICTS.get(lock, 0)]
        if (lock, m) != ("SHARE", "SHARE")
    ]
    return [mode.title().replace(" ", "") + "Lock" for mode in found]


def _blocker(row: Row) -> Blocker:
    return Blocker(**row)
