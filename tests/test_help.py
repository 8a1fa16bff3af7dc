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
from tests.conftest import ROOT

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
