"""Collect undeclared objects that cannot stay without what is dropped, as PostgreSQL does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set

from reconciler.model.companion import GoesWithColumns, goes_along
from reconciler.model.declared import NamedByTypes
from reconciler.model.object import InlinePart, Object
from reconciler.model.ref import Ref, split_name
from reconciler.model.state import State

Types = Set[tuple[str, str]]


def dropped_along(live: State, declared: Set[Ref], desired: Mapping[Ref, Object]) -> set[Ref]:
    """Collect undeclared objects that go because another one goes or changes.

    Those are sequences of columns, what stands on a column and serves it alone, and routines,
    operators and casts over a type that goes.
    """
    gone = {r: o for r, o in live.objects.items() if r not in desired and r not in declared}
    lost = _types_of(gone.values())
    types = lost - _types_of(desired.values()) if lost else lost
    return {
        ref
        for ref, obj in live.objects.items()
        if ref not in declared
        and (
            goes_along(obj, live.objects, desired)
            or (isinstance(obj, GoesWithColumns) and _columns_of(ref, live) & gone.keys())
            or (isinstance(obj, NamedByTypes) and _is_over(obj, types))
        )
    }


def _columns_of(ref: Ref, live: State) -> set[Ref]:
    """Return the columns of the object's own table that the object needs."""
    needed = (live.get(n) for n in live.needs(ref))
    return {o.ref for o in needed if isinstance(o, InlinePart) and ref.on in (None, o.ref.on)}


def _types_of(objects: Iterable[Object]) -> set[tuple[str, str]]:
    """Return schema and name of the types that the objects are or have."""
    keys = (key for obj in objects for key in obj.name_keys())
    return {(key[1], key[2]) for key in keys if key[0] == "type"}


def _is_over(obj: NamedByTypes, types: Types) -> bool:
    """Tell whether one of the types, or an array of it, belongs to the object's signature."""
    if not types:
        return False
    named = (split_name(t.removeprefix("SETOF ").replace("[]", "")) for t in obj.signature_types())
    return any((*name,) in types for name in named)
