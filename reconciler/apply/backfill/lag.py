"""Measure the replication lag of standbys.

pg_stat_replication.replay_lag says nothing of a standby that has stopped to replay. So this module
remembers WAL positions, each with the time at which it was the end of the WAL.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from reconciler.server.connection import Connection, rows

BEHIND = """
    SELECT coalesce(extract(epoch FROM max(replay_lag)), 0)::float8 AS seconds,
           (pg_current_wal_lsn() - '0/0')::int8 AS head,
           (min(replay_lsn) - '0/0')::int8 AS replayed
    FROM pg_stat_replication WHERE state = 'streaming'"""


@dataclass
class Lag:
    """The lag of the slowest standby, in seconds and in bytes of WAL."""

    seconds: float = 0.0
    bytes: int = 0
    _marks: list[tuple[float, int]] = field(default_factory=list[tuple[float, int]])

    def look(self, connection: Connection) -> None:
        """Query the server, and update the lag."""
        found = rows(connection, BEHIND)[0]
        self.learn(time.monotonic(), found["head"], found["replayed"], found["seconds"])

    def learn(self, now: float, head: int, replayed: int | None, reported: float) -> None:
        """Update the lag from WAL positions in bytes and the server's own figure in seconds.

        `head` is the end of the WAL; all standbys have replayed everything before `replayed`.
        """
        if replayed is None:  # no standby is connected
            self.seconds, self.bytes, self._marks = 0.0, 0, []
            return
        self._marks = [m for m in self._marks if m[1] > replayed]
        if head > replayed and (not self._marks or self._marks[-1][1] < head):
            self._marks.append((now, head))
        self.bytes = max(head - replayed, 0)
        # The server reports a lag for a while after the standby has caught up.
        self.seconds = max(reported, now - self._marks[0][0]) if self._marks else 0.0
