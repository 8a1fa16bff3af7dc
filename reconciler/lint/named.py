"""Name objects as refs by PostgreSQL's own names, without reading the database into a state."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from reconciler.model.catalog_sql import ARGUMENT_TYPES, RELATION_KIND
from reconciler.model.ref import Ref
from reconciler.server.connection import Connection, rows

Address = tuple[int, int, int]  # pg_depend's classid, objid, objsubid

# The index of a constraint is the constraint's. The type is PostgreSQL's, `materialized view` for
# one, or `table column` for a part of a relation, whose names begin with those of the relation. An
# index stands on a table that its names leave out.
_NAMES = f"""
    SELECT a.class::int8, a.oid::int8, a.part, i.type, i.object_names AS names,
           {RELATION_KIND} AS on_kind, n.nspname::text AS on_schema, c.relname::text AS on_name,
           CASE WHEN p.oid IS NOT NULL THEN {ARGUMENT_TYPES} END AS arguments
    FROM unnest(%s::oid[], %s::oid[], %s::int4[]) AS a(class, oid, part)
    LEFT JOIN pg_index AS x ON a.class = 'pg_class'::regclass AND a.part = 0
         AND x.indexrelid = a.oid
    LEFT JOIN pg_constraint AS k ON k.oid = CASE
         WHEN a.class = 'pg_constraint'::regclass THEN a.oid
         WHEN x.indisunique OR x.indisexclusion THEN (
              SELECT o.oid FROM pg_constraint AS o
              WHERE o.conindid = x.indexrelid AND o.conrelid = x.indrelid
                    AND o.contype IN ('p', 'u', 'x')) END
    LEFT JOIN pg_policy AS y ON a.class = 'pg_policy'::regclass AND y.oid = a.oid
    LEFT JOIN pg_proc AS p ON a.class = 'pg_proc'::regclass AND p.oid = a.oid
    LEFT JOIN pg_class AS c ON c.oid = coalesce(
         x.indrelid, k.conrelid, y.polrelid,
         CASE WHEN a.class = 'pg_class'::regclass AND a.part > 0 THEN a.oid END)
    LEFT JOIN pg_namespace AS n ON n.oid = c.relnamespace
    CROSS JOIN LATERAL pg_identify_object_as_address(
         CASE WHEN k.oid IS NULL THEN a.class ELSE 'pg_constraint'::regclass END,
         coalesce(k.oid, a.oid), a.part) AS i
    WHERE i.type IS NOT NULL"""


def refs_of(connection: Connection, addresses: Collection[Address]) -> Mapping[Address, Ref]:
    """Return the refs of relations, columns, constraints, policies, routines and extensions."""
    columns = [[a[part] for a in addresses] for part in range(3)]
    found: dict[Address, Ref] = {}
    for row in rows(connection, _NAMES, columns):
        *schema, own = row["names"]
        words = row["type"].split(" ")
        if row["on_name"] is None:
            ref = Ref("_".join(words), "".join(schema), own, None, row["arguments"])
        else:
            table = Ref(row["on_kind"], row["on_schema"], row["on_name"])
            ref = Ref(words[-1], table.schema, own, table)
        found[row["class"], row["oid"], row["part"]] = ref
    return found
