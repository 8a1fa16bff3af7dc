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
