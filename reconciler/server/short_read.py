"""Read from the target in short transactions without waiting for locks."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from reconciler.server.connection import Connection, rows, translated

LOCK_WAIT = 0.2  # seconds


@contextmanager
def short_read(connection: Connection, seconds: float) -> Generator[None]:
    """Open a read-only transaction, for `seconds` at most; raises StatementFailed.

    A relation that is locked for longer than LOCK_WAIT, and rows that row security would hide, end
    it with an error.
    """
    limits = {
        "transaction_read_only": "on",
        "row_security": "off",
        "lock_timeout": str(round(LOCK_WAIT * 1000)),
        "statement_timeout": str(max(round(seconds * 1000), 1)),
    }
    settings = ", ".join("pg_catalog.set_config(%s, %s, true)" for _ in limits)
    with translated(), connection.transaction():
        rows(connection, f"SELECT {settings}", [v for pair in limits.items() for v in pair])
        yield
