"""Make the databases that a benchmark compares, on a server that ends with this process."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from psycopg import conninfo

from reconciler.errors import ReconcileError, ScratchError, StatementFailed
from reconciler.server.connection import Connection, connect, rows, run_sql, translated
from reconciler.server.disposable import scratch_server
from reconciler.server.elevation import NO_ONE, OWNERS
from reconciler.server.installation import embedded_installations
from reconciler.server.scratch import drop_database
from reconciler.sql import compose, literal, raw, text

USER = "reconcile_bench"
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
_COUNTS = """
    SELECT c.oid::regclass::text AS name, c.reltuples::bigint AS rows
    FROM pg_class AS c JOIN pg_namespace AS s ON s.oid = c.relnamespace
    WHERE c.relkind = 'r' AND c.reltuples > 0
          AND s.nspname NOT IN ('pg_catalog', 'information_schema')
    ORDER BY 2 DESC, 1"""

_ROLES = f"""
    SELECT rolname::text AS name FROM pg_roles
    WHERE rolname NOT IN (%s, '{NO_ONE}', '{OWNERS}') AND oid >= 16384"""

_PRESENT = "SELECT rolname::text AS name FROM pg_roles"
_SOURCE_ROLES = """
    SELECT rolname::text AS name, rolbypassrls AS bypasses FROM pg_roles
    WHERE rolname !~ '^pg_' ORDER BY 1"""
_MEMBERS = """
    SELECT r.rolname::text AS role, m.rolname::text AS member FROM pg_auth_members AS a
    JOIN pg_roles AS r ON r.oid = a.roleid JOIN pg_roles AS m ON m.oid = a.member ORDER BY 1, 2"""


@dataclass(frozen=True)
class BenchServer:
    """A confined server with the URL of its superuser."""

    url: str
    title: str

    def create(self, name: str, template: str = "template0") -> str:
        """Create a database, a copy of the template's, and return its URL."""
        with connect(self.url) as connection:
            drop_database(connection, name)
            run_sql(
                connection,
                text(compose("CREATE DATABASE {} TEMPLATE {}", name, template)),
            )
        return conninfo.make_conninfo(self.url, dbname=name)

    def drop(self, names: Iterable[str]) -> None:
        """Drop databases, and the roles that were made for them: scripts may make them again."""
        with connect(self.url) as connection:
            for name in names:
                drop_database(connection, name)
            for row in rows(connection, _ROLES, [USER]):
                run_sql(connection, text(compose("DROP ROLE {}", row["name"])))


def start_server() -> BenchServer:
    """Start the newest embedded PostgreSQL; raises ScratchError where there is none."""
    for installation in embedded_installations():
        running = scratch_server(installation, SETTINGS)
        return BenchServer(_with_user(running.url), installation.title)
    raise ScratchError("no embedded PostgreSQL: pip install 'pg-reconciler[embedded]'")


@cache
def _with_user(url: str) -> str:
    """Create the user of the benchmark, and return its URL.

    Planning gives the target's user as a role of its own scratch server, where it cannot be the
    one that initdb made.
    """
    password = secrets.token_urlsafe(24)
    create = compose("CREATE ROLE {} SUPERUSER LOGIN PASSWORD {}", USER, literal(password))
    with connect(url) as connection:
        run_sql(connection, text(create))
    return conninfo.make_conninfo(url, user=USER, password=password)


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


def copy_roles(source: Connection, url: str) -> None:
    """Create the roles of a server on the server of the benchmark, with their memberships."""
    with connect(url) as connection:
        present = {row["name"] for row in rows(connection, _PRESENT)}
        for row in rows(source, _SOURCE_ROLES):
            if row["name"] not in present:
                bypasses = raw(" BYPASSRLS" if row["bypasses"] else "")
                run_sql(connection, text(compose("CREATE ROLE {}{}", row["name"], bypasses)))
        for row in rows(source, _MEMBERS):
            with suppress(StatementFailed):  # of PostgreSQL's own roles
                run_sql(connection, text(compose("GRANT {} TO {}", row["role"], row["member"])))


def fill(url: str, statements: Iterable[tuple[str, str]]) -> None:
    """Fill tables, each by a statement, without triggers and checks of foreign keys.

    Raises ReconcileError with the table that cannot be filled.
    """
    with connect(url) as connection:
        connection.execute("SET session_replication_role = replica")
        for table, statement in statements:
            try:
                run_sql(connection, statement)
            except StatementFailed as error:
                raise ReconcileError(
                    f"no rows could be made for {table} from its statistics: {error.message}\n"
                    "--start FILE, with SQL that makes the database and its rows, would do"
                ) from error


def settle(url: str) -> dict[str, int]:
    """Bring statistics and visibility maps up to date; return the rows of the tables."""
    with connect(url) as connection:
        run_sql(connection, "VACUUM (ANALYZE)")
        run_sql(connection, "CHECKPOINT")
        return {row["name"]: row["rows"] for row in rows(connection, _COUNTS)}
