"""Foreign tables: https://www.postgresql.org/docs/current/sql-createforeigntable.html"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar, Self

from pydantic import Field

from reconciler.model.catalog_sql import address, managed, object_grants
from reconciler.model.clauses import BOUND, NAME, Clause
from reconciler.model.foreign_options import (
    HasForeignOptions,
    Options,
    options_change,
    options_clause,
    parse_options,
    readable_options,
)
from reconciler.model.object import InlinePart, PlanningContext
from reconciler.model.ref import Ref
from reconciler.model.spelling import Name
from reconciler.model.statement import Statement
from reconciler.model.table_like import INHERITANCE_COLUMNS, InheritableTable
from reconciler.server.capabilities import Server
from reconciler.server.connection import Row
from reconciler.sql import compose


class ForeignTable(HasForeignOptions, InheritableTable):
    """A foreign table, which may inherit or be a partition."""

    kind: ClassVar[str] = "foreign_table"
    section: ClassVar[str] = "foreign_tables"
    omitted_is_default: ClassVar[bool] = False
    oid_column: ClassVar[str] = "pg_foreign_table.ftrelid"
    sql_fields: ClassVar[tuple[str, ...]] = ("partition_of", "values", "inherits")
    sql_clauses: ClassVar[Mapping[str, Clause]] = {
        "partition_of": NAME,
        "values": BOUND,
        "inherits": NAME,
    }

    server: Name = Field(default="", description="the foreign server of the table")
    options: Options = Field(
        default_factory=dict,
        description="options of the wrapper, such as table_name; {secret} keeps a hidden value",
    )

    @classmethod
    def catalog(cls, server: Server) -> str:
        return f"""
            SELECT n.nspname AS schema, c.relname AS name,
                   pg_get_userbyid(c.relowner)::text AS owner,
                   ARRAY[{address("pg_class", "c.oid")}, {address("pg_type", "c.reltype")},
                         {address("pg_type", "t.typarray")}]
                       AS addresses,
                   s.srvname AS server, {readable_options("f.ftoptions")} AS options,
                   {INHERITANCE_COLUMNS},
                   {object_grants("c.relacl", "r", "c.relowner")} AS grants
            FROM pg_foreign_table AS f
            JOIN pg_class AS c ON c.oid = f.ftrelid
            JOIN pg_namespace AS n ON n.oid = c.relnamespace
            JOIN pg_type AS t ON t.oid = c.reltype
            JOIN pg_foreign_server AS s ON s.oid = f.ftserver
            WHERE {managed("pg_class", "c.oid", "n.nspname")}
            ORDER BY n.nspname, c.relname"""

    @classmethod
    def from_row(cls, ref: Ref, row: Row) -> Self:
        return cls(ref=ref, options=parse_options(row.pop("options")), **row)

    def needs(self) -> frozenset[Ref]:
        return super().needs() | {Ref("foreign_server", "", self.server)}

    def define(
        self, context: PlanningContext, parts: Sequence[InlinePart] = ()
    ) -> Iterable[Statement]:
        create = compose("CREATE FOREIGN TABLE {}", self.sql_name())
        yield from self._create(
            create,
            parts,
            context,
            compose("SERVER {}{}", self.server, options_clause(self.options)),
        )

    def redefine(self, old: Self, context: PlanningContext) -> Iterable[Statement] | None:
        return None if self.server != old.server else self._altered(old, context)

    def _altered(self, old: Self, context: PlanningContext) -> Iterable[Statement]:
        yield from self._detach_old(old)
        yield from self._attach_new(old, context)
        if (options := options_change(old.options, self.options)) is not None:
            yield self._alter(options)
