"""Compare two states: (live, desired) → changes. `==` decides, deepdiff finds the words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any, Literal, cast

from deepdiff import DeepDiff
from pydantic import BaseModel, ConfigDict

from reconciler.model.object import Object
from reconciler.model.ref import Ref
from reconciler.model.state import State

Action = Literal["create", "alter", "drop"]


class Difference(BaseModel):
    """One field that differs: its path, such as `grants.anon`, the live value and the wanted one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    field: str
    live: Any = None
    wanted: Any = None


@dataclass(frozen=True)
class Change:
    """One object that is not as desired."""

    ref: Ref
    live: Object | None
    desired: Object | None

    @property
    def action(self) -> Action:
        """What it takes."""
        if self.live is None:
            return "create"
        return "drop" if self.desired is None else "alter"

    @property
    def differences(self) -> tuple[Difference, ...]:
        """What differs between two objects; empty where there is only one."""
        if self.live is None or self.desired is None:
            return ()
        found = differences(self.live.fields(), self.desired.fields())
        return tuple(d for d in found if d.field.split(".")[0] not in self.desired.derived())


def changes(live: State, desired: State) -> tuple[Change, ...]:
    """Every object that differs, in the order of the desired state, drops last."""
    there = [Change(r, live.get(r), o) for r, o in desired.objects.items() if live.get(r) != o]
    gone = [Change(r, o, None) for r, o in live.objects.items() if r not in desired]
    return (*there, *gone)


def differences(live: dict[str, Any], wanted: dict[str, Any]) -> list[Difference]:
    """The fields in which two name-keyed dumps differ; a list in them is shown whole, since its order may matter."""
    tree = cast("dict[str, list[Any]]", DeepDiff(live, wanted, view="tree"))
    found = {
        _names(level.path(output_format="list")) for levels in tree.values() for level in levels
    }
    return [
        Difference(field=".".join(path), live=_at(live, path), wanted=_at(wanted, path))
        for path in sorted(found)
    ]


def _names(path: Sequence[str | int]) -> tuple[str, ...]:
    """The path down to the first list."""
    return tuple(str(p) for p in takewhile(lambda p: isinstance(p, str), path))


def _at(dump: dict[str, Any], path: Sequence[str]) -> Any:
    value: Any = dump
    for step in path:
        value = cast("dict[str, Any]", value).get(step) if isinstance(value, dict) else None
    return value
