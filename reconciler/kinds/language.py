"""Procedural languages: https://www.postgresql.org/docs/current/sql-createlanguage.html"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

from psycopg import sql
from pydantic import Field

from reconciler.model.catalog_sql import address, managed, object_grants
from reconciler.model.clauses import NAME, Clause
from reconciler.model.object import Object, PlanningContext
from reconciler.model.owned import Granted
from reconciler.model.spelling import QualifiedName
from reconciler.model.statement import Statement
from reconciler.server.capabilities import Server
from reconciler.sql import compose, joined, name, raw, text


class Language(Granted):
    """A procedural language that belongs to no extension."""

    kind: ClassVar[str] = "language"
    section: ClassVar[str] = "languages"
    omitted_is_default: ClassVar[bool] = False
    oid_column: ClassVar[str] = "pg_language.oid"
    schemaless: ClassVar[bool] = True
    grant_class: ClassVar[str] = "LANGUAGE"
    public_by_default: ClassVar[tuple[str, ...]] = ("usage",)
    sql_fields: ClassVar[tuple[str, ...]] = ("handler", "inline", "validator")
    sql_clauses: ClassVar[Mapping[str, Clause]] = {
        "handler": NAME,
        "inline": NAME,
        "validator": NAME,
    }

    trusted: bool = Field(
        default=False, description="every role with USAGE may create functions in the language"
    )
    handler: QualifiedName = Field(
        default="", description="the function that calls functions in the language"
    )
    inline: QualifiedName | None = Field(
        default=None, description="the function that runs DO blocks"
    )
    validator: QualifiedName | None = Field(
        default=None, description="the function that checks new functions"
    )

    @classmethod
    def catalog(cls, server: Server) -> str:
        return f"""
            SELECT l.lanname AS name, pg_get_userbyid(l.lanowner)::text AS owner,
                   ARRAY[{address("pg_language", "l.oid")}] AS addresses, l.lanpltrusted AS trusted,
                   l.lanplcallfoid::regproc::text AS handler,
                   nullif(l.laninline, 0)::regproc::text AS inline,
                   nullif(l.lanvalidator, 0)::regproc::text AS validator,
                   {object_grants("l.lanacl", "l", "l.lanowner")} AS grants
            FROM pg_language AS l
            WHERE l.lanispl AND {managed("pg_language", "l.oid", "l.lanname")}
            ORDER BY l.lanname"""

    def sql_name(self) -> sql.Composable:
        return name(self.ref.name)

    def define(self, context: PlanningContext, parts: Sequence[Object] = ()) -> Iterable[Statement]:
        clauses: list[sql.Composable] = [
            compose("CREATE {}LANGUAGE {}", raw("TRUSTED " if self.trusted else ""), self.ref.name)
        ]
        functions = (
            ("HANDLER", self.handler),
            ("INLINE", self.inline),
            ("VALIDATOR", self.validator),
        )
        clauses += [compose("{} {}", raw(k), raw(f)) for k, f in functions if f is not None]
        yield Statement(sql=text(joined(clauses, by=" ")))
