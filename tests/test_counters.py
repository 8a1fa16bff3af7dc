"""Serial and identity columns count on from where the other was, forth and back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler import pipeline
from reconciler.journal.ownership import DEFAULT_PLACE
from reconciler.server.locks import LockPolicy
from tests.conftest import Database
from tests.test_execute import RecordingWatcher
from tests.test_locks import job_of

TABLE = """
    CREATE TABLE public.parcel (id {}, code text);
    INSERT INTO public.parcel (code) SELECT 'p' || g FROM generate_series(1, 700) AS g;
    DELETE FROM public.parcel WHERE id > 600;"""
INSERT = "INSERT INTO public.parcel (code) VALUES ('x') RETURNING id"


@pytest.mark.parametrize(
    ("before", "declared"),
    [
        ("bigserial PRIMARY KEY", "id: {identity: always}"),
        ("serial PRIMARY KEY", "id: {type: bigint, identity: by default}"),
        ("bigserial PRIMARY KEY", "id: {default: null, identity: always}"),
        ("bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY", "id: {type: bigserial}"),
        ("bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY", "id: bigserial"),
    ],
)
def test_a_counter_is_handed_over_forth_and_back(
    before: str, declared: str, new_database: Callable[..., Database], tmp_path: Path
) -> None:
    database = new_database(TABLE.format(before))
    job = job_of(database, f"tables: {{parcel: {{columns: {{{declared}}}}}}}", tmp_path)
    plan = pipeline.plan_changes(job)
    watcher = RecordingWatcher()
    outcome = pipeline.apply_plan(plan, job, job.target, watcher, LockPolicy(), ["table-rewrite"])
    assert (outcome.failed, outcome.left) == (0, ())
    assert database.value(INSERT) == 701
    back, rollback = pipeline.plan_rollback(database.url, DEFAULT_PLACE, None)
    pipeline.apply_plan(back, rollback, database.url, watcher, LockPolicy(), ["all"])
    assert database.value(INSERT) == 702


def test_counters_of_columns_with_odd_names_are_kept_apart(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    database = new_database(
        """CREATE TABLE public.a ("the Id" bigserial, v int);
        CREATE TABLE public.b ("the Id" bigserial, v int);
        INSERT INTO public.a (v) SELECT 1 FROM generate_series(1, 5);
        INSERT INTO public.b (v) SELECT 1 FROM generate_series(1, 8);"""
    )
    declared = """
tables:
  a: {columns: {the Id: {identity: always}}}
  b: {columns: {the Id: {identity: always}}}"""
    job = job_of(database, declared, tmp_path)
    plan = pipeline.plan_changes(job)
    pipeline.apply_plan(plan, job, job.target, RecordingWatcher(), LockPolicy(), ["all"])
    insert = 'INSERT INTO public.{} (v) VALUES (1) RETURNING "the Id"'
    assert [database.value(insert.format(t)) for t in "ab"] == [6, 9]


def test_the_sequence_of_a_serial_column_follows_the_column(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    database = new_database(TABLE.format("serial"))
    database.run("SELECT setval('public.parcel_id_seq', 2147483647)")
    job = job_of(database, "tables: {parcel: {columns: {id: int8}}}", tmp_path)
    plan = pipeline.plan_changes(job)
    pipeline.apply_plan(plan, job, job.target, RecordingWatcher(), LockPolicy(), ["all"])
    assert database.value(INSERT) == 2147483648
    job = job_of(database, "tables: {parcel: {columns: {id: {state: absent}}}}", tmp_path)
    plan = pipeline.plan_changes(job)
    pipeline.apply_plan(plan, job, job.target, RecordingWatcher(), LockPolicy(), ["all"])
    assert not database.value("SELECT to_regclass('public.parcel_id_seq')")
