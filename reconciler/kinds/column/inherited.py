"""Columns of child tables and partitions, inherited from the parent's column."""

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
    """Return the fields of a child table's column with other values than the parent's."""
    not_inherited: dict[str, Any] = dict.fromkeys(
        ("identity", "statistics", "n_distinct", "n_distinct_inherited", "fill_trigger")
    )
    constraint = column.full_not_null
    not_null = constraint is not None and constraint.as_inherited(column.target, child.name)
    if column.nameless:
        not_null = bool(not_null)
    return not_inherited | {"options": {}, "inherited": True, "not_null": not_null}


def fields_of_override(column: ColumnDefinition, parent: ColumnDefinition) -> dict[str, Any]:
    """Return the fields of an override taken from the parent's column."""
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
    new, before = column.full_not_null, old.full_not_null
    if new and before and context.server.has_not_null_constraints:
        return _alter_constraint(column, old, backfill, context)
    if column.overrides and not old.overrides:
        before = None  # the parent's column has what an override leaves out
    elif old.overrides and not column.overrides:
        new, before = None, None if new else before
    if new and not before:
        return new.add(column.target, backfill, context.server)
    if before and not new:
        return before.drop(column.target, context)
    return ()


def _alter_constraint(
    column: ColumnDefinition,
    old: ColumnDefinition,
    backfill: Backfill | None,
    context: PlanningContext,
) -> Iterable[Statement]:
    new, before = column.full_not_null, old.full_not_null
    assert new is not None and before is not None
    if column.also_inherited or old.also_inherited:
        return _rename_not_null(column, old, context)
    return () if new == before else new.alter_from(before, column.target, backfill, context)


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
    """Repeat the column's own settings after `old`, the parent's column, was altered to `changed`.

    ALTER TABLE alters the columns of child tables as well, whatever they override.
    """
    target = column.target
    has_default = column.default is not None or not column.overrides
    if changed.default != old.default and has_default:
        yield target.set_default(column.default, before=None)
    if column.generated is not None and _alters_expression(changed, old):
        yield target.alter_column(compose("SET EXPRESSION AS ({})", raw(column.generated)))
    if column.not_null and old.not_null and not changed.not_null:
        yield target.alter_column(raw("SET NOT NULL"))
    if (changed.storage, changed.type) != (old.storage, old.type):
        reset = column.model_copy(update={"storage": None})
        yield from alter_settings(column, reset, target, server)


def _alters_expression(changed: ColumnDefinition, old: ColumnDefinition) -> bool:
    if changed.generated is None or old.generated is None:
        return False
    return changed.generated != old.generated
