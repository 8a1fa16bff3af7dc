"""The record of runs, kept in the target: who, when, what was planned, and how each step went.

Correctness never depends on it: it is read for history and for going back.
"""

from __future__ import annotations

import getpass
import socket
import subprocess
from dataclasses import dataclass
from typing import LiteralString

from psycopg.types.json import Jsonb

from reconciler import __version__
from reconciler.connection import Connection, rows, translated
from reconciler.errors import StatementFailed

SCHEMA: tuple[LiteralString, ...] = (
    "CREATE SCHEMA IF NOT EXISTS reconcile",
    """CREATE TABLE IF NOT EXISTS reconcile.run (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        finished_at timestamptz,
        status text NOT NULL DEFAULT 'running' CHECK (status IN ('running', 'done', 'failed', 'interrupted')),
        role_name text NOT NULL DEFAULT current_user,
        client_user text NOT NULL,
        client_host text NOT NULL,
        version text NOT NULL,
        git_commit text,
        plan jsonb NOT NULL)""",
    """CREATE TABLE IF NOT EXISTS reconcile.step (
        run_id bigint NOT NULL REFERENCES reconcile.run ON DELETE CASCADE,
        step_id text NOT NULL,
        status text NOT NULL CHECK (status IN ('done', 'failed', 'skipped')),
        finished_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        seconds double precision NOT NULL,
        attempts integer NOT NULL,
        error text,
        PRIMARY KEY (run_id, step_id))""",
)


@dataclass(frozen=True)
class Journal:
    """One run's entry; written through the applier's own connection, between its transactions."""

    connection: Connection
    run: int

    def step(self, step_id: str, status: str, seconds: float, attempts: int, error: str | None) -> None:
        """Record how a step went: done, failed or skipped."""
        with translated():
            self.connection.execute(
                "INSERT INTO reconcile.step (run_id, step_id, status, seconds, attempts, error) VALUES (%s, %s, %s, %s, %s, %s)",
                [self.run, step_id, status, seconds, attempts, error],
            )

    def finish(self, status: str) -> None:
        """Record how the run went: done, failed or interrupted."""
        with translated():
            self.connection.execute(
                "UPDATE reconcile.run SET status = %s, finished_at = clock_timestamp() WHERE id = %s", [status, self.run]
            )


def begin(connection: Connection, plan: dict[str, object]) -> Journal | None:
    """Open an entry for a run of `plan`, making the journal's tables if they are not there.

    Only one applier runs at a time, so an entry that is still running is one whose client died. None where this role
    may not write the journal: a run does not depend on it.
    """
    try:
        return _begin(connection, plan)
    except StatementFailed as e:
        if e.sqlstate != "42501":
            raise
        return None


def _begin(connection: Connection, plan: dict[str, object]) -> Journal:
    with translated(), connection.transaction():
        if not rows(connection, "SELECT to_regclass('reconcile.step') AS there")[0]["there"]:
            for statement in SCHEMA:
                connection.execute(statement)
        connection.execute("UPDATE reconcile.run SET status = 'interrupted' WHERE status = 'running'")
        entry = rows(
            connection,
            """INSERT INTO reconcile.run (client_user, client_host, version, git_commit, plan)
               VALUES (%s, %s, %s, %s, %s) RETURNING id""",
            [_user(), socket.gethostname(), __version__, _commit(), Jsonb(plan)],
        )
    return Journal(connection, entry[0]["id"])


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container whose user has no name
        return "?"


def _commit() -> str | None:
    """The git commit of the working directory, if it is one."""
    try:
        done = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False, timeout=5)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None
