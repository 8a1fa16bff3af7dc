"""Throttle a backfill: choose the sizes of batches, and pause for busy sessions and standbys."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from reconciler.apply.backfill.lag import Lag
from reconciler.counted import agreeing, counted
from reconciler.errors import StatementFailed
from reconciler.model.reserved_names import MONITOR_APPLICATION
from reconciler.model.statement import ThrottleSettings
from reconciler.server.connection import Connection, rows

FIRST_ROWS, MIN_ROWS, MAX_ROWS = 1_000, 20, 20_000  # rows that a batch fills
MAX_SCANNED = 50_000  # rows that a batch scans where few of them are null
LIMIT_POLL_INTERVAL = 0.5  # seconds until a limit is checked again
ACTIVE = f"""
    SELECT count(*) AS n FROM pg_stat_activity
    WHERE state = 'active' AND backend_type = 'client backend' AND pid <> pg_backend_pid()
          AND application_name <> '{MONITOR_APPLICATION}'"""


@dataclass
class Throttle:
    """The size of the next batch: rows to fill, and rows to scan (`looked`)."""

    connection: Connection
    settings: ThrottleSettings
    rows: int = FIRST_ROWS
    looked: int = FIRST_ROWS
    _lag: Lag = field(default_factory=Lag)

    def __post_init__(self) -> None:
        self.rows = self.looked = min(FIRST_ROWS, self.settings.rows or MAX_ROWS)

    def learn(self, looked: int, filled: int, seconds: float) -> None:
        """Adapt sizes to the duration of a batch, unless the batch had few rows to fill."""
        change = min(2.0, max(0.25, self.settings.target / max(seconds, 0.001)))
        if filled * 2 >= self.rows or change < 1:
            self.rows = int(
                min(self.settings.rows or MAX_ROWS, MAX_ROWS, max(MIN_ROWS, self.rows * change))
            )
        sparse = filled * 4 < looked
        self.looked = (
            min(MAX_SCANNED, max(self.looked, self.rows) * 2)
            if sparse and change >= 1
            else self.rows
        )

    def rest(self, seconds: float, report: Callable[[str], None]) -> None:
        """Pause after a batch of `seconds`, and wait while a limit is exceeded."""
        time.sleep(self.settings.pause + self.settings.share * seconds)
        while reason := self._exceeded():
            report(reason)
            time.sleep(LIMIT_POLL_INTERVAL)

    def _exceeded(self) -> str:
        """Describe an exceeded limit; "" if none."""
        return self._lag_exceeded() or self._activity_exceeded()

    def _lag_exceeded(self) -> str:
        limits = self.settings
        if limits.max_lag is None and limits.max_lag_bytes is None:
            return ""
        self._lag.look(self.connection)
        if limits.max_lag is not None and self._lag.seconds > limits.max_lag:
            return f"a standby is {self._lag.seconds:.1f} s behind, more than {limits.max_lag:g} s"
        if limits.max_lag_bytes is not None and self._lag.bytes > limits.max_lag_bytes:
            return (
                f"a standby is {self._lag.bytes:,} bytes behind, more than {limits.max_lag_bytes:,}"
            )
        return ""

    def _activity_exceeded(self) -> str:
        limit = self.settings.max_active
        if limit is None:
            return ""
        active = rows(self.connection, ACTIVE)[0]["n"]
        at_work = f"{counted(active, 'session')} {agreeing(active, 'is', 'are')} at work"
        return f"{at_work}, more than {limit}" if active > limit else ""


def assert_visible(connection: Connection, settings: ThrottleSettings) -> None:
    """Raise StatementFailed if the role may not see a limited quantity."""
    limits = {
        "max_lag": settings.max_lag if settings.max_lag is not None else settings.max_lag_bytes,
        "max_active": settings.max_active,
    }
    limited = [limit for limit, value in limits.items() if value is not None]
    if not limited:
        return
    query = "SELECT current_user::text AS role, pg_has_role('pg_read_all_stats', 'USAGE') AS sees"
    (found,) = rows(connection, query)
    if not found["sees"]:
        raise StatementFailed(
            f"role {found['role']} sees neither replication lag nor what other sessions do, "
            f"so {limited[0]} cannot be kept",
            hint=f"GRANT pg_read_all_stats TO {found['role']}, "
            f"or leave {limited[0]} out of the backfill",
        )
