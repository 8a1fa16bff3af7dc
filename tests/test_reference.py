"""Test the reference of the language: its pages, and every example on a server."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import pytest

from reconciler import pipeline
from reconciler.checks.run import run_checks
from reconciler.checks.session import Terms
from reconciler.declare.examples import TOPICS, examples
from reconciler.declare.load import load
from reconciler.journal.ownership import Place
from reconciler.kinds import KINDS
from reconciler.model.ref import Ref
from reconciler.pipeline import Job
from reconciler.plan.plan import Plan
from reconciler.report import text
from reconciler.server.locks import LockPolicy
from tests.conftest import MAJORS, ROOT, Database, verify_options
from tests.installations import installed
from tests.reference import (
    FILLED,
    SHARES,
    absent,
    applicable,
    create_roles,
    job_of,
    with_aliases,
    with_parts_absent,
)
from tests.test_cases import quiet

UNDROPPED = {
    # its column is altered
    Ref("constraint", "public", "price_known", Ref("table", "public", "quotes")),
    Ref("schema", "", "shop_attic"),  # was never there
    Ref("role", "", "web_intern"),
    Ref(  # goes with the trigger of the partitioned table
        "trigger", "public", "events_watch", Ref("table", "public", "events_silent")
    ),
}
NEVER_THERE = ("schema shop_attic", "role web_intern")
TITLES = pytest.mark.parametrize("topic", TOPICS)
LEFT_OUT = {  # titles of examples that PostgreSQL 18, as embedded, cannot hold
    "function: A function that is called with a hash of Perl instead of the text of an hstore",
    "procedure: A procedure that is called with a hash of Perl instead of the text of an hstore",
    "base_type: A base type in full, and the functions that PostgreSQL has in a shared library",
    "base_type: A type with subscripts, as in value[0], and statistics of its own",
    "range_type: A canonical form, by a function of a shared library that takes the range itself",
    "subscription: What the database receives from a publisher; the connection string is never"
    " written in a file",
    "subscription: One that is created disabled, without connecting; its slot is to be made on the"
    " publisher",
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


@dataclass(frozen=True)
class Applied:
    """A share of the examples, applied to a database."""

    database: Database
    examples: Mapping[str, str]
    folder: Path

    def plan(self, written: Mapping[str, str], name: str) -> tuple[Plan, Job]:
        job = job_of(written, self.database, self.folder / name)
        return pipeline.plan_changes(job), job

    def plan_each(self, change: Callable[[str], str], name: str, pattern: str = "*") -> Plan:
        changed = {n: change(d) for n, d in self.examples.items() if fnmatch(n, pattern)}
        return self.plan({"nothing.yml": "", **changed}, name)[0]

    def run(self, plan: Plan, job: Job) -> None:
        url = self.database.url
        outcome = pipeline.apply_plan(plan, job, url, quiet(), LockPolicy(), ["all"])
        assert (outcome.failed, outcome.skipped, outcome.left) == (0, 0, ())


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
    applied = Applied(database, found.written, tmp_path)
    plan, job = applied.plan(found.written, "state")
    applied.run(plan, job)

    again = pipeline.plan_changes(job)
    assert again.in_sync, text.plan(again)
    assert not [n for n in again.notes if not n.endswith(NEVER_THERE)]
    with_other_types = applied.plan_each(with_aliases, "aliases")
    assert with_other_types.in_sync, text.plan(with_other_types)
    if job.declaration.checks:
        _assert_passed(database, job)
    _assert_dropped(applied)

    rollback, job = pipeline.plan_rollback(database.url, Place(), None, database.url)
    applied.run(rollback, job)
    assert database.dump() == before


def _assert_passed(database: Database, job: Job) -> None:
    database.run(FILLED)
    declared = [(r.schema, r.name, r.arguments or "") for r in job.declaration.objects]
    terms = Terms(*verify_options(database)[1:], declared=declared)
    results = run_checks(database.url, job.declaration.checks, terms)
    assert [r for r in results if not r.passed] == []


def _assert_dropped(applied: Applied) -> None:
    """Plan that all objects are absent, or those on others, under other names of their types."""
    plans = {
        "absent": applied.plan_each(lambda d: absent(with_aliases(d)), "absent"),
        "parts": applied.plan_each(lambda d: with_parts_absent(d, columns=False), "parts"),
        "columns": applied.plan_each(
            lambda d: with_parts_absent(d, columns=True), "columns", "column-*"
        ),
    }
    for name, plan in plans.items():
        declared = Counter(r.kind for r in load(applied.folder / name).absent if r not in UNDROPPED)
        dropped = Counter(c.kind for c in plan.changes if c.action == "drop")
        assert not declared - dropped, text.plan(plan)


def test_the_overview_names_the_kinds_whose_definition_is_whole() -> None:
    words = " ".join((ROOT / "docs/language/README.md").read_text().split())
    stated = words.partition("Some definitions are whole")[2].partition(" - ")[0]
    whole = {
        kind.replace("_", " ").removesuffix("y")
        for kind, class_ in KINDS.items()
        if class_.omitted_is_default and kind != "role"  # attributes of roles keep their values
    }
    assert {kind for kind in whole if kind not in stated} == set()
