"""Find the tables with rows of a relation, and the key columns to walk along."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.apply.backfill.owner import Owner
from reconciler.model.statement import Fill
from reconciler.server.connection import Connection, rows, translated
from reconciler.sql import literal, name, text

# A relation and its child tables, as far as they hold rows. `moves`: the column is part of a
# partition key, so a new value may move the row to another partition.
PARTS = """
    WITH RECURSIVE tree (relation) AS (
        SELECT %(relation)s::regclass::oid
        UNION SELECT i.inhrelid FROM tree AS t JOIN pg_inherits AS i ON i.inhparent = t.relation)
    SELECT n.nspname AS namespace, c.relname AS name, c.oid::int8 AS oid, c.relkind::text AS sort,
           bool_or(EXISTS (
               SELECT FROM pg_partitioned_table AS p
               JOIN pg_attribute AS a ON a.attrelid = p.partrelid
               WHERE p.partrelid = c.oid AND a.attname = %(filled)s
                     AND (a.attnum = ANY (p.partattrs::int2[])
                          OR 0 = ANY (p.partattrs::int2[])))) OVER () AS moves
    FROM tree AS t JOIN pg_class AS c ON c.oid = t.relation
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
    ORDER BY c.oid"""
# The primary key, or else the narrowest unique B-tree index whose columns are NOT NULL and in
# default order, operator class and collation: ORDER BY and row comparison can use the index.
KEY = """
    SELECT a.attname::text AS name, format_type(a.atttypid, a.atttypmod) AS type
    FROM (SELECT i.indexrelid, i.indrelid, i.indkey::int2[] AS columns, i.indnkeyatts
          FROM pg_index AS i JOIN pg_class AS x ON x.oid = i.indexrelid
          JOIN pg_am AS m ON m.oid = x.relam AND m.amname = 'btree'
          WHERE i.indrelid = %(oid)s AND i.indisunique AND i.indisvalid
                AND i.indpred IS NULL AND i.indexprs IS NULL
                AND NOT EXISTS (
                    SELECT FROM generate_series(0, i.indnkeyatts - 1) AS o
                    JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[o]
                    JOIN pg_opclass AS p ON p.oid = i.indclass[o]
                    WHERE i.indoption[o] <> 0 OR NOT p.opcdefault
                          OR i.indcollation[o] <> a.attcollation OR NOT a.attnotnull
                          OR EXISTS (SELECT FROM pg_constraint AS k
                                     WHERE k.conrelid = i.indrelid AND k.contype = 'n'
                                           AND k.conkey[1] = a.attnum AND NOT k.convalidated))
          ORDER BY i.indisprimary DESC, i.indnkeyatts, i.indexrelid LIMIT 1) AS k
    CROSS JOIN unnest(k.columns) WITH ORDINALITY AS u(number, place)
    JOIN pg_attribute AS a ON a.attrelid = k.indrelid AND a.attnum = u.number
    WHERE u.place <= k.indnkeyatts ORDER BY u.place"""


@dataclass(frozen=True)
class Key:
    """The key columns of a walk, with data types; without columns, the key is ctid."""

    columns: tuple[str, ...] = ()
    types: tuple[str, ...] = ()

    @property
    def physical(self) -> bool:
        """Whether the key is ctid, the fallback for tables without a key."""
        return not self.columns

    def expressions(self) -> list[str]:
        """Return the key columns as SQL."""
        return [text(name(c)) for c in self.columns] or ["ctid"]

    def compare(self, operator: str, place: tuple[str, ...]) -> str:
        """Return a comparison of the key with values, by `>` or `<=`."""
        values = [
            f"{text(literal(v))}::{t}" for v, t in zip(place, self.types or ("tid",), strict=True)
        ]
        if len(values) == 1:
            return f"{self.expressions()[0]} {operator} {values[0]}"
        return f"ROW({', '.join(self.expressions())}) {operator} ROW({', '.join(values)})"


@dataclass(frozen=True)
class Part:
    """A table with rows: the relation itself, a partition or a child table.

    `whole`: fill the table by a single statement, as a foreign table or because new values move
    rows to other partitions.
    """

    relation: str
    key: Key
    whole: bool = False


def parts_of(connection: Connection, spec: Fill) -> list[Part]:
    """Return the tables with rows, in a reproducible order."""
    column = rows(connection, "SELECT parse_ident(%s) AS path", [spec.column])[0]["path"][0]
    found = rows(connection, PARTS, {"relation": spec.relation, "filled": column})
    if any(r["moves"] for r in found):
        return [Part(spec.relation, Key(), whole=True)]
    return [
        Part(
            text(name(r["namespace"], r["name"])),
            _key(connection, r["oid"]),
            whole=r["sort"] == "f",
        )
        for r in found
        if r["sort"] in ("r", "f")
    ]


def _key(connection: Connection, oid: int) -> Key:
    found = rows(connection, KEY, {"oid": oid})
    return Key(tuple(r["name"] for r in found), tuple(r["type"] for r in found))


def blocks_of(connection: Connection, part: Part) -> int:
    """Return the present number of blocks of the table."""
    size = "SELECT pg_relation_size(%s::regclass) / current_setting('block_size')::int8 AS blocks"
    return rows(connection, size, [part.relation])[0]["blocks"]


def last_of(owner: Owner, part: Part) -> tuple[str, ...] | None:
    """Return the highest key of the table at present, if any."""
    if part.whole or part.key.physical:
        return None
    columns = part.key.expressions()
    texts, order = ", ".join(f"{c}::text" for c in columns), ", ".join(f"{c} DESC" for c in columns)
    with translated(), owner.connection.transaction():
        found = owner.rows(
            f"SELECT ARRAY[{texts}] AS last FROM ONLY {part.relation} ORDER BY {order} LIMIT 1"
        )
    return tuple(found[0]["last"]) if found else None


def estimate(connection: Connection, spec: Fill) -> int:
    """Return the planner's estimate of the number of rows."""
    plan = rows(connection, f"EXPLAIN (FORMAT JSON) SELECT FROM {spec.relation}")[0]["QUERY PLAN"]
    return int(plan[0]["Plan"]["Plan Rows"])
