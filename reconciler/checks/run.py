"""Assert what is declared under `checks:`, each in a transaction that is always rolled back."""

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
    """How one check went; `complaint` says what was found where it failed."""

    name: str
    passed: bool
    complaint: str = ""


def run_checks(target: str, checks: Mapping[str, Check]) -> list[Result]:
    """Run every check on the target; nothing that they write stays."""
    if not checks:
        return []
    with connect(target) as connection:
        return [_result(connection, check) for check in checks.values()]


def _result(connection: Connection, check: Check) -> Result:
    for assertion in check.assertions:
        if complaint := _complaint(connection, assertion, check.search_path):
            return Result(
                check.name, passed=False, complaint=f"{complaint}\n{assertion.query.strip()}"
            )
    return Result(check.name, passed=True)


def _complaint(connection: Connection, assertion: Assertion, search_path: str) -> str:
    """What is wrong, or "" where nothing is."""
    complaint = ""
    with connection.transaction():
        try:
            run_sql(connection, text(compose("SET LOCAL search_path TO {}", literal(search_path))))
            if assertion.actor is not None:
                _become(connection, assertion.actor)
        except StatementFailed as e:
            complaint = f"the stage could not be set: {e}"
        else:
            complaint = _asserted(connection, assertion)
        raise Rollback
    return complaint


def _become(connection: Connection, actor: Actor) -> None:
    """Take the settings and then the role; the settings are worked out before, with our own rights."""
    values = {k: _value(connection, v) for k, v in actor.settings.items()}
    for setting, value in values.items():
        rows(connection, "SELECT set_config(%s, %s, true)", [setting, value])
    if actor.role is not None:
        run_sql(connection, text(compose("SET LOCAL ROLE {}", actor.role)))


def _value(connection: Connection, setting: Setting | str) -> str:
    if isinstance(setting, str):
        return setting
    found = rows(connection, setting.query)
    return (
        str(next(iter(found[0].values())))
        if found and next(iter(found[0].values())) is not None
        else ""
    )


def _asserted(connection: Connection, assertion: Assertion) -> str:
    try:
        if assertion.asserts == "uses_index":
            return _uses(connection, assertion.query, assertion.uses_index)
        found = rows(connection, assertion.query)
    except StatementFailed as e:
        if assertion.asserts != "fails_with":
            return f"failed with {e}"
        return (
            ""
            if assertion.expects(e.sqlstate)
            else f"should fail with {assertion.fails_with}, failed with {e.sqlstate}: {e.message}"
        )
    if assertion.asserts == "fails_with":
        return f"should fail with {assertion.fails_with}, and succeeded"
    return _equals(found, assertion.equals)


def _equals(found: Sequence[Row], wanted: object) -> str:
    """Compare the first column of the first row; no row is null, and text compares with how a value is printed."""
    got = next(iter(found[0].values()), None) if found else None
    if got is None or wanted is None or isinstance(got, bool) or isinstance(wanted, bool):
        same = got is wanted
    else:
        same = got == wanted or str(got) == str(wanted)
    return "" if same else f"gave {got!r}, {wanted!r} was expected"


def _uses(connection: Connection, query: str, index: str) -> str:
    """Whether the plan of the query reads the index, were the table too large to be read whole."""
    run_sql(connection, "SET LOCAL enable_seqscan TO off")
    plan = rows(connection, f"EXPLAIN (FORMAT JSON, COSTS OFF) {query}")[0]["QUERY PLAN"]
    used = sorted(set(_indexes(plan)))
    return "" if index in used else f"does not use {index} but {', '.join(used) or 'no index'}"


def _indexes(node: object) -> Iterator[str]:
    """The indexes that a plan in JSON reads, wherever they stand in it."""
    if isinstance(node, list):
        for item in cast("list[object]", node):
            yield from _indexes(item)
    elif isinstance(node, dict):
        for key, item in cast("dict[str, object]", node).items():
            if key == "Index Name":
                yield str(item)
            yield from _indexes(item)
