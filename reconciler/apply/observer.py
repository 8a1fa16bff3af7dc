"""Observe the applying session from a second connection: blockers, and progress of index builds.

A run does not depend on the observer: without the second connection it continues unobserved.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from reconciler.apply.backfill import Progress
from reconciler.model.reserved_names import MONITOR_APPLICATION
from reconciler.server.connection import Connection, connect, rows
from reconciler.server.locks import Blocker, blocking, named

POLL_INTERVAL = 0.5  # seconds between two observations
REPORT_AFTER = 1.0  # seconds of waiting until blockers are reported
REPORT_INTERVAL = 10.0  # seconds until the same wait is reported again
RECONNECT_INTERVAL = 10.0  # seconds until a lost connection is opened again
# https://www.postgresql.org/docs/current/progress-reporting.html#CREATE-INDEX-PROGRESS-REPORTING
INDEX_PROGRESS = """
    SELECT phase AS unit,
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
    """

    progress: Callable[[Progress], None]
    waiting: Callable[[str], None]
    began: float = field(default_factory=time.monotonic)
    blocked_since: float | None = None
    reported: float = 0.0
    blockers: Sequence[Blocker] = field(default=())

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
    """An observer of the server process `pid` of `target`, in a separate thread.

    A new statement is observed every `every` seconds: first attempts are short.
    """

    def __init__(self, target: str, pid: int, every: float = POLL_INTERVAL) -> None:
        self._target, self.backend_pid, self._every = target, pid, every
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
        with connect(self._target, application=MONITOR_APPLICATION) as connection:
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
            look.progress(Progress(row["done"], row["total"], row["unit"]))
        look.at(blocking(connection, self.backend_pid), time.monotonic())
