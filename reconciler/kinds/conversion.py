"""Encoding conversions.

https://www.postgresql.org/docs/current/sql-createconversion.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

from pydantic import Field

from reconciler.model.catalog_sql import address, managed
from reconciler.model.clauses import NAME, Clause
from reconciler.model.object import Object, PlanningContext
from reconciler.model.owned import Owned
from reconciler.model.spelling import QualifiedName
from reconciler.model.statement import Statement
from reconciler.server.capabilities import Server
from reconciler.sql import compose, literal, raw, text


class Conversion(Owned):
    """A conversion of text between two encodings."""

    kind: ClassVar[str] = "conversion"
    section: ClassVar[str] = "conversions"
    omitted_is_default: ClassVar[bool] = False
    oid_column: ClassVar[str] = "pg_conversion.oid"
    sql_fields: ClassVar[tuple[str, ...]] = ("function",)
    sql_clauses: ClassVar[Mapping[str, Clause]] = {"function": NAME}

    source: str = Field(default="", alias="from", description="the source encoding, such as LATIN1")
    target: str = Field(
        default="", alias="to", description="the destination encoding, such as UTF8"
    )
    function: QualifiedName = Field(
        default="", description="the function that converts: schema.name"
    )
    default: bool = Field(
        default=False, description="used whenever text is converted between the two encodings"
    )

    @classmethod
    def catalog(cls, server: Server) -> str:
        return f"""
            SELECT n.nspname AS schema, c.conname AS name,
                   pg_get_userbyid(c.conowner)::text AS owner,
                   ARRAY[{address("pg_conversion", "c.oid")}] AS addresses,
                   pg_encoding_to_char(c.conforencoding) AS from,
                   pg_encoding_to_char(c.contoencoding) AS to,
                   c.conproc::regproc::text AS function, c.condefault AS default
            FROM pg_conversion AS c JOIN pg_namespace AS n ON n.oid = c.connamespace
            WHERE {managed("pg_conversion", "c.oid", "n.nspname")}
            ORDER BY n.nspname, c.conname"""

    def define(self, context: PlanningContext, parts: Sequence[Object] = ()) -> Iterable[Statement]:
        verb = raw("CREATE DEFAULT CONVERSION" if self.default else "CREATE CONVERSION")
        encodings = compose("FOR {} TO {}", literal(self.source), literal(self.target))
        yield Statement(
            sql=text(
                compose("{} {} {} FROM {}", verb, self.sql_name(), encodings, raw(self.function))
            )
        )
