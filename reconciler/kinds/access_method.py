"""Access methods: https://www.postgresql.org/docs/current/sql-create-access-method.html"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar, Literal

from psycopg import sql
from pydantic import Field

from reconciler.model.catalog_sql import address
from reconciler.model.clauses import NAME, Clause
from reconciler.model.object import Object, PlanningContext
from reconciler.model.spelling import QualifiedName
from reconciler.model.statement import Statement
from reconciler.server.capabilities import Server
from reconciler.sql import compose, name, raw, text


class AccessMethod(Object):
    """A table or index access method that belongs to no extension."""

    kind: ClassVar[str] = "access_method"
    section: ClassVar[str] = "access_methods"
    oid_column: ClassVar[str] = "pg_am.oid"
    schemaless: ClassVar[bool] = True
    renamable: ClassVar[bool] = False
    omitted_is_default: ClassVar[bool] = True
    sql_clauses: ClassVar[Mapping[str, Clause]] = {"handler": NAME}

    type: Literal["table", "index"] = Field(
        description="whether it stores tables or searches indexes"
    )
    handler: QualifiedName = Field(description="the handler function: schema.name")

    @classmethod
    def catalog(cls, server: Server) -> str:
        return f"""
            SELECT a.amname AS name, ARRAY[{address("pg_am", "a.oid")}] AS addresses,
                   a.amhandler::text AS handler,
                   CASE a.amtype WHEN 't' THEN 'table' ELSE 'index' END AS type
            FROM pg_am AS a
            WHERE a.oid >= 16384 AND NOT EXISTS (
                SELECT FROM pg_depend AS d
                WHERE d.classid = 'pg_am'::regclass AND d.objid = a.oid AND d.deptype = 'e')
            ORDER BY a.amname"""

    def sql_name(self) -> sql.Composable:
        return name(self.ref.name)

    def define(self, context: PlanningContext, parts: Sequence[Object] = ()) -> Iterable[Statement]:
        type_, handler = raw(self.type.upper()), raw(self.handler)
        yield Statement(
            sql=text(compose("CREATE {} TYPE {} HANDLER {}", self.designation(), type_, handler))
        )
