"""Read the sizes of a database's tables, and the statistics of their columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from reconciler.server.connection import Connection, rows

# reltuples of a partitioned table is that of its partitions together, once it was analysed; leaves
# are counted here, so that it needs no analysis of its own.
_TABLES = """
    SELECT c.oid::bigint AS oid, s.nspname::text AS schema, c.relname::text AS name,
           CASE WHEN c.relkind = 'r' THEN greatest(c.reltuples, 0)
                ELSE (SELECT coalesce(sum(greatest(l.reltuples, 0)), 0)
                      FROM pg_partition_tree(c.oid) AS p JOIN pg_class AS l ON l.oid = p.relid
                      WHERE p.isleaf) END::bigint AS rows
    FROM pg_class AS c JOIN pg_namespace AS s ON s.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence <> 't'
          AND s.nspname NOT IN ('pg_catalog', 'information_schema') AND s.nspname !~ '^pg_toast'
          AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.classid = 'pg_class'::regclass
                          AND d.objid = c.oid AND d.deptype = 'e')
    ORDER BY 2, 3"""
_COLUMNS = """
    SELECT a.attrelid::bigint AS oid, a.attname::text AS name,
           format_type(a.atttypid, a.atttypmod) AS type,
           coalesce(nullif(t.typbasetype, 0), t.oid)::regtype::text AS base,
           a.attnotnull AS not_null, a.atthasdef AND a.attgenerated = '' AS has_default,
           coalesce(g.null_frac, 0)::float8 AS null_fraction,
           coalesce(g.n_distinct, 0)::float8 AS distinct_values,
           coalesce(g.avg_width, 8) AS width,
           coalesce(g.most_common_vals::text::text[], '{}') AS common,
           ARRAY(SELECT f / (1 - g.null_frac) FROM unnest(g.most_common_freqs) AS f)::float8[]
               AS frequencies,
           coalesce(g.histogram_bounds::text::text[], '{}') AS bounds,
           (SELECT array_agg(e.enumlabel::text ORDER BY e.enumsortorder)
            FROM pg_enum AS e WHERE e.enumtypid = a.atttypid) AS labels
    FROM pg_attribute AS a
    JOIN pg_class AS c ON c.oid = a.attrelid
    JOIN pg_namespace AS s ON s.oid = c.relnamespace
    JOIN pg_type AS t ON t.oid = a.atttypid
    LEFT JOIN LATERAL (
        SELECT * FROM pg_stats AS g
        WHERE g.schemaname = s.nspname AND g.tablename = c.relname AND g.attname = a.attname
        ORDER BY g.inherited DESC LIMIT 1) AS g ON true
    WHERE a.attrelid = ANY (%s::oid[]) AND a.attnum > 0 AND NOT a.attisdropped
          AND a.attgenerated = ''
    ORDER BY 1, a.attnum"""
_KEYS = """
    SELECT k.conrelid::bigint AS oid, k.contype = 'f' AS is_foreign,
           k.confrelid::bigint AS referenced,
           ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY AS u(number, place)
                 JOIN pg_attribute AS a ON a.attrelid = k.conrelid AND a.attnum = u.number
                 ORDER BY u.place) AS names,
           ARRAY(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY AS u(number, place)
                 JOIN pg_attribute AS a ON a.attrelid = k.confrelid AND a.attnum = u.number
                 ORDER BY u.place) AS referenced_columns
    FROM pg_constraint AS k
    WHERE k.contype IN ('p', 'u', 'f') AND k.conrelid = ANY (%s::oid[]) AND k.conparentid = 0
    ORDER BY k.contype = 'p' DESC, k.conname"""

_CHECKS = """
    SELECT k.conrelid::bigint AS oid, pg_get_expr(k.conbin, k.conrelid) AS condition,
           ARRAY(SELECT a.attname::text FROM pg_attribute AS a
                 WHERE a.attrelid = k.conrelid AND a.attnum = ANY (k.conkey)) AS names
    FROM pg_constraint AS k
    WHERE k.contype = 'c' AND k.conrelid = ANY (%s::oid[])
    ORDER BY 1, k.conname"""


@dataclass(frozen=True)
class ColumnStatistics:
    """A column with what pg_stats tells of its values, as text.

    `distinct_values` is n_distinct: negative for a part of the rows. `frequencies` are those of
    `common` among the values that are not null. `labels` are those of an enum.
    https://www.postgresql.org/docs/current/view-pg-stats.html
    """

    name: str
    type: str
    base: str
    not_null: bool
    has_default: bool
    null_fraction: float
    distinct_values: float
    width: int
    common: Sequence[str]
    frequencies: Sequence[float]
    bounds: Sequence[str]
    labels: Sequence[str] | None


@dataclass(frozen=True)
class ForeignKey:
    """A foreign key: columns, and the oid and the columns of the referenced table."""

    columns: Sequence[str]
    referenced: int
    referenced_columns: Sequence[str]


@dataclass(frozen=True)
class CheckCondition:
    """The condition of a CHECK constraint as SQL, and the columns in it."""

    condition: str
    columns: Sequence[str]


@dataclass(frozen=True)
class TableStatistics:
    """A table with the number of rows; `unique` are the columns with single-column keys."""

    schema: str
    name: str
    rows: int
    columns: Mapping[str, ColumnStatistics]
    unique: frozenset[str] = frozenset()
    foreign_keys: Sequence[ForeignKey] = field(default=())
    checks: Sequence[CheckCondition] = field(default=())


def read_statistics(connection: Connection) -> dict[int, TableStatistics]:
    """Read all tables but partitions and extensions' own, by oid.

    A role sees the statistics of the tables that it may read. Raises StatementFailed.
    """
    tables = {row.pop("oid"): row for row in rows(connection, _TABLES)}
    oids = [[*tables]]
    columns: dict[int, dict[str, ColumnStatistics]] = {oid: {} for oid in tables}
    for row in rows(connection, _COLUMNS, oids):
        oid = row.pop("oid")
        columns[oid][row["name"]] = ColumnStatistics(**row)
    unique: dict[int, set[str]] = {oid: set() for oid in tables}
    foreign: dict[int, list[ForeignKey]] = {oid: [] for oid in tables}
    for row in rows(connection, _KEYS, oids):
        oid = row["oid"]
        if not row["is_foreign"]:
            unique[oid] |= set(row["names"]) if len(row["names"]) == 1 else set()
        elif row["referenced"] in tables:
            key = ForeignKey(row["names"], row["referenced"], row["referenced_columns"])
            foreign[oid].append(key)
    checks: dict[int, list[CheckCondition]] = {oid: [] for oid in tables}
    for row in rows(connection, _CHECKS, oids):
        checks[row["oid"]].append(CheckCondition(row["condition"], row["names"]))
    return {
        oid: TableStatistics(
            **table,
            columns=columns[oid],
            unique=frozenset(unique[oid]),
            foreign_keys=foreign[oid],
            checks=checks[oid],
        )
        for oid, table in tables.items()
    }
