"""Table constraints: https://www.postgresql.org/docs/current/ddl-constraints.html

NOT NULL belongs to the column. Constraints that a partition or child table inherits are no
objects of their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import ClassVar, Self

from reconciler.kinds.constraint.catalog import query
from reconciler.kinds.constraint.definition import ConstraintDefinition, column_list
from reconciler.kinds.constraint.foreign_keys import (
    create_leaves_first,
    must_be_valid,
    referencing,
)
from reconciler.kinds.constraint.foreign_keys import reused_by as reused_by_foreign_key
from reconciler.kinds.constraint.keys import (
    can_build_before,
    create_key,
    replace_key,
    restore_nulls,
    reused_by,
)
from reconciler.kinds.constraint.questions import with_question
from reconciler.kinds.constraint.temporal import in_one_form
from reconciler.model.declared import DeclaresPart
from reconciler.model.inheritance import Inheriting
from reconciler.model.object import InlinePart, Object, PlanningContext
from reconciler.model.partitioned import recreate_absorbed
from reconciler.model.partitioned_build import PartitionedBuild
from reconciler.model.ref import Ref
from reconciler.model.reserved_names import (
    BOUND_CHECK_PREFIX,
    NOT_NULL_CHECK_PREFIX,
    UNVALIDATED_COMMENT,
)
from reconciler.model.resumption import Resumable, ValidatedLater
from reconciler.model.row_identity import IdentifiesRows
from reconciler.model.statement import Hazard, HazardKind, Statement, TypeConversion
from reconciler.model.successor import FollowsName
from reconciler.model.suspension import Suspendable
from reconciler.model.type_change import FollowsTypeChange
from reconciler.server.capabilities import Server
from reconciler.server.connection import Row
from reconciler.sql import compose, text


class Constraint(
    ValidatedLater,
    DeclaresPart,
    Suspendable,
    FollowsTypeChange,
    Resumable,
    IdentifiesRows,
    FollowsName,
    ConstraintDefinition,
):
    """A check, unique, primary key, foreign key or exclusion constraint."""

    kind: ClassVar[str] = "constraint"
    adjusted: ClassVar[frozenset[str]] = frozenset(  # the actions are read from `references` too
        {"pieces", "on_delete", "on_update", "match", "period"}
    )
    section: ClassVar[str] = "constraints"
    oid_column: ClassVar[str] = "pg_constraint.oid"
    own_rows: ClassVar[str] = (
        "conrelid <> 0 AND (contype IN ('c', 'u', 'p', 'f', 'x') OR NOT convalidated)"
    )
    parent_kinds: ClassVar[tuple[str, ...]] = ("table", "foreign_table")
    omitted_is_default: ClassVar[bool] = True
    first_version: ClassVar[Mapping[str, int]] = {
        "nulls_not_distinct": 15,
        "on_delete_columns": 15,
        "without_overlaps": 18,
        "period": 18,
        "not_enforced": 18,
    }

    @classmethod
    def catalog(cls, server: Server) -> str:
        return query(server)

    @classmethod
    def from_row(cls, ref: Ref, row: Row) -> Self:
        if (row["comment"] or "").startswith(UNVALIDATED_COMMENT):
            comment = row["comment"].removeprefix(UNVALIDATED_COMMENT) or None
            row |= {"comment": comment, "not_valid": False}
        referenced, columns = row.pop("referenced"), row.pop("referenced_columns")
        period = row.pop("period")
        if referenced is not None:
            listed = column_list(columns, "PERIOD " if period else "")
            row |= {"references": f"{referenced}({listed})", "period": period}
        else:
            row |= {"on_delete": "no action", "on_update": "no action", "without_overlaps": period}
        row["options"] = dict(o.split("=", 1) for o in row["options"] or ())
        if row["exclude"] is not None:
            row["exclude"] = (
                row["exclude"]
                .removeprefix("EXCLUDE ")
                .removesuffix(" INITIALLY DEFERRED")
                .removesuffix(" DEFERRABLE")
            )
            row["options"] = {}
        return cls(ref=ref, **row)

    @classmethod
    def entry(cls, key: str, body: object) -> tuple[str, object]:
        return key, in_one_form(body)

    @classmethod
    def declared_part(
        cls, ref: Ref, fields: Mapping[str, object]
    ) -> tuple[Ref, str, dict[str, object]] | None:
        """Move NOT NULL, with its name, to the column."""
        column = fields.get("not_null")
        if not isinstance(column, str):
            return None
        further = {k: v for k, v in fields.items() if k != "not_null"}
        if others := further.keys() - {"no_inherit", "not_valid", "comment"}:
            raise ValueError(f"{min(others)} beside not_null means nothing")
        own = Ref("column", ref.schema, column, ref.on)
        return own, "not_null", {"name": ref.name, **further}

    @classmethod
    def absent_part(cls, ref: Ref, owner: Object) -> dict[str, object]:
        """Find the column by the name of the NOT NULL constraint."""
        is_named = isinstance(owner, InlinePart) and ref.name in owner.reserved_constraint_names()
        return {"not_null": False} if is_named else {}

    def is_inherited_by(self, child: Inheriting) -> bool:
        return not self.no_inherit if self.check is not None else child.is_partition

    def following_name(self, old: Ref, new: Ref) -> Self | None:
        """Return a foreign key of another table, with a reference to `new`."""
        references = referencing(self.references, old, new)
        if references is None or self.ref.on == old:
            return None
        return self.model_copy(update={"references": references})

    @property
    def identifies_rows(self) -> bool:
        return self.primary_key is not None and self.deferrable is None

    def accepts(self, dependency: Object) -> bool:
        nullable = isinstance(dependency, InlinePart) and dependency.accepts_null
        return self.primary_key is None or not nullable

    # -- create ------------------------------------------------------------------------------------

    def define(self, context: PlanningContext, parts: Sequence[Object] = ()) -> Iterable[Statement]:
        add = self.add(not_valid=self.not_valid)
        unread = self.ref.on in context.created or self.not_valid or self.not_enforced
        if not unread:
            add = add.model_copy(update={"hazards": (self._scan(context),)})
        yield from with_question([add], self, context)
        named = self.name_partition_copies(context)
        yield from (s.model_copy(update={"undo": None}) for s in named)

    def define_online(
        self, context: PlanningContext, parts: Sequence[Object] = ()
    ) -> Iterable[Statement]:
        return with_question(self._define_online(context), self, context)

    def _define_online(self, context: PlanningContext) -> Iterable[Statement]:
        if self.is_key:
            yield from (
                PartitionedBuild(self, context).statements
                if self.partitioned
                else self.create_on_leaf(context)
            )
        elif self.has_index:
            hazards = (self._scan(context),)
            yield self.add(not_valid=False).model_copy(update={"hazards": hazards})
        elif must_be_valid(self, context):
            yield from create_leaves_first(self, context)
        else:
            undo = (self.plain_drop_sql(), *recreate_absorbed(self, context))
            yield self.add(not_valid=not self.not_enforced).model_copy(update={"undo": undo})
            if not (self.not_valid or self.not_enforced):
                yield self.validate_rows()

    def _scan(self, context: PlanningContext) -> Hazard:
        """Return the hazard of reading the table under lock, for an index or a check of rows."""
        table = self.stands_on
        size = context.size(self.ref.on).description if self.ref.on else ""
        if self.has_index:
            blocked = f"nobody can read or write {table} while {self.ref} is built ({size})"
            return Hazard(hazard=HazardKind.BLOCKS_READS, reason=blocked)
        read = f"{table} is read under lock while {self.ref} is checked ({size})"
        return Hazard(hazard=HazardKind.LONG_SCAN, reason=read)

    def define_replacement(self, old: Self | None, context: PlanningContext) -> Iterable[Statement]:
        """Build the index of a key before the transaction where possible."""
        if can_build_before(self, old, context):
            return replace_key(self, context)
        return self.define(context)

    def create_on_leaf(self, context: PlanningContext) -> Iterable[Statement]:
        return create_key(self, context)

    def undo_on_partitions(self, context: PlanningContext) -> Iterable[str]:
        return restore_nulls(self, context)

    # -- alter, rename and drop --------------------------------------------------------------------

    def redefine(self, old: Self, context: PlanningContext) -> Iterable[Statement] | None:
        if self.index_comment != old.index_comment:  # set by `attach`, as the comment is
            same = self.model_copy(update={"index_comment": old.index_comment})
            return () if same == old else same.redefine(old, context)
        if self.model_copy(update={"not_valid": True}) == old:
            return [self.validate_rows(undo=(self.plain_drop_sql(), *old.restore_sql()))]
        if self.has_index or old.has_index:
            return self._alter_index_if_possible(old, context)
        if self.foreign_key is not None:
            same = self.model_copy(update={"deferrable": old.deferrable})
            if same == old:
                return [self.alter_deferrable()]
        return self._replace(old, context)

    def _alter_index_if_possible(
        self, old: Self, context: PlanningContext
    ) -> Iterable[Statement] | None:
        same = self.model_copy(update={"options": old.options, "tablespace": old.tablespace})
        return None if self.partitioned or same != old else self.alter_index(old, context)

    def _replace(self, old: Self, context: PlanningContext) -> Iterable[Statement]:
        """Drop and add the constraint in one transaction: no row is written unchecked."""
        yield old.drop_restorable()
        yield from self._recreate(old.comment, context)
        if self._can_validate_later(context) and not self.not_valid:
            yield self.validate_rows()

    def renamed_to(self, name: str) -> Statement:
        rename, undo = (
            text(compose("ALTER TABLE {} RENAME CONSTRAINT {} TO {}", self.table, before, after))
            for before, after in ((self.ref.name, name), (name, self.ref.name))
        )
        return Statement(
            sql=rename,
            lock="ACCESS EXCLUSIVE",
            relation=self.stands_on,
            recurses=self.recurses,
            undo=(undo,),
        )

    def remove(self, context: PlanningContext) -> Iterable[Statement]:
        yield self.drop_restorable().model_copy(update={"undo": None})

    def _own(self, old: Self | None, context: PlanningContext) -> Iterator[Statement]:
        yield from super()._own(old, context)
        if self.has_index and self.index_comment != (old.index_comment if old else None):
            yield Statement(
                sql=self.index_comment_sql(), lock="SHARE UPDATE EXCLUSIVE", relation=self.stands_on
            )

    # -- suspended while a type changes ------------------------------------------------------------

    def suspend(self, context: PlanningContext) -> Iterable[Statement] | None:
        return None if self.has_index else [self.drop_restorable()]

    def restore(
        self, old: Self, conversions: Mapping[str, TypeConversion], context: PlanningContext
    ) -> Iterable[Statement]:
        return self._recreate(self.after_restore(old, context).comment, context)

    def after_restore(self, old: Self, context: PlanningContext) -> Self:
        """Mark a formerly valid constraint by a comment, in case of an interruption."""
        unvalidated = self._can_validate_later(context)
        was_valid = not (self.not_valid or old.not_valid)
        comment = (
            UNVALIDATED_COMMENT + (old.comment or "") if unvalidated and was_valid else old.comment
        )
        return self.model_copy(
            update={"not_valid": self.not_valid or unvalidated, "comment": comment}
        )

    def _recreate(self, comment: str | None, context: PlanningContext) -> Iterable[Statement]:
        not_valid = self._can_validate_later(context)
        yield self.add(not_valid=not_valid, undo=self.plain_drop_sql())
        if comment is not None:
            yield self.comment_on(comment)

    def _can_validate_later(self, context: PlanningContext) -> bool:
        """Return whether the constraint can be added NOT VALID and validated afterwards."""
        return not (self.not_enforced or must_be_valid(self, context))

    # -- interrupted runs --------------------------------------------------------------------------

    def finish_interrupted(self, context: PlanningContext) -> Iterable[Statement]:
        yield self.validate_rows()
        yield self.comment_on(self.comment)

    def drop_leftover(self, *, declared: bool = True) -> Iterable[Statement]:
        ours = (NOT_NULL_CHECK_PREFIX, BOUND_CHECK_PREFIX)
        if (self.is_key and not declared) or self.ref.name.startswith(ours):
            yield Statement(
                sql=self.drop_sql(), lock="ACCESS EXCLUSIVE", relation=self.stands_on, undo=()
            )

    def reuses(self, old: Self | None, context: PlanningContext) -> frozenset[Ref]:
        if self.is_key:
            return reused_by(self, old, context)
        if old is None and must_be_valid(self, context):
            return reused_by_foreign_key(self, context)
        return frozenset()
