"""The command `plan`."""

from __future__ import annotations

from collections.abc import Sequence

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
)


@main.command()
@declaration_options
@set_option
@allow_option
@output_options("plan")
def plan(
    declaration: DeclarationOptions,
    session: Sequence[str],
    allow: Sequence[str],
    output: OutputOptions,
) -> int:
    """Show the changes and the SQL leading to the declared state.

    Nothing is run. Exit status: 0 no differences, 2 differences.
    """
    del allow  # accepted, so that the options of `apply` can be tried out; only runs need it
    job, _ = make_job(declaration, session=session)
    return compare("plan", job, output)
