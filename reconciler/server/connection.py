"""Connect to servers, run SQL, and translate the driver's errors."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, LiteralString, cast

import psycopg
from psycopg.rows import dict_row

from reconciler.errors import ConnectionFailed, SettingsError, StatementFailed
from reconciler.server.capabilities import Server
from reconciler.server.redaction import EXPECTED, hide, redacted
from reconciler.server.trust import withheld_hint

Row = dict[str, Any]
Connection = psycopg.Connection[Row]
APPLICATION = "reconcile"  # listed in model.reserved_names

# Settings that decide how PostgreSQL prints literals, so that all servers print alike.
PRINTING = {"datestyle": "ISO, MDY", "intervalstyle": "postgres"}

# Our sessions are idle while we wait for others or work on scratch. Before 14 there is no such
# setting.
NO_IDLE_TIMEOUT = (
    "SELECT set_config(name, '0', false) FROM pg_settings WHERE name = 'idle_session_timeout'"
)


def connect(target: str, *, application: str = APPLICATION) -> Connection:
    """Connect in autocommit mode.

    `target` is a libpq URL or keyword string; "" leaves everything to libpq's PG* variables. Raises
    SettingsError if `target` is neither, and ConnectionFailed; no message holds the password.
    """
    try:
        connection = Connection.connect(
            target, autocommit=True, row_factory=dict_row, fallback_application_name=application
        )
    except (psycopg.ProgrammingError, UnicodeError) as e:
        raise SettingsError(
            f"{redacted(target)} is not a connection string: {hide(str(e), target)}; {EXPECTED}"
        ) from None
    except psycopg.OperationalError as e:
        raise ConnectionFailed(
            f"cannot connect to {redacted(target)}: {hide(str(e).strip(), target)}"
            f"{withheld_hint(target)}"
        ) from None
    connection.prepare_threshold = None
    with translated():
        for setting, value in PRINTING.items():
            connection.execute("SELECT set_config(%s, %s, false)", [setting, value])
        connection.execute(NO_IDLE_TIMEOUT)
    return connection


def adjust(connection: Connection, settings: Mapping[str, str]) -> None:
    """Set parameters of the session; raises StatementFailed.

    The role comes last: it may lack the privilege to set the others.
    """
    for setting in sorted(settings, key=lambda s: s.lower() == "role"):
        rows(connection, "SELECT set_config(%s, %s, false)", [setting, settings[setting]])


def server_of(connection: Connection) -> Server:
    """Return the server's version and capabilities; raises Unsupported below 14."""
    server = Server(connection.info.server_version)
    server.require(server.major >= 14, "reconcile", 14)
    return server


def run_sql(connection: Connection, statement: str) -> None:
    """Execute one command; raises StatementFailed.

    The extended query protocol refuses a second command in the same string.
    """
    with translated(statement):
        connection.execute(cast("LiteralString", statement), binary=True)


def rows(
    connection: Connection,
    query: str,
    parameters: Sequence[object] | dict[str, object] | None = None,
) -> list[Row]:
    """Run one query by the extended query protocol, and return its rows; raises StatementFailed.

    Without `parameters` the query is sent verbatim: `%` needs no doubling.
    """
    with translated(query):
        cursor = connection.execute(
            cast("LiteralString", query), parameters, binary=parameters is None
        )
        return cursor.fetchall() if cursor.description else []


@contextmanager
def translated(statement: str = "") -> Generator[None]:
    """Translate errors of psycopg into StatementFailed."""
    try:
        yield
    except psycopg.Error as e:
        diag = e.diag
        raise StatementFailed(
            diag.message_primary or str(e).strip() or type(e).__name__,
            sqlstate=e.sqlstate or "",
            detail=diag.message_detail or "",
            hint=diag.message_hint or "",
            sql=statement,
        ) from e
