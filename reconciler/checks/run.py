"""Run declared checks, each on a connection of its own, and roll back whatever they do."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import cast

import psycopg
from psycopg import adapt, pq

from reconciler.checks.access import url_for_checks
from reconciler.checks.model import Actor, Assertion, Check, Setting
from reconciler.checks.stored import (
    CALL,
    Declared,
    NotStored,
    Stored,
    become,
    run_utility,
    search_path,
    store,
)
from reconciler.errors import StatementFailed
from reconciler.server.connection import Connection, connect_to_read, rows, run_sql, translated
from reconciler.server.deadline import Guarded
from reconciler.server.locks import LockPolicy

SECONDS = 60.0  # how long a check may run
SYNTAX_ERROR = "42601"
MAX_SHOWN = 300  # characters of a value, or of a line of a complaint
MAX_LINES = 20  # of a complaint
RECORD, BYTEA = (psycopg.adapters.types[t].oid for t in ("record", "bytea"))
LOCK_SECONDS = LockPolicy().lock  # whoever waits for a strong lock lets others wait
# A statement is stored in a writable transaction; nothing takes back a READ ONLY that follows.
_SAVEPOINT = b"SAVEPOINT reconcile_check"
_END = b"ROLLBACK TO reconcile_check; SELECT pg_catalog.pg_advisory_unlock_all(); ROLLBACK"
_READ_ONLY = """
    SELECT pg_catalog.set_config('transaction_read_only', 'on', true),
           pg_catalog.set_config('search_path', %s, true)"""
_AS_DEFAULT = """
    SELECT pg_catalog.set_config('transaction_read_only',
               pg_catalog.current_setting('default_transaction_read_only'), true),
           pg_catalog.set_config('search_path', %s, true)"""
Settings = Mapping[str, str]


@dataclass(frozen=True)
class Result:
    """The result of a check; `complaint` explains a failure, with the failed query."""

    name: str
    passed: bool
    complaint: str = ""


@dataclass(frozen=True)
class Terms:
    """How checks are run.

    `url` leads to the target's database as the user of the checks; None leaves the choice to
    `url_for_checks`. `declared` routines and operators may answer in place of PostgreSQL's own.
    """

    url: str | None = None
    declared: Declared = ()
    seconds: float = SECONDS


def run_checks(
    target: str, checks: Mapping[str, Check], terms: Terms | None = None
) -> list[Result]:
    """Run every check on the target; raises SettingsError if no user is fit to run them."""
    if not checks:
        return []
    terms = terms or Terms()
    terms = replace(terms, url=url_for_checks(target, terms.url, checks.values()))
    return [_result(check, terms) for check in checks.values()]


def _result(check: Check, terms: Terms) -> Result:
    try:
        failure = Guarded(partial(_failure, check, terms)).within(terms.seconds)
    except TimeoutError:
        failure = f"was ended: no result in {terms.seconds:g} seconds"
    return Result(check.name, passed=not failure, complaint=failure)


def _failure(check: Check, terms: Terms, guarded: Guarded[str]) -> str:
    """Run the assertions on a connection of their own; return the reason of a failure, or ""."""
    with connect_to_read(terms.url or "") as connection:
        guarded.connection, connection.read_only = connection, False
        run = _Run(connection, check.search_path, terms)
        for assertion in check.assertions:
            if failure := run.failure(assertion):
                return _shown(failure, assertion)
    return ""


def _shown(failure: str, assertion: Assertion) -> str:
    """Return the reason of a failure with the query, without the text of another file."""
    if not assertion.from_file:
        failure = f"{failure}\n{assertion.query.strip()}"
    elif assertion.position is not None:
        failure = f"{failure}\nin {assertion.position}"
    lines = failure.splitlines()
    more = [f"… {len(lines) - MAX_LINES} more lines"] if len(lines) > MAX_LINES else []
    return "\n".join([*map(_clipped, lines[:MAX_LINES]), *more])


def _clipped(line: str) -> str:
    return line if len(line) <= MAX_SHOWN else line[:MAX_SHOWN] + "…"


@dataclass(frozen=True)
class _Run:
    """The statements of a check: each in a transaction that is rolled back.

    `values` holds the results of the settings' queries: assertions often share settings.
    """

    connection: Connection
    schema: str
    terms: Terms
    values: dict[str, str] = field(default_factory=dict[str, str])

    def failure(self, assertion: Assertion) -> str:
        """Run an assertion and return the reason of its failure, or ""."""
        actor = assertion.actor or Actor()
        try:
            settings = {name: self._value(setting) for name, setting in actor.settings.items()}
        except (StatementFailed, NotStored) as error:
            return f"the settings of `as` could not be read: {error}"
        try:
            return self._compare(assertion, settings, actor.role)
        except NotStored as error:
            return str(error)
        except StatementFailed as error:
            return _compare_error(error, assertion)

    def _value(self, setting: Setting | str) -> str:
        """Return the value of a setting; no row and NULL become ""."""
        if isinstance(setting, str):
            return setting
        if setting.query not in self.values:
            with self._posed(setting.query, {}, None, writes=False) as stored:
                value = self._first_value(stored)
            self.values[setting.query] = "" if value is None else str(value)
        return self.values[setting.query]

    def _compare(self, assertion: Assertion, settings: Settings, role: str | None) -> str:
        """Run the query and compare the result; return the difference, or ""."""
        fails, value = assertion.asserts == "fails_with", None
        query, writes = assertion.query, assertion.writes or fails
        try:
            with self._posed(query, settings, role, writes=writes) as stored:
                if assertion.asserts == "uses_index":
                    return _compare_indexes(self.connection, stored.text, assertion.uses_index)
                value = self._first_value(stored)
        except StatementFailed as error:
            if not fails or error.sqlstate != SYNTAX_ERROR:
                raise
            with self._transaction(settings):
                self._begin_run(search_path(self.schema), role, writes=True)
                run_utility(self.connection, query)
        if fails:
            return f"should fail with {assertion.fails_with}, and succeeded"
        return _compare_value(value, assertion.equals)

    @contextmanager
    def _posed(
        self, statement: str, settings: Settings, role: str | None, *, writes: bool
    ) -> Generator[Stored]:
        """Store the statement and yield it, ready to be called, in a transaction of its own."""
        path = settings.get("search_path", search_path(self.schema))
        with self._transaction(settings):
            stored = store(self.connection, statement, role, self.terms.declared)
            self._begin_run(path, role, writes=writes or stored.modifies)
            yield stored

    def _begin_run(self, path: str, role: str | None, *, writes: bool) -> None:
        """Set the mode, the path and the role for what the check itself does."""
        rows(self.connection, _AS_DEFAULT if writes else _READ_ONLY, [path])
        if role is not None:
            become(self.connection, role)

    @contextmanager
    def _transaction(self, settings: Settings) -> Generator[None]:
        """A transaction with the settings, which is rolled back.

        Session advisory locks are released as well: they would outlive the transaction, and behind
        a pooler the connection.
        """
        try:
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

    def _first_value(self, stored: Stored) -> object:
        """Call the stored statement and return the first column of the first row, or None."""
        row = None
        with translated(CALL), self.connection.cursor() as cursor:
            for found in cursor.stream(CALL, binary=True):  # keeps one row at a time in memory
                row = row or found["answer"]
        if not row:
            return None
        value = row if stored.type_oid == RECORD else row[0]
        if not isinstance(value, bytes) or stored.type_oid == BYTEA:
            return value
        # In a record, values of domains and enums come as bytes.
        loader = adapt.Transformer(self.connection).get_loader(stored.type_oid, pq.Format.BINARY)
        value = loader.load(value)
        return value.decode(errors="replace") if isinstance(value, bytes) else value


def _compare_error(error: StatementFailed, assertion: Assertion) -> str:
    if assertion.asserts != "fails_with":
        return f"failed with {error}"
    if assertion.expects(error.sqlstate):
        return ""
    return f"should fail with {assertion.fails_with}, failed with {error.sqlstate}: {error.message}"


def _compare_value(value: object, expected: object) -> str:
    """Compare values; a text equals a value of another type if printed alike."""
    if value is None or expected is None or isinstance(value, bool) or isinstance(expected, bool):
        equal = value is expected
    else:
        equal = value == expected or str(value) == str(expected)
    return "" if equal else f"gave {_clipped(repr(value))}, {expected!r} was expected"


def _compare_indexes(connection: Connection, statement: str, index: str) -> str:
    """Look for the index in the query's plan, with sequential scans disabled for small tables."""
    run_sql(connection, "SET LOCAL enable_seqscan TO off")
    explain = f"EXPLAIN (FORMAT JSON, COSTS OFF) {statement}"
    used = sorted(set(_index_names(rows(connection, explain)[0]["QUERY PLAN"])))
    if index in used:
        return ""
    return f"does not use {index} but {', '.join(used) or 'no index'}"


def _index_names(node: object) -> Iterator[str]:
    """Yield the names of all indexes in a plan in JSON."""
    if isinstance(node, list):
        for item in cast("Sequence[object]", node):
            yield from _index_names(item)
    elif isinstance(node, dict):
        for key, item in cast("dict[str, object]", node).items():
            if key == "Index Name":
                yield str(item)
            yield from _index_names(item)
