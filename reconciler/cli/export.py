"""The command `export`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from reconciler import pipeline
from reconciler.cli.group import DONE, main
from reconciler.cli.options import ReadingOptions, reading_options
from reconciler.cli.output import print_line, print_notes
from reconciler.model.state import Scope


@main.command()
@reading_options
@click.option(
    "--schema",
    "schemas",
    multiple=True,
    help="Export this schema, '*' for all; can be repeated. Default: '*'.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="The folder to write to, which may hold no YAML files yet.",
)
def export(reading: ReadingOptions, schemas: Sequence[str], out: Path) -> int:
    """Write an existing database as YAML files."""
    resolved = reading.resolve()
    bounds = frozenset(schemas or ["*"])
    scope = Scope(bounds, everything="*" in bounds)
    files, notes = pipeline.export_state(resolved.url, scope, out, resolved.lock_policy.session)
    for file in files:
        print_line(str(file))
    print_notes(notes)
    return DONE
