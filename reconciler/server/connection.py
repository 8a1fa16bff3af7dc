"""Connect to servers, run SQL, and translate the driver's errors."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, LiteralString, cast

import psycopg
from psycopg import conninfo, pq
from psycopg.rows import dict_row, tuple_row

from reconciler.errors import ConnectionFailed, SettingsError
from reconciler.server.names import APPLICATION
from reconciler.server.parameters import DEFAULTS, DEFAULTS_SINCE_17, FIXED, IDLE_LIMIT, READING
from reconciler.server.pooler import assert_session_kept, is_pooled
from reconciler.server.redaction import EXPECTED, hide, redacted
from reconciler.server.session import LIMITS, Connection, Row, server_of, translated
from reconciler.server.trust import withheld_hint

# The driver logs what goes wrong after a statement has failed; the failure is raised.
logging.getLogger("psycopg").addHandler(logging.NullHandler())

# Against a network that drops packets: without an answer, a connection ends after a minute. libpq
# ignores the parameters on Unix sockets.
NETWORK = {
    "connect_timeout": "15",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "60000",
}
NO_SERVER = {"host": "/nowhere", "hostaddr": ""}  # a connection there fails at once


def connect(
    target: str, *, application: str = APPLICATION, settings: Mapping[str, str] | None = None
) -> Connection:
    """Connect in autocommit mode, and set the parameters of the session.

    `target` is a libpq URL or keyword string; "" leaves everything to libpq's PG* variables.
    `settings` replace some of the parameters. Raises SettingsError if `target` is neither, and
    ConnectionFailed, also for a pooler that does not keep sessions; no message holds the password.
    A session behind a pooler has its former state again when the connection is closed.
    """
    connection = _open(target, application)
    try:
        with translated("", connection):
            if is_pooled(connection):
                assert_session_kept(connection, partial(_open, target, application))
                connection.share()
        _set_parameters(connection, settings or {})
    except BaseException:
        connection.close()
        raise
    return connection


def connect_to_read(
    target: str, settings: Mapping[str, str] | None = None, *, application: str = APPLICATION
) -> Connection:
    """Connect as `connect` does, and let every transaction set the parameters for itself.

    The session keeps none of them: a pooler may lend it to somebody else at any time. `settings`
    are the user's; raises SettingsError for one of FIXED, and StatementFailed.
    """
    connection = _open(target, application)
    connection.settings = {**FIXED, **_defaults(connection), **READING}
    try:
        if settings:
            adjust(connection, settings)
    except BaseException:
        connection.close()
        raise
    return connection


def _open(target: str, application: str) -> Connection:
    """Connect in autocommit mode, without a change of the session."""
    try:
        everything = _with_network(target, application)
        connection = Connection.connect(everything, autocommit=True, row_factory=dict_row)
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
    return connection


def _with_network(target: str, application: str) -> str:
    """Add the encoding, and those of NETWORK that neither `target` nor its environment sets.

    libpq alone knows how these are merged: ask libpq for the parameters of a failed connection.
    """
    asked = pq.PGconn.connect_start(conninfo.make_conninfo(target, **NO_SERVER).encode())
    present = {o.keyword.decode() for o in asked.info if o.val}
    asked.finish()
    added = {name: value for name, value in NETWORK.items() if name not in present}
    return conninfo.make_conninfo(
        target,
        fallback_application_name=application,
        client_encoding=FIXED["client_encoding"],
        **added,
    )


def _defaults(connection: Connection) -> Mapping[str, str]:
    """Return the parameters of DEFAULTS known to the server."""
    since_17 = server_of(connection).has_transaction_timeout
    return {**DEFAULTS, **(DEFAULTS_SINCE_17 if since_17 else {})}


def _set_parameters(connection: Connection, settings: Mapping[str, str]) -> None:
    """Set the parameters of the session by statements independent of the search_path."""
    defaults = _defaults(connection)
    limits = (f"SET {name} = {defaults[name]}" for name in LIMITS if name in defaults)
    values = {**FIXED, **defaults, **settings}
    with translated("", connection):
        connection.execute_first("; ".join(limits))
        query, parts = _assignment(values, local=False)
        fires = connection.execute(f"{query}, {IDLE_LIMIT}", parts).fetchall()
        if fires[0]["session_replication_role"] != "origin":
            # Only a privileged role may change the parameter.
            connection.execute("SELECT set_config('session_replication_role', 'origin', false)")


def fix_parameters(connection: Connection, settings: Mapping[str, str] | None = None) -> None:
    """Set the fixed parameters, and `settings`, until the end of the transaction.

    A pooler may give each transaction another session.
    """
    with translated("", connection):
        connection.execute(*_assignment({**FIXED, **(settings or {})}, local=True))


def _assignment(values: Mapping[str, str], *, local: bool) -> tuple[LiteralString, list[object]]:
    """Return a query to set parameters, and the values for the query."""
    call: LiteralString = "pg_catalog.set_config(%s, %s, %s)"
    role: LiteralString = "pg_catalog.current_setting('session_replication_role')"
    calls = cast("LiteralString", ", ".join([call] * len(values)))
    return (
        f"SELECT {calls}, {role} AS session_replication_role",
        [part for name, value in values.items() for part in (name, value, local)],
    )


def adjust(connection: Connection, settings: Mapping[str, str]) -> None:
    """Set parameters of the session; raises StatementFailed, and SettingsError for FIXED.

    The role comes last: it may lack the privilege to set the others.
    """
    if fixed := sorted(s for s in settings if s.lower() in FIXED):
        raise SettingsError(
            f"{', '.join(fixed)}: reconcile sets this itself, because the meaning of a plan's SQL"
            " depends on it; remove it from --set and from `session` in reconcile.yml"
        )
    if connection.settings is not None:
        connection.settings = {**connection.settings, **settings}
        with translated("", connection):  # PostgreSQL's answer to the settings
            connection.begin()
            connection.rollback()
        return
    for setting in sorted(settings, key=lambda s: s.lower() == "role"):
        rows(connection, "SELECT set_config(%s, %s, false)", [setting, settings[setting]])


def run_sql(connection: Connection, statement: str) -> None:
    """Execute one command; raises StatementFailed.

    The extended query protocol refuses a second command in the same string.
    """
    with translated(statement, connection), connection.single():
        connection.execute(cast("LiteralString", statement), binary=True)


def rows(
    connection: Connection,
    query: str,
    parameters: Sequence[object] | dict[str, object] | None = None,
) -> list[Row]:
    """Run one query by the extended query protocol, and return its rows; raises StatementFailed.

    Without `parameters` the query is sent verbatim: `%` needs no doubling. A query without columns
    returns no rows.
    """
    plain = parameters is None
    with translated(query, connection), connection.single():
        command = connection.as_prepared(query) if plain else query
        cursor = connection.execute(cast("LiteralString", command), parameters, binary=plain)
        return cursor.fetchall() if cursor.description else []


def tuples(connection: Connection, query: str) -> list[tuple[Any, ...]]:
    """Run one query as `rows` does; return the rows as tuples, for results of many rows."""
    with (
        translated(query, connection),
        connection.single(),
        connection.cursor(row_factory=tuple_row) as cursor,
    ):
        command = cast("LiteralString", connection.as_prepared(query))
        return cursor.execute(command, binary=True).fetchall()


def rows_at_once(
    connection: Connection, queries: Sequence[tuple[str, dict[str, object] | None]]
) -> list[list[Row]]:
    """Run queries, each with its parameters, as one transaction; raises StatementFailed.

    All are sent together, with the end of the transaction: the server waits for nothing from us
    while it holds locks.
    """
    with translated("; ".join(query for query, _ in queries), connection):
        with connection.pipeline():
            cursors = [
                connection.execute(cast("LiteralString", query), values, binary=values is None)
                for query, values in queries
            ]
        return [cursor.fetchall() if cursor.description else [] for cursor in cursors]
