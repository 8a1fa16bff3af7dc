"""A plan says how large the locked relations are, and what a rollback would risk."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler import pipeline
from reconciler.declare.load import load
from reconciler.journal.ownership import DEFAULT_PLACE
from reconciler.model.state import Scope
from reconciler.model.statement import HazardKind
from reconciler.pipeline import Job
from reconciler.plan import foreseen
from reconciler.plan.plan import Plan
from reconciler.server.locks import LockPolicy
from tests.conftest import Database
from tests.test_cases import quiet
from tests.test_safety import declare

START = """CREATE TABLE public.t (id int, n int); CREATE TABLE public.other (id int);
    INSERT INTO public.t SELECT g, g FROM generate_series(1, 5000) AS g; ANALYZE public.t"""


def job_of(database: Database, folder: Path, declared: str) -> Job:
    return Job(database.url, load(declare(folder, declared)), Scope(frozenset({"public"})))


@pytest.mark.parametrize(
    ("declared", "hazards"),
    [
        ("tables: {t: {columns: {m: int}}}", {HazardKind.DATA_LOSS}),
        ("tables: {t: {indexes: {t_id: id}}}", set[HazardKind]()),
        ("tables: {made: {columns: {id: int}}}", {HazardKind.DATA_LOSS}),
        ("tables: {t: {row_level_security: true}}", {HazardKind.WEAKENS_SECURITY}),
    ],
)
def test_the_hazards_of_the_rollback_are_foreseen(
    database: Database, tmp_path: Path, declared: str, hazards: set[HazardKind]
) -> None:
    database.run(START)
    job = job_of(database, tmp_path, declared)
    plan = pipeline.plan_changes(job)
    assert plan.undo_hazards is not None
    assert {*plan.undo_hazards} == hazards
    pipeline.apply_plan(plan, job, database.url, quiet(), LockPolicy(), ["all"])
    back, _ = pipeline.plan_rollback(database.url, DEFAULT_PLACE, None)
    assert {*back.hazards()} == hazards


def test_sizes_are_those_of_the_locked_relations(database: Database, tmp_path: Path) -> None:
    database.run(START)
    job = job_of(
        database, tmp_path, "tables: {t: {indexes: {t_id: id}}, other: {columns: {id: int}}}"
    )
    (size,) = pipeline.plan_changes(job).sizes
    assert (size.relation, size.rows) == ("public.t", 5000)
    assert size.bytes == database.value("SELECT pg_total_relation_size('public.t')")


def test_a_rename_has_no_foreseen_hazards(database: Database, tmp_path: Path) -> None:
    database.run(START)
    job = job_of(database, tmp_path, "tables: {t: {columns: {m: {renamed_from: n}}}}")
    assert pipeline.plan_changes(job).undo_hazards is None


def test_a_large_change_has_no_foreseen_hazards(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.run(START)
    monkeypatch.setattr(foreseen, "MOST_CHANGES", 1)
    declared = "tables: {t: {columns: {a: int, b: int}}}"
    assert pipeline.plan_changes(job_of(database, tmp_path, declared)).undo_hazards is None


def test_facts_for_readers_change_no_digest(database: Database, tmp_path: Path) -> None:
    database.run(START)
    plan = pipeline.plan_changes(job_of(database, tmp_path, "tables: {t: {indexes: {i: id}}}"))
    without = plan.model_dump(mode="json", exclude={"sizes", "undo_hazards"})
    assert Plan.model_validate(without).intact()
