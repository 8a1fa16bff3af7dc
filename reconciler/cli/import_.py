"""The command `import`."""

from __future__ import annotations

import os
from pathlib import Path

import click

from reconciler import settings
from reconciler.cli.group import DIFFERENT, DONE, main
from reconciler.cli.options import ReadingOptions, reading_options, scratch_option
from reconciler.cli.output import print_line, print_notes, print_report, write_file
from reconciler.declare.already import declared_already
from reconciler.declare.files import MAX_SQL_SIZE, FileRefused, yaml_files
from reconciler.declare.load import load
from reconciler.errors import DeclarationError, SettingsError
from reconciler.escape import document
from reconciler.importing import Imported, import_script
from reconciler.linting import Lint, lint
from reconciler.model.state import Declaration
from reconciler.model.variables import Values
from reconciler.report import text_lint


@main.command("import")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@reading_options
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="The YAML file to write, which may not be there yet.",
)
@scratch_option
def import_command(file: Path, reading: ReadingOptions, out: Path, scratch: str | None) -> int:
    """Declare in YAML what a file of SQL, such as a migration, would change.

    The file is run on a scratch server over a copy of the target's objects without rows; the
    target is only read. Each command is run by itself, and CONCURRENTLY left out. What cannot be
    run is named with its line, and the rest goes on. Then `reconcile lint` looks at the YAML file.

    An entry that your YAML files declare already is named with its place: carry the change over by
    hand, and delete the entry from the new file, since no entry may stand in two files.

    Exit status: 0 all of FILE is declared, 2 not all of it, or lint has found something.
    """
    if os.path.lexists(out):
        raise SettingsError(f"{out} exists already, and import overwrites nothing")
    settings_file = settings.read()
    target = reading.resolve()
    session, server = target.lock_policy.session, scratch or settings_file.scratch
    imported = import_script(_read(file), target.url, server, session)
    there = _declared_before(settings_file, target.variables)
    write_file(_document(file, imported), out)
    print_line(str(out))
    print_notes(imported.notes)
    for line, reason in imported.left_out:
        print_line(f"{file}:{line}: left out: {reason}", stderr=True)
    new = load(out)
    if there is not None:
        print_notes(
            f"{entry} is already declared at {at}: change it there, and delete it from {out}"
            for entry, at in declared_already(new, there)
        )
    job = Lint(new, settings_file.lint, target.url, scratch=server, session=session)
    result = lint(job)
    print_report(text_lint.lint(result))
    return DIFFERENT if imported.left_out or result.findings else DONE


def _declared_before(read: settings.Settings, variables: Values) -> Declaration | None:
    """Return what the YAML files of the project declare; None without any."""
    try:
        folder = read.state_folder()
        if not yaml_files(folder):
            return None
        return load(folder, variables=variables)
    except (DeclarationError, FileRefused, SettingsError):
        print_notes(["what is declared already is not named: `reconcile validate` tells why"])
        return None


def _read(file: Path) -> str:
    content = file.read_bytes()
    if len(content) > MAX_SQL_SIZE:
        raise SettingsError(f"{file} is larger than {MAX_SQL_SIZE:,} bytes")
    try:
        return content.decode().removeprefix("\ufeff")
    except UnicodeDecodeError:
        raise SettingsError(f"{file} is not UTF-8") from None


def _document(file: Path, imported: Imported) -> bytes:
    name = document([file.name]).removesuffix("\n")
    return f"# What {name} changes\n{imported.document}".encode()
