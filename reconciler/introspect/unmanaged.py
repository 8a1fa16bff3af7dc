"""What a database holds and no kind knows: connection, snapshot → notes such as `2 conversions are not managed: …`.

Nothing here says what is managed: that is what the kinds' catalog queries gave as addresses.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from reconciler.introspect.introspect import Snapshot
from reconciler.introspect.notices import note
from reconciler.model.catalog_sql import NOT_MANAGED
from reconciler.model.state import Scope
from reconciler.server.connection import Connection, Row, rows

_OF_CLASS = "(SELECT c.relnamespace FROM pg_class AS c WHERE c.oid = {})"
_OWN_DOMAIN = "NOT EXISTS (SELECT FROM pg_depend AS e WHERE e.deptype = 'e' AND e.classid = 'pg_type'::regclass AND e.objid = contypid)"
# The catalogs of objects that stand for themselves: where the schema is found, and which rows are no parts of others.
_CATALOGS = {
    "pg_class": ("relnamespace", "relkind NOT IN ('t', 'c')"),
    "pg_type": (
        "typnamespace",
        "typtype <> 'p' AND NOT EXISTS (SELECT FROM pg_class AS c WHERE c.oid = typrelid AND c.relkind <> 'c')",
    ),
    "pg_proc": ("pronamespace", ""),
    "pg_constraint": (
        "connamespace",
        f"contype NOT IN ('n', 't') AND (coninhcount = 0 OR conislocal) AND {_OWN_DOMAIN}",
    ),
    "pg_trigger": (_OF_CLASS.format("tgrelid"), "NOT tgisinternal"),
    "pg_rewrite": (_OF_CLASS.format("ev_class"), ""),
    "pg_policy": (_OF_CLASS.format("polrelid"), ""),
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
}
_ONE = """
    SELECT '{catalog}'::regclass::oid::int8 AS classid, oid::int8 AS objid, coalesce({namespace}, 0)::oid AS namespace
    FROM {catalog} WHERE oid >= 16384{where}"""
HOLDS = f"""
    SELECT o.classid, o.objid, coalesce(n.nspname, '') AS space
    FROM ({" UNION ALL ".join(_ONE.format(catalog=c, namespace=n, where=w and f" AND {w}") for c, (n, w) in _CATALOGS.items())}) AS o
    LEFT JOIN pg_namespace AS n ON n.oid = o.namespace
    WHERE (n.oid IS NULL OR (n.nspname NOT LIKE 'pg\\_%' AND n.nspname NOT IN ({NOT_MANAGED})))
          AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.classid = o.classid AND d.objid = o.objid
                          AND d.deptype IN ('e', 'i', 'P', 'S'))"""  # an extension's, or part of something else
NAMED = """
    SELECT i.type, i.identity FROM unnest(%s::int8[], %s::int8[]) AS o(classid, objid)
    CROSS JOIN LATERAL pg_identify_object(o.classid::oid, o.objid::oid, 0) AS i
    WHERE i.identity IS NOT NULL"""


def unmanaged(connection: Connection, known: Snapshot, scope: Scope) -> list[str]:
    """A note for each sort of object within the bounds that no kind reads."""
    covered = {a[:2] for a in known.addresses}
    left = [
        r
        for r in rows(connection, HOLDS)
        if (r["classid"], r["objid"]) not in covered and _within(r["space"], scope)
    ]
    found: dict[str, list[str]] = {}
    for row in _named(connection, left):
        found.setdefault(row["type"], []).append(row["identity"])
    return [note(sort, names, "not managed") for sort, names in sorted(found.items())]


def _within(schema: str, scope: Scope) -> bool:
    return scope.everything or schema in scope.schemas


def _named(connection: Connection, left: Iterable[Row]) -> Iterator[Row]:
    listed = list(left)
    if listed:
        yield from rows(
            connection, NAMED, [[r["classid"] for r in listed], [r["objid"] for r in listed]]
        )
