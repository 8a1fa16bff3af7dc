"""The command `plan`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click

from reconciler import settings
from reconciler.apply.permissions import Permitting
from reconciler.cli.comparing import compare
from reconciler.cli.group import main
from reconciler.cli.job import make_job
from reconciler.cli.options import (
    DeclarationOptions,
    OutputOptions,
    declaration_options,
    output_options,
    set_option,
    start_option,
)
from reconciler.cli.permitting import PermissionOptions, permission_options, read_allowed
from reconciler.errors import SettingsError
from reconciler.server.trial import database_of


@main.command()
@declaration_options
@start_option("It takes the place of --target.")
@set_option
@permission_options
@click.option(
    "--for-role",
    "role",
    default="",
    metavar="ROLE",
    help="The role that will apply the plan, if another role plans: new objects without a declared"
    " `owner` belong to it.",
)
@output_options("plan")
def plan(
    declaration: DeclarationOptions,
    scripts: Sequence[Path],
    session: Sequence[str],
    permission: PermissionOptions,
    role: str,
    output: OutputOptions,
) -> int:
    """Show the changes and the SQL leading to the declared state.

    Nothing is run. Each hazard is shown with what lets it through: --allow, or an entry of
    approvals.yml beside reconcile.yml; else with the line to add there. Exit status: 0 no
    differences, 2 differences.
    """
    if not scripts:
        return _show(declaration, session, role, permission, output)
    if declaration.target:
        raise SettingsError("--start makes a database instead of that of --target: name one")
    with database_of(scripts) as url:
        return _show(replace(declaration, target=url), session, "", permission, output)


def _show(
    declaration: DeclarationOptions,
    session: Sequence[str],
    role: str,
    permission: PermissionOptions,
    output: OutputOptions,
) -> int:
    allowed = read_allowed(permission.allow, declaration.state)
    job, target = make_job(declaration, session=session)
    permitting = Permitting(allowed, permission.place(target, role))
    lint = settings.read().lint
    return compare(replace(job, lint=lint, role=role, permitting=permitting), output)
