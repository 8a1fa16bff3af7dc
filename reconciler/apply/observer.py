"""A second connection that sees what the first one waits for, and how far it is.

It is worth no failure: where it cannot be had, a run goes on unseen.
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

POLL_INTERVAL = 0.5  # seconds between two looks
PATIENT = 1.0  # seconds of waiting before it is told
AGAIN = 10.0  # seconds until it is told again, and until a lost connection is sought again
# https://www.postgresql.org/docs/current/progress-reporting.html#CREATE-INDEX-PROGRESS-REPORTING
PROGRESS = """
    SELECT phase AS unit, CASE WHEN blocks_total > 0 THEN blocks_done WHEN tuples_total > 0 THEN tuples_done ELSE lockers_done END AS done,
           CASE WHEN blocks_total > 0 THEN blocks_total WHEN tuples_total > 0 THEN tuples_total ELSE lockers_total END AS total
    FROM pg_stat_progress_create_index WHERE pid = %s"""


@dataclass
class Look:
    """What is told of the statement that runs, and since when it is kept waiting."""

    progress: Callable[[Progress], None]
    waiting: Callable[[str], None]
    began: float = field(default_factory=time.monotonic)
    since: float | None = None
    told: float = 0.0
    blockers: Sequence[Blocker] = field(default=())

    def at(self, blockers: Sequence[Blocker], now: float) -> None:
        """Take in who was in the way at that moment."""
        if not blockers:
            self.since = None
            return
        self.blockers = blockers
        self.since = self.since or now
        if now - self.since >= PATIENT and now - self.told >= AGAIN:
            self.told = now
            self.waiting(f"waits behind {named(blockers)}")


class Monitor:
    """Watches the backend `pid` of `target`, while `looking`: at first `every` so many seconds, since first tries are short."""

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
        """Tell of the statement that runs in this block; the look remembers who was last in its way."""
        look = self._look = Look(progress, waiting)
        self._busy.set()
        try:
            yield look
        finally:
            self._look = None
            self._busy.clear()

    def _run(self) -> None:
        while not self._stop.is_set():
            with suppress(Exception):  # whatever it is, it is not worth a run
                self._watch()
            self._stop.wait(AGAIN)

    def _watch(self) -> None:
        with connect(self._target, application=MONITOR_APPLICATION) as connection:
            while not self._stop.is_set():
                self._busy.wait()
                look = self._look
                every = (
                    self._every
                    if look is None or time.monotonic() - look.began < PATIENT
                    else POLL_INTERVAL
                )
                if not self._stop.wait(every) and (look := self._look) is not None:
                    self._once(connection, look)

    def _once(self, connection: Connection, look: Look) -> None:
        for row in rows(connection, PROGRESS, [self.backend_pid]):
            look.progress(Progress(row["done"], row["total"], row["unit"]))
        look.at(blocking(connection, self.backend_pid), time.monotonic())
