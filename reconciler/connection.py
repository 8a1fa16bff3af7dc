"""Connections: one door to the driver, what the server can do, and errors translated once."""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, LiteralString, cast
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import conninfo
from psycopg.rows import dict_row

from reconciler.errors import ConnectionFailed, SettingsError, StatementFailed, Unsupported

Row = dict[str, Any]
Connection = psycopg.Connection[Row]
PRINTING = {"datestyle": "ISO, MDY", "intervalstyle": "postgres"}  # literals that PostgreSQL prints must read the same everywhere
# While we wait for others or work on scratch, nobody is to think that we have gone; below 14 there is no such setting.
UNHURRIED = "SELECT set_config(name, '0', false) FROM pg_settings WHERE name = 'idle_session_timeout'"
_PASSWORD = re.compile(r"(password\s*=\s*)('(?:[^'\\]|\\.)*'|\S+)", re.I)


@dataclass(frozen=True)
class Server:
    """A server's version and what it can do; one property for each gate.

    `version` is `server_version_num`: 180004 is 18.4. One that stands for an older server has no more features than that.
    """

    version: int
    stands_for: int | None = None

    @property
    def major(self) -> int:
        """The major version, 18, by its features."""
        return self.stands_for or self._catalogs

    @property
    def _catalogs(self) -> int:
        """The major version by the layout of its catalogs."""
        return self.version // 10000

    def standing_for(self, other: Server) -> Server:
        """The same server, as the older one would see what it holds."""
        return replace(self, stands_for=min(self.major, other.major))

    @property
    def has_security_invoker(self) -> bool:
        """Views that read as the one who asks (15)."""
        return self.major >= 15

    @property
    def has_not_null_constraints(self) -> bool:
        """NOT NULL as a constraint that can be NOT VALID (18)."""
        return self.major >= 18

    @property
    def silence(self) -> str:
        """The setting, and its value, with which no event trigger fires (17), or few do."""
        return "'event_triggers', 'off'" if self.major >= 17 else "'session_replication_role', 'replica'"

    @property
    def may_set(self) -> str:
        """Whether the role may set a parameter that is not for everybody, as SQL over its name."""
        return "has_parameter_privilege({}, 'SET')" if self.major >= 15 else "current_setting('is_superuser')::boolean"

    @property
    def has_transaction_timeout(self) -> bool:
        """transaction_timeout, which would end long steps too (17)."""
        return self.major >= 17

    @property
    def has_nulls_not_distinct(self) -> bool:
        """UNIQUE NULLS NOT DISTINCT (15)."""
        return self.major >= 15

    @property
    def has_plain_not_valid_everywhere(self) -> bool:
        """Foreign keys NOT VALID on partitioned tables (18)."""
        return self.major >= 18

    @property
    def has_publication_details(self) -> bool:
        """Publications of schemas, with column lists and row filters (15)."""
        return self.major >= 15

    @property
    def has_published_generated_columns(self) -> bool:
        """Publications of generated columns (18)."""
        return self.major >= 18

    @property
    def has_maintain(self) -> bool:
        """The privilege MAINTAIN on tables (17)."""
        return self.major >= 17

    @property
    def has_unlogged_sequences(self) -> bool:
        """Sequences that begin anew after a crash (15)."""
        return self.major >= 15

    @property
    def has_default_storage(self) -> bool:
        """SET STORAGE DEFAULT (16)."""
        return self.major >= 16

    @property
    def has_set_expression(self) -> bool:
        """Another expression for a stored generated column (17)."""
        return self.major >= 17

    @property
    def has_virtual_columns(self) -> bool:
        """Generated columns that are computed when read (18)."""
        return self.major >= 18

    @property
    def has_set_access_method(self) -> bool:
        """ALTER TABLE … SET ACCESS METHOD (15)."""
        return self.major >= 15

    @property
    def has_temporal_keys(self) -> bool:
        """WITHOUT OVERLAPS, PERIOD and NOT ENFORCED (18)."""
        return self.major >= 18

    @property
    def has_set_null_columns(self) -> bool:
        """ON DELETE SET NULL (columns) (15)."""
        return self.major >= 15

    @property
    def has_domain_not_null_constraints(self) -> bool:
        """NOT NULL of a domain as a constraint with a name (17)."""
        return self.major >= 17

    @property
    def has_collation_rules(self) -> bool:
        """ICU collations with rules of their own (16)."""
        return self.major >= 16

    @property
    def collation_locale(self) -> str:
        """The column that holds the locale of an ICU collation (15; renamed in 17), before that it is no column of its own."""
        return "c.colllocale" if self._catalogs >= 17 else "c.colliculocale" if self._catalogs >= 15 else ""

    def require(self, capable: bool, feature: str, since: int) -> None:
        """Raise Unsupported unless `capable`."""
        if not capable:
            raise Unsupported(f"{feature} needs PostgreSQL {since}; this server is {self.major}")


def connect(target: str, *, application: str = "reconcile") -> Connection:
    """Connect in autocommit mode.

    `target` is a libpq URL or keyword string; "" leaves everything to libpq's PG* variables. Raises
    ConnectionFailed, whose text never holds the password.
    """
    try:
        connection = Connection.connect(target, autocommit=True, row_factory=dict_row, fallback_application_name=application)
    except psycopg.ProgrammingError as e:
        raise SettingsError(f"the target {redacted(target)!r} is not a connection string: {hide(str(e), target)}") from None
    except psycopg.OperationalError as e:
        raise ConnectionFailed(f"cannot connect to {redacted(target)}: {hide(str(e).strip(), target)}") from None
    connection.prepare_threshold = None
    with translated():
        for setting, value in PRINTING.items():
            connection.execute("SELECT set_config(%s, %s, false)", [setting, value])
        connection.execute(UNHURRIED)
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


def run(connection: Connection, statement: str) -> None:
    """Execute one command by the extended protocol, which refuses a second one; raises StatementFailed."""
    with translated(statement):
        connection.execute(cast("LiteralString", statement), binary=True)


def rows(connection: Connection, query: str, parameters: Sequence[object] | dict[str, object] | None = None) -> list[Row]:
    """Run one query by the extended protocol; raises StatementFailed.

    Without `parameters` the text is sent as it stands, `%` and all.
    """
    with translated(query):
        cursor = connection.execute(cast("LiteralString", query), parameters, binary=parameters is None)
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
    return urlunsplit(parts._replace(netloc=f"{user}{at}{place}", query=re.sub(r"((?:ssl)?password=)[^&]*", r"\1***", parts.query)))


def hide(message: str, target: str) -> str:
    """The message with the target and its password blotted out."""
    message = message.replace(target, redacted(target)) if target else message
    try:
        password = conninfo.conninfo_to_dict(target).get("password")
    except psycopg.ProgrammingError:
        return re.sub(r"://[^@\s]*@", "://***@", _PASSWORD.sub(r"\1***", message))
    return message.replace(str(password), "***") if password else message
