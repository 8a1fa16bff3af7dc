"""Tables: https://www.postgresql.org/docs/current/sql-createtable.html"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar, Self

from psycopg import sql
from pydantic import Field

from reconciler.catalog import address, granted, ours
from reconciler.connection import Server
from reconciler.ref import Ref
from reconciler.state import Granted, Object, Situation
from reconciler.statement import Danger, Hazard, Statement, compose, raw, text


class Table(Granted):
    """An ordinary table; its columns, constraints, indexes and policies are objects of their own."""

    kind: ClassVar[str] = "table"
    section: ClassVar[str] = "tables"
    relation: ClassVar[bool] = True

    row_level_security: bool = Field(default=False, description="policies apply (ENABLE ROW LEVEL SECURITY)")
    force_row_level_security: bool = Field(default=False, description="policies apply to the table's owner too")

    @property
    def together(self) -> Ref | None:
        return self.ref

    @classmethod
    def catalog(cls, server: Server) -> str:
        return f"""
            SELECT n.nspname AS schema, c.relname AS name,
                   ARRAY[{address("pg_class", "c.oid")}, {address("pg_type", "c.reltype")}, {address("pg_type", "t.typarray")}]
                       AS addresses,
                   c.relrowsecurity AS row_level_security, c.relforcerowsecurity AS force_row_level_security,
                   {granted("c.relacl", "r", "c.relowner")} AS grants
            FROM pg_class AS c
            JOIN pg_namespace AS n ON n.oid = c.relnamespace
            JOIN pg_type AS t ON t.oid = c.reltype
            WHERE c.relkind = 'r' AND NOT c.relispartition AND {ours("pg_class", "c.oid", "n.nspname")}
            ORDER BY n.nspname, c.relname"""

    def define(self, on: Situation, parts: Sequence[Object] = ()) -> Iterable[Statement]:
        columns = [compose("\n    {}", p.clause()) for p in parts]
        listed = compose("{}\n", sql.SQL(",").join(columns)) if columns else raw("")
        yield Statement(sql=text(compose("CREATE TABLE {} ({})", self.sql_name(), listed)))
        yield from self._secure(enabled=False, forced=False)

    def redefine(self, old: Self, on: Situation) -> Iterable[Statement] | None:
        return self._secure(enabled=old.row_level_security, forced=old.force_row_level_security)

    def _secure(self, *, enabled: bool, forced: bool) -> Iterable[Statement]:
        for was, wanted, on, off in (
            (enabled, self.row_level_security, "ENABLE", "DISABLE"),
            (forced, self.force_row_level_security, "FORCE", "NO FORCE"),
        ):
            if was != wanted:
                why = f"row level security of {self.ref.identity} goes"
                yield Statement(
                    sql=text(compose("ALTER TABLE {} {} ROW LEVEL SECURITY", self.sql_name(), raw(on if wanted else off))),
                    lock="ACCESS EXCLUSIVE",
                    relation=self.ref.identity,
                    dangers=() if wanted else (Danger(hazard=Hazard.WEAKENS_SECURITY, reason=why),),
                )

    def remove(self, on: Situation) -> Iterable[Statement]:
        size = on.size(self.ref)
        rows = f"about {size.rows:,} rows" if size.rows >= 0 else "an unknown number of rows"
        lost = f"{self.ref} is dropped with {rows} ({size.bytes:,} bytes)"
        yield Statement(
            sql=text(compose("DROP TABLE {}", self.sql_name())),
            lock="ACCESS EXCLUSIVE",
            relation=self.ref.identity,
            dangers=(Danger(hazard=Hazard.DATA_LOSS, reason=lost),),
        )
