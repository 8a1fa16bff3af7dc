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
from reconciler.model.on_scratch import FilledByQuery
from reconciler.model.online_recipe import OnlineRecipe
from reconciler.model.query_relation import COLUMN_DETAILS, HAS_DETAILS, QueryColumn, QueryRelation
from reconciler.model.ref import Ref
from reconciler.model.spelling import AnyCaseName, Name, Parameter
from reconciler.model.statement import Hazard, HazardKind, Statement, undoable
from reconciler.server.capabilities import Server
from reconciler.server.connection import Row
from reconciler.sql import compose, joined, literal, name, raw, text

HEAP = "heap"
_NO_DATA = "WITH NO DATA"


class MaterializedColumn(QueryColumn):
    """Declared properties of a column of a materialized view."""

    storage: Literal["plain", "external", "extended", "main"] | None = Field(
        default=None, description="the storage mode; left out: the type's default"
    )
    compression: Literal["pglz", "lz4"] | None = Field(
        default=None, description="left out: default_toast_compression"
    )
    statistics: int | None = Field(
        default=None, description="the statistics target; left out: default_statistics_target"
    )
    options: dict[Parameter, str] = Field(
        default_factory=dict, description="attribute options: n_distinct"
    )


class MaterializedView(Deferred, OnlineRecipe, FilledByQuery, QueryRelation):
    """A materialized view; recreated and filled if the query changes."""

    kind: ClassVar[str] = "materialized_view"
    other_keys: ClassVar[Mapping[str, str]] = {"using": "access_method", "with": "options"}
    section: ClassVar[str] = "materialized_views"
    oid_column: ClassVar[str] = "pg_class.oid"
    own_rows: ClassVar[str] = "relkind = 'm'"
    omitted_is_default: ClassVar[bool] = False

    with_data: bool = Field(
        default=True,
        description="filled by REFRESH MATERIALIZED VIEW; false: empty, and cannot be read",
    )
    access_method: AnyCaseName = Field(default=HEAP, description="the table access method")
    tablespace: Name | None = Field(
        default=None, description="the tablespace; left out: the database's"
    )
    options: dict[Parameter, str] = Field(
        default_factory=dict, description="storage parameters, such as fillfactor"
    )
    cluster_on: Name | None = Field(
        default=None, description="the index by which CLUSTER orders the rows"
    )
    columns: dict[Name, MaterializedColumn] = Field(
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
            column: fields | {"options": _pairs(fields["options"])}
            for column, fields in columns.items()
        }
        return cls(ref=ref, **row)

    def define(self, context: PlanningContext, parts: Sequence[Object] = ()) -> Iterable[Statement]:
        clauses: list[sql.Composable] = [
            compose("CREATE MATERIALIZED VIEW {}{}", self.sql_name(), self.column_list())
        ]
        if self.access_method != HEAP:
            clauses.append(compose("USING {}", self.access_method))
        if self.options:
            clauses.append(compose("WITH ({})", _settings(self.options)))
        if self.tablespace:
            clauses.append(compose("TABLESPACE {}", self.tablespace))
        clauses.append(
            compose(
                "AS\n{}{}",
                raw(self.select),
                raw("" if self.with_data else f"\n{_NO_DATA}"),
            )
        )
        yield Statement(sql=text(joined(clauses, by=" ")), relation=self.ref.identity)
        yield from self._alter_columns({})

    @classmethod
    def unfilled(cls, sql: str) -> str:
        """Judge by the clause on its own line: a query may end in a comment of the same words."""
        creates = sql.startswith("CREATE MATERIALIZED VIEW ") and not sql.endswith(f"\n{_NO_DATA}")
        fills = sql.startswith("REFRESH MATERIALIZED VIEW ") and not sql.endswith(f" {_NO_DATA}")
        return f"{sql}\n{_NO_DATA}" if creates or fills else sql

    def filled_as(self, other: Self) -> Self:
        return self.model_copy(update={"with_data": other.with_data})

    def redefine(self, old: Self, context: PlanningContext) -> Iterable[Statement] | None:
        if (self.query, self.shape) != (old.query, old.shape):
            return None
        if self.access_method != old.access_method and not context.server.has_set_access_method:
            return None
        return [
            *self._alter_storage(old, context),
            *self._alter_columns(old.columns),
            *self._refresh(old, context),
        ]

    def define_deferred(self, old: Self | None, context: PlanningContext) -> Iterable[Statement]:
        if self.cluster_on == (old.cluster_on if old else None):
            return
        if self.cluster_on is None:
            yield self._alter(raw("SET WITHOUT CLUSTER"))
        else:
            yield self._alter(
                compose("CLUSTER ON {}", self.cluster_on), lock="SHARE UPDATE EXCLUSIVE"
            )

    def remove_deferred(self, context: PlanningContext) -> Iterable[Statement]:
        without_index = self.model_copy(update={"cluster_on": None})
        return undoable(
            without_index.define_deferred(self, context),
            lambda: self.define_deferred(without_index, context),
        )

    def deferred_needs(self) -> frozenset[Ref]:
        if self.cluster_on is None:
            return frozenset()
        return frozenset({Ref("index", self.ref.schema, self.cluster_on, self.ref)})

    def remove(self, context: PlanningContext) -> Iterable[Statement]:
        """Drop the view for recreation: no session can read the view until REFRESH."""
        hazards: tuple[Hazard, ...] = ()
        if self.with_data:
            effects = (HazardKind.LONG_SCAN, HazardKind.BLOCKS_READS)
            hazards = self._hazards(context, "is dropped and filled anew", *effects)
        yield self._drop_statement().model_copy(update={"hazards": hazards})

    def remove_online(self, context: PlanningContext) -> Iterable[Statement]:
        yield self._drop_statement()

    def _drop_statement(self) -> Statement:
        return Statement(
            sql=text(compose("DROP {}", self.designation())),
            lock="ACCESS EXCLUSIVE",
            relation=self.ref.identity,
        )

    def _hazards(
        self, context: PlanningContext, effect: str, *kinds: HazardKind
    ) -> tuple[Hazard, ...]:
        reason = f"{self.ref} ({context.size(self.ref).in_bytes}) {effect}"
        return tuple(Hazard(hazard=kind, reason=reason) for kind in kinds)

    def _alter_storage(self, old: Self, context: PlanningContext) -> Iterable[Statement]:
        effect = "is rewritten while nobody can read it"
        rewrite = self._hazards(context, effect, HazardKind.TABLE_REWRITE)
        if self.access_method != old.access_method:
            yield self._alter(compose("SET ACCESS METHOD {}", self.access_method), hazards=rewrite)
        if self.tablespace != old.tablespace:
            tablespace = self.tablespace or context.tablespaces.usual
            yield self._alter(compose("SET TABLESPACE {}", tablespace), hazards=rewrite)
        yield from self._set_options(compose(""), old.options, self.options)

    def _refresh(self, old: Self, context: PlanningContext) -> Iterable[Statement]:
        if self.with_data == old.with_data:
            return
        effect, kind = "is filled while its query runs", HazardKind.LONG_SCAN
        if not self.with_data:
            effect, kind = "is emptied and cannot be read", HazardKind.BLOCKS_READS
        no_data = raw("" if self.with_data else f" {_NO_DATA}")
        yield Statement(
            sql=text(compose("REFRESH MATERIALIZED VIEW {}{}", self.sql_name(), no_data)),
            lock="ACCESS EXCLUSIVE",
            relation=self.ref.identity,
            hazards=self._hazards(context, effect, kind),
        )

    def _alter_columns(self, before: Mapping[str, MaterializedColumn]) -> Iterable[Statement]:
        for column in {**before, **self.columns}:
            old = before.get(column, MaterializedColumn())
            yield from self._alter_column(column, old)
        yield from self.column_comments(before)

    def _alter_column(self, column: str, old: MaterializedColumn) -> Iterable[Statement]:
        new = self.columns.get(column, MaterializedColumn())
        alter = compose("ALTER COLUMN {} ", column)
        if new.storage != old.storage:
            storage = new.storage or self._default_storage(column)
            yield self._alter(compose("{}SET STORAGE {}", alter, raw(storage.upper())))
        if new.compression != old.compression:
            compression = raw(new.compression or "default")
            yield self._alter(compose("{}SET COMPRESSION {}", alter, compression))
        if new.statistics != old.statistics:
            target = literal(-1 if new.statistics is None else new.statistics)
            yield self._alter(
                compose("{}SET STATISTICS {}", alter, target), lock="SHARE UPDATE EXCLUSIVE"
            )
        yield from self._set_options(alter, old.options, new.options)

    def _default_storage(self, column: str) -> str:
        return next(storage for name, *_, storage in self.shape if name == column)

    def _set_options(
        self, alter: sql.Composable, before: Mapping[str, str], after: Mapping[str, str]
    ) -> Iterable[Statement]:
        """Set and reset options of the view, or of a column if `alter` is ALTER COLUMN."""
        lock = "SHARE UPDATE EXCLUSIVE"
        removed = [o for o in before if o not in after]
        changed = {o: v for o, v in after.items() if v != before.get(o)}
        if removed:
            yield self._alter(compose("{}RESET ({})", alter, joined(map(raw, removed))), lock=lock)
        if changed:
            yield self._alter(compose("{}SET ({})", alter, _settings(changed)), lock=lock)

    def _alter(
        self,
        action: sql.Composable,
        *,
        lock: str = "ACCESS EXCLUSIVE",
        hazards: tuple[Hazard, ...] = (),
    ) -> Statement:
        command = text(compose("ALTER MATERIALIZED VIEW {} {}", self.sql_name(), action))
        return Statement(sql=command, lock=lock, relation=self.ref.identity, hazards=hazards)


_STORAGE = (
    "CASE a.attstorage WHEN 'p' THEN 'plain' WHEN 'e' THEN 'external'"
    " WHEN 'm' THEN 'main' ELSE 'extended' END"
)
_COLUMNS = f"""(
    SELECT json_object_agg(a.attname, json_build_object(
               {COLUMN_DETAILS}, 'statistics', nullif(a.attstattarget::int, -1),
               'storage', CASE WHEN a.attstorage <> y.typstorage THEN {_STORAGE} END,
               'compression', CASE a.attcompression WHEN 'p' THEN 'pglz' WHEN 'l' THEN 'lz4' END,
               'options', {settable_options("a.attoptions")}) ORDER BY a.attnum)
    FROM pg_attribute AS a
    JOIN pg_type AS y ON y.oid = a.atttypid
    WHERE a.attrelid = c.oid AND a.attnum > 0
          AND ({HAS_DETAILS} OR coalesce(a.attstattarget, -1) <> -1
               OR a.attstorage <> y.typstorage OR a.attcompression <> ''
               OR {settable_options("a.attoptions")} IS NOT NULL))"""


def _pairs(options: Iterable[str] | None) -> dict[str, str]:
    return dict(o.split("=", 1) for o in options or ())


def _settings(options: Mapping[str, str]) -> sql.Composable:
    return joined(compose("{} = {}", name(*o.split(".")), literal(v)) for o, v in options.items())
