"""Schemas: https://www.postgresql.org/docs/current/sql-createschema.html"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar, Self

from psycopg import sql

from reconciler.model.catalog_sql import address, managed, object_grants
from reconciler.model.object import Object, PlanningContext
from reconciler.model.owned import Granted
from reconciler.model.statement import Statement
from reconciler.server.capabilities import Server
from reconciler.sql import compose, name, text


class Schema(Granted):
    """A schema."""

    kind: ClassVar[str] = "schema"
    section: ClassVar[str] = "schemas"
    oid_column: ClassVar[str] = ""
    omitted_is_default: ClassVar[bool] = False
    schemaless: ClassVar[bool] = True
    grant_class: ClassVar[str] = "SCHEMA"

    @classmethod
    def catalog(cls, server: Server) -> str:
        return f"""
            SELECT n.nspname AS name, pg_get_userbyid(n.nspowner)::text AS owner,
                   ARRAY[{address("pg_namespace", "n.oid")}] AS addresses,
                   {object_grants("n.nspacl", "n", "n.nspowner")} AS grants
            FROM pg_namespace AS n
            WHERE {managed("pg_namespace", "n.oid", "n.nspname")}
            ORDER BY n.nspname"""

    def sql_name(self) -> sql.Composable:
        return name(self.ref.name)

    def define(self, context: PlanningContext, parts: Sequence[Object] = ()) -> Iterable[Statement]:
        yield Statement(
            sql=text(compose("CREATE SCHEMA {}", self.ref.name)), needs_create_on="database"
        )

    def redefine(self, old: Self, context: PlanningContext) -> Iterable[Statement] | None:
        return ()
