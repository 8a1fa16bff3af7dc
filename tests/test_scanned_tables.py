"""Test that a plan says which tables are read while others cannot write, or use them at all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler import pipeline
from reconciler.declare.load import load
from reconciler.model.state import Scope
from reconciler.pipeline import Job
from reconciler.plan.plan import Plan
from tests.conftest import Database

ROWS = "SELECT i FROM generate_series(1, 60000) AS i; ANALYZE;"
DOMAIN = f"""
    CREATE DOMAIN dn AS int; CREATE DOMAIN above AS dn;
    CREATE TABLE t (dd dn); INSERT INTO t {ROWS}
    CREATE TABLE over (dd above); INSERT INTO over {ROWS}
    CREATE TABLE parted (dd dn) PARTITION BY RANGE (dd);
    CREATE TABLE part PARTITION OF parted FOR VALUES FROM (1) TO (99999);
    INSERT INTO parted {ROWS}
    CREATE TABLE short (dd dn); INSERT INTO short VALUES (1); ANALYZE short;
    CREATE TABLE other (dd int CHECK (dd::dn > 0)); INSERT INTO other {ROWS}
    CREATE VIEW v AS SELECT dd FROM t;
"""
SCANNED = ("public.over", "public.part", "public.t")


Case = tuple[Callable[..., Database], int, Path]


@pytest.fixture
def case(new_database: Callable[..., Database], each_major: int, tmp_path: Path) -> Case:
    """Return what a test on each version needs."""
    return new_database, each_major, tmp_path


def plan_of(database: Database, folder: Path, declared: str) -> Plan:
    (folder / "all.yml").write_text(declared)
    declaration = load(folder / "all.yml")
    return pipeline.plan_changes(Job(database.url, declaration, Scope(declaration.schemas)))


@pytest.mark.parametrize(
    ("declared", "sql"),
    [
        ("constraints: {pos: VALUE > 0}", "VALIDATE CONSTRAINT pos"),
        ("not_null: true", "SET NOT NULL"),
        ("not_null: {name: known}", "ADD CONSTRAINT known NOT NULL"),
    ],
)
def test_a_domain_is_checked_while_nobody_writes(
    declared: str, sql: str, database: Database, tmp_path: Path
) -> None:
    database.run(DOMAIN)
    plan = plan_of(database, tmp_path, f"domains: {{dn: {{type: int, {declared}}}}}")
    (step,) = (s for s in plan.steps if sql in s.sql)
    (hazard,) = step.hazards
    assert hazard.hazard == "blocks-writes"
    assert all(f"{table} (" in hazard.reason for table in SCANNED)
    assert "public.short" not in hazard.reason
    assert "public.other" not in hazard.reason
    assert {k.relation for k in step.locks} >= {*SCANNED, "public.short"}
    assert [s.hazards for s in plan.steps if s != step] == [()] * (len(plan.steps) - 1)


def test_a_domain_of_a_table_without_rows_has_no_hazard(database: Database, tmp_path: Path) -> None:
    database.run("CREATE DOMAIN dn AS int; CREATE TABLE t (dd dn); ANALYZE t")
    plan = plan_of(database, tmp_path, "domains: {dn: {type: int, not_null: true}}")
    assert [s.hazards for s in plan.steps] == [()]


VIRTUAL = "generated: a + 1, virtual: true"


@pytest.mark.pg(">= 18")
@pytest.mark.parametrize("rows", [0, 60000])
@pytest.mark.parametrize(
    ("before", "declared", "scanned"),
    [
        ("", "{VIRTUAL}, not_null: true", True),
        (", c int GENERATED ALWAYS AS (a) VIRTUAL NOT NULL", "{VIRTUAL}", True),
        ("", "{VIRTUAL}", False),
        (", c int GENERATED ALWAYS AS (a) VIRTUAL", "{VIRTUAL}", False),
        (", c int GENERATED ALWAYS AS (a + 1) VIRTUAL", "{VIRTUAL}, not_null: true", False),
        ("", "default: 1, not_null: true", False),
    ],
)
def test_a_virtual_column_is_computed_under_lock_to_find_nulls(
    before: str, declared: str, scanned: bool, rows: int, case: Case
) -> None:
    new_database, each_major, folder = case
    filled = ROWS.replace("60000", str(rows))
    database = new_database(f"CREATE TABLE t (a int{before}); INSERT INTO t {filled}", each_major)
    column = f"{{type: int, {declared.replace('{VIRTUAL}', VIRTUAL)}}}"
    plan = plan_of(database, folder, f"tables: {{t: {{columns: {{c: {column}}}}}}}")
    found = [h for s in plan.steps for h in s.hazards]
    assert [h.hazard for h in found] == (["long-scan"] if rows and scanned else [])
    assert all(h.reason.startswith("public.t (") for h in found)
