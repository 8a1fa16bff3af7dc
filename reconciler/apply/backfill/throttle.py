"""How fast a fill goes: batches that take about as long as they should, and room for everybody else."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from reconciler.apply.backfill.lag import Lag
from reconciler.errors import StatementFailed
from reconciler.model.statement import ThrottleSettings
from reconciler.server.connection import Connection, rows

FIRST, LEAST, MOST = 1_000, 20, 20_000  # rows of a batch
FURTHEST = 50_000  # rows that a batch looks at where few of them are null
AGAIN = 0.5  # seconds until a limit is looked at again
ACTIVE = """
    SELECT count(*) AS n FROM pg_stat_activity
    WHERE state = 'active' AND backend_type = 'client backend' AND pid <> pg_backend_pid()
          AND application_name <> 'reconcile progress'"""


@dataclass
class Throttle:
    """The size of the next batch, and the wait before it."""

    connection: Connection
    pace: ThrottleSettings
    rows: int = FIRST
    looked: int = FIRST
    _lag: Lag = field(default_factory=Lag)

    def __post_init__(self) -> None:
        self.rows = self.looked = min(FIRST, self.pace.rows or MOST)

    def learn(self, looked: int, filled: int, seconds: float) -> None:
        """Adapt to how long a batch took; only one that had much to fill says what filling costs."""
        change = min(2.0, max(0.25, self.pace.target / max(seconds, 0.001)))
        if filled * 2 >= self.rows or change < 1:
            self.rows = int(min(self.pace.rows or MOST, MOST, max(LEAST, self.rows * change)))
        sparse = filled * 4 < looked
        self.looked = (
            min(FURTHEST, max(self.looked, self.rows) * 2) if sparse and change >= 1 else self.rows
        )

    def rest(self, seconds: float, told: Callable[[str], None]) -> None:
        """Pause after a batch that took so long, and wait until nothing is above its limit; `told` hears for what."""
        time.sleep(self.pace.pause + self.pace.share * seconds)
        while why := self._above():
            told(why)
            time.sleep(AGAIN)

    def _above(self) -> str:
        pace = self.pace
        if pace.max_lag is not None or pace.max_lag_bytes is not None:
            self._lag.look(self.connection)
            if pace.max_lag is not None and self._lag.seconds > pace.max_lag:
                return (
                    f"a standby is {self._lag.seconds:.1f} s behind, more than {pace.max_lag:g} s"
                )
            if pace.max_lag_bytes is not None and self._lag.bytes > pace.max_lag_bytes:
                return f"a standby is {self._lag.bytes:,} bytes behind, more than {pace.max_lag_bytes:,}"
        if pace.max_active is not None:
            active = rows(self.connection, ACTIVE)[0]["n"]
            if active > pace.max_active:
                return f"{active} sessions are at work, more than {pace.max_active}"
        return ""


def assert_visible(connection: Connection, pace: ThrottleSettings) -> None:
    """Raise StatementFailed if a limit is declared for what this role cannot see."""
    limits = [
        w
        for w, v in (
            ("max_lag", pace.max_lag),
            ("max_lag", pace.max_lag_bytes),
            ("max_active", pace.max_active),
        )
        if v is not None
    ]
    if not limits:
        return
    seen = rows(
        connection,
        "SELECT current_user::text AS role, pg_has_role('pg_read_all_stats', 'USAGE') AS sees",
    )[0]
    if not seen["sees"]:
        raise StatementFailed(
            f"role {seen['role']} sees neither replication lag nor what other sessions do, so {limits[0]} cannot be kept",
            hint=f"GRANT pg_read_all_stats TO {seen['role']}, or leave {limits[0]} out of the backfill",
        )
