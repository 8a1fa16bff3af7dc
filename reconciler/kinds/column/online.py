"""Add, fill and retype columns online, in short transactions and batches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from psycopg import sql

from reconciler.kinds.column.backfill_spec import Backfill, fill
from reconciler.kinds.column.definition import ColumnDefinition
from reconciler.kinds.column.fill_trigger import FillTrigger
from reconciler.kinds.column.identity import Identity
from reconciler.kinds.column.inherited import alter_not_null
from reconciler.kinds.column.narrowing import question_of_narrowing, question_of_using
from reconciler.kinds.column.not_null import drop_check, hazards_of_virtual
from reconciler.kinds.column.shadow import ShadowColumn
from reconciler.kinds.column.storage import alter_settings, without_settings
from reconciler.kinds.column.target import Target
from reconciler.model.context import PlanningContext
from reconciler.model.datatype import COLLATE_PREFIX
from reconciler.model.reserved_names import SETTING_PREFIX, UNFILLED_COMMENT
from reconciler.model.spelling import collation_sql
from reconciler.model.statement import Hazard, HazardKind, Question, Statement, TypeConversion
from reconciler.sql import compose, literal, raw, text

# -- backfills -------------------------------------------------------------------------------------


def declared_backfill(column: ColumnDefinition, context: PlanningContext) -> Backfill | None:
    """Return the declared backfill, or a backfill with the fill trigger's value, or None."""
    declared = context.declared.get(column.ref)
    backfill = declared.backfill if isinstance(declared, ColumnDefinition) else None
    if backfill is None and column.fill_trigger is not None:
        backfill = column.fill_trigger.as_backfill()
    if backfill is not None and backfill.keep_filled == "always":
        return backfill.model_copy(update={"computed": column.type})
    return backfill


def backfill_of_new(column: ColumnDefinition, context: PlanningContext) -> Backfill | None:
    """Return the backfill of a column to be added; None if ADD COLUMN fills every row.

    A volatile default rewrites the table, so rows of a large table are backfilled with the default.
    """
    if column.overrides or column.target.foreign:
        return None
    backfill = declared_backfill(column, context)
    if backfill is not None or column.default is None or not column.volatile:
        return backfill
    is_tiny = context.size(column.target.on).tiny
    return None if is_tiny else Backfill(value=column.default, sure=True)


def add_backfilled(
    column: ColumnDefinition, backfill: Backfill, context: PlanningContext
) -> Iterable[Statement]:
    """Add the column without default, backfill the rows, and add NOT NULL.

    A comment marks an unfinished backfill for the next run, unless a missing NOT NULL does.
    """
    if _is_filled_by_adding(column, backfill):
        yield from _add_filled(column, backfill, context)
        return
    target, not_null = column.target, column.full_not_null
    bare = column.model_copy(update={"not_null": False, "default": None})
    yield add_column(column, bare.clause(), context, backfilled=True)
    if column.default is not None:
        yield target.set_default(column.default, before=None)
    is_marked = not_null is None or declared_backfill(column, context) is None
    if is_marked:
        yield target.comment_on(UNFILLED_COMMENT + (column.comment or ""))
    if column.fill_trigger is not None:
        yield from column.fill_trigger.create(target, context.search_path_of(column.ref))
    if not_null is not None:
        yield from not_null.add(target, backfill, context.server)
    else:
        yield fill(target, backfill, partial=bool(backfill.computed))
    if is_marked:
        yield target.comment_on(column.comment)


def _is_filled_by_adding(column: ColumnDefinition, backfill: Backfill) -> bool:
    """Tell whether ADD COLUMN fills all rows with the value, without writing them."""
    own = column.fill_trigger is None and not column.rewrites_table(volatile_default=False)
    return own and backfill.constant


def _add_filled(
    column: ColumnDefinition, backfill: Backfill, context: PlanningContext
) -> Iterable[Statement]:
    """Add the column with the value of the backfill as the default, then set the declared one."""
    filled = column.model_copy(update={"default": backfill.value})
    yield add_column(filled, filled.clause(), context, backfilled=True)
    if column.default != backfill.value:
        yield column.target.set_default(column.default, before=backfill.value)


def continue_backfill(column: ColumnDefinition, context: PlanningContext) -> Iterable[Statement]:
    """Finish the backfill of an interrupted run and remove the mark."""
    default = Backfill(value=column.default or "NULL", sure=True)
    backfill = declared_backfill(column, context) or default
    yield fill(column.target, backfill, partial=bool(backfill.computed and not column.not_null))
    yield column.target.comment_on(column.comment)


def add_column(
    column: ColumnDefinition,
    clause: sql.Composable,
    context: PlanningContext,
    *,
    backfilled: bool = False,
) -> Statement:
    """Add the column, marked as a rewrite of the table if it is one.

    The table's schema gets the sequence of an identity column.
    """
    target, add = column.target, compose("ADD COLUMN {}", clause)
    undo = compose("DROP COLUMN {}", column.ref.name) if backfilled else None
    where = "schema" if column.full_identity is not None else ""
    is_tiny = context.size(target.on).tiny
    volatile_default = column.volatile and not backfilled and not is_tiny
    rewrites = column.rewrites_table(volatile_default=volatile_default) and not target.foreign
    hazards = hazards_of_virtual(column.full_not_null, target, context) if column.virtual else ()
    added = target.added(add, undo, context) if rewrites else target.alter(add, undo)
    added = added.model_copy(update={"hazards": (*added.hazards, *hazards)})
    return added.model_copy(update={"needs_create_on": where})


def question_of_adding(column: ColumnDefinition, context: PlanningContext) -> Question | None:
    """Ask whether the table has rows, if the column is NOT NULL and nothing fills it.

    A domain may have a default of its own.
    """
    not_null, target = column.full_not_null, column.target
    if not_null is None or not_null.not_valid or target.foreign or target.on in context.created:
        return None
    if (column.default, column.generated, column.identity) != (None, None, None):
        return None
    has_default = compose(
        "NOT EXISTS (SELECT FROM pg_catalog.pg_type AS t WHERE t.oid = pg_catalog.to_regtype({}) "
        "AND t.typdefault IS NOT NULL)",
        literal(column.type),
    )
    return Question(
        relation=text(target.table),
        condition=text(has_default),
        meaning=f"{target.relation} has rows, and nothing fills this NOT NULL column in them",
        remedy="declare a default or a backfill",
        must_know=True,
    )


def fill_and_forbid_nulls(
    new: ColumnDefinition, old: ColumnDefinition, context: PlanningContext
) -> Iterable[Statement]:
    """Change the fill trigger, fill existing rows, and alter NOT NULL."""
    target, trigger, old_trigger = new.target, new.fill_trigger, old.fill_trigger
    path, backfill = context.search_path_of(new.ref), declared_backfill(new, context)
    if trigger is not None and trigger != old_trigger:
        yield from _change_fill_trigger(trigger, old_trigger, target, path)
        if trigger.always:
            yield from _compute_anew(new, old, backfill)
    not_null = list(alter_not_null(new, old, backfill, context))
    if new.ref in context.unfinished:  # the same plan finishes the interrupted backfill before
        not_null = [s.model_copy(update={"question": None}) for s in not_null]
    is_filled = bool(new.not_null) or any(s.fill for s in not_null)
    if trigger is not None and old_trigger is None and not (is_filled or trigger.always):
        yield fill(target, backfill)
    yield from not_null
    if old_trigger is not None and trigger is None:
        yield from old_trigger.drop(target, path)


def _change_fill_trigger(
    trigger: FillTrigger, old: FillTrigger | None, target: Target, path: str
) -> Iterable[Statement]:
    return trigger.create(target, path) if old is None else trigger.change_from(old, target, path)


def _compute_anew(
    new: ColumnDefinition, old: ColumnDefinition, backfill: Backfill | None
) -> Iterable[Statement]:
    """Fill the rows of an existing column that hold another value than the trigger sets.

    A comment marks an unfinished backfill for the next run.
    """
    target, before = new.target, old.fill_trigger
    filled = fill(target, backfill, partial=new.full_not_null is None)
    if before is None or not before.always:
        lost = f"values of {new.ref} that differ from those of the backfill are replaced"
        hazard = Hazard(hazard=HazardKind.DATA_LOSS, reason=lost)
        filled = filled.model_copy(update={"hazards": (hazard,)})
    yield target.comment_on(UNFILLED_COMMENT + (old.comment or ""))
    yield filled
    yield target.comment_on(old.comment)


# -- changes of type -------------------------------------------------------------------------------


def alter_type(new: ColumnDefinition, old: ColumnDefinition, context: PlanningContext) -> Statement:
    """Alter type and collation under lock; ALTER COLUMN … TYPE resets storage and compression."""
    target, using = new.target, _declared_using(new, context)
    change = new.type_change(old)
    reset = old.model_copy(update={"storage": None, "compression": None})
    restored = alter_settings(old, reset, target, context.server)
    action = change.action(raw(using) if using is not None else None)
    undo = (target.alter_column_sql(change.undo_action()), *(s.sql for s in restored))
    hazards = tuple(change.hazards(using))
    alter = target.alter_column(action, undo=undo, hazards=hazards)
    alter = alter.model_copy(update={"question": _question_of_type(new, old, context)})
    if not change.rewrites:
        return alter.model_copy(update={"ties": "references"})
    online = not _refusal(new, old) and new.ref not in context.unswappable
    return target.retyped(alter, action, change.undo_action(), context, online=online)


def _question_of_type(
    new: ColumnDefinition, old: ColumnDefinition, context: PlanningContext
) -> Question | None:
    """Ask for values that the new type does not accept."""
    target = new.target
    if _declared_using(new, context) is not None:
        return question_of_using(target.column, target.table, target.relation)
    return question_of_narrowing(
        old.type, new.type, target.column, target.table, target.relation, context.server
    )


def _declared_using(column: ColumnDefinition, context: PlanningContext) -> str | None:
    """Return the declared expression for the new values, if any."""
    declared = context.declared.get(column.ref)
    return declared.using if isinstance(declared, ColumnDefinition) else None


def restore_type(
    new: ColumnDefinition,
    old: ColumnDefinition,
    conversions: Mapping[str, TypeConversion],
    context: PlanningContext,
) -> Iterable[Statement]:
    """Convert a suspended column to the replacement of its type or collation, or to another."""
    conversion, collated = conversions.get(old.type), None
    suspended = old.model_copy(update={"default": None, "identity": None})
    if conversion is not None:
        suspended = suspended.model_copy(update={"type": conversion.old_name})
    if old.collation is not None:
        collated = conversions.get(COLLATE_PREFIX + text(collation_sql(old.collation)))
    if conversion is not None and new.type == old.type:
        yield new.target.change_type(conversion, context)
    elif collated is not None:
        renamed = suspended.model_copy(update={"collation": collated.old_name})
        yield alter_type(new, renamed, context)
    elif new.changes_type(old):
        yield alter_type(new, suspended, context)


def shadow_of(
    new: ColumnDefinition, old: ColumnDefinition, context: PlanningContext
) -> ShadowColumn | None:
    """Return the shadow column, if an online change of type is declared and avoids a rewrite.

    Raises PlanError if the column can have no shadow column.
    """
    declared, change = context.declared.get(new.ref), new.type_change(old)
    if not isinstance(declared, ColumnDefinition) or declared.retype is None:
        return None
    if not new.changes_type(old) or not change.is_costly:
        return None
    if why := _refusal(new, old):
        raise new.unable(why)
    value = raw(declared.using) if declared.using is not None else change.value
    return ShadowColumn.of(new, text(value), declared.retype, context)


def _refusal(new: ColumnDefinition, old: ColumnDefinition) -> str:
    """Return the reason against a shadow column, or ""."""
    reasons = {
        "its rows are another server's": new.target.foreign,
        "it is generated": new.generated is not None or old.generated is not None,
        "a parent has it too": new.inherited or old.inherited,
        f"{new.type} has constraints, and adding a column of it writes every row anew too": (
            new.constrained
        ),
    }
    return next((why for why, holds in reasons.items() if holds), "")


@dataclass(frozen=True)
class ShadowSwap:
    """The swap of the column `old` for the shadow column, to become `new`."""

    shadow: ShadowColumn
    new: ColumnDefinition
    old: ColumnDefinition
    context: PlanningContext

    @property
    def _target(self) -> Target:
        return self.new.target

    @property
    def _path(self) -> str:
        return self.context.search_path_of(self.new.ref)

    @property
    def _kept_identity(self) -> Identity | None:
        return self.old.full_identity if self.new.full_identity is not None else None

    def before(self) -> Iterator[Statement]:
        """Create the shadow column, unless an interrupted run did, and fill the rows."""
        found: list[Statement] = []
        if self.shadow.is_in_sync(self.context.leftovers):
            found += self.shadow.replace_function()
        else:
            found += self.shadow.create()
            bare = without_settings(self.new)
            found += _without_undo(
                alter_settings(self.new, bare, self.shadow.target, self.context.server)
            )
        not_null = self.old.full_not_null
        question = _question_of_type(self.new, self.old, self.context)
        found[0] = found[0].model_copy(update={"question": question})
        found += self.shadow.fill(nulls=not_null is None or not_null.not_valid)
        yield from (s.model_copy(update={"before_swap": True}) for s in found)

    def swap(self, attached: Iterable[Statement]) -> Iterator[Statement]:
        """Drop the column and rename the shadow column, in one transaction.

        `attached` sets comment and privileges of `old`. Undo rewrites the table.
        """
        target, identity = self._target, self._kept_identity
        setting = SETTING_PREFIX + self.shadow.target.column
        yield from self._drop_default_and_identity()
        yield from self._drop_triggers()
        if identity is not None:
            yield from identity.save_value(target, setting)
        using = _declared_using(self.new, self.context)
        losses = tuple(self.new.type_change(self.old).losses(using))
        yield target.alter(compose("DROP COLUMN {}", target.column), undo=(), hazards=losses)
        shadow = self.shadow.target
        rename = compose("RENAME COLUMN {} TO {}", shadow.column, target.column)
        yield shadow.alter(rename, undo=())
        yield from self._add_not_null()
        if identity is not None:
            yield from identity.add_with_saved_value(target, setting, self.context)
        if self.old.fill_trigger is not None:
            yield from _without_undo(self.old.fill_trigger.create(target, self._path))
        for statement in attached:  # privileges of `old` and therefore no hazard
            yield statement.model_copy(update={"undo": (), "hazards": ()})
        if self.new.default is not None:
            yield target.set_default(self.new.default, before=None)

    def _drop_default_and_identity(self) -> Iterator[Statement]:
        old_identity = self.old.full_identity
        if self.old.default is not None:
            yield self._target.set_default(None, before=self.old.default)
        if old_identity is not None and self._kept_identity is None:
            yield old_identity.drop(self._target, self.context)

    def _drop_triggers(self) -> Iterator[Statement]:
        first, *more = self.shadow.drop_trigger()
        yield first.model_copy(update={"undo": tuple(self._undo_sql())})
        yield from more
        if self.old.fill_trigger is not None:
            yield from _without_undo(self.old.fill_trigger.drop(self._target, self._path))

    def _add_not_null(self) -> Iterator[Statement]:
        not_null = self.old.full_not_null
        if not_null is not None:
            yield from not_null.add_to_swapped(self._target, self.context.server)
            if not not_null.not_valid:
                yield drop_check(self.shadow.target)

    def _undo_sql(self) -> Iterator[str]:
        """Yield ALTER COLUMN … TYPE back to the old type.

        The fill trigger names the column in its condition, and PostgreSQL refuses to alter the
        type of such a column.
        """
        target, trigger = self._target, self.old.fill_trigger
        if trigger is not None:
            yield from (s.sql for s in trigger.drop(target, self._path))
        yield target.alter_column_sql(self.new.type_change(self.old).undo_action())
        kept = without_settings(
            self.old,
            statistics=self.new.statistics,
            n_distinct=self.new.n_distinct,
            n_distinct_inherited=self.new.n_distinct_inherited,
        )
        yield from (s.sql for s in alter_settings(self.old, kept, target, self.context.server))
        if trigger is not None:
            yield from (s.sql for s in trigger.create(target, self._path))


def _without_undo(statements: Iterable[Statement]) -> Iterator[Statement]:
    return (s.model_copy(update={"undo": ()}) for s in statements)
