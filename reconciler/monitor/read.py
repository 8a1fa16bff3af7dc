"""Read statistics of the target: no lock on a table, no privilege, no query text for the journal.

https://www.postgresql.org/docs/current/monitoring-stats.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from reconciler.errors import StatementFailed
from reconciler.model.ref import Ref
from reconciler.monitor.statistics import (
    DatabaseStatistics,
    IndexStatistics,
    Present,
    StatementStatistics,
    Statistics,
    TableStatistics,
    Waiting,
)
from reconciler.server.connection import Connection, Row, rows, server_of
from reconciler.server.short_read import short_read
from reconciler.sql import name, text

MAX_TABLES = 200  # the largest
MAX_INDEXES = 500
MAX_STATEMENTS = 200  # the costliest
MAX_SHOWN = 5000  # statements that are read for comparison
MAX_WAITING = 20
SECONDS = 2.0  # for one part
STATEMENTS = "pg_stat_statements"
NO_STATEMENTS = "the extension pg_stat_statements is not installed in this database"

_SERVER = """
    SELECT pg_is_in_recovery() AS standby,
           current_setting('block_size')::int AS block,
           CASE WHEN pg_is_in_recovery() THEN ''
                ELSE left(pg_walfile_name(pg_current_wal_lsn()), 8) END AS timeline"""
_DATABASE = """
    SELECT xact_commit AS commits, xact_rollback AS rollbacks, deadlocks, conflicts,
           stats_reset AS reset
    FROM pg_stat_database WHERE datname = current_database()"""
# The functions behind pg_stat_user_tables and pg_stat_user_indexes: the views read the counters of
# all relations before they choose. pg_partition_tree() would lock every partition.
_LEAVES = """
    WITH RECURSIVE leaf(root, oid, kind) AS (
        SELECT c.oid, c.oid, c.relkind
        FROM (SELECT DISTINCT schema, name
              FROM unnest(%(namespaces)s::text[], %(names)s::text[]) AS u(schema, name)) AS w
        JOIN pg_namespace AS n ON n.nspname = w.schema
        JOIN pg_class AS c ON c.relnamespace = n.oid AND c.relname = w.name
        WHERE c.relkind IN ('r', 'p', 'm')
        UNION ALL
        SELECT l.root, c.oid, c.relkind
        FROM leaf AS l JOIN pg_inherits AS i ON i.inhparent = l.oid
        JOIN pg_class AS c ON c.oid = i.inhrelid
        WHERE l.kind = 'p')"""
_TABLES = f"""
    {_LEAVES}
    SELECT r.oid::int8 AS oid, n.nspname::text AS namespace, r.relname::text AS name,
           CASE WHEN bool_and(c.reltuples >= 0) THEN sum(c.reltuples)::float8 END AS rows,
           sum(c.relpages)::int8 AS pages,
           sum(pg_stat_get_numscans(c.oid))::int8 AS scans,
           sum(pg_stat_get_tuples_returned(c.oid))::int8 AS scanned,
           coalesce(sum((SELECT sum(pg_stat_get_numscans(i.indexrelid)) FROM pg_index AS i
                         WHERE i.indrelid = c.oid)), 0)::int8 AS index_scans,
           sum(pg_stat_get_live_tuples(c.oid))::int8 AS live,
           sum(pg_stat_get_dead_tuples(c.oid))::int8 AS dead
    FROM leaf AS l JOIN pg_class AS c ON c.oid = l.oid AND c.relkind IN ('r', 'm')
    JOIN pg_class AS r ON r.oid = l.root JOIN pg_namespace AS n ON n.oid = r.relnamespace
    GROUP BY r.oid, n.nspname, r.relname ORDER BY sum(c.relpages) DESC, r.oid LIMIT {MAX_TABLES}"""
# An index of a partition counts for the index of the partitioned table of which it is a part.
_INDEXES = f"""
    {_LEAVES}
    SELECT o.oid::int8 AS oid, n.nspname::text AS namespace, o.relname::text AS name,
           l.root::int8 AS table, o.relkind = 'I' AS partitioned,
           sum(pg_stat_get_numscans(x.oid))::int8 AS scans,
           CASE WHEN bool_and(x.reltuples >= 0) THEN sum(x.reltuples)::float8 END AS rows,
           sum(x.relpages)::int8 AS pages,
           bool_and(i.indisvalid AND i.indisready AND w.indisvalid) AS valid,
           bool_or(i.indisunique OR i.indisexclusion OR i.indisreplident) AS enforces
    FROM leaf AS l JOIN pg_index AS i ON i.indrelid = l.oid
    JOIN pg_class AS x ON x.oid = i.indexrelid AND x.relkind = 'i'
    CROSS JOIN LATERAL (SELECT coalesce(
        (SELECT p.indexrelid FROM pg_partition_ancestors(x.oid) AS a
         JOIN pg_index AS p ON p.indexrelid = a.relid WHERE p.indrelid = l.root), x.oid)) AS t(top)
    JOIN pg_class AS o ON o.oid = t.top JOIN pg_index AS w ON w.indexrelid = t.top
    JOIN pg_namespace AS n ON n.oid = o.relnamespace
    GROUP BY o.oid, n.nspname, o.relname, o.relkind, l.root
    ORDER BY sum(x.relpages) DESC, o.oid
    LIMIT {MAX_INDEXES}"""
# Only functions in C, which nobody but a superuser creates, that belong to the extension.
_FUNCTIONS = f"""
    SELECT p.proname::text AS name, n.nspname::text AS namespace
    FROM pg_extension AS e
    JOIN pg_depend AS d ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
         AND d.classid = 'pg_proc'::regclass AND d.deptype = 'e'
    JOIN pg_proc AS p ON p.oid = d.objid JOIN pg_namespace AS n ON n.oid = p.pronamespace
    WHERE e.extname = '{STATEMENTS}' AND p.prolang = 13 -- ClanguageId
          AND p.proname IN ('{STATEMENTS}', '{STATEMENTS}_info')"""
_OF_DATABASE = "dbid = (SELECT oid FROM pg_database WHERE datname = current_database())"
_STATEMENTS = f"""
    SELECT queryid, sum(calls)::int8 AS calls, sum(total_exec_time) AS total,
           sum(stddev_exec_time * stddev_exec_time * calls) AS squares
    FROM {{}}(false) WHERE {_OF_DATABASE}
    GROUP BY queryid ORDER BY queryid IS NOT NULL, total DESC LIMIT {{}}"""
_TEXTS = f"""
    SELECT queryid, max(left(query, 10000)) AS text
    FROM {{}}(true) WHERE {_OF_DATABASE} AND queryid IS NOT NULL
    GROUP BY queryid ORDER BY sum(total_exec_time) DESC LIMIT {MAX_SHOWN}"""
_WAITING = f"""
    SELECT l.pid, count(*) OVER () AS waits,
           coalesce(n.nspname || '.' || c.relname, '') AS relation,
           extract(epoch FROM clock_timestamp() - l.waitstart)::float8 AS seconds,
           pg_blocking_pids(l.pid) AS blockers
    FROM pg_locks AS l JOIN pg_stat_activity AS a ON a.pid = l.pid
    LEFT JOIN pg_class AS c ON c.oid = l.relation AND l.locktype = 'relation'
    LEFT JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE NOT l.granted AND a.datname = current_database()
    ORDER BY l.waitstart, l.pid LIMIT {MAX_WAITING}"""


def read_statistics(
    connection: Connection, refs: Iterable[Ref], statements: int = MAX_STATEMENTS
) -> Statistics:
    """Read the statistics of the relations of objects, and of the costliest statements.

    What cannot be read within SECONDS is left out, and named in `unseen`; nothing is raised.
    """
    with suppress(StatementFailed):  # a hint only
        if server_of(connection).has_statistics_flush:
            rows(connection, "SELECT pg_stat_force_next_flush()")
    found: dict[str, Any] = {}
    unseen: dict[str, str] = {}
    relations = sorted({(r.schema, (r.on or r).name) for r in refs if r.schema})
    values: dict[str, object] = {
        "namespaces": [schema for schema, _ in relations],
        "names": [own for _, own in relations],
    }
    parts: dict[str, Callable[[], dict[str, Any]]] = {
        "the server's state": lambda: _server(connection),
        "the database's counters": lambda: _database(connection),
        "the counters of tables": lambda: _tables(connection, values),
        "the counters of indexes": lambda: _indexes(connection, values),
        STATEMENTS: lambda: _statements(connection, statements, unseen),
    }
    for part, read in parts.items():
        try:
            with short_read(connection, SECONDS):
                found |= read()
        except StatementFailed as error:
            unseen[part] = error.message
    return Statistics(**found, unseen=unseen)


def read_present(connection: Connection, refs: Iterable[Ref]) -> Present:
    """Read the statistics now, the texts of statements, and who waits for locks.

    Raises StatementFailed where not even the time can be read.
    """
    statistics = read_statistics(connection, refs, MAX_SHOWN)
    unseen = dict(statistics.unseen)
    at = rows(connection, "SELECT clock_timestamp() AS at")[0]["at"]
    texts: dict[int, str] = {}
    waiting: list[Row] = []
    if statistics.statements is not None:
        try:
            with short_read(connection, SECONDS):
                function = _functions(connection)[STATEMENTS]
                texts = {r["queryid"]: r["text"] for r in rows(connection, _TEXTS.format(function))}
        except StatementFailed as error:
            unseen["the texts of statements"] = error.message
    try:
        with short_read(connection, SECONDS):
            waiting = rows(connection, _WAITING)
    except StatementFailed as error:
        unseen["locks"] = error.message
    return Present(
        at=at,
        statistics=statistics.model_copy(update={"unseen": unseen}),
        texts=texts,
        waits=waiting[0]["waits"] if waiting else 0,
        waiting=tuple(Waiting.model_validate(row) for row in waiting),
    )


def _server(connection: Connection) -> dict[str, Any]:
    return rows(connection, _SERVER)[0]


def _database(connection: Connection) -> dict[str, Any]:
    return {"database": DatabaseStatistics.model_validate(rows(connection, _DATABASE)[0])}


def _tables(connection: Connection, values: dict[str, object]) -> dict[str, Any]:
    found = rows(connection, _TABLES, values)
    return {"tables": tuple(TableStatistics.model_validate(row) for row in found)}


def _indexes(connection: Connection, values: dict[str, object]) -> dict[str, Any]:
    found = rows(connection, _INDEXES, values)
    return {"indexes": tuple(IndexStatistics.model_validate(row) for row in found)}


def _functions(connection: Connection) -> dict[str, str]:
    """Map the functions of pg_stat_statements to their qualified names in SQL."""
    found = rows(connection, _FUNCTIONS)
    return {row["name"]: text(name(row["namespace"], row["name"])) for row in found}


def _statements(connection: Connection, most: int, unseen: dict[str, str]) -> dict[str, Any]:
    functions = _functions(connection)
    if STATEMENTS not in functions:
        unseen[STATEMENTS] = NO_STATEMENTS
        return {}
    found = rows(connection, _STATEMENTS.format(functions[STATEMENTS], most + 1))
    shown = [row for row in found if row["queryid"] is not None]
    if len(shown) < len(found):
        unseen["statements of other roles"] = (
            "they are shown to members of pg_read_all_stats: GRANT pg_read_all_stats TO the role"
        )
    reset = None
    if info := functions.get(f"{STATEMENTS}_info"):
        reset = rows(connection, f"SELECT stats_reset FROM {info}()")[0]["stats_reset"]
    return {
        "statements": tuple(StatementStatistics.model_validate(row) for row in shown[:most]),
        "statements_reset": reset,
        "complete": len(shown) <= most,
    }
