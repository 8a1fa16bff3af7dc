"""Read the publications, the slots and the subscriptions of the target's tables.

https://www.postgresql.org/docs/current/logical-replication.html
"""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.model.ref import Ref
from reconciler.model.replication import Published, Replication
from reconciler.server.connection import Connection, Row, rows

_ANY = """
    SELECT EXISTS (SELECT FROM pg_catalog.pg_publication)
           OR EXISTS (SELECT FROM pg_catalog.pg_subscription_rel) AS found"""
# While a subscription copies its tables, each copy has a slot of its own beside that of the
# subscription: `pg_OID_sync_OID_IDENTIFIER`.
SUBSCRIBER_SLOTS = """pg_catalog.pg_replication_slots
    WHERE plugin = 'pgoutput' AND database = pg_catalog.current_database()
      AND slot_name !~ '^pg_[0-9]+_sync_[0-9]+_[0-9]+$'
    ORDER BY slot_name"""
_SLOTS = f"SELECT slot_name::text AS slot FROM {SUBSCRIBER_SLOTS}"
# A publication of a table sends the rows of its partitions too, and what is changed on the table
# is changed on them.
_FAMILY = """
    WITH RECURSIVE asked AS (
        SELECT w.schema, w.name, c.oid
        FROM unnest(%(schemas)s::text[], %(names)s::text[]) AS w(schema, name)
        JOIN pg_catalog.pg_namespace AS n ON n.nspname = w.schema
        JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid AND c.relname = w.name
    ), up AS (
        SELECT oid, oid AS relative FROM asked
        UNION SELECT up.oid, h.inhparent
        FROM up JOIN pg_catalog.pg_inherits AS h ON h.inhrelid = up.relative
        JOIN pg_catalog.pg_class AS c ON c.oid = h.inhrelid AND c.relispartition
    ), down AS (
        SELECT oid, oid AS relative FROM asked
        UNION SELECT down.oid, h.inhrelid
        FROM down JOIN pg_catalog.pg_inherits AS h ON h.inhparent = down.relative
    ), family AS (
        SELECT asked.schema, asked.name, f.relative
        FROM (SELECT * FROM up UNION SELECT * FROM down) AS f JOIN asked USING (oid)
    )"""
# Catalogs of PostgreSQL 14 lack columns of later ones.
_PUBLISHED = f"""{_FAMILY}, listed AS (
        SELECT f.schema, f.name, r.prpubid AS pub,
               CASE WHEN to_jsonb(r) ->> 'prattrs' IS NOT NULL
                    THEN ARRAY(SELECT k.attname::text FROM pg_catalog.pg_attribute AS k
                               WHERE k.attrelid = r.prrelid AND to_jsonb(k.attnum) IN (
                                   SELECT jsonb_array_elements(to_jsonb(r) -> 'prattrs'))) END
                   AS sent_columns
        FROM family AS f JOIN pg_catalog.pg_publication_rel AS r ON r.prrelid = f.relative
    ), sent AS MATERIALIZED (
        SELECT q.oid AS pub, c.oid AS relative
        FROM pg_catalog.pg_publication_tables AS t
        JOIN pg_catalog.pg_publication AS q ON q.pubname = t.pubname
        JOIN pg_catalog.pg_namespace AS n ON n.nspname = t.schemaname
        JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid AND c.relname = t.tablename
    ), found AS (
        SELECT * FROM listed
        UNION
        SELECT f.schema, f.name, s.pub, NULL FROM family AS f JOIN sent AS s USING (relative)
        WHERE (f.schema, f.name, s.pub) NOT IN (SELECT l.schema, l.name, l.pub FROM listed AS l)
    )
    SELECT found.schema, found.name, found.sent_columns, p.pubname::text AS sender,
           p.pubupdate OR p.pubdelete AS updates, to_jsonb(p) ->> 'pubgencols' = 's' AS generated
    FROM found JOIN pg_catalog.pg_publication AS p ON p.oid = found.pub"""
_ALL_TABLES = """
    SELECT '' AS schema, p.pubname::text AS sender,
           p.pubupdate OR p.pubdelete AS updates
    FROM pg_catalog.pg_publication AS p WHERE p.puballtables"""
_TABLES_IN_SCHEMA = """
    UNION ALL
    SELECT n.nspname, p.pubname, p.pubupdate OR p.pubdelete
    FROM pg_catalog.pg_publication_namespace AS x
    JOIN pg_catalog.pg_publication AS p ON p.oid = x.pnpubid
    JOIN pg_catalog.pg_namespace AS n ON n.oid = x.pnnspid"""
_SUBSCRIBED = f"""{_FAMILY}
    SELECT DISTINCT f.schema, f.name, s.subname::text AS receiver
    FROM family AS f
    JOIN pg_catalog.pg_subscription_rel AS r ON r.srrelid = f.relative
    JOIN pg_catalog.pg_subscription AS s ON s.oid = r.srsubid"""


def read_replication(
    connection: Connection, names: Mapping[Ref, Ref], *, schemas: bool
) -> Replication:
    """Read what logical replication sends from tables, and writes into them.

    `names` maps each relation to the ref under which the target has it. `schemas` tells whether
    the server has publications of schemas.
    """
    if not rows(connection, _ANY)[0]["found"]:
        return Replication()
    by_name = {(was.schema, was.name): ref for ref, was in names.items()}
    asked: dict[str, object] = {
        "schemas": [schema for schema, _ in by_name],
        "names": [name for _, name in by_name],
    }
    published: dict[Ref, list[Published]] = {}
    for row in rows(connection, _PUBLISHED, asked):
        published.setdefault(by_name[row["schema"], row["name"]], []).append(_published(row))
    subscribed: dict[Ref, list[str]] = {}
    for row in rows(connection, _SUBSCRIBED, asked):
        table = by_name[row["schema"], row["name"]]
        subscribed.setdefault(table, []).append(row["receiver"])
    future: dict[str, list[Published]] = {}
    for row in rows(connection, _ALL_TABLES + (_TABLES_IN_SCHEMA if schemas else "")):
        sends = Published(row["sender"], updates=row["updates"])
        future.setdefault(row["schema"], []).append(sends)
    return Replication(
        tuple(row["slot"] for row in rows(connection, _SLOTS)),
        {ref: tuple(sent) for ref, sent in published.items()},
        {schema: tuple(sent) for schema, sent in future.items()},
        {ref: tuple(subscriptions) for ref, subscriptions in subscribed.items()},
    )


def _published(row: Row) -> Published:
    return Published(
        publication=row["sender"],
        columns=None if row["sent_columns"] is None else frozenset(row["sent_columns"]),
        generated=bool(row["generated"]),
        updates=row["updates"],
    )
