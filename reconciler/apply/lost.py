"""Find out on a new connection how a transaction ended whose connection broke."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from typing import Literal

from reconciler.apply.outcome import StepOutcome
from reconciler.apply.run import Run
from reconciler.apply.session import prepared
from reconciler.counted import agreeing, counted
from reconciler.errors import ConnectionFailed, ReconcileError, StatementFailed
from reconciler.model.reserved_names import APPLIER_LOCK
from reconciler.plan.step import Step
from reconciler.server.connection import Connection, rows
from reconciler.server.locks import pauses

Fate = Literal["done", "not done", "unknown"]

IDLE_TIMEOUT = "25P03"
MAX_UNREAD = 20  # results
MAX_LISTED = 10  # steps in a message
RECONNECT = 15.0  # seconds of attempts at a new connection: a server may restart
GRACE = 5.0  # seconds for a COMMIT that waits, for example for a standby

# https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-INFO-SNAPSHOT
STATUS = "SELECT pg_xact_status(%s::xid8) AS status"

# Another timeline is that of another server: a standby that was promoted may lack the transaction,
# and may have given its number to another one.
TIMELINE = "SELECT left(pg_walfile_name(pg_current_wal_lsn()), 8) AS timeline"

# The lock tells our session from one that a pooler has since put on the same server process.
END_SESSION = """
    SELECT pg_terminate_backend(l.pid) FROM pg_locks AS l
    WHERE l.locktype = 'advisory' AND l.classid = %s AND l.objid = %s AND l.granted AND l.pid = %s
          AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"""
FATES: dict[str | None, Fate] = {"committed": "done", "aborted": "not done"}
SAYS: dict[Fate, str] = {
    "done": "it was committed, as a new connection shows",
    "not done": "it was rolled back, as a new connection shows",
    "unknown": "whether it is done is not known: the next run finds out",
}


def transaction_id(connection: Connection) -> str:
    """Return the id of the current transaction, by which its end can be looked up later."""
    return rows(connection, "SELECT pg_current_xact_id()::text AS id")[0]["id"]


def timeline(connection: Connection) -> str:
    """Return the timeline of the server's WAL; "" where the server does not tell."""
    with suppress(StatementFailed):
        return rows(connection, TIMELINE)[0]["timeline"]
    return ""


def record_lost(run: Run, group: Sequence[Step], failure: StatementFailed) -> ConnectionFailed:
    """Record the outcome of a group whose connection broke; return the error to raise."""
    reason = _reason(run, failure)
    fate: Fate = "unknown"
    with suppress(ReconcileError), _reconnected(run) as connection:
        fate = _fate(connection, run)
        run.connection = connection
        run.end_unchecked()
        for step in group if fate != "unknown" else ():
            done = fate == "done"
            run.end(
                StepOutcome(step, "done" if done else "failed", error="" if done else SAYS[fate])
            )
    finished = sum(o.status == "done" for o in run.outcomes)
    return ConnectionFailed(
        f"the connection broke at step {group[0].id}: {reason}\n"
        f"{_listed(group)}: {SAYS[fate]}\n"
        f"{finished} of {counted(len(run.plan.steps), 'step')}"
        f" {agreeing(finished, 'is done and stays', 'are done and stay')} done;"
        " run again to continue"
    )


def _listed(group: Sequence[Step]) -> str:
    """Name the steps of a transaction: all, or the first and the last of many."""
    ids = [step.id for step in group]
    if len(ids) > MAX_LISTED:
        return f"steps {ids[0]} to {ids[-1]}"
    return f"step {', '.join(ids)}"


def _reason(run: Run, failure: StatementFailed) -> str:
    """Return why the connection broke; the server may have said so while nobody read."""
    for _ in range(MAX_UNREAD):
        if run.connection.pgconn.get_result() is None:
            break
    state, message = run.end_message or (failure.sqlstate, failure.message)
    if state != IDLE_TIMEOUT:
        return message
    return (
        "terminating connection due to idle-in-transaction timeout: this process stood still for "
        f"more than {run.idle_limits[0] / 1000:g} s, and the server released its locks"
    )


@contextmanager
def _reconnected(run: Run) -> Generator[Connection]:
    deadline = time.monotonic() + RECONNECT
    for pause in pauses():
        try:
            with prepared(run.target, run.policy) as connection:
                yield connection
                return
        except ConnectionFailed:
            if time.monotonic() + pause > deadline:
                raise
            time.sleep(pause)


def _fate(connection: Connection, run: Run) -> Fate:
    """Look up how the transaction ended, and end its session if that still holds locks."""
    if not run.transaction or timeline(connection) != run.timeline:
        return "unknown"
    status = _settled(connection, run.transaction)
    _end_session(connection, run)  # COMMIT has not arrived, or the lock alone is left
    if status == "in progress":
        status = _settled(connection, run.transaction)
    return FATES.get(status, "unknown")


def _settled(connection: Connection, transaction: str) -> str | None:
    """Return the status of a transaction, after a while for one that is in progress."""
    deadline = time.monotonic() + GRACE
    while True:
        status = rows(connection, STATUS, [transaction])[0]["status"]
        if status != "in progress" or time.monotonic() > deadline:
            return status
        time.sleep(0.05)


def _end_session(connection: Connection, run: Run) -> None:
    with suppress(StatementFailed):  # without the privilege, the server's own timeouts end it
        rows(connection, END_SESSION, [*APPLIER_LOCK, run.pid])
