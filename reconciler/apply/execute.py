"""Execute the steps of a plan, transaction by transaction."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import TypeVar

from reconciler.apply.at_once import batches, execute_at_once
from reconciler.apply.backfill import fill
from reconciler.apply.builds import assert_left_over, index_state
from reconciler.apply.concurrent import done_by_another_run
from reconciler.apply.grants import with_remedy
from reconciler.apply.lost import record_lost, timeline, transaction_id
from reconciler.apply.observer import Monitor
from reconciler.apply.outcome import NonRaisingWatcher, Outcome, StepOutcome, Watcher
from reconciler.apply.retry import (
    no_timeouts,
    set_timeouts,
    statement_timeouts,
    step_timeouts,
    with_retries,
)
from reconciler.apply.run import Executed, Run
from reconciler.apply.send import send, send_elsewhere
from reconciler.apply.session import backend_pid, idle_limits, session_timeouts
from reconciler.apply.step_checks import check_before, check_deferred, check_executed
from reconciler.apply.withdraw import withdraw_temporary
from reconciler.counted import agreeing, counted
from reconciler.errors import Interrupted, StatementFailed
from reconciler.journal.journal import Journal
from reconciler.model.statement import Fill
from reconciler.plan.plan import Plan
from reconciler.plan.step import Step
from reconciler.server.connection import Connection, run_sql, translated
from reconciler.server.locks import LockPolicy
from reconciler.server.parameters import SEARCH_PATH

T = TypeVar("T")
POLL_INTERVAL = 0.5  # seconds between two observations
DUPLICATE_TABLE = "42P07"  # also of indexes


def execute(
    plan: Plan,
    target: str,
    connection: Connection,
    watcher: Watcher,
    policy: LockPolicy,
    journal: Journal,
) -> Outcome:
    """Execute every step with successful prerequisites; a failure stops only dependent steps.

    `connection` is from `sole_applier`. Raises ConnectionFailed if the connection breaks, and
    Interrupted on Ctrl-C, after the current statement was cancelled and cleaned up.
    """
    pid = backend_pid(connection)
    deadlock_timeout, autovacuum_grace = session_timeouts(connection)
    with Monitor(target, connection, pid, min(POLL_INTERVAL, policy.lock / 16)) as monitor:
        run = Run(
            plan=plan,
            target=target,
            connection=connection,
            pid=pid,
            timeline=timeline(connection),
            deadlock_timeout=deadlock_timeout,
            autovacuum_grace=autovacuum_grace,
            idle_limits=idle_limits(connection),
            policy=policy,
            watcher=NonRaisingWatcher(watcher),
            monitor=monitor,
            journal=journal,
            pending=list(plan.steps),
        )
        connection.add_notice_handler(run.hear)
        try:
            for batch in batches(run):
                if not execute_at_once(run, batch):
                    for group in batch.groups:
                        _execute_group(run, group)
            check_executed(run)
            withdraw_temporary(run)
            check_deferred(run)
            with suppress(StatementFailed):  # all steps are done, even if the connection breaks
                no_timeouts(run)
        except KeyboardInterrupt:
            run.end_unchecked()
            withdraw_temporary(run)
            raise Interrupted(_interrupted(run)) from None
        finally:
            run.end_unchecked()
    return Outcome(tuple(run.outcomes), plan.unchanged, plan.changes, journal.run)


def _interrupted(run: Run) -> str:
    done = sum(o.status == "done" for o in run.outcomes)
    step = f" in step {run.pending[0].id}" if run.pending else ""
    return (
        f"stopped{step}: {done} of {counted(len(run.plan.steps), 'step')}"
        f" {agreeing(done, 'is done and stays', 'are done and stay')} done; "
        "run again to continue"
    )


# -- one transaction -------------------------------------------------------------------------------


def _execute_group(run: Run, group: Sequence[Step]) -> None:
    """Execute the steps of a transaction, or a single step outside a transaction block."""
    check_before(run, group)
    missing = _missing_prerequisites(run, group)
    if missing:
        reason = f"waits for step {min(missing)}, which was not done"
        run.end(*(StepOutcome(s, "skipped", attempts=0, error=reason) for s in group))
        return
    for step in group:
        run.watcher.started(step)
    began, attempts = time.monotonic(), _Attempts(run, group)
    try:
        attempts.execute()
    except StatementFailed as e:
        if run.connection.closed:
            raise record_lost(run, group, e) from e
        if done_by_another_run(group, e):
            run.executed(Executed(group, attempts.seconds(began), attempts.count))
            return
        seconds = attempts.seconds(began)
        check_executed(run)
        failure = with_remedy(e, run.connection)
        run.end(*(_failure(s, group, failure, seconds, attempts.count) for s in group))
        return
    run.executed(Executed(group, attempts.seconds(began), attempts.count))


def _missing_prerequisites(run: Run, group: Sequence[Step]) -> set[str]:
    """Return the ids of failed or skipped prerequisites of the group."""
    own = {s.id for s in group}
    return {d for s in group for d in s.depends_on if d in run.broken} - own


def _failure(
    step: Step,
    group: Sequence[Step],
    failure: StatementFailed,
    seconds: Mapping[str, float],
    attempts: int,
) -> StepOutcome:
    """Return the outcome of a step of a failed transaction: failed itself, or rolled back."""
    failed, own = failure.sql in ("", step.sql) or len(group) == 1, seconds.get(step.id, 0.0)
    if failed:
        return StepOutcome(step, "failed", own, attempts, str(failure))
    return StepOutcome(step, "skipped", own, attempts, "rolled back with its transaction")


class _Attempts:
    """The attempts at a transaction; `count` is the number so far."""

    def __init__(self, run: Run, group: Sequence[Step]) -> None:
        self._run, self._group = run, group
        self.count = 0
        self._seconds: dict[str, float] = {}

    def seconds(self, began: float) -> Mapping[str, float]:
        """Return the seconds of each step: of a single one, all since `began`, with the waits."""
        if len(self._group) == 1:
            return {self._group[0].id: time.monotonic() - began}
        return self._seconds

    def execute(self) -> None:
        """Execute the steps, with retries."""
        first = self._group[0]
        with _search_path_of(self._run, first):
            if first.fill is not None:
                self._run.transaction = ""
                _backfill(self._run, first, first.fill)
                self.count = 1
            else:
                with_retries(self._run, self._group, self._once)

    def _once(self) -> None:
        self.count += 1
        if self.count > 1:
            check_executed(self._run)
        self._run.transaction = ""
        if self._group[0].database:
            send_elsewhere(self._run.target, self._run.policy, self._group[0])
        elif self._group[0].transaction:
            self._seconds = {}
            _execute_transaction(self._run, self._group, self.count, self._seconds)
        else:
            _execute_alone(self._run, self._group[0], self.count)


@contextmanager
def _search_path_of(run: Run, step: Step) -> Generator[None]:
    """Set the search_path of a step; afterwards the session has its own again."""
    run.search_path = step.search_path or SEARCH_PATH
    try:
        yield
    finally:
        if run.search_path != SEARCH_PATH:
            run.search_path = SEARCH_PATH
            with suppress(StatementFailed):
                no_timeouts(run)


def _backfill(run: Run, step: Step, spec: Fill) -> None:
    """Fill a column in batches, with retries for each; the journal keeps the position."""

    def execute_batch(batch: Callable[[], T]) -> T:
        set_timeouts(run, step)
        result = with_retries(run, [step], batch)
        no_timeouts(run)
        return result

    no_timeouts(run)  # queries between batches hold no lock for which others wait
    progress = partial(run.watcher.progress, step)
    journal = run.journal.place.schema if run.journal.place else None
    fill(run.connection, spec, execute_batch, progress, journal=journal)


def _execute_alone(run: Run, step: Step, attempt: int) -> None:
    """Execute a step outside a transaction block, and clean up after a failure."""
    if attempt > 1:  # the previous clean-up may itself have failed for want of a lock
        _clean_up(run, step)
    if step.drops_leftover:
        waiting = partial(run.watcher.waiting, step)
        assert_left_over(run.connection, step.index, run.policy, waiting)
    set_timeouts(run, step, attempt)
    try:
        send(run.connection, step)
    except StatementFailed as e:
        if e.sqlstate != DUPLICATE_TABLE:  # then the object of that name is not ours
            _clean_up(run, step)
        raise
    except KeyboardInterrupt:  # psycopg has cancelled the statement
        _clean_up(run, step)
        raise


def _execute_transaction(
    run: Run, group: Sequence[Step], attempt: int, seconds: dict[str, float]
) -> None:
    """Execute the steps in a single transaction, and put down the seconds of each."""
    locked_since: float | None = None
    timeouts: tuple[float, float, str] | None = None
    with translated(), run.connection.transaction():
        run.transaction = transaction_id(run.connection)
        for step in group:
            run.search_path = step.search_path or SEARCH_PATH
            lock, statement = statement_timeouts(run, step, attempt, locked_since)
            needed = lock, statement, run.search_path
            if needed != timeouts:  # no round trip more than necessary while locks are held
                step_timeouts(run, lock, statement)
            timeouts, began = needed, time.monotonic()
            try:
                send(run.connection, step)
            finally:
                seconds[step.id] = time.monotonic() - began
            if locked_since is None and step.lock:
                locked_since = began


# -- after a failure -------------------------------------------------------------------------------


def _clean_up(run: Run, step: Step) -> None:
    """Remove objects left by a failed attempt; the next plan handles leftovers of the clean-up."""
    if run.connection.closed:
        return
    try:
        step_timeouts(run, run.policy.lock, 0.0)
        if step.builds_index and not _left_invalid(run, step.index):
            return
        for sql in step.cleanup:
            run_sql(run.connection, sql)
    except StatementFailed as e:
        run.watcher.notice(
            f"what step {step.id} left could not be cleared away ({e.message}); "
            f"the next run does it: {'; '.join(step.cleanup)}"
        )


def _left_invalid(run: Run, index: str) -> bool:
    """Return whether an invalid index of the name exists, and no session is building the index."""
    state = index_state(run.connection, index)
    return state is not None and not state.valid and state.builder is None
