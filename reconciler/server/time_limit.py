"""Limit the time of a plan's work on scratch servers.

Code can catch a cancelled statement, and change `statement_timeout`; it cannot catch the end of its
session.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager, suppress
from threading import Timer
from types import TracebackType
from typing import Self

from reconciler.errors import ReconcileError, ScratchError, SettingsError
from reconciler.server.connection import Connection, connect, rows

VARIABLE = "RECONCILE_SCRATCH_SECONDS"
DEFAULT = 15 * 60.0


class TimeLimit:
    """A time limit; at the end, the watched sessions are terminated.

    As a context manager, it then raises ScratchError instead of any other error. The time begins
    with the first session: before, others may be at work on the server.
    """

    def __init__(self, seconds: float = DEFAULT) -> None:
        self.seconds, self.is_over = seconds, False
        self._watched: dict[int, str] = {}
        self._timer = Timer(seconds, self._end)
        self._timer.daemon = True
        self._applies = False

    def __enter__(self) -> Self:
        self._applies = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._timer.cancel()
        if self.is_over and isinstance(error, Exception):
            raise self._error() from error

    @contextmanager
    def watch(self, url: str, connection: Connection) -> Generator[None]:
        """End the connection's session when the time is over; `url` leads to the same server."""
        if self._applies and self._timer.ident is None:
            self._timer.start()
        pid = connection.info.backend_pid
        self._watched[pid] = url
        try:
            if self.is_over:
                raise self._error()
            yield
        finally:
            self._watched.pop(pid, None)

    def _end(self) -> None:
        self.is_over = True
        for pid, url in [*self._watched.items()]:
            with suppress(ReconcileError), connect(url) as connection:
                rows(connection, "SELECT pg_catalog.pg_terminate_backend(%s)", [pid])

    def _error(self) -> ScratchError:
        return ScratchError(
            f"the work on the scratch server took longer than {self.seconds:g} seconds and was "
            f"stopped: look for declared SQL that runs long, or set {VARIABLE} to more"
        )


NEVER = TimeLimit()  # never entered


def time_limit_of_environment() -> TimeLimit:
    """Return the limit set by the environment, by default 15 minutes."""
    text = os.environ.get(VARIABLE, "")
    try:
        seconds = float(text) if text else DEFAULT
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= 24 * 60 * 60:
        raise SettingsError(f"{VARIABLE} must be a number of seconds, at most a day's")
    return TimeLimit(seconds)
