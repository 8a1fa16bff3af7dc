"""The command `rollback`."""

from __future__ import annotations

from reconciler import pipeline, settings
from reconciler.apply.permissions import Permitting
from reconciler.checks.session import Terms
from reconciler.cli.execution_options import ExecutionOptions, execution_options
from reconciler.cli.group import main
from reconciler.cli.options import (
    OutputOptions,
    output_options,
    run_argument,
    scratch_option,
    target_option,
)
from reconciler.cli.permitting import read_allowed
from reconciler.cli.running import run_plan, show_plan
from reconciler.errors import SettingsError
from reconciler.journal.ownership import Place
from reconciler.model.reserved_names import JOURNAL
from reconciler.plan.saved import signed


@main.command()
@run_argument
@target_option
@scratch_option
@execution_options
@output_options("plan")
def rollback(
    run: int | None,
    target: str | None,
    scratch: str | None,
    execution: ExecutionOptions,
    output: OutputOptions,
) -> int:
    """Restore the objects changed by a run.

    They return to their state before the run. RUN is a number from `reconcile history`. Default:
    the last run that changed something. The plan is shown first, and run after a confirmation.
    --format and --out need --check.
    """
    shown = output.formats or output.files
    if shown and not execution.check:
        raise SettingsError(
            "--format and --out show the plan instead of running it: they go with --check"
        )
    file = settings.read()
    configured = settings.resolve_target(file, target)
    resolved = execution.override(configured)
    permitting = Permitting(read_allowed(execution.allow), execution.place(resolved))
    changes, job = pipeline.plan_rollback(
        resolved.url,
        Place(resolved.journal or configured.journal or JOURNAL, execution.journal_owner or ""),
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
