"""Observe the applying session from a second connection: blockers, and progress of index builds.

The observer also ends a connection on which an answer of the server was lost: the session is idle
there, or gone, while the statement here still waits.

A run does not depend on the observer: without the second connection it continues unobserved.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from reconciler.apply.backfill import Progress
from reconciler.model.reserved_names import MONITOR_APPLICATION
from reconciler.server.connection import Connection, connect_to_read, rows
from reconciler.server.locks import Blocker, blocking, named

POLL_INTERVAL = 0.5  # seconds between two observations
REPORT_AFTER = 1.0  # seconds of waiting until blockers are reported
REPORT_INTERVAL = 10.0  # seconds until the same wait is reported again
RECONNECT_INTERVAL = 10.0  # seconds until a lost connection is opened again
LOST_AFTER = 20  # observations of an idle session until its answer counts as lost
IDLE_SINCE = """
    SELECT CASE WHEN state LIKE 'idle%%' THEN state_change::text END AS since
    FROM pg_stat_activity WHERE pid = %s"""
# https://www.postgresql.org/docs/current/progress-reporting.html#CREATE-INDEX-PROGRESS-REPORTING
INDEX_PROGRESS = """
    SELECT phase,
           CASE WHEN blocks_total > 0 THEN 'blocks'
                WHEN tuples_total > 0 THEN 'tuples' ELSE 'sessions' END AS unit,
           CASE WHEN blocks_total > 0 THEN blocks_done
                WHEN tuples_total > 0 THEN tuples_done
                ELSE lockers_done END AS done,
           CASE WHEN blocks_total > 0 THEN blocks_total
                WHEN tuples_total > 0 THEN tuples_total
                ELSE lockers_total END AS total
    FROM pg_stat_progress_create_index WHERE pid = %s"""


@dataclass
class Look:
    """The observation of a single statement.

    began           when the statement began, by time.monotonic, like the other times
    blocked_since   when the present wait began
    reported        when a wait was reported last
    blockers        the sessions that were in the way last
    idle            since when the session is idle, and in how many observations it was
    """

    progress: Callable[[Progress], None]
    waiting: Callable[[str], None]
    began: float = field(default_factory=time.monotonic)
    blocked_since: float | None = None
    reported: float = 0.0
    blockers: Sequence[Blocker] = field(default=())
    idle: tuple[str | None, int] = (None, 0)

    def is_lost(self, since: str | None) -> bool:
        """Record since when the session is idle, None if it works; tell if an answer was lost."""
        before, times = self.idle
        self.idle = since, times + 1 if since is not None and since == before else 0
        return self.idle[1] >= LOST_AFTER

    def at(self, blockers: Sequence[Blocker], now: float) -> None:
        """Record the sessions blocking the statement, and report a long wait."""
        if not blockers:
            self.blocked_since = None
            return
        self.blockers = blockers
        self.blocked_since = self.blocked_since or now
        if now - self.blocked_since >= REPORT_AFTER and now - self.reported >= REPORT_INTERVAL:
            self.reported = now
            self.waiting(f"waits behind {named(blockers)}")


class Monitor:
    """An observer of the connection `observed` to `target`, to server process `pid`, in a thread.

    A new statement is observed every `every` seconds: first attempts are short.
    """

    def __init__(
        self, target: str, observed: Connection, pid: int, every: float = POLL_INTERVAL
    ) -> None:
        self._target, self._observed = target, observed
        self.backend_pid, self._every = pid, every
        self._look: Look | None = None
        self._busy, self._stop = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="monitor", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._busy.set()
        self._thread.join(timeout=2 * POLL_INTERVAL)

    @contextmanager
    def looking(
        self, progress: Callable[[Progress], None], waiting: Callable[[str], None]
    ) -> Generator[Look]:
        """Observe the statement executed within the `with` block."""
        look = self._look = Look(progress, waiting)
        self._busy.set()
        try:
            yield look
        finally:
            self._look = None
            self._busy.clear()

    def _run(self) -> None:
        while not self._stop.is_set():
            with suppress(Exception):  # no failure of the observer may stop the run
                self._watch()
            self._stop.wait(RECONNECT_INTERVAL)

    def _watch(self) -> None:
        with connect_to_read(self._target, application=MONITOR_APPLICATION) as connection:
            while not self._stop.is_set():
                self._busy.wait()
                look = self._look
                every = (
                    self._every
                    if look is None or time.monotonic() - look.began < REPORT_AFTER
                    else POLL_INTERVAL
                )
                if not self._stop.wait(every) and (look := self._look) is not None:
                    self._once(connection, look)

    def _once(self, connection: Connection, look: Look) -> None:
        for row in rows(connection, INDEX_PROGRESS, [self.backend_pid]):
            look.progress(Progress(**row))
        look.at(blocking(connection, self.backend_pid), time.monotonic())
        found = rows(connection, IDLE_SINCE, [self.backend_pid])
        if look.is_lost(found[0]["since"] if found else "gone") and look is self._look:
            _shut_down(self._observed)


def _shut_down(connection: Connection) -> None:
    """Let the thread that waits for an answer on the connection wait no longer."""
    with suppress(OSError), socket.socket(fileno=os.dup(connection.fileno())) as duplicate:
        duplicate.shutdown(socket.SHUT_RDWR)
