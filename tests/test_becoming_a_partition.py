"""A table becomes a partition of a new one of its name: all of it or nothing, and back again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from reconciler import pipeline
from reconciler.apply.outcome import Outcome
from reconciler.errors import DeclarationError
from reconciler.journal.ownership import Place
from reconciler.model.bound_proof import bound_check
from reconciler.model.ref import Ref
from reconciler.model.statement import HazardKind
from reconciler.pipeline import Job
from reconciler.plan.plan import Plan
from reconciler.server.locks import LockPolicy
from tests.conftest import Database
from tests.test_execute import RecordingWatcher
from tests.test_gaps import GAPS
from tests.test_locks import job_of

SWALLOWED = GAPS["a table becomes a partition of a new one"]
CHECK = bound_check(Ref("table", "public", "events_old"))
CHECKS = "SELECT count(*) FROM pg_constraint WHERE conname LIKE 'reconcile_bound%'"


def applied(plan: Plan, job: Job) -> Outcome:
    return pipeline.apply_plan(plan, job, job.target, RecordingWatcher(), LockPolicy(), ["all"])


def test_a_table_becomes_a_partition_wholly_or_not_at_all_and_back(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    database = new_database(SWALLOWED.before)
    job = job_of(database, SWALLOWED.declared, tmp_path)
    before = database.dump()

    database.run("INSERT INTO public.events (at, body) VALUES ('2026-03-01', 'outside')")
    plan = pipeline.plan_changes(job)
    (answer,) = plan.answers
    assert answer.refuses
    assert "lie outside its bound" in answer.message
    assert applied(plan, replace(job, questions=False)).failed == 1
    assert database.dump() == before  # without the check, which would refuse rows

    database.run(
        f"""DELETE FROM public.events WHERE body = 'outside';
            ALTER TABLE public.events ADD CONSTRAINT {CHECK} CHECK (at < '2020-01-01') NOT VALID"""
    )  # as a killed run leaves it, of another bound
    assert (applied(pipeline.plan_changes(job), job).failed, database.value(CHECKS)) == (0, 0)
    assert database.value("SELECT count(*) FROM ONLY public.events_old") == 50000

    plan, back = pipeline.plan_rollback(database.url, Place(), None)
    gone = {s.transaction for s in plan.steps if s.action == "drop"}
    assert gone == {plan.steps[0].transaction}
    assert (applied(plan, back).failed, database.dump()) == (0, before)
    assert database.value("SELECT count(*) FROM ONLY public.events") == 50000

    locked = SWALLOWED.declared.replace(
        "from: events\n", "from: events\n    attach_under_lock: true\n"
    )
    steps = pipeline.plan_changes(job_of(database, locked, tmp_path)).steps
    assert {h.hazard for s in steps for h in s.hazards} == {HazardKind.LONG_SCAN}


def test_an_identity_is_not_lost_on_the_way(
    each_major: int, new_database: Callable[..., Database], tmp_path: Path
) -> None:
    """The new table would count from the start again: before PostgreSQL 17 without an error."""
    database = new_database(SWALLOWED.before, each_major)
    database.run("ALTER TABLE public.events ADD COLUMN n bigint GENERATED ALWAYS AS IDENTITY")
    job = job_of(database, SWALLOWED.declared, tmp_path)
    with pytest.raises(DeclarationError, match="n has an identity, which a table that becomes"):
        pipeline.plan_changes(job)
