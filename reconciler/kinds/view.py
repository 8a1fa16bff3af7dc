"""Views: https://www.postgresql.org/docs/current/sql-createview.html"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar, Literal, Self

from psycopg import sql
from pydantic import Field

from reconciler.catalog import address, granted, ours
from reconciler.connection import Row, Server
from reconciler.ref import Ref
from reconciler.state import Granted, Object, Situation
from reconciler.statement import Danger, Hazard, Statement, compose, joined, raw, text


class View(Granted):
    """A view; replaced in place where the server allows it."""

    kind: ClassVar[str] = "view"
    section: ClassVar[str] = "views"
    relation: ClassVar[bool] = True
    written: ClassVar[tuple[str, ...]] = ("query",)

    query: str = Field(default="", description="the SELECT")
    security_invoker: bool = Field(default=False, description="reads with the rights of the one who asks (PostgreSQL 15)")
    security_barrier: bool = Field(default=False, description="its conditions run before any function of the one who asks")
    check_option: Literal["local", "cascaded"] | None = Field(default=None, description="rows written must be visible")
    columns: tuple[tuple[str, str], ...] = Field(default=(), json_schema_extra={"derived": True})

    @classmethod
    def catalog(cls, server: Server) -> str:
        return f"""
            SELECT n.nspname AS schema, c.relname AS name,
                   ARRAY[{address("pg_class", "c.oid")}, {address("pg_rewrite", "r.oid")}, {address("pg_type", "c.reltype")},
                         {address("pg_type", "t.typarray")}] AS addresses,
                   rtrim(pg_get_viewdef(c.oid), ';') AS query, c.reloptions AS options,
                   ARRAY(SELECT ARRAY[a.attname::text, format_type(a.atttypid, a.atttypmod)] FROM pg_attribute AS a
                         WHERE a.attrelid = c.oid AND a.attnum > 0 ORDER BY a.attnum) AS columns,
                   {granted("c.relacl", "r", "c.relowner")} AS grants
            FROM pg_class AS c
            JOIN pg_namespace AS n ON n.oid = c.relnamespace
            JOIN pg_rewrite AS r ON r.ev_class = c.oid AND r.rulename = '_RETURN'
            JOIN pg_type AS t ON t.oid = c.reltype
            WHERE c.relkind = 'v' AND {ours("pg_class", "c.oid", "n.nspname")}
            ORDER BY n.nspname, c.relname"""

    @classmethod
    def from_row(cls, ref: Ref, row: Row) -> Self:
        options = dict(o.split("=", 1) for o in row.pop("options") or ())
        flags = {f: options.get(f) in ("true", "on", "1", "yes") for f in ("security_invoker", "security_barrier")}
        return cls(ref=ref, check_option=options.get("check_option"), **flags, **row)

    def define(self, on: Situation, parts: Sequence[Object] = ()) -> Iterable[Statement]:
        yield self._statement("CREATE VIEW", on)

    def redefine(self, old: Self, on: Situation) -> Iterable[Statement] | None:
        if self.columns[: len(old.columns)] != old.columns:
            return None
        reasons: list[str] = []
        if old.security_invoker and not self.security_invoker:
            reasons.append(f"{self.ref} will read with its owner's rights and so past row level security")
        if old.security_barrier and not self.security_barrier:
            reasons.append(f"{self.ref} will let functions of the one who asks see rows before its conditions do")
        dangers = tuple(Danger(hazard=Hazard.WEAKENS_SECURITY, reason=r) for r in reasons)
        shrinks = len(old.columns) < len(self.columns)  # the way back cannot be CREATE OR REPLACE
        back = (text(compose("DROP {}", self.designation())), *(s.sql for s in old.create(on))) if shrinks else None
        return [self._statement("CREATE OR REPLACE VIEW", on, dangers, back)]

    # -- pieces ----------------------------------------------------------------------------------------------------

    def _options(self, on: Situation) -> sql.Composable:
        if self.security_invoker:
            on.server.require(on.server.has_security_invoker, f"security_invoker of {self.ref}", 15)
        given = [f"{f} = true" for f in ("security_invoker", "security_barrier") if getattr(self, f)]
        if self.check_option:
            given.append(f"check_option = {self.check_option}")
        return compose(" WITH ({})", joined(map(raw, given))) if given else raw("")

    def _statement(self, verb: str, on: Situation, dangers: tuple[Danger, ...] = (), undo: tuple[str, ...] | None = None) -> Statement:
        query = raw(self.query.strip().rstrip(";"))
        words = compose("{} {}{} AS\n{}", raw(verb), self.sql_name(), self._options(on), query)
        return Statement(sql=text(words), lock="ACCESS EXCLUSIVE", relation=self.ref.identity, dangers=dangers, undo=undo)
