"""Foreign servers: https://www.postgresql.org/docs/current/sql-createserver.html"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar, Self

from psycopg import sql
from pydantic import Field

from reconciler.model.catalog_sql import address, managed, object_grants
from reconciler.model.foreign_options import (
    HasForeignOptions,
    Options,
    options_change,
    options_clause,
    parse_options,
    readable_options,
)
from reconciler.model.object import Object, PlanningContext
from reconciler.model.owned import Granted
from reconciler.model.ref import Ref
from reconciler.model.spelling import Name, Text
from reconciler.model.statement import Statement
from reconciler.server.capabilities import Server
from reconciler.server.connection import Row
from reconciler.sql import compose, joined, literal, name, raw, text


class ForeignServer(HasForeignOptions, Granted):
    """A foreign server."""

    kind: ClassVar[str] = "foreign_server"
    main_key: ClassVar[str] = "wrapper"
    other_keys: ClassVar[Mapping[str, str]] = {"foreign_data_wrapper": "wrapper"}
    section: ClassVar[str] = "foreign_servers"
    omitted_is_default: ClassVar[bool] = False
    oid_column: ClassVar[str] = "pg_foreign_server.oid"
    schemaless: ClassVar[bool] = True
    grant_class: ClassVar[str] = "FOREIGN SERVER"

    wrapper: Name = Field(default="", description="the foreign data wrapper of the server")
    type: str | None = Field(
        default=None, description="the server type; its meaning depends on the wrapper"
    )
    version: Text | None = Field(
        default=None, description="the server version; its meaning depends on the wrapper"
    )
    options: Options = Field(
        default_factory=dict,
        description="options of the wrapper, such as host; {secret} keeps a hidden value",
    )

    @classmethod
    def catalog(cls, server: Server) -> str:
        return f"""
            SELECT s.srvname AS name, pg_get_userbyid(s.srvowner)::text AS owner,
                   ARRAY[{address("pg_foreign_server", "s.oid")}] AS addresses,
                   w.fdwname AS wrapper, s.srvtype AS type, s.srvversion AS version,
                   {readable_options("s.srvoptions")} AS options,
                   {object_grants("s.srvacl", "S", "s.srvowner")} AS grants
            FROM pg_foreign_server AS s JOIN pg_foreign_data_wrapper AS w ON w.oid = s.srvfdw
            WHERE {managed("pg_foreign_server", "s.oid", "s.srvname")}
            ORDER BY s.srvname"""

    @classmethod
    def from_row(cls, ref: Ref, row: Row) -> Self:
        return cls(ref=ref, options=parse_options(row.pop("options")), **row)

    def needs(self) -> frozenset[Ref]:
        return frozenset({Ref("foreign_data_wrapper", "", self.wrapper)})

    def designation(self) -> sql.Composable:
        return compose("SERVER {}", self.ref.name)

    def sql_name(self) -> sql.Composable:
        return name(self.ref.name)

    def define(self, context: PlanningContext, parts: Sequence[Object] = ()) -> Iterable[Statement]:
        clauses: list[sql.Composable] = [compose("CREATE SERVER {}", self.ref.name)]
        strings = (("TYPE", self.type), ("VERSION", self.version))
        clauses += [compose("{} {}", raw(k), literal(v)) for k, v in strings if v is not None]
        clauses.append(
            compose("FOREIGN DATA WRAPPER {}{}", self.wrapper, options_clause(self.options))
        )
        yield Statement(sql=text(joined(clauses, by=" ")))

    def redefine(self, old: Self, context: PlanningContext) -> Iterable[Statement] | None:
        if (self.wrapper, self.type) != (old.wrapper, old.type):
            return None
        actions: list[sql.Composable] = []
        if self.version != old.version:
            actions.append(compose("VERSION {}", literal(self.version)))
        if (options := options_change(old.options, self.options)) is not None:
            actions.append(options)
        command = compose("ALTER SERVER {} {}", self.ref.name, joined(actions, by=" "))
        return [Statement(sql=text(command))]
