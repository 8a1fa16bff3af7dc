"""Test the help of every command: complete, narrow, and with examples that the command accepts."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

import reconciler
from reconciler.cli import main
from reconciler.cli.examples import EXAMPLES, FIRST_STEPS
from reconciler.cli.group import COMMANDS
from reconciler.report.formats import FORMATS, Subject
from tests.conftest import ROOT, Database

RECONCILE = Path(sys.executable).with_name("reconcile")


def command_of(words: list[str]) -> tuple[click.Command, list[str]]:
    """Return the command that words of a command line name, and the words after its name."""
    command: click.Command = main
    context = main.make_context("reconcile", [], resilient_parsing=True)
    while isinstance(command, click.Group) and words:
        name, *words = words
        found = command.get_command(context, name)
        assert found, f"{name} is no command"
        command = found
    return command, words


def paths() -> list[str]:
    """List all commands, with those of groups."""
    listed: list[str] = []
    for name in COMMANDS:
        command, _ = command_of([name])
        below = sorted(command.commands) if isinstance(command, click.Group) else []
        listed += [name, *(f"{name} {sub}" for sub in below)]
    return listed


@pytest.mark.parametrize("path", ["", *paths()])
def test_help_fits_into_80_columns_and_nothing_is_cut(path: str) -> None:
    shown = CliRunner().invoke(main, [*path.split(), "--help"], env={"COLUMNS": "80"}).output
    assert [line for line in shown.splitlines() if len(line) > 80] == []
    assert "..." not in re.sub(r"\[(ARGS|SERVER)\]\.\.\.", "", shown)
    assert re.search(r" (TEXT|INTEGER|FLOAT)( RANGE)? ", shown) is None, "a metavar says what"


def test_every_command_ends_its_help_with_examples() -> None:
    assert sorted(EXAMPLES) == sorted(COMMANDS)
    for name, examples in EXAMPLES.items():
        shown = CliRunner().invoke(main, [name, "--help"], env={"COLUMNS": "80"}).output
        assert shown.endswith("\n".join(f"    {example}" for example in examples) + "\n"), shown


@pytest.mark.parametrize("example", [*FIRST_STEPS, *(e for es in EXAMPLES.values() for e in es)])
def test_example_is_accepted_by_the_command_line(example: str) -> None:
    words = shlex.split(example.partition(" > ")[0])
    assert words[0] == "reconcile"
    command, rest = command_of(words[1:])
    context = click.Context(command)
    values, extra, _ = command.make_parser(context).parse_args(rest)
    assert extra == []
    for parameter in command.params:
        value = values.get(parameter.name or "")
        if isinstance(parameter.type, click.Choice) and isinstance(value, (str, list)):
            parameter.type_cast_value(context, value)


@pytest.mark.parametrize(
    ("name", "subject"), [("plan", "plan"), ("rollback", "plan"), ("verify", "checks")]
)
def test_help_says_for_which_number_of_targets_a_format_is(name: str, subject: Subject) -> None:
    shown = " ".join(CliRunner().invoke(main, [name, "--help"]).output.split())
    known, several = {*FORMATS[subject]}, {*FORMATS["rollout"]}
    assert f"Only for one target: {', '.join(sorted(known - several))}." in shown
    assert f"Only for several: {', '.join(sorted(several - known))}." in shown


@pytest.mark.parametrize("option", ["--version", "-V"])
def test_version_is_the_name_and_a_number_as_with_other_tools(option: str) -> None:
    shown = CliRunner().invoke(main, [option])
    assert shown.output == f"reconcile {reconciler.__version__}\n"


def test_shells_complete_as_the_readme_says() -> None:
    assert "_RECONCILE_COMPLETE=bash_source reconcile" in (ROOT / "README.md").read_text()
    words = {
        "reconcile ver": ("1", "verify"),
        "reconcile plan --form": ("2", "--format"),
        "reconcile apply --allow da": ("3", "data-loss"),
    }
    for line, (at, completed) in words.items():
        environment = {
            **os.environ,
            "_RECONCILE_COMPLETE": "bash_complete",
            "COMP_WORDS": line,
            "COMP_CWORD": at,
        }
        done = subprocess.run(
            [RECONCILE], env=environment, text=True, capture_output=True, check=False
        )
        assert f"plain,{completed}" in done.stdout.splitlines(), done.stdout + done.stderr


def coloured(*arguments: str, **variables: str) -> bool:
    """Tell whether an error has colours, where a pipe is taken for a terminal."""
    environment = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "TERM")}
    done = subprocess.run(
        [RECONCILE, *arguments],
        env={**environment, "FORCE_COLOR": "1", **variables},
        text=True,
        capture_output=True,
        check=False,
    )
    assert "error:" in done.stderr, done.stderr
    return "\x1b[" in done.stderr


def test_no_colour_is_used_where_nobody_wants_it() -> None:
    command = ("plan", "--state", "/nowhere", "--target", "nonsense")
    assert coloured(*command)
    assert not coloured(*command, NO_COLOR="1")
    assert coloured(*command, NO_COLOR="")  # https://no-color.org: not empty
    assert not coloured("--no-color", *command)
    assert not coloured(*command, "--no-color")


def test_quiet_and_verbose_run(tmp_path: Path, database: Database) -> None:
    (tmp_path / "s.yml").write_text("tables: {t: {columns: {id: int}}, u: {columns: {id: int}}}")
    command = ["apply", "--target", database.url, "--state", str(tmp_path), "--yes"]
    loud = CliRunner().invoke(main, [*command, "--verbose"])
    assert "\n    CREATE TABLE public.t (\n" in loud.stderr
    assert "done" in loud.stderr
    database.run("DROP TABLE t")
    quiet = CliRunner().invoke(main, [*command, "--quiet"])
    assert (quiet.exit_code, quiet.stderr) == (0, "")
    assert quiet.stdout == "ok=2 changed=2 failed=0 skipped=0\n"
