"""The command `init`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import click

from reconciler import pipeline, settings
from reconciler.cli.group import DIFFERENT, DONE, main
from reconciler.cli.options import scratch_option, tidy_option
from reconciler.cli.output import (
    answered,
    print_line,
    print_lines,
    print_notes,
    print_report,
    write_file,
)
from reconciler.declare.dump import dump_yaml
from reconciler.declare.files import FileRefused, yaml_files_below
from reconciler.declare.load import load
from reconciler.environment import environment_value
from reconciler.errors import ConnectionFailed, SettingsError
from reconciler.model.state import Scope
from reconciler.pipeline import ExportStyle, Job
from reconciler.planning import scope_of
from reconciler.report import text
from reconciler.server.connection import connect_to_read
from reconciler.server.redaction import parsed, redacted
from reconciler.server.trust import without_credentials

VARIABLE = "DATABASE_URL"
FOLDER = "desired_state"
_COMMENT = "# Settings of reconcile: the database, the folder of its files, the managed schemas"

_NEXT = """
{folder} declares what the database holds, and a plan from there changes nothing. From here:
  reconcile plan      after a change of a file: what would be run, and what it would lock
  reconcile apply     run it
  reconcile drift     whether somebody has changed the database by hand"""


@main.command()
@click.option(
    "--target",
    "-t",
    metavar="URL",
    help="The database: a URL, or `embedded` for a server that reconcile starts. Default:"
    f" {VARIABLE}, else PGHOST etc., else init asks.",
)
@click.option(
    "--state",
    "-s",
    metavar="FOLDER",
    type=click.Path(path_type=Path),
    help=f"The folder to write, below the current one. Default: init asks; {FOLDER} without a"
    " terminal.",
)
@click.option(
    "--schema",
    "schemas",
    metavar="SCHEMA",
    multiple=True,
    help="Manage this schema, '*' for all; can be repeated. Default: init asks; '*' without a"
    " terminal.",
)
@tidy_option
@scratch_option
def init(
    target: str | None,
    state: Path | None,
    schemas: Sequence[str],
    scratch: str | None,
    *,
    tidy: bool,
) -> int:
    """Begin with an existing database: write reconcile.yml and the YAML files.

    Asks for what no option says. The database is only read. A password is written to no file: the
    URL with the password stays in the environment variable DATABASE_URL. At the end the files are
    compared with the database. Exit status: 0 no difference, as it must be; 1 an error, such as a
    reconcile.yml or YAML files that are there already.
    """
    if os.path.lexists(settings.FILE):
        raise SettingsError(f"{settings.FILE} exists already, and init overwrites nothing")
    choice = _target(target)
    url = settings.resolve_target(settings.Settings(), choice or None).url
    folder = state or Path(answered("Folder for the YAML files", FOLDER))
    _assert_free(folder)
    with connect_to_read(url):  # before the next question
        pass
    chosen = list(schemas) or _split(answered("Schemas to manage (a, b; * for all)", "*"))
    scope = Scope(frozenset(chosen), everything="*" in chosen)
    style = ExportStyle(tidy=tidy, scratch=scratch or "auto")
    files, notes = pipeline.export_state(url, scope, folder, style=style)
    source, note = _source(target, choice, url)
    shown = {"target": source, "state": str(folder), "schemas": chosen}
    content = dump_yaml({key: value for key, value in shown.items() if value})
    write_file(f"{_COMMENT}\n{content}".encode(), settings.FILE, "init")
    notes += note
    for path in (settings.FILE, *files):
        print_line(str(path))
    print_notes(notes)
    return _first_plan(url, folder, chosen, scratch)


def _target(target: str | None) -> str:
    """Return the target of the options or the environment, "" for PGHOST etc., or ask for one."""
    given = target or environment_value(VARIABLE) or ""
    if given or any(name in os.environ for name in settings.LIBPQ_VARIABLES):
        return given
    return answered("URL of the database (postgresql://USER:PASSWORD@HOST/DATABASE)")


def _split(answer: str) -> list[str]:
    return [schema.strip() for schema in answer.split(",") if schema.strip()]


def _assert_free(folder: Path) -> None:
    """Raise SettingsError unless reconcile.yml may name the folder, which holds no YAML files."""
    settings.Settings(state=folder).state_folder()
    try:
        found = yaml_files_below(folder)
    except FileRefused as error:
        raise SettingsError(f"cannot use {folder}: {error.reason}") from None
    if found:
        raise SettingsError(f"{folder} holds YAML files already, and init overwrites nothing")


def _source(target: str | None, choice: str, url: str) -> tuple[str, list[str]]:
    """Return the target as reconcile.yml names it, never with a password, and a note on the rest.

    reconcile sends no credentials of the environment to a server that reconcile.yml names, so a
    server that asks for some stays in a variable.
    """
    if choice == settings.EMBEDDED or not choice:
        return choice, []
    variable = f"${{{VARIABLE}}}"
    if not target and os.environ.get(VARIABLE):
        return variable, []
    if _is_enough(url):
        return url, []
    note = f"the URL of {redacted(url)} is in no file, because it needs a password or the like:"
    return variable, [f"{note} set {VARIABLE} to it before the next command"]


def _is_enough(url: str) -> bool:
    """Tell whether reconcile.yml may hold the URL, and the URL alone leads to the database."""
    if "password" in (parsed(url) or {"password": ""}):
        return False
    try:
        with connect_to_read(without_credentials(url, "target")):
            return True
    except (SettingsError, ConnectionFailed):
        return False


def _first_plan(url: str, folder: Path, schemas: Sequence[str], scratch: str | None) -> int:
    """Compare the files with the database, show the plan, and return the exit status."""
    declaration = load(folder)
    job = Job(url, declaration, scope_of(declaration, schemas, prune=False), scratch or "auto")
    plan = pipeline.plan_changes(job)
    print_report(text.plan(plan))
    if plan.in_sync:
        print_lines(_NEXT.format(folder=folder), stderr=True)
    return DONE if plan.in_sync else DIFFERENT
