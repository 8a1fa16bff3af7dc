"""Ask the rows of default partitions, and of partitions, whether a bound can be put in force."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler import pipeline
from reconciler.errors import PlanRefused
from tests.conftest import Database
from tests.test_locks import job_of
from tests.test_questions import answers, apply

DATES = """
    CREATE TABLE p (id int, d date) PARTITION BY RANGE (d);
    CREATE TABLE pd PARTITION OF p DEFAULT; INSERT INTO p VALUES (1, '2024-02-01');"""
NEW = "p24: {partition_of: p, values: \"FROM ('2024-01-01') TO ('2025-01-01')\"}"
INSIDE = "rows of public.pd, the default partition, lie inside the bound of public.{} ({})"


@pytest.mark.parametrize(
    ("before", "declared", "words"),
    [
        (DATES, NEW, INSIDE.format("p24", "d=2024-02-01")),
        (DATES + "CREATE TABLE p24 (id int, d date);", NEW, INSIDE.format("p24", "d=2024-02-01")),
        (
            DATES + "CREATE TABLE p24 PARTITION OF p FOR VALUES FROM ('2024-05-01') TO (MAXVALUE);",
            NEW,
            INSIDE.format("p24", "d=2024-02-01"),
        ),
        (
            "CREATE TABLE l (id int, k text, PRIMARY KEY (id, k)) PARTITION BY LIST (k);"
            "CREATE TABLE pd PARTITION OF l DEFAULT; INSERT INTO l VALUES (7, 'x');",
            "lx: {partition_of: l, values: \"IN ('x')\"}",
            INSIDE.format("lx", "id=7, k=x"),
        ),
        (
            "CREATE TABLE p (a int, b int) PARTITION BY RANGE (a);"
            "CREATE TABLE pd PARTITION OF p DEFAULT PARTITION BY LIST (b);"
            "CREATE TABLE pdd PARTITION OF pd DEFAULT; INSERT INTO p VALUES (3, 4);",
            'p1: {partition_of: p, values: "FROM (1) TO (5)"}',
            INSIDE.format("p1", "a=3"),
        ),
        (
            "CREATE TABLE p (a int) PARTITION BY RANGE (a);"
            "CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (1) TO (9); INSERT INTO p VALUES (7);",
            'p1: {partition_of: p, values: "FROM (1) TO (5)"}',
            "rows of public.p1 lie outside its bound FOR VALUES FROM (1) TO (5) (a=7)",
        ),
    ],
)
def test_rows_that_a_bound_refuses(
    before: str,
    declared: str,
    words: str,
    new_database: Callable[..., Database],
    tmp_path: Path,
) -> None:
    job = job_of(new_database(before), f"tables: {{{declared}}}", tmp_path)
    plan = pipeline.plan_changes(job)
    assert [(refuses, words in message) for refuses, message in answers(plan)] == [(True, True)]
    with pytest.raises(PlanRefused):
        apply(plan, job)


@pytest.mark.parametrize(
    ("before", "asked"),
    [
        (DATES + "DELETE FROM p;", 0),
        (DATES.replace("2024-02", "2023-02"), 0),
        (DATES.replace("(d)", "((d + 1))"), 1),
    ],
)
def test_no_row_is_in_the_way(
    before: str, asked: int, new_database: Callable[..., Database], tmp_path: Path
) -> None:
    database = new_database(before)
    job = job_of(database, f"tables: {{{NEW}}}", tmp_path)
    plan = pipeline.plan_changes(job)
    assert [refuses for refuses, _ in answers(plan)] == [False] * asked
    assert all("was not asked: the partition key has expressions" in m for _, m in answers(plan))


def test_a_default_partition_that_goes_is_not_asked(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    declared = f"tables: {{{NEW}, pd: {{partition_of: null, columns: {{id: int, d: date}}}}}}"
    plan = pipeline.plan_changes(job_of(new_database(DATES), declared, tmp_path))
    assert not answers(plan)
