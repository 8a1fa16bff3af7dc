"""Foreign data wrappers: https://www.postgresql.org/docs/current/sql-createforeigndatawrapper.html"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar, Self

from psycopg import sql
from pydantic import Field, field_validator

from reconciler.model.catalog_sql import address, managed, object_grants
from reconciler.model.foreign_options import (
    non_secret_options,
    options_change,
    options_clause,
    parse_options,
    reject_secrets,
)
from reconciler.model.object import Object, PlanningContext
from reconciler.model.owned import Granted
from reconciler.model.ref import Ref
from reconciler.model.statement import Statement
from reconciler.server.capabilities import Server
from reconciler.server.connection import Row
from reconciler.sql import compose, name, raw, text


class ForeignDataWrapper(Granted):
    """What knows how to reach foreign data; most come with an extension."""

    kind: ClassVar[str] = "foreign_data_wrapper"
    section: ClassVar[str] = "foreign_data_wrappers"
    omitted_is_default: ClassVar[bool] = False
    oid_column: ClassVar[str] = "pg_foreign_data_wrapper.oid"
    schemaless: ClassVar[bool] = True
    grant_class: ClassVar[str] = "FOREIGN DATA WRAPPER"
    sql_fields: ClassVar[tuple[str, ...]] = ("handler", "validator")

    handler: str | None = Field(default=None, description="the function that runs its scans")
    validator: str | None = Field(default=None, description="the function that checks options")
    options: dict[str, str] = Field(
        default_factory=dict, description="what the validator takes; never a secret"
    )

    _no_secrets = field_validator("options")(reject_secrets)

    @classmethod
    def catalog(cls, server: Server) -> str:
        return f"""
            SELECT w.fdwname AS name, pg_get_userbyid(w.fdwowner)::text AS owner,
                   ARRAY[{address("pg_foreign_data_wrapper", "w.oid")}] AS addresses,
                   nullif(w.fdwhandler, 0)::regproc::text AS handler,
                   nullif(w.fdwvalidator, 0)::regproc::text AS validator,
                   {non_secret_options("w.fdwoptions")} AS options,
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
        yield Statement(
            sql=text(
                compose(
                    "CREATE {}{}{}",
                    self.designation(),
                    self._functions(None),
                    options_clause(self.options),
                )
            )
        )

    def redefine(self, old: Self, context: PlanningContext) -> Iterable[Statement] | None:
        functions, options = self._functions(old), options_change(old.options, self.options)
        yield Statement(
            sql=text(
                compose(
                    "ALTER {}{}{}",
                    self.designation(),
                    functions,
                    compose(" {}", options) if options else raw(""),
                )
            )
        )

    def _functions(self, old: Self | None) -> sql.Composable:
        words = ""
        for role in ("handler", "validator"):
            was, wanted = getattr(old, role, None), getattr(self, role)
            if was != wanted:
                words += f" NO {role.upper()}" if wanted is None else f" {role.upper()} {wanted}"
        return raw(words)
