"""Read constraints: https://www.postgresql.org/docs/current/catalog-pg-constraint.html"""

from __future__ import annotations

from reconciler.model.catalog_sql import RELATION_KIND, address, managed
from reconciler.model.reserved_names import (
    BOUND_CHECK_PREFIX,
    NOT_NULL_CHECK_PREFIX,
    UNVALIDATED_COMMENT,
)
from reconciler.server.capabilities import Server

_OUR_CHECKS = " OR ".join(
    f"starts_with(k.conname, '{prefix}')" for prefix in (NOT_NULL_CHECK_PREFIX, BOUND_CHECK_PREFIX)
)
_ACTION = (
    "CASE {} WHEN 'a' THEN 'no action' WHEN 'r' THEN 'restrict' WHEN 'c' THEN 'cascade'"
    " WHEN 'n' THEN 'set null' ELSE 'set default' END"
)
_COLUMNS = """ARRAY(SELECT (SELECT a.attname FROM pg_attribute AS a
                           WHERE a.attrelid = {1} AND a.attnum = u.n)
                    FROM unnest({0}) WITH ORDINALITY AS u(n, o) ORDER BY o)"""
_FROM = """
            FROM pg_constraint AS k
            JOIN pg_class AS c ON c.oid = k.conrelid
            JOIN pg_namespace AS n ON n.oid = c.relnamespace
            LEFT JOIN pg_class AS fc ON fc.oid = k.confrelid
            LEFT JOIN pg_namespace AS fn ON fn.oid = fc.relnamespace
            LEFT JOIN pg_class AS x ON x.oid = k.conindid AND k.contype IN ('p', 'u', 'x')
            LEFT JOIN pg_index AS i ON i.indexrelid = x.oid"""


def query(server: Server) -> str:
    """Return the catalog query of constraints that are not inherited.

    Leftovers are a NOT NULL that was not validated, the checks that prove NOT NULL or a bound, and
    a key that waits for its partitions' indexes.
    """
    index = "CASE WHEN k.contype IN ('p', 'u', 'x') THEN k.conindid ELSE 0 END"
    enforced = "k.conenforced" if server.has_temporal_keys else "true"
    not_null = (
        " OR k.contype = 'n' AND NOT k.convalidated" if server.has_not_null_constraints else ""
    )
    return f"""
            SELECT n.nspname AS schema, k.conname AS name,
                   {RELATION_KIND} AS on_kind, c.relname AS on_name,
                   ARRAY[{address("pg_constraint", "k.oid")}, {address("pg_class", index)}]
                   AS addresses,
                   starts_with(obj_description(k.oid, 'pg_constraint'),
                               '{UNVALIDATED_COMMENT}') AS owed,
                   k.contype = 'n' OR ({_OUR_CHECKS}) AND k.contype = 'c'
                   OR x.relkind = 'I' AND NOT i.indisvalid AS leftover,
                   x.relkind = 'I' AS sound,
                   CASE k.contype WHEN 'c' THEN pg_get_expr(k.conbin, k.conrelid)
                                  WHEN 'n' THEN pg_get_constraintdef(k.oid) END AS check,
                   k.contype = 'c' AND k.connoinherit AS no_inherit,
                   CASE k.contype WHEN 'x' THEN pg_get_constraintdef(k.oid) END AS exclude,
                   {_key_fields(server)}, {_foreign_key_fields(server)},
                   CASE WHEN k.condeferred THEN 'deferred' WHEN k.condeferrable THEN 'immediate' END
                   AS deferrable,
                   NOT {enforced} AS not_enforced, NOT k.convalidated AND {enforced} AS not_valid,
                   c.relkind = 'p' AS partitioned
            {_FROM}
            WHERE c.relkind IN ('r', 'p', 'f')
                  AND (k.contype IN ('c', 'u', 'p', 'f', 'x'){not_null})
                  AND k.conislocal AND k.conparentid = 0
                  AND {managed("pg_class", "c.oid", "n.nspname")}
            ORDER BY n.nspname, c.relname,
                     array_position('{{p,u,x,c,f}}', k.contype::text), k.conname"""


def _key_fields(server: Server) -> str:
    """Return the expressions for the columns and the index of a key."""
    columns = _COLUMNS.format("k.conkey", "k.conrelid")
    distinct = "false"
    if server.has_nulls_not_distinct:
        distinct = "coalesce(i.indnullsnotdistinct, false)"
    return f"""
                   CASE k.contype WHEN 'u' THEN {columns} END AS unique,
                   CASE k.contype WHEN 'p' THEN {columns} END AS primary_key,
                   {distinct} AS nulls_not_distinct,
                   ARRAY(SELECT a.attname
                         FROM generate_series(i.indnkeyatts, i.indnatts - 1) AS s
                         JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = i.indkey[s]
                         WHERE k.contype IN ('p', 'u') ORDER BY s) AS include,
                   x.reloptions AS options, obj_description(x.oid, 'pg_class') AS index_comment,
                   (SELECT s.spcname FROM pg_tablespace AS s
                    WHERE s.oid = x.reltablespace) AS tablespace"""


def _foreign_key_fields(server: Server) -> str:
    """Return the expressions for the referenced table and the actions of a foreign key."""
    columns = _COLUMNS.format("k.conkey", "k.conrelid")
    referenced = _COLUMNS.format("k.confkey", "k.confrelid")
    set_null = "'{}'::text[]"
    if server.has_set_null_columns:
        set_null = _COLUMNS.format("k.confdelsetcols", "k.conrelid")
    period = "k.conperiod" if server.has_temporal_keys else "false"
    return f"""
                   CASE k.contype WHEN 'f' THEN {columns} END AS foreign_key,
                   CASE k.contype WHEN 'f' THEN format('%I.%I', fn.nspname, fc.relname) END
                   AS referenced, {referenced} AS referenced_columns, {period} AS period,
                   {_ACTION.format("k.confdeltype")} AS on_delete,
                   {_ACTION.format("k.confupdtype")} AS on_update,
                   {set_null} AS on_delete_columns,
                   CASE k.confmatchtype WHEN 'f' THEN 'full' ELSE 'simple' END AS match"""
