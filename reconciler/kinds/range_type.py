"""Range types: https://www.postgresql.org/docs/current/rangetypes.html"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Self

from pydantic import Field

from reconciler.model.catalog_sql import address, managed, object_grants
from reconciler.model.clauses import NAME, TYPE, Clause
from reconciler.model.datatype import DataType, old_name, rename_to_old
from reconciler.model.object import Object, PlanningContext
from reconciler.model.ref import Ref, split_name
from reconciler.model.spelling import Collation, QualifiedName
from reconciler.model.statement import Statement
from reconciler.model.type_spelling import TypeName
from reconciler.server.capabilities import Server
from reconciler.server.connection import Row
from reconciler.sql import compose, joined, name, raw, text


class RangeType(DataType):
    """A range type with the multirange type; `floats: float8` is the short form.

    Replaced if changed, since PostgreSQL cannot alter range types.
    """

    kind: ClassVar[str] = "range_type"
    main_key: ClassVar[str] = "subtype"
    stays_in_schema: ClassVar[str] = "its multirange type and the functions that construct it"
    other_keys: ClassVar[Mapping[str, str]] = {"multirange_type_name": "multirange"}
    section: ClassVar[str] = "ranges"
    omitted_is_default: ClassVar[bool] = False
    oid_column: ClassVar[str] = "pg_range.rngtypid"
    sql_fields: ClassVar[tuple[str, ...]] = ("subtype",)
    sql_clauses: ClassVar[Mapping[str, Clause]] = {
        "subtype": TYPE,
        "subtype_opclass": NAME,
        "collation": NAME,
        "canonical": NAME,
        "subtype_diff": NAME,
        "multirange": NAME,
    }

    subtype: TypeName = Field(default="", description="the data type of the bounds")
    subtype_opclass: QualifiedName | None = Field(
        default=None,
        description="the operator class that orders values; left out: the subtype's default",
    )
    collation: Collation | None = Field(
        default=None, description="the collation; left out: the subtype's"
    )
    canonical: QualifiedName | None = Field(
        default=None, description="the function that converts ranges to canonical form"
    )
    subtype_diff: QualifiedName | None = Field(
        default=None, description="the function that computes the distance of two bounds"
    )
    multirange: QualifiedName | None = Field(
        default=None,
        description="the name of the multirange type; left out: derived from the range's",
    )
    multirange_name: str = Field(default="", json_schema_extra={"derived": True})

    def name_keys(self) -> frozenset[tuple[str, ...]]:
        """Add the name of the multirange type."""
        named = split_name(self.multirange or "") or [default_multirange(self.ref.name)]
        schema = named[0] if len(named) > 1 else self.ref.schema
        return super().name_keys() | {("type", schema, named[-1], "")}

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
                   CASE WHEN NOT o.opcdefault
                        THEN format('%I.%I', pn.nspname, o.opcname) END AS subtype_opclass,
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
        schema, multirange = row.pop("multirange_schema"), row["multirange_name"]
        is_default = (schema, multirange) == (ref.schema, default_multirange(ref.name))
        row["multirange"] = None if is_default else text(name(schema, multirange))
        return cls(ref=ref, **row)

    @classmethod
    def short_form(cls, body: dict[str, Any]) -> object:
        return body["subtype"] if list(body) == ["subtype"] else body

    def define(self, context: PlanningContext, parts: Sequence[Object] = ()) -> Iterable[Statement]:
        options = (
            ("SUBTYPE", self.subtype),
            ("SUBTYPE_OPCLASS", self.subtype_opclass),
            ("COLLATION", self.collation),
            ("CANONICAL", self.canonical),
            ("SUBTYPE_DIFF", self.subtype_diff),
            ("MULTIRANGE_TYPE_NAME", self.multirange),
        )
        listed = joined(compose("{} = {}", raw(k), raw(v)) for k, v in options if v is not None)
        yield Statement(sql=text(compose("CREATE TYPE {} AS RANGE ({})", self.sql_name(), listed)))

    # -- replacement -----------------------------------------------------------------------------

    def old_names(self) -> Mapping[str, str]:
        schema, current = self.ref.schema, self.multirange_name
        multirange, temporary = text(name(schema, current)), text(name(schema, old_name(current)))
        return {
            **super().old_names(),
            multirange: temporary,
            f"{multirange}[]": f"{temporary}[]",
        }

    def under_old_name(self, old_names: Mapping[str, str]) -> Self:
        multirange = old_name(self.multirange_name)
        fields = {
            "multirange_name": multirange,
            "multirange": text(name(self.ref.schema, multirange)),
            "subtype": old_names.get(self.subtype, self.subtype),
        }
        return super().under_old_name(old_names).model_copy(update=fields)

    def rename_to_old_name(self, renamed: Self) -> Iterable[Statement]:
        """Rename the types and the constructor functions of the same names."""
        schema, range_, multirange = self.ref.schema, self.ref.name, self.multirange_name
        qualified = text(name(schema, range_))
        yield rename_to_old("FUNCTION", schema, range_, f"({self.subtype}, {self.subtype})")
        yield rename_to_old("FUNCTION", schema, range_, f"({self.subtype}, {self.subtype}, text)")
        yield rename_to_old("FUNCTION", schema, multirange, "()")
        yield rename_to_old("FUNCTION", schema, multirange, f"({qualified})")
        yield rename_to_old("FUNCTION", schema, multirange, f"({qualified}[])")
        yield rename_to_old("TYPE", schema, multirange)
        yield rename_to_old("TYPE", schema, range_)


def default_multirange(range_name: str) -> str:
    """Return the default name of a multirange type, as makeMultirangeTypeName() does."""
    before, found, after = range_name.partition("range")
    if found:
        return f"{before}multirange{after}".encode()[:63].decode(errors="ignore")
    suffix = "_multirange"
    return range_name.encode()[: 63 - len(suffix)].decode(errors="ignore") + suffix
