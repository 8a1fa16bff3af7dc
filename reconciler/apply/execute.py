"""Run a plan: (Plan, target) → Outcome. One applier per database, short waits for locks, nothing blocked behind us."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial

from reconciler.apply.backfill import fill
from reconciler.apply.observer import Monitor
from reconciler.apply.outcome import Outcome, StepOutcome, Unheard, Watcher
from reconciler.apply.postcondition import Named, unmet
from reconciler.apply.retry import set_timeouts, statement_timeouts, step_timeouts, with_retries
from reconciler.apply.run import Run, T
from reconciler.apply.session import backend_pid, session_timeouts
from reconciler.errors import ConnectionFailed, Interrupted, StatementFailed
from reconciler.journal.journal import Journal
from reconciler.model.statement import Fill
from reconciler.plan.plan import Plan
from reconciler.plan.step import Step
from reconciler.server.connection import Connection, rows, run
from reconciler.server.locks import Patience

EVERY = 0.5  # seconds between two looks of the monitor
DUPLICATE = "42P07"
BUILT = "DROP INDEX CONCURRENTLY IF EXISTS "
# An index of that name that a build of ours may have left: not a sound one, nor one that somebody else is at.
LEFT = """
    SELECT EXISTS (SELECT FROM pg_stat_progress_create_index AS p
                   WHERE p.pid <> pg_backend_pid() AND p.datname = current_database()
                         AND coalesce(p.index_relid, i.indexrelid) = i.indexrelid) AS theirs
    FROM pg_index AS i WHERE i.indexrelid = to_regclass(%s) AND NOT (i.indisvalid AND i.indisready)"""


def execute(
    plan: Plan,
    target: str,
    connection: Connection,
    watcher: Watcher,
    patience: Patience,
    journal: Journal,
) -> Outcome:
    """Run every step whose prerequisites succeeded; what fails stops only what depends on it.

    `connection` comes from `sole_applier`. Raises ConnectionFailed where the connection breaks, and Interrupted on Ctrl-C,
    once the statement that ran is cancelled and cleared away.
    """
    pid = backend_pid(connection)
    with Monitor(target, pid, min(EVERY, patience.lock / 16)) as monitor:
        going = Run(
            plan,
            connection,
            pid,
            *session_timeouts(connection),
            patience,
            Unheard(watcher),
            monitor,
            journal,
            pending=list(plan.steps),
        )
        try:
            for group in plan.transactions():
                _group(going, group)
            _doubts(going)
            with suppress(
                StatementFailed
            ):  # the last step is done, whatever becomes of the connection
                step_timeouts(going, 0.0, 0.0)  # what is read next is bounded by nothing of ours
        except KeyboardInterrupt:
            raise Interrupted(_stopped(going)) from None
    return Outcome(tuple(going.outcomes), plan.unchanged, journal.run)


def _stopped(going: Run) -> str:
    done = sum(o.status == "done" for o in going.outcomes)
    at = f" in step {going.pending[0].id}" if going.pending else ""
    return f"stopped{at}: {done} of {len(going.plan.steps)} steps are done and stay done; run again to continue"


def _group(going: Run, group: Sequence[Step]) -> None:
    """Run the steps of one transaction, or the one step that has none."""
    own = {s.id for s in group}
    missing = {d for s in group for d in s.depends_on if d in going.broken and d not in own}
    if missing:
        first = min(missing)
        for step in group:
            _end(
                going,
                StepOutcome(
                    step, "skipped", attempts=0, error=f"waits for step {first}, which was not done"
                ),
            )
        return
    for step in group:
        going.watcher.started(step)
    began, tries = time.monotonic(), [0]

    def work() -> None:
        tries[0] += 1
        _commit(going, group, tries[0])

    try:
        if group[0].fill is not None:
            _fill(going, group[0], group[0].fill)
            tries[0] = 1
        else:
            with_retries(going, group, work)
    except StatementFailed as e:
        _alive(going, group, e)
        for step in group:
            blame = e.sql in ("", step.sql) or len(group) == 1 or step.fill is not None
            why = str(e) if blame else "rolled back with its transaction"
            _end(
                going,
                StepOutcome(
                    step, "failed" if blame else "skipped", time.monotonic() - began, tries[0], why
                ),
            )
        return
    wrong = _unmet(going, group)
    for step in group:
        why = wrong.get((step.kind, step.identity), "")
        _end(
            going,
            StepOutcome(step, "failed" if why else "done", time.monotonic() - began, tries[0], why),
        )


def _alive(going: Run, group: Sequence[Step], failure: StatementFailed) -> None:
    if going.connection.closed:
        raise ConnectionFailed(
            f"the connection broke at step {group[0].id}: {failure.message}; run again to continue"
        ) from failure


def _end(going: Run, outcome: StepOutcome) -> None:
    going.outcomes.append(outcome)
    going.pending = [s for s in going.pending if s.id != outcome.step.id]
    if outcome.status != "done":
        going.broken.add(outcome.step.id)
    _tell(going, outcome)


def _tell(going: Run, outcome: StepOutcome) -> None:
    going.watcher.ended(outcome)
    going.journal.step(
        going.connection,
        outcome.step.id,
        outcome.status,
        outcome.seconds,
        outcome.attempts,
        outcome.error or None,
    )


# -- what must hold afterwards -----------------------------------------------------------------------------------------


def _unmet(going: Run, group: Sequence[Step]) -> Mapping[Named, str]:
    """Why objects whose last step this was are not what was planned; doubts that later steps may mend are kept for the end."""
    own = {s.id for s in group}
    later = [s for s in going.pending if s.id not in own]
    unfinished = {(s.kind, s.identity) for s in later}
    ended = {(s.kind, s.identity) for s in group} - unfinished
    wrong = _looked(going, group, ended)
    relations = {(s.kind, s.identity): s.relation for s in group}
    busy = {s.relation for s in later} | {s.identity for s in later}
    going.doubtful |= {o for o in wrong if {relations[o], o[1]} & busy}
    return {
        o: f"it succeeded, but {o[0]} {o[1]} is not as planned: {why}"
        for o, why in wrong.items()
        if o not in going.doubtful
    }


def _doubts(going: Run) -> None:
    """What was not as planned when its own steps were done, and is not now: the last of them has failed after all."""
    if not going.doubtful:
        return
    wrong = dict(_looked(going, going.plan.steps[-1:], going.doubtful))
    for n, outcome in reversed([*enumerate(going.outcomes)]):
        why = wrong.pop((outcome.step.kind, outcome.step.identity), "")
        if why and outcome.status == "done":
            going.outcomes[n] = replace(outcome, status="failed", error=f"it succeeded, but {why}")
            going.broken.add(outcome.step.id)
            _tell(going, going.outcomes[n])


def _looked(going: Run, group: Sequence[Step], objects: Collection[Named]) -> Mapping[Named, str]:
    """Why objects are not what was planned; whoever locks what must be read to tell is waited for, like by any step."""

    def work() -> Mapping[Named, str]:
        step_timeouts(going, going.patience.lock / 4, 0.0)  # it holds what it has read already
        return unmet(going.connection, going.plan, objects)

    try:
        return with_retries(going, group, work, politely=False)
    except StatementFailed as e:
        _alive(going, group, e)
        return dict.fromkeys(objects, f"it could not be read: {e}")


# -- one try, and the next ---------------------------------------------------------------------------------------------


def _fill(going: Run, step: Step, spec: Fill) -> None:
    """Fill in batches; the journal's schema keeps the place, where there is a journal."""

    def attempt(batch: Callable[[], T]) -> T:
        set_timeouts(going, step)
        done = with_retries(going, [step], batch)
        step_timeouts(going, 0.0, 0.0)
        return done

    progress = partial(going.watcher.progress, step)
    step_timeouts(
        going, 0.0, 0.0
    )  # what is read beside the batches waits as long as it takes: nobody has to wait behind it
    fill(going.connection, spec, attempt, progress, journal=going.journal.schema or None)


def _commit(going: Run, group: Sequence[Step], tries: int) -> None:
    connection = going.connection
    if not group[0].transaction:
        if tries > 1:  # what the last try left may have been held until now
            _mend(going, group[0])
        set_timeouts(going, group[0], tries)
        try:
            run(connection, group[0].sql)
        except StatementFailed as e:
            if e.sqlstate != DUPLICATE:  # what stands there under that name is not ours
                _mend(going, group[0])
            raise
        except KeyboardInterrupt:  # the driver has cancelled the statement
            _mend(going, group[0])
            raise
        return
    held: float | None = None
    bounds: tuple[float, float] | None = None
    with connection.transaction():
        for step in group:
            if (
                wanted := statement_timeouts(going, step, tries, held)
            ) != bounds:  # locks are held by now: no word more than must be
                step_timeouts(going, *wanted)
            bounds, began = wanted, time.monotonic()
            run(connection, step.sql)
            held = began if held is None and step.lock else held


def _mend(going: Run, step: Step) -> None:
    """Clear what a failed try left; what cannot be cleared now is found as a leftover by the next plan."""
    if going.connection.closed:
        return
    try:
        step_timeouts(going, going.patience.lock, 0.0)
        for sql in step.mend:
            left = (
                rows(going.connection, LEFT, [sql.removeprefix(BUILT)])
                if sql.startswith(BUILT)
                else [{"theirs": False}]
            )
            if left and not left[0]["theirs"]:
                run(going.connection, sql)
    except StatementFailed as e:
        going.watcher.noticed(
            f"what step {step.id} left could not be cleared away ({e.message}); the next run does it: {'; '.join(step.mend)}"
        )
