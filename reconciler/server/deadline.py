"""Keep a time limit for work on a connection, whatever the server does or fails to do."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from contextlib import suppress
from threading import Thread
from typing import Generic, TypeVar

import psycopg

from reconciler.server.connection import Connection

GRACE = 2.0  # seconds that a server has to end a cancelled statement
T = TypeVar("T")


class Guarded(Generic[T]):
    """Work in a separate thread; `connection` is the connection opened by the work."""

    def __init__(self, work: Callable[[Guarded[T]], T]) -> None:
        self.connection: Connection | None = None
        self._work = work
        self._results: list[T] = []
        self._error: BaseException | None = None
        self._thread = Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        try:
            self._results.append(self._work(self))
        except BaseException as error:
            self._error = error

    def within(self, seconds: float) -> T:
        """Return the result of the work; raises TimeoutError, and every error of the work.

        When the time is over, the statement is cancelled; if that does not help, the connection is
        shut down. The thread is left to itself if it waits for something else.
        """
        self._thread.start()
        try:
            self._thread.join(seconds)
        except BaseException:
            self._cancel()
            raise
        if not self._thread.is_alive():
            return self._result()
        for end in (self._cancel, self._shut_down):
            end()
            self._thread.join(GRACE)
            if not self._thread.is_alive():
                break
        raise TimeoutError

    def _result(self) -> T:
        if self._error is not None:
            raise self._error
        return self._results[0]

    def _cancel(self) -> None:
        if self.connection is not None:
            with suppress(psycopg.Error):
                self.connection.cancel_safe(timeout=GRACE)

    def _shut_down(self) -> None:
        """End the wait of the thread for the server by closing the socket."""
        if self.connection is not None:
            with (
                suppress(psycopg.Error, OSError),
                socket.socket(fileno=os.dup(self.connection.fileno())) as copy,
            ):
                copy.shutdown(socket.SHUT_RDWR)
