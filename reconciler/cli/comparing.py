"""Show differences from the declared state: the common part of `plan` and `drift`."""

from __future__ import annotations

import click

from reconciler import settings
from reconciler.cli.group import DIFFERENT, DONE
from reconciler.cli.options import OutputOptions
from reconciler.cli.output import print_notes
from reconciler.pipeline import Job
from reconciler.plan.saved import signed
from reconciler.recall.observed import observe
from reconciler.recall.remembered import Question, Result
from reconciler.report.formats import Subject


def compare(subject: Subject, job: Job, output: OutputOptions) -> int:
    """Show the differences, remember an empty result, and return the exit status."""
    question = click.get_current_context().find_object(Question)
    if question and (refusal := question.cache.refusal()):
        print_notes([refusal])
    observed = observe(job, question)
    changes = observed.plan
    shown = signed(changes, settings.plan_key()) if subject == "plan" else changes
    document = output.write(subject, shown)
    if question:
        result = Result(document, output.last_format)
        observed.remember(question, result, job)
    return DONE if changes.in_sync else DIFFERENT
