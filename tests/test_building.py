"""A colleague builds an index while a plan is made and applied: it is waited for, and taken up."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from reconciler import pipeline
from reconciler.apply.outcome import Outcome
from reconciler.errors import Busy
from reconciler.pipeline import Job
from reconciler.plan.step import Step
from reconciler.server.locks import LockPolicy
from tests.conftest import Database
from tests.test_locks import RecordingWatcher, job_of, wait_until

TABLE = """
    CREATE TABLE t (id int PRIMARY KEY, n int);
    INSERT INTO t SELECT g, g FROM generate_series(1, 100) AS g;
"""
DECLARED = "tables: {t: {indexes: {t_n: {on: n}}}}"
BUILDING = "SELECT count(*) FROM pg_stat_progress_create_index WHERE datname = current_database()"
WAITING = BUILDING + " AND phase = 'waiting for writers before build'"
OID = "SELECT 't_n'::regclass::oid"


@contextmanager
def held(database: Database) -> Generator[Callable[[], None]]:
    """Hold a row of the table, so that no build goes on; yield a function that lets go."""
    with psycopg.connect(database.url) as writer:
        writer.execute("UPDATE t SET n = n WHERE id = 1")
        yield writer.rollback


def build(database: Database, sql: str) -> threading.Thread:
    """Build an index in another session, and return once it waits for the writer."""

    def run() -> None:
        with psycopg.connect(database.url, autocommit=True) as colleague:
            colleague.execute(sql.encode())

    thread = threading.Thread(target=run)
    thread.start()
    wait_until(lambda: database.value(WAITING))
    return thread


def apply(job: Job, watcher: RecordingWatcher, policy: LockPolicy | None = None) -> Outcome:
    plan = pipeline.plan_changes(job)
    policy = policy or LockPolicy()
    return pipeline.apply_plan(plan, job, job.target, watcher, policy, ["all"])


def test_an_index_that_a_colleague_builds_is_taken_up(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    database, watcher = new_database(TABLE), RecordingWatcher()
    job = job_of(database, DECLARED, tmp_path)
    with held(database) as let_go:
        builder = build(database, "CREATE INDEX CONCURRENTLY t_n ON t (n)")
        oid = database.value(OID)
        plan = pipeline.plan_changes(job)
        assert plan.steps == ()
        assert [n for n in plan.notes if "index public.t_n is being built by pid" in n]
        with pytest.raises(Busy, match=r"public\.t_n is still being built by pid \d+"):
            apply(job, watcher, LockPolicy(total=0.1))
        threading.Timer(1, let_go).start()
        outcome = apply(job, watcher)
    builder.join()
    assert (outcome.failed, outcome.left) == (0, ())
    assert [n for n in watcher.notices if "waits for public.t_n, which is being built by" in n]
    assert database.value(OID) == oid

    with held(database) as let_go:
        builder = build(database, "REINDEX INDEX CONCURRENTLY t_n")
        assert pipeline.plan_changes(job).steps == ()
        let_go()
        builder.join()


class Completing(RecordingWatcher):
    """Completes the index when the first step begins."""

    database: Database

    def started(self, step: Step) -> None:
        self.database.run("UPDATE pg_index SET indisvalid = true")


def test_a_leftover_that_somebody_completes_is_not_dropped(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    database, watcher = new_database(TABLE + "CREATE INDEX t_n ON t (n)"), Completing()
    watcher.database = database
    database.run("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 't_n'::regclass")
    oid = database.value(OID)
    outcome = apply(job_of(database, DECLARED, tmp_path), watcher)
    assert [o.status for o in outcome.steps] == ["failed", "skipped"]
    assert (
        "public.t_n was invalid when the plan was made, and is valid now" in outcome.steps[0].error
    )
    assert database.value(OID) == oid
