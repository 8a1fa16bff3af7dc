"""Enumerated types: https://www.postgresql.org/docs/current/datatype-enum.html"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Self

from psycopg import sql
from pydantic import BaseModel, ConfigDict, Field, field_validator

from reconciler.model.catalog_sql import address, managed, object_grants
from reconciler.model.datatype import DataType
from reconciler.model.declared import NamesParts, require_names_to_be_free
from reconciler.model.object import Object, PlanningContext
from reconciler.model.spelling import Text
from reconciler.model.statement import Statement, TypeConversion
from reconciler.server.capabilities import Server
from reconciler.sql import compose, joined, literal, raw, text


class EnumValue(BaseModel):
    """A value that is renamed."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    name: str = Field(description="the value")
    renamed_from: str = Field(description="the old name of the value")


class Enum(NamesParts, DataType):
    """An enumerated type; `mood: [sad, ok, happy]` is the short form."""

    kind: ClassVar[str] = "enum"
    main_key: ClassVar[str] = "values"
    section: ClassVar[str] = "enums"
    oid_column: ClassVar[str] = "pg_type.oid"
    own_rows: ClassVar[str] = "typtype = 'e'"
    omitted_is_default: ClassVar[bool] = False

    values: tuple[Text | EnumValue, ...] = Field(
        default=(),
        description="the values in sort order; {name, renamed_from} renames a value",
    )

    @field_validator("values")
    @classmethod
    def _names_free(cls, values: tuple[str | EnumValue, ...]) -> tuple[str | EnumValue, ...]:
        require_names_to_be_free(_old_names(values))
        return values

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
    def parts_catalog(cls) -> str:
        return f"""
            SELECT {address("pg_type", "e.enumtypid")} AS address, e.oid::int8 AS part,
                   e.enumlabel::text AS name
            FROM pg_enum AS e"""

    @classmethod
    def short_form(cls, body: dict[str, Any]) -> object:
        return body["values"] if list(body) == ["values"] else body

    @property
    def names_in_order(self) -> tuple[str, ...]:
        """Return the names of the values in sort order."""
        return tuple(v if isinstance(v, str) else v.name for v in self.values)

    def as_state(self) -> Self:
        return super().as_state().model_copy(update={"values": self.names_in_order})

    def part_in_body(self, name: str) -> str:
        return "" if name in self.names_in_order else text(literal(name))

    def part_names(self) -> Collection[str]:
        return self.names_in_order

    def old_part_names(self) -> Mapping[str, str]:
        return _old_names(self.values)

    def rename_part(self, old: str, new: str) -> Statement:
        return Statement(sql=self._rename_value(old, new), undo=(self._rename_value(new, old),))

    def _rename_value(self, old: str, new: str) -> str:
        rename = compose("RENAME VALUE {} TO {}", literal(old), literal(new))
        return text(compose("ALTER TYPE {} {}", self.sql_name(), rename))

    def with_parts_from(self, names: Mapping[str, str]) -> Self:
        values = tuple(
            EnumValue(name=v, renamed_from=names[v]) if v in names else v
            for v in self.names_in_order
        )
        return self.model_copy(update={"values": values})

    def conversions(self, old: Self, renamed: Self) -> Mapping[str, TypeConversion]:
        # A domain may have had the name.
        known = old.names_in_order if old.ref.kind == self.kind else ()
        lost = tuple(v for v in known if v not in self.names_in_order)
        found = super().conversions(old, renamed)
        return {name: replace(c, lost=lost) for name, c in found.items()}

    def define(self, context: PlanningContext, parts: Sequence[Object] = ()) -> Iterable[Statement]:
        values = joined((literal(v) for v in self.names_in_order), by=", ")
        yield Statement(sql=text(compose("CREATE TYPE {} AS ENUM ({})", self.sql_name(), values)))

    def redefine(self, old: Self, context: PlanningContext) -> Iterable[Statement] | None:
        """Add values in place; removed or reordered values need a new type."""
        kept = tuple(v for v in self.names_in_order if v in old.names_in_order)
        return self._additions(old) if kept == old.names_in_order else None

    def _additions(self, old: Self) -> Iterable[Statement]:
        """Add each value in a transaction of its own: no statement may use the value before."""
        present, names = list(old.names_in_order), self.names_in_order
        for position, value in enumerate(names):
            if value not in present:
                place = self._place(position, present)
                present.append(value)
                command = compose(
                    "ALTER TYPE {} ADD VALUE {}{}", self.sql_name(), literal(value), place
                )
                yield Statement(sql=text(command), own_transaction=True)

    def _place(self, position: int, present: Sequence[str]) -> sql.Composable:
        """Return BEFORE or AFTER for the value at `position`, unless the value becomes the last."""
        names = self.names_in_order
        if position == 0:
            return compose(" BEFORE {}", literal(present[0])) if present else raw("")
        if all(v not in present for v in names[position:]):
            return raw("")
        return compose(" AFTER {}", literal(names[position - 1]))


def _old_names(values: Iterable[str | EnumValue]) -> Mapping[str, str]:
    return {v.name: v.renamed_from for v in values if isinstance(v, EnumValue)}
