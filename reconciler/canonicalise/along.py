"""Collect undeclared objects that cannot stay without what is dropped, as PostgreSQL does."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Set

from reconciler.diff.inherited import ancestors
from reconciler.model.companion import GoesWithColumns, goes_along
from reconciler.model.declared import NamedByTypes
from reconciler.model.object import InlinePart, Object
from reconciler.model.ref import Ref, split_name
from reconciler.model.references import referenced_table
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
            or (isinstance(obj, GoesWithColumns) and _loses_column(ref, live, gone))
            or (isinstance(obj, NamedByTypes) and _is_over(obj, types))
        )
    }


def _loses_column(ref: Ref, live: State, gone: Container[Ref]) -> bool:
    """Tell whether a column that the object needs goes from the object's own table.

    A child table keeps a column that another of its parents has.
    """
    needed = (live.get(n) for n in live.needs(ref))
    lost = {o.ref for o in needed if isinstance(o, InlinePart) and o.ref in gone}
    if ref.on is None:
        return bool(lost)
    above = {*ancestors(ref.on, live)} - {referenced_table(live[ref])}
    kept = {c for c in lost for t in above if (r := c._replace(on=t)) in live and r not in gone}
    return any(c.on == ref.on or (c.on in above and c not in kept) for c in lost)


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
