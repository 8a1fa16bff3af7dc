"""Test the baseline that `apply` keeps: bounded, without texts, and never in the way of a run."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from reconciler.model.ref import Ref
from reconciler.monitor import read
from reconciler.monitor.read import read_statistics
from reconciler.monitor.statistics import Statistics
from reconciler.server.connection import connect
from tests.conftest import Database
from tests.monitored import apply, statements_server

TABLES = """
CREATE TABLE t (id int PRIMARY KEY, n int);
CREATE TABLE parted (id int, n int) PARTITION BY RANGE (id);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (100);
CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM (100) TO (200);
CREATE INDEX parted_n ON parted (n);
CREATE INDEX only_first ON parted_1 (n, id);
INSERT INTO t SELECT n, n FROM generate_series(1, 1000) AS n;
INSERT INTO parted SELECT n, n FROM generate_series(0, 199) AS n;
ANALYZE;
"""
DECLARED = """
tables:
  t: {indexes: {t_n: n}}
  parted: {comment: in parts}
"""


def kept(database: Database) -> dict[str, Statistics]:
    """Return the baselines of the journal's only run."""
    found = database.rows("SELECT moment, counters FROM reconcile.baseline")
    return {str(moment): Statistics.model_validate(counters) for moment, counters in found}


def test_a_run_keeps_statistics_before_and_after(database: Database, tmp_path: Path) -> None:
    database.run(TABLES)
    apply(database, tmp_path, DECLARED)
    found = kept(database)
    assert {*found} == {"before", "after"}
    before, after = found["before"], found["after"]
    assert {t.identity: t.rows for t in after.tables} == {"public.t": 1000, "public.parted": 200}
    assert {i.identity for i in after.indexes} - {i.identity for i in before.indexes} == {
        "public.t_n"
    }
    assert {(i.identity, i.rows) for i in before.indexes} == {
        ("public.t_pkey", 1000),
        ("public.parted_n", 200),
        ("public.only_first", 100),
    }
    assert {i.identity for i in before.indexes if i.enforces} == {"public.t_pkey"}
    assert after.timeline
    assert after.unseen == {"pg_stat_statements": read.NO_STATEMENTS}


def test_no_run_without_a_journal_reads_statistics(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.run(TABLES)
    monkeypatch.setattr(read, "short_read", None)  # would raise
    apply(database, tmp_path, DECLARED, "--no-journal")


def test_statistics_that_cannot_be_read_stop_no_run(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.run(TABLES)
    monkeypatch.setattr(read, "_TABLES", "SELECT pg_sleep(60)")
    monkeypatch.setattr(read, "SECONDS", 0.2)
    apply(database, tmp_path, DECLARED)
    for each in kept(database).values():
        assert (
            each.unseen["the counters of tables"] == "canceling statement due to statement timeout"
        )
        assert each.indexes  # the other parts are there


def test_reading_waits_for_no_lock(database: Database) -> None:
    database.run(TABLES)
    with psycopg.connect(database.url) as holder, connect(database.url) as connection:
        holder.execute("LOCK TABLE t, parted, parted_1, parted_2")
        found = read_statistics(
            connection, [Ref("table", "public", "t"), Ref("table", "public", "parted")]
        )
    assert len(found.tables) == 2
    assert "the counters of tables" not in found.unseen


def test_a_baseline_is_bounded(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"big_{n}" for n in range(250)]
    database.run("".join(f"CREATE TABLE {n} (id int PRIMARY KEY); " for n in names))
    refs = [Ref("table", "public", n) for n in names]
    with connect(database.url) as connection:
        found = read_statistics(connection, refs)
    assert len(found.tables) == read.MAX_TABLES
    assert len(found.model_dump_json()) < 100_000


@pytest.fixture(scope="module")
def statements() -> Iterator[Callable[[str], Database]]:
    with statements_server() as make:
        yield make


def test_the_journal_keeps_no_text_of_a_statement(
    statements: Callable[[str], Database], tmp_path: Path
) -> None:
    database = statements(TABLES)
    database.run("SELECT count(*) FROM t WHERE n = 4711")
    database.run("DO $$BEGIN PERFORM 'hunter2'; END$$")
    database.run("COMMENT ON TABLE t IS 'hunter2'")
    apply(database, tmp_path, DECLARED)
    after = kept(database)["after"]
    assert after.statements
    assert after.complete
    assert after.statements_reset is not None
    document = json.dumps(database.rows("SELECT counters FROM reconcile.baseline"))
    assert "hunter2" not in document
    assert "count(" not in document
