"""Columns: https://www.postgresql.org/docs/current/sql-altertable.html"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Self

from psycopg import sql

from reconciler.kinds.column.catalog import query
from reconciler.kinds.column.counter import (
    NumberedColumn,
    drop_identity,
    goes_on_counting,
    hand_over,
)
from reconciler.kinds.column.fill_trigger import FillTrigger
from reconciler.kinds.column.identity import Identity, sequence_of
from reconciler.kinds.column.inherited import fields_of_override, inherited_fields, restate
from reconciler.kinds.column.not_null import hazards_of_virtual, read_not_null
from reconciler.kinds.column.online import (
    ShadowSwap,
    add_backfilled,
    add_column,
    alter_type,
    backfill_of_new,
    continue_backfill,
    fill_and_forbid_nulls,
    question_of_adding,
    restore_type,
    shadow_of,
)
from reconciler.kinds.column.replication import ReplicatedColumn
from reconciler.kinds.column.shadow import ShadowColumn
from reconciler.kinds.column.storage import (
    SETTINGS,
    alter_settings,
    has_settings,
    without_settings,
)
from reconciler.kinds.column.target import Target
from reconciler.kinds.column.type_change import spelled_collation
from reconciler.model.catalog_sql import outside_system
from reconciler.model.deferred import Deferred
from reconciler.model.facts import PartitionCopy
from reconciler.model.foreign_options import parse_options
from reconciler.model.object import InlinePart, Object, PlanningContext
from reconciler.model.online_recipe import OnlineRecipe
from reconciler.model.owned import Grantable, Owned, column_access
from reconciler.model.partitioned import build_name
from reconciler.model.privileges import Grants, after_owner_change
from reconciler.model.ref import Ref
from reconciler.model.reserved_names import UNFILLED_COMMENT
from reconciler.model.statement import Hazard, HazardKind, Statement, TypeConversion
from reconciler.model.suspension import Suspendable
from reconciler.model.type_change import ChangesType
from reconciler.server.capabilities import Server
from reconciler.server.connection import Row
from reconciler.sql import compose, raw


class Column(
    Suspendable, Deferred, OnlineRecipe, ChangesType, NumberedColumn, Grantable, ReplicatedColumn
):
    """A column of a table, in short `name: type`."""

    kind: ClassVar[str] = "column"
    adjusted: ClassVar[frozenset[str]] = frozenset({"not_null"})  # by a primary key
    section: ClassVar[str] = "columns"
    oid_column: ClassVar[str] = "pg_class.oid"
    own_rows: ClassVar[str] = f"relkind IN ('r', 'p', 'f') AND {outside_system('relnamespace')}"
    omitted_is_default: ClassVar[bool] = False
    parent_kinds: ClassVar[tuple[str, ...]] = ("table", "foreign_table")

    @classmethod
    def catalog(cls, server: Server) -> str:
        return query(server)

    @classmethod
    def from_row(cls, ref: Ref, row: Row) -> Self:
        assert ref.on is not None
        read_not_null(ref.on.name, ref.name, row)
        if row["identity"] is not None:
            identity = Identity.model_validate(row["identity"])
            row["identity"] = identity.short_form(ref.on.name, ref.name)
        if row["fill_trigger"] is not None:
            row["fill_trigger"] = FillTrigger.read(Target(ref.on, ref.name), **row["fill_trigger"])
        row["collation"] = spelled_collation(*row["collation"]) if row["collation"] else None
        distinct: dict[str, Any] = parse_options(row.pop("attribute_options"))
        row["options"] = parse_options(row["options"])
        row["grants"] = row["grants"] or None
        row["comment"] = (row["comment"] or "").removeprefix(UNFILLED_COMMENT) or None
        return cls(ref=ref, **row, **distinct)

    def free_name(
        self, new: Self, context: PlanningContext
    ) -> tuple[Self, Iterable[Statement]] | None:
        """Rename a NOT NULL constraint to a temporary name, if `new` has another name."""
        before, after = self.full_not_null, new.full_not_null
        if before is None or after is None or not context.server.has_not_null_constraints:
            return None
        same = before.constraint_name(self.target) == after.constraint_name(self.target)
        if same or self.also_inherited or new.also_inherited:
            return None
        temporary = before.model_copy(update={"name": build_name(self.ref)})
        rename = temporary.rename_from(before, self.target, None)
        return self.model_copy(update={"not_null": temporary}), rename

    # -- inheritance -------------------------------------------------------------------------------

    def filled(self, inherited: Object) -> Self:
        if not isinstance(inherited, Column):
            return self
        return self.model_copy(update=fields_of_override(self, inherited))

    def must_own_before(self, was: Object, old: Object, new: Object) -> bool:
        had_not_null = all(getattr(o, "not_null", False) for o in (was, old, self))
        return had_not_null and not getattr(new, "not_null", False)

    def satisfied_by(self, found: Self) -> bool:
        inherited: dict[str, Any] = {"inherited": found.inherited}
        if self.overrides != found.overrides:
            inherited["type"] = found.type
        return self.model_copy(update=inherited).matches(found)

    def inherited_by(self, child: Ref) -> Self:
        return super().inherited_by(child).model_copy(update=inherited_fields(self, child))

    def renamed_while_reparenting(
        self, before: Object, after: Object, context: PlanningContext
    ) -> tuple[Statement, Statement] | None:
        old, new = (
            c.full_not_null if isinstance(c, Column) and c.inherited else None
            for c in (before, after)
        )
        if old is None or new is None or not context.server.has_not_null_constraints:
            return None
        return new.renamed_while_reparenting(old.constraint_name(self.target), self.target)

    def override_clause(self, context: PlanningContext) -> sql.Composable | None:
        """Return a named NOT NULL; PostgreSQL renames no inherited constraint afterwards."""
        not_null = self.full_not_null
        if not self.overrides or not_null is None or not_null.not_valid:
            return None
        if not context.server.has_not_null_constraints:
            return None
        return not_null.table_clause(self.target)

    def restate_overrides(
        self, changed: Object, old: Object, context: PlanningContext
    ) -> Iterable[Statement]:
        """Set again after a change of the parent's column, or of the table's privileges.

        REVOKE on a table revokes the privilege on its columns as well.
        """
        if isinstance(changed, Column) and isinstance(old, Column):
            yield from restate(self, changed, old, context.server)
        elif self.grants and getattr(changed, "grants", None) != getattr(old, "grants", None):
            yield from self._own(None, context)

    def keep_through(
        self, changed: Object, old: Object, context: PlanningContext
    ) -> Iterable[Statement]:
        """Grant again after a change of the table's owner: grantee and grantor change as well."""
        before, after = (o.owner if isinstance(o, Owned) else None for o in (old, changed))
        if self.grants and before and after and before != after:
            yield from self._grant(after_owner_change(self.grants, before, after), context)

    # -- create and drop ---------------------------------------------------------------------------

    def define(self, context: PlanningContext, parts: Sequence[Object] = ()) -> Iterable[Statement]:
        if self.overrides:
            yield from self._define_override(context)
        else:
            question = question_of_adding(self, context)
            added = add_column(self, self.clause(), context)
            yield added.model_copy(update={"question": question})
        for part in parts:
            yield from self._define_in_child(part, context)

    def _define_override(self, context: PlanningContext) -> Iterable[Statement]:
        if self.default is not None:
            yield self.target.alter_column(compose("SET DEFAULT {}", raw(self.default)))
        if self.not_null and self.override_clause(context) is None:
            yield self.target.alter_column(raw("SET NOT NULL"))

    def _define_in_child(self, part: Object, context: PlanningContext) -> Iterable[Statement]:
        """Define an override of the column in an existing child table."""
        named = isinstance(part, Column) and part.override_clause(context) is not None
        if named and part.ref.on is not None:
            yield from part.redefine(self.inherited_by(part.ref.on), context) or ()
        else:
            yield from part.define(context)

    def define_online(
        self, context: PlanningContext, parts: Sequence[Object] = ()
    ) -> Iterable[Statement]:
        backfill = backfill_of_new(self, context)
        if backfill is None:
            return self.define(context)
        return add_backfilled(self, backfill, context)

    def create(
        self, context: PlanningContext, parts: Sequence[InlinePart] = (), *, online: bool = True
    ) -> list[Statement]:
        """Create the fill trigger once: before the backfill, if any, or with the attachments."""
        trigger, path = self.fill_trigger, context.search_path_of(self.ref)
        once = {s.sql for s in trigger.create(self.target, path)} if trigger else set[str]()
        found: list[Statement] = []
        named = self.with_explicit_names(context.shared_constraint_names)
        for statement in super(Column, named).create(context, parts, online=online):
            if statement.sql not in once or all(s.sql != statement.sql for s in found):
                found.append(statement)
        return found

    def attach(self, old: Self | None, context: PlanningContext) -> Iterator[Statement]:
        """Set the attributes of a new column without a clause in ADD COLUMN, too."""
        if old is None:
            yield from (s.model_copy(update={"undo": ()}) for s in self._attach_new(context))
        yield from super().attach(old, context)

    def _attach_new(self, context: PlanningContext) -> Iterator[Statement]:
        if has_settings(self):
            defined: dict[str, Any] = {}
            if not self.overrides:
                defined = {"compression": self.compression, "options": self.options}
            bare = without_settings(self, **defined)
            yield from alter_settings(self, bare, self.target, context.server)
        if self.full_not_null is not None:
            yield from self.full_not_null.attach(self.target)
        if self.full_identity is not None:
            yield from self.full_identity.attach(None, self.target, context)
        if self.fill_trigger is not None:
            yield from self.fill_trigger.create(self.target, context.search_path_of(self.ref))

    def _own(self, old: Self | None, context: PlanningContext) -> Iterator[Statement]:
        yield from self._grant((old.grants if old else None) or {}, context)

    def _grant(self, before: Grants, context: PlanningContext) -> Iterable[Statement]:
        if before == (self.grants or {}):
            return ()
        access = column_access(self.target.on, self.ref.name, str(self.ref), context)
        return access.changes(before, self.grants or {})

    def every_grants(self) -> Iterator[Grants | None]:
        yield from (self.grants, self.full_identity.grants if self.full_identity else None)

    def remove(self, context: PlanningContext) -> Iterable[Statement]:
        if self.fill_trigger is not None:
            path = context.search_path_of(self.ref)
            for statement in self.fill_trigger.drop(self.target, path):
                yield statement.model_copy(update={"undo": None})
        if not self.overrides:
            lost = Hazard(
                hazard=HazardKind.DATA_LOSS, reason=f"{self.ref} is dropped with its values"
            )
            drop = compose("DROP COLUMN {}", self.ref.name)
            dropped = self.target.alter(drop, hazards=(lost,) if self.generated is None else ())
            yield dropped.model_copy(update={"ties": "references"})

    @property
    def accepts_null(self) -> bool:
        return not self.not_null

    def for_existing_rows(self) -> Self:
        filled = self.default is not None or self.generated is not None or self.identity is not None
        return self if filled else self.model_copy(update={"not_null": False})

    def remove_after_parent(self, context: PlanningContext) -> Iterable[Statement]:
        if self.fill_trigger is not None:
            yield self.fill_trigger.drop_function(self.target)

    def define_deferred(self, old: Self | None, context: PlanningContext) -> Iterable[Statement]:
        """Add the identity after a drop of the old default's sequence, to reuse the name."""
        if self.full_identity is not None and old is not None and old.full_identity is None:
            saved = sequence_of(old.default) is not None
            yield from self.full_identity.add(self.type, self.target, context, saved=saved)

    def deferred_needs(self) -> frozenset[Ref]:
        sequence = self.relation_name
        return frozenset({Ref("sequence", self.ref.schema, sequence)} if sequence else ())

    # -- alter -------------------------------------------------------------------------------------

    def redefine(self, old: Self, context: PlanningContext) -> Iterable[Statement] | None:
        if self.must_be_replaced(old, context.server):
            return None
        found = list(self._alter(old, context))
        if found and old.must_be_replaced(self, context.server):  # undo by replacement
            return [s.model_copy(update={"undo": () if n else None}) for n, s in enumerate(found)]
        return found

    def needs_dependents_dropped(self, old: Self) -> bool:
        return self.changes_type(old)

    def rewrites_values(self, old: Self) -> bool:
        return self.changes_type(old) and self.type_change(old).is_costly

    def _alter(self, old: Self, context: PlanningContext) -> Iterable[Statement]:
        identity, old_identity = self.full_identity, old.full_identity
        if old_identity is not None and identity is None:
            if sequence_of(self.default) is not None:
                yield from drop_identity(old, context, counts_on=True)
            else:
                yield old_identity.drop(self.target, context)
        if old.generated is not None and self.generated is None:
            yield self.target.alter_column(raw("DROP EXPRESSION"))
        yield from self._alter_type_and_default(old, context)
        if self.changes_type(old):  # which resets them
            old = old.model_copy(update={"storage": None, "compression": None})
        yield from self._alter_expression(old, context)
        yield from fill_and_forbid_nulls(self, old, context)
        yield from alter_settings(self, old, self.target, context.server)
        if identity is not None and old_identity is not None:
            yield from identity.alter_from(old_identity, self.type, self.target, context)

    def _alter_type_and_default(self, old: Self, context: PlanningContext) -> Iterable[Statement]:
        """Drop the default while the type changes: PostgreSQL may have no cast for the default."""
        default = old.default
        if self.changes_type(old):
            if default is not None:
                yield self.target.set_default(None, before=default)
                default = None
            yield alter_type(self, old, context)
        if self.default != default:
            yield self.target.set_default(self.default, before=default)
        yield from hand_over(self, old)

    def _alter_expression(self, old: Self, context: PlanningContext) -> Iterable[Statement]:
        if self.generated is None or old.generated is None or self.generated == old.generated:
            return
        computed = self.target.set_expression(
            self.generated, old.generated, context, virtual=self.virtual
        )
        hazards = hazards_of_virtual(self.full_not_null, self.target, context)
        yield computed.model_copy(update={"hazards": hazards}) if self.virtual else computed

    # -- suspended while a type or collation is replaced -------------------------------------------

    def suspend(self, context: PlanningContext) -> Iterable[Statement] | None:
        """Drop identity and default, as both may depend on the replaced object."""
        if self.generated is not None:
            return None
        found: list[Statement] = []
        if self.full_identity is not None:
            counts_on = goes_on_counting(self, context)
            found = [*drop_identity(self, context, counts_on=counts_on)]
        if self.default is not None:
            found.append(self.target.set_default(None, before=self.default))
        return found

    def restore(
        self, old: Self, conversions: Mapping[str, TypeConversion], context: PlanningContext
    ) -> Iterable[Statement]:
        yield from restore_type(self, old, conversions, context)
        if self.default is not None:
            yield self.target.set_default(self.default, before=None)
            yield from hand_over(self, old)

    def after_restore(self, old: Self, context: PlanningContext) -> Self:
        restored = {"type": self.type, "collation": self.collation, "default": self.default}
        return old.model_copy(update=restored | {"identity": None})

    def shadow(self, old: Object, context: PlanningContext) -> str:
        shadow = shadow_of(self, old, context) if isinstance(old, Column) else None
        return shadow.ref.name if shadow is not None else ""

    @property
    def value_type(self) -> str:
        return self.type

    def swap(self, old: Object, context: PlanningContext) -> Iterable[Statement]:
        assert isinstance(old, Column)
        shadow = shadow_of(self, old, context)
        assert shadow is not None
        swap = ShadowSwap(shadow, self, old, context)
        yield from swap.before()
        yield from swap.swap(super(Column, old).attach(None, context))

    def after_swap(self, old: Object) -> Self:
        assert isinstance(old, type(self))
        swapped = {f: getattr(self, f) for f in (*SETTINGS, "type", "collation", "default")}
        swapped |= {"identity": None} if self.identity is None else {}
        return old.model_copy(update=swapped)

    def reuses(self, old: Self | None, context: PlanningContext) -> frozenset[Ref]:
        shadow = shadow_of(self, old, context) if old is not None else None
        in_sync = shadow is not None and shadow.is_in_sync(context.leftovers)
        return frozenset({shadow.ref} if shadow is not None and in_sync else ())

    def finish_interrupted(self, context: PlanningContext) -> Iterable[Statement]:
        return continue_backfill(self, context)

    def drop_leftover(self, *, declared: bool = True) -> Iterable[Statement]:
        return ShadowColumn.from_leftover(self).drop()

    def replay(self, copies: Mapping[Ref, PartitionCopy]) -> Iterable[Statement]:
        return ShadowColumn.from_leftover(self).recreate_leftovers()
