"""Read from the catalogs when the rows of objects were last written, as far as a server tells.

PostgreSQL records neither the user nor, unless track_commit_timestamp is on, the time.
https://www.postgresql.org/docs/current/runtime-config-replication.html
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from contextlib import suppress

from reconciler.drift.result import Trace
from reconciler.errors import StatementFailed
from reconciler.introspect.introspect import Snapshot
from reconciler.introspect.objects import Address
from reconciler.model.ref import Ref
from reconciler.server.connection import Connection, Row, rows
from reconciler.sql import compose, name, text

_CATALOGS = """
    SELECT oid::bigint AS id, relname::text AS name FROM pg_catalog.pg_class
    WHERE oid = ANY (%s::bigint[]::oid[])"""
_TRACES = """
    SELECT {}::bigint AS id, {} AS part, c.xmin::text::bigint AS transaction,
           pg_catalog.age(c.xmin) AS age, {} AS committed_at
    FROM {} AS c WHERE {} = ANY (%s::bigint[]::oid[])"""
_TRACKED = "SELECT current_setting('track_commit_timestamp') = 'on' AS tracked"
_COLUMNS = "pg_attribute"


def read_traces(connection: Connection, live: Snapshot, refs: Iterable[Ref]) -> dict[Ref, Trace]:
    """Return the traces of live objects, except in catalogs closed to the role."""
    addresses = {ref: address for address, ref in live.addresses.items()}
    wanted = {addresses[r]: r for r in refs if r in addresses}
    if not wanted:
        return {}
    names = rows(connection, _CATALOGS, [[*{address[0] for address in wanted}]])
    catalogs: Mapping[int, str] = {row["id"]: row["name"] for row in names}
    tracked: bool = rows(connection, _TRACKED)[0]["tracked"]
    by_catalog: dict[str, list[Address]] = defaultdict(list)
    for address in wanted:
        by_catalog[_COLUMNS if address[2] else catalogs.get(address[0], "")].append(address)
    found: dict[Ref, Trace] = {}
    for catalog, members in by_catalog.items():
        with suppress(StatementFailed):  # the role may not read the catalog
            for row in _rows(connection, catalog, members, tracked=tracked):
                same = (a for a in members if a[1:] == (row["id"], row["part"]))
                trace = Trace(row["transaction"], row["age"], row["committed_at"])
                found |= {wanted[a]: trace for a in same}
    return found


def _rows(
    connection: Connection, catalog: str, members: Iterable[Address], *, tracked: bool
) -> list[Row]:
    is_column = catalog == _COLUMNS
    key, part = ("c.attrelid", "c.attnum::int") if is_column else ("c.oid", "0")
    committed = "pg_catalog.pg_xact_commit_timestamp(c.xmin)" if tracked else "NULL::timestamptz"
    relation = text(compose("{}", name("pg_catalog", catalog)))
    query = _TRACES.format(key, part, committed, relation, key)
    return rows(connection, query, [[*{address[1] for address in members}]])
