"""Indexes: https://www.postgresql.org/docs/current/sql-createindex.html"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Self

from psycopg import sql

from reconciler.kinds.index.definition import IndexDefinition
from reconciler.kinds.index.replacement import (
    build_after_swap,
    build_aside,
    build_over_shadow,
    can_build_over_shadow,
    create_leaves_first,
    has_foreign_partition,
    replace_concurrently,
    replace_partitioned,
    reused_by,
)
from reconciler.model.catalog_sql import (
    RELATION_KIND,
    address,
    index_builder,
    managed,
    outside_system,
)
from reconciler.model.object import Object, PlanningContext
from reconciler.model.partitioned import outgoing_namesake
from reconciler.model.partitioned_build import PartitionedBuild
from reconciler.model.ref import Ref
from reconciler.model.reserved_names import BUILD_NAME
from reconciler.model.statement import Hazard, HazardKind, Statement
from reconciler.server.capabilities import Server
from reconciler.server.connection import Row
from reconciler.sql import closing, compose, split_commas, text

# Names that REINDEX CONCURRENTLY gives to the new and the old index, and leaves behind on failure.
REINDEX_NAME = re.compile(r"_cc(new|old)[0-9]*$")

_BUILDER = f"""
    CASE WHEN NOT (i.indisvalid AND i.indisready) AND x.relkind = 'i'
              AND x.relname !~ '{BUILD_NAME}'
         THEN {index_builder("x.oid", "c.oid")} END"""


class Index(IndexDefinition):
    """An index without constraint; built and dropped CONCURRENTLY."""

    kind: ClassVar[str] = "index"
    section: ClassVar[str] = "indexes"
    oid_column: ClassVar[str] = "pg_class.oid"
    own_rows: ClassVar[str] = f"relkind IN ('i', 'I') AND {outside_system('relnamespace')}"
    parent_kinds: ClassVar[tuple[str, ...]] = ("table", "materialized_view")
    omitted_is_default: ClassVar[bool] = True
    first_version: ClassVar[Mapping[str, int]] = {"nulls_not_distinct": 15}

    @classmethod
    def catalog(cls, server: Server) -> str:
        distinct = (
            "i.indisunique AND i.indnullsnotdistinct" if server.has_nulls_not_distinct else "false"
        )
        return f"""
            SELECT n.nspname AS schema, x.relname AS name,
                   {RELATION_KIND} AS on_kind, c.relname AS on_name,
                   ARRAY[{address("pg_class", "x.oid")}] AS addresses,
                   NOT (i.indisvalid AND i.indisready) OR x.relname ~ '{BUILD_NAME}' AS leftover,
                   {_BUILDER} AS builder,
                   x.relkind = 'I' OR i.indisvalid AND i.indisready AS sound,
                   pg_get_indexdef(x.oid) AS definition, am.amname AS method,
                   i.indisunique AS unique, {distinct} AS nulls_not_distinct,
                   pg_get_expr(i.indpred, i.indrelid) AS where, x.reloptions AS options,
                   (SELECT s.spcname FROM pg_tablespace AS s
                    WHERE s.oid = x.reltablespace) AS tablespace,
                   (SELECT coalesce(jsonb_object_agg(a.attnum::text, a.attstattarget), '{{}}')
                    FROM pg_attribute AS a
                    WHERE a.attrelid = x.oid AND a.attstattarget >= 0) AS statistics,
                   x.relkind = 'I' AS partitioned,
                   ARRAY(SELECT a.attname
                         FROM generate_series(i.indnkeyatts, i.indnatts - 1) AS k
                         JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = i.indkey[k]
                         ORDER BY k) AS include
            FROM pg_index AS i
            JOIN pg_class AS x ON x.oid = i.indexrelid
            JOIN pg_class AS c ON c.oid = i.indrelid
            JOIN pg_namespace AS n ON n.oid = x.relnamespace
            JOIN pg_am AS am ON am.oid = x.relam
            WHERE c.relkind IN ('r', 'p', 'm') AND NOT x.relispartition
                  AND NOT (x.relname ~ '{REINDEX_NAME.pattern}' AND {_BUILDER} IS NOT NULL)
                  AND {managed("pg_class", "c.oid", "n.nspname")}
                  AND NOT EXISTS (SELECT FROM pg_constraint AS k
                                  WHERE k.conindid = x.oid AND k.contype IN ('p', 'u', 'x'))
            ORDER BY n.nspname, c.relname, x.relname"""

    @classmethod
    def from_row(cls, ref: Ref, row: Row) -> Self:
        definition: str = row.pop("definition")
        start = definition.index(" (", definition.index(" USING ")) + 1
        row["on"] = split_commas(definition[start + 1 : closing(definition, start)])
        row["options"] = dict(o.split("=", 1) for o in row["options"] or ())
        return cls(ref=ref, **row)

    @classmethod
    def short_form(cls, body: dict[str, Any]) -> object:
        return body["on"] if list(body) == ["on"] else body

    def designation(self) -> sql.Composable:
        return compose("INDEX {}", self.sql_name())

    def define(self, context: PlanningContext, parts: Sequence[Object] = ()) -> Iterable[Statement]:
        create = self.build(self.ref.name)
        yield create.model_copy(update={"hazards": self._blocked_writes(context)})
        named = self.name_partition_copies(context)
        yield from (s.model_copy(update={"undo": None}) for s in named)
        yield from self.set_statistics(self.ref.name, {})

    def _blocked_writes(self, context: PlanningContext) -> tuple[Hazard, ...]:
        if self.ref.on in context.created:
            return ()
        size = context.size(self.ref.on).in_bytes if self.ref.on else ""
        why = f"{self.stands_on} ({size}) cannot be written while {self.ref} is built"
        return (Hazard(hazard=HazardKind.BLOCKS_WRITES, reason=why),)

    def define_online(
        self, context: PlanningContext, parts: Sequence[Object] = ()
    ) -> Iterable[Statement]:
        if not self.partitioned:
            yield from self.create_on_leaf(context)
        elif has_foreign_partition(self, context):
            yield from create_leaves_first(self, context)
        else:
            yield from PartitionedBuild(self, context).statements
        for statement in self.set_statistics(self.ref.name, {}):
            yield statement.model_copy(update={"undo": ()})

    def redefine(self, old: Self, context: PlanningContext) -> Iterable[Statement] | None:
        if not self.replaces_object(old):
            return self.alter_in_place(old, context)
        if self.partitioned != old.partitioned or has_foreign_partition(self, context):
            return None
        replace = replace_partitioned if self.partitioned else replace_concurrently
        return replace(self, old, context)

    def define_replacement(self, old: Self | None, context: PlanningContext) -> Iterable[Statement]:
        """Build the index over shadow columns before the swap where possible."""
        if not context.exchanges(self.ref.on):
            namesake = outgoing_namesake(self, context)
            return build_aside(self, namesake, context) if namesake else self.define(context)
        if can_build_over_shadow(self, context):
            return build_over_shadow(self, context)
        return build_after_swap(self, self.define(context), context)

    def remove(self, context: PlanningContext) -> Iterable[Statement]:
        yield Statement(
            sql=self.plain_drop_sql(),
            lock="ACCESS EXCLUSIVE",
            relation=self.stands_on,
            recurses="partitions",
        )

    def remove_online(self, context: PlanningContext) -> Iterable[Statement]:
        if self.partitioned:
            yield from self.remove(context)
            return
        own = self.ref.name
        rebuild = (
            self.build(own, concurrently=True).sql,
            *(s.sql for s in self.set_statistics(own, {})),
            *self.comment_sql(own),
        )
        yield self.drop_concurrently(own, undo=rebuild)

    def renamed_to(self, name: str) -> Statement:
        return Statement(
            sql=self.rename_sql(self.ref.name, name),
            lock="SHARE UPDATE EXCLUSIVE",
            relation=self.stands_on,
            index=text(self.sql_name()),
            undo=(self.rename_sql(name, self.ref.name),),
        )

    def reuses(self, old: Self | None, context: PlanningContext) -> frozenset[Ref]:
        return reused_by(self, old, context)

    def drop_leftover(self, *, declared: bool = True) -> Iterable[Statement]:
        is_ours = re.match(BUILD_NAME, self.ref.name)
        if (is_ours or not declared) and self.partitioned:
            yield self.drop_leftover_parent()
        elif is_ours:
            yield self.drop_concurrently(self.ref.name)
        elif not declared or REINDEX_NAME.search(self.ref.name):
            yield self.drop_concurrent_leftover()
