"""Groups of targets, and groups of groups."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from graphlib import CycleError, TopologicalSorter
from typing import cast

from pydantic import BaseModel, ConfigDict, Field, model_validator

from reconciler.inventory.target import Variables, fault_of_name

MAX_SHOWN = 10  # groups of a circle


class Group(BaseModel):
    """Targets and groups with a name; a list alone holds the members."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    members: tuple[str, ...] = Field(
        default=(), description="names of targets, and of other groups for all targets in these"
    )
    vars: Variables = Field(
        default_factory=dict, description="variables of the targets, over those of outer groups"
    )

    @model_validator(mode="before")
    @classmethod
    def _list_of_members(cls, value: object) -> object:
        return {"members": cast("object", value)} if isinstance(value, list) else value


@dataclass(frozen=True)
class Fault:
    """A fault of targets and groups: the path of keys in reconcile.yml, and a message."""

    path: tuple[str | int, ...]
    message: str


def faults(
    targets: Collection[str], groups: Mapping[str, Group], *, complete: bool
) -> Iterator[Fault]:
    """Yield the faults of names and members; of several circles the first.

    Unknown members are faults if the targets are `complete`, and not also of other sources.
    """
    for name in targets:
        if message := fault_of_name(name):
            yield Fault(("targets", name), message)
    for name in groups:
        if message := fault_of_name(name):
            yield Fault(("groups", name), message)
        elif name in targets:
            yield Fault(("groups", name), "a target has this name too: choose another")
    if complete:
        yield from _unknown_members(targets, groups)
    yield from _circles(groups)


def _unknown_members(targets: Collection[str], groups: Mapping[str, Group]) -> Iterator[Fault]:
    known = [*targets, *groups]
    for name, group in groups.items():
        for number, member in enumerate(group.members):
            if member not in targets and member not in groups:
                path = ("groups", name, "members", number)
                yield Fault(path, f"no target or group is named {member!r}{nearest(member, known)}")


def _circles(groups: Mapping[str, Group]) -> Iterator[Fault]:
    """Yield the first circle of groups, at a member within the circle."""
    within = {name: [m for m in group.members if m in groups] for name, group in groups.items()}
    try:
        TopologicalSorter(within).prepare()
    except CycleError as error:
        circle: list[str] = error.args[1][::-1]  # each has the next as a member
        number = groups[circle[0]].members.index(circle[1])
        shown = " → ".join(circle if len(circle) <= MAX_SHOWN else [*circle[:MAX_SHOWN], "…"])
        yield Fault(("groups", circle[0], "members", number), f"a circle of groups: {shown}")


def nearest(name: str, known: Collection[str]) -> str:
    """Return a question for a misspelt name, `: did you mean X?`, or ""."""
    found = get_close_matches(name, known, 1)
    return f": did you mean {found[0]}?" if found else ""


def targets_in(group: str, groups: Mapping[str, Group]) -> set[str]:
    """Return the names of the targets in a group, and in groups within the group."""
    found, seen, left = set[str](), {group}, [group]
    while left:
        members = groups[left.pop()].members
        inner = {m for m in members if m in groups} - seen
        found.update(m for m in members if m not in groups)
        seen |= inner
        left += inner
    return found
