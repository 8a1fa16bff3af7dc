"""Wait for locks without making other sessions wait behind us.

https://www.postgresql.org/docs/current/explicit-locking.html
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from reconciler.server.connection import Connection, rows
from reconciler.sql import literal, spellings, text

WEAKEST_FIRST: tuple[str, ...] = (
    "ACCESS SHARE",
    "ROW SHARE",
    "ROW EXCLUSIVE",
    "SHARE UPDATE EXCLUSIVE",
    "SHARE",
    "SHARE ROW EXCLUSIVE",
    "EXCLUSIVE",
    "ACCESS EXCLUSIVE",
)
# The number of strongest modes with which each mode conflicts; only SHARE does not conflict with
# itself.
_CONFLICTS: Mapping[str, int] = dict(zip(WEAKEST_FIRST, (1, 2, 4, 5, 6, 6, 7, 8), strict=True))
LONGEST_PAUSE = 5.0
# Without pg_read_all_stats, PostgreSQL shows neither age, state and query of other roles' sessions
# nor the type of an autovacuum worker's process; but a worker has no usesysid.
_SESSION = """
    SELECT a.pid, a.usename::text AS role, a.application_name AS application,
           coalesce(a.state, a.backend_type) AS state,
           extract(epoch FROM clock_timestamp()
                              - coalesce(a.xact_start, a.query_start))::float8 AS seconds,
           CASE WHEN a.state LIKE 'idle in transaction%%'
                THEN extract(epoch FROM clock_timestamp() - a.state_change)::float8 END AS rests,
           left(regexp_replace(a.query, '\\s+', ' ', 'g'), 80) AS query"""
_GIVES_WAY = """(
    coalesce(a.backend_type, CASE WHEN a.usesysid IS NULL THEN 'autovacuum worker' END, '')
    = 'autovacuum worker'
    AND a.query NOT LIKE '%%(to prevent wraparound)')"""
_HELD = """
    SELECT DISTINCT l.pid, l.virtualtransaction AS transaction
    FROM pg_locks AS l
    LEFT JOIN (SELECT to_regclass(w.relation)::oid AS relation, w.mode
               FROM unnest(%(relations)s::text[], %(modes)s::text[]) AS w(relation, mode)) AS w
         ON l.locktype = 'relation' AND l.relation = w.relation AND l.mode = w.mode
            AND l.database = (SELECT d.oid FROM pg_database AS d
                              WHERE d.datname = current_database())
    WHERE l.granted
          AND (w.mode IS NOT NULL OR l.virtualtransaction = ANY(%(met)s::text[]))"""
_HOLDERS = f"""
    {_SESSION}, h.transaction
    FROM ({_HELD}) AS h JOIN pg_stat_activity AS a ON a.pid = h.pid
    WHERE a.pid <> pg_backend_pid() AND (%(autovacuum)s OR NOT {_GIVES_WAY})"""
# Locks of prepared transactions have no pid. The lock of a prepared transaction on its own
# transaction id tells the virtualtransaction of its other locks.
_PREPARED = """
    SELECT 0 AS pid, p.owner::text AS role, p.gid AS application, 'prepared' AS state,
           extract(epoch FROM clock_timestamp() - p.prepared)::float8 AS seconds,
           NULL::float8 AS rests, '' AS query, o.virtualtransaction AS transaction
    FROM pg_prepared_xacts AS p
    JOIN pg_locks AS o ON o.locktype = 'transactionid' AND o.transactionid = p.transaction
                          AND o.granted AND o.pid IS NULL"""
_HOLDING = f"""{_PREPARED}
    WHERE o.virtualtransaction IN (SELECT h.transaction FROM ({_HELD}) AS h WHERE h.pid IS NULL)"""
_BLOCKING = f"""
    {_SESSION}, coalesce(v.transaction, '') AS transaction
    FROM unnest(pg_blocking_pids(%(pid)s)) AS b(pid)
    JOIN pg_stat_activity AS a ON a.pid = b.pid
    LEFT JOIN LATERAL (SELECT min(l.virtualtransaction) AS transaction FROM pg_locks AS l
                       WHERE l.pid = a.pid AND l.locktype = 'virtualxid'
                             AND l.granted) AS v ON true"""
# pg_blocking_pids returns 0 for each prepared transaction.
_BLOCKING_PREPARED = f"""
    {_PREPARED}
    WHERE 0 = ANY(pg_blocking_pids(%(pid)s))
          AND EXISTS (SELECT FROM pg_locks AS w
                      JOIN pg_locks AS l
                           ON l.virtualtransaction = o.virtualtransaction AND l.granted
                      WHERE w.pid = %(pid)s AND NOT w.granted AND l.pid IS NULL
                            AND (w.locktype, w.database, w.relation, w.transactionid, w.virtualxid)
                                IS NOT DISTINCT FROM
                                (l.locktype, l.database, l.relation, l.transactionid,
                                 l.virtualxid))"""


@dataclass(frozen=True)
class LockPolicy:
    """Time limits of a run, in seconds, and settings of its sessions.

    lock        the longest wait of one attempt at a lock
    total       the time for all attempts of a step
    statement   the longest run time of a step that should be quick; 0 disables the limit
    session     parameters to set, such as maintenance_work_mem
    """

    lock: float = 2.0
    total: float = 600.0
    statement: float = 30.0
    session: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True)
class Blocker:
    """A session with a lock; None stands for values hidden from the role.

    A prepared transaction has pid 0, and its gid as `application`. `transaction` is the virtual
    transaction id. `rests` is the time in seconds since an idle transaction did something.
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
            return (
                f"the prepared transaction {self.application} ({self.role}, "
                f"for {self.seconds or 0:.0f} s; "
                f"COMMIT PREPARED {gid} or ROLLBACK PREPARED {gid} ends it)"
            )
        session = f"pid {self.pid} ({self.role}, {self.application or 'no application name'}"
        if self.state is None:
            return f"{session}; what it does is shown to members of pg_read_all_stats)"
        duration = "" if self.seconds is None else f" for {self.seconds:.0f} s"
        return f"{session}, {self.state}{duration}: {self.query})"


@dataclass
class Queue:
    """The sessions ahead of a request for locks.

    Sessions that come after us would wait behind our request, so a request behind a long
    transaction is not made. A transaction counts as long if

    - its age is `long` seconds or more (where our role may not see the age, since we saw it first),
    - it has been idle for an eighth of that,
    - it was in the way of our last attempt, or
    - it is a prepared transaction.

    `locks` maps relations to modes. Autovacuum workers count for `autovacuum_grace` seconds.
    """

    connection: Connection
    locks: Mapping[str, str]
    long: float
    autovacuum_grace: float = 0.0
    _began: float = field(default_factory=time.monotonic)
    _first_seen: dict[str, float] = field(default_factory=dict[str, float])
    _met: set[str] = field(default_factory=set[str])
    _looked: bool = False

    def meet(self, blockers: Sequence[Blocker]) -> None:
        """Remember the sessions in the way of an attempt, on whatever relation.

        A foreign key, for example, also locks the referenced table.
        """
        self._met = {b.transaction for b in blockers}

    def look(self) -> list[Blocker]:
        """Return the long transactions now in the way, or none if the request may be made.

        It may also be made if all of them began after the previous look: then the others ended.
        """
        now = time.monotonic()
        found = holders(
            self.connection,
            self.locks,
            self._met,
            autovacuum=now - self._began < self.autovacuum_grace,
        )
        before = self._first_seen
        self._first_seen = {b.transaction: before.get(b.transaction, now) for b in found}
        long = [b for b in found if self._is_long(b, now)]
        first_look, self._looked = not self._looked, True
        if first_look or any(b.transaction in before for b in long):
            return long
        return []

    def _is_long(self, blocker: Blocker, now: float) -> bool:
        age = blocker.seconds
        if age is None:
            age = now - self._first_seen[blocker.transaction]
        return (
            not blocker.pid
            or blocker.transaction in self._met
            or age >= self.long
            or (blocker.rests or 0) >= self.long / 8
        )


def holders(
    connection: Connection,
    locks: Mapping[str, str],
    met: Iterable[str] = (),
    *,
    autovacuum: bool = False,
) -> list[Blocker]:
    """Return sessions with locks in conflict with `locks`, a mapping of relations to modes.

    Transactions of `met` are returned whatever they hold. Autovacuum workers are left out, unless
    `autovacuum`: they give way after deadlock_timeout, except those that prevent wraparound.
    """
    pairs = [
        (spelling, mode)
        for relation, lock in locks.items()
        for spelling in spellings(relation)
        for mode in _conflicting(lock)
    ]
    if not pairs and not met:
        return []
    values: dict[str, object] = {
        "relations": [relation for relation, _ in pairs],
        "modes": [mode for _, mode in pairs],
        "met": [*met],
        "autovacuum": autovacuum,
    }
    return [Blocker(**r) for query in (_HOLDERS, _HOLDING) for r in rows(connection, query, values)]


def blocking(connection: Connection, pid: int) -> list[Blocker]:
    """Return the sessions blocking the server process now."""
    return [
        Blocker(**row)
        for query in (_BLOCKING, _BLOCKING_PREPARED)
        for row in rows(connection, query, {"pid": pid})
    ]


def sessions(connection: Connection, pids: Sequence[int]) -> list[Blocker]:
    """Return the sessions of server processes."""
    query = f"{_SESSION}, '' AS transaction FROM pg_stat_activity AS a WHERE a.pid = ANY(%(pids)s)"
    return [Blocker(**row) for row in rows(connection, query, {"pids": [*pids]})]


def named(blockers: Sequence[Blocker]) -> str:
    """Describe all blockers for people."""
    return "; ".join(map(str, blockers))


def pauses() -> Iterator[float]:
    """Yield seconds, doubling from a quarter to LONGEST_PAUSE, with random deviations.

    The deviations keep two appliers from retrying in lockstep.
    """
    pause = 0.25
    while True:
        yield pause * random.uniform(0.75, 1.25)  # noqa: S311 - not a secret
        pause = min(pause * 2, LONGEST_PAUSE)


def stronger(one: str, other: str) -> str:
    """Return the stronger of two lock modes; "" is no lock."""
    return max(one, other, key=lambda mode: WEAKEST_FIRST.index(mode) if mode else -1)


def blocked_by(lock: str) -> Literal["", "writes", "reads and writes"]:
    """Name the statements of applications blocked by a lock mode; "" for none."""
    strongest = WEAKEST_FIRST[len(WEAKEST_FIRST) - _CONFLICTS.get(lock, 0) :]
    if "ACCESS SHARE" in strongest:
        return "reads and writes"
    return "writes" if "ROW EXCLUSIVE" in strongest else ""


def _conflicting(lock: str) -> list[str]:
    """Return the conflicting modes as pg_locks spells them: ShareLock."""
    strongest_first = WEAKEST_FIRST[::-1]
    return [
        mode.title().replace(" ", "") + "Lock"
        for mode in strongest_first[: _CONFLICTS.get(lock, 0)]
        if (lock, mode) != ("SHARE", "SHARE")
    ]
