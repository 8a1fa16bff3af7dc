"""Foreign tables: https://www.postgresql.org/docs/current/sql-createforeigntable.html"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Self

from psycopg import sql
from pydantic import Field, field_validator

from reconciler.catalog import address, granted, ours
from reconciler.connection import Row, Server
from reconciler.contract import Object, Situation
from reconciler.foreign import changed, given, parsed, readable, without_secrets
from reconciler.granted import Granted
from reconciler.ref import Ref, parts_of
from reconciler.statement import Statement, compose, joined, raw, text


class ForeignTable(Granted):
    """A table whose rows are elsewhere; it may inherit, or be a partition."""

    kind: ClassVar[str] = "foreign_table"
    section: ClassVar[str] = "foreign_tables"
    stored: ClassVar[str] = "pg_foreign_table.ftrelid"
    relation: ClassVar[bool] = True
    written: ClassVar[tuple[str, ...]] = ("partition_of", "values", "inherits")

    server: str = Field(default="", description="the foreign server")
    options: dict[str, str] = Field(default_factory=dict, description="what its wrapper takes, such as table_name; never a secret")
    partition_of: str | None = Field(default=None, description="the partitioned table whose partition it is")
    values: str | None = Field(default=None, description="its bound: FOR VALUES … or DEFAULT")
    inherits: tuple[str, ...] = Field(default=(), description="parent tables, in their order")

    _no_secrets = field_validator("options")(without_secrets)

    @property
    def together(self) -> Ref | None:
        return self.ref

    @classmethod
    def catalog(cls, server: Server) -> str:
        parents = """SELECT format('%I.%I', pn.nspname, pc.relname) FROM pg_inherits AS h JOIN pg_class AS pc ON pc.oid = h.inhparent
                     JOIN pg_namespace AS pn ON pn.oid = pc.relnamespace WHERE h.inhrelid = c.oid"""
        return f"""
            SELECT n.nspname AS schema, c.relname AS name, pg_get_userbyid(c.relowner)::text AS owner,
                   ARRAY[{address("pg_class", "c.oid")}, {address("pg_type", "c.reltype")}, {address("pg_type", "t.typarray")}]
                       AS addresses,
                   s.srvname AS server, {readable("f.ftoptions")} AS options, pg_get_expr(c.relpartbound, c.oid) AS values,
                   CASE WHEN c.relispartition THEN ({parents}) END AS partition_of,
                   CASE WHEN c.relispartition THEN '{{}}' ELSE ARRAY({parents} ORDER BY h.inhseqno) END AS inherits,
                   {granted("c.relacl", "r", "c.relowner")} AS grants
            FROM pg_foreign_table AS f
            JOIN pg_class AS c ON c.oid = f.ftrelid
            JOIN pg_namespace AS n ON n.oid = c.relnamespace
            JOIN pg_type AS t ON t.oid = c.reltype
            JOIN pg_foreign_server AS s ON s.oid = f.ftserver
            WHERE {ours("pg_class", "c.oid", "n.nspname")}
            ORDER BY n.nspname, c.relname"""

    @classmethod
    def from_row(cls, ref: Ref, row: Row) -> Self:
        return cls(ref=ref, options=parsed(row.pop("options")), **row)

    @classmethod
    def short(cls, body: dict[str, Any]) -> object:
        """A table without columns says so, or nothing would tell it from one that is only spoken of."""
        bare = not {"columns", "partition_of", "inherits"} & body.keys()
        return {**body, "columns": dict[str, Any]()} if bare else body

    @property
    def parents(self) -> tuple[Ref, ...]:
        named = [*self.inherits, *([self.partition_of] if self.partition_of else [])]
        parts = filter(None, map(parts_of, named))
        return tuple(Ref("table", p[-2] if len(p) > 1 else self.ref.schema, p[-1]) for p in parts)

    @property
    def piece(self) -> bool:
        return self.partition_of is not None

    def needs(self) -> frozenset[Ref]:
        return super().needs() | {*self.parents, Ref("foreign_server", "", self.server)}

    def define(self, on: Situation, parts: Sequence[Object] = ()) -> Iterable[Statement]:
        columns = [compose("\n    {}", p.clause()) for p in parts if not p.overrides]
        columns += [compose("\n    {}", a) for p in parts if (a := p.amendment(on)) is not None]
        listed = compose(" ({}{})", sql.SQL(",").join(columns), raw("\n" if columns else ""))
        words: list[sql.Composable] = [compose("CREATE FOREIGN TABLE {}", self.sql_name())]
        if self.partition_of is not None:
            words[0] = compose("{} PARTITION OF {}{}", words[0], raw(self.partition_of), listed if columns else raw(""))
            words.append(raw(self.values or "DEFAULT"))
        else:
            words[0] = compose("{}{}", words[0], listed)
        if self.inherits:
            words.append(compose("INHERITS ({})", joined(map(raw, self.inherits))))
        words.append(compose("SERVER {}{}", self.server, given(self.options)))
        parent = self.parents[-1].identity if self.partition_of and self.parents else ""
        yield Statement(sql=text(joined(words, by=" ")), lock="ACCESS EXCLUSIVE" if parent else "", relation=parent)
        for part in parts:
            if part.overrides:
                yield from (s.model_copy(update={"undo": None}) for s in part.define(on))

    def redefine(self, old: Self, on: Situation) -> Iterable[Statement] | None:
        if (self.server, self.partition_of) != (old.server, old.partition_of):
            return None
        return self._altered(old)

    def _altered(self, old: Self) -> Iterable[Statement]:
        if self.values != old.values and self.partition_of is not None:
            parent = raw(self.partition_of)
            yield self._statement(compose("ALTER TABLE {} DETACH PARTITION {}", parent, self.sql_name()))
            attach = compose("ALTER TABLE {} ATTACH PARTITION {} {}", parent, self.sql_name(), raw(self.values or "DEFAULT"))
            yield self._statement(attach)
        for parent in (p for p in old.inherits if p not in self.inherits):
            yield self._statement(compose("ALTER FOREIGN TABLE {} NO INHERIT {}", self.sql_name(), raw(parent)))
        for parent in (p for p in self.inherits if p not in old.inherits):
            yield self._statement(compose("ALTER FOREIGN TABLE {} INHERIT {}", self.sql_name(), raw(parent)))
        if (options := changed(old.options, self.options)) is not None:
            yield self._statement(compose("ALTER FOREIGN TABLE {} {}", self.sql_name(), options))

    def _statement(self, words: sql.Composable) -> Statement:
        return Statement(sql=text(words), lock="ACCESS EXCLUSIVE", relation=self.ref.identity)
