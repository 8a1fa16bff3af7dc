"""The command `plan`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click

from reconciler import settings
from reconciler.cli.comparing import compare
from reconciler.cli.group import main
from reconciler.cli.job import make_job
from reconciler.cli.options import (
    DeclarationOptions,
    OutputOptions,
    allow_option,
    declaration_options,
    output_options,
    set_option,
    start_option,
)
from reconciler.errors import SettingsError
from reconciler.server.trial import database_of


@main.command()
@declaration_options
@start_option("It takes the place of --target.")
@set_option
@allow_option
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
    allow: Sequence[str],
    role: str,
    output: OutputOptions,
) -> int:
    """Show the changes and the SQL leading to the declared state.

    Nothing is run. Exit status: 0 no differences, 2 differences.
    """
    del allow  # accepted, so that the options of `apply` can be tried out; only runs need it
    if not scripts:
        return _show(declaration, session, role, output)
    if declaration.target:
        raise SettingsError("--start makes a database instead of that of --target: name one")
    with database_of(scripts) as url:
        return _show(replace(declaration, target=url), session, "", output)


def _show(
    declaration: DeclarationOptions, session: Sequence[str], role: str, output: OutputOptions
) -> int:
    job, _ = make_job(declaration, session=session)
    return compare(replace(job, lint=settings.read().lint, role=role), output)
