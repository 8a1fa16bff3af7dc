"""Run a plan: (Plan, target) → Outcome. One applier per database, short waits for locks, nothing blocked behind us."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial

from reconciler.apply.backfill import fill
from reconciler.apply.observer import Monitor
from reconciler.apply.outcome import NonRaisingWatcher, Outcome, StepOutcome, Watcher
from reconciler.apply.postcondition import Named, unmet
from reconciler.apply.retry import set_timeouts, statement_timeouts, step_timeouts, with_retries
from reconciler.apply.run import Run, T
from reconciler.apply.session import backend_pid, session_timeouts
from reconciler.errors import ConnectionFailed, Interrupted, StatementFailed
from reconciler.journal.journal import Journal
from reconciler.model.statement import Fill
from reconciler.plan.plan import Plan
from reconciler.plan.step import Step
from reconciler.server.connection import Connection, rows, run_sql
from reconciler.server.locks import LockPolicy

POLL_INTERVAL = 0.5  # seconds between two looks of the monitor
DUPLICATE = "42P07"
# An invalid index of that name, which a failed build has left, and whether another session is
# building it at this moment.
INVALID_INDEX = """
    SELECT EXISTS (SELECT FROM pg_stat_progress_create_index AS p
                   WHERE p.pid <> pg_backend_pid() AND p.datname = current_database()
                         AND coalesce(p.index_relid, i.indexrelid) = i.indexrelid) AS in_progress
    FROM pg_index AS i WHERE i.indexrelid = to_regclass(%s) AND NOT (i.indisvalid AND i.indisready)"""


def execute(
    plan: Plan,
    target: str,
    connection: Connection,
    watcher: Watcher,
    patience: LockPolicy,
    journal: Journal,
) -> Outcome:
    """Run every step whose prerequisites succeeded; what fails stops only what depends on it.

    `connection` comes from `sole_applier`. Raises ConnectionFailed where the connection breaks, and Interrupted on Ctrl-C,
    once the statement that ran is cancelled and cleared away.
    """
    pid = backend_pid(connection)
    with Monitor(target, pid, min(POLL_INTERVAL, patience.lock / 16)) as monitor:
        run = Run(
            plan,
            connection,
            pid,
            *session_timeouts(connection),
            patience,
            NonRaisingWatcher(watcher),
            monitor,
            journal,
            pending=list(plan.steps),
        )
        try:
            for group in plan.transactions():
                _group(run, group)
            _doubts(run)
            with suppress(
                StatementFailed
            ):  # the last step is done, whatever becomes of the connection
                step_timeouts(run, 0.0, 0.0)  # what is read next is bounded by nothing of ours
        except KeyboardInterrupt:
            raise Interrupted(_stopped(run)) from None
    return Outcome(tuple(run.outcomes), plan.unchanged, journal.run)


def _stopped(run: Run) -> str:
    done = sum(o.status == "done" for o in run.outcomes)
    at = f" in step {run.pending[0].id}" if run.pending else ""
    return f"stopped{at}: {done} of {len(run.plan.steps)} steps are done and stay done; run again to continue"


def _group(run: Run, group: Sequence[Step]) -> None:
    """Run the steps of one transaction, or the one step that has none."""
    own = {s.id for s in group}
    missing = {d for s in group for d in s.depends_on if d in run.broken and d not in own}
    if missing:
        first = min(missing)
        for step in group:
            _end(
                run,
                StepOutcome(
                    step, "skipped", attempts=0, error=f"waits for step {first}, which was not done"
                ),
            )
        return
    for step in group:
        run.watcher.started(step)
    began, tries = time.monotonic(), [0]

    def work() -> None:
        tries[0] += 1
        _commit(run, group, tries[0])

    try:
        if group[0].fill is not None:
            _fill(run, group[0], group[0].fill)
            tries[0] = 1
        else:
            with_retries(run, group, work)
    except StatementFailed as e:
        _alive(run, group, e)
        for step in group:
            blame = e.sql in ("", step.sql) or len(group) == 1 or step.fill is not None
            why = str(e) if blame else "rolled back with its transaction"
            _end(
                run,
                StepOutcome(
                    step, "failed" if blame else "skipped", time.monotonic() - began, tries[0], why
                ),
            )
        return
    wrong = _unmet(run, group)
    for step in group:
        why = wrong.get((step.kind, step.identity), "")
        _end(
            run,
            StepOutcome(step, "failed" if why else "done", time.monotonic() - began, tries[0], why),
        )


def _alive(run: Run, group: Sequence[Step], failure: StatementFailed) -> None:
    if run.connection.closed:
        raise ConnectionFailed(
            f"the connection broke at step {group[0].id}: {failure.message}; run again to continue"
        ) from failure


def _end(run: Run, outcome: StepOutcome) -> None:
    run.outcomes.append(outcome)
    run.pending = [s for s in run.pending if s.id != outcome.step.id]
    if outcome.status != "done":
        run.broken.add(outcome.step.id)
    _tell(run, outcome)


def _tell(run: Run, outcome: StepOutcome) -> None:
    run.watcher.ended(outcome)
    run.journal.step(
        run.connection,
        outcome.step.id,
        outcome.status,
        outcome.seconds,
        outcome.attempts,
        outcome.error or None,
    )


# -- what must hold afterwards -----------------------------------------------------------------------------------------


def _unmet(run: Run, group: Sequence[Step]) -> Mapping[Named, str]:
    """Why objects whose last step this was are not what was planned; doubts that later steps may mend are kept for the end."""
    own = {s.id for s in group}
    later = [s for s in run.pending if s.id not in own]
    unfinished = {(s.kind, s.identity) for s in later}
    ended = {(s.kind, s.identity) for s in group} - unfinished
    wrong = _looked(run, group, ended)
    relations = {(s.kind, s.identity): s.relation for s in group}
    busy = {s.relation for s in later} | {s.identity for s in later}
    run.doubtful |= {o for o in wrong if {relations[o], o[1]} & busy}
    return {
        o: f"it succeeded, but {o[0]} {o[1]} is not as planned: {why}"
        for o, why in wrong.items()
        if o not in run.doubtful
    }


def _doubts(run: Run) -> None:
    """What was not as planned when its own steps were done, and is not now: the last of them has failed after all."""
    if not run.doubtful:
        return
    wrong = dict(_looked(run, run.plan.steps[-1:], run.doubtful))
    for n, outcome in reversed([*enumerate(run.outcomes)]):
        why = wrong.pop((outcome.step.kind, outcome.step.identity), "")
        if why and outcome.status == "done":
            run.outcomes[n] = replace(outcome, status="failed", error=f"it succeeded, but {why}")
            run.broken.add(outcome.step.id)
            _tell(run, run.outcomes[n])


def _looked(run: Run, group: Sequence[Step], objects: Collection[Named]) -> Mapping[Named, str]:
    """Why objects are not what was planned; whoever locks what must be read to tell is waited for, like by any step."""

    def work() -> Mapping[Named, str]:
        step_timeouts(run, run.patience.lock / 4, 0.0)  # it holds what it has read already
        return unmet(run.connection, run.plan, objects)

    try:
        return with_retries(run, group, work, check_queue_first=False)
    except StatementFailed as e:
        _alive(run, group, e)
        return dict.fromkeys(objects, f"it could not be read: {e}")


# -- one try, and the next ---------------------------------------------------------------------------------------------


def _fill(run: Run, step: Step, spec: Fill) -> None:
    """Fill in batches; the journal's schema keeps the place, where there is a journal."""

    def attempt(batch: Callable[[], T]) -> T:
        set_timeouts(run, step)
        done = with_retries(run, [step], batch)
        step_timeouts(run, 0.0, 0.0)
        return done

    progress = partial(run.watcher.progress, step)
    step_timeouts(
        run, 0.0, 0.0
    )  # what is read beside the batches waits as long as it takes: nobody has to wait behind it
    fill(run.connection, spec, attempt, progress, journal=run.journal.schema or None)


def _commit(run: Run, group: Sequence[Step], tries: int) -> None:
    connection = run.connection
    if not group[0].transaction:
        if tries > 1:  # what the last try left may have been held until now
            _clean_up(run, group[0])
        set_timeouts(run, group[0], tries)
        try:
            run_sql(connection, group[0].sql)
        except StatementFailed as e:
            if e.sqlstate != DUPLICATE:  # what stands there under that name is not ours
                _clean_up(run, group[0])
            raise
        except KeyboardInterrupt:  # the driver has cancelled the statement
            _clean_up(run, group[0])
            raise
        return
    held: float | None = None
    bounds: tuple[float, float] | None = None
    with connection.transaction():
        for step in group:
            if (
                wanted := statement_timeouts(run, step, tries, held)
            ) != bounds:  # locks are held by now: no word more than must be
                step_timeouts(run, *wanted)
            bounds, began = wanted, time.monotonic()
            run_sql(connection, step.sql)
            held = began if held is None and step.lock else held


def _clean_up(run: Run, step: Step) -> None:
    """Remove what a failed attempt left; what cannot be removed is a leftover for the next plan."""
    if run.connection.closed:
        return
    try:
        step_timeouts(run, run.patience.lock, 0.0)
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
    """Return whether there is an invalid index of this name that nobody else is building."""
    found = rows(run.connection, INVALID_INDEX, [index])
    return bool(found) and not found[0]["in_progress"]
