"""Query what rules must know of a database beside the state, a query for each kind of fact."""

from __future__ import annotations

from reconciler.model.catalog_sql import is_managed_schema, is_no_member, managed
from reconciler.server.capabilities import Server


def _grants(acl: str, letter: str, owner: str) -> str:
    """Return SQL for direct privileges, as `role=privilege`; the role of PUBLIC is ""."""
    return f"""ARRAY(
        SELECT CASE a.grantee WHEN 0 THEN '' ELSE pg_get_userbyid(a.grantee)::text END
               || '=' || lower(a.privilege_type)
        FROM aclexplode(coalesce({acl}, acldefault('{letter}', {owner}))) AS a
        WHERE a.grantee <> {owner})"""


# As `managed`, but for a planner that knows nothing of the schemas: relations are read once, and
# joined by hash.
_RELATION = f"""c.relnamespace = ANY (ARRAY(SELECT m.oid FROM pg_namespace AS m
                                            WHERE {is_managed_schema("m.nspname")}))
          AND {is_no_member("pg_class", "c.oid")}"""
_OF_RELATION = "JOIN pg_namespace AS n ON n.oid = c.relnamespace"
# a constraint, replication or CLUSTER needs an index
_NEEDED = """(i.indexrelid IN (SELECT k.conindid FROM pg_constraint AS k)
              OR i.indisreplident OR i.indisclustered)"""

_NULLS_ARE_EQUAL = "i.indnullsnotdistinct"  # since PostgreSQL 15

RELATIONS = f"""
    SELECT c.oid::int8 AS oid, n.nspname::text AS schema, c.relname::text AS name,
           c.relkind::text AS kind, c.relrowsecurity AS secured,
           c.relpersistence::text AS persistence, c.relispartition AS is_partition,
           coalesce(c.reloptions, '{{}}')::text[] AS options, c.reltype::int8 AS row_type,
           (SELECT d.partattrs::int2[]::int4[] FROM pg_partitioned_table AS d
            WHERE d.partrelid = c.oid) AS partition_keys,
           {_grants("c.relacl", "r", "c.relowner")} AS grants
    FROM pg_class AS c {_OF_RELATION}
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND {_RELATION}"""

# what the query of a view reads, by pg_depend
READ = """
    SELECT DISTINCT r.ev_class::int8 AS reader, d.refobjid::int8 AS relation
    FROM pg_depend AS d JOIN pg_rewrite AS r ON r.oid = d.objid
    WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass
          AND r.rulename = '_RETURN' AND d.refobjid <> r.ev_class AND r.oid >= 16384"""

# of views that may have GROUP BY, the parsed query
GROUPINGS = """
    SELECT r.ev_class::int8 AS view, r.ev_action::text AS query FROM pg_rewrite AS r
    WHERE r.rulename = '_RETURN' AND r.oid >= 16384
          AND strpos(r.ev_action::text, ':groupClause (') > 0"""

# columns whose type no ALTER TABLE changes: a view, policy, trigger, generated column, routine or
# publication depends on them, or they depend on their table, as columns of a partition key do
PINNED = """
    SELECT DISTINCT d.refobjid::int8 AS relation, d.refobjsubid::int4 AS number, false AS by_key
    FROM pg_depend AS d
    WHERE d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0 AND d.refobjid >= 16384
          AND (d.classid IN ('pg_rewrite'::regclass, 'pg_policy'::regclass, 'pg_proc'::regclass,
                             'pg_trigger'::regclass, 'pg_publication_rel'::regclass)
               OR d.classid = 'pg_attrdef'::regclass AND d.deptype = 'n')
    UNION ALL
    SELECT DISTINCT d.objid::int8, d.objsubid::int4, true
    FROM pg_depend AS d
    WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass
          AND d.objid = d.refobjid AND d.refobjsubid = 0 AND d.objid >= 16384
    ORDER BY by_key"""  # the last one counts

COLUMNS = f"""
    SELECT a.attrelid::int8 AS relation, a.attnum::int4 AS number, a.attname::text AS name,
           a.atttypid::int8 AS type, format_type(a.atttypid, a.atttypmod) AS type_name,
           a.attnotnull AS not_null,
           a.atthasdef OR a.attidentity <> '' AS has_default,
           CASE WHEN a.atttypid = 'jsonb'::regtype OR a.atttypid = 'json'::regtype
                THEN (SELECT pg_get_expr(d.adbin, d.adrelid) FROM pg_attrdef AS d
                      WHERE d.adrelid = a.attrelid AND d.adnum = a.attnum) END AS json_default
    FROM pg_attribute AS a
    JOIN pg_class AS c ON c.oid = a.attrelid
    WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'f') AND {_RELATION}"""

_INDEXES = f"""
    SELECT i.indexrelid::int8 AS oid, i.indrelid::int8 AS relation, x.relname::text AS name,
           i.indisunique AS is_unique, i.indisprimary AS is_primary,
           i.indisvalid AS is_valid, x.relam::int8 AS method,
           (i.indkey::int2[])[0:i.indnkeyatts - 1]::int4[] AS keys,
           (i.indkey::int2[])[i.indnkeyatts:]::int4[] AS included,
           i.indclass::oid[]::int8[] AS classes, i.indcollation::oid[]::int8[] AS collations,
           i.indoption::int2[]::int4[] AS options,
           NOT i.indclass::oid[] && ARRAY(SELECT o.oid FROM pg_opclass AS o
                                          WHERE NOT o.opcdefault) AS has_usual_classes,
           i.indexprs::text AS expressions, i.indpred::text AS predicate,
           pg_get_expr(i.indexprs, i.indrelid) AS shown_expressions,
           pg_get_expr(i.indpred, i.indrelid) AS shown_predicate,
           CASE WHEN i.indpred IS NULL AND i.indexprs IS NULL THEN ''
                ELSE pg_get_indexdef(i.indexrelid) END AS definition,
           CASE WHEN i.indexprs IS NULL THEN '{{}}'
                ELSE ARRAY(SELECT format_type(a.atttypid, a.atttypmod) FROM pg_attribute AS a
                           WHERE a.attrelid = i.indexrelid ORDER BY a.attnum) END AS types,
           {_NEEDED} AS is_needed, x.relispartition AS is_partition,
           i.indisreplident OR i.indisclustered AS is_chosen, i.indimmediate AS is_immediate,
           {_NULLS_ARE_EQUAL} AS nulls_are_equal
    FROM pg_index AS i
    JOIN pg_class AS x ON x.oid = i.indexrelid
    JOIN pg_class AS c ON c.oid = i.indrelid
    WHERE c.relkind IN ('r', 'p', 'm') AND {_RELATION}"""


def indexes(server: Server) -> str:
    """Return the query for the indexes on a server."""
    if server.has_nulls_not_distinct:
        return _INDEXES
    return _INDEXES.replace(_NULLS_ARE_EQUAL, "false")


CONSTRAINTS = f"""
    SELECT k.oid::int8 AS oid, k.conrelid::int8 AS relation, k.conname::text AS name,
           k.contype::text AS type, coalesce(k.conkey, '{{}}')::int4[] AS keys,
           k.confrelid::int8 AS referenced, coalesce(k.confkey, '{{}}')::int4[] AS referenced_keys,
           k.conbin::text AS condition, pg_get_expr(k.conbin, k.conrelid) AS shown,
           k.conparentid <> 0 OR k.coninhcount > 0 AS is_inherited, k.conindid::int8 AS index
    FROM pg_constraint AS k JOIN pg_class AS c ON c.oid = k.conrelid
    WHERE k.contype IN ('c', 'f', 'p', 'u') AND {_RELATION}"""

POLICIES = f"""
    SELECT p.oid::int8 AS oid, p.polrelid::int8 AS relation, p.polname::text AS name,
           p.polcmd::text AS command, p.polpermissive AS is_permissive,
           ARRAY(SELECT CASE r WHEN 0 THEN '' ELSE pg_get_userbyid(r)::text END
                 FROM unnest(p.polroles) AS r ORDER BY 1) AS roles,
           p.polqual::text AS visible, p.polwithcheck::text AS written,
           pg_get_expr(p.polqual, p.polrelid) AS shown_visible,
           pg_get_expr(p.polwithcheck, p.polrelid) AS shown_written
    FROM pg_policy AS p JOIN pg_class AS c ON c.oid = p.polrelid
    WHERE {_RELATION}"""

ROUTINES = f"""
    SELECT p.oid::int8 AS oid, n.nspname::text AS schema, p.proname::text AS name,
           pg_get_function_identity_arguments(p.oid) AS arguments, p.prokind::text AS kind,
           l.lanname::text AS language, p.prosecdef AS is_definer,
           coalesce(p.proconfig, '{{}}')::text[] AS settings, p.proretset AS returns_set,
           p.prorows::float8 AS rows, p.provolatile::text AS volatility,
           p.prorettype::int8 AS returns, p.proargtypes::oid[]::int8[] AS types,
           coalesce(p.proargnames, '{{}}')::text[] AS names, p.prosrc AS body,
           p.prosqlbody::text AS tree,
           p.proargmodes IS NULL OR p.proargmodes <@ '{{i}}' AS takes_only,
           {_grants("p.proacl", "f", "p.proowner")} AS grants
    FROM pg_proc AS p
    JOIN pg_namespace AS n ON n.oid = p.pronamespace
    JOIN pg_language AS l ON l.oid = p.prolang
    WHERE {managed("pg_proc", "p.oid", "n.nspname")}
    ORDER BY n.nspname, p.proname, 4"""

# of every function and operator that a parsed form names, those of the system included
CALLED = """
    SELECT p.oid::int8 AS oid, n.nspname::text AS schema, p.proname::text AS name,
           p.provolatile::text AS volatility, p.proleakproof AS is_leakproof,
           p.proparallel::text AS parallel, p.proisstrict AS is_strict,
           p.proretset AS returns_set, p.pronargs::int4 AS arguments
    FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
    WHERE p.oid = ANY (%s::oid[])"""

SEQUENCES = f"""
    SELECT c.oid::int8 AS oid, n.nspname::text AS schema, c.relname::text AS name,
           q.seqtypid::regtype::text AS type, q.seqmax AS greatest, q.seqincrement AS step,
           d.refobjid::int8 AS relation, d.refobjsubid::int4 AS number,
           a.atttypid::regtype::text AS column_type, q.seqcycle AS cycles
    FROM pg_sequence AS q
    JOIN pg_class AS c ON c.oid = q.seqrelid {_OF_RELATION}
    JOIN pg_depend AS d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid
         AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0
    JOIN pg_attribute AS a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
    WHERE {_RELATION} ORDER BY n.nspname, c.relname"""

EXTENSIONS = """
    SELECT e.oid::int8 AS oid, e.extname::text AS name, n.nspname::text AS schema,
           e.extrelocatable AS is_relocatable
    FROM pg_extension AS e JOIN pg_namespace AS n ON n.oid = e.extnamespace
    WHERE e.extname <> 'plpgsql' ORDER BY e.extname"""

FACTS = """
    SELECT ARRAY(SELECT rolname::text FROM pg_roles) AS roles,
           ARRAY(SELECT n.nspname || '=' || coalesce(r.rolname, '')
                 FROM pg_namespace AS n,
                      aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) AS a
                 LEFT JOIN pg_roles AS r ON r.oid = a.grantee
                 WHERE a.privilege_type = 'USAGE') AS usage"""

# Without those of PostgreSQL itself, and the superuser (10) that initdb makes
PRIVILEGED_ROLES = """
    SELECT r.oid::int8 AS oid, r.rolname::text AS name,
           array_remove(ARRAY[CASE WHEN r.rolsuper THEN 'superuser' END,
                              CASE WHEN r.rolbypassrls THEN 'bypassrls' END], NULL) AS attributes,
           r.rolcanlogin AS may_log_in,
           EXISTS (SELECT FROM pg_class AS c WHERE c.relowner = r.oid AND c.oid >= 16384)
               AS is_owner
    FROM pg_roles AS r
    WHERE r.oid <> 10 AND r.rolname NOT LIKE 'pg\\_%%'
          AND (r.rolsuper OR r.rolbypassrls OR r.rolname::text = ANY (%s::text[]))
    ORDER BY r.rolname"""

# -- what changes although no catalog does ---------------------------------------------------------

OBSERVED = """
    SELECT CASE WHEN pg_is_in_recovery() THEN 0 ELSE extract(epoch FROM now() - coalesce(
               (SELECT stats_reset FROM pg_stat_database WHERE datname = current_database()),
               pg_postmaster_start_time())) END::float8 AS observed"""

UNUSED = f"""
    SELECT i.indexrelid::int8 AS oid, format('%I.%I', n.nspname, x.relname) AS sql,
           pg_relation_size(i.indexrelid)::int8 AS bytes
    FROM pg_index AS i
    JOIN pg_class AS x ON x.oid = i.indexrelid
    JOIN pg_class AS c ON c.oid = i.indrelid {_OF_RELATION}
    WHERE c.relkind IN ('r', 'm') AND i.indisvalid AND NOT i.indisunique
          AND NOT x.relispartition AND NOT {_NEEDED}
          AND pg_stat_get_numscans(i.indexrelid) = 0 AND {_RELATION}
    ORDER BY n.nspname, x.relname"""

# larger than a megabyte, with the bytes of a row's columns from ANALYZE
SIZES = f"""
    SELECT c.oid::int8 AS oid, format('%I.%I', n.nspname, c.relname) AS sql,
           c.reltuples::float8 AS rows, c.relpages::int8 AS pages,
           (SELECT sum((1 - s.null_frac) * s.avg_width)::float8 FROM pg_stats AS s
            WHERE s.schemaname = n.nspname AND s.tablename = c.relname AND NOT s.inherited) AS width
    FROM pg_class AS c {_OF_RELATION}
    WHERE c.relkind IN ('r', 'p') AND c.relpages > 128 AND c.reltuples >= 0 AND {_RELATION}
    ORDER BY n.nspname, c.relname"""

LAST = """
    SELECT c.oid::int8 AS oid,
           CASE WHEN has_sequence_privilege(c.oid, 'SELECT, USAGE')
                THEN pg_sequence_last_value(c.oid)::int8 END AS last
    FROM pg_class AS c
    WHERE c.relkind = 'S' AND c.oid >= 16384 AND EXISTS (
        SELECT FROM pg_depend AS d
        WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('a', 'i')
              AND d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0)"""
