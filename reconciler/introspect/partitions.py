"""Read partition indexes and other relations between partitions and parents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from reconciler.introspect.queries import (
    DETACHING_PARTITIONS,
    LOCAL_AND_INHERITED_NOT_NULL,
    PARTITION_INDEXES,
)
from reconciler.kinds import KINDS
from reconciler.model.facts import PartitionCopies, PartitionCopy
from reconciler.model.inheritance import Inheritable, Inheriting
from reconciler.model.object import Object
from reconciler.model.partitioned import PartitionedObject
from reconciler.model.ref import Ref
from reconciler.model.state import State
from reconciler.server.connection import Connection, Row, rows

Address = tuple[int, int, int]  # pg_depend's classid, objid, objsubid


def partition_copies(connection: Connection, addresses: Mapping[Address, Ref]) -> PartitionCopies:
    """Return the partition indexes of each index and constraint on a partitioned table."""
    refs = {a[1]: r for a, r in addresses.items() if issubclass(KINDS[r.kind], PartitionedObject)}
    indexes: dict[int, Row] = {row["oid"]: row for row in rows(connection, PARTITION_INDEXES)}
    copies: dict[Ref, dict[Ref, PartitionCopy]] = {}
    for row in indexes.values():
        ancestry = [*_ancestry(row, indexes)]
        root = refs.get(ancestry[-1]["parent"])
        if root is None or root.on is None:
            continue
        kind = root.on.kind
        tables = [*(Ref(kind, r["schema"], r["name"]) for r in ancestry), root.on]
        copies.setdefault(root, {})[tables[0]] = PartitionCopy(
            row["index_name"], tables[1], len(ancestry), row["leaf"], row["valid"]
        )
    return copies


def _ancestry(index: Row, indexes: Mapping[int, Row]) -> Iterator[Row]:
    """Yield the index and the partition indexes above, from the bottom up."""
    row: Row | None = index
    while row is not None:
        yield row
        row = indexes.get(row["parent"])


def with_partition_names(
    objects: Mapping[Ref, Object], copies: PartitionCopies
) -> dict[Ref, Object]:
    """Return the objects with partition copies, with the copies' chosen names."""
    return {
        ref: obj.with_partition_names({table: c.name for table, c in copies[ref].items()})
        for ref, obj in objects.items()
        if ref in copies and isinstance(obj, PartitionedObject)
    }


def finalize_detaching(
    connection: Connection, objects: dict[Ref, Object], copies: PartitionCopies
) -> set[Ref]:
    """Replace partitions with a pending DETACH by independent tables; return the refs.

    https://www.postgresql.org/docs/current/sql-altertable.html#SQL-ALTERTABLE-DETACH-PARTITION
    """
    tables = relations_by_name(objects)
    names = ((row["schema"], row["name"]) for row in rows(connection, DETACHING_PARTITIONS))
    detaching = {tables[name] for name in names if name in tables}
    for table in detaching:
        for ref, obj in on_its_own(State(objects), table, copies).items():
            objects.setdefault(ref, obj)
        obj = objects[table]
        objects[table] = obj.without_parents() if isinstance(obj, Inheriting) else obj
    return detaching


def on_its_own(state: State, table: Ref, copies: PartitionCopies) -> dict[Ref, Object]:
    """Return the inherited objects of a table in the form after leaving all parents."""
    names = {
        obj.inherited_by(table).ref: tables[table].name
        for ref, tables in copies.items()
        if table in tables and isinstance(obj := state.get(ref), Inheritable)
    }
    own: dict[Ref, Object] = {}
    for inherited_ref, obj in state.inherited(table).items():
        ref = inherited_ref._replace(name=names.get(inherited_ref, inherited_ref.name))
        values: dict[str, object] = {"ref": ref}
        if "inherited" in type(obj).derived():
            values["inherited"] = False
        own[ref] = obj.model_copy(update=values)
    return own


def local_and_inherited_not_null(
    connection: Connection, objects: Mapping[Ref, Object]
) -> dict[tuple[Ref, str], list[Ref]]:
    """Map a partitioned table's column to the partitions with a local NOT NULL."""
    tables = relations_by_name(objects)
    partitions: dict[tuple[Ref, str], list[Ref]] = {}
    for row in rows(connection, LOCAL_AND_INHERITED_NOT_NULL):
        parent = tables.get((row["parent_schema"], row["parent"]))
        partition = tables.get((row["schema"], row["name"]))
        if parent and partition:
            partitions.setdefault((parent, row["attribute"]), []).append(partition)
    return partitions


def relations_by_name(objects: Mapping[Ref, Object]) -> dict[tuple[str, str], Ref]:
    """Map schema and name to tables, views, indexes and sequences."""
    return {(r.schema, r.name): r for r, o in objects.items() if o.relation}


# A bound by hash names the parent's OID, and an expression in the key may call any function.
_BOUNDS = """
    SELECT n.nspname AS schema, c.relname AS name,
           pg_catalog.pg_get_partition_constraintdef(c.oid) AS bound,
           ARRAY(SELECT a.attname::text FROM pg_catalog.unnest(p.partattrs::int2[]) AS k(number)
                 JOIN pg_catalog.pg_attribute AS a
                      ON a.attrelid = h.inhparent AND a.attnum = k.number) AS key
    FROM unnest(%(schemas)s::text[], %(names)s::text[]) AS w(schema, name)
    JOIN pg_catalog.pg_namespace AS n ON n.nspname = w.schema
    JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid AND c.relname = w.name
    JOIN pg_catalog.pg_inherits AS h ON h.inhrelid = c.oid
    JOIN pg_catalog.pg_partitioned_table AS p ON p.partrelid = h.inhparent
    JOIN pg_catalog.pg_class AS up ON up.oid = h.inhparent
    WHERE c.relispartition AND NOT up.relispartition
          AND p.partstrat <> 'h' AND p.partexprs IS NULL"""


def partition_bounds(
    connection: Connection, tables: Sequence[Ref]
) -> dict[Ref, tuple[tuple[str, ...], str]]:
    """Return the bounds of partitions as conditions on the columns of the partition key."""
    by_name = {(t.schema, t.name): t for t in tables}
    values: dict[str, object] = {
        "schemas": [t.schema for t in tables],
        "names": [t.name for t in tables],
    }
    return {
        by_name[row["schema"], row["name"]]: (tuple(row["key"]), row["bound"])
        for row in (rows(connection, _BOUNDS, values) if tables else ())
        if row["bound"]
    }
