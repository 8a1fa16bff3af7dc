"""Prepare sessions to apply a plan: settings, timeouts and the advisory lock."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager, suppress

from reconciler.errors import Busy, StatementFailed
from reconciler.model.reserved_names import APPLIER_LOCK
from reconciler.server.connection import (
    Connection,
    adjust,
    connect,
    connect_to_read,
    rows,
    server_of,
    translated,
)
from reconciler.server.locks import LockPolicy, named, sessions
from reconciler.server.parameters import CLIENT_CHECKS

SETTINGS = {
    "lock_timeout": "10s",  # of queries
    "row_security": "off",  # fail rather than backfill only the rows that policies show
}

# Seconds of our deadlock_timeout. An autovacuum worker that blocks a session is cancelled after the
# deadlock_timeout of the session: a short value ends autovacuum before sessions queue behind us.
OWN_DEADLOCK_TIMEOUT = 0.1

# Seconds for which steps let autovacuum workers continue where the role may not set
# deadlock_timeout: there autovacuum would give way too late.
AUTOVACUUM_GRACE = 60.0

# Milliseconds for which a transaction of a step, or a batch, may wait for our process, which may be
# frozen while it holds locks.
STEP_IDLE_LIMIT = 5000

_CHECK_CLIENT = """
    SELECT set_config(name, %(value)s::text, false) FROM pg_settings
    WHERE name = %(name)s AND (setting::int8 = 0 OR setting::int8 > %(value)s)"""
_IDLE_LIMIT = """
    SELECT setting::int AS ms FROM pg_settings
    WHERE name = 'idle_in_transaction_session_timeout'"""
_DEADLOCK_TIMEOUT = (
    "(SELECT reset_val::float8 / 1000 FROM pg_settings WHERE name = 'deadlock_timeout')"
)
_LOCK_HOLDERS = """
    SELECT l.pid FROM pg_locks AS l
    WHERE l.locktype = 'advisory' AND l.classid = %s AND l.objid = %s AND l.granted
          AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"""


def prepare(connection: Connection, policy: LockPolicy) -> None:
    """Set the parameters of a session: defaults of reconcile first, then the user's.

    Raises StatementFailed.
    """
    own = policy.session
    adjust(connection, {name: own[name] for name in own if name.lower() != "role"})
    for name, value in CLIENT_CHECKS.items():
        with suppress(StatementFailed):
            rows(connection, _CHECK_CLIENT, {"name": name, "value": value})
    settings = {**SETTINGS, "statement_timeout": "0"}
    if _may_shorten_deadlock_timeout(connection):
        settings["deadlock_timeout"] = f"{OWN_DEADLOCK_TIMEOUT}s"
    adjust(connection, {**settings, **own})


def _may_shorten_deadlock_timeout(connection: Connection) -> bool:
    allowed = server_of(connection).may_set.format("'deadlock_timeout'")
    query = f"SELECT {allowed} AND {_DEADLOCK_TIMEOUT} > {OWN_DEADLOCK_TIMEOUT} AS allowed"
    return rows(connection, query)[0]["allowed"]


def backend_pid(connection: Connection) -> int:
    """Return the pid of the server process; behind a pooler the driver's value is wrong."""
    return rows(connection, "SELECT pg_backend_pid() AS pid")[0]["pid"]


def session_timeouts(connection: Connection) -> tuple[float, float]:
    """Return the deadlock_timeout of blocked sessions and the grace for autovacuum, in seconds."""
    own = "extract(epoch FROM current_setting('deadlock_timeout')::interval)::float8"
    (found,) = rows(connection, f"SELECT {_DEADLOCK_TIMEOUT} AS others, {own} AS own")
    return found["others"], 0.0 if found["own"] <= OWN_DEADLOCK_TIMEOUT else AUTOVACUUM_GRACE


def idle_limits(connection: Connection) -> tuple[int, int]:
    """Return the limits of idle transactions, of steps and of others, in milliseconds."""
    usual: int = rows(connection, _IDLE_LIMIT)[0]["ms"]
    return min(usual or STEP_IDLE_LIMIT, STEP_IDLE_LIMIT), usual


@contextmanager
def prepared(target: str, policy: LockPolicy) -> Generator[Connection]:
    """Open a prepared connection without the advisory lock."""
    with connect(target) as connection:
        prepare(connection, policy)
        yield connection


@contextmanager
def reading(target: str, policy: LockPolicy) -> Generator[Connection]:
    """Open a connection to read as the applier would."""
    with connect_to_read(target, {**SETTINGS, **policy.session}) as connection:
        yield connection


@contextmanager
def sole_applier(target: str, policy: LockPolicy | None = None) -> Generator[Connection]:
    """Open a prepared connection with the advisory lock of the database.

    Raises Busy if another session holds the lock, and ConnectionFailed behind a pooler that does
    not keep sessions.
    """
    connection = connect(target)
    try:
        prepare(connection, policy or LockPolicy())
        _lock(connection)
        try:
            yield connection
        finally:
            _unlock(connection)
    finally:
        connection.close()


def _unlock(connection: Connection) -> None:
    """Release the lock, which a session behind a pooler would keep."""
    if connection.shared is not None and not connection.closed:
        with suppress(StatementFailed), translated():
            connection.rollback()
            rows(connection, "SELECT pg_advisory_unlock(%s, %s)", APPLIER_LOCK)


def _lock(connection: Connection) -> None:
    locked = rows(connection, "SELECT pg_try_advisory_lock(%s, %s) AS locked", APPLIER_LOCK)
    if locked[0]["locked"]:
        return
    holders = sessions(
        connection, [h["pid"] for h in rows(connection, _LOCK_HOLDERS, APPLIER_LOCK)]
    )
    if not holders:
        raise Busy("another reconcile was applying to this database and has just ended; try again")
    end = " and ".join(f"SELECT pg_terminate_backend({h.pid})" for h in holders)
    raise Busy(
        f"another reconcile is applying to this database: {named(holders)}; try again when it is "
        f"done\nIf its process is gone or frozen, its session is of no use: {end} ends it, and the "
        "next run goes on with what it left"
    )
