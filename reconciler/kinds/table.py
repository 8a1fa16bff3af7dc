"""Tables: https://www.postgresql.org/docs/current/sql-createtable.html

Partitioned tables and partitions are tables too:
https://www.postgresql.org/docs/current/ddl-partitioning.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence, Set
from typing import ClassVar, Self

from psycopg import sql
from pydantic import Field

from reconciler.counted import counted
from reconciler.model.access import DecidesAccess
from reconciler.model.catalog_sql import address, managed, object_grants, outside_system
from reconciler.model.clauses import BOUND, NAME, PARTITION_KEY, Clause
from reconciler.model.deferred import Deferred
from reconciler.model.effect import MayHaveNoEffect
from reconciler.model.object import InlinePart, Object, PlanningContext
from reconciler.model.persistence import MayBeUnlogged
from reconciler.model.record import ATTACHED
from reconciler.model.ref import Ref, split_name
from reconciler.model.replicated import Replicated
from reconciler.model.replication import Replication, stops_subscription
from reconciler.model.row_identity import PublishesRows
from reconciler.model.spelling import AnyCaseName, Name, Parameter, ReplicaIdentity, Sql
from reconciler.model.statement import Hazard, HazardKind, Statement
from reconciler.model.table_like import INHERITANCE_COLUMNS, InheritableTable
from reconciler.model.typed_table import TypedTable
from reconciler.server.capabilities import Server
from reconciler.server.connection import Row
from reconciler.sql import compose, joined, name, raw, text

USING = "using index "  # how `replica_identity` names an index


class Table(
    DecidesAccess,
    Deferred,
    PublishesRows,
    Replicated,
    MayBeUnlogged,
    MayHaveNoEffect,
    TypedTable,
):
    """An ordinary or partitioned table, or a partition; columns and the like are own objects."""

    kind: ClassVar[str] = "table"
    other_keys: ClassVar[Mapping[str, str]] = {"using": "access_method", "with": "options"}
    wrong_keys: ClassVar[Mapping[str, str]] = {
        "primary_key": "constraints: {NAME: {primary_key: [a, b]}} declares it, or"
        " primary_key: true of a column",
        "unique": "constraints: {NAME: {unique: [a, b]}} declares it, or unique: true of a column",
        "foreign_key": "constraints: {NAME: {foreign_key: a, references: t(a)}} declares it, or"
        " references: t(a) of a column",
        "check": "constraints: {NAME: a > 0} declares it",
        "rls": "row_level_security: true enables it",
        "like": "PostgreSQL copies the columns once, and keeps no link: list them",
    }
    section: ClassVar[str] = "tables"
    oid_column: ClassVar[str] = "pg_class.oid"
    own_rows: ClassVar[str] = f"relkind IN ('r', 'p') AND {outside_system('relnamespace')}"
    omitted_is_default: ClassVar[bool] = False
    sql_fields: ClassVar[tuple[str, ...]] = (
        "partition_of",
        "values",
        "partition_by",
        "inherits",
        "of",
        "options",
    )
    sql_clauses: ClassVar[Mapping[str, Clause]] = {
        "partition_of": NAME,
        "values": BOUND,
        "inherits": NAME,
        "partition_by": PARTITION_KEY,
        "of": NAME,
    }

    only_with: ClassVar[Mapping[str, tuple[str, ...]]] = {
        **InheritableTable.only_with,
        "attach_under_lock": ("partition_of",),
    }
    access_fields: ClassVar[frozenset[str]] = frozenset(
        {"row_level_security", "force_row_level_security"}
    )
    kept_in_place: ClassVar[frozenset[str]] = ATTACHED | access_fields

    partition_by: Sql | None = Field(
        default=None,
        description="the partition key: range, list or hash (keys), as in PARTITION BY",
    )
    attach_under_lock: bool = Field(
        default=False,
        description="where it becomes a partition of a new table of its name, it is read under "
        "lock; otherwise a CHECK proves its bound before, and refuses other rows meanwhile",
    )
    unlogged: bool = Field(
        default=False,
        description="not written to the write-ahead log: faster, and empty after a crash",
    )
    access_method: AnyCaseName | None = Field(
        default=None, description="the table access method; left out: heap"
    )
    tablespace: Name | None = Field(
        default=None, description="the tablespace; left out: the database's"
    )
    options: dict[Parameter, str] = Field(
        default_factory=dict,
        description="storage parameters, such as fillfactor or toast.autovacuum_enabled",
    )
    replica_identity: ReplicaIdentity = Field(
        default="default",
        pattern=r"^(default|full|nothing|using index .+)$",
        description="how logical replication identifies rows: default (the primary key), full, "
        "nothing, or using index NAME",
    )
    cluster_on: Name | None = Field(
        default=None, description="the index by which CLUSTER orders the rows"
    )
    row_level_security: bool = Field(
        default=False, description="policies restrict access (ENABLE ROW LEVEL SECURITY)"
    )
    force_row_level_security: bool = Field(
        default=False, description="policies restrict the table's owner too"
    )

    @property
    def row_identity(self) -> bool | None:
        return None if self.replica_identity == "default" else self.replica_identity != "nothing"

    @property
    def is_unlogged(self) -> bool:
        return self.unlogged

    def without_effect(self, desired: Mapping[Ref, Object]) -> str | None:
        """Tell that FORCE ROW LEVEL SECURITY has no effect without row level security."""
        if self.row_level_security or not self.force_row_level_security:
            return None
        return f"{self.ref}: force_row_level_security has no effect: row_level_security is off"

    @classmethod
    def catalog(cls, server: Server) -> str:
        index = (
            "SELECT x.relname FROM pg_index AS i JOIN pg_class AS x ON x.oid = i.indexrelid"
            " WHERE i.indrelid = c.oid AND"
        )
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
                        WHEN 'i'
                        THEN coalesce('{USING}' || ({index} i.indisreplident), 'nothing')
                        ELSE 'default' END
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

    def as_state(self) -> Self:
        return super().as_state().model_copy(update={"attach_under_lock": False})

    def may_prove_bound(self, context: PlanningContext) -> bool:
        declared = context.declared.get(self.ref)
        return not (isinstance(declared, Table) and declared.attach_under_lock)

    def row_type(self, schema: str) -> Ref | None:
        names = split_name(self.of or "")
        if not names:
            return None
        return Ref("composite_type", names[-2] if len(names) > 1 else schema, names[-1])

    @property
    def partitioned_parent(self) -> bool:
        return self.partition_by is not None

    def define(
        self, context: PlanningContext, parts: Sequence[InlinePart] = ()
    ) -> Iterable[Statement]:
        create = compose(
            "CREATE {}TABLE {}", raw("UNLOGGED " if self.unlogged else ""), self.sql_name()
        )
        yield from self._create(create, parts, context, *self._storage_clauses())
        if self.of is not None:
            yield self._alter(compose("OF {}", raw(self.of)))
        if self.replica_identity in ("full", "nothing"):
            yield self._alter(compose("REPLICA IDENTITY {}", raw(self.replica_identity.upper())))
        yield from self._row_security(enabled=False, forced=False)

    def _storage_clauses(self) -> Iterable[sql.Composable]:
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
        rows = (
            f"about {counted(size.rows, 'row')}" if size.rows >= 0 else "an unknown number of rows"
        )
        reason = f"{self.ref} is dropped with {rows} ({size.in_bytes})"
        if self.partition_of is not None:
            # foreign keys that reference the partitioned table prevent DROP TABLE
            yield self._detach()
        yield Statement(
            sql=text(compose("DROP TABLE {}", self.sql_name())),
            lock="ACCESS EXCLUSIVE",
            relation=self.ref.identity,
            ties="references",
            hazards=(Hazard(hazard=HazardKind.DATA_LOSS, reason=reason),),
        )

    # -- logical replication ---------------------------------------------------------------------

    @classmethod
    def replication_hazards(
        cls, before: Self | None, after: Self | None, replication: Replication
    ) -> Iterable[Hazard]:
        if before is not None and after is None and (writer := replication.writers(before.ref)):
            yield stops_subscription(writer, f"{before.ref} goes, and it writes into it")

    def renaming_hazards(self, old: str, replication: Replication) -> Iterable[Hazard]:
        if sender := replication.senders(self.ref):
            yield replication.stops_subscribers(
                f"{sender} sends {self.ref} instead of {old}",
                "one that has no table of that name stops; rename it there at the same time",
            )
        if writer := replication.writers(self.ref):
            yield stops_subscription(writer, f"it writes into {old}, which is now {self.ref}")

    # -- ALTER TABLE -----------------------------------------------------------------------------

    def redefine(self, old: Self, context: PlanningContext) -> Iterable[Statement] | None:
        if self.partition_by != old.partition_by:
            return None
        return self._altered(old, context)

    def _altered(self, old: Self, context: PlanningContext) -> Iterable[Statement]:
        if old.of is not None and self.of != old.of:
            yield self._alter(raw("NOT OF"))
        yield from self._detach_old(old)
        yield from self._alter_storage(old, context)
        yield from self._row_security(
            enabled=old.row_level_security, forced=old.force_row_level_security
        )
        yield from self._attach_new(old, context)
        if self.of is not None and self.of != old.of:
            yield self._alter(compose("OF {}", raw(self.of)))

    def attach_hazards(self, context: PlanningContext) -> tuple[Hazard, ...]:
        size = context.size(self.ref)
        if size.empty:
            return ()
        name = f"{self.ref.identity} ({size.in_bytes})"
        reason = f"{name} is read under lock, unless a check proves its bound"
        return (Hazard(hazard=HazardKind.LONG_SCAN, reason=reason),)

    def _alter_storage(self, old: Self, context: PlanningContext) -> Iterable[Statement]:
        size = context.size(self.ref).in_bytes
        reason = f"{self.ref.identity} ({size}) is written anew while nobody can read or write it"
        rewrite = Hazard(hazard=HazardKind.TABLE_REWRITE, reason=reason)
        if self.unlogged != old.unlogged:
            yield self._set_logged(rewrite)
        if self.access_method != old.access_method:
            context.server.require(
                context.server.has_set_access_method, f"another access method of {self.ref}", 15
            )
            method = self.access_method or "heap"
            yield self._alter(compose("SET ACCESS METHOD {}", method), rewrite)
        if self.tablespace != old.tablespace:
            tablespace = self.tablespace or context.tablespaces.usual
            yield self._alter(compose("SET TABLESPACE {}", tablespace), rewrite)
        yield from self._set_options(old.options)

    def _set_logged(self, rewrite: Hazard) -> Statement:
        if not self.unlogged:
            return self._alter(raw("SET LOGGED"), rewrite)
        reason = f"the rows of {self.ref.identity} will not survive a crash"
        loss = Hazard(hazard=HazardKind.DATA_LOSS, reason=reason)
        return self._alter(raw("SET UNLOGGED"), rewrite, loss)

    def _set_options(self, before: Mapping[str, str]) -> Iterable[Statement]:
        lock = "SHARE UPDATE EXCLUSIVE"
        changed = {k: v for k, v in self.options.items() if before.get(k) != v}
        removed = [k for k in before if k not in self.options]
        if changed:
            yield self._alter(compose("SET ({})", _set(changed)), lock=lock)
        if removed:
            yield self._alter(compose("RESET ({})", joined(map(_option, removed))), lock=lock)

    def _row_security(self, *, enabled: bool, forced: bool) -> Iterable[Statement]:
        """Enable or disable row level security; `enabled` and `forced` are the old state."""
        if self.row_level_security != enabled:
            yield self._switch_row_security("ENABLE", "DISABLE", on=self.row_level_security)
        if self.force_row_level_security != forced:
            yield self._switch_row_security("FORCE", "NO FORCE", on=self.force_row_level_security)

    def _switch_row_security(self, enable: str, disable: str, *, on: bool) -> Statement:
        action = compose("{} ROW LEVEL SECURITY", raw(enable if on else disable))
        if on:
            return self._alter(action)
        reason = f"row level security of {self.ref.identity} goes"
        return self._alter(action, Hazard(hazard=HazardKind.WEAKENS_SECURITY, reason=reason))

    def pins_column_type(self, column: Object) -> bool:
        pattern = rf'(?<![\w"]){re.escape(text(name(column.ref.name)))}(?![\w"])'
        return (
            self.partition_by is not None
            and isinstance(column, InlinePart)
            and re.search(pattern, self.partition_by) is not None
        )

    # -- replica identity and CLUSTER ------------------------------------------------------------

    def define_deferred(self, old: Self | None, context: PlanningContext) -> Iterable[Statement]:
        identity = self.replica_identity.removeprefix(USING)
        # without `old`, CREATE TABLE is followed by the replica identities other than an index
        if self.replica_identity != (old.replica_identity if old else identity):
            uses_index = self.replica_identity.startswith(USING)
            value = compose("USING INDEX {}", identity) if uses_index else raw(identity.upper())
            yield self._alter(compose("REPLICA IDENTITY {}", value))
        if self.cluster_on != (old.cluster_on if old else None):
            yield self._cluster()

    def _cluster(self) -> Statement:
        if self.cluster_on is None:
            return self._alter(raw("SET WITHOUT CLUSTER"))
        return self._alter(compose("CLUSTER ON {}", self.cluster_on), lock="SHARE UPDATE EXCLUSIVE")

    def remove_deferred(self, context: PlanningContext) -> Iterable[Statement]:
        """Stop using indexes; the first statement undoes all."""
        identity = "default" if self._identity_index else self.replica_identity
        fields = {"cluster_on": None, "replica_identity": identity}
        without_indexes = self.model_copy(update=fields)
        undo = tuple(s.sql for s in self.define_deferred(without_indexes, context))
        for statement in without_indexes.define_deferred(self, context):
            yield statement.model_copy(update={"undo": undo})
            undo = ()

    @property
    def _identity_index(self) -> str | None:
        uses_index = self.replica_identity.startswith(USING)
        return self.replica_identity.removeprefix(USING) if uses_index else None

    def deferred_needs(self) -> frozenset[Ref]:
        return self._index_refs(self._identity_index) | self._index_refs(self.cluster_on)

    def deferred_on(self, needed: Set[Ref]) -> Self:
        fields: dict[str, object] = {}
        if not self._index_refs(self._identity_index) & needed:
            fields["replica_identity"] = "default"
        if not self._index_refs(self.cluster_on) & needed:
            fields["cluster_on"] = None
        return self.model_copy(update=fields)

    def _index_refs(self, index: str | None) -> frozenset[Ref]:
        """Return the refs that an index of the table, or of a constraint, may have."""
        kinds = ("index", "constraint") if index is not None else ()
        return frozenset(Ref(kind, self.ref.schema, index or "", self.ref) for kind in kinds)


def _set(options: Mapping[str, str]) -> sql.Composable:
    return joined(compose("{} = {}", _option(k), sql.Literal(v)) for k, v in options.items())


def _option(key: str) -> sql.Composable:
    return name(*key.split("."))
