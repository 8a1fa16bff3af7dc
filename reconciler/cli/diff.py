"""The command `diff`."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from reconciler import settings
from reconciler.cli.group import DIFFERENT, DONE, main
from reconciler.cli.options import scratch_option
from reconciler.cli.output_options import OutputOptions, output_options
from reconciler.cli.revision import write_revision
from reconciler.comparing import Comparing, LiveSide, Side, differences
from reconciler.declare.load import load
from reconciler.errors import SettingsError
from reconciler.server.redaction import is_url, redacted


@main.command()
@click.argument("old")
@click.argument("new")
@click.option(
    "--schema",
    "schemas",
    metavar="SCHEMA",
    multiple=True,
    help="Compare this schema, '*' for all; can be repeated. Default: the schemas of the YAML"
    " files, of two databases all.",
)
@click.option(
    "--over",
    metavar="NAME|URL",
    help="The database over which YAML files are laid that declare only parts of it. Default: an"
    " empty one. With --over, what only OLD declares is left alone, as by `plan`.",
)
@scratch_option
@output_options("differences")
def diff(
    old: str,
    new: str,
    schemas: Sequence[str],
    over: str | None,
    scratch: str | None,
    output: OutputOptions,
) -> int:
    """Show how two states differ: databases, YAML files or git revisions.

    OLD and NEW are each a target (a name of reconcile.yml, a URL, `embedded`), a file or folder of
    YAML, or REVISION:FOLDER of the git repository of the current folder. They are compared by
    PostgreSQL on a scratch server, not as text; databases are only read. Exit status: 0 no
    difference, 2 differences.
    """
    file = settings.read()
    with ExitStack() as opened:
        job = Comparing(
            _side(old, file, opened),
            _side(new, file, opened),
            frozenset(schemas),
            scratch or file.scratch,
            _database(over, file) if over else None,
        )
        plan = differences(job, f"{_shown(old)} → {_shown(new)}")
    output.write("differences", plan)
    return DONE if plan.in_sync else DIFFERENT


def _side(text: str, file: settings.Settings, opened: ExitStack) -> Side:
    """Return what an argument names; raises SettingsError for nothing."""
    if is_url(text) or file.find_target(text) or text == settings.EMBEDDED:
        return _database(text, file)
    if Path(text).exists():
        return load(Path(text), variables=file.vars)
    revision, colon, folder = text.partition(":")
    if not colon:
        raise SettingsError(
            f"{text} is no target of reconcile.yml, no file or folder, and no REVISION:FOLDER"
        )
    out = opened.enter_context(TemporaryDirectory())
    return load(write_revision(revision, folder, Path(out)), variables=file.vars)


def _database(text: str, file: settings.Settings) -> LiveSide:
    target = settings.resolve_target(file, text)
    return LiveSide(target.url, target.lock_policy.session)


def _shown(text: str) -> str:
    return redacted(text) if is_url(text) else text
