"""Retry statements after lock timeouts and deadlocks, within time limits."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence, Set
from functools import partial
from math import ceil
from typing import TypeVar

from reconciler.apply.concurrent import CONTENDED, is_contended
from reconciler.apply.run import Run
from reconciler.errors import ConnectionFailed, StatementFailed
from reconciler.plan.step import Step
from reconciler.server.connection import rows
from reconciler.server.locks import Blocker, Queue, holders, named, pauses, stronger
from reconciler.server.pooler import POOLED
from reconciler.sql import spellings

T = TypeVar("T")

# The largest part of deadlock_timeout to wait while holding a lock. After a full deadlock_timeout
# a session blocked by us checks for a deadlock, and PostgreSQL may cancel the session's statement.
DEADLOCK_CHECK_FRACTION = 0.75

# Seconds: enough for a session that holds a lock for a single statement.
MIN_LOCK_WAIT = 0.05

# The first attempt with a full lock wait; each attempt before waits half as long as the next.
FULL_WAIT_ATTEMPT = 4

LOCK_NOT_AVAILABLE = "55P03"
RETRIED = {
    LOCK_NOT_AVAILABLE: "a lock was not to be had",
    "40P01": "a deadlock",
    "40001": "a serialization failure",
}


# -- timeouts --------------------------------------------------------------------------------------


def set_timeouts(run: Run, step: Step, attempt: int = FULL_WAIT_ATTEMPT) -> None:
    """Set lock_timeout and statement_timeout for the only statement of a step."""
    step_timeouts(run, *statement_timeouts(run, step, attempt))


def statement_timeouts(
    run: Run, step: Step, attempt: int, locked_since: float | None = None
) -> tuple[float, float]:
    """Return lock_timeout and statement_timeout of a step, in seconds.

    The first attempts wait for a short time only, because later sessions queue behind a waiting
    lock request. After `locked_since`, the time of the first lock, sessions may wait for us: end
    our wait before deadlock_timeout, when PostgreSQL would check those sessions for a deadlock.
    """
    wait = 0.0 if step.long else run.policy.lock / 2 ** max(FULL_WAIT_ATTEMPT - attempt, 0)
    if wait and locked_since is not None:
        lock_age = time.monotonic() - locked_since
        before_check = DEADLOCK_CHECK_FRACTION * run.deadlock_timeout - lock_age
        wait = max(min(wait, before_check), MIN_LOCK_WAIT)
    if not (step.quick and run.policy.statement):
        return wait, 0.0
    return wait, run.policy.statement + wait  # statement_timeout includes the wait for locks


def step_timeouts(run: Run, lock: float, statement: float) -> None:
    """Set lock_timeout and statement_timeout of a step, in seconds; 0 disables a timeout."""
    _set_session(run, lock, statement, run.idle_limits[0])


def no_timeouts(run: Run) -> None:
    """Disable lock_timeout and statement_timeout of the session."""
    _set_session(run, 0.0, 0.0, run.idle_limits[1])


def _set_session(run: Run, lock: float, statement: float, idle: int) -> None:
    """Set the timeouts of the session; `idle` is in milliseconds.

    Also set search_path again, which a function that ran in the session may have changed. Raises
    ConnectionFailed if a pooler has put the connection on another server process.
    """
    query = (
        "SELECT pg_catalog.set_config('search_path', %s, false), "
        "pg_catalog.set_config('lock_timeout', %s, false), "
        "pg_catalog.set_config('statement_timeout', %s, false), "
        "pg_catalog.set_config('idle_in_transaction_session_timeout', %s, false), "
        "pg_catalog.pg_backend_pid() AS pid"
    )
    milliseconds = [f"{ceil(seconds * 1000)}" for seconds in (lock, statement)]
    values = [run.search_path, *milliseconds, str(idle)]
    if rows(run.connection, query, values)[0]["pid"] != run.pid:
        raise ConnectionFailed(POOLED)


# -- retries ---------------------------------------------------------------------------------------


def with_retries(
    run: Run, group: Sequence[Step], work: Callable[[], T], *, check_queue_first: bool = True
) -> T:
    """Call `work`, and again after growing pauses, while only locks hinder and time remains.

    An attempt is not even made while a long transaction holds a conflicting lock, because every
    later session would queue up behind our request. Steps that block nobody need not check.
    """
    locks = awaited_locks(group, run.created)
    check_queue_first = (
        check_queue_first and bool(locks) and not any(s.long or s.fill for s in group)
    )
    queue = Queue(
        run.connection, locks if check_queue_first else {}, run.policy.lock, run.autovacuum_grace
    )
    step, deadline = group[-1], time.monotonic() + run.policy.total
    progress, waiting = partial(run.watcher.progress, step), partial(run.watcher.waiting, step)
    for pause in pauses():
        blockers = queue.look() if check_queue_first else []
        if blockers:
            refused = _lock_not_available(blockers)
        else:
            with run.monitor.looking(progress, waiting) as look:
                try:
                    return work()
                except StatementFailed as e:
                    if e.sqlstate not in RETRIED and not is_contended(group, e):
                        raise
                    met = look.blockers or holders(run.connection, locks)
                    queue.meet(met)
                    refused = _with_blockers(e, met)
        if time.monotonic() + pause > deadline:
            raise refused
        _announce_pause(run, step, refused, pause)
        time.sleep(pause)
    raise AssertionError


def _announce_pause(run: Run, step: Step, refused: StatementFailed, pause: float) -> None:
    detail = f": {refused.detail}" if refused.detail else ""
    reason = RETRIED.get(refused.sqlstate, CONTENDED)
    run.watcher.waiting(step, f"{reason}{detail}; again in {pause:.1f} s")


def _lock_not_available(blockers: Sequence[Blocker]) -> StatementFailed:
    return StatementFailed(
        RETRIED[LOCK_NOT_AVAILABLE],
        sqlstate=LOCK_NOT_AVAILABLE,
        detail=f"held by {named(blockers)}",
    )


def _with_blockers(failure: StatementFailed, blockers: Sequence[Blocker]) -> StatementFailed:
    """Return the failure with the sessions holding the lock as the detail."""
    return StatementFailed(
        failure.message,
        sqlstate=failure.sqlstate,
        detail=f"held by {named(blockers)}" if blockers else failure.detail,
        hint=failure.hint,
        sql=failure.sql,
    )


def awaited_locks(group: Sequence[Step], created: Set[str]) -> dict[str, str]:
    """Return the strongest lock mode of the steps on each relation, by SQL spelling.

    Relations that this run has created are left out, those that the group itself creates too: no
    other session has used them for long. What a step drops first is not left out.
    """
    found, own = dict[str, str](), set[str]()
    for step in group:
        for lock in step.locks:
            if lock.relation in created or lock.relation in own:
                continue
            for relation in spellings(lock.relation, step.schema_name):
                found[relation] = stronger(found.get(relation, ""), lock.mode)
        if step.action == "create":
            own.add(step.identity)
    return found


def assert_connected(run: Run, group: Sequence[Step], failure: StatementFailed) -> None:
    """Raise ConnectionFailed if the connection broke while the steps ran."""
    if run.connection.closed:
        raise ConnectionFailed(
            f"the connection broke at step {group[0].id}: {failure.message}; run again to continue"
        ) from failure
