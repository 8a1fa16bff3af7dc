"""Report the objects of a database outside all kinds, such as operator families.

No kind is named here: managed is what the kinds' catalog queries return as addresses.
"""

from __future__ import annotations

from collections.abc import Collection

from reconciler.introspect.introspect import Snapshot
from reconciler.introspect.notices import note
from reconciler.model.state import Scope
from reconciler.server.connection import Connection, Row, rows

IDENTITIES = """
    SELECT i.type, i.identity
    FROM unnest(%s::int8[], %s::int8[]) AS o(classid, objid)
    CROSS JOIN LATERAL pg_identify_object(o.classid::oid, o.objid::oid, 0) AS i
    WHERE i.identity IS NOT NULL"""


def unmanaged(connection: Connection, known: Snapshot, scope: Scope) -> list[str]:
    """Make a notice for each type of object in the scope outside all kinds."""
    unknown = [
        (classid, objid)
        for classid, objid, schema in known.catalogued
        if (classid, objid, 0) not in known.addresses and _covers(scope, schema)
    ]
    if unknown:  # of some only parts are known
        managed = {address[:2] for address in known.addresses}
        unknown = [o for o in unknown if o not in managed]
    names: dict[str, list[str]] = {}
    for row in _identities(connection, unknown):
        names.setdefault(row["type"], []).append(row["identity"])
    return [note(title, names[title], "not managed") for title in sorted(names)]


def _covers(scope: Scope, schema: str) -> bool:
    return scope.everything or schema in scope.schemas


def _identities(connection: Connection, objects: Collection[tuple[int, int]]) -> list[Row]:
    """Let PostgreSQL name the objects, by pg_identify_object()."""
    if not objects:
        return []
    return rows(connection, IDENTITIES, [[c for c, _ in objects], [o for _, o in objects]])
