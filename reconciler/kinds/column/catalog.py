"""Read columns: https://www.postgresql.org/docs/current/catalog-pg-attribute.html

In the query a is the column (pg_attribute), c its table, n the schema, t the type, d the
default, p the column of the first parent if the column is inherited only, k the NOT NULL
constraint, i the sequence, w the fill trigger.
"""

from __future__ import annotations

from reconciler.model.catalog_sql import (
    RELATION_KIND,
    acl_grants,
    address,
    managed,
    object_grants,
    settable_options,
)
from reconciler.model.foreign_options import readable_options
from reconciler.model.reserved_names import (
    UNFILLED_COMMENT,
    is_fill_trigger,
    is_shadow_column,
    is_shadow_trigger,
)
from reconciler.model.sequence_options import COLUMNS
from reconciler.server.capabilities import Server

_UNFILLED = f"""(c.oid, a.attnum) IN (
                   SELECT objoid, objsubid FROM pg_description
                   WHERE classoid = 'pg_class'::regclass
                         AND starts_with(description, '{UNFILLED_COMMENT}'))"""
_CHILDREN = """WITH RECURSIVE children (parent, child) AS (
            SELECT inhparent, inhrelid FROM pg_inherits
            UNION SELECT e.parent, h.inhrelid
            FROM children AS e JOIN pg_inherits AS h ON h.inhparent = e.child)"""
_INHERITED_ADDRESSES = f"""CASE WHEN c.relhassubclass THEN
                   ARRAY(SELECT {address("pg_class", "x.attrelid", "x.attnum")}
                         FROM children AS e
                         JOIN pg_attribute AS x ON x.attrelid = e.child AND x.attname = a.attname
                         WHERE e.parent = c.oid AND NOT x.attislocal AND a.attislocal
                               AND NOT EXISTS (SELECT FROM pg_partitioned_table AS q
                                               WHERE q.partrelid = e.child)) ELSE '{{}}' END"""
# Usually there are none: the triggers of all tables are sought once, and not for each column.
_OUR_TRIGGERS = f"""our_triggers AS MATERIALIZED (
            SELECT t.oid AS trigger_oid, f.oid AS function_oid, t.tgrelid, t.tgparentid,
                   t.tgname, t.tgenabled, f.proname, f.prosrc, f.pronamespace,
                   {is_fill_trigger("t", "f")} AS fills, {is_shadow_trigger("t", "f")} AS shadows
            FROM pg_trigger AS t JOIN pg_proc AS f ON f.oid = t.tgfoid
            WHERE {is_fill_trigger("t", "f")} OR {is_shadow_trigger("t", "f")})"""
_FILL_TRIGGER = """
        SELECT t.trigger_oid, t.function_oid, jsonb_build_object(
                   'trigger', t.tgname, 'function', t.proname,
                   'source', CASE t.tgenabled WHEN 'O' THEN t.prosrc ELSE '' END) AS fill_trigger
        FROM our_triggers AS t
        JOIN pg_depend AS g ON g.classid = 'pg_trigger'::regclass AND g.objid = t.trigger_oid
                               AND g.refclassid = 'pg_class'::regclass AND g.refobjid = c.oid
                               AND g.refobjsubid = a.attnum
        WHERE t.tgrelid = c.oid AND t.pronamespace = c.relnamespace AND t.tgparentid = 0 AND t.fills
        UNION ALL
        SELECT t.trigger_oid, t.function_oid, jsonb_build_object(
                   'trigger', t.tgname, 'function', t.proname,
                   'source', CASE t.tgenabled WHEN 'A' THEN t.prosrc ELSE '' END)
        FROM our_triggers AS t
        WHERE t.tgrelid = c.oid AND t.pronamespace = c.relnamespace AND t.proname = a.attname
              AND t.shadows LIMIT 1"""
_PARENT_COLUMN = """
            SELECT x.*, pg_get_expr(y.adbin, y.adrelid) AS expression
            FROM pg_inherits AS h
            JOIN pg_attribute AS x ON x.attrelid = h.inhparent AND x.attname = a.attname
                                      AND x.attnum > 0 AND NOT x.attisdropped
            LEFT JOIN pg_attrdef AS y ON y.adrelid = x.attrelid AND y.adnum = x.attnum
            WHERE h.inhrelid = c.oid AND NOT a.attislocal ORDER BY h.inhseqno LIMIT 1"""
# A NOT NULL that equals the parent's, by name too, belongs to the parent.
_NOT_NULL_CONSTRAINT = """
        LEFT JOIN pg_constraint AS k
            ON k.conrelid = c.oid AND k.contype = 'n' AND k.conkey[1] = a.attnum
               AND NOT (k.coninhcount > 0 AND (c.relispartition OR NOT k.conislocal) AND EXISTS (
                   SELECT FROM pg_inherits AS h JOIN pg_constraint AS y ON y.conrelid = h.inhparent
                   WHERE h.inhrelid = c.oid AND y.contype = 'n' AND y.conname = k.conname
                         AND NOT y.connoinherit))"""


def query(server: Server) -> str:
    """Return the catalog query of columns, except child tables' columns equal to the parent's.

    What depends on a column left out depends on the parent's: `addresses` holds both.
    """
    named = server.has_not_null_constraints
    not_null = (
        "k.oid IS NOT NULL" if named else "a.attnotnull AND (a.attislocal OR NOT p.attnotnull)"
    )
    return f"""
        {_CHILDREN}, {_OUR_TRIGGERS}
        SELECT {RELATION_KIND} AS on_kind, n.nspname AS schema, c.relname AS on_name,
               a.attname AS name,
               ARRAY[{address("pg_class", "c.oid", "a.attnum")},
                     {address("pg_attrdef", "coalesce(d.oid, 0)")},
                     {address("pg_class", "coalesce(i.oid, 0)")},
                     {address("pg_trigger", "coalesce(w.trigger_oid, 0)")},
                     {address("pg_proc", "coalesce(w.function_oid, 0)")}]
                   || {_INHERITED_ADDRESSES} AS addresses,
               {is_shadow_column("a.attname")} AS leftover, true AS sound, {_UNFILLED} AS owed,
               CASE WHEN a.attislocal THEN format_type(a.atttypid, a.atttypmod) ELSE '' END AS type,
               a.attinhcount > 0 AS inherited, i.identity, w.fill_trigger,
               {not_null} AS not_null, {_not_null_fields(server)} AS not_null_constraint,
               {_expression_fields()},
               {_storage_fields()},
               t.typtype = 'd' AND (t.typnotnull OR EXISTS (
                   SELECT FROM pg_constraint AS o WHERE o.contypid = t.oid)) AS constrained,
               {_grants()} AS grants
        FROM pg_attribute AS a
        JOIN pg_class AS c ON c.oid = a.attrelid
        JOIN pg_namespace AS n ON n.oid = c.relnamespace
        JOIN pg_type AS t ON t.oid = a.atttypid
        LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
        {_NOT_NULL_CONSTRAINT if named else ""}
        LEFT JOIN LATERAL ({_sequence(server)}) AS i ON true
        LEFT JOIN LATERAL ({_FILL_TRIGGER}) AS w ON true
        LEFT JOIN LATERAL ({_PARENT_COLUMN}) AS p ON true
        WHERE c.relkind IN ('r', 'p', 'f') AND a.attnum > 0 AND NOT a.attisdropped
              AND {managed("pg_class", "c.oid", "n.nspname")}
              AND (a.attislocal OR {not_null} OR a.attacl IS NOT NULL
                   OR pg_get_expr(d.adbin, d.adrelid) IS DISTINCT FROM p.expression
                   OR a.attstorage <> p.attstorage OR a.attcompression <> p.attcompression
                   OR coalesce(a.attstattarget, -1) <> -1
                   OR {settable_options("a.attoptions")} IS NOT NULL OR a.attfdwoptions IS NOT NULL
                   OR col_description(c.oid, a.attnum) IS NOT NULL)
        ORDER BY n.nspname, c.relname, a.attnum"""


def _not_null_fields(server: Server) -> str:
    if not server.has_not_null_constraints:
        return "NULL::jsonb"
    return """CASE WHEN k.oid IS NOT NULL THEN jsonb_build_object(
                   'name', k.conname, 'no_inherit', k.connoinherit, 'not_valid', NOT k.convalidated,
                   'comment', obj_description(k.oid, 'pg_constraint')) END"""


def _grants() -> str:
    none = "'{}'::aclitem[]"
    grants = acl_grants("a.attacl", none, none, "c.relowner")
    return f"CASE WHEN a.attacl IS NOT NULL THEN {grants} END"


def _expression_fields() -> str:
    """Return the expressions for default and generation; a dropped inherited default is NULL."""
    return """
               CASE WHEN a.attgenerated <> '' THEN NULL
                    WHEN d.oid IS NULL AND p.expression IS NOT NULL THEN 'NULL'
                    ELSE pg_get_expr(d.adbin, d.adrelid) END AS default,
               CASE WHEN a.attgenerated <> '' THEN pg_get_expr(d.adbin, d.adrelid) END AS generated,
               a.attgenerated = 'v' AS virtual,
               coalesce(d.adbin::text LIKE '%funcid %' AND EXISTS (
                   SELECT FROM regexp_matches(
                       d.adbin::text, ':(?:func|opfunc)id ([0-9]+)', 'g') AS m
                   JOIN pg_proc AS f ON f.oid = m[1]::oid WHERE f.provolatile = 'v'), false)
               AS volatile"""


def _storage_fields() -> str:
    """Return the expressions for collation, storage and statistics."""
    return f"""
               CASE WHEN a.attcollation <> t.typcollation
                    THEN (SELECT ARRAY[m.nspname, l.collname] FROM pg_collation AS l
                          JOIN pg_namespace AS m ON m.oid = l.collnamespace
                          WHERE l.oid = a.attcollation) END AS collation,
               CASE WHEN a.attstorage <> t.typstorage
                    THEN CASE a.attstorage WHEN 'p' THEN 'plain' WHEN 'e' THEN 'external'
                                           WHEN 'm' THEN 'main' ELSE 'extended' END END AS storage,
               CASE a.attcompression WHEN 'p' THEN 'pglz' WHEN 'l' THEN 'lz4' END AS compression,
               nullif(a.attstattarget, -1) AS statistics,
               {settable_options("a.attoptions")} AS attribute_options,
               {readable_options("a.attfdwoptions")} AS options"""


def _sequence(server: Server) -> str:
    """Return the query of an identity column's sequence."""
    unlogged = "NULL"
    if server.has_unlogged_sequences:
        unlogged = """CASE WHEN s.relpersistence <> c.relpersistence
                           THEN s.relpersistence = 'u' END"""
    options = ", ".join(f"'{key}', {value}" for key, value in COLUMNS.items())
    return f"""
        SELECT s.oid, jsonb_build_object(
                   'generated', CASE a.attidentity WHEN 'a' THEN 'always' ELSE 'by default' END,
                   'sequence', s.relname, {options}, 'unlogged', {unlogged},
                   'grants', {object_grants("s.relacl", "s", "s.relowner")},
                   'comment', obj_description(s.oid, 'pg_class')) AS identity
        FROM pg_depend AS e
        JOIN pg_class AS s ON s.oid = e.objid AND s.relkind = 'S'
        JOIN pg_sequence AS q ON q.seqrelid = s.oid
        WHERE e.classid = 'pg_class'::regclass AND e.refclassid = 'pg_class'::regclass
              AND e.refobjid = c.oid AND e.refobjsubid = a.attnum AND e.deptype = 'i'
              AND a.attidentity <> '' LIMIT 1"""
