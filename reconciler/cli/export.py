"""The command `export`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from reconciler import pipeline, settings
from reconciler.cli.group import DONE, main
from reconciler.cli.options import (
    ReadingOptions,
    collected,
    reading_options,
    scratch_option,
    tidy_option,
)
from reconciler.cli.output import print_line, print_notes, write_file
from reconciler.declare.exported_files import JSON_SCHEMA, assert_replaceable
from reconciler.declare.json_schema import json_schema
from reconciler.escape import json_document
from reconciler.introspect.global_objects import RolesAsked
from reconciler.model.state import Scope
from reconciler.pipeline import ExportStyle


@dataclass(frozen=True)
class StyleOptions:
    """How the export is written."""

    layout: str
    tidy: bool
    scratch: str | None

    def chosen(self) -> ExportStyle:
        """Return the style, with the scratch server of reconcile.yml by default."""
        scratch = self.scratch or settings.read().scratch
        return ExportStyle(self.layout == "table", self.tidy, scratch)


style_options = collected(
    "style",
    StyleOptions,
    click.option(
        "--layout",
        type=click.Choice(["kind", "table"]),
        default="kind",
        help="A file for each schema and kind of object, or one for each table and view as well."
        " Default: kind.",
    ),
    tidy_option,
    scratch_option,
)

NAMED = "*"  # the value of --roles without one: the roles that the exported objects name


@main.command()
@reading_options
@click.option(
    "--schema",
    "schemas",
    metavar="SCHEMA",
    multiple=True,
    help="Export this schema, '*' for all; can be repeated. Default: '*'.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="The folder to write to. The files of an earlier export are replaced, those that objects"
    " have left are removed; a folder with other YAML files is refused.",
)
@click.option(
    "--roles",
    "roles",
    metavar="ROLE",
    multiple=True,
    is_flag=False,
    flag_value=NAMED,
    help="Export the roles that the exported objects name, too; with =ROLE, this role; can be"
    " repeated. No password is read.",
)
@click.option(
    "--json-schema",
    "with_json_schema",
    is_flag=True,
    help=f"Write {JSON_SCHEMA} into the folder too, and name it in each file: editors with the YAML"
    " language server complete and check the files by it.",
)
@style_options
def export(
    reading: ReadingOptions,
    schemas: Sequence[str],
    out: Path,
    style: StyleOptions,
    roles: Sequence[str],
    *,
    with_json_schema: bool,
) -> int:
    """Write an existing database as YAML files.

    Nothing of the database is changed. A plan from the files is empty afterwards: `reconcile plan
    --state FOLDER`. Each file begins with a comment by which the next export knows it: remove the
    comment from a file that you keep by hand.
    """
    resolved = reading.resolve()
    bounds = frozenset(schemas or ["*"])
    scope = Scope(bounds, everything="*" in bounds)
    if with_json_schema:
        assert_replaceable(out)
        write_file(json_document(json_schema()), out / JSON_SCHEMA)
    session = resolved.lock_policy.session
    asked = RolesAsked(frozenset(roles) - {NAMED}, named=NAMED in roles)
    files, notes = pipeline.export_state(resolved.url, scope, out, session, style.chosen(), asked)
    for file in files:
        print_line(str(file))
    print_notes(notes)
    return DONE
