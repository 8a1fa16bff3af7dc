"""Test the reference of the language: its pages, and every example on a server."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler import pipeline
from reconciler.checks.run import run_checks
from reconciler.checks.session import Terms
from reconciler.declare.examples import TOPICS, examples
from reconciler.declare.load import load
from reconciler.journal.ownership import Place
from reconciler.report import text
from reconciler.server.locks import LockPolicy
from tests.conftest import MAJORS, Database, verify_options
from tests.installations import installed
from tests.reference import FILLED, SHARES, applicable, create_roles, job_of
from tests.test_cases import quiet

TITLES = pytest.mark.parametrize("topic", TOPICS)
LEFT_OUT = {  # titles of examples that PostgreSQL 18, as embedded, cannot hold
    "function: A function that is called with a hash of Perl instead of the text of an hstore",
    "procedure: A procedure that is called with a hash of Perl instead of the text of an hstore",
    "range_type: A canonical form, by a function of a shared library that takes the range itself",
    "collation: A collation in which upper and lower case are equal",
    "collation: A collation with rules of its own",
}


@TITLES
def test_every_example_has_a_title_and_loads(topic: str, tmp_path: Path) -> None:
    for example in examples(topic):
        assert example.title
        file = tmp_path / "example.yml"
        file.write_text(example.declaration)
        declaration = load(file)
        assert declaration.objects or declaration.checks


@pytest.mark.parametrize("share", SHARES)
def test_every_example_is_applied_settles_and_is_rolled_back(
    share: str, each_major: int, new_database: Callable[..., Database], tmp_path: Path
) -> None:
    if each_major != MAJORS[0] and not installed():
        pytest.skip("with RECONCILE_TEST_POSTGRES the examples are applied on every PostgreSQL")
    database = new_database(major=each_major)
    create_roles(database)
    before = database.dump()
    found = applicable(SHARES[share], database, each_major, tmp_path)
    if each_major == MAJORS[0]:
        assert {*found.left_out} <= LEFT_OUT
    job = job_of(found.written, database, tmp_path / "state")
    plan = pipeline.plan_changes(job)
    outcome = pipeline.apply_plan(plan, job, database.url, quiet(), LockPolicy(), ["all"])
    assert (outcome.failed, outcome.skipped, outcome.left) == (0, 0, ())
    again = pipeline.plan_changes(job)
    assert again.in_sync, text.plan(again)
    assert not again.notes

    if job.declaration.checks:
        database.run(FILLED)
        declared = [(r.schema, r.name, r.arguments or "") for r in job.declaration.objects]
        terms = Terms(*verify_options(database)[1:], declared=declared)
        results = run_checks(database.url, job.declaration.checks, terms)
        assert [r for r in results if not r.passed] == []

    plan, job = pipeline.plan_rollback(database.url, Place(), None, database.url)
    outcome = pipeline.apply_plan(plan, job, database.url, quiet(), LockPolicy(), ["all"])
    assert (outcome.failed, outcome.skipped, outcome.left) == (0, 0, ())
    assert database.dump() == before
