"""Columns of child tables and partitions, which inherit from the parent's column."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from reconciler.kinds.column.backfill_spec import Backfill
from reconciler.kinds.column.definition import ColumnDefinition
from reconciler.kinds.column.storage import alter_settings
from reconciler.model.context import PlanningContext
from reconciler.model.ref import Ref
from reconciler.model.statement import Statement
from reconciler.server.capabilities import Server
from reconciler.sql import compose, raw


def inherited_fields(column: ColumnDefinition, child: Ref) -> dict[str, Any]:
    """Return the fields in which the child table's column differs from the parent's."""
    not_inherited: dict[str, Any] = dict.fromkeys(
        ("identity", "statistics", "n_distinct", "n_distinct_inherited", "fill_trigger")
    )
    constraint = column.full_not_null
    not_null = constraint is not None and constraint.as_inherited(column.target, child.name)
    if column.nameless:
        not_null = bool(not_null)
    return not_inherited | {"options": {}, "inherited": True, "not_null": not_null}


def fields_of_override(column: ColumnDefinition, parent: ColumnDefinition) -> dict[str, Any]:
    """Return the fields that an override takes from the parent's column."""
    if not column.overrides:
        return {}
    return {
        "type": parent.type,
        "inherited": True,
        "default": None if column.default == "NULL" else column.default,
        "not_null": column.not_null or parent.not_null,
    }


def alter_not_null(
    column: ColumnDefinition,
    old: ColumnDefinition,
    backfill: Backfill | None,
    context: PlanningContext,
) -> Iterable[Statement]:
    """Add, drop or alter NOT NULL, unless the parent's column does."""
    target = column.target
    new, before = column.full_not_null, old.full_not_null
    is_named = context.server.has_not_null_constraints
    if new and before and is_named and (column.also_inherited or old.also_inherited):
        return _rename_not_null(column, old, context)
    if column.overrides and not old.overrides:
        before = None  # the parent's column has what an override leaves out
    elif old.overrides and not column.overrides:
        new, before = None, None if new else before
    if new and not before:
        return new.add(target, backfill, context.server)
    if before and not new:
        return before.drop(target, context)
    stays_inherited = column.overrides or (column.inherited and old.inherited)
    if new and before and new != before and is_named and not stays_inherited:
        return new.alter_from(before, target, backfill)
    return ()


def _rename_not_null(
    column: ColumnDefinition, old: ColumnDefinition, context: PlanningContext
) -> Iterable[Statement]:
    """Rename an inherited NOT NULL.

    If the table changes its parents, `renamed_while_reparenting` renames the constraint instead.
    """
    new, before = column.full_not_null, old.full_not_null
    assert new is not None and before is not None
    table = column.target.on
    stays_inherited = column.also_inherited and old.also_inherited
    if stays_inherited and table not in context.staying_children:
        return ()
    child = context.staying_children.get(table) if old.also_inherited else None
    return new.rename_from(before, column.target, child)


def restate(
    column: ColumnDefinition,
    changed: ColumnDefinition,
    old: ColumnDefinition,
    server: Server,
) -> Iterable[Statement]:
    """Set again where the column differs from the parent's, after `old` was altered to `changed`.

    ALTER TABLE alters the columns of child tables as well, whatever they override.
    """
    target = column.target
    has_default = column.default is not None or not column.overrides
    if changed.default != old.default and has_default:
        yield target.set_default(column.default, before=None)
    both_generated = changed.generated is not None and old.generated is not None
    if column.generated is not None and both_generated and changed.generated != old.generated:
        yield target.alter_column(compose("SET EXPRESSION AS ({})", raw(column.generated)))
    if column.not_null and old.not_null and not changed.not_null:
        yield target.alter_column(raw("SET NOT NULL"))
    if (changed.storage, changed.type) != (old.storage, old.type):
        reset = column.model_copy(update={"storage": None})
        yield from alter_settings(column, reset, target, server)
