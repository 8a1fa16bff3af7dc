"""Prepare the session that applies a plan: settings, timeouts, the advisory lock."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from reconciler.errors import Busy, ConnectionFailed
from reconciler.model.reserved_names import APPLIER_LOCK
from reconciler.server.connection import Connection, adjust, connect, rows, server_of
from reconciler.server.locks import LockPolicy

READ_LOCK_TIMEOUT = "10s"  # how long what only looks may wait for a lock


OWN_DEADLOCK_TIMEOUT = 0.1  # seconds, after which our own session does


AUTOVACUUM_GRACE = 60.0  # seconds for which autovacuum is let be, where it would not give way before others had noticed


_DEADLOCK_TIMEOUT = (
    "(SELECT reset_val::float8 / 1000 FROM pg_settings WHERE name = 'deadlock_timeout')"
)


POOLED = (
    "a pooler stands between us and the server, and gives every transaction another session, without our settings and our lock: "
    "name the server itself, or the pooler's session mode"
)


def prepare(connection: Connection, patience: LockPolicy) -> None:
    """Give a session our settings and then those that people asked for: the very same for all that a run asks and does.

    Nothing that the role or the database brings along cuts it short. Raises StatementFailed.
    """
    settings = {
        "search_path": "",
        "check_function_bodies": "off",
        "lock_timeout": READ_LOCK_TIMEOUT,
    }
    settings["row_security"] = "off"  # better refused than a backfill that misses rows
    unbounded = ["statement_timeout", "idle_in_transaction_session_timeout"]
    if server_of(connection).has_transaction_timeout:
        unbounded.append("transaction_timeout")
    allowed = server_of(connection).may_set.format("'deadlock_timeout'")
    if rows(
        connection, f"SELECT {allowed} AND {_DEADLOCK_TIMEOUT} > {OWN_DEADLOCK_TIMEOUT} AS allowed"
    )[0]["allowed"]:
        settings["deadlock_timeout"] = (
            f"{OWN_DEADLOCK_TIMEOUT}s"  # so soon autovacuum gives way, and nobody waits for us to wait for it
        )
    adjust(connection, {**settings, **dict.fromkeys(unbounded, "0"), **patience.session})


def backend_pid(connection: Connection) -> int:
    """The server's process; a pooler tells the driver another one."""
    return rows(connection, "SELECT pg_backend_pid() AS pid")[0]["pid"]


def session_timeouts(connection: Connection) -> tuple[float, float]:
    """After how many seconds of waiting others look for deadlocks, and for how many we let autovacuum work on."""
    own = "extract(epoch FROM current_setting('deadlock_timeout')::interval)::float8"
    (found,) = rows(connection, f"SELECT {_DEADLOCK_TIMEOUT} AS others, {own} AS own")
    return found["others"], 0.0 if found["own"] <= OWN_DEADLOCK_TIMEOUT else AUTOVACUUM_GRACE


@contextmanager
def sole_applier(target: str, patience: LockPolicy | None = None) -> Generator[Connection]:
    """A prepared connection that holds the advisory lock of this database; raises Busy where another applier has it."""
    connection = connect(target)
    try:
        if len({backend_pid(connection) for _ in range(3)}) > 1:  # there our lock would outlive us
            raise ConnectionFailed(POOLED)
        prepare(connection, patience or LockPolicy())
        if not rows(connection, "SELECT pg_try_advisory_lock(%s, %s) AS got", APPLIER_LOCK)[0][
            "got"
        ]:
            holder = rows(
                connection,
                """SELECT a.pid, a.usename::text AS role, a.client_addr::text AS address, a.backend_start::text AS since
                   FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid)
                   WHERE l.locktype = 'advisory' AND l.classid = %s AND l.objid = %s AND l.granted
                         AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())""",
                APPLIER_LOCK,
            )
            who = (
                ", ".join(f"pid {h['pid']} ({h['role']}, since {h['since']})" for h in holder)
                or "it has just ended"
            )
            raise Busy(
                f"another reconcile is applying to this database: {who}; try again when it is done"
            )
        yield connection
    finally:
        connection.close()
