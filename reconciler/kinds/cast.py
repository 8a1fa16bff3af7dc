"""Casts: https://www.postgresql.org/docs/current/sql-createcast.html"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import ClassVar, Literal, Self

from psycopg import sql
from pydantic import Field

from reconciler.model.catalog_sql import address
from reconciler.model.clauses import CAST_TYPES, FUNCTION_SIGNATURE, Clause, Fragment
from reconciler.model.declared import NamedByTypes
from reconciler.model.markers import HiddenDependency
from reconciler.model.object import Object, PlanningContext
from reconciler.model.on_scratch import HasStandIn
from reconciler.model.spelling import Sql
from reconciler.model.statement import Statement
from reconciler.server.capabilities import Server
from reconciler.server.connection import Connection, rows, run_sql
from reconciler.sql import compose, raw, text

_AS = re.compile(r"\s+AS\s+", re.IGNORECASE)
_TYPES = "SELECT %s::regtype::oid::int8 AS source, %s::regtype::oid::int8 AS target"
_PRINTED = "SELECT format_type(%s, NULL) || ' AS ' || format_type(%s, NULL) AS name"


class Cast(NamedByTypes, HasStandIn, HiddenDependency):
    """A cast; the YAML key is `source AS target`, the types as PostgreSQL prints names."""

    kind: ClassVar[str] = "cast"
    main_key: ClassVar[str] = "function"
    other_keys: ClassVar[Mapping[str, str]] = {"with_function": "function"}
    section: ClassVar[str] = "casts"
    oid_column: ClassVar[str] = "pg_cast.oid"
    renamable: ClassVar[bool] = False
    schemaless: ClassVar[bool] = True
    omitted_is_default: ClassVar[bool] = True
    sql_fields: ClassVar[tuple[str, ...]] = ("function",)
    sql_clauses: ClassVar[Mapping[str, Clause]] = {"function": FUNCTION_SIGNATURE}

    not_with: ClassVar[Mapping[str, tuple[str, ...]]] = {"function": ("method",)}

    function: Sql | None = Field(
        default=None, description="the function that converts a value: schema.name(arguments)"
    )
    method: Literal["function", "inout", "binary"] = Field(
        default="function",
        description="function; inout: by way of text; binary: without conversion",
    )
    context: Literal["explicit", "assignment", "implicit"] = Field(
        default="explicit",
        description="where PostgreSQL applies the cast by itself; explicit: nowhere",
    )

    @classmethod
    def catalog(cls, server: Server) -> str:
        return f"""
            SELECT format_type(c.castsource, NULL) || ' AS ' || format_type(c.casttarget, NULL)
                       AS name,
                   ARRAY[{address("pg_cast", "c.oid")}] AS addresses,
                   nullif(c.castfunc, 0)::regprocedure::text AS function,
                   CASE c.castmethod WHEN 'i' THEN 'inout' WHEN 'b' THEN 'binary'
                        ELSE 'function' END AS method,
                   CASE c.castcontext WHEN 'a' THEN 'assignment' WHEN 'i' THEN 'implicit'
                        ELSE 'explicit' END AS context
            FROM pg_cast AS c
            WHERE c.oid >= 16384 AND NOT EXISTS (
                SELECT FROM pg_depend AS d
                WHERE d.classid = 'pg_cast'::regclass AND d.objid = c.oid
                      AND d.deptype IN ('e', 'i'))
            ORDER BY 1"""

    @classmethod
    def entry(cls, key: str, body: object) -> tuple[str, object]:
        if len(_AS.split(key.strip())) != len(("source", "target")):
            raise ValueError("a cast is named with its types: source AS target")
        return key.strip(), body

    def fragments(self) -> Iterator[Fragment]:
        yield from super().fragments()
        yield Fragment("", CAST_TYPES, self.ref.name)

    def identify(self, connection: Connection) -> Self:
        """Let PostgreSQL read both types; raise StatementFailed for unknown types."""
        types = rows(connection, _TYPES, [*_AS.split(self.ref.name, 1)])[0]
        run_sql(connection, "SET search_path TO ''")
        found = rows(connection, _PRINTED, [types["source"], types["target"]])[0]["name"]
        return self.model_copy(update={"ref": self.ref._replace(name=found)})

    def signature_types(self) -> Iterable[str]:
        """Return source and target."""
        return _AS.split(self.ref.name)

    def original(self, expected: Object | None) -> Self:
        """Return the cast as it was put in: that of a base type is by way of text on scratch."""
        is_binary = isinstance(expected, Cast) and expected.method == "binary"
        by_text = self.method == "inout" and is_binary
        return self.model_copy(update={"method": "binary"}) if by_text else self

    def sql_name(self) -> sql.Composable:
        return compose("({})", raw(self.ref.name))

    def define(self, context: PlanningContext, parts: Sequence[Object] = ()) -> Iterable[Statement]:
        methods = {
            "inout": "WITH INOUT",
            "binary": "WITHOUT FUNCTION",
            "function": f"WITH FUNCTION {self.function}",
        }
        method = raw(methods[self.method])
        context_ = raw("" if self.context == "explicit" else f" AS {self.context.upper()}")
        yield Statement(sql=text(compose("CREATE {} {}{}", self.designation(), method, context_)))
