"""Fragments of catalog queries that every kind's query shares; constants and column names only, never foreign text."""

from __future__ import annotations

from reconciler.model.reserved_names import JOURNAL, JOURNAL_COMMENT

# SQL for the names of schemas that are nobody's to manage; in a list of them `IN` asks once a query
NOT_MANAGED = f"""
    SELECT 'information_schema' UNION ALL SELECT '{JOURNAL}' UNION ALL
    SELECT jn.nspname FROM pg_class AS jc JOIN pg_namespace AS jn ON jn.oid = jc.relnamespace
    WHERE jc.relname = 'run' AND obj_description(jc.oid, 'pg_class') = '{JOURNAL_COMMENT}'"""
# SQL for an oid of a row of pg_seclabel, `l`, which has none
LABEL_OID = (
    "hashtextextended(format('%s %s %s %s', l.provider, l.classoid, l.objoid, l.objsubid), 0)"
)


# which kind a relation is of, as `on_kind` of what lives on it; `c` is its pg_class row
RELATION_KIND = "CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized_view' WHEN 'f' THEN 'foreign_table' ELSE 'table' END"


# when triggers and rules fire → the words of ALTER … for it
FIRING_CLAUSES = {
    "origin": "ENABLE",
    "disabled": "DISABLE",
    "replica": "ENABLE REPLICA",
    "always": "ENABLE ALWAYS",
}


def firing_mode(column: str) -> str:
    """SQL for that, of a catalog's column."""
    return f"CASE {column} WHEN 'D' THEN 'disabled' WHEN 'R' THEN 'replica' WHEN 'A' THEN 'always' ELSE 'origin' END"


def managed(catalog: str, oid: str, schema: str) -> str:
    """SQL that is true of what lies outside the system's schemas, our journal and every extension.

    `catalog` is the object's catalog, `oid` and `schema` are column names.
    """
    return f"""(
        {schema} NOT LIKE 'pg\\_%' AND {schema} NOT IN ({NOT_MANAGED})
        AND NOT EXISTS (
            SELECT FROM pg_depend AS e
            WHERE e.classid = '{catalog}'::regclass AND e.objid = {oid} AND e.deptype = 'e'))"""


def address(catalog: str, oid: str, part: str = "0") -> str:
    """SQL for one pg_depend address."""
    return f"ARRAY['{catalog}'::regclass::oid::int8, {oid}::int8, {part}::int8]"


def settable_options(options: str) -> str:
    """SQL for those of a column's `attoptions` that people can set: 15.20 keeps a stamp of its own among them."""
    return f"(SELECT array_agg(o ORDER BY i) FROM unnest({options}) WITH ORDINALITY AS u(o, i) WHERE o NOT LIKE 'pg\\_attver=%')"


def query_columns(relation: str) -> str:
    """SQL for the columns that a query makes: ARRAY[name, type, collation, the type's storage] each; `relation` is a pg_class oid."""
    return f"""ARRAY(
        SELECT ARRAY[a.attname::text, format_type(a.atttypid, a.atttypmod),
                     coalesce(nullif(a.attcollation, 0)::regcollation::text, ''),
                     CASE t.typstorage WHEN 'p' THEN 'plain' WHEN 'e' THEN 'external'
                          WHEN 'm' THEN 'main' ELSE 'extended' END]
        FROM pg_attribute AS a JOIN pg_type AS t ON t.oid = a.atttypid
        WHERE a.attrelid = {relation} AND a.attnum > 0 ORDER BY a.attnum)"""


def object_grants(acl: str, letter: str, owner: str) -> str:
    """SQL for the `grants` of a row; an owner that holds what a new object gives it is left out.

    `acl` and `owner` are column names, `letter` is acldefault()'s
    (https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-ACLITEM).
    """
    usual = f"acldefault('{letter}', {owner})"
    return acl_grants(f"coalesce({acl}, {usual})", usual, usual, owner)


def acl_grants(acl: str, usual: str, everything: str, owner: str) -> str:
    """SQL for role → privileges of an ACL, as reconciler.privileges spells them.

    The owner is left out where it holds what it does in `usual`; what it holds in `everything` is called `all`.
    """

    def exploded(acl: str) -> str:
        return f"aclexplode(CASE WHEN cardinality({acl}) > 0 THEN {acl} END)"  # it refuses what has no dimension

    def own(acl: str) -> str:
        return f"ARRAY(SELECT o.privilege_type FROM {exploded(acl)} AS o WHERE o.grantee = {owner} ORDER BY 1)"

    return f"""(
        SELECT coalesce(jsonb_object_agg(l.role, l.privileges), '{{}}')
        FROM (
            SELECT CASE g.grantee WHEN 0 THEN 'public'
                        ELSE pg_get_userbyid(g.grantee)::text END AS role,
                   jsonb_agg(spelled.word || CASE WHEN g.is_grantable THEN ' with grant option'
                                                  ELSE '' END
                             || CASE WHEN g.grantor = {owner} THEN '' ELSE ' granted by '
                                     || pg_get_userbyid(g.grantor) END
                             ORDER BY g.grantor = {owner} DESC, pg_get_userbyid(g.grantor),
                             spelled.word) AS privileges
            FROM (
                SELECT a.grantee, a.grantor, a.is_grantable,
                       array_agg(a.privilege_type ORDER BY a.privilege_type) AS types
                FROM (SELECT x.grantee, x.grantor, x.privilege_type,
                             bool_or(x.is_grantable) AS is_grantable
                      FROM {exploded(acl)} AS x GROUP BY 1, 2, 3) AS a
                GROUP BY a.grantee, a.grantor, a.is_grantable) AS g
            CROSS JOIN LATERAL (
                SELECT unnest(CASE WHEN cardinality(g.types) > 1 AND g.types = {own(everything)}
                                   THEN ARRAY['all'] ELSE lower(g.types::text)::text[] END) AS word) AS spelled
            WHERE NOT (g.grantee = {owner} AND g.grantor = {owner} AND NOT g.is_grantable
                       AND g.types = {own(usual)})
            GROUP BY g.grantee
            UNION ALL
            SELECT pg_get_userbyid({owner})::text, '[]'
            WHERE NOT EXISTS (SELECT FROM {exploded(acl)} AS x WHERE x.grantee = {owner})
                  AND EXISTS (SELECT FROM {exploded(usual)} AS x
                              WHERE x.grantee = {owner})) AS l)"""
