"""Columns: https://www.postgresql.org/docs/current/sql-altertable.html"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Self

from psycopg import sql
from pydantic import BaseModel, ConfigDict, Field, field_validator

from reconciler.catalog import address, ours
from reconciler.connection import Server
from reconciler.ref import Ref
from reconciler.state import Object, Situation
from reconciler.statement import Danger, Fill, Hazard, Statement, compose, joined, name, raw, text

HELPER = "reconcile_not_null_"  # a check that proves NOT NULL while we set it (PostgreSQL 14 to 17)


INTEGERS = ("smallint", "integer", "bigint", "numeric")  # each holds all of those before it
BESIDE = re.compile(
    r"\b(generated|default|collate|constraint|references|primary\s+key|unique|check|not\s+null|null|serial|bigserial)\b", re.I
)


class Backfill(BaseModel):
    """Where the rows that have no value get one; rows that have one are never touched."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    value: str = Field(description="SQL expression over the row; other columns are named `table.column`")


class Column(Object):
    """A column of a table; `name: type` is its short form."""

    kind: ClassVar[str] = "column"
    section: ClassVar[str] = "columns"
    within: ClassVar[tuple[str, ...]] = ("table",)
    folds: ClassVar[bool] = True
    written: ClassVar[tuple[str, ...]] = ("type", "default")

    type: str = Field(default="", description="the data type, as in CREATE TABLE")
    not_null: bool = Field(default=False, description="online: only after the backfill, and without a scan under lock")
    default: str | None = Field(default=None, description="SQL expression for new rows")
    backfill: Backfill | None = Field(default=None, description="how rows that are null get a value, before NOT NULL")

    @field_validator("type")
    @classmethod
    def _a_type_alone(cls, value: str) -> str:
        """PostgreSQL would read more than a type in a column's definition, and nothing of it would be managed."""
        if beside := BESIDE.search(re.sub(r'"(?:[^"]|"")*"', "", value)):
            raise ValueError(f"type: only the data type stands here, not {beside[0]!r}")
        return value

    @classmethod
    def catalog(cls, server: Server) -> str:
        valid = "true"
        if server.has_not_null_constraints:
            valid = """NOT EXISTS (SELECT FROM pg_constraint AS k WHERE k.conrelid = c.oid AND k.contype = 'n'
                                   AND k.conkey[1] = a.attnum AND NOT k.convalidated)"""
        return f"""
            SELECT 'table' AS on_kind, n.nspname AS schema, c.relname AS on_name, a.attname AS name,
                   ARRAY[{address("pg_class", "c.oid", "a.attnum")}, {address("pg_attrdef", "coalesce(d.oid, 0)")}] AS addresses,
                   format_type(a.atttypid, a.atttypmod) AS type, a.attnotnull AND {valid} AS not_null,
                   pg_get_expr(d.adbin, d.adrelid) AS default
            FROM pg_attribute AS a
            JOIN pg_class AS c ON c.oid = a.attrelid
            JOIN pg_namespace AS n ON n.oid = c.relnamespace
            LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
            WHERE c.relkind = 'r' AND NOT c.relispartition AND a.attnum > 0 AND NOT a.attisdropped
                  AND {ours("pg_class", "c.oid", "n.nspname")}
            ORDER BY n.nspname, c.relname, a.attnum"""

    @classmethod
    def entry(cls, key: str, body: object) -> tuple[str, object]:
        return key, {"type": body} if isinstance(body, str) else body

    @classmethod
    def short(cls, body: dict[str, Any]) -> object:
        return body["type"] if list(body) == ["type"] else body

    def as_state(self) -> Self:
        return self.model_copy(update={"backfill": None})

    def expressions(self) -> Mapping[str, str]:
        return {"backfill": self.backfill.value} if self.backfill else {}

    def with_expression(self, field: str, value: str) -> Self:
        return self.model_copy(update={field: Backfill(value=value)})

    def designation(self) -> sql.Composable:
        return compose("COLUMN {}.{}", self._table, self.ref.name)

    @property
    def _table(self) -> sql.Composable:
        on = self.ref.on
        assert on is not None
        return name(on.schema, on.name)

    def clause(self) -> sql.Composable:
        words: list[sql.Composable] = [name(self.ref.name), raw(self.type)]
        if self.default is not None:
            words.append(compose("DEFAULT {}", raw(self.default)))
        if self.not_null:
            words.append(raw("NOT NULL"))
        return joined(words, by=" ")

    def define(self, on: Situation, parts: Sequence[Object] = ()) -> Iterable[Statement]:
        yield self._alter(compose("ADD COLUMN {}", self.clause()))

    def define_online(self, on: Situation, parts: Sequence[Object] = ()) -> Iterable[Statement]:
        """Add the column bare where it is to be filled, then fill it and forbid nulls."""
        intent = self._backfill(on)
        if intent is None:
            yield from self.define(on)
            return
        yield self._alter(compose("ADD COLUMN {}", self.model_copy(update={"not_null": False}).clause()), undo=self._drop())
        if self.not_null:
            yield from self._forbid_nulls(on)
        else:
            yield self._fill(on)

    def redefine(self, old: Self, on: Situation) -> Iterable[Statement] | None:
        if self.type != old.type:
            yield from self._retype(old, on)
        if self.default != old.default:
            yield self._default(self.default, before=old.default)
        if self.not_null and not old.not_null:
            yield from self._forbid_nulls(on)
        if old.not_null and not self.not_null:
            yield self._alter(raw("DROP NOT NULL"), undo=self._set_not_null(), of_column=True)

    def disturbs(self, old: Self) -> bool:
        return self.type != old.type

    def remove(self, on: Situation) -> Iterable[Statement]:
        why = f"{self.ref} is dropped with its values"
        yield self._alter(compose("DROP COLUMN {}", self.ref.name), dangers=(Danger(hazard=Hazard.DATA_LOSS, reason=why),))

    # -- pieces ----------------------------------------------------------------------------------------------------

    def _alter(
        self,
        action: sql.Composable,
        *,
        of_column: bool = False,
        undo: tuple[str, ...] | str | None = None,
        apart: bool = False,
        dangers: tuple[Danger, ...] = (),
    ) -> Statement:
        if of_column:
            action = compose("ALTER COLUMN {} {}", self.ref.name, action)
        return Statement(
            sql=text(compose("ALTER TABLE {} {}", self._table, action)),
            lock="ACCESS EXCLUSIVE",
            relation=self.stands_on,
            undo=(undo,) if isinstance(undo, str) else undo,
            apart=apart,
            dangers=dangers,
        )

    def _drop(self) -> str:
        return text(compose("ALTER TABLE {} DROP COLUMN {}", self._table, self.ref.name))

    def _set_not_null(self) -> str:
        return text(compose("ALTER TABLE {} ALTER COLUMN {} SET NOT NULL", self._table, self.ref.name))

    def _drop_not_null(self) -> str:
        return text(compose("ALTER TABLE {} ALTER COLUMN {} DROP NOT NULL", self._table, self.ref.name))

    def _default(self, value: str | None, *, before: str | None) -> Statement:
        def words(expression: str | None) -> sql.Composable:
            return raw("DROP DEFAULT") if expression is None else compose("SET DEFAULT {}", raw(expression))

        back = text(compose("ALTER TABLE {} ALTER COLUMN {} {}", self._table, self.ref.name, words(before)))
        return self._alter(words(value), of_column=True, undo=back)

    def _retype(self, old: Self, on: Situation) -> Iterable[Statement]:
        def words(column: Column) -> sql.Composable:
            new = raw(column.type)
            return compose("TYPE {} USING {}::{}", new, column.ref.name, new)

        assert self.ref.on is not None
        size = on.size(self.ref.on)
        why = f"{self.stands_on} ({size.bytes:,} bytes) may be rewritten while nobody can read or write it"
        back = text(compose("ALTER TABLE {} ALTER COLUMN {} {}", self._table, self.ref.name, words(old)))
        if old.default is not None:
            yield self._default(None, before=old.default)
        dangers = [Danger(hazard=Hazard.TABLE_REWRITE, reason=why)]
        if not widens(old.type, self.type):
            cut = f"values of {self.ref} are cast from {old.type} to {self.type}, which may cut or round them for good"
            dangers.append(Danger(hazard=Hazard.DATA_LOSS, reason=cut))
        yield self._alter(words(self), of_column=True, undo=back, dangers=tuple(dangers))
        if old.default is not None:
            yield self._default(old.default, before=None)

    def _backfill(self, on: Situation) -> Backfill | None:
        declared = on.declared.get(self.ref)
        return declared.backfill if isinstance(declared, Column) else None

    def _fill(self, on: Situation, *, sweep: bool = False) -> Statement:
        """Fill what is null and stop, with sample keys, if what is left gets no value; a sweep leaves none."""
        intent = self._backfill(on)
        relation, column = text(self._table), text(name(self.ref.name))
        fill = Fill(relation=relation, column=column, value=intent.value if intent else None, sweep=sweep)
        update = f"UPDATE {relation} SET {column} = {fill.value} WHERE {column} IS NULL"
        assert_none = f"SELECT count(*) AS rows_without_value FROM {relation} WHERE {column} IS NULL"
        return Statement(
            sql=update if fill.value is not None else assert_none,
            lock="ROW EXCLUSIVE" if fill.value is not None else "ACCESS SHARE",
            relation=self.stands_on,
            transactional=False,
            fill=fill,
            undo=(),
        )

    def _forbid_nulls(self, on: Situation) -> Iterable[Statement]:
        """NOT NULL without a scan under lock: https://www.postgresql.org/docs/current/sql-altertable.html#SQL-ALTERTABLE-NOTES

        Fill, forbid new nulls, sweep up those that came in between, prove it, and only then say so.
        """
        assert self.ref.on is not None
        yield self._fill(on)
        constraint = f"{self.ref.on.name}_{self.ref.name}_not_null"
        natural = on.server.has_not_null_constraints and len(constraint.encode()) < 64
        if not natural:
            constraint = (HELPER + self.ref.name).encode()[:63].decode(errors="ignore")
        proof = compose("NOT NULL {}", self.ref.name) if natural else compose("CHECK ({} IS NOT NULL)", self.ref.name)
        leftover = natural and Ref("constraint", self.ref.schema, constraint, self.ref.on) in on.leftovers
        gone = text(compose("ALTER TABLE {} DROP CONSTRAINT IF EXISTS {}", self._table, constraint))
        if leftover:
            yield self._alter(compose("DROP CONSTRAINT IF EXISTS {}", constraint), undo=gone)
        yield self._alter(compose("ADD CONSTRAINT {} {} NOT VALID", constraint, proof), undo=gone, apart=not leftover)
        if self._backfill(on):
            yield self._fill(on, sweep=True)
        yield Statement(
            sql=text(compose("ALTER TABLE {} VALIDATE CONSTRAINT {}", self._table, constraint)),
            lock="SHARE UPDATE EXCLUSIVE",
            relation=self.stands_on,
            apart=True,
            long=True,
            undo=(),
        )
        if not natural:
            yield self._alter(raw("SET NOT NULL"), of_column=True, undo=self._drop_not_null(), apart=True)
            yield self._alter(compose("DROP CONSTRAINT {}", constraint), undo=(), apart=True)


def widens(old: str, new: str) -> bool:
    """Whether every value of one type, as PostgreSQL prints it, is a value of the other."""
    if new == "text" or (new == "character varying" and old.startswith("character varying")):
        return True
    if old in INTEGERS and new in INTEGERS:
        return INTEGERS.index(old) <= INTEGERS.index(new)
    lengths = [re.fullmatch(r"character varying\((\d+)\)", t) for t in (old, new)]
    return bool(lengths[0] and lengths[1] and int(lengths[0][1]) <= int(lengths[1][1]))
