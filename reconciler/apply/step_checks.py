"""Check the effect of executed steps on objects."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from reconciler.apply.postcondition import Named, unmet
from reconciler.apply.retry import assert_connected, step_timeouts, with_retries
from reconciler.apply.run import Run
from reconciler.errors import StatementFailed
from reconciler.plan.step import Step, objects_of


def failed_checks(run: Run, group: Sequence[Step]) -> Mapping[Named, str]:
    """Return why objects with the last step in the group are not in the planned state.

    An object is deferred to the end if pending steps concern its table or its dependents.
    """
    own = {s.id for s in group}
    later = [s for s in run.pending if s.id not in own]
    finished = objects_of(group) - objects_of(later)
    reasons = _read_reasons(run, group, finished)
    relations = {o: s.relation for s in group for o in s.objects}
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
