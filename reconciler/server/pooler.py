"""Detect a connection pooler before the server, and whether sessions stay with their client.

https://www.pgbouncer.org/features.html
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from select import select

from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGconn

from reconciler.errors import ConnectionFailed
from reconciler.server.session import Connection

POOLED = (
    "a pooler stands between us and the server, and gives every transaction another session, "
    "without our settings and our lock: name the server itself, or the pooler's session mode"
)
ROUNDS = 10  # a busy pool may hand out the same session by chance
ANSWER_TIMEOUT = 1.0  # seconds
_PID = b"SELECT pg_catalog.pg_backend_pid() AS pid"


def is_pooled(connection: Connection) -> bool:
    """Tell whether a pooler answers in place of the server.

    Its number of the server process, by which statements are cancelled, is one of its own.
    """
    return _pid(connection) != connection.info.backend_pid


def assert_session_kept(connection: Connection, connect: Callable[[], Connection]) -> None:
    """Raise ConnectionFailed if other connections get the session between two transactions.

    `connect` opens a second connection, whose transaction holds a session for the time of a look.
    Nothing is changed on either.
    """
    with closing(connect()) as other:
        for _ in range(ROUNDS):
            own = _pid(connection)
            if _pid(connection) != own:  # the pool hands out its sessions in turn
                raise ConnectionFailed(POOLED)
            other.pgconn.send_query(b"BEGIN; " + _PID)
            pid_of_other = _answer(other.pgconn, ANSWER_TIMEOUT)
            # If the other has our session, the pool may have none with which to answer us.
            own_pid = own if pid_of_other == own else _pid(connection)
            pid_of_other = pid_of_other or _answer(other.pgconn, 0.0)
            if pid_of_other is None:  # it waits for a session, and we have ours
                return
            other.rollback()
            if pid_of_other == own or own_pid != own:
                raise ConnectionFailed(POOLED)


def _pid(connection: Connection) -> int:
    """Return the number of the server process."""
    connection.begin()
    (found,) = connection.execute(_PID).fetchall()
    connection.commit()
    return found["pid"]


def _answer(pgconn: PGconn, seconds: float) -> int | None:
    """Return the number in the answer to a sent query, or None without an answer yet."""
    deadline, found = time.monotonic() + seconds, None
    while True:
        while pgconn.is_busy():
            if not select([pgconn.socket], [], [], max(deadline - time.monotonic(), 0.0))[0]:
                return None
            pgconn.consume_input()
        result = pgconn.get_result()
        if result is None:
            return found
        if result.status == ExecStatus.TUPLES_OK:
            found = int(result.get_value(0, 0) or 0)
