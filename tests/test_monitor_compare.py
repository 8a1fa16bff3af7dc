"""Test how statistics of two moments are compared, in cases that a server shows seldom."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from reconciler.monitor.compare import findings, not_unused
from reconciler.monitor.observed import Observed, duration
from reconciler.monitor.query_text import is_shown, normalised
from reconciler.monitor.result import WINDOWS, window_of
from reconciler.monitor.statistics import (
    Baseline,
    DatabaseStatistics,
    IndexStatistics,
    Present,
    StatementStatistics,
    Statistics,
    TableStatistics,
)

RUN = datetime(2026, 1, 1, tzinfo=UTC)
NOW = RUN + timedelta(days=2)
INDEX = IndexStatistics(oid=2, namespace="public", name="i", table=1, scans=7, rows=1e6, pages=9999)
TABLE = TableStatistics(oid=1, namespace="public", name="t", scans=10, index_scans=1000)
DATABASE = DatabaseStatistics(commits=1_000_000, rollbacks=10, deadlocks=2)
STATEMENT = StatementStatistics(queryid=5, calls=1000, total=1000.0, squares=10.0)
THEN = Statistics(
    timeline="00000001",
    database=DATABASE,
    tables=(TABLE,),
    indexes=(INDEX,),
    statements=(STATEMENT,),
    complete=True,
)


def observed(**changed: object) -> Observed:
    """Return two quiet days, but for the changes of the statistics of now."""
    quiet = {
        "database": DATABASE.model_copy(update={"commits": 2_000_000}),
        "tables": (TABLE.model_copy(update={"index_scans": 2000}),),
        "indexes": (INDEX.model_copy(update={"scans": 8}),),
    }
    now = Statistics.model_validate({**dict(THEN), **quiet, **changed})
    before, after = Baseline(taken_at=RUN, statistics=THEN), Baseline(taken_at=RUN, statistics=THEN)
    texts = {5: "SELECT * FROM t WHERE a = $1 AND b = 'kept'"}
    present = Present(at=NOW, statistics=now, texts=texts)
    return Observed(before, after, present, RUN, WINDOWS[0])


def found(**changed: object) -> set[tuple[str, str]]:
    return {(f.rule, f.subject) for f in findings(observed(**changed))}


def test_quiet_days_show_nothing() -> None:
    assert found() == set()


@pytest.mark.parametrize(("deadlocks", "named"), [(5, False), (8, True)])
def test_deadlocks_are_named_beyond_the_usual(deadlocks: int, named: bool) -> None:
    """Two in the first million transactions: four more are not twice as many."""
    now = DATABASE.model_copy(update={"commits": 2_000_000, "deadlocks": deadlocks})
    assert found(database=now) == ({("errors", "database")} if named else set())


@pytest.mark.parametrize(
    ("commits", "rollbacks", "named"),
    [
        (600, 300, False),  # too few transactions
        (700, 300, True),
        (100_000, 300, False),  # a small part
        (5_000, 60, False),  # too few of them
    ],
)
def test_transactions_that_were_rolled_back_are_named_among_enough(
    commits: int, rollbacks: int, named: bool
) -> None:
    more = {"commits": DATABASE.commits + commits, "rollbacks": DATABASE.rollbacks + rollbacks}
    now = DATABASE.model_copy(update=more)
    assert found(database=now) == ({("errors", "database")} if named else set())


def test_a_statement_that_was_evicted_begins_anew() -> None:
    slow = StatementStatistics(queryid=5, calls=100, total=900.0, squares=1.0)
    assert found(statements=(slow,)) == {("slower", "query select * from t where a = ? and b = ?")}


@pytest.mark.parametrize(
    ("calls", "total", "squares"),
    [
        (1019, 1400.0, 10.0),  # too few executions
        (2000, 2400.0, 10.0),  # not so much slower
        (1030, 1130.0, 9000.0),  # as if by chance
    ],
)
def test_a_statement_is_not_slower_by_chance(calls: int, total: float, squares: float) -> None:
    slow = StatementStatistics(queryid=5, calls=calls, total=total, squares=squares)
    assert found(statements=(slow,)) == set()


def test_the_text_of_a_utility_command_is_not_shown() -> None:
    slow = StatementStatistics(queryid=5, calls=2000, total=90_000.0)
    with_secret = observed(statements=(slow,))
    texts = {5: "/* SELECT */ ALTER ROLE app PASSWORD 'hunter2'"}
    present = with_secret.present.model_copy(update={"texts": texts})
    assert [*findings(replace(with_secret, present=present))] == []


def test_an_index_is_not_unused_where_the_counters_do_not_tell() -> None:
    unused = {"indexes": (INDEX,)}
    assert found(**unused) == {("unused-index", "index public.i")}
    crashed = DATABASE.model_copy(update={"commits": 5, "deadlocks": 0})
    reset = crashed.model_copy(update={"reset": NOW - timedelta(hours=3)})
    few = TABLE.model_copy(update={"index_scans": 1020})
    zero = INDEX.model_copy(update={"scans": 0})
    reasons = {
        "lost its statistics": observed(indexes=(zero,), database=crashed),
        "the statistics were reset 3 hours ago": observed(indexes=(zero,), database=reset),
        "whose counters are its own": observed(**unused, standby=True),
        "a standby has become the primary": observed(**unused, timeline="00000002"),
        "its table was read 20 times": observed(**unused, tables=(few,)),
    }
    for words, each in reasons.items():
        reason = not_unused(each, each.now.indexes[0])
        assert words in reason, reason
        assert [f.rule for f in findings(each)] == []


def test_bloat_is_what_neither_growth_nor_the_old_size_explains() -> None:
    table = TABLE.model_copy(update={"rows": 1e6, "pages": 10_000})
    then = Statistics.model_validate({**dict(THEN), "tables": (table,)})
    for rows, pages, named in (
        (2e6, 20_000, False),  # twice the rows
        (1e5, 10_000, False),  # deleted rows, and no more pages
        (1e6, 15_000, True),
        (1e6, 11_000, False),  # less than a fifth
    ):
        now = observed(tables=(table.model_copy(update={"rows": rows, "pages": pages}),))
        now = replace(now, after=Baseline(taken_at=RUN, statistics=then))
        rules = [f.rule for f in findings(now)]
        assert rules == (["bloat"] if named else []), (rows, pages)


def test_one_is_not_several() -> None:
    assert [duration(s) for s in (0.6, 1.4, 1.6)] == ["1 second", "1 second", "2 seconds"]
    used = observed(indexes=(INDEX.model_copy(update={"scans": 8}),))
    assert not_unused(used, used.now.indexes[0]) == "used 1 time"


def test_windows_are_chosen_by_age() -> None:
    hour = 3600
    ages = {2: "day", 24: "day", 167: "day", 168: "week", 719: "week", 720: "month"}
    assert {age: window_of(age * hour).name for age in ages} == ages


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("SELECT * FROM t WHERE a = $1 AND b = 'x''y'", "select *\nfrom T where a=$1 and b = $2;"),
        ("SELECT 1 FROM t WHERE x IN (1, 2, 3)", "SELECT $1 FROM t WHERE x IN ($2 /*, ... */)"),
        ("SELECT E'a\\'b', 'C:\\', -1.5e3 -- why\n", "SELECT $1, $2, $3"),
        ("SELECT $$it's$$ FROM t1", "select $1 from t1"),
    ],
)
def test_texts_of_the_same_query_are_equal(one: str, other: str) -> None:
    assert normalised(one) == normalised(other)
    assert is_shown(normalised(one))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("SELECT a-1", "SELECT a"),
        ('SELECT "A" FROM t', "SELECT a FROM t"),
        ("TABLE t1", "TABLE t2"),
    ],
)
def test_texts_of_different_queries_differ(one: str, other: str) -> None:
    assert normalised(one) != normalised(other)
