"""README and docs: commands have the options shown, YAML is read, links lead somewhere.

Python blocks are run by tests/test_python_api.py, SQL of docs/privileges.md by
tests/test_privileges.py, and the examples of docs/language by tests/test_reference.py.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import click
import pytest

from reconciler import settings
from reconciler.cli import main
from reconciler.declare.load import load
from reconciler.declare.variables import Placeholders

ROOT = Path(__file__).parents[1]
PAGES = [
    *(ROOT / name for name in ("README.md", "SECURITY.md", "CONTRIBUTING.md")),
    *sorted((ROOT / "docs").glob("*.md")),
]
COMMAND = r"(?:[A-Z_]+=\S+ )*reconcile (?=[a-z])"
SETTINGS = ("# reconcile.yml", "lint:")  # how blocks of settings begin
APPROVALS = "- {hazard:"
BY_NAME = [page.relative_to(ROOT).as_posix() for page in PAGES]


def commands(text: str) -> Iterator[list[str]]:
    """Yield the words of each command `reconcile …` in blocks."""
    fenced = re.findall(r"^```(?:sh|console|bash)?\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    indented = re.findall(r"^    (.*)$", text, re.MULTILINE)
    for line in [*indented, *"\n".join(fenced).splitlines()]:
        if re.match(COMMAND, line) is None:
            continue
        command = re.split(r"\s#\s|\s[|>&]\s", re.sub(COMMAND, "reconcile ", line))[0]
        yield shlex.split(command)


def links(text: str) -> Iterator[str]:
    yield from re.findall(r"\]\(((?!https?:)[^)#\s]+)", text)


def blocks(text: str, language: str) -> Iterator[str]:
    yield from re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=BY_NAME)
def test_every_command_has_the_options_shown(page: Path) -> None:
    for words in commands(page.read_text()):
        group: click.Command = main
        arguments = words[1:]
        while isinstance(group, click.Group):
            command = group.get_command(click.Context(group), arguments[0])
            assert command is not None, words
            group, arguments = command, arguments[1:]
        parsed = group.make_parser(click.Context(group)).parse_args(list(arguments))
        for parameter in parsed[2]:
            if isinstance(parameter.type, click.Choice):
                given = parsed[0].get(parameter.name)
                values = cast("list[object]", given if isinstance(given, list) else [given])
                unknown = {v for v in values if isinstance(v, str)} - {*parameter.type.choices}
                assert not unknown, words


def test_the_pages_show_commands() -> None:
    shown = {words[1] for page in PAGES for words in commands(page.read_text())}
    assert {"plan", "apply", "drift", "export", "lint", "verify", "monitor", "report"} <= shown


@pytest.mark.parametrize("page", PAGES, ids=BY_NAME)
def test_every_link_leads_to_a_file(page: Path) -> None:
    missing = [link for link in links(page.read_text()) if not (page.parent / link).exists()]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=BY_NAME)
def test_every_yaml_block_is_read(page: Path, tmp_path: Path) -> None:
    for number, block in enumerate(blocks(page.read_text(), "yaml")):
        file = tmp_path / f"{number}.yml"
        file.write_text(block)
        if block.startswith(SETTINGS):
            settings.read(file)
        elif not block.startswith(APPROVALS):
            assert load(file, variables=Placeholders()).sources is not None
