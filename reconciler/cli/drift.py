"""The command `drift`."""

from __future__ import annotations

from collections.abc import Sequence

from reconciler.cli.comparing import compare
from reconciler.cli.group import main
from reconciler.cli.job import make_job
from reconciler.cli.options import (
    DeclarationOptions,
    OutputOptions,
    declaration_options,
    output_options,
    set_option,
)


@main.command()
@declaration_options
@set_option
@output_options("drift")
def drift(declaration: DeclarationOptions, session: Sequence[str], output: OutputOptions) -> int:
    """Report differences from the declared state.

    For scheduled jobs. Exit status: 0 no differences, 2 differences.
    """
    job, _ = make_job(declaration, session=session)
    return compare("drift", job, output)
