"""Send transactions to a scratch server, and compose the next one while it works."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

import psycopg

from reconciler.server.connection import Connection, translated
from reconciler.server.elevation import TransactionEnded, run_at_once

_ENDS = frozenset({"COMMIT", "ROLLBACK", "PREPARE TRANSACTION"})  # command tags

Item = TypeVar("Item")
Made = TypeVar("Made")


def made_ahead(items: Iterable[Item], make: Callable[[Item], Made]) -> Iterator[tuple[Item, Made]]:
    """Yield each item with what is made of it; the next is made in a thread meanwhile."""
    with ThreadPoolExecutor(1) as thread:
        before: tuple[Item, Future[Made]] | None = None
        for item in items:
            making = thread.submit(make, item)
            if before is not None:
                yield before[0], before[1].result()
            before = item, making
        if before is not None:
            yield before[0], before[1].result()


def run_transaction(connection: Connection, commands: Sequence[str]) -> None:
    """Run commands as `run_at_once` does, in one round trip with BEGIN and COMMIT."""
    if not connection.is_idle:
        run_at_once(connection, commands)
        return
    with translated():
        try:
            _, *tags, _ = connection.send_together(["BEGIN", *commands, "COMMIT"])
        except psycopg.Error:
            with suppress(psycopg.Error):
                connection.rollback()
            raise
    for command, tag in zip(commands, tags, strict=True):
        if tag in _ENDS:
            raise TransactionEnded(f"{command} ends its transaction", sql=command)
