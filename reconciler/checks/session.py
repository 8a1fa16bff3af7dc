"""Run each statement of a check in a separate transaction, and roll back."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import LiteralString, cast

import psycopg
from psycopg import IsolationLevel, adapt, pq

from reconciler.checks.model import Actor, Computed
from reconciler.checks.stored import (
    CALL,
    Declared,
    NotStored,
    Stored,
    become,
    run_utility,
    search_path,
    spelled,
    store,
)
from reconciler.errors import StatementFailed
from reconciler.server.connection import Connection, rows, run_sql, translated
from reconciler.server.locks import LockPolicy
from reconciler.sql import compose, raw, text

SECONDS = 60.0  # how long a check may run
RECORD, BYTEA = (psycopg.adapters.types[t].oid for t in ("record", "bytea"))
LOCK_SECONDS = LockPolicy().lock  # whoever waits for a strong lock lets others wait
# A statement is stored in a writable transaction; nothing takes back a READ ONLY that follows.
_SAVEPOINT = b"SAVEPOINT reconcile_check"
# COMMIT is reached only once all is taken back, and commits nothing: a ROLLBACK in its place would
# be counted by pg_stat_database, where operators look for the errors of an application. It does not
# wait for a synchronous standby.
_END = (
    b"ROLLBACK TO reconcile_check; SET LOCAL synchronous_commit TO off;"
    b" SELECT pg_catalog.pg_advisory_unlock_all(); COMMIT"
)
_READ_ONLY = """
    SELECT pg_catalog.set_config('transaction_read_only', 'on', true),
           pg_catalog.set_config('search_path', %s, true)"""
_AS_DEFAULT = """
    SELECT pg_catalog.set_config('transaction_read_only',
               pg_catalog.current_setting('default_transaction_read_only'), true),
           pg_catalog.set_config('search_path', %s, true)"""
Settings = Mapping[str, str]


class NothingToLookAt(Exception):
    """The assertion is vacuous: the message says what was not found."""


@dataclass(frozen=True)
class Terms:
    """How checks are run.

    `url` leads to the target's database as the user of the checks; None leaves the choice to
    `url_for_checks`. `declared` routines and operators may answer in place of PostgreSQL's own.
    """

    url: str | None = None
    declared: Declared = ()
    seconds: float = SECONDS


@dataclass(frozen=True)
class CheckSession:
    """The connection of a check.

    `values` holds the results of the settings' queries: assertions often share settings.
    """

    connection: Connection
    schema: str
    terms: Terms
    values: dict[tuple[str, frozenset[tuple[str, str]]], object] = field(
        default_factory=dict[tuple[str, frozenset[tuple[str, str]]], object]
    )

    # -- what is computed beforehand

    def settings(self, actor: Actor | None) -> Settings:
        """Return the settings of an actor; a query sees the settings above.

        Raises NothingToLookAt where a query returns no row or NULL, NotStored where it fails.
        """
        settings: dict[str, str] = {}
        for name, value in (actor.settings if actor else {}).items():
            if isinstance(value, str):
                settings[name] = value
                continue
            try:
                found = self.computed(value, settings)
            except StatementFailed as error:
                raise NotStored(f"the settings of `as` could not be read: {error}") from error
            if found is None:
                raise NothingToLookAt(f"the query of the setting {name} found nothing")
            settings[name] = str(found)
        return settings

    def computed(self, value: Computed, settings: Settings) -> object:
        """Return the value of a query, run as the user of the checks; None for no row."""
        key = (value.query, frozenset(settings.items()))
        if key not in self.values:
            with self.posed(value.query, settings, None, writes=False) as stored:
                self.values[key] = self.first_value(stored)
        return self.values[key]

    def count(self, query: str, settings: Settings, limit: int) -> int:
        """Count the rows of a query up to a limit, as the user of the checks."""
        template: LiteralString = (
            "SELECT pg_catalog.count(*) FROM (SELECT FROM ({}\n) AS rows LIMIT {}) AS counted"
        )
        counted = compose(template, raw(query.strip().rstrip(";")), raw(str(limit)))
        return int(str(self.computed(Computed(query=text(counted)), settings)))

    # -- transactions

    @contextmanager
    def posed(
        self, statement: str, settings: Settings, role: str | None, *, writes: bool
    ) -> Generator[Stored]:
        """Store the statement and yield it, ready to be called, in a transaction of its own."""
        with self.transaction(settings):
            stored = store(self.connection, statement, role, self.terms.declared)
            self.begin_run(settings, role, writes=writes or stored.modifies)
            yield stored

    @contextmanager
    def spelled(
        self, statement: str, settings: Settings, role: str | None, *, writes: bool
    ) -> Generator[Stored]:
        """Store the statement, and yield PostgreSQL's spelling, all names with schemas.

        The text is run instead of the stored function, whose effects and plan are not seen.
        """
        with self.transaction(settings):
            stored = store(self.connection, statement, role, self.terms.declared)
            printed = spelled(self.connection)
            self.begin_run(settings, role, writes=writes or stored.modifies)
            yield Stored(stored.type_oid, printed, stored.modifies)

    def run_command(self, statement: str, settings: Settings, role: str | None) -> None:
        """Run a utility command, for example TRUNCATE."""
        with self.transaction(settings):
            self.begin_run({}, role, writes=True)
            run_utility(self.connection, statement)

    def begin_run(self, settings: Settings, role: str | None, *, writes: bool) -> None:
        """Set the mode, the path and the role for what the check itself does."""
        path = settings.get("search_path", search_path(self.schema))
        rows(self.connection, _AS_DEFAULT if writes else _READ_ONLY, [path])
        if role is not None:
            become(self.connection, role)

    @contextmanager
    def transaction(self, settings: Settings, *, snapshot: bool = False) -> Generator[None]:
        """Open a transaction with the settings, on request with a single snapshot; roll back.

        Session advisory locks are released as well: they would outlive the transaction, and behind
        a pooler the connection.
        """
        try:
            self.connection.isolation_level = IsolationLevel.REPEATABLE_READ if snapshot else None
            with translated("", self.connection):
                self.connection.begin()
                self.connection.execute(_SAVEPOINT)
        except StatementFailed as error:
            raise NotStored(f"checks run on a primary server only: {error}") from error
        try:
            self._set(settings)
            yield
        finally:
            with suppress(psycopg.Error):
                self.connection.execute(_END)
            if not self.connection.is_idle:
                self.connection.close()  # the server rolls back

    def _set(self, settings: Settings) -> None:
        """Set the path, the settings and the time limits; raises NotStored."""
        values = {"search_path": search_path(self.schema), **settings}
        values["statement_timeout"] = f"{self.terms.seconds:g}s"
        values["lock_timeout"] = f"{LOCK_SECONDS:g}s"
        calls = ", ".join(["pg_catalog.set_config(%s, %s, true)"] * len(values))
        try:
            rows(self.connection, f"SELECT {calls}", [p for pair in values.items() for p in pair])
        except StatementFailed as error:
            raise NotStored(f"the settings of `as` could not be set: {error}") from error

    def leave_role(self) -> None:
        """Return to the user of the checks within a transaction."""
        run_sql(self.connection, "RESET ROLE")

    # -- results

    def first_value(self, stored: Stored) -> object:
        """Call the stored statement and return the first column of the first row, or None."""
        return self.counted_value(stored)[0]

    def counted_value(self, stored: Stored) -> tuple[object, int]:
        """Call the stored statement; return the first value, and the number of rows."""
        row, count = None, 0
        with translated(CALL), self.connection.cursor() as cursor:
            for found in cursor.stream(CALL, binary=True):  # keeps one row at a time in memory
                row, count = row or found["answer"], count + 1
        if not row:
            return None, count
        value = row if stored.type_oid == RECORD else row[0]
        if not isinstance(value, bytes) or stored.type_oid == BYTEA:
            return value, count
        # In a record, values of domains and enums come as bytes.
        loader = adapt.Transformer(self.connection).get_loader(stored.type_oid, pq.Format.BINARY)
        value = loader.load(value)
        return (value.decode(errors="replace") if isinstance(value, bytes) else value), count

    def call(self) -> None:
        """Call the stored statement where it is to fail, and keep no row.

        psycopg cancels a stream that fails, and behind a pooler that may reach the next statement.
        """
        rows(self.connection, f"SELECT pg_catalog.count(*) AS n FROM ({CALL}) AS called")

    def affected(self, statement: str) -> int:
        """Run a statement, and return the number of rows in its command tag.

        Raises StatementFailed, and NotStored for a command that writes nothing.
        """
        with translated(statement, self.connection):
            cursor = self.connection.execute(cast("LiteralString", statement), binary=True)
        tag = (cursor.statusmessage or "").partition(" ")[0]
        if tag not in {"INSERT", "UPDATE", "DELETE", "MERGE"}:
            raise NotStored(f"this is no INSERT, UPDATE, DELETE or MERGE but {tag or 'nothing'}")
        return cursor.rowcount
