"""Transforms: https://www.postgresql.org/docs/current/sql-createtransform.html"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import ClassVar, Self

from psycopg import sql
from pydantic import Field, model_validator

from reconciler.model.catalog_sql import address
from reconciler.model.clauses import FUNCTION_SIGNATURE, TYPE, Clause, Fragment
from reconciler.model.declared import NamedByTypes
from reconciler.model.names import quoted, unquoted
from reconciler.model.object import Object, PlanningContext
from reconciler.model.ref import Ref
from reconciler.model.spelling import Sql
from reconciler.model.statement import Statement
from reconciler.server.capabilities import Server
from reconciler.server.connection import Connection, rows, run_sql
from reconciler.sql import compose, joined, name, raw, text

_KEY = re.compile(
    r'(?:for\s+)?(?P<type>\S.*?)\s+language\s+(?P<language>"(?:[^"\s]|"")+"|[^\s"]+)',
    re.IGNORECASE | re.DOTALL,
)
_PRINTED = "SELECT format_type(%s::regtype, NULL) || ' language ' || quote_ident(%s) AS name"
_UNQUOTED = re.compile("[a-z_][a-z0-9_]*")  # names that quote_ident() leaves as they are


class Transform(NamedByTypes):
    """A transform; the YAML key is `type language name`, the type as PostgreSQL prints it."""

    kind: ClassVar[str] = "transform"
    section: ClassVar[str] = "transforms"
    oid_column: ClassVar[str] = "pg_transform.oid"
    renamable: ClassVar[bool] = False
    schemaless: ClassVar[bool] = True
    omitted_is_default: ClassVar[bool] = True
    sql_fields: ClassVar[tuple[str, ...]] = ("from_sql", "to_sql")
    sql_clauses: ClassVar[Mapping[str, Clause]] = {
        "from_sql": FUNCTION_SIGNATURE,
        "to_sql": FUNCTION_SIGNATURE,
    }

    from_sql: Sql | None = Field(
        default=None,
        description="the function that converts a value for the language: schema.name(internal)",
    )
    to_sql: Sql | None = Field(
        default=None,
        description="the function that converts a value of the language: schema.name(internal)",
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if {"from_sql", "to_sql"} & self.model_fields_set and not (self.from_sql or self.to_sql):
            raise ValueError("a transform has `from_sql`, `to_sql` or both")
        return self

    @classmethod
    def catalog(cls, server: Server) -> str:
        return f"""
            SELECT format_type(t.trftype, NULL) || ' language ' || quote_ident(l.lanname) AS name,
                   ARRAY[{address("pg_transform", "t.oid")}] AS addresses,
                   nullif(t.trffromsql, 0)::regprocedure::text AS from_sql,
                   nullif(t.trftosql, 0)::regprocedure::text AS to_sql
            FROM pg_transform AS t JOIN pg_language AS l ON l.oid = t.trflang
            WHERE NOT EXISTS (
                SELECT FROM pg_depend AS d
                WHERE d.classid = 'pg_transform'::regclass AND d.objid = t.oid
                      AND d.deptype = 'e')
            ORDER BY 1"""

    @classmethod
    def entry(cls, key: str, body: object) -> tuple[str, object]:
        found = _KEY.fullmatch(key.strip())
        if found is None:
            raise ValueError("a transform is named with its type and language: type language name")
        language = found["language"]
        language = unquoted(language) if language.startswith('"') else language.lower()
        shown = language if _UNQUOTED.fullmatch(language) else quoted(language)
        return f"{found['type']} language {shown}", body

    @property
    def _parts(self) -> tuple[str, str]:
        type_, _, language = self.ref.name.rpartition(" language ")
        return type_, unquoted(language)

    def needs(self) -> frozenset[Ref]:
        return frozenset({Ref("language", "", self._parts[1])})

    def fragments(self) -> Iterator[Fragment]:
        yield from super().fragments()
        yield Fragment("", TYPE, self._parts[0])

    def identify(self, connection: Connection) -> Self:
        """Let PostgreSQL read the type; raise StatementFailed for an unknown type."""
        run_sql(connection, "SET search_path TO ''")
        found = rows(connection, _PRINTED, [*self._parts])[0]["name"]
        return self.model_copy(update={"ref": self.ref._replace(name=found)})

    def signature_types(self) -> Iterable[str]:
        """Return the type."""
        return (self._parts[0],)

    def sql_name(self) -> sql.Composable:
        type_, language = self._parts
        return compose("FOR {} LANGUAGE {}", raw(type_), name(language))

    def define(self, context: PlanningContext, parts: Sequence[Object] = ()) -> Iterable[Statement]:
        yield self._set("CREATE")

    def redefine(self, old: Self, context: PlanningContext) -> Iterable[Statement]:
        yield self._set("CREATE OR REPLACE")

    def _set(self, command: str) -> Statement:
        functions = {"FROM SQL": self.from_sql, "TO SQL": self.to_sql}
        clauses = joined(
            compose("{} WITH FUNCTION {}", raw(way), raw(function))
            for way, function in functions.items()
            if function
        )
        return Statement(sql=text(compose("{} {} ({})", raw(command), self.designation(), clauses)))
