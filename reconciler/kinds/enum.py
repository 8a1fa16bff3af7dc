"""Enumerated types: https://www.postgresql.org/docs/current/datatype-enum.html"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Self, cast

from psycopg import sql
from pydantic import BaseModel, ConfigDict, Field

from reconciler.model.catalog_sql import address, managed, object_grants
from reconciler.model.datatype import DataType
from reconciler.model.declared import RenamesParts
from reconciler.model.object import Object, PlanningContext
from reconciler.model.statement import Statement
from reconciler.server.capabilities import Server
from reconciler.sql import compose, joined, literal, raw, text


class EnumValue(BaseModel):
    """A value that had another name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    renamed_from: str


class Enum(RenamesParts, DataType):
    """A type of named values, in their order; `mood: [sad, ok, happy]` is its short form."""

    kind: ClassVar[str] = "enum"
    section: ClassVar[str] = "enums"
    oid_column: ClassVar[str] = ""
    omitted_is_default: ClassVar[bool] = False

    values: tuple[str | EnumValue, ...] = Field(
        default=(),
        description="in the order in which they compare; {name, renamed_from} renames one",
    )

    @classmethod
    def catalog(cls, server: Server) -> str:
        return f"""
            SELECT n.nspname AS schema, t.typname AS name,
                   pg_get_userbyid(t.typowner)::text AS owner,
                   ARRAY[{address("pg_type", "t.oid")},
                         {address("pg_type", "t.typarray")}] AS addresses,
                   ARRAY(SELECT e.enumlabel FROM pg_enum AS e WHERE e.enumtypid = t.oid
                         ORDER BY e.enumsortorder) AS values,
                   {object_grants("t.typacl", "T", "t.typowner")} AS grants
            FROM pg_type AS t JOIN pg_namespace AS n ON n.oid = t.typnamespace
            WHERE t.typtype = 'e' AND {managed("pg_type", "t.oid", "n.nspname")}
            ORDER BY n.nspname, t.typname"""

    @classmethod
    def entry(cls, key: str, body: object) -> tuple[str, object]:
        return key, {"values": cast("list[str]", body)} if isinstance(body, list) else body

    @classmethod
    def short_form(cls, body: dict[str, Any]) -> object:
        return body["values"] if list(body) == ["values"] else body

    @property
    def names_in_order(self) -> tuple[str, ...]:
        """The values' names."""
        return tuple(v if isinstance(v, str) else v.name for v in self.values)

    def as_state(self) -> Self:
        return super().as_state().model_copy(update={"values": self.names_in_order})

    def parts_renamed(self, live: Self) -> Iterable[tuple[str, str, Statement]]:
        for value in self.values:
            if (
                isinstance(value, EnumValue)
                and value.renamed_from in live.values
                and value.name not in live.values
            ):
                pairs = ((value.renamed_from, value.name), (value.name, value.renamed_from))
                words = [
                    text(
                        compose(
                            "ALTER TYPE {} RENAME VALUE {} TO {}",
                            self.sql_name(),
                            literal(a),
                            literal(b),
                        )
                    )
                    for a, b in pairs
                ]
                yield value.renamed_from, value.name, Statement(sql=words[0], undo=(words[1],))

    def with_parts_from(self, names: Mapping[str, str]) -> Self:
        values = tuple(
            EnumValue(name=v, renamed_from=names[v]) if v in names else v
            for v in self.names_in_order
        )
        return self.model_copy(update={"values": values})

    def define(self, context: PlanningContext, parts: Sequence[Object] = ()) -> Iterable[Statement]:
        listed = joined((literal(v) for v in self.names_in_order), by=", ")
        yield Statement(sql=text(compose("CREATE TYPE {} AS ENUM ({})", self.sql_name(), listed)))

    def redefine(self, old: Self, context: PlanningContext) -> Iterable[Statement] | None:
        """Add values in their places, each committed before anything can use it; what goes or moves makes another type."""
        kept = tuple(v for v in self.names_in_order if v in old.names_in_order)
        return self._additions(old) if kept == old.names_in_order else None

    def _additions(self, old: Self) -> Iterable[Statement]:
        there, names = set(old.names_in_order), self.names_in_order
        for place, value in enumerate(names):
            if value in there:
                continue
            where: sql.Composable = raw("")
            if place:
                follows = all(v not in there for v in names[place:])
                where = raw("") if follows else compose(" AFTER {}", literal(names[place - 1]))
            elif there:
                where = compose(" BEFORE {}", literal(old.names_in_order[0]))
            there.add(value)
            yield Statement(
                sql=text(
                    compose("ALTER TYPE {} ADD VALUE {}{}", self.sql_name(), literal(value), where)
                ),
                own_transaction=True,
            )
