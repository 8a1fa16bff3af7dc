"""Run a plan: the common part of `apply` and `rollback`."""

from __future__ import annotations

from reconciler import pipeline
from reconciler.apply.permissions import Permitting, hazard_refusals, needed_permissions
from reconciler.checks.attached import AttachedChecks
from reconciler.checks.session import Terms
from reconciler.cli.execution_options import ExecutionOptions
from reconciler.cli.group import DIFFERENT, DONE, ERROR
from reconciler.cli.output import confirmed, print_notes, print_recap, print_report, watch_progress
from reconciler.errors import PlanRefused
from reconciler.pipeline import Job
from reconciler.plan.permission import FILE
from reconciler.plan.plan import Plan
from reconciler.report import text
from reconciler.settings import ResolvedTarget


def run_plan(
    plan: Plan,
    job: Job | None,
    target: ResolvedTarget,
    execution: ExecutionOptions,
    terms: Terms,
    permitting: Permitting,
) -> int:
    """Run a plan, after the hazard check and a confirmation; return the exit status.

    The plan has its permissions, and is asked for them again before the first step.
    """
    _require_permissions(plan)
    policy, allow, journal = target.lock_policy, permitting.allowed, permitting.journal
    checks = AttachedChecks.of(plan.checks if plan.steps else (), target.url, terms)
    if execution.check:
        checks.assert_before()
        print_notes(pipeline.check_plan(plan, target.url, policy, allow, journal))
        return DONE if plan.in_sync else DIFFERENT
    if plan.steps and not execution.yes and not confirmed(plan):
        return ERROR
    checks.assert_before()
    with watch_progress(quiet=execution.quiet, verbose=execution.verbose) as watcher:
        outcome = pipeline.apply_plan(plan, job, target.url, watcher, policy, allow, journal)
    print_recap(text.recap(outcome))
    if outcome.failed or outcome.skipped or outcome.left or outcome.unseen:
        return ERROR
    results = checks.run("after")
    print_report(text.checks_after(results), stderr=True)
    return DONE if all(result.passed for result in results) else DIFFERENT


def show_plan(plan: Plan, execution: ExecutionOptions) -> None:
    """Show a plan on stderr; with --quiet only where somebody is asked, or --check shows it."""
    if not execution.quiet or execution.check or not execution.yes:
        print_report(text.plan(plan), stderr=True)


def _require_permissions(plan: Plan) -> None:
    """Raise PlanRefused for hazards that nothing lets through."""
    notes = [note for note in plan.notes if note.startswith(FILE)]
    if refusals := hazard_refusals(needed_permissions(plan), notes):
        raise PlanRefused("\n".join(refusals))
