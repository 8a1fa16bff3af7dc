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
