"""Let the server run further queries while the rows of earlier ones are used."""

from __future__ import annotations

import select
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self, cast

import psycopg
from psycopg import generators, pq
from psycopg.adapt import Transformer

from reconciler.server.connection import Connection, Row, rows, translated

MAX_WAIT = 5.0  # seconds, for answers that nobody reads


class Answers:
    """The answers to queries of an open transaction, which are sent together.

    They are read in the order of the queries, and nothing else may use the connection until `with`
    ends. libpq's pipeline mode is used directly: the driver's own waits for all answers at once.
    https://www.postgresql.org/docs/current/libpq-pipeline-mode.html
    """

    def __init__(self, connection: Connection, queries: Sequence[str]) -> None:
        """Send the queries; raises StatementFailed."""
        self._connection, self._pgconn = connection, connection.pgconn
        self._queries = [*reversed(queries)]  # of answers to read, the next one last
        self._is_together = not connection.prepares  # such a query runs faster than it is planned
        if not self._is_together:
            return
        with translated("; ".join(queries), connection):
            self._pgconn.enter_pipeline_mode()
            for query in queries:
                self._pgconn.send_query_params(query.encode(), None, result_format=pq.Format.BINARY)
                self._pgconn.send_flush_request()  # else an answer waits for the next ones
            self._pgconn.pipeline_sync()
            connection.wait(generators.send(self._pgconn))

    def rows(self) -> list[Row]:
        """Return the rows of the next query; raises StatementFailed."""
        names, found = self._next()
        return [dict(zip(names, values, strict=True)) for values in found]

    def tuples(self) -> list[tuple[Any, ...]]:
        """Return the rows of the next query as tuples; raises StatementFailed."""
        return self._next()[1]

    def _next(self) -> tuple[list[str], list[tuple[Any, ...]]]:
        """Return the names of columns, and the rows."""
        query = self._queries.pop()
        if not self._is_together:
            found = rows(self._connection, query)
            return [*found[0]] if found else [], [tuple(row.values()) for row in found]
        with translated(query, self._connection):
            result = self._fetch()
            if result.status != pq.ExecStatus.TUPLES_OK:
                encoding = self._connection.info.encoding
                raise psycopg.errors.error_from_result(result, encoding=encoding)
            read = Transformer(self._connection)
            read.set_pgresult(result, format=pq.Format.BINARY)
            names = [cast("bytes", result.fname(i)).decode() for i in range(result.nfields)]
            return names, read.load_rows(0, result.ntuples, tuple)

    def _fetch(self) -> pq.abc.PGresult:
        return self._connection.wait(generators.fetch_many(self._pgconn))[0]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave pipeline mode; drop answers that nobody has read, or the connection with them."""
        if not self._is_together:
            return
        try:
            with translated("", self._connection):
                if self._queries:
                    self._drop_answers()
                elif not self._connection.closed:
                    self._connection.wait(generators.fetch(self._pgconn))  # the synchronisation
        finally:
            self._connection.leave_pipeline_mode()

    def _drop_answers(self) -> None:
        """Read to the end what the server sends in a few seconds."""
        deadline = time.monotonic() + MAX_WAIT
        while not self._connection.closed:
            while self._pgconn.is_busy():
                left = max(deadline - time.monotonic(), 0)
                if not select.select([self._pgconn.socket], [], [], left)[0]:
                    self._pgconn.finish()
                    return
                self._pgconn.consume_input()
            result = self._pgconn.get_result()
            if result is not None and result.status == pq.ExecStatus.PIPELINE_SYNC:
                return
