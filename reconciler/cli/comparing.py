"""Show the plan towards the declared state."""

from __future__ import annotations

from reconciler import settings
from reconciler.cli.group import DIFFERENT, DONE
from reconciler.cli.output import print_notes
from reconciler.cli.output_options import OutputOptions
from reconciler.pipeline import Job
from reconciler.plan.saved import signed
from reconciler.recall.ahead import Ahead
from reconciler.recall.observed import observe, plan_alone
from reconciler.recall.remembered import Result


def compare(job: Job, ahead: Ahead, output: OutputOptions) -> int:
    """Show the differences, remember an empty result, and return the exit status."""
    question = ahead.question
    if question and (refusal := question.cache.refusal()):
        print_notes([refusal])
    observed = observe(job, ahead, plan_alone)
    changes = observed.plan
    document = output.write("plan", signed(changes, settings.plan_key()))
    if question:
        result = Result(document, output.last_format)
        observed.remember(question, result, job)
    return DONE if changes.in_sync else DIFFERENT
