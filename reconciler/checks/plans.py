"""Compare the plan and the time of a query with bounds; the query is run for it."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.checks.explain import Explained, Node, explained
from reconciler.checks.model import Assertion, PlanBounds, Ratio
from reconciler.checks.session import CheckSession, NothingToLookAt, Settings
from reconciler.counted import counted
from reconciler.server.connection import rows

RUNS = 7  # of a query whose time is taken; the first one warms up
ENOUGH = 2_000.0  # milliseconds of all runs, after which no more are begun


def plan(session: CheckSession, assertion: Assertion, settings: Settings) -> Iterator[str]:
    """Compare the plan of a query with bounds."""
    bounds = assertion.plan
    assert bounds is not None
    role = assertion.actor.role if assertion.actor else None
    found = _explain(session, assertion.query, settings, role, writes=assertion.writes)
    complaints = [*_wrong_indexes(found.top, bounds), *_wrong_scans(found.top, bounds)]
    complaints += _wrong_counts(found.top, bounds)
    yield from complaints
    if not complaints:
        _assert_rows_found(found.top, assertion)


def within(session: CheckSession, assertion: Assertion, settings: Settings) -> Iterator[str]:
    """Compare the time of a query with a limit, or with the time of another query."""
    limit = assertion.within
    assert limit is not None
    role = assertion.actor.role if assertion.actor else None
    timed = [(assertion.query, settings, role)]
    if isinstance(limit, Ratio):
        other = limit.reference
        as_other = other.actor or assertion.actor
        as_role = as_other.role if as_other else None
        timed.append((other.query, session.settings(as_other), as_role))
    best, found = [float("inf")] * len(timed), None
    spent = 0.0
    for number in range(RUNS):
        if number > 1 and spent > ENOUGH:
            break
        for which, (query, given, as_role) in enumerate(timed):
            explained_now = _explain(
                session, query, given, as_role, writes=assertion.writes, timing=False
            )
            spent += explained_now.milliseconds
            best[which] = min(best[which], explained_now.milliseconds)
            found = found or explained_now
    assert found is not None
    if isinstance(limit, Ratio):
        if best[0] > limit.ratio * best[1]:
            yield (
                f"took {best[0]:.2f} ms, {best[0] / best[1]:.1f} times as long as the other query"
                f" ({best[1]:.2f} ms); {limit.ratio:g} times is allowed"
            )
            return
    elif best[0] > limit:
        yield f"took {best[0]:.2f} ms, {limit:g} ms are allowed"
        return
    _assert_rows_found(found.top, assertion)


def _explain(
    session: CheckSession,
    query: str,
    settings: Settings,
    role: str | None,
    *,
    writes: bool,
    timing: bool = True,
) -> Explained:
    """Run a query under EXPLAIN ANALYZE, with the settings of the server for planning."""
    with session.spelled(query, settings, role, writes=writes) as stored:
        details = "VERBOSE, BUFFERS, TIMING OFF" if timing else "BUFFERS OFF, TIMING OFF"
        explain = f"EXPLAIN (ANALYZE, {details}, SUMMARY, FORMAT JSON) {stored.text}"
        return explained(rows(session.connection, explain)[0]["QUERY PLAN"])


def _assert_rows_found(top: Node, assertion: Assertion) -> None:
    """Raise NothingToLookAt if the query found too few rows; `over` is counted apart."""
    found, least = round(top.rows_found()), 1 if assertion.over else assertion.at_least_rows
    if found < least:
        raise NothingToLookAt(
            f"the query found {counted(found, 'row')}, at_least_rows is {least:,}"
        )


def _wrong_indexes(top: Node, bounds: PlanBounds) -> Iterator[str]:
    for index, part in bounds.indexes.items():
        conditions = [n.text("Index Cond") for n in top.walk() if n.text("Index Name") == index]
        if any(c and part in c for c in conditions):
            continue
        used = sorted({n.text("Index Name") for n in top.walk()} - {""})
        if not conditions:
            yield f"does not read {index} but {', '.join(used) or 'no index'}"
        elif not any(conditions):
            yield f"reads {index} as a whole, without an index condition"
        else:
            yield f"reads {index} by {' and '.join(conditions)}, without {part}"


def _wrong_scans(top: Node, bounds: PlanBounds) -> Iterator[str]:
    tables = bounds.unscanned
    for node in top.walk():
        if node.text("Node Type") != "Seq Scan":
            continue
        name = node.text("Relation Name")
        if tables is None or {name, f"{node.text('Schema')}.{name}"} & {*tables}:
            yield f"reads {name} by a Seq Scan of {counted(round(node.came), 'row')}"


def _wrong_counts(top: Node, bounds: PlanBounds) -> Iterator[str]:
    read, pages = round(top.rows_read()), top.pages
    if bounds.rows_at_most is not None and read > bounds.rows_at_most:
        yield f"reads {counted(read, 'row')}, at most {bounds.rows_at_most:,} are allowed"
    if bounds.buffers_at_most is not None and pages > bounds.buffers_at_most:
        yield f"reads {counted(pages, 'buffer')}, at most {bounds.buffers_at_most:,} are allowed"
    for function, most in bounds.calls_at_most.items():
        calls = round(top.calls(function))
        if calls > most:
            yield f"evaluates {function} {counted(calls, 'time')}, at most {most:,} are allowed"
