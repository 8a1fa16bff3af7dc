"""Connections: one door to the driver, what the server can do, and errors translated once."""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, LiteralString, cast
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import conninfo
from psycopg.rows import dict_row

from reconciler.errors import ConnectionFailed, SettingsError, StatementFailed
from reconciler.server.capabilities import Server

Row = dict[str, Any]
Connection = psycopg.Connection[Row]
APPLICATION = "reconcile"  # listed in model.reserved_names
PRINTING = {
    "datestyle": "ISO, MDY",
    "intervalstyle": "postgres",
}  # literals that PostgreSQL prints must read the same everywhere
# While we wait for others or work on scratch, nobody is to think that we have gone; below 14 there is no such setting.
NO_IDLE_TIMEOUT = (
    "SELECT set_config(name, '0', false) FROM pg_settings WHERE name = 'idle_session_timeout'"
)
_PASSWORD = re.compile(r"(password\s*=\s*)('(?:[^'\\]|\\.)*'|\S+)", re.I)


def connect(target: str, *, application: str = APPLICATION) -> Connection:
    """Connect in autocommit mode.

    `target` is a libpq URL or keyword string; "" leaves everything to libpq's PG* variables. Raises
    ConnectionFailed, whose text never holds the password.
    """
    try:
        connection = Connection.connect(
            target, autocommit=True, row_factory=dict_row, fallback_application_name=application
        )
    except psycopg.ProgrammingError as e:
        raise SettingsError(
            f"the target {redacted(target)!r} is not a connection string: {hide(str(e), target)}"
        ) from None
    except psycopg.OperationalError as e:
        raise ConnectionFailed(
            f"cannot connect to {redacted(target)}: {hide(str(e).strip(), target)}"
        ) from None
    connection.prepare_threshold = None
    with translated():
        for setting, value in PRINTING.items():
            connection.execute("SELECT set_config(%s, %s, false)", [setting, value])
        connection.execute(NO_IDLE_TIMEOUT)
    return connection


def adjust(connection: Connection, settings: Mapping[str, str]) -> None:
    """Set these for the session, the role last: it may not be allowed the others. Raises StatementFailed."""
    for setting in sorted(settings, key=lambda s: s.lower() == "role"):
        rows(connection, "SELECT set_config(%s, %s, false)", [setting, settings[setting]])


def server_of(connection: Connection) -> Server:
    """What the server at the other end can do; raises Unsupported below 14."""
    server = Server(connection.info.server_version)
    server.require(server.major >= 14, "reconcile", 14)
    return server


def run_sql(connection: Connection, statement: str) -> None:
    """Execute one command by the extended protocol, which refuses a second one; raises StatementFailed."""
    with translated(statement):
        connection.execute(cast("LiteralString", statement), binary=True)


def rows(
    connection: Connection,
    query: str,
    parameters: Sequence[object] | dict[str, object] | None = None,
) -> list[Row]:
    """Run one query by the extended protocol; raises StatementFailed.

    Without `parameters` the text is sent as it stands, `%` and all.
    """
    with translated(query):
        cursor = connection.execute(
            cast("LiteralString", query), parameters, binary=parameters is None
        )
        return cursor.fetchall() if cursor.description else []


@contextmanager
def translated(statement: str = "") -> Generator[None]:
    """Turn the driver's errors into StatementFailed."""
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


def redacted(target: str) -> str:
    """The connection string without its password, for people to read."""
    if "://" not in target:
        return _PASSWORD.sub(r"\1***", target) or "the server that libpq's PG* variables name"
    try:
        parts = urlsplit(target)
    except ValueError:
        return "the given URL"
    user, at, place = parts.netloc.rpartition("@")
    if ":" in user:
        user = user.split(":", 1)[0] + ":***"
    return urlunsplit(
        parts._replace(
            netloc=f"{user}{at}{place}",
            query=re.sub(r"((?:ssl)?password=)[^&]*", r"\1***", parts.query),
        )
    )


def hide(message: str, target: str) -> str:
    """The message with the target and its password blotted out."""
    message = message.replace(target, redacted(target)) if target else message
    try:
        password = conninfo.conninfo_to_dict(target).get("password")
    except psycopg.ProgrammingError:
        return re.sub(r"://[^@\s]*@", "://***@", _PASSWORD.sub(r"\1***", message))
    return message.replace(str(password), "***") if password else message
