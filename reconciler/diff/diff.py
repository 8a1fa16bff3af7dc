"""Compare two states: (live, desired) → changes. `==` decides; deepdiff finds the fields."""

from __future__ import annotations

import json
from collections.abc import Sequence, Set
from dataclasses import dataclass
from itertools import takewhile
from typing import Any, Literal, cast

from pydantic import BaseModel, ConfigDict

from reconciler.model.object import Object
from reconciler.model.ref import Ref
from reconciler.model.state import State

Action = Literal["create", "alter", "drop"]


class Difference(BaseModel):
    """A differing field: path (for example `grants.anon`), live value and desired value."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    field: str
    live: Any = None
    wanted: Any = None


def shown(value: object) -> str:
    """Return a differing value as messages show it."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


@dataclass(frozen=True)
class Change:
    """An object with differences between the live and the desired state."""

    ref: Ref
    live: Object | None
    desired: Object | None

    @property
    def action(self) -> Action:
        """Whether the object is created, altered or dropped."""
        if self.live is None:
            return "create"
        return "drop" if self.desired is None else "alter"

    @property
    def differences(self) -> tuple[Difference, ...]:
        """The differing fields of live and desired object; empty if either is missing."""
        if self.live is None or self.desired is None:
            return ()
        derived = self.desired.derived()
        found = differences(self.live.fields(), self.desired.fields())
        return tuple(d for d in found if d.field.split(".")[0] not in derived)


def changes(live: State, desired: State) -> tuple[Change, ...]:
    """List the differing objects in the order of the desired state, dropped objects last."""
    if live is desired:
        return ()
    differing = [Change(r, live.get(r), o) for r, o in desired.objects.items() if live.get(r) != o]
    dropped = [Change(r, o, None) for r, o in live.objects.items() if r not in desired]
    return (*differing, *dropped)


def differences(live: dict[str, Any], desired: dict[str, Any]) -> list[Difference]:
    """List the differing fields of two dumps of objects.

    A list in a dump is one value, since its order may matter.
    """
    unequal = {name for name in live.keys() | desired.keys() if not _are_equal(live, desired, name)}
    nested = {n for n in unequal if all(isinstance(dump.get(n), dict) for dump in (live, desired))}
    found = {(name,) for name in unequal - nested} | _paths(live, desired, nested)
    return [
        Difference(field=".".join(path), live=_at(live, path), wanted=_at(desired, path))
        for path in sorted(found)
    ]


def _paths(live: dict[str, Any], desired: dict[str, Any], nested: Set[str]) -> set[tuple[str, ...]]:
    """Return the paths of what differs within mappings that both dumps have."""
    if not nested:
        return set()
    from deepdiff import DeepDiff  # noqa: PLC0415 - slow to import, and needed by mappings only

    before, after = ({name: dump[name] for name in nested} for dump in (live, desired))
    tree = cast("dict[str, list[Any]]", DeepDiff(before, after, view="tree"))
    return {
        _names(level.path(output_format="list")) for levels in tree.values() for level in levels
    }


def _are_equal(live: dict[str, Any], desired: dict[str, Any], name: str) -> bool:
    """Tell whether both dumps have a field of the name, with equal values of the same type."""
    if name not in live or name not in desired:
        return False
    return type(live[name]) is type(desired[name]) and live[name] == desired[name]


def _names(path: Sequence[str | int]) -> tuple[str, ...]:
    """Return the names in a path down to the first list."""
    return tuple(str(p) for p in takewhile(lambda p: isinstance(p, str), path))


def _at(dump: dict[str, Any], path: Sequence[str]) -> Any:
    """Return the value at a path, None if the dump has none."""
    value: Any = dump
    for step in path:
        value = cast("dict[str, Any]", value).get(step) if isinstance(value, dict) else None
    return value
