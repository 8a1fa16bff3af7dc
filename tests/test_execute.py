"""Test execution under contention: short waits, one applier, no leftovers."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from reconciler import pipeline
from reconciler.apply.backfill import Progress
from reconciler.apply.outcome import Outcome, StepOutcome, Watcher
from reconciler.apply.session import sole_applier
from reconciler.declare.load import load
from reconciler.errors import Busy, DeclarationError, PlanRefused
from reconciler.model.state import Scope
from reconciler.pipeline import Job
from reconciler.plan.plan import Plan
from reconciler.plan.step import Step
from reconciler.report.progress import Lines
from reconciler.server.connection import connect
from reconciler.server.locks import LockPolicy
from tests.conftest import Database, as_application

TABLE = (
    "CREATE TABLE public.t (id int PRIMARY KEY, n int); "
    "INSERT INTO public.t SELECT g, g % 10 FROM generate_series(1, 100) AS g;"
)
Made = Callable[..., tuple[Database, Job]]
IMPATIENT = LockPolicy(lock=0.1, total=0.5)


class RecordingWatcher:
    """A watcher that records its calls."""

    def __init__(self) -> None:
        self.waits: list[str] = []
        self.notices: list[str] = []
        self.done: list[StepOutcome] = []
        self.progress_reports: list[Progress] = []

    def started(self, step: Step) -> None:
        pass

    def progress(self, step: Step, progress: Progress) -> None:
        self.progress_reports.append(progress)

    def waiting(self, step: Step, why: str) -> None:
        self.waits.append(why)

    def notice(self, words: str) -> None:
        self.notices.append(words)

    def ended(self, outcome: StepOutcome) -> None:
        self.done.append(outcome)


@pytest.fixture
def job(new_database: Callable[..., Database], tmp_path: Path) -> Made:
    def make(declared: str, script: str = TABLE) -> tuple[Database, Job]:
        database = new_database(script)
        file = tmp_path / "state.yml"
        file.write_text(declared)
        declaration = load(file)
        return database, Job(database.url, declaration, Scope(declaration.schemas))

    return make


def apply(job: Job, notes: Watcher, policy: LockPolicy, plan: Plan | None = None) -> Outcome:
    return pipeline.apply_plan(
        plan or pipeline.plan_changes(job), job, job.target, notes, policy, ["all"]
    )


def test_an_unavailable_lock_is_retried(job: Made) -> None:
    database, made = job("tables: {t: {columns: {n: {default: 3}}}}")
    plan = pipeline.plan_changes(made)
    notes = RecordingWatcher()
    with psycopg.connect(database.url) as holder:
        holder.execute("SELECT * FROM t")
        suspend = threading.Timer(1.0, holder.rollback)
        suspend.start()
        outcome = apply(made, notes, LockPolicy(lock=0.1, total=30), plan)
        suspend.join()
    assert (outcome.changed, outcome.failed, outcome.left) == (1, 0, ())
    assert len(notes.waits) > 1
    assert "idle in transaction" in notes.waits[0]
    assert "SELECT * FROM t" in notes.waits[0]


def test_no_queue_forms_behind_a_waiting_step(job: Made) -> None:
    database, made = job("tables: {t: {columns: {n: {default: 3}}}}")
    plan = pipeline.plan_changes(made)
    slowest = 0.0
    with (
        psycopg.connect(database.url) as holder,
        psycopg.connect(database.url, autocommit=True) as application,
    ):
        holder.execute("SELECT * FROM t")
        applier = threading.Thread(
            target=apply, args=(made, RecordingWatcher(), LockPolicy(lock=0.2, total=2), plan)
        )
        applier.start()
        while applier.is_alive():
            began = time.monotonic()
            application.execute("UPDATE t SET n = n WHERE id = 1")
            slowest = max(slowest, time.monotonic() - began)
            time.sleep(0.01)
    assert slowest < 1.0


def test_a_step_without_its_lock_changes_nothing(job: Made) -> None:
    database, made = job("tables: {t: {columns: {n: {default: 3}}, comment: independent}}")
    plan = pipeline.plan_changes(made)
    before = database.dump()
    with psycopg.connect(database.url) as holder:
        holder.execute("LOCK TABLE t IN ACCESS SHARE MODE")
        outcome = apply(made, RecordingWatcher(), IMPATIENT, plan)
    assert outcome.failed == 1
    assert set(database.dump()) - set(before) == {"COMMENT ON TABLE public.t IS 'independent';"}
    assert apply(made, RecordingWatcher(), IMPATIENT).changed == 1


def test_a_second_applier_is_refused(job: Made) -> None:
    database, made = job("tables: {t: {indexes: {t_n: {on: n}}}}")
    with sole_applier(database.url), pytest.raises(Busy, match="pid"):
        apply(made, RecordingWatcher(), IMPATIENT)
    assert apply(made, RecordingWatcher(), IMPATIENT).changed == 1


def test_a_failed_build_leaves_no_invalid_index(job: Made) -> None:
    database, made = job("tables: {t: {indexes: {t_n: {on: n, unique: true}}}}")
    outcome = apply(made, RecordingWatcher(), IMPATIENT)
    assert (outcome.changed, outcome.failed) == (0, 1)
    assert (
        "duplicate" in outcome.steps[0].error
        or "could not create unique index" in outcome.steps[0].error
    )
    assert database.value("SELECT count(*) FROM pg_index WHERE NOT indisvalid") == 0


def test_an_invalid_index_of_another_tool_is_rebuilt(job: Made) -> None:
    database, made = job("tables: {t: {indexes: {t_n: {on: n, unique: true}}}}")
    with pytest.raises(psycopg.errors.UniqueViolation), as_application(database.url) as connection:
        connection.execute("CREATE UNIQUE INDEX CONCURRENTLY t_n ON t (n)")
    assert database.value("SELECT count(*) FROM pg_index WHERE NOT indisvalid") == 1
    database.run("UPDATE t SET n = id")
    assert apply(made, RecordingWatcher(), IMPATIENT).changed == 1
    assert database.value("SELECT indisvalid FROM pg_index WHERE indexrelid = 't_n'::regclass")
    assert pipeline.plan_changes(made).in_sync


def test_leftovers_of_a_killed_replacement_are_dropped(job: Made) -> None:
    """After a kill between swap and drop the old index still exists under a temporary name."""
    database, made = job(
        "tables: {t: {indexes: {t_n: {on: [n, id]}}}}", TABLE + "CREATE INDEX t_n ON public.t (n);"
    )
    plan = pipeline.plan_changes(made)
    with connect(database.url) as connection:
        for step in plan.steps[:-1]:
            connection.execute(step.sql.encode())
    second_plan = pipeline.plan_changes(made)
    assert [s.sql for s in second_plan.steps] == [plan.steps[-1].sql]
    assert apply(made, RecordingWatcher(), IMPATIENT, second_plan).failed == 0
    assert database.value("SELECT count(*) FROM pg_class WHERE relname LIKE 'reconcile%'") == 0
    assert pipeline.plan_changes(made).in_sync


def test_a_stale_plan_is_refused(job: Made) -> None:
    database, made = job("tables: {t: {indexes: {t_n: {on: n}}}}")
    plan = pipeline.plan_changes(made)
    database.run("CREATE INDEX t_n ON t (id)")
    with pytest.raises(PlanRefused, match="moved"):
        apply(made, RecordingWatcher(), IMPATIENT, plan)


def test_a_backfill_updates_only_null_rows(job: Made) -> None:
    script = TABLE + (
        "UPDATE public.t SET n = NULL WHERE id > 50; "
        "CREATE TABLE public.seen AS SELECT id, xmin::text AS x FROM public.t "
        "WHERE id <= 50;"
    )
    database, made = job(
        "tables: {t: {columns: {n: {not_null: true, backfill: {value: t.id * 2}}}}}", script
    )
    notes = RecordingWatcher()
    assert apply(made, notes, IMPATIENT).failed == 0
    assert database.value("SELECT count(*) FROM t WHERE n = id * 2 AND id > 50") == 50
    assert (
        database.value("SELECT count(*) FROM t JOIN seen USING (id) WHERE t.xmin::text = seen.x")
        == 50
    )
    assert notes.progress_reports[-1].done == notes.progress_reports[-1].total


def test_nulls_without_a_backfill_stop_before_any_change(job: Made) -> None:
    database, made = job(
        "tables: {t: {columns: {n: {not_null: true}}}}",
        TABLE + "UPDATE public.t SET n = NULL WHERE id IN (7, 8);",
    )
    before = database.dump()
    with pytest.raises(PlanRefused, match=r"no value in n \(id=7; id=8\)"):
        apply(made, RecordingWatcher(), IMPATIENT)
    outcome = apply(dataclasses.replace(made, questions=False), RecordingWatcher(), IMPATIENT)
    assert (outcome.changed, outcome.failed) == (0, 1)
    assert "id: 7, 8" in outcome.steps[0].error
    assert database.dump() == before


def test_a_failed_step_rolls_back_its_transaction(job: Made) -> None:
    declared = """
tables:
  t:
    exclusive: policies
    row_level_security: true
    policies: {mine: {using: n > 0}}
"""
    database, made = job(declared, TABLE + "CREATE POLICY old ON public.t USING (true);")
    plan = pipeline.plan_changes(made)
    bad = plan.steps[-1].model_copy(
        update={"sql": "ALTER TABLE public.nothing ENABLE ROW LEVEL SECURITY"}
    )
    outcome = apply(
        made,
        RecordingWatcher(),
        IMPATIENT,
        plan.model_copy(update={"steps": (*plan.steps[:-1], bad)}).sealed(),
    )
    assert outcome.changed == 0
    assert (
        database.value("SELECT string_agg(policyname, ',') FROM pg_policies WHERE tablename = 't'")
        == "old"
    )


def test_a_foreign_index_is_never_dropped(job: Made) -> None:
    script = TABLE + "CREATE UNIQUE INDEX t_n_key ON public.t (id);"
    database, made = job("tables: {t: {constraints: {t_n_key: {unique: id}}}}", script)
    before = database.dump()
    with pytest.raises(DeclarationError, match="t_n_key"):
        pipeline.plan_changes(made)
    assert database.dump() == before


def test_a_foreign_index_with_our_prefix_is_kept(job: Made) -> None:
    database, made = job(
        "tables: {t: {comment: x}}", TABLE + "CREATE INDEX reconcile_batch_idx ON public.t (n);"
    )
    assert [s.sql.split()[0] for s in pipeline.plan_changes(made).steps] == ["COMMENT"]
    assert apply(made, RecordingWatcher(), IMPATIENT).failed == 0
    assert database.value("SELECT to_regclass('public.reconcile_batch_idx') IS NOT NULL")


def test_a_backfill_ends_while_rows_keep_coming(job: Made) -> None:
    database, made = job(
        "tables: {t: {columns: {n: {not_null: true, backfill: {value: t.id * 2}}}}}",
        TABLE + "UPDATE public.t SET n = NULL;",
    )
    plan = pipeline.plan_changes(made)
    stop = threading.Event()

    def insert() -> None:
        with psycopg.connect(database.url, autocommit=True) as application:
            for row in range(1000, 100_000):
                if stop.is_set():
                    return
                with contextlib.suppress(
                    psycopg.errors.NotNullViolation, psycopg.errors.CheckViolation
                ):
                    application.execute("INSERT INTO t (id) VALUES (%s)", [row])

    thread = threading.Thread(target=insert)
    thread.start()
    try:
        outcome = apply(made, RecordingWatcher(), LockPolicy(lock=1, total=20), plan)
    finally:
        stop.set()
        thread.join()
    assert (outcome.failed, outcome.left) == (0, ()), outcome.steps
    assert database.value("SELECT count(*) FROM t WHERE n IS NULL") == 0


def test_a_statement_timeout_of_the_database_does_not_end_a_backfill(job: Made) -> None:
    database, made = job(
        (
            "tables: {t: {columns: {n: {not_null: true, backfill: {value: (SELECT 1 FROM "
            "pg_sleep(0.01))}}}}}"
        ),
        TABLE + "UPDATE public.t SET n = NULL;",
    )
    database.run(
        "DO $$BEGIN EXECUTE format('ALTER DATABASE %I SET statement_timeout = 300', "
        "current_database()); END$$"
    )
    assert apply(made, RecordingWatcher(), LockPolicy(lock=1, total=20)).failed == 0


def test_a_role_without_a_writable_journal_can_apply(
    job: Made, new_database: Callable[..., Database]
) -> None:
    script = (
        "DO $$BEGIN CREATE ROLE plain_owner LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; "
        "END$$;"
    ) + TABLE
    database, made = job(
        "tables: {t: {indexes: {t_n: {on: n}}}}",
        script
        + (
            "ALTER TABLE public.t OWNER TO plain_owner; GRANT CREATE ON SCHEMA public TO "
            "plain_owner;"
        ),
    )
    plain = dataclasses.replace(
        made, target=database.url.replace("user=postgres", "user=plain_owner")
    )
    outcome = apply(plain, RecordingWatcher(), IMPATIENT)
    assert (outcome.changed, outcome.failed, outcome.run) == (1, 0, None)


def test_the_recap_counts_the_objects_of_the_plan(job: Made) -> None:
    """The columns of a table that is not created are skipped with the table."""
    database, made = job(
        """
        tables:
          t:
            columns: {added: int}
            constraints: {one: {unique: n}}
          u:
            columns: {id: {type: int, references: t(n)}, s: text}
            indexes: {u_s: {on: s}}
        """,
        TABLE + "UPDATE public.t SET n = 1;",
    )
    made = dataclasses.replace(made, questions=False)
    planned = pipeline.plan_changes(made)
    lines: list[str] = []
    outcome = apply(made, Lines(lines.append), IMPATIENT, planned)
    assert (outcome.changed, outcome.failed, outcome.skipped) == (1, 1, 5), outcome.steps
    assert len(planned.changes) == 7
    titles = {line.rsplit(" (")[0] for line in lines}
    assert "skipped 4 create table public.u" in titles, titles
    assert not [title for title in titles if " alter " in title]
    assert database.value("SELECT to_regclass('public.u')") is None
