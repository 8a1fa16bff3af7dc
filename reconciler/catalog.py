"""Fragments of catalog queries that every kind's query shares; constants and column names only, never foreign text."""

from __future__ import annotations

JOURNAL = "reconcile"  # the schema that holds our record of runs: no kind sees it


# which kind a relation is of, as `on_kind` of what lives on it; `c` is its pg_class row
RELATION_KIND = "CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized_view' WHEN 'f' THEN 'foreign_table' ELSE 'table' END"


def ours(catalog: str, oid: str, schema: str) -> str:
    """SQL that is true of what lies outside the system's schemas, our journal and every extension.

    `catalog` is the object's catalog, `oid` and `schema` are column names.
    """
    return f"""(
        {schema} NOT LIKE 'pg\\_%' AND {schema} NOT IN ('information_schema', '{JOURNAL}')
        AND NOT EXISTS (
            SELECT FROM pg_depend AS e
            WHERE e.classid = '{catalog}'::regclass AND e.objid = {oid} AND e.deptype = 'e'))"""


def address(catalog: str, oid: str, part: str = "0") -> str:
    """SQL for one pg_depend address."""
    return f"ARRAY['{catalog}'::regclass::oid::int8, {oid}::int8, {part}::int8]"


def granted(acl: str, letter: str, owner: str) -> str:
    """SQL for the `grants` of a row: role → privileges, without the owner's own.

    `acl` and `owner` are column names, `letter` is acldefault()'s
    (https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-ACLITEM).
    """
    return f"""(
        SELECT coalesce(jsonb_object_agg(grantee, privileges), '{{}}')
        FROM (
            SELECT CASE a.grantee WHEN 0 THEN 'public' ELSE pg_get_userbyid(a.grantee)::text END AS grantee,
                   jsonb_agg(lower(a.privilege_type) || CASE WHEN a.is_grantable THEN ' with grant option' ELSE '' END
                             ORDER BY a.privilege_type) AS privileges
            FROM aclexplode(coalesce({acl}, acldefault('{letter}', {owner}))) AS a
            WHERE a.grantee <> {owner}
            GROUP BY a.grantee) AS g)"""
