"""Run declared checks, each on a connection of its own, and roll back whatever they do."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import cast

import psycopg
from psycopg import Rollback, adapt, pq

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
from reconciler.server.connection import Connection, connect, rows, run_sql, translated
from reconciler.server.deadline import Guarded

SECONDS = 60.0  # how long a check may run
SYNTAX_ERROR = "42601"
MAX_SHOWN = 300  # characters of a value, or of a line of a complaint
MAX_LINES = 20  # of a complaint
RECORD, BYTEA = (psycopg.adapters.types[t].oid for t in ("record", "bytea"))
_SET = "SELECT pg_catalog.set_config(%s, %s, true)"


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
    with connect(terms.url or "") as connection:
        guarded.connection = connection
        for assertion in check.assertions:
            if failure := _Run(connection, check.search_path, terms).failure(assertion):
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
    """The statements of a check: each in a transaction that is rolled back."""

    connection: Connection
    schema: str
    terms: Terms

    def failure(self, assertion: Assertion) -> str:
        actor = assertion.actor or Actor()
        try:
            settings = {name: self._value(setting) for name, setting in actor.settings.items()}
            actor = actor.model_copy(update={"settings": settings})
        except (StatementFailed, NotStored) as error:
            return f"the settings of `as` could not be read: {error}"
        try:
            return self._compare(assertion, actor)
        except NotStored as error:
            return str(error)
        except StatementFailed as error:
            return _compare_error(error, assertion)

    def _value(self, setting: Setting | str) -> str:
        """Return the value of a setting; no row and NULL become ""."""
        if isinstance(setting, str):
            return setting
        with self._posed(setting.query, Actor(), writes=False) as stored:
            value = self._first_value(stored)
        return "" if value is None else str(value)

    def _compare(self, assertion: Assertion, actor: Actor) -> str:
        """Run the query and compare the result; return the difference, or ""."""
        fails, value = assertion.asserts == "fails_with", None
        try:
            with self._posed(assertion.query, actor, writes=assertion.writes or fails) as stored:
                if assertion.asserts == "uses_index":
                    return _compare_indexes(self.connection, stored.text, assertion.uses_index)
                value = self._first_value(stored)
        except StatementFailed as error:
            if fails and error.sqlstate == SYNTAX_ERROR:
                self._run_utility(assertion.query, actor)
            else:
                raise
        if fails:
            return f"should fail with {assertion.fails_with}, and succeeded"
        return _compare_value(value, assertion.equals)

    def _run_utility(self, statement: str, actor: Actor) -> None:
        with self._transaction():
            self._set(actor)
            run_utility(self.connection, statement)

    @contextmanager
    def _posed(self, statement: str, actor: Actor, *, writes: bool) -> Generator[Stored]:
        """Store the statement and yield it, ready to be called, in a transaction of its own."""
        path = search_path(self.schema)
        with self._transaction():
            run_sql(self.connection, "SET TRANSACTION READ WRITE")  # to store the statement
            role, plain = actor.role, actor.model_copy(update={"role": None})
            self._set(plain)
            path = actor.settings.get("search_path", path)
            stored = store(self.connection, statement, str(path), role, self.terms.declared)
            if stored.read_only or not (writes or stored.modifies):
                run_sql(self.connection, "SET TRANSACTION READ ONLY")  # nothing can take it back
            rows(self.connection, _SET, ["search_path", path])
            if role is not None:
                become(self.connection, role)
            yield stored

    def _set(self, actor: Actor) -> None:
        """Set the path, the actor and the time limit; raises NotStored for a faulty actor."""
        rows(self.connection, _SET, ["search_path", search_path(self.schema)])
        try:
            for name, value in actor.settings.items():
                rows(self.connection, _SET, [name, value])
        except StatementFailed as error:
            raise NotStored(f"the settings of `as` could not be set: {error}") from error
        rows(self.connection, _SET, ["statement_timeout", f"{self.terms.seconds:g}s"])
        if actor.role is not None:
            become(self.connection, actor.role)

    @contextmanager
    def _transaction(self) -> Generator[None]:
        """A transaction that is rolled back; session advisory locks are released as well.

        They would outlive the transaction, and behind a pooler the connection.
        """
        with translated(), self.connection.transaction():
            with self.connection.transaction():
                yield
                raise Rollback
            run_sql(self.connection, "SELECT pg_catalog.pg_advisory_unlock_all()")
            raise Rollback

    def _first_value(self, stored: Stored) -> object:
        """Call the stored statement and return the first column of the first row, or None."""
        found = rows(self.connection, CALL)
        if not found or not found[0]["answer"]:
            return None
        row = found[0]["answer"]
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
