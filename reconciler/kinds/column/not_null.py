"""NOT NULL without a scan under lock: https://www.postgresql.org/docs/current/sql-altertable.html#SQL-ALTERTABLE-NOTES"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Set

from psycopg import sql
from pydantic import BaseModel, ConfigDict, Field

from reconciler.kinds.column.backfill_spec import Backfill, fill
from reconciler.kinds.column.target import Target, in_own_transaction
from reconciler.model.object import PlanningContext
from reconciler.model.record import Record
from reconciler.model.ref import default_name
from reconciler.model.reserved_names import NOT_NULL_CHECK_PREFIX
from reconciler.model.spelling import Comment, Name
from reconciler.model.statement import Hazard, HazardKind, Statement
from reconciler.model.table_like import InheritableTable
from reconciler.server.capabilities import Server
from reconciler.server.connection import Row
from reconciler.sql import compose, literal, name, raw, text


class NotNull(BaseModel):
    """A NOT NULL constraint (PostgreSQL 18); short form `true` without attributes."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    name: Name | None = Field(
        default=None, description="left out: the present one, or table_column_not_null"
    )
    no_inherit: bool = Field(default=False, description="children may hold nulls")
    not_valid: bool = Field(default=False, description="existing rows have not been checked")
    comment: Comment | None = Field(default=None, description="COMMENT ON CONSTRAINT")

    # -- names and clauses -------------------------------------------------------------------------

    def short_form(self, table: str, column: str) -> NotNull | bool:
        """Return the constraint without the default name, or True if nothing is left."""
        is_default = self.name == default_name(table, column, "not_null")
        found = self.model_copy(update={"name": None}) if is_default else self
        return True if found == NotNull() else found

    def without_default_name(self, table: str, column: str) -> NotNull | bool:
        """Return the constraint without a name that PostgreSQL would choose, or True.

        PostgreSQL appends a number if another constraint of the schema has the default name.
        """
        number = re.search("[1-9][0-9]*$|$", self.name or "")
        assert number is not None
        is_default = self.name == default_name(table, column, f"not_null{number[0]}")
        found = self.model_copy(update={"name": None}) if is_default else self
        return found.short_form(table, column)

    def named_as(self, live: NotNull | None, target: Target) -> NotNull | bool:
        """Return the constraint under the live name, unless a name is declared."""
        if self.name is not None or live is None:
            return self.short_form(target.name, target.column)
        named = self.model_copy(update={"name": live.constraint_name(target)})
        return named.short_form(target.name, target.column)

    def constraint_name(self, target: Target) -> str:
        """Return the declared or default name."""
        return self.name or default_name(target.name, target.column, "not_null")

    def with_explicit_names(self, target: Target, reserved: Set[tuple[str, str]]) -> NotNull | None:
        """Return the constraint with the default name spelled out if reserved, else None."""
        own = self.constraint_name(target)
        is_reserved = self.name is None and (target.on.schema, own) in reserved
        return self.model_copy(update={"name": own}) if is_reserved else None

    def as_inherited(self, target: Target, child: str) -> NotNull | bool:
        """Return the constraint as inherited by a child table."""
        if self.no_inherit:
            return False
        return NotNull(name=self.constraint_name(target)).short_form(child, target.column)

    def column_clause(self) -> sql.Composable:
        """Return the constraint as in the definition of a column."""
        not_null = raw("NOT NULL")
        if self.name is not None:
            not_null = compose("CONSTRAINT {} NOT NULL", self.name)
        return compose("{} NO INHERIT", not_null) if self.no_inherit else not_null

    def table_clause(self, target: Target) -> sql.Composable:
        """Return the constraint as in the definition of a table, beside the columns."""
        not_null = compose("CONSTRAINT {} NOT NULL {}", self.constraint_name(target), target.column)
        return compose("{} NO INHERIT", not_null) if self.no_inherit else not_null

    def _add_clause(self, target: Target, *, valid: bool) -> sql.Composable:
        add = compose("ADD {}", self.table_clause(target))
        return add if valid else compose("{} NOT VALID", add)

    # -- statements --------------------------------------------------------------------------------

    def attach(self, target: Target) -> Iterable[Statement]:
        """Add and comment as the definition of a column cannot."""
        if self.not_valid:
            yield target.alter(self._add_clause(target, valid=False))
        if self.comment is not None:
            yield self.comment_on(target)

    def add(self, target: Target, backfill: Backfill | None, server: Server) -> Iterable[Statement]:
        """Refuse new nulls between two backfills, and validate without a lock."""
        if target.foreign:
            yield target.alter_column(raw("SET NOT NULL"), raw("DROP NOT NULL"))
            return
        is_constraint = server.has_not_null_constraints
        added = self.constraint_name(target) if is_constraint else _check_name(target)
        add = self._add_clause(target, valid=False) if is_constraint else _add_check(target)
        if not self.not_valid:
            yield fill(target, backfill)
        drop = compose("DROP CONSTRAINT IF EXISTS {}", added)
        yield in_own_transaction(target.alter(add, drop))
        if not self.not_valid:
            if backfill is not None:
                yield fill(target, backfill, sweep=True)
            yield _validate(added, target)
        if not is_constraint:
            yield from _set_checked(target)
        elif self.comment is not None:
            yield self.comment_on(target).model_copy(update={"undo": ()})

    def add_to_swapped(self, target: Target, server: Server) -> Iterable[Statement]:
        """Add to a swapped column without a scan, as a check proves NOT NULL."""
        if server.has_not_null_constraints:
            yield target.alter(self._add_clause(target, valid=not self.not_valid), undo=())
            yield from () if self.comment is None else [self.comment_on(target)]
        else:
            yield target.alter_column(raw("SET NOT NULL"), undo=())

    def drop(self, target: Target, context: PlanningContext) -> Iterable[Statement]:
        """Drop, also on partitions with a local NOT NULL besides the inherited."""
        undo = [target.alter_column_sql(raw("SET NOT NULL"))]
        if context.server.has_not_null_constraints:
            undo = [target.alter_sql(self._add_clause(target, valid=not self.not_valid))]
            undo += [self.comment_on(target).sql] if self.comment else []
        yield target.alter_column(raw("DROP NOT NULL"), undo=tuple(undo))
        for child in context.local_and_inherited_not_null.get((target.on, target.column), ()):
            yield Target(child, target.column).alter_column(raw("DROP NOT NULL"), undo=())

    def alter_from(
        self, old: NotNull, target: Target, backfill: Backfill | None, context: PlanningContext
    ) -> Iterable[Statement]:
        """Alter `old` to the constraint."""
        children = (c for c in context.staying_children.values() if isinstance(c, InheritableTable))
        has_children = any(target.on in c.parents for c in children)
        if self.no_inherit and not old.no_inherit and has_children:
            yield from self._take_from_children(old, target, backfill)
            return
        own, before = self.constraint_name(target), old.constraint_name(target)
        renamed = old.model_copy(update={"name": own})
        if own != before:
            yield target.alter(*_rename_clauses(before, own))
        if self.no_inherit != old.no_inherit:
            clauses = [
                compose("ALTER CONSTRAINT {} {}", own, raw(w)) for w in ("INHERIT", "NO INHERIT")
            ]
            undo = (target.alter_sql(clauses[old.no_inherit]),)
            if has_children:
                undo = renamed.put_in_place_of(self, target)
            yield target.alter(clauses[self.no_inherit], undo=undo)
        yield from self._alter_validity(old, target, backfill)
        if self.comment != old.comment:
            undo_comment = (renamed.comment_on(target).sql,)
            yield self.comment_on(target).model_copy(update={"undo": undo_comment})

    def put_in_place_of(self, other: NotNull, target: Target) -> tuple[str, ...]:
        """Drop another constraint of the column and add this one, in one command; then comment."""
        dropped = other.constraint_name(target)
        replace = _replace_clauses(dropped, self._add_clause(target, valid=not self.not_valid))
        commented = () if self.comment is None else (self.comment_on(target).sql,)
        return (target.alter_sql(replace), *commented)

    def _take_from_children(
        self, old: NotNull, target: Target, backfill: Backfill | None
    ) -> Iterable[Statement]:
        """Replace `old`, so that child tables lose it; ALTER CONSTRAINT would leave it to them."""
        own, before = self.constraint_name(target), old.constraint_name(target)
        replace = _replace_clauses(before, self._add_clause(target, valid=False))
        if old.not_valid and not self.not_valid:
            yield fill(target, backfill)
        yield target.alter(replace, undo=old.put_in_place_of(self, target))
        if self.comment is not None:
            yield self.comment_on(target).model_copy(update={"undo": ()})
        if not self.not_valid:
            yield _validate(own, target)

    def _alter_validity(
        self, old: NotNull, target: Target, backfill: Backfill | None
    ) -> Iterable[Statement]:
        own = self.constraint_name(target)
        invalidate = _replace_clauses(own, self._add_clause(target, valid=False))
        if old.not_valid and not self.not_valid:
            yield fill(target, backfill)
            yield _validate(own, target, undo=(target.alter_sql(invalidate),))
        elif self.not_valid and not old.not_valid:
            yield target.alter(invalidate, compose("VALIDATE CONSTRAINT {}", own))

    def comment_on(self, target: Target) -> Statement:
        """Set the comment on the constraint."""
        comment_on = compose(
            "COMMENT ON CONSTRAINT {} ON {} IS {}",
            self.constraint_name(target),
            target.table,
            literal(self.comment),
        )
        return Statement(
            sql=text(comment_on), lock="SHARE UPDATE EXCLUSIVE", relation=target.relation
        )

    # -- renamed while inherited -------------------------------------------------------------------

    def rename_from(
        self, old: NotNull, target: Target, child: Record | None
    ) -> Iterable[Statement]:
        """Rename `old`; PostgreSQL renames no inherited constraint, so detach `child` meanwhile."""
        own, before = self.constraint_name(target), old.constraint_name(target)
        if own == before:
            return
        detached: list[tuple[Statement, Statement]] = []
        if isinstance(child, InheritableTable):
            detached += _detach_and_attach(target, child)
        yield from (detach for detach, _ in detached)
        yield target.alter(*_rename_clauses(before, own))
        yield from (attach for _, attach in reversed(detached))

    def renamed_while_reparenting(
        self, before: str, target: Target
    ) -> tuple[Statement, Statement] | None:
        """Return the statements to rename the constraint from `before` and back.

        A child table inherits the temporary name, and keeps the name after leaving the parent.
        """
        own = self.constraint_name(target)
        if own == before:
            return None
        forth, back = _rename_clauses(before, own)
        return target.alter(forth, back), target.alter(back, forth)


def _replace_clauses(dropped: str, add: sql.Composable) -> sql.Composable:
    return compose("DROP CONSTRAINT {}, {}", dropped, add)


def _rename_clauses(before: str, after: str) -> tuple[sql.Composable, sql.Composable]:
    rename = "RENAME CONSTRAINT {} TO {}"
    return compose(rename, before, after), compose(rename, after, before)


def _detach_and_attach(
    target: Target, child: InheritableTable
) -> Iterable[tuple[Statement, Statement]]:
    """Yield pairs of statements, to detach the child from each parent and to attach again."""
    for parent in (name(p.schema, p.name) for p in reversed(child.parents)):
        if child.is_partition:
            bound = raw(child.values or "DEFAULT")
            detach = compose("ALTER TABLE {} DETACH PARTITION {}", parent, target.table)
            attach = compose("ALTER TABLE {} ATTACH PARTITION {} {}", parent, target.table, bound)
            why = f"{target.relation} is read under lock, unless a check proves its bound"
            hazards = (Hazard(hazard=HazardKind.LONG_SCAN, reason=why),)
        else:
            detach = compose("ALTER TABLE {} NO INHERIT {}", target.table, parent)
            attach = compose("ALTER TABLE {} INHERIT {}", target.table, parent)
            hazards = ()
        forth, back = (
            Statement(sql=do, lock="ACCESS EXCLUSIVE", relation=target.relation, undo=(undo,))
            for do, undo in ((text(detach), text(attach)), (text(attach), text(detach)))
        )
        yield forth, back.model_copy(update={"hazards": hazards})


def hazards_of_virtual(
    not_null: NotNull | None, target: Target, context: PlanningContext
) -> tuple[Hazard, ...]:
    """Return the hazard of computing a virtual column for all rows, to find nulls."""
    size = context.size(target.on)
    if not_null is None or not_null.not_valid or target.foreign or size.quickly_read:
        return ()
    why = (
        f"{target.relation} ({size.in_bytes}) is read while nobody can read or write it, to find"
        f" nulls in {target.column}: not_null in a later plan is checked while all can"
    )
    return (Hazard(hazard=HazardKind.LONG_SCAN, reason=why),)


# -- the check that proves NOT NULL ----------------------------------------------------------------


def prove_by_check(target: Target) -> Iterable[Statement]:
    """Add and validate a check against nulls, for a later SET NOT NULL without a scan."""
    drop = compose("DROP CONSTRAINT IF EXISTS {}", _check_name(target))
    yield in_own_transaction(target.alter(_add_check(target), drop))
    yield _validate(_check_name(target), target)


def drop_check(target: Target) -> Statement:
    """Drop the check named after the column of `target`, even after a rename of the column."""
    return target.alter(compose("DROP CONSTRAINT {}", _check_name(target)), undo=())


def _set_checked(target: Target) -> Iterator[Statement]:
    """Set NOT NULL, proven by the check, and drop the check."""
    yield in_own_transaction(target.alter_column(raw("SET NOT NULL"), raw("DROP NOT NULL")))
    yield in_own_transaction(drop_check(target))


def _check_name(target: Target) -> str:
    return (NOT_NULL_CHECK_PREFIX + target.column).encode()[:63].decode(errors="ignore")


def _add_check(target: Target) -> sql.Composable:
    add = "ADD CONSTRAINT {} CHECK ({} IS NOT NULL) NOT VALID"
    return compose(add, _check_name(target), target.column)


def _validate(constraint: str, target: Target, undo: tuple[str, ...] = ()) -> Statement:
    return Statement(
        sql=target.alter_sql(compose("VALIDATE CONSTRAINT {}", constraint)),
        lock="SHARE UPDATE EXCLUSIVE",
        relation=target.relation,
        own_transaction=True,
        long=True,
        undo=undo,
    )


_USUAL = {"no_inherit": False, "not_valid": False, "comment": None}  # of most constraints


def read_not_null(table: str, column: str, row: Row) -> None:
    """Replace the constraint in a catalog row by the fields `not_null` and `nameless`."""
    constraint = row.pop("not_null_constraint")
    row["nameless"] = row["not_null"] and constraint is None
    if row["not_null"] and constraint is not None:
        default = default_name(table, column, "not_null")
        is_usual = constraint == {**_USUAL, "name": default}
        row["not_null"] = is_usual or NotNull.model_validate(constraint).short_form(table, column)
