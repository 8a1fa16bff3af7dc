"""The command `history`."""

from __future__ import annotations

import click

from reconciler import pipeline
from reconciler.cli.group import DONE, main
from reconciler.cli.journal_options import journal_option, journal_owner_option
from reconciler.cli.options import ReadingOptions, reading_options, run_argument
from reconciler.cli.output_options import OutputOptions, format_option
from reconciler.journal.ownership import Place
from reconciler.model.reserved_names import JOURNAL


@main.command()
@run_argument
@reading_options
@click.option(
    "--limit",
    metavar="NUMBER",
    type=click.IntRange(min=1),
    default=20,
    help="The number of runs to list, the latest first. Default: 20.",
)
@format_option("history", "run")
@journal_option
@journal_owner_option
def history(
    run: int | None,
    reading: ReadingOptions,
    limit: int,
    format_name: str | None,
    journal: str | None,
    journal_owner: str | None,
) -> int:
    """List recorded runs, or show the changes and steps of a run."""
    resolved = reading.resolve()
    session = resolved.lock_policy.session
    place = Place(journal or resolved.journal or JOURNAL, journal_owner or "")
    output = OutputOptions((format_name,) if format_name else ())
    if run is None:
        output.write("history", pipeline.read_history(resolved.url, place, limit, session))
    else:
        output.write("run", pipeline.read_run(resolved.url, place, run, session))
    return DONE
