"""Take back what steps have made for later steps, if these were not done."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.apply.retry import step_timeouts, with_retries
from reconciler.apply.run import Run
from reconciler.errors import StatementFailed
from reconciler.plan.step import Step
from reconciler.server.connection import run_sql


def withdraw_temporary(run: Run) -> None:
    """Run the undo of temporary steps without the steps for which they were done."""
    if run.connection.closed:
        return
    for step in _useless(run):
        try:
            with_retries(run, [step], lambda step=step: _undo(run, step))
        except StatementFailed as e:
            run.watcher.notice(
                f"what step {step.id} made could not be taken back ({e.message}); "
                f"the next run does it: {'; '.join(step.undo)}"
            )


def _useless(run: Run) -> Iterator[Step]:
    """Yield temporary steps that are done, while later steps on the object are not."""
    done = {o.step.id for o in run.outcomes if o.status == "done"}
    for place, step in enumerate(run.plan.steps):
        if step.temporary and step.id in done:
            later = (s for s in run.plan.steps[place + 1 :] if _same_object(s, step))
            if not all(s.id in done for s in later):
                yield step


def _same_object(one: Step, other: Step) -> bool:
    return (one.kind, one.identity) == (other.kind, other.identity)


def _undo(run: Run, step: Step) -> None:
    step_timeouts(run, run.policy.lock, 0.0)
    for sql in step.undo:
        run_sql(run.connection, sql)
