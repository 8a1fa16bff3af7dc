"""Extensions: https://www.postgresql.org/docs/current/sql-createextension.html"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar, Self

from psycopg import sql
from pydantic import Field

from reconciler.catalog import address
from reconciler.connection import Row, Server
from reconciler.ref import Ref
from reconciler.state import Object, Situation
from reconciler.statement import Statement, compose, joined, literal, name, text


class Extension(Object):
    """An extension; the objects it owns are never touched."""

    kind: ClassVar[str] = "extension"
    section: ClassVar[str] = "extensions"
    unqualified: ClassVar[bool] = True

    namespace: str | None = Field(default=None, alias="schema", description="where its objects go, if it lets one choose")
    version: str | None = Field(default=None, description="left out: whatever is installed, or the server's default")

    @classmethod
    def catalog(cls, server: Server) -> str:
        return f"""
            SELECT e.extname AS name, ARRAY[{address("pg_extension", "e.oid")}] AS addresses,
                   n.nspname AS extension_schema, e.extversion AS version
            FROM pg_extension AS e JOIN pg_namespace AS n ON n.oid = e.extnamespace
            WHERE e.extname <> 'plpgsql'
            ORDER BY e.extname"""

    @classmethod
    def from_row(cls, ref: Ref, row: Row) -> Self:
        return cls(ref=ref, schema=row.pop("extension_schema"), **row)

    def sql_name(self) -> sql.Composable:
        return name(self.ref.name)

    def needs(self) -> frozenset[Ref]:
        return frozenset({Ref("schema", "", self.namespace)} if self.namespace else ())

    def define(self, on: Situation, parts: Sequence[Object] = ()) -> Iterable[Statement]:
        words: list[sql.Composable] = [compose("CREATE EXTENSION {}", self.ref.name)]
        if self.namespace:
            words.append(compose("SCHEMA {}", self.namespace))
        if self.version:
            words.append(compose("VERSION {}", literal(self.version)))
        yield Statement(sql=text(joined(words, by=" ")))

    def redefine(self, old: Self, on: Situation) -> Iterable[Statement] | None:
        if self.version != old.version and self.version:
            yield Statement(sql=text(compose("ALTER EXTENSION {} UPDATE TO {}", self.ref.name, literal(self.version))))
        if self.namespace != old.namespace and self.namespace:
            yield Statement(sql=text(compose("ALTER EXTENSION {} SET SCHEMA {}", self.ref.name, self.namespace)))
