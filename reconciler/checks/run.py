"""Run declared checks, and roll back the transaction of every assertion."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from psycopg import Rollback

from reconciler.checks.model import Actor, Assertion, Check, Setting
from reconciler.errors import StatementFailed
from reconciler.server.connection import Connection, Row, connect, rows, run_sql
from reconciler.sql import compose, literal, text


@dataclass(frozen=True)
class Result:
    """The result of a check; `complaint` explains a failure, with the failed query."""

    name: str
    passed: bool
    complaint: str = ""


def run_checks(target: str, checks: Mapping[str, Check]) -> list[Result]:
    """Run every check on the target; changes are rolled back."""
    if not checks:
        return []
    with connect(target) as connection:
        return [_result(connection, check) for check in checks.values()]


def _result(connection: Connection, check: Check) -> Result:
    for assertion in check.assertions:
        if failure := _failure(connection, assertion, check.search_path):
            complaint = f"{failure}\n{assertion.query.strip()}"
            return Result(check.name, passed=False, complaint=complaint)
    return Result(check.name, passed=True)


def _failure(connection: Connection, assertion: Assertion, search_path: str) -> str:
    """Run an assertion and return the reason of its failure, or ""."""
    failure = ""
    with connection.transaction():
        try:
            run_sql(connection, text(compose("SET LOCAL search_path TO {}", literal(search_path))))
            if assertion.actor is not None:
                _become(connection, assertion.actor)
        except StatementFailed as error:
            failure = f"the role or the settings of `as` could not be set: {error}"
        else:
            failure = _compare(connection, assertion)
        raise Rollback
    return failure


def _become(connection: Connection, actor: Actor) -> None:
    """Set the settings and the role; queries of settings run before both, with our own rights."""
    values = {name: _value(connection, setting) for name, setting in actor.settings.items()}
    for name, value in values.items():
        rows(connection, "SELECT set_config(%s, %s, true)", [name, value])
    if actor.role is not None:
        run_sql(connection, text(compose("SET LOCAL ROLE {}", actor.role)))


def _value(connection: Connection, setting: Setting | str) -> str:
    """Return the value of a setting; no row and NULL become ""."""
    if isinstance(setting, str):
        return setting
    value = _first_value(rows(connection, setting.query))
    return "" if value is None else str(value)


def _first_value(result: Sequence[Row]) -> object:
    return next(iter(result[0].values()), None) if result else None


def _compare(connection: Connection, assertion: Assertion) -> str:
    """Run the query and compare the result; return the difference, or ""."""
    try:
        if assertion.asserts == "uses_index":
            return _compare_indexes(connection, assertion)
        result = rows(connection, assertion.query)
    except StatementFailed as error:
        return _compare_error(error, assertion)
    if assertion.asserts == "fails_with":
        return f"should fail with {assertion.fails_with}, and succeeded"
    return _compare_value(_first_value(result), assertion.equals)


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
    return "" if equal else f"gave {value!r}, {expected!r} was expected"


def _compare_indexes(connection: Connection, assertion: Assertion) -> str:
    """Look for the index in the query's plan, with sequential scans disabled for small tables."""
    run_sql(connection, "SET LOCAL enable_seqscan TO off")
    explain = f"EXPLAIN (FORMAT JSON, COSTS OFF) {assertion.query}"
    used = sorted(set(_index_names(rows(connection, explain)[0]["QUERY PLAN"])))
    if assertion.uses_index in used:
        return ""
    return f"does not use {assertion.uses_index} but {', '.join(used) or 'no index'}"


def _index_names(node: object) -> Iterator[str]:
    """Yield the names of all indexes in a plan in JSON."""
    if isinstance(node, list):
        for item in cast("list[object]", node):
            yield from _index_names(item)
    elif isinstance(node, dict):
        for key, item in cast("dict[str, object]", node).items():
            if key == "Index Name":
                yield str(item)
            yield from _index_names(item)
