"""Range types: https://www.postgresql.org/docs/current/rangetypes.html"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Self

from pydantic import Field

from reconciler.model.catalog_sql import address, managed, object_grants
from reconciler.model.datatype import DataType, old_name, rename_to_old
from reconciler.model.object import Object, PlanningContext
from reconciler.model.ref import Ref
from reconciler.model.statement import Statement
from reconciler.server.capabilities import Server
from reconciler.server.connection import Row
from reconciler.sql import compose, joined, name, raw, text


class RangeType(DataType):
    """A range over another type, with its multirange; `floats: float8` is its short form.

    PostgreSQL cannot alter one, so that any change makes another type.
    """

    kind: ClassVar[str] = "range_type"
    section: ClassVar[str] = "ranges"
    omitted_is_default: ClassVar[bool] = False
    oid_column: ClassVar[str] = "pg_range.rngtypid"
    sql_fields: ClassVar[tuple[str, ...]] = ("subtype",)

    subtype: str = ""
    subtype_opclass: str | None = Field(
        default=None, description="the order of its values, where it is not the usual one"
    )
    collation: str | None = Field(default=None, description="where it is not the type's own")
    canonical: str | None = Field(
        default=None, description="the function that spells equal ranges alike"
    )
    subtype_diff: str | None = Field(
        default=None, description="the function that measures the distance of two values"
    )
    multirange: str | None = Field(
        default=None, description="the name of its multirange type; left out: made of the range's"
    )
    multirange_name: str = Field(default="", json_schema_extra={"derived": True})

    @classmethod
    def catalog(cls, server: Server) -> str:
        constructors = f"""
            SELECT array_agg({address("pg_proc", "d.objid")}) FROM pg_depend AS d
            WHERE d.classid = 'pg_proc'::regclass AND d.deptype = 'i'
                  AND d.refclassid = 'pg_type'::regclass AND d.refobjid IN (t.oid, m.oid)"""
        return f"""
            SELECT n.nspname AS schema, t.typname AS name,
                   pg_get_userbyid(t.typowner)::text AS owner,
                   ARRAY[{address("pg_type", "t.oid")}, {address("pg_type", "t.typarray")},
                         {address("pg_type", "m.oid")}, {address("pg_type", "m.typarray")}]
                         || ({constructors}) AS addresses,
                   format_type(r.rngsubtype, NULL) AS subtype,
                   CASE WHEN NOT o.opcdefault THEN format('%I.%I', pn.nspname,
                                                          o.opcname) END AS subtype_opclass,
                   CASE WHEN r.rngcollation <> b.typcollation THEN (
                       SELECT format('%I.%I', cn.nspname, l.collname) FROM pg_collation AS l
                       JOIN pg_namespace AS cn ON cn.oid = l.collnamespace
                       WHERE l.oid = r.rngcollation) END AS collation,
                   nullif(r.rngcanonical, 0)::regproc::text AS canonical,
                   nullif(r.rngsubdiff, 0)::regproc::text AS subtype_diff,
                   m.typname AS multirange_name, mn.nspname AS multirange_schema,
                   {object_grants("t.typacl", "T", "t.typowner")} AS grants
            FROM pg_range AS r
            JOIN pg_type AS t ON t.oid = r.rngtypid
            JOIN pg_namespace AS n ON n.oid = t.typnamespace
            JOIN pg_type AS b ON b.oid = r.rngsubtype
            JOIN pg_opclass AS o ON o.oid = r.rngsubopc
            JOIN pg_namespace AS pn ON pn.oid = o.opcnamespace
            JOIN pg_type AS m ON m.oid = r.rngmultitypid
            JOIN pg_namespace AS mn ON mn.oid = m.typnamespace
            WHERE {managed("pg_type", "t.oid", "n.nspname")}
            ORDER BY n.nspname, t.typname"""

    @classmethod
    def from_row(cls, ref: Ref, row: Row) -> Self:
        schema, own = row.pop("multirange_schema"), row["multirange_name"]
        usual = schema == ref.schema and own == usual_multirange(ref.name)
        row["multirange"] = None if usual else text(name(schema, own))
        return cls(ref=ref, **row)

    @classmethod
    def entry(cls, key: str, body: object) -> tuple[str, object]:
        return key, {"subtype": body} if isinstance(body, str) else body

    @classmethod
    def short_form(cls, body: dict[str, Any]) -> object:
        return body["subtype"] if list(body) == ["subtype"] else body

    def define(self, context: PlanningContext, parts: Sequence[Object] = ()) -> Iterable[Statement]:
        given = (
            ("SUBTYPE", self.subtype),
            ("SUBTYPE_OPCLASS", self.subtype_opclass),
            ("COLLATION", self.collation),
            ("CANONICAL", self.canonical),
            ("SUBTYPE_DIFF", self.subtype_diff),
            ("MULTIRANGE_TYPE_NAME", self.multirange),
        )
        listed = joined(compose("{} = {}", raw(k), raw(v)) for k, v in given if v is not None)
        yield Statement(sql=text(compose("CREATE TYPE {} AS RANGE ({})", self.sql_name(), listed)))

    # -- while it is replaced --------------------------------------------------------------------------------------

    def old_names(self) -> Mapping[str, str]:
        own, other = (
            text(name(self.ref.schema, n))
            for n in (self.multirange_name, old_name(self.multirange_name))
        )
        return {**super().old_names(), own: other, f"{own}[]": f"{other}[]"}

    def under_old_name(self, others: Mapping[str, str]) -> Self:
        own = old_name(self.multirange_name)
        named = {"multirange_name": own, "multirange": text(name(self.ref.schema, own))}
        return (
            super()
            .under_old_name(others)
            .model_copy(update=named | {"subtype": others.get(self.subtype, self.subtype)})
        )

    def rename_to_old_name(self, other: Self) -> Iterable[Statement]:
        """Rename the types, and the functions of the same names that make their values."""
        schema, own, many = self.ref.schema, self.ref.name, self.multirange_name
        typed = text(name(schema, own))
        yield rename_to_old("FUNCTION", schema, own, f"({self.subtype}, {self.subtype})")
        yield rename_to_old("FUNCTION", schema, own, f"({self.subtype}, {self.subtype}, text)")
        yield rename_to_old("FUNCTION", schema, many, "()")
        yield rename_to_old("FUNCTION", schema, many, f"({typed})")
        yield rename_to_old("FUNCTION", schema, many, f"({typed}[])")
        yield rename_to_old("TYPE", schema, many)
        yield rename_to_old("TYPE", schema, own)


def usual_multirange(own: str) -> str:
    """The name that PostgreSQL gives the multirange: makeMultirangeTypeName()."""
    before, found, after = own.partition("range")
    if found:
        return f"{before}multirange{after}".encode()[:63].decode(errors="ignore")
    return own.encode()[: 63 - len("_multirange")].decode(errors="ignore") + "_multirange"
