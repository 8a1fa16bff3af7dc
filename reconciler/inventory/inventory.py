"""Collect all targets, of reconcile.yml and of other sources, with groups and variables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from reconciler.errors import SettingsError
from reconciler.inventory.group import Group, nearest, targets_in
from reconciler.inventory.target import EVERY, Target
from reconciler.model.variables import Value, Values


@dataclass(frozen=True)
class Entry:
    """A target, the naming source ("" for reconcile.yml), and the groups in the source."""

    target: Target
    source: str = ""
    groups: Sequence[str] = ()


@dataclass(frozen=True)
class Inventory:
    """Targets by name in order, groups by name, and the variables of all targets."""

    entries: Mapping[str, Entry] = field(default_factory=dict[str, Entry])
    groups: Mapping[str, Group] = field(default_factory=dict[str, Group])
    vars: Values = field(default_factory=dict[str, Value])

    @cached_property
    def members(self) -> Mapping[str, frozenset[str]]:
        """The names of the targets of each group, including groups within the group."""
        return {name: frozenset(targets_in(name, self.groups)) for name in self.groups}

    def groups_of(self, target: str) -> list[str]:
        """Return the groups of a target, outer groups before inner groups."""
        found = [name for name, members in self.members.items() if target in members]
        return sorted(found, key=lambda name: len(self._outer[name]))

    @cached_property
    def _outer(self) -> Mapping[str, frozenset[str]]:
        """The outer groups of each group."""
        outer = {name: set[str]() for name in self.groups}
        for name in self.groups:
            left = [*self.groups[name].members]
            while left:
                member = left.pop()
                if member in outer and name not in outer[member]:
                    outer[member].add(name)
                    left += self.groups[member].members
        return {name: frozenset(names) for name, names in outer.items()}

    def variables_of(self, target: str) -> dict[str, Value]:
        """Return the variables of a target: the target's first, then of inner groups, then of all.

        Raises SettingsError where two groups disagree, neither of which is within the other.
        """
        found = dict(self.vars)
        own = self.entries[target].target.vars if target in self.entries else {}
        groups = self.groups_of(target)
        for variable in {v: None for name in groups for v in self.groups[name].vars}:
            if variable not in own:
                found[variable] = self._value(variable, target, groups)
        return {**found, **own}

    def _value(self, variable: str, target: str, groups: Sequence[str]) -> Value:
        setting = [name for name in groups if variable in self.groups[name].vars]
        inner = [n for n in setting if not any(n in self._outer[other] for other in setting)]
        values = [self.groups[name].vars[variable] for name in inner]
        for name, value in zip(inner, values, strict=True):
            if (type(value), value) != (type(values[0]), values[0]):
                raise SettingsError(
                    f"target {target}: the groups {inner[0]} and {name} give the variable"
                    f" {variable} two values, and neither group is within the other: give the"
                    " target its own by `vars`"
                )
        return values[0]


def assembled(
    targets: Mapping[str, Target],
    groups: Mapping[str, Group],
    variables: Values,
    further: Sequence[tuple[str, Entry]] | None,
) -> Inventory:
    """Return the inventory of reconcile.yml with the targets of other sources.

    A source may name groups that reconcile.yml lacks. `further` is None if the other sources have
    not been read. Raises SettingsError for a name that two sources use, and for a group with an
    unknown member.
    """
    entries = {name: Entry(target) for name, target in targets.items()}
    members = {name: dict.fromkeys(group.members) for name, group in groups.items()}
    for name, entry in further or ():
        if name in entries or name in groups or name == EVERY:
            first = entries[name].source or "reconcile.yml" if name in entries else "a group"
            raise SettingsError(f"{entry.source}: the name {name} is that of {first} already")
        entries[name] = entry
        for group in entry.groups:
            members.setdefault(group, {})[name] = None
    if clash := entries.keys() & members.keys():
        raise SettingsError(f"{min(clash)} is the name of a target and of a group")
    if further is not None:
        _assert_known(entries, members)
    every = {
        name: Group(members=tuple(names), vars=groups[name].vars if name in groups else {})
        for name, names in members.items()
    }
    return Inventory(entries, every, variables)


def _assert_known(entries: Mapping[str, Entry], members: Mapping[str, Iterable[str]]) -> None:
    """Raise SettingsError for a group with an unknown member."""
    for group, names in members.items():
        for member in names:
            if member not in entries and member not in members:
                hint = nearest(member, [*entries, *members])
                raise SettingsError(f"groups.{group}: no target or group is named {member!r}{hint}")
