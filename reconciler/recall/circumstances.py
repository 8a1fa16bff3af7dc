"""Name what a result depends on beside the database and the files of the declaration.

That is the command line, the environment, the settings, this program, Python and the machine. The
same holds with other credentials, which are in no key: a connection proves them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

import click

from reconciler.cache import SWITCH, digest_of, program_stamps
from reconciler.project_files import SETTINGS_FILE
from reconciler.server.redaction import parsed, redacted

APPROVALS_FILE = Path("approvals.yml")
MAX_SETTINGS = 1 << 20  # bytes
# The variables that reconcile and libpq read, and what else may choose programs or formats.
PREFIXES = ("RECONCILE_", "PG", "XDG_", "LC_", "PYTHON", "KRB5")
NAMES = frozenset({"HOME", "USER", "LOGNAME", "LANG", "PATH", "VIRTUAL_ENV", "TERM", "NO_COLOR"})
CREDENTIALS = frozenset({"PGPASSWORD", "PGSSLPASSWORD", "RECONCILE_VERIFY_URL", SWITCH})
_URLS = ("_URL", "RECONCILE_SCRATCH")

_OPTIONS = click.Command(
    "recalled",
    params=[
        click.Option(["--target", "-t", "targets"], multiple=True),
        click.Option(["--all", "every"], is_flag=True),
        click.Option(["--limit", "limits"], multiple=True),
        click.Option(["--var", "variables"], multiple=True),
        click.Option(["--webhook"]),
        click.Option(["--state-file"]),
        click.Option(["--format", "formats"], multiple=True),
        click.Option(["--scratch"]),
        click.Option(["--no-cache"], is_flag=True),
        click.Option(["--write-baseline"], is_flag=True),
        click.Option(["--out"]),
        click.Option(["--start"]),
    ],
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
    add_help_option=False,
)


def split_options(arguments: Sequence[str]) -> tuple[Mapping[str, Any], list[str]]:
    """Return the options known here, and the rest of the arguments."""
    context = _OPTIONS.make_context("recalled", [*arguments], resilient_parsing=True)
    return context.params, context.args


def key_of(command: str, arguments: Sequence[str]) -> str:
    """Return a digest of the circumstances; raises OSError where they cannot be read."""
    options, others = split_options(arguments)
    variables: tuple[str, ...] = options["variables"]  # they only look like keyword strings
    shown = {n: _without_passwords(v) for n, v in options.items() if v and n != "variables"}
    return digest_of(
        command,
        shown,
        [*variables],
        others,
        dict(_environment()),
        str(Path.cwd()),
        os.geteuid(),
        _digest_of_file(SETTINGS_FILE),
        _digest_of_file(APPROVALS_FILE),
        [*os.uname()],
        [*program_stamps()],
    )


def _environment() -> Iterator[tuple[str, str]]:
    for name, value in os.environ.items():
        if name in CREDENTIALS:
            continue
        if name.endswith(_URLS[0]) or name in _URLS or _is_conninfo(name, value):
            yield name, _without_password(value)
        elif name in NAMES or name.startswith(PREFIXES):
            yield name, value


def _is_conninfo(name: str, value: str) -> bool:
    return name.startswith(PREFIXES[0]) and bool(parsed(value))


def _without_passwords(value: object) -> object:
    if isinstance(value, tuple):
        return [_without_password(each) for each in cast("tuple[object, ...]", value)]
    return _without_password(value)


def _without_password(value: object) -> str:
    text = str(value)
    return redacted(text) if "=" in text or "://" in text else text


def _digest_of_file(file: Path) -> str:
    if not os.path.lexists(file):
        return ""
    with file.open("rb") as content:
        return sha256(content.read(MAX_SETTINGS)).hexdigest()
