"""Materialized views: https://www.postgresql.org/docs/current/sql-creatematerializedview.html"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar, Literal, Self

from psycopg import sql
from pydantic import Field

from reconciler.model.catalog_sql import (
    address,
    managed,
    object_grants,
    query_columns,
    settable_options,
)
from reconciler.model.deferred import Deferred
from reconciler.model.object import Object, PlanningContext
from reconciler.model.online_recipe import OnlineRecipe
from reconciler.model.query_relation import COLUMN_DETAILS, HAS_DETAILS, QueryColumn, QueryRelation
from reconciler.model.ref import Ref
from reconciler.model.statement import Hazard, HazardKind, Statement, undoable
from reconciler.server.capabilities import Server
from reconciler.server.connection import Row
from reconciler.sql import compose, joined, literal, raw, text

HEAP = "heap"
DEFAULT_TABLESPACE = "pg_default"


class MaterializedColumn(QueryColumn):
    """What a materialized view's column has beside what the query gives it."""

    storage: Literal["plain", "external", "extended", "main"] | None = Field(
        default=None, description="where it is not the type's own"
    )
    compression: Literal["pglz", "lz4"] | None = None
    statistics: int | None = Field(default=None, description="how many values ANALYZE samples")
    options: dict[str, str] = Field(default_factory=dict, description="n_distinct")


class MaterializedView(Deferred, OnlineRecipe, QueryRelation):
    """A query and its rows; another query means that it is filled anew."""

    kind: ClassVar[str] = "materialized_view"
    section: ClassVar[str] = "materialized_views"
    oid_column: ClassVar[str] = ""
    omitted_is_default: ClassVar[bool] = False

    with_data: bool = Field(
        default=True, description="it is filled and can be read; REFRESH MATERIALIZED VIEW does it"
    )
    access_method: str = Field(default=HEAP, description="how its rows are stored")
    tablespace: str | None = Field(default=None, description="left out: the database's own")
    options: dict[str, str] = Field(
        default_factory=dict, description="storage parameters, such as fillfactor"
    )
    cluster_on: str | None = Field(
        default=None, description="the index by which CLUSTER orders the rows"
    )
    columns: dict[str, MaterializedColumn] = Field(
        default_factory=dict, description="columns with a comment, grants or storage of their own"
    )

    @property
    def described_columns(self) -> Mapping[str, MaterializedColumn]:
        return self.columns

    @classmethod
    def catalog(cls, server: Server) -> str:
        return f"""
            SELECT n.nspname AS schema, c.relname AS name,
                   pg_get_userbyid(c.relowner)::text AS owner,
                   ARRAY[{address("pg_class", "c.oid")}, {address("pg_rewrite", "r.oid")},
                         {address("pg_type", "c.reltype")},
                         {address("pg_type", "t.typarray")}] AS addresses,
                   btrim(pg_get_viewdef(c.oid), ' ;') AS query, c.relispopulated AS with_data,
                   am.amname AS access_method, s.spcname AS tablespace,
                   c.reloptions || ARRAY(SELECT 'toast.' || o
                                         FROM unnest(k.reloptions) AS o) AS options,
                   (SELECT x.relname FROM pg_index AS i JOIN pg_class AS x ON x.oid = i.indexrelid
                    WHERE i.indrelid = c.oid AND i.indisclustered) AS cluster_on,
                   {query_columns("c.oid")} AS shape, {_COLUMNS} AS columns,
                   {object_grants("c.relacl", "r", "c.relowner")} AS grants
            FROM pg_class AS c
            JOIN pg_namespace AS n ON n.oid = c.relnamespace
            JOIN pg_rewrite AS r ON r.ev_class = c.oid AND r.rulename = '_RETURN'
            JOIN pg_type AS t ON t.oid = c.reltype
            JOIN pg_am AS am ON am.oid = c.relam
            LEFT JOIN pg_class AS k ON k.oid = c.reltoastrelid
            LEFT JOIN pg_tablespace AS s ON s.oid = c.reltablespace
            WHERE c.relkind = 'm' AND {managed("pg_class", "c.oid", "n.nspname")}
            ORDER BY n.nspname, c.relname"""

    @classmethod
    def from_row(cls, ref: Ref, row: Row) -> Self:
        row["options"] = _pairs(row["options"])
        columns: dict[str, Row] = row["columns"] or {}
        row["columns"] = {
            c: described_columns | {"options": _pairs(described_columns["options"])}
            for c, described_columns in columns.items()
        }
        return cls(ref=ref, **row)

    def define(self, context: PlanningContext, parts: Sequence[Object] = ()) -> Iterable[Statement]:
        words: list[sql.Composable] = [compose("CREATE MATERIALIZED VIEW {}", self.sql_name())]
        if self.access_method != HEAP:
            words.append(compose("USING {}", self.access_method))
        if self.options:
            words.append(compose("WITH ({})", _settings(self.options)))
        if self.tablespace:
            words.append(compose("TABLESPACE {}", self.tablespace))
        words.append(
            compose(
                "AS\n{}{}",
                raw(self.query.strip().rstrip(";")),
                raw("" if self.with_data else "\nWITH NO DATA"),
            )
        )
        yield Statement(sql=text(joined(words, by=" ")), relation=self.ref.identity)
        yield from self._dress({})

    def redefine(self, old: Self, context: PlanningContext) -> Iterable[Statement] | None:
        moved = self.access_method != old.access_method
        if (self.query, self.shape) != (old.query, old.shape) or (
            moved and not context.server.has_set_access_method
        ):
            return None
        return [*self._store(old, context), *self._dress(old.columns), *self._fill(old, context)]

    def define_deferred(self, old: Self | None, context: PlanningContext) -> Iterable[Statement]:
        if self.cluster_on != (old.cluster_on if old else None):
            action = (
                compose("CLUSTER ON {}", self.cluster_on)
                if self.cluster_on is not None
                else raw("SET WITHOUT CLUSTER")
            )
            yield self._alter(
                action,
                lock="SHARE UPDATE EXCLUSIVE"
                if self.cluster_on is not None
                else "ACCESS EXCLUSIVE",
            )

    def remove_deferred(self, context: PlanningContext) -> Iterable[Statement]:
        """Let go of the index, and take it again where that is undone."""
        loose = self.model_copy(update={"cluster_on": None})
        return undoable(
            loose.define_deferred(self, context), lambda: self.define_deferred(loose, context)
        )

    def deferred_needs(self) -> frozenset[Ref]:
        return (
            frozenset()
            if self.cluster_on is None
            else frozenset({Ref("index", self.ref.schema, self.cluster_on, self.ref)})
        )

    def remove(self, context: PlanningContext) -> Iterable[Statement]:
        """Drop it in order to make it again: until it is filled, nobody can read it."""
        hazards = (
            self._dangers(
                context, "is dropped and filled anew", HazardKind.LONG_SCAN, HazardKind.BLOCKS_READS
            )
            if self.with_data
            else ()
        )
        yield self._drop_statement().model_copy(update={"hazards": hazards})

    def remove_online(self, context: PlanningContext) -> Iterable[Statement]:
        yield self._drop_statement()

    # -- pieces ----------------------------------------------------------------------------------------------------

    def _drop_statement(self) -> Statement:
        return Statement(
            sql=text(compose("DROP {}", self.designation())),
            lock="ACCESS EXCLUSIVE",
            relation=self.ref.identity,
        )

    def _dangers(
        self, context: PlanningContext, what: str, *hazards: HazardKind
    ) -> tuple[Hazard, ...]:
        why = f"{self.ref} ({context.size(self.ref).bytes:,} bytes) {what}"
        return tuple(Hazard(hazard=h, reason=why) for h in hazards)

    def _store(self, old: Self, context: PlanningContext) -> Iterable[Statement]:
        rewrite = self._dangers(
            context, "is rewritten while nobody can read it", HazardKind.TABLE_REWRITE
        )
        if self.access_method != old.access_method:
            yield self._alter(compose("SET ACCESS METHOD {}", self.access_method), hazards=rewrite)
        if self.tablespace != old.tablespace:
            yield self._alter(
                compose("SET TABLESPACE {}", self.tablespace or DEFAULT_TABLESPACE), hazards=rewrite
            )
        yield from self._set(compose(""), old.options, self.options)

    def _fill(self, old: Self, context: PlanningContext) -> Iterable[Statement]:
        if self.with_data == old.with_data:
            return
        how = (
            "is filled while its query runs" if self.with_data else "is emptied and cannot be read"
        )
        yield Statement(
            sql=text(
                compose(
                    "REFRESH MATERIALIZED VIEW {}{}",
                    self.sql_name(),
                    raw("" if self.with_data else " WITH NO DATA"),
                )
            ),
            lock="ACCESS EXCLUSIVE",
            relation=self.ref.identity,
            hazards=self._dangers(
                context, how, HazardKind.LONG_SCAN if self.with_data else HazardKind.BLOCKS_READS
            ),
        )

    def _dress(self, before: Mapping[str, MaterializedColumn]) -> Iterable[Statement]:
        """What the columns have of their own; `before` is what they had."""
        for column in {**before, **self.columns}:
            was, wanted = (
                before.get(column, MaterializedColumn()),
                self.columns.get(column, MaterializedColumn()),
            )
            of = compose("ALTER COLUMN {} ", column)
            if wanted.storage != was.storage:
                own = wanted.storage or next(
                    storage for c, *_, storage in self.shape if c == column
                )
                yield self._alter(compose("{}SET STORAGE {}", of, raw(own.upper())))
            if wanted.compression != was.compression:
                yield self._alter(
                    compose("{}SET COMPRESSION {}", of, raw(wanted.compression or "default"))
                )
            if wanted.statistics != was.statistics:
                target = literal(-1 if wanted.statistics is None else wanted.statistics)
                yield self._alter(
                    compose("{}SET STATISTICS {}", of, target), lock="SHARE UPDATE EXCLUSIVE"
                )
            yield from self._set(of, was.options, wanted.options)
        yield from self.column_comments(before)

    def _set(
        self, of: sql.Composable, before: Mapping[str, str], after: Mapping[str, str]
    ) -> Iterable[Statement]:
        """Set and reset storage parameters of the whole or `of` a column."""
        if gone := [o for o in before if o not in after]:
            yield self._alter(
                compose("{}RESET ({})", of, joined(map(raw, gone))), lock="SHARE UPDATE EXCLUSIVE"
            )
        if new := {o: v for o, v in after.items() if v != before.get(o)}:
            yield self._alter(
                compose("{}SET ({})", of, _settings(new)), lock="SHARE UPDATE EXCLUSIVE"
            )

    def _alter(
        self,
        action: sql.Composable,
        *,
        lock: str = "ACCESS EXCLUSIVE",
        hazards: tuple[Hazard, ...] = (),
    ) -> Statement:
        words = text(compose("ALTER MATERIALIZED VIEW {} {}", self.sql_name(), action))
        return Statement(sql=words, lock=lock, relation=self.ref.identity, hazards=hazards)


_COLUMNS = f"""(
    SELECT json_object_agg(a.attname, json_build_object(
               {COLUMN_DETAILS}, 'statistics', nullif(a.attstattarget::int, -1),
               'storage', CASE WHEN a.attstorage <> y.typstorage THEN CASE a.attstorage
                                                                           WHEN 'p' THEN 'plain' WHEN 'e' THEN 'external'
                                                                  WHEN 'm' THEN 'main' ELSE 'extended' END END,
               'compression', CASE a.attcompression WHEN 'p' THEN 'pglz' WHEN 'l' THEN 'lz4' END,
               'options', {settable_options("a.attoptions")}) ORDER BY a.attnum)
    FROM pg_attribute AS a
    JOIN pg_type AS y ON y.oid = a.atttypid
    WHERE a.attrelid = c.oid AND a.attnum > 0
          AND ({HAS_DETAILS} OR coalesce(a.attstattarget, -1) <> -1 OR a.attstorage <> y.typstorage
               OR a.attcompression <> '' OR {settable_options("a.attoptions")} IS NOT NULL))"""


def _pairs(options: Iterable[str] | None) -> dict[str, str]:
    return dict(o.split("=", 1) for o in options or ())


def _settings(options: Mapping[str, str]) -> sql.Composable:
    return joined(compose("{} = {}", raw(o), literal(v)) for o, v in options.items())
