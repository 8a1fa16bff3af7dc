"""Indexes: https://www.postgresql.org/docs/current/sql-createindex.html"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Self, cast

from psycopg import sql
from pydantic import Field

from reconciler.model.catalog_sql import RELATION_KIND, address, ours
from reconciler.model.object import Object, PlanningContext
from reconciler.model.partitioned import ASIDE, PartitionedObject, aside_of, below, leaves, piece_of
from reconciler.model.partitioned_build import PartitionedBuild
from reconciler.model.ref import Ref, default_name
from reconciler.model.statement import Hazard, HazardKind, Statement
from reconciler.server.capabilities import Server
from reconciler.server.connection import Row
from reconciler.sql import (
    closing,
    compose,
    joined,
    literal,
    mentions,
    name,
    parameters,
    raw,
    split_commas,
    text,
)

_NAME = r'(?:"(?:[^"]|"")+"|[a-z_][a-z0-9_$]*)'
_NAMED = re.compile(
    rf"({_NAME})(?![a-z0-9_$.(])|(?:{_NAME}\.)?({_NAME})\("
)  # a column, or the call of a function
_COLUMN = re.compile(rf"^{_NAME}(?=\s|$)")  # a key that is a column
_ORDER = ("ASC", "DESC", "NULLS", "FIRST", "LAST")
ALTERED = ("options", "tablespace", "statistics")  # what an existing index can change
REINDEXED = re.compile(
    r"_cc(new|old)[0-9]*$"
)  # what REINDEX CONCURRENTLY calls the new and the old one


class Index(PartitionedObject):
    """An index that no constraint owns; built and dropped CONCURRENTLY."""

    kind: ClassVar[str] = "index"
    section: ClassVar[str] = "indexes"
    parent_kinds: ClassVar[tuple[str, ...]] = ("table", "materialized_view")
    omitted_is_default: ClassVar[bool] = True
    follows_type_change: ClassVar[bool] = True
    relation: ClassVar[bool] = True
    sql_fields: ClassVar[tuple[str, ...]] = ("on", "where")
    first_version: ClassVar[Mapping[str, int]] = {"nulls_not_distinct": 15}
    besides: ClassVar[frozenset[str]] = frozenset({"comment", "partitioned", "statistics"})

    on: tuple[str, ...] = Field(
        default=(),
        description="the keys in order: columns or (expressions), with DESC, NULLS …, opclass",
    )
    method: str = Field(default="btree", description="the access method")
    unique: bool = False
    nulls_not_distinct: bool = Field(
        default=False, description="nulls count as equal (PostgreSQL 15)"
    )
    include: tuple[str, ...] = Field(
        default=(), description="columns that the index carries without indexing them"
    )
    where: str | None = Field(default=None, description="the predicate of a partial index")
    options: dict[str, str] = Field(
        default_factory=dict, description="storage parameters, such as fillfactor"
    )
    tablespace: str | None = Field(
        default=None, description="where it is stored, where it is not the database's tablespace"
    )
    statistics: dict[str, int] = Field(
        default_factory=dict,
        description="number of an expression among the keys, quoted → its statistics target",
    )

    @classmethod
    def catalog(cls, server: Server) -> str:
        distinct = "i.indnullsnotdistinct" if server.has_nulls_not_distinct else "false"
        return f"""
            SELECT n.nspname AS schema, x.relname AS name, {RELATION_KIND} AS on_kind, c.relname AS on_name,
                   ARRAY[{address("pg_class", "x.oid")}] AS addresses,
                   NOT (i.indisvalid AND i.indisready) OR x.relname ~ '{ASIDE}' AS leftover,
                   x.relkind = 'I' OR i.indisvalid AND i.indisready AS sound,
                   pg_get_indexdef(x.oid) AS definition, am.amname AS method, i.indisunique AS unique,
                   {distinct} AS nulls_not_distinct, pg_get_expr(i.indpred, i.indrelid) AS where, x.reloptions AS options,
                   (SELECT s.spcname FROM pg_tablespace AS s WHERE s.oid = x.reltablespace) AS tablespace,
                   (SELECT coalesce(jsonb_object_agg(a.attnum::text, a.attstattarget), '{{}}') FROM pg_attribute AS a
                    WHERE a.attrelid = x.oid AND a.attstattarget >= 0) AS statistics,
                   x.relkind = 'I' AS partitioned,
                   ARRAY(SELECT a.attname FROM generate_series(i.indnkeyatts, i.indnatts - 1) AS k
                         JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = i.indkey[k] ORDER BY k) AS include
            FROM pg_index AS i
            JOIN pg_class AS x ON x.oid = i.indexrelid
            JOIN pg_class AS c ON c.oid = i.indrelid
            JOIN pg_namespace AS n ON n.oid = x.relnamespace
            JOIN pg_am AS am ON am.oid = x.relam
            WHERE c.relkind IN ('r', 'p', 'm') AND NOT x.relispartition AND {ours("pg_class", "c.oid", "n.nspname")}
                  AND NOT EXISTS (SELECT FROM pg_constraint AS k WHERE k.conindid = x.oid AND k.contype IN ('p', 'u', 'x'))
            ORDER BY n.nspname, c.relname, x.relname"""

    @classmethod
    def from_row(cls, ref: Ref, row: Row) -> Self:
        definition: str = row.pop("definition")
        start = definition.index(" (", definition.index(" USING ")) + 1
        row["on"] = split_commas(definition[start + 1 : closing(definition, start)])
        row["options"] = dict(o.split("=", 1) for o in row["options"] or ())
        return cls(ref=ref, **row)

    @classmethod
    def entry(cls, key: str, body: object) -> tuple[str, object]:
        """`name: [a, b DESC]` says only the keys."""
        return key, {"on": cast("object", body)} if isinstance(body, list) else body

    @classmethod
    def short_form(cls, body: dict[str, Any]) -> object:
        return body["on"] if list(body) == ["on"] else body

    def designation(self) -> sql.Composable:
        return compose("INDEX {}", self.sql_name())

    def is_inherited_by(self, child: Object) -> bool:
        return child.is_partition

    def inherited_by(self, child: Ref) -> Self:
        return super().inherited_by(child).model_copy(update={"statistics": {}})

    def default_on(self, child: Ref) -> str:
        keys = [
            (m[1] or m[2]).replace('""', '"').strip('"') if (m := _NAMED.match(k)) else "expr"
            for k in (*self.on, *self.include)
        ]
        return default_name(child.name, "_".join(keys), "idx")

    def define(self, context: PlanningContext, parts: Sequence[Object] = ()) -> Iterable[Statement]:
        why = f"{self.stands_on} ({context.size(self.ref.on).bytes if self.ref.on else 0:,} bytes) cannot be written while {self.ref} is built"
        hazards = (
            ()
            if self.ref.on in context.created
            else (Hazard(hazard=HazardKind.BLOCKS_WRITES, reason=why),)
        )
        yield self._build(self.ref.name).model_copy(update={"hazards": hazards})
        yield from (s.model_copy(update={"undo": None}) for s in self.calls(context))
        yield from self._sample(self.ref.name, {})

    def define_online(
        self, context: PlanningContext, parts: Sequence[Object] = ()
    ) -> Iterable[Statement]:
        if not self.partitioned:
            yield from self.entire(context)
        elif self._partly_foreign(context):
            yield from self._gather(context)
        else:
            yield from PartitionedBuild(self, context).statements
        yield from (s.model_copy(update={"undo": ()}) for s in self._sample(self.ref.name, {}))

    def redefine(self, old: Self, context: PlanningContext) -> Iterable[Statement] | None:
        if not self.replaces_object(old):
            return self._alter(old)
        if self.partitioned != old.partitioned or self._partly_foreign(context):
            return None
        return self._swap_whole(old, context) if self.partitioned else self._swap(old, context)

    def define_replacement(self, old: Self | None, context: PlanningContext) -> Iterable[Statement]:
        """Over the twin of a column, before the transaction in which that takes its place; unless an expression names it."""
        after_swap, made = context.exchanges(self.ref.on), self.beside(context)
        if (
            not after_swap
            or made == self
            or any(mentions(e, c) for e in self.expressed() for c in after_swap)
        ):
            why = f"nobody can read or write {self.stands_on} ({context.size(self.ref.on).words if self.ref.on else ''}) while {self.ref} is built"
            danger = Hazard(hazard=HazardKind.BLOCKS_READS, reason=why)
            yield from (
                s.model_copy(update={"hazards": (danger,)}) if after_swap and s.hazards else s
                for s in self.define(context)
            )
            return
        yield from made.built(context)
        yield (
            self.called(aside_of(self.ref))
            .renamed_to(self.ref.name)
            .model_copy(update={"undo": (self._dropped(),)})
        )
        yield from (s.model_copy(update={"undo": ()}) for s in self._sample(self.ref.name, {}))

    def built(self, context: PlanningContext) -> Iterable[Statement]:
        """Ahead of all else, under a name of ours, unless somebody was killed after that."""
        if not self.begun(context):
            yield self._build(aside_of(self.ref), concurrently=True).model_copy(
                update={"before_swap": True}
            )

    def beside(self, context: PlanningContext) -> Self:
        shadows = {
            text(name(c)): text(name(shadow))
            for c, shadow in context.exchanges(self.ref.on).items()
        }
        keys = tuple(_COLUMN.sub(lambda m: shadows.get(m[0], m[0]), k, count=1) for k in self.on)
        return super().beside(context).model_copy(update={"on": keys})

    def expressed(self) -> Iterator[str]:
        yield from (k for k in self.on if not _COLUMN.match(k))
        yield self.where or ""

    def reparses_expressions(self, old: Self) -> bool:
        """Expressions, operator classes, which are for one type, and columns of a type that may have none."""
        told = any(old.expressed()) or any(
            w not in _ORDER for k in old.on for w in _COLUMN.sub("", k).split()
        )
        (own, was) = ({m[0] for k in i.on if (m := _COLUMN.match(k))} for i in (self, old))
        return self.replaces_object(old) and (told or bool(was - own) or self.method != old.method)

    def replaces_object(self, old: Self) -> bool:
        altered = ("statistics",) if self.partitioned else ALTERED
        return (
            self.model_copy(update={f: getattr(old, f) for f in ("comment", "pieces", *altered)})
            != old
        )

    def remove(self, context: PlanningContext) -> Iterable[Statement]:
        yield Statement(sql=self._dropped(), lock="ACCESS EXCLUSIVE", relation=self.stands_on)

    def remove_online(self, context: PlanningContext) -> Iterable[Statement]:
        if self.partitioned:
            yield from self.remove(context)
        else:
            again = (s.sql for s in self._sample(self.ref.name, {}))
            yield self._drop(
                self.ref.name,
                undo=(
                    self._build(self.ref.name, concurrently=True).sql,
                    *again,
                    *self._remark(self.ref.name),
                ),
            )

    def reuses(self, old: Self | None, context: PlanningContext) -> frozenset[Ref]:
        if self.partitioned and self._partly_foreign(context):
            return frozenset(o.ref for _, o in self._gathered(context) if o is not None)
        if self.partitioned:
            return (
                frozenset(o.ref for o in PartitionedBuild(self, context, old).reused)
                if old is None or self.replaces_object(old)
                else frozenset()
            )
        return frozenset(
            {self._aside.ref} if old is not None and self.beside(context).begun(context) else ()
        )

    def drop_leftover(self, *, wanted: bool = True) -> Iterable[Statement]:
        lost = not wanted or re.match(ASIDE, self.ref.name)
        if lost and self.partitioned:
            yield Statement(
                sql=self.gone(),
                lock="ACCESS EXCLUSIVE",
                relation=self.stands_on,
                own_transaction=True,
                undo=(),
            )
        elif lost or REINDEXED.search(self.ref.name):
            yield self._drop(self.ref.name)

    # -- in pieces -------------------------------------------------------------------------------------------------

    def alone(self) -> Statement:
        return self._build(self.ref.name, only=True)

    def entire(self, context: PlanningContext) -> Iterable[Statement]:
        if self.ref in context.leftovers:
            yield self._drop(self.ref.name)
        yield self._build(self.ref.name, concurrently=True)

    def plain(self) -> str:
        return self._build(self.ref.name).sql

    def gone(self) -> str:
        return text(compose("DROP INDEX IF EXISTS {}", self.sql_name()))

    def _partly_foreign(self, context: PlanningContext) -> bool:
        return self.ref.on is not None and any(
            r.kind == "foreign_table" for r in below(self.ref.on, context)
        )

    def _gathered(self, context: PlanningContext) -> Iterator[tuple[Self, Object | None]]:
        """For each partition the index that it needs, and the one that is there; another server's have none."""
        for table in leaves(self.ref.on, context) if self.ref.on else ():
            if table.kind != "foreign_table":
                part = piece_of(self, table, context)
                yield (
                    part,
                    next(
                        (o for o in context.partition_children.get(table, ()) if part.equals(o)),
                        None,
                    ),
                )

    def _gather(self, context: PlanningContext) -> Iterable[Statement]:
        """Built on each partition that can have it; the whole, which waits for no others, finds them so."""
        if self.ref in context.leftovers:
            yield Statement(
                sql=self.gone(),
                lock="ACCESS EXCLUSIVE",
                relation=self.stands_on,
                own_transaction=True,
                undo=(),
            )
        for part, there in self._gathered(context):
            if there is None:
                yield from part.entire(context)
        back = (
            s.sql
            for _, o in self._gathered(context)
            if o is not None
            for s in o.create(context, online=False)
        )
        yield self._build(self.ref.name).model_copy(
            update={"own_transaction": True, "undo": (self._dropped(), *back)}
        )

    def _swap_whole(self, old: Self, context: PlanningContext) -> Iterable[Statement]:
        """Build the new one aside with all its pieces; drop the old one and take its names in one short transaction."""
        growth = PartitionedBuild(self, context, old)
        yield from growth.statements
        again = (s.sql for s in (*old.calls(context), *old._sample(self.ref.name, {})))
        undo = (old.plain(), *again, *old._remark(self.ref.name))
        yield Statement(
            sql=self._dropped(),
            lock="ACCESS EXCLUSIVE",
            relation=self.stands_on,
            own_transaction=True,
            undo=undo,
        )
        for made, becomes in growth.names:
            if made.ref.name != becomes:
                yield made.renamed_to(becomes)
        yield from (s.model_copy(update={"undo": ()}) for s in self._sample(self.ref.name, {}))
        yield from (Statement(sql=words, undo=()) for words in old._remark(self.ref.name))

    # -- pieces ----------------------------------------------------------------------------------------------------

    @property
    def _aside(self) -> Self:
        return self.called(aside_of(self.ref))

    def begun(self, context: PlanningContext) -> bool:
        """Whether somebody was killed after the new one was built aside."""
        left = context.leftovers.get(self._aside.ref)
        return left is not None and left.resumable and self.equals(left.made)

    def _swap(self, old: Self, context: PlanningContext) -> Iterable[Statement]:
        """Build the new one aside, swap the names in one short transaction, drop the old one."""
        aside = aside_of(self.ref)
        if not self.begun(context):
            yield self._build(aside, concurrently=True)
        yield from (s.model_copy(update={"undo": ()}) for s in self._sample(aside, {}))
        yield from (Statement(sql=words, undo=()) for words in old._remark(aside))
        spare = aside + "_old"
        for was, becomes in ((self.ref.name, spare), (aside, self.ref.name), (spare, aside)):
            yield Statement(
                sql=self._rename(was, becomes),
                lock="SHARE UPDATE EXCLUSIVE",
                relation=self.stands_on,
                undo=(self._rename(becomes, was),),
            )
        again = (s.sql for s in old._sample(aside, {}))
        yield self._drop(
            aside, undo=(old._build(aside, concurrently=True).sql, *again, *old._remark(aside))
        )

    def _alter(self, old: Self) -> Iterable[Statement]:
        new = {k: v for k, v in self.options.items() if old.options.get(k) != v}
        gone = [k for k in old.options if k not in self.options]
        if new:
            yield self._altered(compose("SET ({})", parameters(new)))
        if gone:
            yield self._altered(compose("RESET ({})", joined(gone)))
        if self.tablespace != old.tablespace:
            why = Hazard(
                hazard=HazardKind.BLOCKS_WRITES,
                reason=f"{self.ref} is copied while nobody can use it",
            )
            moved = self._altered(compose("SET TABLESPACE {}", self.tablespace or "pg_default"))
            yield moved.model_copy(update={"lock": "ACCESS EXCLUSIVE", "hazards": (why,)})
        yield from self._sample(self.ref.name, old.statistics)

    def _altered(self, action: sql.Composable, index: str = "") -> Statement:
        words = compose("ALTER INDEX {} {}", name(self.ref.schema, index or self.ref.name), action)
        return Statement(sql=text(words), lock="SHARE UPDATE EXCLUSIVE", relation=self.stands_on)

    def _sample(self, index: str, old: Mapping[str, int]) -> Iterable[Statement]:
        """Say how much ANALYZE is to sample of the index's expressions."""
        for key in sorted({*old, *self.statistics}):
            if (target := self.statistics.get(key, -1)) != old.get(key, -1):
                yield self._altered(
                    compose(
                        "ALTER COLUMN {} SET STATISTICS {}", literal(int(key)), literal(target)
                    ),
                    index,
                )

    def _remark(self, index: str) -> tuple[str, ...]:
        words = compose(
            "COMMENT ON INDEX {} IS {}", name(self.ref.schema, index), literal(self.comment)
        )
        return () if self.comment is None else (text(words),)

    def _dropped(self) -> str:
        return text(compose("DROP INDEX {}", self.sql_name()))

    def renamed_to(self, name: str) -> Statement:
        sql_text, back = self._rename(self.ref.name, name), self._rename(name, self.ref.name)
        return Statement(
            sql=sql_text, lock="SHARE UPDATE EXCLUSIVE", relation=self.stands_on, undo=(back,)
        )

    def _rename(self, was: str, becomes: str) -> str:
        return text(compose("ALTER INDEX {} RENAME TO {}", name(self.ref.schema, was), becomes))

    def _drop(self, index: str, undo: tuple[str, ...] = ()) -> Statement:
        return _drop(self.ref.schema, index, self.ref.on, undo)

    def _build(self, index: str, *, concurrently: bool = False, only: bool = False) -> Statement:
        on = self.ref.on
        assert on is not None
        words: list[sql.Composable] = [
            raw("CREATE UNIQUE INDEX" if self.unique else "CREATE INDEX")
        ]
        if concurrently:
            words.append(raw("CONCURRENTLY"))
        keys = joined(map(raw, self.on))
        table = compose("ONLY {}" if only else "{}", name(on.schema, on.name))
        words.append(compose("{} ON {} USING {} ({})", index, table, self.method, keys))
        if self.include:
            words.append(compose("INCLUDE ({})", joined(self.include)))
        if self.nulls_not_distinct:
            words.append(raw("NULLS NOT DISTINCT"))
        if self.options:
            words.append(compose("WITH ({})", parameters(self.options)))
        if self.tablespace is not None:
            words.append(compose("TABLESPACE {}", self.tablespace))
        if self.where is not None:
            words.append(compose("WHERE {}", raw(self.where)))
        return Statement(
            sql=text(joined(words, by=" ")),
            lock="SHARE UPDATE EXCLUSIVE" if concurrently else "SHARE",
            relation=self.stands_on,
            transactional=not concurrently,
            long=concurrently,
            cleanup=(_drop(self.ref.schema, index, on).sql,) if concurrently else (),
            undo=(_drop(self.ref.schema, index, on).sql,) if concurrently else None,
        )


def _drop(schema: str, index: str, on: Ref | None, undo: tuple[str, ...] = ()) -> Statement:
    return Statement(
        sql=text(compose("DROP INDEX CONCURRENTLY IF EXISTS {}", name(schema, index))),
        lock="SHARE UPDATE EXCLUSIVE",
        relation=on.identity if on else "",
        transactional=False,
        long=True,
        undo=undo,
    )
