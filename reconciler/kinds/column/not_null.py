"""NOT NULL, without a scan under lock: https://www.postgresql.org/docs/current/sql-altertable.html#SQL-ALTERTABLE-NOTES"""

from __future__ import annotations

from collections.abc import Iterable, Set

from psycopg import sql
from pydantic import BaseModel, ConfigDict, Field

from reconciler.kinds.column.backfill_spec import Backfill, fill
from reconciler.kinds.column.target import Place
from reconciler.model.object import Object, Situation
from reconciler.model.ref import usual_name
from reconciler.model.statement import Danger, Hazard, Statement
from reconciler.server.capabilities import Server
from reconciler.sql import compose, joined, literal, name, raw, text

HELPER = "reconcile_not_null_"  # a check that proves NOT NULL while we set it (PostgreSQL 14 to 17)


class NotNull(BaseModel):
    """NOT NULL as a constraint with attributes of its own (PostgreSQL 18); without any it is just `true`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str | None = Field(default=None, description="where it is not table_column_not_null")
    no_inherit: bool = Field(default=False, description="children may hold nulls")
    not_valid: bool = Field(default=False, description="existing rows have not been checked")
    comment: str | None = Field(default=None, description="COMMENT ON CONSTRAINT")

    def short(self, table: str, column: str) -> NotNull | bool:
        """The shortest way to say it, where a name left out is the usual one."""
        found = (
            self.model_copy(update={"name": None})
            if self.name == usual_name(table, column, "not_null")
            else self
        )
        return True if found == NotNull() else found

    def named(self, place: Place) -> str:
        """The constraint's name."""
        return self.name or usual_name(place.name, place.column, "not_null")

    def outright(self, place: Place, claimed: Set[tuple[str, str]]) -> NotNull | None:
        """The same with its name, where PostgreSQL would not choose that by itself."""
        usual = self.name is None and (place.on.schema, self.named(place)) in claimed
        return self.model_copy(update={"name": self.named(place)}) if usual else None

    def handed_down(self, place: Place, heir: str) -> NotNull | bool:
        """What an heir of that name has of it."""
        return not self.no_inherit and NotNull(name=self.named(place)).short(heir, place.column)

    def clause(self) -> sql.Composable:
        """How it stands in the definition of the column."""
        words = (
            [raw("NOT NULL")]
            if self.name is None
            else [compose("CONSTRAINT {} NOT NULL", self.name)]
        )
        return joined([*words, *([raw("NO INHERIT")] if self.no_inherit else [])], by=" ")

    def attached(self, place: Place) -> Iterable[Statement]:
        """What the definition of a column has no words for."""
        if self.not_valid:
            yield place.alter(self._added(place, valid=False))
        if self.comment is not None:
            yield self.remark(place)

    def forbid(
        self, place: Place, backfill: Backfill | None, server: Server
    ) -> Iterable[Statement]:
        """Fill what is null, forbid new nulls, sweep up those that came in between, prove it, and only then say so."""
        if place.foreign:
            yield place.alter_column(raw("SET NOT NULL"), raw("DROP NOT NULL"))
            return
        natural = server.has_not_null_constraints
        constraint = self.named(place) if natural else _helper(place)
        if not self.not_valid:
            yield fill(place, backfill)
        gone = compose("DROP CONSTRAINT IF EXISTS {}", constraint)
        yield place.alter(
            self._added(place, valid=False) if natural else _proof(place), gone, apart=True
        )
        if not self.not_valid:
            if backfill is not None:
                yield fill(place, backfill, sweep=True)
            yield _validated(constraint, place)
        if not natural:
            yield place.alter_column(raw("SET NOT NULL"), raw("DROP NOT NULL"), apart=True)
            yield place.alter(compose("DROP CONSTRAINT {}", constraint), undo=(), apart=True)
        elif self.comment is not None:
            yield self.remark(place).model_copy(update={"undo": ()})

    def said(self, place: Place, server: Server) -> Iterable[Statement]:
        """Say it of a column of which nothing is said yet; without a scan, where a check proves it."""
        if server.has_not_null_constraints:
            yield place.alter(self._added(place, valid=not self.not_valid), undo=())
            yield from () if self.comment is None else [self.remark(place)]
        else:
            yield place.alter_column(raw("SET NOT NULL"), undo=())

    def allow(self, place: Place, on: Situation) -> Iterable[Statement]:
        """Nulls may come again, to partitions too, on which a key of their own forbids them once more."""
        back = self._added(place, valid=not self.not_valid)
        undo = (
            [place.table_action(back), *([self.remark(place).sql] if self.comment else [])]
            if on.server.has_not_null_constraints
            else [place.column_action(raw("SET NOT NULL"))]
        )
        yield place.alter_column(raw("DROP NOT NULL"), undo=tuple(undo))
        for heir in on.doubled.get((place.on, place.column), ()):
            yield Place(heir, place.column).alter_column(raw("DROP NOT NULL"), undo=())

    def changed_from(
        self, old: NotNull, place: Place, backfill: Backfill | None
    ) -> Iterable[Statement]:
        """The statements that turn `old` into this."""
        own, was = self.named(place), old.named(place)
        if own != was:
            yield place.alter(
                compose("RENAME CONSTRAINT {} TO {}", was, own),
                compose("RENAME CONSTRAINT {} TO {}", own, was),
            )
        if self.no_inherit != old.no_inherit:
            words = [
                compose("ALTER CONSTRAINT {} {}", own, raw(w)) for w in ("INHERIT", "NO INHERIT")
            ]
            yield place.alter(words[self.no_inherit], words[old.no_inherit])
        weaker = compose("DROP CONSTRAINT {}, {}", own, self._added(place, valid=False))
        if old.not_valid and not self.not_valid:
            yield fill(place, backfill)
            yield _validated(own, place, undo=place.table_action(weaker))
        elif self.not_valid and not old.not_valid:
            yield place.alter(weaker, compose("VALIDATE CONSTRAINT {}", own))
        if self.comment != old.comment:
            renamed = old.model_copy(update={"name": self.name})
            yield self.remark(place).model_copy(update={"undo": (renamed.remark(place).sql,)})

    def apart(self, place: Place) -> sql.Composable:
        """How it stands in the definition of a table, beside the columns."""
        words = compose("CONSTRAINT {} NOT NULL {}", self.named(place), place.column)
        return compose("{} NO INHERIT", words) if self.no_inherit else words

    def renamed_from(self, old: NotNull, place: Place, heir: Object | None) -> Iterable[Statement]:
        """Give another name; to what `heir` inherits, PostgreSQL gives one only while it does not."""
        own, was = self.named(place), old.named(place)
        if own == was:
            return
        ways = list(_ways_out(place, heir)) if heir is not None else []
        yield from (out for out, _ in ways)
        yield place.alter(
            compose("RENAME CONSTRAINT {} TO {}", was, own),
            compose("RENAME CONSTRAINT {} TO {}", own, was),
        )
        yield from (back for _, back in reversed(ways))

    def lent(self, was: str, place: Place) -> tuple[Statement, Statement] | None:
        """Call it so, and `was` again: what inherits it is called so meanwhile too, and keeps the name that it has when it leaves."""
        own = self.named(place)
        if own == was:
            return None
        forth, back = (
            compose("RENAME CONSTRAINT {} TO {}", a, b) for a, b in ((was, own), (own, was))
        )
        return place.alter(forth, back), place.alter(back, forth)

    def _added(self, place: Place, *, valid: bool) -> sql.Composable:
        words = [compose("ADD CONSTRAINT {} NOT NULL {}", self.named(place), place.column)]
        words += [raw("NO INHERIT")] * self.no_inherit + [raw("NOT VALID")] * (not valid)
        return joined(words, by=" ")

    def remark(self, place: Place) -> Statement:
        """Its comment."""
        words = compose(
            "COMMENT ON CONSTRAINT {} ON {} IS {}",
            self.named(place),
            place.table,
            literal(self.comment),
        )
        return Statement(sql=text(words), lock="SHARE UPDATE EXCLUSIVE", relation=place.relation)


def proven(place: Place) -> Iterable[Statement]:
    """Prove by a check that there are no nulls, ahead of saying so."""
    gone = compose("DROP CONSTRAINT IF EXISTS {}", _helper(place))
    yield place.alter(_proof(place), gone, apart=True)
    yield _validated(_helper(place), place)


def unproven(place: Place) -> Statement:
    """Drop that check; the column may be called otherwise by now."""
    return place.alter(compose("DROP CONSTRAINT {}", _helper(place)), undo=())


def _helper(place: Place) -> str:
    return (HELPER + place.column).encode()[:63].decode(errors="ignore")


def _proof(place: Place) -> sql.Composable:
    return compose(
        "ADD CONSTRAINT {} CHECK ({} IS NOT NULL) NOT VALID", _helper(place), place.column
    )


def _ways_out(place: Place, heir: Object) -> Iterable[tuple[Statement, Statement]]:
    """Out of the inheritance of each parent, and back into it."""
    piece, bound = heir.piece, raw(getattr(heir, "values", None) or "DEFAULT")
    for parent in (name(p.schema, p.name) for p in reversed(heir.parents)):
        if piece:
            out = text(compose("ALTER TABLE {} DETACH PARTITION {}", parent, place.table))
            back = text(
                compose("ALTER TABLE {} ATTACH PARTITION {} {}", parent, place.table, bound)
            )
        else:
            out, back = (
                place.table_action(compose("{} {}", raw(w), parent))
                for w in ("NO INHERIT", "INHERIT")
            )
        one, other = (
            Statement(sql=a, lock="ACCESS EXCLUSIVE", relation=place.relation, undo=(b,))
            for a, b in ((out, back), (back, out))
        )
        why = f"{place.relation} is read under lock, unless a check proves its bound"
        yield (
            one,
            other.model_copy(update={"dangers": (Danger(hazard=Hazard.LONG_SCAN, reason=why),)})
            if piece
            else other,
        )


def _validated(constraint: str, place: Place, undo: str | None = None) -> Statement:
    return Statement(
        sql=place.table_action(compose("VALIDATE CONSTRAINT {}", constraint)),
        lock="SHARE UPDATE EXCLUSIVE",
        relation=place.relation,
        apart=True,
        long=True,
        undo=() if undo is None else (undo,),
    )
