"""Find columns of existing tables that become NOT NULL without a backfill."""

from __future__ import annotations

from reconciler.model.declared import expressions
from reconciler.model.object import InlinePart
from reconciler.model.state import Declaration, State


def unfilled(declaration: Declaration, live: State) -> dict[tuple[str, str, str], bool]:
    """Return the columns of existing tables that become NOT NULL without a backfill.

    The keys are schema, table and name, the values tell whether the column is new.
    """
    found: dict[tuple[str, str, str], bool] = {}
    for ref, obj in declaration.objects.items():
        before = live.get(ref)
        was_not_null = isinstance(before, InlinePart) and not before.accepts_null
        if not isinstance(obj, InlinePart) or obj.accepts_null or expressions(obj):
            continue
        if ref.on is not None and ref.on in live and not was_not_null and obj.renamed_from is None:
            found[ref.schema, ref.on.name, ref.name] = before is None
    return found
