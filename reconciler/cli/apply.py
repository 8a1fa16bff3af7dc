"""The command `apply`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from reconciler import pipeline, settings
from reconciler.apply.permissions import Permitting
from reconciler.checks.session import Terms
from reconciler.cli.check_options import CheckOptions, check_options
from reconciler.cli.execution_options import ExecutionOptions, execution_options
from reconciler.cli.fleet import finish, roll_out
from reconciler.cli.fleet_options import Several, new_name, several_options
from reconciler.cli.group import DIFFERENT, ERROR, main
from reconciler.cli.job import make_job
from reconciler.cli.options import DeclarationOptions, files_options
from reconciler.cli.output import confirmed_unvouched, print_notes
from reconciler.cli.output_options import OutputOptions, output_options
from reconciler.cli.permitting import read_allowed
from reconciler.cli.running import run_plan, show_plan
from reconciler.cli.saved import SavedPlan, read_plan
from reconciler.cli.target_work import Work
from reconciler.errors import SettingsError
from reconciler.server.redaction import redacted

NOT_CHECKED = (
    "--check looked at nothing on the target: give the YAML files by --state, sign the plan, or say"
    " --allow all"
)


@main.command()
@click.argument(
    "saved",
    metavar="[PLAN.json]",
    required=False,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
)
@several_options(rolling=True)
@files_options
@execution_options
@check_options
@output_options("rollout")
def apply(
    saved: Path | None,
    several: Several,
    declaration: DeclarationOptions,
    execution: ExecutionOptions,
    checks: CheckOptions,
    output: OutputOptions,
) -> int:
    """Change the database to the declared state, or run a saved plan.

    The plan is shown first, and run after a confirmation. PLAN.json is the output of `reconcile
    plan --format json`; the plan is refused if the database has changed since. If the YAML files
    are at hand (--state, else the folder of reconcile.yml or desired_state), they are planned
    again, with the same --schema and --prune as before: the plan is refused unless that gives the
    same steps and hazards. If RECONCILE_PLAN_KEY is set, a plan that was saved without the same key
    is refused. With neither, nobody vouches for the plan: it is run after a yes on a terminal, or
    with --allow all.

    Checks with `apply: before` must pass before the first step; those with `apply: after` are run
    after the last one. Exit status: 0 all done, 1 an error, 2 such a check did not pass.

    Several targets are all planned first, identical plans are shown once, and a yes is asked for
    once. Then they are changed in batches, a canary first, on which all declared checks must pass.
    A target that is down or locked is tried once more at the end. --format and --out write what
    became of each. The exit status is the worst.
    """
    if several:
        if saved:
            raise SettingsError("a saved plan is for one target")
        rollout = several.rolling.rollout or new_name()
        work = replace(Work.of("apply", declaration, execution, checks), rollout=rollout)
        report = roll_out(work, several)
        return finish(report, several, output)
    output.assert_unused("apply")
    declaration = replace(declaration, target=several.targets.alone)
    if saved:
        of_file = SavedPlan(read_plan(saved), saved, declaration, execution)
        return _apply_saved(of_file, checks.terms(None))
    allowed = read_allowed(execution.allow, declaration.state)
    job, target = make_job(declaration, execution)
    permitting = Permitting(allowed, execution.place(target))
    job = replace(job, permitting=permitting)
    changes = pipeline.plan_changes(job)
    show_plan(changes, execution)
    terms = checks.terms(job.declaration)
    return run_plan(changes, job, target, execution, terms, permitting)


def _apply_saved(saved: SavedPlan, terms: Terms) -> int:
    """Run a saved plan; one that nobody vouches for only with a yes on a terminal, or by flag.

    The checks before the first step use SQL of the plan, so --check does not make them either.
    """
    execution = saved.execution
    configured = settings.resolve_target(settings.read(), saved.declaration.target)
    target = execution.override(configured).with_variables(saved.declaration.values())
    allowed = read_allowed(execution.allow, saved.declaration.state)
    permitting = Permitting(allowed, execution.place(target))
    shown = saved.plan.model_copy(update={"target": redacted(target.url)})
    shown = pipeline.with_permissions(shown, target.url, permitting, target.lock_policy.session)
    show_plan(shown, execution)
    plan, why = saved.vouched(target)
    if why:
        print_notes([why])
        is_asked = bool(plan.steps) and "all" not in execution.allow
        if is_asked and execution.check:
            print_notes([NOT_CHECKED])
            return DIFFERENT
        if is_asked:
            if not confirmed_unvouched(shown):
                return ERROR
            execution = replace(execution, yes=True)
    plan = plan.model_copy(update={"permissions": shown.permissions})
    return run_plan(plan, None, target, execution, terms, permitting)
