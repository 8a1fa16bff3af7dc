"""Retry statements that fail for want of a lock, within time limits."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from math import ceil

from reconciler.apply.run import Run, T
from reconciler.apply.session import POOLED
from reconciler.errors import ConnectionFailed, StatementFailed
from reconciler.plan.step import Step
from reconciler.server.connection import rows
from reconciler.server.locks import Blocker, Queue, holders, named, pauses, stronger
from reconciler.sql import spellings

DEADLOCK_CHECK_FRACTION = (
    0.75  # of deadlock_timeout, after which who waits looks whether it waits in a circle
)


MIN_LOCK_WAIT = 0.05  # seconds: long enough for who holds a lock for but a statement


LOCK_NOT_AVAILABLE = "55P03"


RETRIED = {
    LOCK_NOT_AVAILABLE: "a lock was not to be had",
    "40P01": "a deadlock",
    "40001": "a serialization failure",
}


def set_timeouts(run: Run, step: Step, tries: int = 4) -> None:
    """Set how long the next statement may wait and run, whatever the role or the database would have it."""
    step_timeouts(run, *statement_timeouts(run, step, tries))


def statement_timeouts(
    run: Run, step: Step, tries: int, held: float | None = None
) -> tuple[float, float]:
    """How many seconds a step may wait for its lock, and then run.

    The first tries wait but a fraction of what the later ones do: mostly that is enough, and nobody has to wait longer for us.
    Since it is `held` that a lock of the same transaction may have made others wait: it must be ours that ends before one of
    them looks for deadlocks, finds that we wait for it in turn, and is made to fail.
    """
    wait = 0.0 if step.long else run.patience.lock / 2 ** max(4 - tries, 0)
    if wait and held is not None:
        wait = max(
            min(wait, DEADLOCK_CHECK_FRACTION * run.suspicion - (time.monotonic() - held)),
            MIN_LOCK_WAIT,
        )
    last = (
        run.patience.statement + wait if step.quick and run.patience.statement else 0.0
    )  # to PostgreSQL, waiting is running
    return wait, last


def step_timeouts(run: Run, wait: float, last: float) -> None:
    """How many seconds each statement may wait for a lock, and run; 0 is without bound.

    Raises ConnectionFailed where that would be said to a session which is not ours.
    """
    words = "SELECT pg_backend_pid() AS pid, set_config('lock_timeout', %s, false), set_config('statement_timeout', %s, false)"
    if (
        rows(run.connection, words, [f"{ceil(wait * 1000)}", f"{ceil(last * 1000)}"])[0]["pid"]
        != run.pid
    ):
        raise ConnectionFailed(POOLED)


def with_retries(
    run: Run, group: Sequence[Step], work: Callable[[], T], *, check_queue_first: bool = True
) -> T:
    """Try, and try again after a pause that grows, while only a lock is in the way and the budget lasts.

    Behind a transaction that lasts nobody queues up; only what makes nobody wait need not be so polite.
    """
    check_queue_first = check_queue_first and not (group[0].fill or any(s.long for s in group))
    step, deadline = group[-1], time.monotonic() + run.patience.total
    queue = Queue(
        run.connection,
        _wanted(group) if check_queue_first else {},
        run.patience.lock,
        run.vacuums,
    )
    progress, waiting = partial(run.watcher.progress, step), partial(run.watcher.waiting, step)
    for pause in pauses():
        if ahead := queue.look() if check_queue_first else []:
            refused = StatementFailed(
                "a lock was not to be had",
                sqlstate=LOCK_NOT_AVAILABLE,
                detail=f"held by {named(ahead)}",
            )
        else:
            with run.monitor.looking(progress, waiting) as look:
                try:
                    return work()
                except StatementFailed as e:
                    if e.sqlstate not in RETRIED:
                        raise
                    met = look.blockers or holders(run.connection, _wanted(group))
                    queue.meet(met)
                    refused = _blamed(e, met)
        if time.monotonic() + pause > deadline:
            raise refused
        who = f": {refused.detail}" if refused.detail else ""
        run.watcher.waiting(step, f"{RETRIED[refused.sqlstate]}{who}; again in {pause:.1f} s")
        time.sleep(pause)
    raise AssertionError


def _blamed(failure: StatementFailed, met: Sequence[Blocker]) -> StatementFailed:
    """The failure with those who were in the way: as they were seen, or else who holds such locks now."""
    detail = f"held by {named(met)}" if met else failure.detail
    return StatementFailed(
        failure.message,
        sqlstate=failure.sqlstate,
        detail=detail,
        hint=failure.hint,
        sql=failure.sql,
    )


def _wanted(group: Sequence[Step]) -> dict[str, str]:
    found: dict[str, str] = {}
    for step in group:
        for spelled in (
            spellings(step.relation, step.schema_name) if step.relation and step.lock else ()
        ):
            found[spelled] = stronger(found.get(spelled, ""), step.lock)
    return found
