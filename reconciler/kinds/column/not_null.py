"""NOT NULL, without a scan under lock: https://www.postgresql.org/docs/current/sql-altertable.html#SQL-ALTERTABLE-NOTES"""

from __future__ import annotations

from collections.abc import Iterable, Set

from psycopg import sql
from pydantic import BaseModel, ConfigDict, Field

from reconciler.kinds.column.backfill_spec import Backfill, fill
from reconciler.kinds.column.target import Target
from reconciler.model.object import PlanningContext
from reconciler.model.record import Record
from reconciler.model.ref import default_name
from reconciler.model.reserved_names import NOT_NULL_CHECK_PREFIX
from reconciler.model.statement import Hazard, HazardKind, Statement
from reconciler.model.table_like import InheritableTable
from reconciler.server.capabilities import Server
from reconciler.sql import compose, joined, literal, name, raw, text


class NotNull(BaseModel):
    """NOT NULL as a constraint with attributes of its own (PostgreSQL 18); without any it is just `true`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str | None = Field(default=None, description="where it is not table_column_not_null")
    no_inherit: bool = Field(default=False, description="children may hold nulls")
    not_valid: bool = Field(default=False, description="existing rows have not been checked")
    comment: str | None = Field(default=None, description="COMMENT ON CONSTRAINT")

    def short_form(self, table: str, column: str) -> NotNull | bool:
        """The shortest way to say it, where a name left out is the usual one."""
        found = (
            self.model_copy(update={"name": None})
            if self.name == default_name(table, column, "not_null")
            else self
        )
        return True if found == NotNull() else found

    def named(self, target: Target) -> str:
        """The constraint's name."""
        return self.name or default_name(target.name, target.column, "not_null")

    def with_explicit_names(self, target: Target, claimed: Set[tuple[str, str]]) -> NotNull | None:
        """The same with its name, where PostgreSQL would not choose that by itself."""
        usual = self.name is None and (target.on.schema, self.named(target)) in claimed
        return self.model_copy(update={"name": self.named(target)}) if usual else None

    def handed_down(self, target: Target, child: str) -> NotNull | bool:
        """What an heir of that name has of it."""
        return not self.no_inherit and NotNull(name=self.named(target)).short_form(
            child, target.column
        )

    def clause(self) -> sql.Composable:
        """How it stands in the definition of the column."""
        words = (
            [raw("NOT NULL")]
            if self.name is None
            else [compose("CONSTRAINT {} NOT NULL", self.name)]
        )
        return joined([*words, *([raw("NO INHERIT")] if self.no_inherit else [])], by=" ")

    def attached(self, target: Target) -> Iterable[Statement]:
        """What the definition of a column has no words for."""
        if self.not_valid:
            yield target.alter(self._added(target, valid=False))
        if self.comment is not None:
            yield self.remark(target)

    def forbid(
        self, target: Target, backfill: Backfill | None, server: Server
    ) -> Iterable[Statement]:
        """Fill what is null, forbid new nulls, sweep up those that came in between, prove it, and only then say so."""
        if target.foreign:
            yield target.alter_column(raw("SET NOT NULL"), raw("DROP NOT NULL"))
            return
        natural = server.has_not_null_constraints
        constraint = self.named(target) if natural else _helper(target)
        if not self.not_valid:
            yield fill(target, backfill)
        gone = compose("DROP CONSTRAINT IF EXISTS {}", constraint)
        yield target.alter(
            self._added(target, valid=False) if natural else _proof(target),
            gone,
            own_transaction=True,
        )
        if not self.not_valid:
            if backfill is not None:
                yield fill(target, backfill, sweep=True)
            yield _validated(constraint, target)
        if not natural:
            yield target.alter_column(
                raw("SET NOT NULL"), raw("DROP NOT NULL"), own_transaction=True
            )
            yield target.alter(
                compose("DROP CONSTRAINT {}", constraint), undo=(), own_transaction=True
            )
        elif self.comment is not None:
            yield self.remark(target).model_copy(update={"undo": ()})

    def said(self, target: Target, server: Server) -> Iterable[Statement]:
        """Say it of a column of which nothing is said yet; without a scan, where a check proves it."""
        if server.has_not_null_constraints:
            yield target.alter(self._added(target, valid=not self.not_valid), undo=())
            yield from () if self.comment is None else [self.remark(target)]
        else:
            yield target.alter_column(raw("SET NOT NULL"), undo=())

    def allow(self, target: Target, context: PlanningContext) -> Iterable[Statement]:
        """Nulls may come again, to partitions too, on which a key of their own forbids them once more."""
        back = self._added(target, valid=not self.not_valid)
        undo = (
            [target.table_action(back), *([self.remark(target).sql] if self.comment else [])]
            if context.server.has_not_null_constraints
            else [target.column_action(raw("SET NOT NULL"))]
        )
        yield target.alter_column(raw("DROP NOT NULL"), undo=tuple(undo))
        for child in context.local_and_inherited_not_null.get((target.on, target.column), ()):
            yield Target(child, target.column).alter_column(raw("DROP NOT NULL"), undo=())

    def changed_from(
        self, old: NotNull, target: Target, backfill: Backfill | None
    ) -> Iterable[Statement]:
        """The statements that turn `old` into this."""
        own, was = self.named(target), old.named(target)
        if own != was:
            yield target.alter(
                compose("RENAME CONSTRAINT {} TO {}", was, own),
                compose("RENAME CONSTRAINT {} TO {}", own, was),
            )
        if self.no_inherit != old.no_inherit:
            words = [
                compose("ALTER CONSTRAINT {} {}", own, raw(w)) for w in ("INHERIT", "NO INHERIT")
            ]
            yield target.alter(words[self.no_inherit], words[old.no_inherit])
        weaker = compose("DROP CONSTRAINT {}, {}", own, self._added(target, valid=False))
        if old.not_valid and not self.not_valid:
            yield fill(target, backfill)
            yield _validated(own, target, undo=target.table_action(weaker))
        elif self.not_valid and not old.not_valid:
            yield target.alter(weaker, compose("VALIDATE CONSTRAINT {}", own))
        if self.comment != old.comment:
            renamed = old.model_copy(update={"name": self.name})
            yield self.remark(target).model_copy(update={"undo": (renamed.remark(target).sql,)})

    def own_transaction(self, target: Target) -> sql.Composable:
        """How it stands in the definition of a table, beside the columns."""
        words = compose("CONSTRAINT {} NOT NULL {}", self.named(target), target.column)
        return compose("{} NO INHERIT", words) if self.no_inherit else words

    def renamed_from(
        self, old: NotNull, target: Target, child: Record | None
    ) -> Iterable[Statement]:
        """Give another name; to what `heir` inherits, PostgreSQL gives one only while it does not."""
        own, was = self.named(target), old.named(target)
        if own == was:
            return
        ways = list(_ways_out(target, child)) if isinstance(child, InheritableTable) else []
        yield from (out for out, _ in ways)
        yield target.alter(
            compose("RENAME CONSTRAINT {} TO {}", was, own),
            compose("RENAME CONSTRAINT {} TO {}", own, was),
        )
        yield from (back for _, back in reversed(ways))

    def lent(self, was: str, target: Target) -> tuple[Statement, Statement] | None:
        """Call it so, and `was` again: what inherits it is called so meanwhile too, and keeps the name that it has when it leaves."""
        own = self.named(target)
        if own == was:
            return None
        forth, back = (
            compose("RENAME CONSTRAINT {} TO {}", a, b) for a, b in ((was, own), (own, was))
        )
        return target.alter(forth, back), target.alter(back, forth)

    def _added(self, target: Target, *, valid: bool) -> sql.Composable:
        words = [compose("ADD CONSTRAINT {} NOT NULL {}", self.named(target), target.column)]
        words += [raw("NO INHERIT")] * self.no_inherit + [raw("NOT VALID")] * (not valid)
        return joined(words, by=" ")

    def remark(self, target: Target) -> Statement:
        """Its comment."""
        words = compose(
            "COMMENT ON CONSTRAINT {} ON {} IS {}",
            self.named(target),
            target.table,
            literal(self.comment),
        )
        return Statement(sql=text(words), lock="SHARE UPDATE EXCLUSIVE", relation=target.relation)


def proven(target: Target) -> Iterable[Statement]:
    """Prove by a check that there are no nulls, ahead of saying so."""
    gone = compose("DROP CONSTRAINT IF EXISTS {}", _helper(target))
    yield target.alter(_proof(target), gone, own_transaction=True)
    yield _validated(_helper(target), target)


def unproven(target: Target) -> Statement:
    """Drop that check; the column may be called otherwise by now."""
    return target.alter(compose("DROP CONSTRAINT {}", _helper(target)), undo=())


def _helper(target: Target) -> str:
    return (NOT_NULL_CHECK_PREFIX + target.column).encode()[:63].decode(errors="ignore")


def _proof(target: Target) -> sql.Composable:
    return compose(
        "ADD CONSTRAINT {} CHECK ({} IS NOT NULL) NOT VALID", _helper(target), target.column
    )


def _ways_out(target: Target, child: InheritableTable) -> Iterable[tuple[Statement, Statement]]:
    """Out of the inheritance of each parent, and back into it."""
    is_partition, bound = child.is_partition, raw(child.values or "DEFAULT")
    for parent in (name(p.schema, p.name) for p in reversed(child.parents)):
        if is_partition:
            out = text(compose("ALTER TABLE {} DETACH PARTITION {}", parent, target.table))
            back = text(
                compose("ALTER TABLE {} ATTACH PARTITION {} {}", parent, target.table, bound)
            )
        else:
            out, back = (
                target.table_action(compose("{} {}", raw(w), parent))
                for w in ("NO INHERIT", "INHERIT")
            )
        one, other = (
            Statement(sql=a, lock="ACCESS EXCLUSIVE", relation=target.relation, undo=(b,))
            for a, b in ((out, back), (back, out))
        )
        why = f"{target.relation} is read under lock, unless a check proves its bound"
        yield (
            one,
            other.model_copy(update={"hazards": (Hazard(hazard=HazardKind.LONG_SCAN, reason=why),)})
            if is_partition
            else other,
        )


def _validated(constraint: str, target: Target, undo: str | None = None) -> Statement:
    return Statement(
        sql=target.table_action(compose("VALIDATE CONSTRAINT {}", constraint)),
        lock="SHARE UPDATE EXCLUSIVE",
        relation=target.relation,
        own_transaction=True,
        long=True,
        undo=() if undo is None else (undo,),
    )
