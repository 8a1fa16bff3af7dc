"""Objects of unusual size are planned and applied in seconds, and progress is shown."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler import pipeline
from reconciler.server.locks import LockPolicy
from tests.conftest import Database
from tests.test_execute import RecordingWatcher
from tests.test_locks import job_of

COLUMNS, VALUES, PARTITIONS = 1000, 5000, 1000
BEFORE = f"""
DO $$ BEGIN
  EXECUTE 'CREATE TYPE public.code AS ENUM (' ||
    (SELECT string_agg(quote_literal('v' || n), ', ' ORDER BY n)
     FROM generate_series(1, {VALUES}) AS n) || ')';
END $$;
CREATE TABLE public.events (n int NOT NULL) PARTITION BY RANGE (n);
DO $$ BEGIN
  FOR n IN 1..{PARTITIONS} LOOP
    EXECUTE format('CREATE TABLE public.events_%s PARTITION OF public.events
                    FOR VALUES FROM (%s) TO (%s)', n, n, n + 1);
  END LOOP;
END $$;
"""
SECONDS = 120  # far from what a quadratic plan takes, and far from what a busy machine needs


@pytest.mark.heavy
def test_wide_tables_long_enums_and_many_partitions(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    database = new_database(BEFORE)
    values = "".join(f"    - v{n}\n" for n in range(1, VALUES + 2))
    columns = "".join(
        f"      c{n}: {{type: integer, comment: column {n}}}\n" for n in range(COLUMNS)
    )
    declared = (
        f"enums:\n  code:\n    values:\n{values.replace('    -', '      -')}"
        f"tables:\n  wide:\n    columns:\n{columns}"
        f"  events_{PARTITIONS + 1}:\n    partition_of: events\n"
        f"    values: FROM ({PARTITIONS + 1}) TO ({PARTITIONS + 2})\n"
    )
    job = job_of(database, declared, tmp_path)
    began = time.monotonic()
    plan = pipeline.plan_changes(job)
    watcher = RecordingWatcher()
    outcome = pipeline.apply_plan(plan, job, job.target, watcher, LockPolicy(), ["all"])
    assert (outcome.failed, outcome.skipped, outcome.left) == (0, 0, ())
    assert len(watcher.done) == len(plan.steps) > COLUMNS
    assert pipeline.plan_changes(job).in_sync
    assert time.monotonic() - began < SECONDS
