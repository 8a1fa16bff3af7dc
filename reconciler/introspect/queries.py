"""Catalog queries about all objects at once; each kind has another query.

OIDs below 16384 belong to objects that initdb creates.
"""

from __future__ import annotations

from reconciler.kinds import KINDS
from reconciler.model.catalog_sql import LABEL_OID, acl_grants
from reconciler.server.parameters import KEPT

COMMENTS = """
    SELECT classoid::int8, objoid::int8, objsubid::int8, description
    FROM pg_description WHERE objoid >= 16384 OR classoid = 'pg_namespace'::regclass"""

EXTENSION_MEMBERS = """
    SELECT classid::int8, objid::int8, refclassid::int8, refobjid::int8
    FROM pg_depend WHERE deptype = 'e' AND refclassid = 'pg_extension'::regclass"""

# https://www.postgresql.org/docs/current/catalog-pg-depend.html; security labels are not in there
DEPENDENCIES = f"""
    SELECT classid::int8, objid::int8, objsubid::int8,
           refclassid::int8, refobjid::int8, refobjsubid::int8
    FROM pg_depend
    WHERE objid >= 16384 AND refobjid >= 16384 AND deptype IN ('n', 'a', 'i', 'P', 'S')
    UNION ALL
    SELECT 'pg_seclabel'::regclass::oid::int8, {LABEL_OID}, 0,
           l.classoid::int8, l.objoid::int8, l.objsubid::int8
    FROM pg_seclabel AS l WHERE l.objoid >= 16384"""

PARTITION_INDEXES = """
    SELECT h.inhparent::int8 AS parent, h.inhrelid::int8 AS oid, n.nspname AS schema,
           t.relname AS name, x.relname AS index_name,
           x.relkind = 'i' AS leaf, i.indisvalid AS valid
    FROM pg_inherits AS h
    JOIN pg_index AS i ON i.indexrelid = h.inhrelid
    JOIN pg_class AS x ON x.oid = i.indexrelid
    JOIN pg_class AS t ON t.oid = i.indrelid
    JOIN pg_namespace AS n ON n.oid = t.relnamespace"""

DETACHING_PARTITIONS = """
    SELECT n.nspname AS schema, c.relname AS name
    FROM pg_inherits AS h JOIN pg_class AS c ON c.oid = h.inhrelid
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE h.inhdetachpending"""

LOCAL_AND_INHERITED_NOT_NULL = """
    SELECT pn.nspname AS parent_schema, p.relname AS parent, a.attname AS attribute,
           n.nspname AS schema, c.relname AS name
    FROM pg_constraint AS k
    JOIN pg_class AS c ON c.oid = k.conrelid
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
    JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = k.conkey[1],
    pg_partition_ancestors(c.oid) AS of
    JOIN pg_class AS p ON p.oid = of.relid
    JOIN pg_namespace AS pn ON pn.oid = p.relnamespace
    WHERE k.contype = 'n' AND k.conislocal AND k.coninhcount > 0
          AND c.relispartition AND p.oid <> c.oid
    ORDER BY n.nspname, c.relname"""

# All relations; `of` is the table of an index that is a partition of another index.
RELATION_NAMES = """
    SELECT n.nspname AS schema, c.relname AS name,
           CASE WHEN c.relispartition THEN coalesce(t.relname, '') ELSE '' END AS of
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    LEFT JOIN pg_index AS i ON i.indexrelid = c.oid
    LEFT JOIN pg_class AS t ON t.oid = i.indrelid
    WHERE n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'"""

Source = tuple[str, str]  # oid column and own rows of a kind
CHILDREN: Source = ("pg_inherits.inhrelid", "")
DEFAULT_PRIVILEGES: Source = ("pg_default_acl.oid", "")
SOURCES: list[Source] = sorted(
    {(k.oid_column, k.own_rows) for k in KINDS.values() if k.oid_column}
    | {CHILDREN, DEFAULT_PRIVILEGES}
)


def _is_empty(number: int, source: Source) -> str:
    (catalog, column), rows = source[0].split("."), source[1] and f" AND ({source[1]})"
    return f"""
    SELECT {number} AS number
    WHERE NOT EXISTS (SELECT FROM {catalog} AS x WHERE x.{column}::oid >= 16384{rows})"""


# The numbers of the sources without objects of users: their kinds need not be queried. Planning a
# query costs more than running it on a small database.
EMPTY_SOURCES = " UNION ALL ".join(_is_empty(*numbered) for numbered in enumerate(SOURCES))

_INITIAL = acl_grants(
    "coalesce(g.defaclacl, d.builtin) || s.defaclacl", "d.builtin", "d.builtin", "d.role"
)
# What ALTER DEFAULT PRIVILEGES lets roles do with new objects of a role; null: the current user.
INITIAL_GRANTS = f"""
    SELECT d.letter, coalesce(n.nspname, '') AS namespace,
           {_INITIAL} AS grants
    FROM (SELECT DISTINCT defaclrole AS role, defaclobjtype AS letter, defaclnamespace AS namespace,
                 acldefault(CASE defaclobjtype WHEN 'S' THEN 's' ELSE defaclobjtype END, defaclrole)
                     AS builtin
          FROM pg_default_acl
          WHERE pg_get_userbyid(defaclrole) = coalesce(%s::text, current_user)) AS d
    LEFT JOIN pg_default_acl AS g
           ON g.defaclrole = d.role AND g.defaclobjtype = d.letter AND g.defaclnamespace = 0
    LEFT JOIN pg_default_acl AS s
           ON s.defaclrole = d.role AND s.defaclobjtype = d.letter
              AND s.defaclnamespace = d.namespace AND d.namespace <> 0
    LEFT JOIN pg_namespace AS n ON n.oid = d.namespace"""

# Classes of GRANT, with the letter of their default privileges:
# https://www.postgresql.org/docs/current/catalog-pg-default-acl.html
DEFAULT_ACL_LETTERS = {
    "TABLE": "r",
    "SEQUENCE": "S",
    "FUNCTION": "f",
    "PROCEDURE": "f",
    "ROUTINE": "f",
    "TYPE": "T",
    "DOMAIN": "T",
    "SCHEMA": "n",
}

# `kept` are parameters that the role, the database or the connection string sets.
SERVER_FACTS = f"""
    SELECT current_user::text AS user, current_database()::text AS database,
           (SELECT system_identifier::text FROM pg_control_system()) AS system,
           pg_is_in_recovery() AS standby,
           ARRAY(SELECT spcname::text FROM pg_tablespace WHERE spcname !~ '^pg_') AS tablespaces,
           (SELECT s.spcname::text
            FROM pg_database AS d JOIN pg_tablespace AS s ON s.oid = d.dattablespace
            WHERE d.datname = current_database()) AS tablespace,
           ARRAY(SELECT rolname::text FROM pg_roles) AS roles,
           ARRAY(SELECT nspname::text FROM pg_namespace) AS schemas,
           ARRAY(SELECT extname::text FROM pg_extension WHERE extname <> 'plpgsql') AS extensions,
           ARRAY(SELECT name::text FROM pg_available_extensions) AS available,
           ARRAY(SELECT name || ' = ' || setting FROM pg_settings
                 WHERE name IN ({", ".join(f"'{name}'" for name in KEPT)}) AND source IN
                     ('global', 'database', 'user', 'database user', 'client')
                 UNION ALL
                 SELECT 'role = ' || current_user WHERE current_user <> session_user
                 ORDER BY 1) AS kept"""
