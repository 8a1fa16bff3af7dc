"""Send the commands of a transaction together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress

import psycopg

from reconciler.errors import StatementFailed
from reconciler.server.connection import Connection, translated

# The tags of commands that end a transaction, with or without starting another.
_ENDS = frozenset({"COMMIT", "ROLLBACK", "PREPARE TRANSACTION"})


class TransactionEnded(StatementFailed):
    """A command of a transaction ended the transaction."""

    rule = "transaction-ended"


def run_at_once(connection: Connection, statements: Iterable[str]) -> None:
    """Send commands together, as one transaction, none as a superuser; raises StatementFailed.

    In an open transaction they are a part of that. Raises TransactionEnded for one that ends the
    transaction; what came before it may be committed.
    """
    with translated():
        if connection.settings is not None or not connection.is_idle:
            with connection.transaction():
                return send_together(connection, statements)
        try:
            send_together(connection, statements, around=("BEGIN", "COMMIT"))
        except BaseException:
            with suppress(psycopg.Error):
                connection.rollback()
            raise


def send_together(
    connection: Connection, statements: Iterable[str], around: Sequence[str] = ()
) -> None:
    """Send commands of a transaction together, with those `around`, which begin and end it.

    Raises psycopg.Error, and TransactionEnded.
    """
    sent = [*statements]
    before, after = around[:1], around[1:]
    tags = connection.send_together([*before, *sent, *after])[len(before) :]
    for statement, tag in zip(sent, tags, strict=False):
        if tag in _ENDS:
            raise TransactionEnded(f"{statement} ends its transaction", sql=statement)
