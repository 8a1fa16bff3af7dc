"""Compare two states: (live, desired) → changes. `==` decides, for objects and for their fields."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

from pydantic import BaseModel, ConfigDict

from reconciler.model.object import Object
from reconciler.model.ref import Ref
from reconciler.model.state import State

Action = Literal["create", "alter", "drop"]
MIN_SHARED = 0.33  # of the keys of two mappings; with fewer in common, each is one value


class Difference(BaseModel):
    """A differing field: path (for example `grants.anon`), live value and desired value."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    field: str
    live: Any = None
    wanted: Any = None


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
    found = sorted(_differing(live, desired), key=lambda d: d[0])
    return [Difference(field=".".join(path), live=old, wanted=new) for path, old, new in found]


def _differing(
    live: Mapping[str, Any], desired: Mapping[str, Any]
) -> Iterator[tuple[tuple[str, ...], Any, Any]]:
    """Yield the path of each differing value, and both values; None for a missing one."""
    for key in live.keys() | desired.keys():
        old, new = live.get(key), desired.get(key)
        if isinstance(old, dict) and isinstance(new, dict):
            before, after = cast("dict[str, Any]", old), cast("dict[str, Any]", new)
            if _are_alike(before, after):
                inner = _differing(before, after)
                yield from (((key, *path), was, becomes) for path, was, becomes in inner)
                continue
        if old != new or (key in live) != (key in desired):
            yield (key,), old, new


def _are_alike(live: Mapping[str, Any], desired: Mapping[str, Any]) -> bool:
    """Tell whether two mappings share enough keys to be compared key by key."""
    together = len(live.keys() | desired.keys())
    return together <= 1 or len(live.keys() & desired.keys()) / together >= MIN_SHARED
