"""Casts: https://www.postgresql.org/docs/current/sql-createcast.html"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar, Literal

from psycopg import sql
from pydantic import Field

from reconciler.model.catalog_sql import address
from reconciler.model.object import Object, Situation
from reconciler.model.statement import Statement
from reconciler.server.capabilities import Server
from reconciler.sql import compose, raw, text


class Cast(Object):
    """A cast; its YAML key is `source AS target`, the types as PostgreSQL prints them."""

    kind: ClassVar[str] = "cast"
    section: ClassVar[str] = "casts"
    stored: ClassVar[str] = "pg_cast.oid"
    renamable: ClassVar[bool] = False
    unqualified: ClassVar[bool] = True
    whole: ClassVar[bool] = True
    unnoted: ClassVar[bool] = True
    written: ClassVar[tuple[str, ...]] = ("function",)

    function: str | None = Field(
        default=None, description="what converts a value, with its arguments"
    )
    method: Literal["function", "inout", "binary"] = Field(
        default="function", description="binary: no conversion at all; inout: by way of text"
    )
    context: Literal["explicit", "assignment", "implicit"] = Field(
        default="explicit", description="where it is used unasked"
    )

    @classmethod
    def catalog(cls, server: Server) -> str:
        return f"""
            SELECT format_type(c.castsource, NULL) || ' AS ' || format_type(c.casttarget, NULL) AS name,
                   ARRAY[{address("pg_cast", "c.oid")}] AS addresses,
                   nullif(c.castfunc, 0)::regprocedure::text AS function,
                   CASE c.castmethod WHEN 'i' THEN 'inout' WHEN 'b' THEN 'binary' ELSE 'function' END AS method,
                   CASE c.castcontext WHEN 'a' THEN 'assignment' WHEN 'i' THEN 'implicit' ELSE 'explicit' END AS context
            FROM pg_cast AS c
            WHERE c.oid >= 16384 AND NOT EXISTS (
                SELECT FROM pg_depend AS d WHERE d.classid = 'pg_cast'::regclass AND d.objid = c.oid AND d.deptype IN ('e', 'i'))
            ORDER BY 1"""

    def sql_name(self) -> sql.Composable:
        return compose("({})", raw(self.ref.name))

    def define(self, on: Situation, parts: Sequence[Object] = ()) -> Iterable[Statement]:
        ways = {
            "inout": "WITH INOUT",
            "binary": "WITHOUT FUNCTION",
            "function": f"WITH FUNCTION {self.function}",
        }
        context = "" if self.context == "explicit" else f" AS {self.context.upper()}"
        yield Statement(
            sql=text(
                compose("CREATE {} {}{}", self.designation(), raw(ways[self.method]), raw(context))
            )
        )
