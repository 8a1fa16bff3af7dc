"""Query the objects of all catalogs, of known kinds or not.

The list of catalogs is PostgreSQL's, and a test compares it with the server's.
"""

from __future__ import annotations

from reconciler.model.catalog_sql import NOT_MANAGED

_TABLE_SCHEMA = "(SELECT c.relnamespace FROM pg_class AS c WHERE c.oid = {})"
_NOT_OF_EXTENSION_DOMAIN = """NOT EXISTS (
    SELECT FROM pg_depend AS e
    WHERE e.deptype = 'e' AND e.classid = 'pg_type'::regclass AND e.objid = contypid)"""
_NOT_ROW_TYPE = """NOT EXISTS (
    SELECT FROM pg_class AS c WHERE c.oid = typrelid AND c.relkind <> 'c')"""
# The conditions of catalogs that may have millions of rows. Of large objects it only matters
# whether some have privileges.
_BOUNDED = {
    "pg_largeobject_metadata": "oid IN (SELECT m.oid FROM pg_largeobject_metadata AS m"
    " WHERE m.lomacl IS NOT NULL LIMIT 100)"
}

# Catalogs of objects in their own right, with SQL for the schema's oid, and a condition that
# excludes rows which are parts of other objects.
CATALOGS = {
    "pg_class": ("relnamespace", "relkind NOT IN ('t', 'c')"),
    "pg_type": ("typnamespace", f"(typtype <> 'p' OR NOT typisdefined) AND {_NOT_ROW_TYPE}"),
    "pg_proc": ("pronamespace", ""),
    "pg_constraint": (
        "connamespace",
        "contype NOT IN ('n', 't') AND (coninhcount = 0 OR conislocal) "
        f"AND {_NOT_OF_EXTENSION_DOMAIN}",
    ),
    "pg_trigger": (_TABLE_SCHEMA.format("tgrelid"), "NOT tgisinternal"),
    "pg_rewrite": (_TABLE_SCHEMA.format("ev_class"), ""),
    "pg_policy": (_TABLE_SCHEMA.format("polrelid"), ""),
    "pg_statistic_ext": ("stxnamespace", ""),
    "pg_collation": ("collnamespace", ""),
    "pg_conversion": ("connamespace", ""),
    "pg_operator": ("oprnamespace", "oprcode <> 0"),
    "pg_opclass": ("opcnamespace", ""),
    "pg_opfamily": ("opfnamespace", ""),
    "pg_ts_config": ("cfgnamespace", ""),
    "pg_ts_dict": ("dictnamespace", ""),
    "pg_ts_parser": ("prsnamespace", ""),
    "pg_ts_template": ("tmplnamespace", ""),
    "pg_default_acl": ("defaclnamespace", ""),
    "pg_namespace": ("oid", ""),
    "pg_am": ("0", ""),
    "pg_cast": ("0", ""),
    "pg_event_trigger": ("0", ""),
    "pg_foreign_data_wrapper": ("0", ""),
    "pg_foreign_server": ("0", ""),
    "pg_language": ("0", ""),
    "pg_publication": ("0", ""),
    "pg_subscription": (
        "0",
        "subdbid = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())",
    ),
    "pg_transform": ("0", ""),
    "pg_largeobject_metadata": ("0", _BOUNDED["pg_largeobject_metadata"]),
}

# The class under which PostgreSQL names the objects of a catalog, if that is another.
_CLASSES = {"pg_largeobject_metadata": "pg_largeobject"}


def _objects_in(catalog: str, schema: str, condition: str) -> str:
    return f"""
    SELECT '{_CLASSES.get(catalog, catalog)}'::regclass::oid::int8 AS classid, oid::int8 AS objid,
           coalesce({schema}, 0)::oid AS namespace
    FROM {catalog} WHERE oid >= 16384{condition and f" AND {condition}"}"""


_ALL_OBJECTS = " UNION ALL ".join(_objects_in(c, *columns) for c, columns in CATALOGS.items())
# Members of extensions are left out, and parts of other objects: row types, TOAST tables.
OBJECTS = f"""
    SELECT o.classid, o.objid, coalesce(n.nspname, '') AS schema
    FROM ({_ALL_OBJECTS}) AS o
    LEFT JOIN pg_namespace AS n ON n.oid = o.namespace
    WHERE (n.oid IS NULL OR (n.nspname NOT LIKE 'pg\\_%' AND n.nspname NOT IN ({NOT_MANAGED})))
          AND NOT EXISTS (
              SELECT FROM pg_depend AS d WHERE d.classid = o.classid AND d.objid = o.objid
              AND d.deptype IN ('e', 'i', 'P', 'S'))"""
# The addresses of all objects, members of extensions and parts of others too: quick to plan.
ADDRESSES = " UNION ALL ".join(
    f"SELECT classid, objid FROM ({_objects_in(c, '0', _BOUNDED.get(c, ''))}) AS o"
    for c in CATALOGS
)
