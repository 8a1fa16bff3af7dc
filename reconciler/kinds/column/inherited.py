"""What a column of a parent leaves to its heirs, and what theirs leave to it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

from reconciler.kinds.column.backfill_spec import Backfill
from reconciler.kinds.column.not_null import NotNull
from reconciler.kinds.column.storage import Plain, Stored, settings
from reconciler.kinds.column.target import Target
from reconciler.model.context import PlanningContext
from reconciler.model.ref import Ref
from reconciler.model.statement import Statement
from reconciler.server.capabilities import Server
from reconciler.sql import compose, raw


class Heirloom(Stored, Protocol):
    """What of a column may be its parent's."""

    @property
    def default(self) -> str | None: ...
    @property
    def generated(self) -> str | None: ...
    @property
    def inherited(self) -> bool: ...
    @property
    def also_inherited(self) -> bool: ...
    @property
    def not_null(self) -> bool | NotNull: ...
    @property
    def forbidden(self) -> NotNull | None: ...
    @property
    def overrides(self) -> bool: ...
    @property
    def nameless(self) -> bool: ...


def handed_down(column: Heirloom, target: Target, child: Ref) -> dict[str, Any]:
    """What the column at that place is for an heir, where it is not the same."""
    own: dict[str, Any] = dict.fromkeys(
        ("identity", "statistics", "n_distinct", "n_distinct_inherited", "fill_trigger")
    )
    forbidden = column.forbidden
    not_null = forbidden is not None and forbidden.handed_down(target, child.name)
    if column.nameless:
        not_null = bool(not_null)
    return own | {"options": {}, "inherited": True, "not_null": not_null}


def filled(column: Heirloom, given: Heirloom) -> dict[str, Any]:
    """What makes an override a column that says everything itself."""
    if not column.overrides:
        return {}
    default = None if column.default == "NULL" else column.default
    return {
        "type": given.type,
        "inherited": True,
        "default": default,
        "not_null": column.not_null or given.not_null,
    }


def nulls(
    column: Heirloom,
    old: Heirloom,
    target: Target,
    backfill: Backfill | None,
    context: PlanningContext,
) -> Iterable[Statement]:
    """Forbid or allow nulls, as far as no parent does."""
    new, was, named = column.forbidden, old.forbidden, context.server.has_not_null_constraints
    if (
        named
        and (column.also_inherited or old.also_inherited)
        and new is not None
        and was is not None
    ):
        if (
            not (column.also_inherited and old.also_inherited)
            or target.on in context.staying_children
        ):  # else it is lent the name
            yield from new.renamed_from(
                was, target, context.staying_children.get(target.on) if old.also_inherited else None
            )
        return
    if column.overrides != old.overrides:  # what an override leaves out is as the parent has it
        new, was = (new, None) if column.overrides else (None, None if new is not None else was)
    if new is not None and was is None:
        yield from new.forbid(target, backfill, context.server)
    elif new is None and was is not None:
        yield from was.allow(target, context)
    elif (
        new is not None
        and was is not None
        and new != was
        and named
        and not (column.overrides or (column.inherited and old.inherited))
    ):
        yield from new.changed_from(was, target, backfill)


def said_again(
    column: Heirloom, changed: Heirloom, old: Heirloom, target: Target, server: Server
) -> Iterable[Statement]:
    """What is said of a parent's column goes for its heirs': say again what an heir has otherwise."""
    if changed.default != old.default and (column.default is not None or not column.overrides):
        yield target.default(column.default, before=None)
    if (
        column.generated is not None
        and None not in (changed.generated, old.generated)
        and changed.generated != old.generated
    ):
        yield target.alter_column(compose("SET EXPRESSION AS ({})", raw(column.generated)))
    if column.not_null and old.not_null and not changed.not_null:
        yield target.alter_column(raw("SET NOT NULL"))
    if (changed.storage, changed.type) != (old.storage, old.type):
        distinct = column.n_distinct, column.n_distinct_inherited
        forgotten = Plain(
            column.type, None, column.compression, column.statistics, *distinct, column.options
        )
        yield from settings(column, forgotten, target, server)
