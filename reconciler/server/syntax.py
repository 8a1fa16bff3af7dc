"""Let PostgreSQL parse statements without reading a catalog, and without running anything."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

import psycopg
from psycopg import pq

from reconciler.server.connection import Connection, translated

# https://www.postgresql.org/docs/current/errcodes-appendix.html
IN_FAILED_TRANSACTION = b"25P02"
BATCH = 500  # statements sent before the answers are read


@dataclass(frozen=True)
class SyntaxFault:
    """PostgreSQL's message on a statement; `index` counts the characters before the fault."""

    message: str
    index: int | None = None


def syntax_errors(connection: Connection, statements: Sequence[str]) -> dict[int, SyntaxFault]:
    """Return faults, by number, of texts other than one well-formed statement.

    In a failed transaction PostgreSQL parses a statement, and refuses it as such before it looks up
    any name. The extended query protocol refuses several statements in one text.
    """
    encoding = connection.info.encoding
    encoded = [_encoded(s, encoding) for s in statements]
    impossible = SyntaxFault("a character that PostgreSQL cannot store")
    found = {n: impossible for n, s in enumerate(encoded) if not s}
    with translated(), connection.transaction(force_rollback=True):
        with suppress(psycopg.errors.DivisionByZero):
            connection.execute("SELECT 1 / 0")
        for start in range(0, len(encoded), BATCH):
            answers = _parse(connection, encoded[start : start + BATCH])
            for number, fault in enumerate(answers, start):
                if fault is not None:
                    found.setdefault(number, fault)
    return found


def _encoded(statement: str, encoding: str) -> bytes:
    """Encode a statement; empty if the encoding lacks a character."""
    try:
        return b"" if "\0" in statement else statement.encode(encoding)
    except UnicodeEncodeError:
        return b""


def _parse(connection: Connection, statements: Sequence[bytes]) -> Iterator[SyntaxFault | None]:
    """Send the statements in one go, and yield a fault or None for each.

    In blocking mode libpq reads answers while it sends, so that neither side waits for the other.
    """
    wire = connection.pgconn
    wire.nonblocking = 0
    wire.enter_pipeline_mode()
    try:
        for statement in statements:
            wire.send_prepare(b"", statement)
            wire.pipeline_sync()
        return iter([_answer(wire) for _ in statements])
    finally:
        wire.exit_pipeline_mode()
        wire.nonblocking = 1


def _answer(wire: pq.abc.PGconn) -> SyntaxFault | None:
    result = wire.get_result()
    if result is None:
        raise psycopg.OperationalError(wire.get_error_message())
    while (end := wire.get_result()) is not None and end.status != pq.ExecStatus.PIPELINE_SYNC:
        pass
    if end is None:
        wire.get_result()  # the synchronisation
    if result.error_field(pq.DiagnosticField.SQLSTATE) == IN_FAILED_TRANSACTION:
        return None
    message = result.error_field(pq.DiagnosticField.MESSAGE_PRIMARY) or b"not one statement"
    position = result.error_field(pq.DiagnosticField.STATEMENT_POSITION)
    return SyntaxFault(message.decode(errors="replace"), int(position) - 1 if position else None)
