"""Ask the target for the true sizes of relations, without waiting for locks."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from reconciler.errors import StatementFailed
from reconciler.model.facts import Size
from reconciler.model.inheritance import is_default_partition, parents_of
from reconciler.model.ref import Ref
from reconciler.model.state import State
from reconciler.server.connection import Connection, Row, rows
from reconciler.server.short_read import short_read

# Seconds. A size needs a lock with which only ACCESS EXCLUSIVE conflicts.
TIME_FOR_ALL = 5.0

# The leaf partitions of a partitioned table are counted as the table. Rows are estimated by the
# density at the last VACUUM or ANALYZE, as the planner does: relpages may be long out of date. Only
# a relation without a page counts as empty.
_SIZES = """
    SELECT w.schema, w.name,
           coalesce(sum(s.bytes), 0)::int8 AS bytes,
           CASE WHEN bool_and(s.rows IS NOT NULL) THEN sum(s.rows)::int8 ELSE -1 END AS rows
    FROM unnest(%(schemas)s::text[], %(names)s::text[]) AS w(schema, name)
    JOIN pg_catalog.pg_namespace AS n ON n.nspname = w.schema
    JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid AND c.relname = w.name,
    LATERAL (SELECT c.oid WHERE c.relkind IN ('r', 'm')
             UNION ALL
             SELECT t.relid FROM pg_catalog.pg_partition_tree(c.oid) AS t
             WHERE c.relkind = 'p' AND t.isleaf) AS leaf(oid)
    JOIN pg_catalog.pg_class AS l ON l.oid = leaf.oid AND l.relkind IN ('r', 'm'),
    LATERAL (SELECT pg_catalog.pg_relation_size(l.oid) AS heap) AS h,
    LATERAL (SELECT pg_catalog.pg_total_relation_size(l.oid) AS bytes,
                    CASE WHEN h.heap = 0 THEN 0
                         WHEN l.relpages > 0 AND l.reltuples >= 0
                         THEN greatest(1, round(l.reltuples / l.relpages * h.heap
                                                / current_setting('block_size')::int8))
                    END AS rows) AS s
    GROUP BY w.schema, w.name"""


def touched_relations(compared: State, whole: State) -> list[Ref]:
    """Return the compared relations, and default partitions of compared tables.

    PostgreSQL reads a default partition when its table gets another partition.
    """
    default_partitions = (
        ref
        for ref, obj in whole.objects.items()
        if is_default_partition(obj) and any(p in compared for p in parents_of(obj))
    )
    compared_relations = [ref for ref, obj in compared.objects.items() if obj.relation]
    return [*dict.fromkeys([*compared_relations, *default_partitions])]


def read_sizes(connection: Connection, names: Mapping[Ref, Ref]) -> dict[Ref, Size]:
    """Return the sizes of relations with indexes and TOAST.

    `names` maps each relation to the ref under which the target has it. A relation that stays
    locked, or is not reached within TIME_FOR_ALL, is left out.
    """
    by_name = {(was.schema, was.name): ref for ref, was in names.items()}
    found: dict[Ref, Size] = {}
    deadline = time.monotonic() + TIME_FOR_ALL
    pending = [[*by_name]] if by_name else []
    while pending and time.monotonic() < deadline:
        some = pending.pop()
        try:
            asked = _ask(connection, some)
        except StatementFailed:  # a relation is locked, or dropped just now: ask in halves
            middle = len(some) // 2
            pending += [half for half in (some[:middle], some[middle:]) if middle and half]
        else:
            sizes = {(r["schema"], r["name"]): Size(r["rows"], r["bytes"]) for r in asked}
            found |= {by_name[name]: size for name, size in sizes.items()}
    return found


def _ask(connection: Connection, names: Sequence[tuple[str, str]]) -> list[Row]:
    """Ask for the sizes of relations in a short transaction; raises StatementFailed."""
    with short_read(connection, TIME_FOR_ALL):
        values: dict[str, object] = {
            "schemas": [schema for schema, _ in names],
            "names": [name for _, name in names],
        }
        return rows(connection, _SIZES, values)
