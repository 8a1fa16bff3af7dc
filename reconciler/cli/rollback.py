"""The command `rollback`."""

from __future__ import annotations

from dataclasses import replace

import click

from reconciler import pipeline, settings
from reconciler.apply.permissions import Permitting
from reconciler.checks.session import Terms
from reconciler.cli.execution_options import ExecutionOptions, execution_options
from reconciler.cli.fleet import check_formats, finish, last_rollout, roll_out
from reconciler.cli.fleet_options import Several, new_name, several_options
from reconciler.cli.group import main
from reconciler.cli.options import (
    NO_FILES,
    DeclarationOptions,
    run_argument,
    scratch_option,
    variable_of,
)
from reconciler.cli.output_options import OutputOptions, output_options
from reconciler.cli.permitting import read_allowed
from reconciler.cli.running import run_plan, show_plan
from reconciler.cli.target_work import Work
from reconciler.errors import SettingsError
from reconciler.plan.saved import signed

variables_of_run_option = click.option(
    "--var",
    "variables",
    multiple=True,
    metavar="NAME=VALUE",
    help="A variable of the run, as --var of `apply` gave it, over `vars` of reconcile.yml: only"
    " runs with these values are undone; can be repeated.",
)


@main.command()
@run_argument
@several_options(rolling=True)
@variables_of_run_option
@scratch_option
@execution_options
@output_options("plan", "rollout")
def rollback(
    run: int | None,
    several: Several,
    variables: tuple[str, ...],
    scratch: str | None,
    execution: ExecutionOptions,
    output: OutputOptions,
) -> int:
    """Restore the objects changed by a run, or by a roll-out over several targets.

    They return to their state before the run. RUN is a number from `reconcile history`. Default:
    the target's last run that changed something. The plan is shown first, and run after a
    confirmation. --format and --out need --check.

    Of several targets, exactly the runs of one roll-out are undone, in batches as with `apply`:
    that of --rollout, else the last that any of them records.
    """
    if several:
        declaration = replace(NO_FILES, scratch=scratch, variables=variables)
        return _roll_back_all(run, several, declaration, execution, output)
    check_formats("plan", output)
    shown = output.formats or output.files
    if shown and not execution.check:
        raise SettingsError(
            "--format and --out show the plan instead of running it: they go with --check"
        )
    file = settings.read()
    configured = settings.resolve_target(file, several.targets.alone)
    configured = configured.with_variables(dict(map(variable_of, variables)))
    resolved = execution.override(configured)
    permitting = Permitting(read_allowed(execution.allow), execution.place(resolved))
    changes, job = pipeline.plan_rollback(
        resolved.url,
        execution.place_to_read(configured),
        run,
        scratch or file.scratch,
        resolved.lock_policy.session,
        permitting,
    )
    if shown:
        output.write("plan", signed(changes, settings.plan_key()))
    else:
        show_plan(changes, execution)
    return run_plan(changes, job, resolved, execution, Terms(), permitting)


def _roll_back_all(
    run: int | None,
    several: Several,
    declaration: DeclarationOptions,
    execution: ExecutionOptions,
    output: OutputOptions,
) -> int:
    """Undo a roll-out on several targets."""
    check_formats("rollout", output)
    if run is not None:
        raise SettingsError("RUN is a number in one journal: --rollout names runs of several")
    undo = several.rolling.rollout or last_rollout(several, execution, declaration)
    work = Work.of("rollback", declaration, execution)
    report = roll_out(replace(work, rollout=new_name(), undo=undo), several)
    return finish(report, several, output)
