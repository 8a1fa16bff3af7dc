"""Fill the databases that a benchmark compares."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from reconciler.errors import ReconcileError, StatementFailed
from reconciler.server.connection import Connection, connect, rows, run_sql
from reconciler.sql import compose, raw, text

_COUNTS = """
    SELECT c.oid::regclass::text AS name, c.reltuples::bigint AS rows
    FROM pg_class AS c JOIN pg_namespace AS s ON s.oid = c.relnamespace
    WHERE c.relkind = 'r' AND c.reltuples > 0
          AND s.nspname NOT IN ('pg_catalog', 'information_schema')
    ORDER BY 2 DESC, 1"""
_PRESENT = "SELECT rolname::text AS name FROM pg_roles"
_SOURCE_ROLES = """
    SELECT rolname::text AS name, rolbypassrls AS bypasses FROM pg_roles
    WHERE rolname !~ '^pg_' ORDER BY 1"""
_MEMBERS = """
    SELECT r.rolname::text AS role, m.rolname::text AS member FROM pg_auth_members AS a
    JOIN pg_roles AS r ON r.oid = a.roleid JOIN pg_roles AS m ON m.oid = a.member ORDER BY 1, 2"""


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


def vacuum(url: str) -> dict[str, int]:
    """Bring statistics and visibility maps up to date; return the rows of the tables."""
    with connect(url) as connection:
        run_sql(connection, "VACUUM (ANALYZE)")
        run_sql(connection, "CHECKPOINT")
        return {row["name"]: row["rows"] for row in rows(connection, _COUNTS)}
