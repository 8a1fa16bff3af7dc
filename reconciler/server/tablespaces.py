"""Create the target's tablespaces on a scratch server, as folders below the data folder."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from reconciler.errors import StatementFailed
from reconciler.server.connection import Connection, rows, run_sql
from reconciler.sql import compose, text

DEFAULT = "pg_default"  # comes with PostgreSQL
_PRESENT = "SELECT spcname::text AS name FROM pg_catalog.pg_tablespace WHERE spcname !~ '^pg_'"


@dataclass(frozen=True)
class Tablespaces:
    """The tablespaces made by a server's users, and `usual`, the database's tablespace."""

    names: Sequence[str] = ()
    usual: str = DEFAULT


def imitate(admin: Connection, tablespaces: Tablespaces) -> None:
    """Create the named tablespaces on the server, and drop all others.

    A server that cannot make tablespaces within its data folder, as before 14.5, gets none: it then
    refuses the objects that need one.
    """
    present = {r["name"] for r in rows(admin, _PRESENT)}
    for gone in sorted(present - {*tablespaces.names}):
        with suppress(StatementFailed):  # a database of another plan is using it
            run_sql(admin, text(compose("DROP TABLESPACE {}", gone)))
    for new in sorted({*tablespaces.names} - present):
        with suppress(StatementFailed):
            run_sql(admin, "SET allow_in_place_tablespaces = on")
            run_sql(admin, text(compose("CREATE TABLESPACE {} LOCATION ''", new)))
            run_sql(admin, text(compose("GRANT CREATE ON TABLESPACE {} TO PUBLIC", new)))
