"""The command `inventory`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import click

from reconciler import settings
from reconciler.cli.group import main
from reconciler.cli.output import print_document
from reconciler.errors import SettingsError
from reconciler.escape import document, json_document
from reconciler.inventory.inventory import Inventory
from reconciler.inventory.limit import OPTION, limited
from reconciler.inventory.target import EVERY

FORMATS = ("graph", "json", "text")


@main.command()
@click.option(
    OPTION,
    "limits",
    metavar="PATTERN",
    multiple=True,
    help="Show what this selects, as in other commands; can be repeated.",
)
@click.option(
    "--format",
    "format_name",
    type=click.Choice(FORMATS),
    default="text",
    show_default=True,
    help="A line for each target, JSON, or the groups with what is within them.",
)
def inventory(limits: Sequence[str], format_name: str) -> None:
    """List the targets with their groups and variables.

    Targets of reconcile.yml and of its `inventory` are shown, each with the values of its
    variables; no URL is shown, and no target is connected to.
    """
    found = settings.read().all_targets()
    if not found.entries:
        raise SettingsError(f"{settings.FILE} and its sources name no targets")
    names = limited(limits, found.entries, found.groups) if limits else [*found.entries]
    if format_name == "json":
        print_document(json_document({"version": 1, "targets": [*_as_json(found, names)]}))
    else:
        lines = _graph(found, {*names}) if format_name == "graph" else _lines(found, names)
        print_document(document([*lines]))


def _as_json(found: Inventory, names: Sequence[str]) -> Iterator[dict[str, object]]:
    for name in names:
        yield {
            "name": name,
            "source": found.entries[name].source or str(settings.FILE),
            "groups": found.groups_of(name),
            "vars": found.variables_of(name),
        }


def _lines(found: Inventory, names: Sequence[str]) -> Iterator[str]:
    width = max(map(len, names))
    for name in names:
        variables = [f"{n}={v!r}" for n, v in found.variables_of(name).items()]
        groups = ", ".join(found.groups_of(name)) or "-"
        yield "  ".join([name.ljust(width), groups, *variables])


def _graph(found: Inventory, names: set[str]) -> Iterator[str]:
    """Yield an indented line for each group and target; a group's members are listed once."""
    within = {member for group in found.groups.values() for member in group.members}
    top = [n for n in (*found.groups, *found.entries) if n not in within]
    yield EVERY
    listed = set[str]()
    left = [(1, name) for name in reversed(top)]
    while left:
        depth, name = left.pop()
        indent = "  " * depth
        if name not in found.groups:
            if name in names:
                yield f"{indent}{name}"
        elif found.members[name] & names:
            yield f"{indent}{name}: …" if name in listed else f"{indent}{name}:"
            if name not in listed:
                left += [(depth + 1, m) for m in reversed(found.groups[name].members)]
            listed.add(name)
