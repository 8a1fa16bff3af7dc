"""Indexes: https://www.postgresql.org/docs/current/sql-createindex.html"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import ClassVar, Self

from psycopg import sql
from pydantic import Field

from reconciler.catalog import address, ours
from reconciler.connection import Row, Server
from reconciler.ref import Ref
from reconciler.state import Object, Situation
from reconciler.statement import Statement, closing, compose, joined, literal, name, raw, split_commas, text

ASIDE = "^reconcile_[0-9a-f]{12}(_old)?$"  # the names under which replacements are built, and nothing else


class Index(Object):
    """An index that no constraint owns; built and dropped CONCURRENTLY."""

    kind: ClassVar[str] = "index"
    section: ClassVar[str] = "indexes"
    within: ClassVar[tuple[str, ...]] = ("table",)
    whole: ClassVar[bool] = True
    follows: ClassVar[bool] = True
    relation: ClassVar[bool] = True
    written: ClassVar[tuple[str, ...]] = ("on", "where")

    on: tuple[str, ...] = Field(default=(), description="the keys in order: columns or (expressions), with DESC, NULLS …, opclass")
    method: str = Field(default="btree", description="the access method")
    unique: bool = False
    nulls_not_distinct: bool = Field(default=False, description="nulls count as equal (PostgreSQL 15)")
    include: tuple[str, ...] = Field(default=(), description="columns that the index carries without indexing them")
    where: str | None = Field(default=None, description="the predicate of a partial index")
    options: dict[str, str] = Field(default_factory=dict, description="storage parameters, such as fillfactor")

    @classmethod
    def catalog(cls, server: Server) -> str:
        distinct = "i.indnullsnotdistinct" if server.has_nulls_not_distinct else "false"
        return f"""
            SELECT n.nspname AS schema, c.relname AS name, 'table' AS on_kind, t.relname AS on_name,
                   ARRAY[{address("pg_class", "c.oid")}] AS addresses,
                   NOT (i.indisvalid AND i.indisready) OR c.relname ~ '{ASIDE}' AS leftover,
                   pg_get_indexdef(c.oid) AS definition, am.amname AS method, i.indisunique AS unique,
                   {distinct} AS nulls_not_distinct, pg_get_expr(i.indpred, i.indrelid) AS where, c.reloptions AS options,
                   ARRAY(SELECT a.attname FROM generate_series(i.indnkeyatts, i.indnatts - 1) AS k
                         JOIN pg_attribute AS a ON a.attrelid = t.oid AND a.attnum = i.indkey[k] ORDER BY k) AS include
            FROM pg_index AS i
            JOIN pg_class AS c ON c.oid = i.indexrelid
            JOIN pg_class AS t ON t.oid = i.indrelid
            JOIN pg_namespace AS n ON n.oid = c.relnamespace
            JOIN pg_am AS am ON am.oid = c.relam
            WHERE t.relkind = 'r' AND NOT t.relispartition AND {ours("pg_class", "t.oid", "n.nspname")}
                  AND NOT EXISTS (SELECT FROM pg_constraint AS k WHERE k.conindid = c.oid AND k.contype IN ('p', 'u', 'x'))
            ORDER BY n.nspname, t.relname, c.relname"""

    @classmethod
    def from_row(cls, ref: Ref, row: Row) -> Self:
        definition: str = row.pop("definition")
        start = definition.index(" (", definition.index(" USING ")) + 1
        row["on"] = split_commas(definition[start + 1 : closing(definition, start)])
        row["options"] = dict(o.split("=", 1) for o in row["options"] or ())
        return cls(ref=ref, **row)

    def designation(self) -> sql.Composable:
        return compose("INDEX {}", self.sql_name())

    def define(self, on: Situation, parts: Sequence[Object] = ()) -> Iterable[Statement]:
        yield self._build(self.ref.name)

    def define_online(self, on: Situation, parts: Sequence[Object] = ()) -> Iterable[Statement]:
        if self.ref in on.leftovers:
            yield self._drop(self.ref.name)
        yield self._build(self.ref.name, concurrently=True)

    def redefine(self, old: Self, on: Situation) -> Iterable[Statement] | None:
        """Build the new one aside, swap the names in one short transaction, drop the old one."""
        aside = aside_of(self.ref)
        yield self._build(aside, concurrently=True)
        remark = [text(compose("COMMENT ON INDEX {} IS {}", name(self.ref.schema, aside), literal(c))) for c in [old.comment] if c]
        yield from (Statement(sql=words, undo=()) for words in remark)
        spare = aside + "_old"
        for was, becomes in ((self.ref.name, spare), (aside, self.ref.name), (spare, aside)):
            yield Statement(
                sql=self._rename(was, becomes),
                lock="SHARE UPDATE EXCLUSIVE",
                relation=self.stands_on,
                undo=(self._rename(becomes, was),),
            )
        yield self._drop(aside, undo=(old._build(aside, concurrently=True).sql, *remark))

    def remove(self, on: Situation) -> Iterable[Statement]:
        drop = text(compose("DROP INDEX {}", self.sql_name()))
        yield Statement(sql=drop, lock="ACCESS EXCLUSIVE", relation=self.stands_on)

    def remove_online(self, on: Situation) -> Iterable[Statement]:
        yield self._drop(self.ref.name, undo=(self._build(self.ref.name, concurrently=True).sql,))

    @classmethod
    def discard(cls, leftover: Ref) -> Iterable[Statement]:
        if re.match(ASIDE, leftover.name):
            yield _drop(leftover.schema, leftover.name, leftover.on)

    # -- pieces ----------------------------------------------------------------------------------------------------

    def _rename(self, was: str, becomes: str) -> str:
        return text(compose("ALTER INDEX {} RENAME TO {}", name(self.ref.schema, was), becomes))

    def _drop(self, index: str, undo: tuple[str, ...] = ()) -> Statement:
        return _drop(self.ref.schema, index, self.ref.on, undo)

    def _build(self, index: str, *, concurrently: bool = False) -> Statement:
        on = self.ref.on
        assert on is not None
        words: list[sql.Composable] = [raw("CREATE UNIQUE INDEX" if self.unique else "CREATE INDEX")]
        if concurrently:
            words.append(raw("CONCURRENTLY"))
        keys = joined(map(raw, self.on))
        words.append(compose("{} ON {} USING {} ({})", index, name(on.schema, on.name), self.method, keys))
        if self.include:
            words.append(compose("INCLUDE ({})", joined(self.include)))
        if self.nulls_not_distinct:
            words.append(raw("NULLS NOT DISTINCT"))
        if self.options:
            words.append(compose("WITH ({})", joined(compose("{} = {}", k, sql.Literal(v)) for k, v in self.options.items())))
        if self.where is not None:
            words.append(compose("WHERE {}", raw(self.where)))
        return Statement(
            sql=text(joined(words, by=" ")),
            lock="SHARE UPDATE EXCLUSIVE" if concurrently else "SHARE",
            relation=self.stands_on,
            transactional=not concurrently,
            long=concurrently,
            mend=(_drop(self.ref.schema, index, on).sql,) if concurrently else (),
            undo=(_drop(self.ref.schema, index, on).sql,) if concurrently else None,
        )


def aside_of(ref: Ref) -> str:
    """The name under which a replacement is built."""
    return "reconcile_" + sha256(str(ref).encode()).hexdigest()[:12]


def _drop(schema: str, index: str, on: Ref | None, undo: tuple[str, ...] = ()) -> Statement:
    return Statement(
        sql=text(compose("DROP INDEX CONCURRENTLY IF EXISTS {}", name(schema, index))),
        lock="SHARE UPDATE EXCLUSIVE",
        relation=on.identity if on else "",
        transactional=False,
        long=True,
        undo=undo,
    )
