"""Foreign data wrappers.

https://www.postgresql.org/docs/current/sql-createforeigndatawrapper.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar, Self

from psycopg import sql
from pydantic import Field

from reconciler.model.catalog_sql import address, managed, object_grants
from reconciler.model.clauses import NAME, Clause
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
from reconciler.model.spelling import QualifiedName
from reconciler.model.statement import Statement
from reconciler.server.capabilities import Server
from reconciler.server.connection import Row
from reconciler.sql import compose, joined, name, raw, text


class ForeignDataWrapper(HasForeignOptions, Granted):
    """A foreign data wrapper that belongs to no extension."""

    kind: ClassVar[str] = "foreign_data_wrapper"
    section: ClassVar[str] = "foreign_data_wrappers"
    omitted_is_default: ClassVar[bool] = False
    oid_column: ClassVar[str] = "pg_foreign_data_wrapper.oid"
    schemaless: ClassVar[bool] = True
    grant_class: ClassVar[str] = "FOREIGN DATA WRAPPER"
    sql_fields: ClassVar[tuple[str, ...]] = ("handler", "validator")
    sql_clauses: ClassVar[Mapping[str, Clause]] = {"handler": NAME, "validator": NAME}

    handler: QualifiedName | None = Field(
        default=None, description="the function that scans foreign tables: schema.name"
    )
    validator: QualifiedName | None = Field(
        default=None, description="the function that checks options: schema.name"
    )
    options: Options = Field(
        default_factory=dict,
        description="what its validator accepts; {secret} keeps a hidden value",
    )

    @classmethod
    def catalog(cls, server: Server) -> str:
        return f"""
            SELECT w.fdwname AS name, pg_get_userbyid(w.fdwowner)::text AS owner,
                   ARRAY[{address("pg_foreign_data_wrapper", "w.oid")}] AS addresses,
                   nullif(w.fdwhandler, 0)::regproc::text AS handler,
                   nullif(w.fdwvalidator, 0)::regproc::text AS validator,
                   {readable_options("w.fdwoptions")} AS options,
                   {object_grants("w.fdwacl", "F", "w.fdwowner")} AS grants
            FROM pg_foreign_data_wrapper AS w
            WHERE {managed("pg_foreign_data_wrapper", "w.oid", "w.fdwname")}
            ORDER BY w.fdwname"""

    @classmethod
    def from_row(cls, ref: Ref, row: Row) -> Self:
        return cls(ref=ref, options=parse_options(row.pop("options")), **row)

    def sql_name(self) -> sql.Composable:
        return name(self.ref.name)

    def define(self, context: PlanningContext, parts: Sequence[Object] = ()) -> Iterable[Statement]:
        functions, options = self._functions(None), options_clause(self.options)
        yield Statement(sql=text(compose("CREATE {}{}{}", self.designation(), functions, options)))

    def redefine(self, old: Self, context: PlanningContext) -> Iterable[Statement] | None:
        options = options_change(old.options, self.options)
        command = compose(
            "ALTER {}{}{}",
            self.designation(),
            self._functions(old),
            compose(" {}", options) if options else raw(""),
        )
        yield Statement(sql=text(command))

    def _functions(self, old: Self | None) -> sql.Composable:
        clauses: list[sql.Composable] = []
        for field in ("handler", "validator"):
            before, after = getattr(old, field, None), getattr(self, field)
            if before != after:
                keyword = field.upper()
                clauses.append(raw(f" NO {keyword}" if after is None else f" {keyword} {after}"))
        return joined(clauses, by="")
