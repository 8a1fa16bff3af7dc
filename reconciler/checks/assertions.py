"""Compare what an assertion's query does with what is expected: a function for every kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from reconciler.checks.explain import Node, explained
from reconciler.checks.matrix import access
from reconciler.checks.model import Assertion, Computed
from reconciler.checks.plans import plan, within
from reconciler.checks.result import Finding
from reconciler.checks.session import CheckSession, NothingToLookAt, Settings
from reconciler.checks.shown import clipped, shown
from reconciler.checks.stored import NotStored
from reconciler.counted import counted
from reconciler.errors import StatementFailed
from reconciler.server.connection import rows, run_sql

SYNTAX_ERROR = "42601"
Kind = Callable[[CheckSession, Assertion, Settings], Iterator[str]]


def findings(session: CheckSession, assertion: Assertion) -> Iterator[Finding]:
    """Run an assertion, and yield the reasons why it did not pass."""
    if assertion.access is not None:
        for finding in access(session, assertion.access):
            yield Finding(finding.status, shown(finding.complaint, assertion))
        return
    try:
        settings = session.settings(assertion.actor)
        _assert_rows(session, assertion, settings)
        for complaint in _KINDS[assertion.asserts](session, assertion, settings):
            yield Finding("failed", shown(complaint, assertion))
    except NothingToLookAt as error:
        yield Finding("vacuous", shown(f"vacuous: {error}", assertion))
    except NotStored as error:
        yield Finding("failed", shown(str(error), assertion))
    except StatementFailed as error:
        yield Finding("failed", shown(f"failed with {error}", assertion))


def _assert_rows(session: CheckSession, assertion: Assertion, settings: Settings) -> None:
    """Raise NothingToLookAt if there are fewer rows to look at than the assertion needs."""
    if not assertion.over:
        return
    least = assertion.at_least_rows
    found = session.count(assertion.over, settings, least)
    if found < least:
        rows_found = counted(found, "row")
        raise NothingToLookAt(f"`over` found {rows_found}, at_least_rows is {least:,}")


def _role(assertion: Assertion) -> str | None:
    return assertion.actor.role if assertion.actor else None


def _expected(
    session: CheckSession, expected: object, settings: Settings, *, vacuous_zero: bool = True
) -> object:
    """Return an expected value, computed if it is a query; raises NothingToLookAt for none."""
    if not isinstance(expected, Computed):
        return expected
    value = session.computed(expected, settings)
    if value is None or (vacuous_zero and not isinstance(value, bool) and value == 0):
        raise NothingToLookAt(
            f"the query of the expected value gave {'no row' if value is None else '0'}"
        )
    return value


# -- values


def _equals(session: CheckSession, assertion: Assertion, settings: Settings) -> Iterator[str]:
    expected = _expected(session, assertion.equals, settings)
    value = _value(session, assertion, settings)
    if value is None or expected is None or isinstance(value, bool) or isinstance(expected, bool):
        equal = value is expected
    else:
        equal = value == expected or str(value) == str(expected)
    if not equal:
        yield f"gave {clipped(repr(value))}, {expected!r} was expected"


def _value(session: CheckSession, assertion: Assertion, settings: Settings) -> object:
    with session.posed(
        assertion.query, settings, _role(assertion), writes=assertion.writes
    ) as stored:
        return session.first_value(stored)


def _bounds(session: CheckSession, assertion: Assertion, settings: Settings) -> Iterator[str]:
    least = _expected(session, assertion.at_least, settings)
    most = _expected(session, assertion.at_most, settings, vacuous_zero=False)
    value = _value(session, assertion, settings)
    try:
        number = float(str(value))
    except ValueError:
        yield f"gave {clipped(repr(value))}, a number was expected"
        return
    if least is not None and number < float(str(least)):
        yield f"gave {value}, at least {least} was expected"
    if most is not None and number > float(str(most)):
        yield f"gave {value}, at most {most} was expected"


def _empty(session: CheckSession, assertion: Assertion, settings: Settings) -> Iterator[str]:
    value = None
    with session.spelled(
        assertion.query, settings, _role(assertion), writes=assertion.writes
    ) as stored:
        if stored.type_oid:
            value, count = session.counted_value(stored)
        else:  # a SELECT without columns, which a function cannot return
            query = f"SELECT pg_catalog.count(*) AS count FROM ({stored.text}\n) AS counted"
            count = int(rows(session.connection, query)[0]["count"])
    if assertion.empty and count:
        of = counted(count, "row")
        first = f"; the first begins with {clipped(repr(value))}" if stored.type_oid else ""
        yield f"gave {of}, none was expected{first}"
    elif not assertion.empty and not count:
        yield "gave no row, at least one was expected"


# -- what a command does


def _fails_with(session: CheckSession, assertion: Assertion, settings: Settings) -> Iterator[str]:
    expected = " or ".join(assertion.conditions)
    try:
        count = _run_to_fail(session, assertion, settings)
    except StatementFailed as error:
        if not assertion.expects(error.sqlstate):
            yield f"should fail with {expected}, failed with {error.sqlstate}: {error.message}"
        elif assertion.constraint and error.constraint != assertion.constraint:
            by = error.constraint or "no constraint"
            yield (
                f"should be refused by the constraint {assertion.constraint}, was refused by {by}:"
                f" {error.message}"
            )
        return
    if count == 0:
        raise NothingToLookAt("it wrote no row, so there was nothing to refuse")
    yield f"should fail with {expected}, and succeeded"


def _run_to_fail(session: CheckSession, assertion: Assertion, settings: Settings) -> int | None:
    """Run the query of `fails_with`; return how many rows it wrote, None if it is no write."""
    role = _role(assertion)
    try:
        with session.spelled(assertion.query, settings, role, writes=True) as stored:
            if stored.modifies and not stored.type_oid:
                return session.affected(stored.text)
            session.call()
    except StatementFailed as error:
        if error.sqlstate != SYNTAX_ERROR:
            raise
        session.run_command(assertion.query, settings, role)
    return None


def _affects(session: CheckSession, assertion: Assertion, settings: Settings) -> Iterator[str]:
    expected = _expected(session, assertion.affects, settings)
    with session.spelled(assertion.query, settings, _role(assertion), writes=True) as stored:
        count = session.affected(stored.text)
    if str(count) != str(expected):
        yield f"affects {counted(count, 'row')}, {expected} expected"


# -- the plan of a query


def _uses_index(session: CheckSession, assertion: Assertion, settings: Settings) -> Iterator[str]:
    """Look for the index in the query's plan, with sequential scans disabled for small tables."""
    with session.posed(
        assertion.query, settings, _role(assertion), writes=assertion.writes
    ) as stored:
        run_sql(session.connection, "SET LOCAL enable_seqscan TO off")
        explain = f"EXPLAIN (FORMAT JSON, COSTS OFF) {stored.text}"
        document = rows(session.connection, explain)[0]["QUERY PLAN"]
    used = _indexes(explained(document).top)
    if assertion.uses_index not in used:
        yield f"does not use {assertion.uses_index} but {', '.join(used) or 'no index'}"


def _indexes(top: Node) -> list[str]:
    return sorted({node.text("Index Name") for node in top.walk()} - {""})


_KINDS: Mapping[str, Kind] = {
    "equals": _equals,
    "at_least": _bounds,
    "at_most": _bounds,
    "empty": _empty,
    "fails_with": _fails_with,
    "affects": _affects,
    "uses_index": _uses_index,
    "plan": plan,
    "within": within,
}
