"""Find columns of existing tables that become NOT NULL without a backfill."""

from __future__ import annotations

from collections.abc import Set

from reconciler.model.declared import expressions
from reconciler.model.object import InlinePart
from reconciler.model.ref import Ref
from reconciler.model.state import Declaration, State


def unfilled(
    declaration: Declaration, live: State, among: Set[Ref] | None = None
) -> dict[tuple[str, str, str], bool]:
    """Return the columns of existing tables that become NOT NULL without a backfill.

    The keys are schema, table and name, the values tell whether the column is new. `among` are the
    refs to look at, by default all.
    """
    found: dict[tuple[str, str, str], bool] = {}
    objects = declaration.objects
    for ref in objects if among is None else objects.keys() & among:
        obj, before = objects[ref], live.get(ref)
        if not isinstance(obj, InlinePart) or obj.accepts_null or expressions(obj):
            continue
        was_not_null = isinstance(before, InlinePart) and not before.accepts_null
        if ref.on is not None and ref.on in live and not was_not_null and obj.renamed_from is None:
            found[ref.schema, ref.on.name, ref.name] = before is None
    return found
