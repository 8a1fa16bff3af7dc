"""Build fragments of catalog queries.

The fragments consist of constants and column names only, never of text from a file or a database.
"""

from __future__ import annotations

from reconciler.model.reserved_names import JOURNAL, JOURNAL_COMMENT

# SQL for the names of schemas that are never managed; `NOT IN (…)` evaluates the query once
NOT_MANAGED = f"""
    SELECT 'information_schema' UNION ALL SELECT '{JOURNAL}' UNION ALL
    SELECT jn.nspname FROM pg_class AS jc JOIN pg_namespace AS jn ON jn.oid = jc.relnamespace
    WHERE jc.relname = 'run' AND obj_description(jc.oid, 'pg_class') = '{JOURNAL_COMMENT}'"""
# SQL for a number that identifies a row of pg_seclabel, `l`, which has no oid
LABEL_OID = (
    "hashtextextended(format('%s %s %s %s', l.provider, l.classoid, l.objoid, l.objsubid), 0)"
)

# SQL for the kind of a relation, for `on_kind` of an object on the relation; `c` is a pg_class row
RELATION_KIND = (
    "CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized_view'"
    " WHEN 'f' THEN 'foreign_table' ELSE 'table' END"
)

# SQL for the types of a routine's input arguments, which identify it; `p` is a pg_proc row
ARGUMENT_TYPES = """array_to_string(ARRAY(
    SELECT format_type(t, NULL) FROM unnest(p.proargtypes) WITH ORDINALITY AS u(t, o) ORDER BY o),
    ', ')"""

# when a trigger or rule fires → the clause of ALTER TABLE
FIRING_CLAUSES = {
    "origin": "ENABLE",
    "disabled": "DISABLE",
    "replica": "ENABLE REPLICA",
    "always": "ENABLE ALWAYS",
}


def firing_mode(column: str) -> str:
    """Return SQL for the key of FIRING_CLAUSES; `column` is tgenabled or the like."""
    return (
        f"CASE {column} WHEN 'D' THEN 'disabled' WHEN 'R' THEN 'replica'"
        " WHEN 'A' THEN 'always' ELSE 'origin' END"
    )


def managed(catalog: str, oid: str, schema: str) -> str:
    """Return a condition for objects outside system schemas, the journal and extensions.

    `catalog` is the object's catalog, `oid` and `schema` are column names.
    """
    return f"({is_managed_schema(schema)} AND {is_no_member(catalog, oid)})"


def is_managed_schema(schema: str) -> str:
    """Return a condition for schemas outside the system and the journal; `schema` is a column."""
    return f"{schema} NOT LIKE 'pg\\_%' AND {schema} NOT IN ({NOT_MANAGED})"


def is_no_member(catalog: str, oid: str) -> str:
    """Return a condition for objects of a catalog outside extensions; `oid` is a column."""
    return f"""{oid} NOT IN (
            SELECT e.objid FROM pg_depend AS e
            WHERE e.refclassid = 'pg_extension'::regclass AND e.deptype = 'e'
                  AND e.classid = '{catalog}'::regclass)"""


def outside_system(namespace: str) -> str:
    """Return a condition for rows outside system schemas; `namespace` is a column of oids."""
    return f"{namespace}::regnamespace::text NOT LIKE 'pg\\_%'"


def address(catalog: str, oid: str, part: str = "0") -> str:
    """Return SQL for an address as in pg_depend: catalog, oid and column number."""
    return f"ARRAY['{catalog}'::regclass::oid::int8, {oid}::int8, {part}::int8]"


def settable_options(options: str) -> str:
    """Return SQL for the user-settable options in `attoptions`.

    Since 15.20, PostgreSQL stores a version in `attoptions` as well.
    """
    return (
        f"CASE WHEN {options} IS NOT NULL THEN (SELECT array_agg(o ORDER BY i)"
        f" FROM unnest({options}) WITH ORDINALITY AS u(o, i) WHERE o NOT LIKE 'pg\\_attver=%') END"
    )


def query_columns(relation: str) -> str:
    """Return SQL for the columns of a view; `relation` is an oid of pg_class.

    Each column is ARRAY[name, type, collation, storage of the type].
    """
    return f"""ARRAY(
        SELECT ARRAY[a.attname::text, format_type(a.atttypid, a.atttypmod),
                     coalesce(nullif(a.attcollation, 0)::regcollation::text, ''),
                     CASE t.typstorage WHEN 'p' THEN 'plain' WHEN 'e' THEN 'external'
                          WHEN 'm' THEN 'main' ELSE 'extended' END]
        FROM pg_attribute AS a JOIN pg_type AS t ON t.oid = a.atttypid
        WHERE a.attrelid = {relation} AND a.attnum > 0 ORDER BY a.attnum)"""


# letters of acldefault() whose default is that the owner alone has privileges
_OF_OWNER_ALONE = frozenset("rsnFS")


def object_grants(acl: str, letter: str, owner: str) -> str:
    """Return SQL for `grants`, without an owner with exactly the default privileges.

    `acl` and `owner` are column names, `letter` is acldefault()'s
    (https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-ACLITEM).
    """
    default = f"acldefault('{letter}', {owner})"
    grants = acl_grants(f"coalesce({acl}, {default})", default, default, owner)
    if letter in _OF_OWNER_ALONE:
        return f"CASE WHEN {acl} IS NULL THEN '{{}}'::jsonb ELSE {grants} END"
    return grants


def acl_grants(acl: str, default: str, owner_acl: str, owner: str) -> str:
    """Return SQL for role → privileges of an ACL, spelled as in reconciler.model.privileges.

    The owner is left out if the privileges equal those in the ACL `default`; the privileges of the
    owner in the ACL `owner_acl` are called `all`.
    """

    def exploded(acl: str) -> str:
        # aclexplode() refuses an empty array
        return f"aclexplode(CASE WHEN cardinality({acl}) > 0 THEN {acl} END)"

    def of_owner(acl: str) -> str:
        return (
            f"ARRAY(SELECT o.privilege_type FROM {exploded(acl)} AS o"
            f" WHERE o.grantee = {owner} ORDER BY 1)"
        )

    option = "CASE WHEN g.is_grantable THEN ' with grant option' ELSE '' END"
    grantor = f"""CASE WHEN g.grantor = {owner} THEN ''
                       ELSE ' granted by ' || pg_get_userbyid(g.grantor) END"""
    return f"""(
        SELECT coalesce(jsonb_object_agg(l.role, l.privileges), '{{}}')
        FROM (
            SELECT CASE g.grantee WHEN 0 THEN 'public'
                        ELSE pg_get_userbyid(g.grantee)::text END AS role,
                   jsonb_agg(spelled.privilege || {option} || {grantor}
                             ORDER BY g.grantor = {owner} DESC, pg_get_userbyid(g.grantor),
                                      spelled.privilege) AS privileges
            FROM (
                SELECT a.grantee, a.grantor, a.is_grantable,
                       array_agg(a.privilege_type ORDER BY a.privilege_type) AS types
                FROM (SELECT x.grantee, x.grantor, x.privilege_type,
                             bool_or(x.is_grantable) AS is_grantable
                      FROM {exploded(acl)} AS x GROUP BY 1, 2, 3) AS a
                GROUP BY a.grantee, a.grantor, a.is_grantable) AS g
            CROSS JOIN LATERAL (
                SELECT unnest(CASE WHEN cardinality(g.types) > 1 AND g.types = {of_owner(owner_acl)}
                                   THEN ARRAY['all']
                                   ELSE lower(g.types::text)::text[] END) AS privilege) AS spelled
            WHERE NOT (g.grantee = {owner} AND g.grantor = {owner} AND NOT g.is_grantable
                       AND g.types = {of_owner(default)})
            GROUP BY g.grantee
            UNION ALL
            SELECT pg_get_userbyid({owner})::text, '[]'
            WHERE NOT EXISTS (SELECT FROM {exploded(acl)} AS x WHERE x.grantee = {owner})
                  AND EXISTS (SELECT FROM {exploded(default)} AS x
                              WHERE x.grantee = {owner})) AS l)"""


def index_builder(index: str, table: str) -> str:
    """Return SQL for the pid of another session that builds an index, else null.

    `index` and `table` are SQL for oids. The lock tells the builder where our role may not see
    which index a session builds, and where REINDEX builds several, one after the other.
    https://www.postgresql.org/docs/current/progress-reporting.html#CREATE-INDEX-PROGRESS-REPORTING
    """
    return f"""(
        SELECT min(p.pid) FROM pg_stat_progress_create_index AS p
        WHERE p.datname = current_database() AND p.pid <> pg_backend_pid()
              AND coalesce(p.index_relid = {index} OR starts_with(p.command, 'REINDEX'), true)
              AND EXISTS (SELECT FROM pg_locks AS l
                          WHERE l.pid = p.pid AND l.granted AND l.relation = {table}
                                AND l.mode = 'ShareUpdateExclusiveLock'))"""
