"""Test rollbacks of runs that renamed objects, or gave their names to others."""

from __future__ import annotations

import pytest

from reconciler import pipeline
from reconciler.journal.ownership import Place
from tests.conftest import Database
from tests.test_rollback import Declare, declare, rolled_back

__all__ = ["declare"]

PLANS = (
    "CREATE TABLE plans (id int PRIMARY KEY, price int NOT NULL); INSERT INTO plans VALUES (1, 5);"
)


@pytest.mark.parametrize(
    "declared",
    [
        "{plans: {columns: {monthly: {type: int, not_null: true, renamed_from: price}}}}",
        "{plans: {columns: {monthly: {type: bigint, not_null: true, renamed_from: price}}}}",
        "{plans: {columns: {monthly: {type: bigint, not_null: true, renamed_from: price,"
        " retype: online}}}}",
        "{plans: {columns: {monthly: {type: int, not_null: true, renamed_from: price},"
        " price: int}}}",
        "{rates: {renamed_from: plans,"
        " columns: {monthly: {type: int, not_null: true, renamed_from: price}}}}",
        "{rates: {renamed_from: plans, columns: {price: {type: bigint}}}}",
    ],
    ids=["column", "type", "online", "reused", "table and column", "table"],
)
def test_a_renamed_column_keeps_not_null(
    database: Database, declare: Declare, declared: str
) -> None:
    database.run(PLANS)
    before = database.dump()
    assert declare(f"tables: {declared}").failed == 0
    plan, _ = pipeline.plan_rollback(database.url, Place(), None)
    assert not [n for n in plan.notes if "may be null" in n]
    assert rolled_back(database).failed == 0
    assert database.dump() == before
    assert database.rows("SELECT id, price FROM plans") == [(1, 5)]


def test_a_column_dropped_from_a_renamed_table_is_restored_without_values(
    database: Database, declare: Declare
) -> None:
    database.run(PLANS)
    declare("tables: {rates: {renamed_from: plans, columns: {price: {state: absent}}}}")
    plan, _ = pipeline.plan_rollback(database.url, Place(), None)
    assert "column public.plans.price is created again without values, so it may be null" in (
        plan.notes
    )
    assert rolled_back(database).failed == 0
    assert database.rows("SELECT id, price FROM plans") == [(1, None)]


def test_old_names_of_a_table_and_its_key_are_given_back(
    database: Database, declare: Declare
) -> None:
    database.run(
        "CREATE TABLE t (id int PRIMARY KEY, name text); INSERT INTO t VALUES (1, 'a');"
        "CREATE TABLE r (t int REFERENCES t); INSERT INTO r VALUES (1);"
    )
    before = database.dump()
    done = declare(
        """
tables:
  t_old:
    renamed_from: t
    constraints: {t_old_pkey: {primary_key: id, renamed_from: t_pkey}}
  t: {columns: {id: {type: bigint, primary_key: true}, other: text}}
"""
    )
    assert (done.failed, done.left) == (0, ())
    after = database.dump()
    assert rolled_back(database).failed == 0
    assert database.dump() == before
    assert database.rows("SELECT id, name FROM t") == [(1, "a")]
    assert rolled_back(database).failed == 0
    assert database.dump() == after
    assert database.rows("SELECT id, name FROM t_old") == [(1, "a")]


@pytest.mark.parametrize(
    ("made", "declared"),
    [
        (
            "CREATE TABLE t (id int, name text); INSERT INTO t VALUES (1, 'a');",
            "tables: {t_old: {renamed_from: t}, t: {columns: {id: bigint}}}",
        ),
        (
            "CREATE TABLE t (id int, name text); INSERT INTO t VALUES (1, 'a');",
            "tables: {t: {columns: {old: {renamed_from: name}, name: int}}}",
        ),
        (
            "CREATE TABLE t (id int CONSTRAINT c CHECK (id > 0)); INSERT INTO t VALUES (1);",
            "tables: {t: {constraints: {c_old: {renamed_from: c, check: id > 0},"
            " c: {check: id < 9}}}}",
        ),
        (
            "CREATE TABLE t (id int, n int); CREATE INDEX i ON t (id);INSERT INTO t VALUES (1, 2);",
            "tables: {t: {indexes: {i_old: {renamed_from: i, on: id}, i: n}}}",
        ),
        (
            "CREATE TYPE e AS ENUM ('a'); CREATE TABLE t (id e); INSERT INTO t VALUES ('a');",
            "enums: {e_old: {renamed_from: e}, e: [b, c]}",
        ),
        (
            "CREATE TABLE t (id int, at date, PRIMARY KEY (id, at));"
            "INSERT INTO t VALUES (1, '2025-02-02');",
            """
tables:
  t_2025:
    renamed_from: t
    partition_of: t
    values: FROM ('2025-01-01') TO ('2026-01-01')
  t:
    columns: {id: {type: int, not_null: true}, at: {type: date, not_null: true}}
    constraints: {t_pkey: {primary_key: [id, at]}}
    partition_by: range (at)
""",
        ),
    ],
    ids=["table", "column", "constraint", "index", "enum", "partition"],
)
def test_nothing_is_left_after_an_old_name_is_given_back(
    database: Database, declare: Declare, made: str, declared: str
) -> None:
    database.run(made)
    before, rows = database.dump(), database.rows("SELECT * FROM t")
    done = declare(declared)
    assert (done.failed, done.left) == (0, ())
    after = database.dump()
    plan, _ = pipeline.plan_rollback(database.url, Place(), None)
    assert not [h for step in plan.steps for h in step.hazards if "reconcile_old" in h.reason]
    assert not [n for n in plan.notes if "reconcile_old" in n]
    outcome = rolled_back(database)
    assert (outcome.failed, outcome.left, outcome.unseen) == (0, (), "")
    assert (database.dump(), database.rows("SELECT * FROM t")) == (before, rows)
    outcome = rolled_back(database)
    assert (outcome.failed, outcome.left, outcome.unseen) == (0, (), "")
    assert database.dump() == after
