"""Read all that belongs together in one snapshot of the database."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from psycopg import IsolationLevel

from reconciler.server.connection import Connection, fix_parameters, translated

SETTINGS = {"lock_timeout": "10s", "jit": "off"}


@contextmanager
def one_snapshot(connection: Connection) -> Generator[None]:
    """Open a read-only transaction of a single snapshot with an empty search path."""
    before = connection.isolation_level, connection.read_only
    with translated():
        connection.isolation_level, connection.read_only = IsolationLevel.REPEATABLE_READ, True
        try:
            with connection.transaction():
                fix_parameters(connection, SETTINGS)
                yield
        finally:
            if not connection.closed:  # a closed one raises an error in place of the first one
                connection.isolation_level, connection.read_only = before
