"""Check the effect of executed steps on objects."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from reconciler.apply.postcondition import Named, unmet
from reconciler.apply.retry import assert_connected, step_timeouts, with_retries
from reconciler.apply.run import Run
from reconciler.errors import StatementFailed
from reconciler.plan.step import Step, objects_of

MAX_DELAY = 0.5  # seconds between the end of a transaction and the check of its objects
PATIENCE = 10  # times the seconds of the last check, if that is longer: it reads whole catalogs


def check_before(run: Run, group: Sequence[Step]) -> None:
    """Check executed transactions, if the group must not run before that.

    A check of many transactions costs little more than that of one: while short steps create
    objects, it waits for up to MAX_DELAY, or for PATIENCE times what the last one took. All other
    steps run on checked prerequisites only.
    """
    if not run.unchecked:
        return
    delay = max(MAX_DELAY, PATIENCE * run.check_seconds)
    late = time.monotonic() - run.unchecked[0].ended > delay
    if late or not all(only_creates(step) for step in group):
        check_executed(run)


def only_creates(step: Step) -> bool:
    """Return whether the step creates an object in short time and without a hazard."""
    short = bool(step.transaction) and step.fill is None and not step.long
    return step.action == "create" and short and not step.hazards


def check_executed(run: Run) -> None:
    """Check the objects of executed transactions, and end their steps."""
    unchecked = run.unchecked
    if not unchecked:
        return
    steps, began = [step for e in unchecked for step in e.group], time.monotonic()
    reasons = _failed_checks(run, steps)
    run.unchecked = []
    errors = {s.id: "; ".join(reasons[o] for o in s.objects if o in reasons) for s in steps}
    run.end(*(e.outcome(step, errors[step.id]) for e in unchecked for step in e.group))
    run.check_seconds = time.monotonic() - began


def _failed_checks(run: Run, steps: Sequence[Step]) -> Mapping[Named, str]:
    """Return why objects with their last step among the steps are not in the planned state.

    An object is deferred to the end if pending steps concern its table or its dependents.
    """
    own = {s.id for s in steps}
    later = [s for s in run.pending if s.id not in own]
    finished = objects_of(steps) - objects_of(later)
    reasons = _read_reasons(run, steps, finished)
    relations = {o: s.relation for s in steps for o in s.objects}
    pending = {s.relation for s in later} | {s.identity for s in later}
    run.deferred |= {o for o in reasons if {relations[o], o[1]} & pending}
    return {
        o: f"it succeeded, but {o[0]} {o[1]} is not as planned: {reason}"
        for o, reason in reasons.items()
        if o not in run.deferred
    }


def check_deferred(run: Run) -> None:
    """Turn the last step of each deferred object into a failure if the object is not as planned."""
    if not run.deferred:
        return
    reasons = dict(_read_reasons(run, run.plan.steps[-1:], run.deferred))
    for n, outcome in reversed([*enumerate(run.outcomes)]):
        found = [reasons.pop(o) for o in outcome.step.objects if o in reasons]
        reason = "; ".join(filter(None, found))
        if reason and outcome.status == "done":
            failed = replace(outcome, status="failed", error=f"it succeeded, but {reason}")
            run.outcomes[n] = failed
            run.broken.add(outcome.step.id)
            run.report(failed)


def _read_reasons(
    run: Run, group: Sequence[Step], objects: Collection[Named]
) -> Mapping[Named, str]:
    """Read objects, with retries, and return why each is not in the planned state."""

    def read() -> Mapping[Named, str]:
        # A transaction keeps the locks on catalogs and relations read before a lock wait.
        step_timeouts(run, run.policy.lock / 4, 0.0)
        return unmet(run.connection, run.plan, objects)

    try:
        return with_retries(run, group, read, check_queue_first=False)
    except StatementFailed as e:
        assert_connected(run, group, e)
        return dict.fromkeys(objects, f"it could not be read: {e}")
