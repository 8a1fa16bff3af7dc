"""Test that databases in the same state are planned once, and others are not taken for them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reconciler import planning
from reconciler import shapes as shapes_module
from reconciler.declare.load import load
from reconciler.errors import DeclarationError
from reconciler.introspect.introspect import Snapshot
from reconciler.pipeline import plan_changes
from reconciler.plan.plan import Plan
from reconciler.planning import Job, scope_of
from reconciler.server.tablespaces import Tablespaces
from reconciler.shapes import Shapes
from tests.conftest import ROOT, Database

TABLES = ("CREATE TABLE t (a int, b varchar(20))", "CREATE TABLE u (c int)")
DECLARED = "tables: {t: {columns: {a: int, b: varchar (30)}, indexes: {i: {on: [a]}}}, u: {}}"
KINDS = sorted((ROOT / "tests/cases").iterdir())[::5]
CASES = [
    next(c for c in sorted(k.iterdir()) if (c / "desired.yml").exists())
    for k in KINDS
    if k.name != "security_label"  # its provider is on the tests' own server alone
]


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out what other tests change meanwhile: roles and tablespaces are the server's."""

    def facts(live: Snapshot) -> tuple[object, ...]:
        context = replace(live.context, tablespaces=Tablespaces())
        return read(replace(live, context=context, roles=frozenset()))

    read = shapes_module.facts_of
    monkeypatch.setattr(shapes_module, "facts_of", facts)


@pytest.fixture
def proofs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Count the plans that are tried on scratch."""
    found: list[str] = []

    def counted(plan: Plan, *others: Any) -> Any:
        found.append(plan.target)
        return proven(plan, *others)

    proven = planning.prove_plan
    monkeypatch.setattr(planning, "prove_plan", counted)
    return found


def job_of(database: Database, state: Path | str, tmp_path: Path, shapes: Shapes | None) -> Job:
    if isinstance(state, str):
        (tmp_path / "state.yml").write_text(state)
        state = tmp_path / "state.yml"
    declaration = load(state)
    scope = scope_of(declaration, (), prune=False)
    return Job(database.url, declaration, scope, "embedded", shapes=shapes)


def content(plan: Plan) -> dict[str, Any]:
    return plan.model_dump(exclude={"target", "database", "digest"})


def test_databases_made_in_another_order_have_one_shape(
    new_database: Callable[..., Database], tmp_path: Path, proofs: list[str]
) -> None:
    databases = [new_database(";".join(order)) for order in (TABLES, TABLES[::-1])]
    shapes = Shapes()
    jobs = [job_of(d, DECLARED, tmp_path, shapes) for d in databases]
    first, second = map(plan_changes, jobs)
    assert (len(proofs), len(shapes)) == (1, 1)
    assert content(first) == content(second)
    assert first.database != second.database
    assert second.intact()
    assert content(plan_changes(replace(jobs[1], shapes=None))) == content(second)


@pytest.mark.parametrize(
    "script",
    [
        "CREATE SCHEMA other",
        "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC",
        "CREATE VIEW v AS SELECT a FROM t",
        "ALTER TABLE t ADD CHECK (a > 0)",
        "CREATE EXTENSION pg_trgm",
        "CREATE AGGREGATE s (int) (sfunc = int4pl, stype = int)",
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = off',"
        " current_database()); END $$",
    ],
)
def test_other_facts_make_another_shape(
    new_database: Callable[..., Database], tmp_path: Path, proofs: list[str], script: str
) -> None:
    shapes = Shapes()
    for more in ("", script):
        database = new_database(";".join([*TABLES, more]))
        plan_changes(job_of(database, DECLARED, tmp_path, shapes))
    assert (len(proofs), len(shapes)) == (2, 2)


def test_another_declaration_makes_another_shape(
    database: Database, tmp_path: Path, proofs: list[str]
) -> None:
    database.run(";".join(TABLES))
    shapes = Shapes()
    plan_changes(job_of(database, DECLARED, tmp_path, shapes))
    other = plan_changes(job_of(database, DECLARED.replace("30", "40"), tmp_path, shapes))
    assert len(proofs) == 2
    assert "varchar(40)" in other.steps[0].sql.replace("character varying", "varchar")


def test_sizes_and_rows_are_each_databases_own(
    new_database: Callable[..., Database], tmp_path: Path, proofs: list[str]
) -> None:
    declared = "tables: {t: {columns: {a: {type: int, not_null: true}}}}"
    shapes = Shapes()
    plans: list[Plan] = []
    for rows in ("", "INSERT INTO t SELECT g FROM generate_series(1, 50000) AS g; ANALYZE t"):
        database = new_database(f"CREATE TABLE t (a int); {rows}")
        plans.append(plan_changes(job_of(database, declared, tmp_path, shapes)))
    with_null = new_database("CREATE TABLE t (a int); INSERT INTO t VALUES (NULL)")
    plans.append(plan_changes(job_of(with_null, declared, tmp_path, shapes)))
    assert len(shapes) == 1
    sizes = [p.sizes[0].rows for p in plans]
    assert sizes[:2] == [0, 50000]
    assert [bool(p.answers) for p in plans] == [False, False, True]
    assert all(p.scratch for p in plans)
    assert len(proofs) == len({tuple(s.sql for s in p.steps) for p in plans})


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c.parent.name}/{c.name}")
def test_a_plan_by_the_shape_is_the_plan_made_anew(
    new_database: Callable[..., Database], tmp_path: Path, case: Path, proofs: list[str]
) -> None:
    database = new_database((case / "actual.sql").read_text())
    shapes = Shapes()
    job = job_of(database, case / "desired.yml", tmp_path, shapes)
    anew = plan_changes(job)
    before = len(proofs)
    assert plan_changes(job) == anew
    (shape,) = next(iter(shapes.known.values()))
    (variant,) = shape.variants
    context = replace(variant.canonical.context, replication=replace_slots(variant))
    shape.variants[0] = replace(variant, canonical=replace(variant.canonical, context=context))
    assert plan_changes(job) == anew, "planned by the canonical states, with facts of its own"
    assert len(proofs) == before


def replace_slots(variant: Any) -> Any:
    return replace(variant.canonical.context.replication, slots=("another",))


def test_an_error_of_the_shape_is_found_once(
    new_database: Callable[..., Database], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[object] = []
    canonicalised = planning.canonicalise

    def counted(*given: Any, **more: Any) -> Any:
        calls.append(given)
        return canonicalised(*given, **more)

    monkeypatch.setattr(planning, "canonicalise", counted)
    shapes = Shapes()
    for _ in range(3):
        database = new_database(";".join(TABLES))
        job = job_of(database, "views: {v: {query: SELECT none FROM t}}", tmp_path, shapes)
        with pytest.raises(DeclarationError, match="none"):
            plan_changes(job)
    assert len(calls) == 1
