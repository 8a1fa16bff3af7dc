"""Prepare queries that are run again in the same session of a scratch server.

On a small database, planning a catalog query costs more than running it.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from reconciler.server.connection import Connection, rows
from reconciler.server.elevation import is_builder
from reconciler.server.session import preparation

# https://www.postgresql.org/docs/current/view-pg-prepared-statements.html
_FOUND = "SELECT name, statement FROM pg_catalog.pg_prepared_statements"


@contextmanager
def queries_prepared(connection: Connection) -> Generator[None]:
    """Let `rows` and `tuples` prepare their queries, and execute those that are prepared already.

    Declared code runs in the session as well, and can prepare and deallocate statements: unless
    all are found as they were left, they are prepared anew. A session of a server that others have
    started is left alone: it may be behind a pooler. Raises StatementFailed.
    """
    if not is_builder(connection):
        yield
        return
    expected = {(name, preparation(name, query)) for query, name in connection.prepared.items()}
    if {(r["name"], r["statement"]) for r in rows(connection, _FOUND)} != expected:
        rows(connection, "DEALLOCATE ALL")
        connection.prepared.clear()
    connection.prepares = True
    try:
        yield
    finally:
        connection.prepares = False
