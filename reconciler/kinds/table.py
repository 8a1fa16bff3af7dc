"""Tables: https://www.postgresql.org/docs/current/sql-createtable.html

Partitioned tables and partitions are tables too: https://www.postgresql.org/docs/current/ddl-partitioning.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar, Self

from psycopg import sql
from pydantic import Field

from reconciler.model.catalog_sql import address, managed, object_grants
from reconciler.model.deferred import Deferred
from reconciler.model.object import InlinePart, Object, PlanningContext
from reconciler.model.ref import Ref
from reconciler.model.statement import Hazard, HazardKind, Statement, TypeConversion
from reconciler.model.table_like import INHERITANCE_COLUMNS, InheritableTable
from reconciler.model.type_change import PinsType
from reconciler.server.capabilities import Server
from reconciler.server.connection import Row
from reconciler.sql import compose, joined, name, raw, text

USING = "using index "  # how `replica_identity` names an index


class Table(Deferred, PinsType, InheritableTable):
    """An ordinary, partitioned or inheriting table, or a partition; what lives on it are objects of their own."""

    kind: ClassVar[str] = "table"
    section: ClassVar[str] = "tables"
    oid_column: ClassVar[str] = ""
    omitted_is_default: ClassVar[bool] = False
    sql_fields: ClassVar[tuple[str, ...]] = (
        "partition_of",
        "values",
        "partition_by",
        "inherits",
        "of",
        "options",
    )

    partition_by: str | None = Field(
        default=None, description="range, list or hash (keys), as in PARTITION BY"
    )
    of: str | None = Field(
        default=None, description="the composite type that a typed table has its columns of"
    )
    unlogged: bool = Field(
        default=False,
        description="written without the write-ahead log: fast, and empty after a crash",
    )
    access_method: str | None = Field(
        default=None, description="the table access method, where it is not heap"
    )
    tablespace: str | None = Field(
        default=None, description="where it is stored, where it is not the database's tablespace"
    )
    options: dict[str, str] = Field(
        default_factory=dict,
        description="storage parameters, such as fillfactor or toast.autovacuum_enabled",
    )
    replica_identity: str = Field(
        default="default",
        pattern=r"^(default|full|nothing|using index .+)$",
        description="how logical replication names a row: default (the primary key), full, nothing, or using index NAME",
    )
    cluster_on: str | None = Field(
        default=None, description="the index by which CLUSTER orders the rows"
    )
    row_level_security: bool = Field(
        default=False, description="policies apply (ENABLE ROW LEVEL SECURITY)"
    )
    force_row_level_security: bool = Field(
        default=False, description="policies apply to the table's owner too"
    )

    @classmethod
    def catalog(cls, server: Server) -> str:
        index = "SELECT x.relname FROM pg_index AS i JOIN pg_class AS x ON x.oid = i.indexrelid WHERE i.indrelid = c.oid AND"
        return f"""
            SELECT n.nspname AS schema, c.relname AS name,
                   pg_get_userbyid(c.relowner)::text AS owner,
                   ARRAY[{address("pg_class", "c.oid")}, {address("pg_type", "c.reltype")},
                         {address("pg_type", "t.typarray")}]
                       AS addresses,
                   pg_get_partkeydef(c.oid) AS partition_by, {INHERITANCE_COLUMNS},
                   CASE WHEN c.reloftype <> 0 THEN format_type(c.reloftype, NULL) END AS of,
                   c.relpersistence = 'u' AS unlogged,
                   (SELECT am.amname FROM pg_am AS am WHERE am.oid = c.relam
                    AND am.amname <> 'heap') AS access_method,
                   (SELECT s.spcname FROM pg_tablespace AS s
                    WHERE s.oid = c.reltablespace) AS tablespace,
                   c.reloptions || ARRAY(SELECT 'toast.' || o FROM pg_class AS w,
                                                unnest(w.reloptions) AS o
                                         WHERE w.oid = c.reltoastrelid) AS options,
                   CASE c.relreplident WHEN 'f' THEN 'full' WHEN 'n' THEN 'nothing'
                                       WHEN 'i' THEN coalesce('{USING}'
                                                              || ({index} i.indisreplident),
                                                              'nothing') ELSE 'default' END
                       AS replica_identity,
                   ({index} i.indisclustered) AS cluster_on,
                   c.relrowsecurity AS row_level_security,
                   c.relforcerowsecurity AS force_row_level_security,
                   {object_grants("c.relacl", "r", "c.relowner")} AS grants
            FROM pg_class AS c
            JOIN pg_namespace AS n ON n.oid = c.relnamespace
            JOIN pg_type AS t ON t.oid = c.reltype
            WHERE c.relkind IN ('r', 'p') AND {managed("pg_class", "c.oid", "n.nspname")}
            ORDER BY n.nspname, c.relname"""

    @classmethod
    def from_row(cls, ref: Ref, row: Row) -> Self:
        row["options"] = dict(o.split("=", 1) for o in row["options"] or ())
        return cls(ref=ref, **row)

    @property
    def partitioned_parent(self) -> bool:
        return self.partition_by is not None

    # -- made and dropped --------------------------------------------------------------------------------------------

    def define(
        self, context: PlanningContext, parts: Sequence[InlinePart] = ()
    ) -> Iterable[Statement]:
        create = compose(
            "CREATE {}TABLE {}", raw("UNLOGGED " if self.unlogged else ""), self.sql_name()
        )
        yield from self._create(create, parts, context, *self._stored())
        if self.of is not None:
            yield self._alter(compose("OF {}", raw(self.of)))
        if self.replica_identity in ("full", "nothing"):
            yield self._alter(compose("REPLICA IDENTITY {}", raw(self.replica_identity.upper())))
        yield from self._secure(enabled=False, forced=False)

    def _stored(self) -> Iterable[sql.Composable]:
        if self.partition_by is not None:
            yield compose("PARTITION BY {}", raw(self.partition_by))
        if self.access_method is not None:
            yield compose("USING {}", self.access_method)
        if self.options:
            yield compose("WITH ({})", _set(self.options))
        if self.tablespace is not None:
            yield compose("TABLESPACE {}", self.tablespace)

    def remove(self, context: PlanningContext) -> Iterable[Statement]:
        size = context.size(self.ref)
        rows = f"about {size.rows:,} rows" if size.rows >= 0 else "an unknown number of rows"
        lost = f"{self.ref} is dropped with {rows} ({size.bytes:,} bytes)"
        if (
            self.partition_of is not None
        ):  # foreign keys to the whole table refuse to let it go otherwise
            yield self._detach()
        yield Statement(
            sql=text(compose("DROP TABLE {}", self.sql_name())),
            lock="ACCESS EXCLUSIVE",
            relation=self.ref.identity,
            hazards=(Hazard(hazard=HazardKind.DATA_LOSS, reason=lost),),
        )

    # -- altered -----------------------------------------------------------------------------------------------------

    def redefine(self, old: Self, context: PlanningContext) -> Iterable[Statement] | None:
        if self.partition_by != old.partition_by:
            return None
        return self._altered(old, context)

    def _altered(self, old: Self, context: PlanningContext) -> Iterable[Statement]:
        if old.of is not None and self.of != old.of:
            yield self._alter(raw("NOT OF"))
        yield from self._detach_old(old)
        yield from self._store(old, context)
        yield from self._secure(enabled=old.row_level_security, forced=old.force_row_level_security)
        yield from self._attach_new(old, context)
        if self.of is not None and self.of != old.of:
            yield self._alter(compose("OF {}", raw(self.of)))

    def attach_hazards(self, context: PlanningContext) -> tuple[Hazard, ...]:
        why = f"{self.ref.identity} ({context.size(self.ref).bytes:,} bytes) is read under lock, unless a check proves its bound"
        return (Hazard(hazard=HazardKind.LONG_SCAN, reason=why),)

    def _store(self, old: Self, context: PlanningContext) -> Iterable[Statement]:
        bytes_ = context.size(self.ref).bytes
        why = f"{self.ref.identity} ({bytes_:,} bytes) is written anew while nobody can read or write it"
        rewrite = Hazard(hazard=HazardKind.TABLE_REWRITE, reason=why)
        if self.unlogged != old.unlogged:
            lost = Hazard(
                hazard=HazardKind.DATA_LOSS,
                reason=f"the rows of {self.ref.identity} will not survive a crash",
            )
            yield self._alter(
                raw("SET UNLOGGED" if self.unlogged else "SET LOGGED"),
                *([rewrite, lost] if self.unlogged else [rewrite]),
            )
        if self.access_method != old.access_method:
            context.server.require(
                context.server.has_set_access_method, f"another access method of {self.ref}", 15
            )
            yield self._alter(
                compose("SET ACCESS METHOD {}", self.access_method or "heap"), rewrite
            )
        if self.tablespace != old.tablespace:
            yield self._alter(
                compose("SET TABLESPACE {}", self.tablespace or "pg_default"), rewrite
            )
        new = {k: v for k, v in self.options.items() if old.options.get(k) != v}
        if new:
            yield self._alter(compose("SET ({})", _set(new)), lock="SHARE UPDATE EXCLUSIVE")
        if gone := [k for k in old.options if k not in self.options]:
            yield self._alter(
                compose("RESET ({})", joined(map(_option, gone))), lock="SHARE UPDATE EXCLUSIVE"
            )

    def _secure(self, *, enabled: bool, forced: bool) -> Iterable[Statement]:
        for was, wanted, on, off in (
            (enabled, self.row_level_security, "ENABLE", "DISABLE"),
            (forced, self.force_row_level_security, "FORCE", "NO FORCE"),
        ):
            if was != wanted:
                weaker = Hazard(
                    hazard=HazardKind.WEAKENS_SECURITY,
                    reason=f"row level security of {self.ref.identity} goes",
                )
                words = compose("{} ROW LEVEL SECURITY", raw(on if wanted else off))
                yield self._alter(words, *(() if wanted else (weaker,)))

    def pins_column_type(self, column: Object) -> bool:
        named = rf'(?<![\w"]){re.escape(text(name(column.ref.name)))}(?![\w"])'
        return (
            self.partition_by is not None
            and isinstance(column, InlinePart)
            and re.search(named, self.partition_by) is not None
        )

    # -- standing on a type ------------------------------------------------------------------------------------------

    def pins_type(self, dependency: Object) -> bool:
        return self.of is not None and dependency.ref != self.ref.schema_ref

    def suspend(self, context: PlanningContext) -> Iterable[Statement] | None:
        """A typed table is an ordinary one meanwhile, and its columns are altered like any."""
        return None if self.of is None else [self._typed(self.of, typed=False)]

    def restore(
        self, old: Self, conversions: Mapping[str, TypeConversion], context: PlanningContext
    ) -> Iterable[Statement]:
        return () if self.of is None else [self._typed(self.of, typed=True)]

    def after_restore(self, old: Self, context: PlanningContext) -> Self:
        return old.model_copy(update={"of": self.of})

    def _typed(self, type_: str, *, typed: bool) -> Statement:
        ways = [self._alter(raw("NOT OF")), self._alter(compose("OF {}", raw(type_)))]
        return ways[typed].model_copy(update={"undo": (ways[not typed].sql,)})

    # -- finished ----------------------------------------------------------------------------------------------------

    def define_deferred(self, old: Self | None, context: PlanningContext) -> Iterable[Statement]:
        named = self.replica_identity.removeprefix(USING)
        if self.replica_identity != (old.replica_identity if old else named):
            using = self.replica_identity != named
            yield self._alter(
                compose(
                    "REPLICA IDENTITY {}",
                    compose("USING INDEX {}", named) if using else raw(named.upper()),
                )
            )
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
        """Let go of the indexes, and take them again where that is undone."""
        loose = self.model_copy(update={"cluster_on": None, "replica_identity": "default"})
        kept = self.replica_identity if not self.replica_identity.startswith(USING) else "default"
        back = tuple(
            s.sql
            for s in self.define_deferred(
                loose.model_copy(update={"replica_identity": kept}), context
            )
        )
        for statement in loose.model_copy(update={"replica_identity": kept}).define_deferred(
            self, context
        ):
            yield statement.model_copy(update={"undo": back})
            back = ()

    def deferred_needs(self) -> frozenset[Ref]:
        identity = (
            self.replica_identity.removeprefix(USING)
            if self.replica_identity.startswith(USING)
            else None
        )
        named = [i for i in (identity, self.cluster_on) if i is not None]
        return frozenset(
            Ref(k, self.ref.schema, i, self.ref) for i in named for k in ("index", "constraint")
        )


def _set(options: Mapping[str, str]) -> sql.Composable:
    return joined(compose("{} = {}", _option(k), sql.Literal(v)) for k, v in options.items())


def _option(key: str) -> sql.Composable:
    return name(*key.split("."))
