"""Name the subscribers of the tables that a plan changes, and how far they are behind."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from reconciler.introspect.replication import SUBSCRIBER_SLOTS
from reconciler.server.connection import Connection, rows

_SENDERS = """
    SELECT p.pubname::text AS publication,
           array_agg(DISTINCT format('%%I.%%I', p.schemaname, p.tablename)) AS relations
    FROM unnest(%(relations)s::text[]) AS w(relation),
    LATERAL (SELECT to_regclass(w.relation)
             UNION SELECT t.relid FROM pg_partition_tree(to_regclass(w.relation)) AS t
             UNION SELECT a.relid FROM pg_partition_ancestors(to_regclass(w.relation)) AS a)
        AS family(relid)
    JOIN pg_class AS c ON c.oid = family.relid
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
    JOIN pg_publication_tables AS p ON (p.schemaname, p.tablename) = (n.nspname, c.relname)
    GROUP BY p.pubname ORDER BY 1"""
_SLOTS = f"""
    SELECT slot_name::text AS slot, active,
           (pg_current_wal_lsn() - confirmed_flush_lsn)::int8 AS behind
    FROM {SUBSCRIBER_SLOTS}"""
_ORDER = (
    "a column, type, value or name that is new comes to the subscribers first;"
    " what is dropped goes here first"
)


def subscribers(connection: Connection, relations: Sequence[str]) -> Iterator[str]:
    """Yield a message for each publication of `relations`, SQL, while anybody follows any."""
    if not relations:
        return
    senders = rows(connection, _SENDERS, {"relations": relations})
    slots = rows(connection, _SLOTS) if senders else []
    if not slots:
        return
    listed = ", ".join(
        f"{s['slot']} ({'active' if s['active'] else 'not active'}, {s['behind'] or 0:,} bytes"
        " behind)"
        for s in slots
    )
    for sender in senders:
        sent = ", ".join(sender["relations"])
        yield (
            f"publication {sender['publication']} sends {sent} to the subscribers of slot"
            f" {listed}: {_ORDER}"
        )
