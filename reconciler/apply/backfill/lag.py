"""How far the standbys are behind.

`pg_stat_replication.replay_lag` says nothing of one that has stopped to replay, so the positions of the WAL are
remembered with the time at which they were the last.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from reconciler.server.connection import Connection, rows

BEHIND = """
    SELECT coalesce(extract(epoch FROM max(replay_lag)), 0)::float8 AS seconds, (pg_current_wal_lsn() - '0/0')::int8 AS head,
           (min(replay_lsn) - '0/0')::int8 AS replayed
    FROM pg_stat_replication WHERE state = 'streaming'"""


@dataclass
class Lag:
    """The lag of the standby that is furthest behind: `seconds` and `bytes` as of the last look."""

    seconds: float = 0.0
    bytes: int = 0
    _marks: list[tuple[float, int]] = field(default_factory=list[tuple[float, int]])

    def look(self, connection: Connection) -> None:
        """Ask the server."""
        found = rows(connection, BEHIND)[0]
        self.learn(time.monotonic(), found["head"], found["replayed"], found["seconds"])

    def learn(self, now: float, head: int, replayed: int | None, told: float) -> None:
        """The WAL ends at `head`, of which all standbys have replayed what lies before `replayed` and are `told` behind."""
        if replayed is None:  # nobody follows
            self.seconds, self.bytes, self._marks = 0.0, 0, []
            return
        self._marks = [m for m in self._marks if m[1] > replayed]
        if head > replayed and (not self._marks or self._marks[-1][1] < head):
            self._marks.append((now, head))
        self.bytes = max(head - replayed, 0)
        self.seconds = (
            max(told, now - self._marks[0][0]) if self._marks else 0.0
        )  # caught up, it is told for a while yet
