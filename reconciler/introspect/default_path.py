"""Read the search_path that the server gives to the current role."""

from __future__ import annotations

from reconciler.model.default_path import DefaultPath
from reconciler.server.connection import Connection, rows
from reconciler.server.parameters import SEARCH_PATH

# Within a transaction: PostgreSQL evaluates the columns one after another.
_SCHEMAS = """
    SELECT set_config('search_path', reset_val, true),
           ARRAY(SELECT s::text FROM unnest(current_schemas(false)) AS s
                 WHERE s !~ '^pg_(toast_)?temp') AS schemas,
           set_config('search_path', %s, true)
    FROM pg_settings WHERE name = 'search_path'"""
_CREATORS = """
    SELECT n.nspname::text AS schema,
           array_agg(DISTINCT coalesce(r.rolname::text, 'PUBLIC')) AS roles
    FROM pg_namespace AS n CROSS JOIN LATERAL aclexplode(n.nspacl) AS a
    LEFT JOIN pg_roles AS r ON r.oid = a.grantee
    WHERE n.nspname = ANY (%s) AND a.privilege_type = 'CREATE' AND a.grantee <> n.nspowner
          AND r.rolname IS DISTINCT FROM current_user AND r.rolsuper IS NOT TRUE
    GROUP BY n.nspname"""
_NAMES = """
    SELECT DISTINCT lower(x.name::text) AS name
    FROM pg_namespace AS n
    CROSS JOIN LATERAL (
        SELECT relname FROM pg_class WHERE relnamespace = n.oid AND relkind NOT IN ('i', 'I', 't')
        UNION ALL SELECT proname FROM pg_proc WHERE pronamespace = n.oid
        UNION ALL SELECT typname FROM pg_type WHERE typnamespace = n.oid AND typelem = 0
        UNION ALL SELECT oprname FROM pg_operator WHERE oprnamespace = n.oid
        UNION ALL SELECT collname FROM pg_collation WHERE collnamespace = n.oid
        UNION ALL SELECT cfgname FROM pg_ts_config WHERE cfgnamespace = n.oid
        UNION ALL SELECT dictname FROM pg_ts_dict WHERE dictnamespace = n.oid) AS x (name)
    WHERE n.nspname = ANY (%s) AND n.nspname <> 'pg_catalog'"""


def default_path(connection: Connection) -> DefaultPath:
    """Return the schemas of the role's search_path, and what they hold.

    Needs an open transaction. Sets search_path to SEARCH_PATH in the transaction.
    """
    schemas: list[str] = rows(connection, _SCHEMAS, [SEARCH_PATH])[0]["schemas"]
    return DefaultPath(
        schemas=tuple(schemas),
        names=frozenset(r["name"] for r in rows(connection, _NAMES, [schemas])),
        creators={r["schema"]: r["roles"] for r in rows(connection, _CREATORS, [schemas])},
    )
