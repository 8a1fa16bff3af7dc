"""Test rollbacks of runs that gave tables a parent, or took it away."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler import pipeline
from reconciler.declare.load import load
from reconciler.errors import DeclarationError, ProofError
from reconciler.journal.ownership import Place
from reconciler.model.state import Scope
from reconciler.model.statement import HazardKind
from reconciler.pipeline import Job, export_state
from reconciler.server.locks import LockPolicy
from tests.conftest import Database
from tests.test_cases import quiet
from tests.test_rollback import rolled_back

NewDatabase = Callable[..., Database]
PARTITIONED = """
    CREATE TABLE e (id int NOT NULL, at date NOT NULL, CHECK (id > 0)) PARTITION BY RANGE (at);
    CREATE TABLE e1 PARTITION OF e FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
    INSERT INTO e VALUES (1, '2025-02-02');"""
INHERITED = """
    CREATE TABLE e (id int NOT NULL, at date NOT NULL, CHECK (id > 0));
    CREATE TABLE e1 () INHERITS (e);
    INSERT INTO e1 VALUES (1, '2025-02-02');"""


@pytest.mark.parametrize(
    ("made", "parted"),
    [
        (PARTITIONED, "ALTER TABLE e DETACH PARTITION e1"),
        (INHERITED, "ALTER TABLE e1 NO INHERIT e"),
    ],
    ids=["partition", "child table"],
)
def test_a_table_that_is_parted_again_keeps_its_not_nulls(
    new_database: NewDatabase, each_major: int, tmp_path: Path, made: str, parted: str
) -> None:
    database = new_database(made, each_major)
    export_state(database.url, Scope(frozenset({"public"})), tmp_path)
    database.run(parted)
    before = database.dump()
    declaration = load(tmp_path)
    job = Job(database.url, declaration, Scope(declaration.schemas))
    plan = pipeline.plan_changes(job)
    made_again = plan.changes
    done = pipeline.apply_plan(plan, job, database.url, quiet(), LockPolicy(), ["all"])
    assert (done.failed, done.left) == (0, ()), done
    plan, _ = pipeline.plan_rollback(database.url, Place(), None)
    assert not [n for n in plan.notes if "may be null" in n]
    assert rolled_back(database).failed == 0
    assert database.dump() == before
    assert pipeline.plan_changes(job).changes == made_again


@pytest.mark.parametrize(
    ("declared", "own"),
    [
        ("c: {inherits: [], columns: {x: int}}", "column id, column born, constraint k"),
        ("c: {inherits: [q]}", "column born, constraint k"),
        ("c: {inherits: [q, p]}", "column id, column born, constraint k"),
        ("c: {inherits: [p, q]}", ""),
        ("p: {state: absent}, c: {inherits: []}", "column id, column born, constraint k"),
        ("d: {inherits: [q, p]}", "column id, column born, constraint k"),
        ("d: {inherits: [p]}", ""),
        ("has_own: {inherits: []}", ""),
    ],
)
def test_what_becomes_a_child_tables_own_is_said_before(
    database: Database, tmp_path: Path, declared: str, own: str
) -> None:
    """PostgreSQL makes parts local when the last parent goes, and never inherited again."""
    database.run(
        "CREATE TABLE p (id int, born date, CONSTRAINT k CHECK (id > 0)); CREATE TABLE q (id int);"
        "CREATE TABLE c (x int) INHERITS (p); CREATE TABLE d () INHERITS (p, q);"
        "CREATE TABLE has_own (id int, born date, CONSTRAINT k CHECK (id > 0)) INHERITS (p);"
    )
    if "absent" in declared:
        database.run("DROP TABLE d, has_own")
    (tmp_path / "state.yml").write_text(f"tables: {{{declared}}}")
    declaration = load(tmp_path)
    job = Job(database.url, declaration, Scope(declaration.schemas))
    before = database.dump()
    plan = pipeline.plan_changes(job)
    told = plan.hazards().get(HazardKind.IRREVERSIBLE, [])
    assert [f" has {own} as its own from then on" in reason for reason in told] == [True] * bool(
        own
    )
    done = pipeline.apply_plan(plan, job, database.url, quiet(), LockPolicy(), ["all"])
    assert (done.failed, done.left) == (0, ()), done
    plan, _ = pipeline.plan_rollback(database.url, Place(), None)
    assert any(own in n for n in plan.notes) or not own
    assert rolled_back(database).failed == 0
    parents = "SELECT inhrelid::regclass::text, inhparent::regclass::text FROM pg_inherits"
    assert ("c", "p") in database.rows(parents)
    assert (database.dump() == before) == (not own)


@pytest.mark.parametrize(
    ("made", "parted", "error"),
    [
        (PARTITIONED, "ALTER TABLE e DETACH PARTITION e1", DeclarationError),
        (INHERITED, "ALTER TABLE e1 NO INHERIT e", ProofError),
    ],
    ids=["partition", "child table"],
)
def test_a_column_that_may_be_null_in_a_child_table_is_refused_with_a_hint(
    database: Database, tmp_path: Path, made: str, parted: str, error: type[Exception]
) -> None:
    database.run(made)
    export_state(database.url, Scope(frozenset({"public"})), tmp_path)
    database.run(f"{parted}; ALTER TABLE e1 ALTER id DROP NOT NULL")
    declaration = load(tmp_path)
    with pytest.raises(error) as told:
        pipeline.plan_changes(Job(database.url, declaration, Scope(declaration.schemas)))
    assert "declare it with the child table too: columns: {id: {not_null: true}}" in str(told.value)
