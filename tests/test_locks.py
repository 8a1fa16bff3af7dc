"""Test waiting for locks: behind which sessions, how long, and how it is reported."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg import conninfo

from reconciler import pipeline
from reconciler.apply.outcome import Outcome, StepOutcome
from reconciler.declare.load import load
from reconciler.errors import StatementFailed
from reconciler.model.state import Scope
from reconciler.pipeline import Job
from reconciler.plan.step import Step
from reconciler.report.text import recap
from reconciler.server.connection import Connection, run_sql
from reconciler.server.locks import LockPolicy, holders, pauses
from tests.conftest import Database, as_application
from tests.test_execute import TABLE, RecordingWatcher

MODES = (
    "ACCESS SHARE",
    "ROW SHARE",
    "ROW EXCLUSIVE",
    "SHARE UPDATE EXCLUSIVE",
    "SHARE",
    "SHARE ROW EXCLUSIVE",
    "EXCLUSIVE",
    "ACCESS EXCLUSIVE",
)
HERE = "database = (SELECT oid FROM pg_database WHERE datname = current_database())"
WAITING = (
    "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'public.t'::regclass "
    f"AND {HERE}"
)


def job_of(database: Database, declared: str, folder: Path) -> Job:
    file = folder / "state.yml"
    file.write_text(declared)
    declaration = load(file)
    return Job(database.url, declaration, Scope(declaration.schemas))


@contextmanager
def applying(job: Job, notes: RecordingWatcher, policy: LockPolicy) -> Generator[list[Outcome]]:
    """Apply in a thread; append the outcome to the list at the end."""
    plan, outcomes = pipeline.plan_changes(job), list[Outcome]()
    thread = threading.Thread(
        target=lambda: outcomes.append(
            pipeline.apply_plan(plan, job, job.target, notes, policy, ["all"])
        )
    )
    thread.start()
    try:
        yield outcomes
    finally:
        thread.join()


def wait_until(holds: Callable[[], object], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "the condition was never met"
        time.sleep(0.02)


@pytest.mark.parametrize("held_mode", MODES)
def test_conflicting_modes_match_postgresql(
    held_mode: str, new_database: Callable[..., Database]
) -> None:
    database = new_database(TABLE)
    with psycopg.connect(database.url) as holder, as_application(database.url) as other:
        holder.execute(f"LOCK TABLE t IN {held_mode} MODE".encode())
        for mode in MODES:
            try:
                with other.transaction():
                    other.execute(f"LOCK TABLE t IN {mode} MODE NOWAIT".encode())
                free = True
            except psycopg.errors.LockNotAvailable:
                free = False
            assert (holders(other, {"public.t": mode}) == []) is free, (
                f"{mode} while {held_mode} is held"
            )


def test_no_lock_is_requested_behind_an_idle_transaction(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    database = new_database(TABLE)
    notes = RecordingWatcher()
    with (
        psycopg.connect(database.url) as idle,
        psycopg.connect(database.url, autocommit=True) as application,
    ):
        idle.execute("SELECT * FROM t")
        time.sleep(0.5)
        queued, slowest, end = 0, 0.0, time.monotonic() + 3
        with applying(
            job_of(database, "tables: {t: {columns: {n: {default: 3}}}}", tmp_path),
            notes,
            LockPolicy(),
        ) as outcomes:
            while time.monotonic() < end:
                began = time.monotonic()
                application.execute("UPDATE t SET n = n WHERE id = 1")
                slowest = max(slowest, time.monotonic() - began)
                row = application.execute(WAITING.encode()).fetchone()
                queued += row[0] if row else 0
            idle.rollback()
    assert outcomes[0].changed == 1
    assert queued == 0
    assert slowest < 0.2
    assert "SELECT * FROM t" in notes.waits[0]


def test_a_waiting_build_names_the_blocking_session(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    database = new_database(TABLE)
    notes = RecordingWatcher()
    with psycopg.connect(database.url) as holder:
        pid = holder.info.backend_pid
        holder.execute("INSERT INTO t VALUES (1000, 1)")
        with applying(
            job_of(database, "tables: {t: {indexes: {t_n: {on: n}}}}", tmp_path),
            notes,
            LockPolicy(lock=0.2),
        ) as outcomes:
            wait_until(lambda: notes.waits)
            holder.rollback()
    assert outcomes[0].changed == 1
    assert f"pid {pid} " in notes.waits[0]
    assert "INSERT INTO t" in notes.waits[0]


def test_a_timeout_names_the_blocking_session(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    database = new_database(TABLE)
    with psycopg.connect(database.url) as holder:
        pid = holder.info.backend_pid
        holder.execute("SELECT pg_sleep(0), * FROM t")
        policy = LockPolicy(lock=0.4, total=1)
        with applying(
            job_of(database, "tables: {t: {columns: {n: {default: 3}}}}", tmp_path),
            RecordingWatcher(),
            policy,
        ) as outcomes:
            pass
    (step,) = outcomes[0].steps
    assert step.status == "failed"
    assert f"held by pid {pid} " in step.error


def test_statement_timeout_bounds_quick_statements(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    slow = """CREATE FUNCTION public.slow() RETURNS event_trigger LANGUAGE plpgsql
            AS 'BEGIN PERFORM pg_sleep(5); END';
        CREATE EVENT TRIGGER slow ON ddl_command_end WHEN TAG IN ('ALTER TABLE') EXECUTE FUNCTION
            public.slow();"""
    database = new_database(TABLE + slow)
    job = job_of(database, "tables: {t: {columns: {n: {default: 3}}}}", tmp_path)
    with applying(job, RecordingWatcher(), LockPolicy(statement=0.3)) as outcomes:
        pass
    assert "statement timeout" in outcomes[0].steps[0].error
    assert (
        database.value("SELECT count(*) FROM pg_attrdef WHERE adrelid = 'public.t'::regclass") == 0
    )


def test_settings_apply_to_the_run(new_database: Callable[..., Database], tmp_path: Path) -> None:
    seen = """CREATE TABLE public.seen (value text);
        CREATE FUNCTION public.look() RETURNS event_trigger LANGUAGE plpgsql
            AS 'BEGIN INSERT INTO public.seen VALUES (current_setting(''maintenance_work_mem''));
            END';
        CREATE EVENT TRIGGER look ON ddl_command_end WHEN TAG IN ('ALTER TABLE') EXECUTE FUNCTION
            public.look();"""
    database = new_database(TABLE + seen)
    job = job_of(database, "tables: {t: {columns: {n: {default: 3}}}}", tmp_path)
    with applying(
        job, RecordingWatcher(), LockPolicy(session={"maintenance_work_mem": "123MB"})
    ) as outcomes:
        pass
    assert outcomes[0].changed == 1
    assert database.rows("SELECT DISTINCT value FROM seen") == [("123MB",)]


def test_pauses_grow_with_jitter() -> None:
    first, second = ([next(p) for _ in range(8)] for p in (pauses(), pauses()))
    assert first != second
    assert all(0.1 < p < 7 for p in first)
    assert first[0] < first[-1]


def test_an_unexpected_result_is_a_failure(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    """An event trigger on the server changes the condition of every policy."""
    meddler = """CREATE FUNCTION public.meddle() RETURNS event_trigger LANGUAGE plpgsql
            AS 'BEGIN ALTER POLICY own ON public.t USING (true); END';
        CREATE EVENT TRIGGER meddle ON ddl_command_end WHEN TAG IN ('CREATE POLICY') EXECUTE
            FUNCTION public.meddle();"""
    database = new_database(TABLE + meddler)
    job = job_of(database, "tables: {t: {policies: {own: {using: n > 1}}}}", tmp_path)
    with applying(job, RecordingWatcher(), LockPolicy()) as outcomes:
        pass
    (step,) = outcomes[0].steps
    assert step.status == "failed"
    assert "using is true, not (n > 1)" in step.error


def test_an_unrepaired_result_is_a_failure_everywhere(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    """Recap, journal and watcher report the same failure of a step that had succeeded at first."""
    meddler = """CREATE FUNCTION public.meddle() RETURNS event_trigger LANGUAGE plpgsql
            AS 'BEGIN ALTER POLICY own ON public.t USING (true); END';
        CREATE EVENT TRIGGER meddle ON ddl_command_end WHEN TAG IN ('CREATE POLICY') EXECUTE
            FUNCTION public.meddle();
        CREATE FUNCTION public.fire() RETURNS trigger LANGUAGE plpgsql
            AS 'BEGIN RETURN NEW; END';
        CREATE TRIGGER z BEFORE UPDATE ON public.t FOR EACH ROW EXECUTE FUNCTION public.fire();"""
    database, notes = new_database(TABLE + meddler), RecordingWatcher()
    later = "triggers: {z: {before: insert, for_each: row, execute: fire()}}"
    with applying(
        job_of(
            database, f"tables: {{t: {{policies: {{own: {{using: n > 1}}}}, {later}}}}}", tmp_path
        ),
        notes,
        LockPolicy(),
    ) as found:
        pass
    first, last = found[0].steps
    assert (first.status, last.status) == ("failed", "done")
    assert "using is true, not (n > 1)" in first.error
    assert notes.done[-1] == first
    assert database.rows("SELECT status, error IS NULL FROM reconcile.step ORDER BY step_id") == [
        ("failed", False),
        ("done", True),
    ]


def test_no_queue_forms_on_a_second_locked_table(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    """A foreign key locks two tables; waiting for the second must not hold the first for long."""
    parent = (
        "CREATE TABLE public.parent (id int PRIMARY KEY); "
        "INSERT INTO public.parent SELECT generate_series(0, 9);"
    )
    database = new_database(TABLE + parent)
    notes, slow, end = RecordingWatcher(), list[float](), time.monotonic() + 6
    job = job_of(
        database,
        "tables: {t: {constraints: {f: {foreign_key: n, references: parent(id)}}}}",
        tmp_path,
    )
    with (
        psycopg.connect(database.url) as idle,
        psycopg.connect(database.url, autocommit=True) as application,
    ):
        idle.execute("INSERT INTO parent VALUES (100)")
        with applying(job, notes, LockPolicy()) as outcomes:
            while time.monotonic() < end:
                began = time.monotonic()
                application.execute("UPDATE t SET n = n WHERE id = 1")
                slow.append(time.monotonic() - began)
            idle.rollback()
    assert outcomes[0].changed == 1
    assert sum(s > 0.4 for s in slow) <= 2
    assert max(slow) < 1
    assert "INSERT INTO parent" in notes.waits[-1]


class LockingWatcher(RecordingWatcher):
    """A watcher that locks a table for a while when a matching step starts."""

    def __init__(self, database: Database, table: str, when: Callable[[Step], bool]) -> None:
        super().__init__()
        self._holder, self._table, self._when, self._hit = (
            psycopg.connect(database.url),
            table,
            when,
            False,
        )

    def started(self, step: Step) -> None:
        if not self._hit and self._when(step):
            self._hit = True
            self._holder.execute(f"LOCK TABLE {self._table} IN ACCESS EXCLUSIVE MODE".encode())
            threading.Timer(1.0, self._holder.close).start()


@pytest.mark.parametrize(
    "declared", ["columns: {n: {default: 3}}", "policies: {own: {for: select, using: n > 1}}"]
)
def test_reading_the_result_waits_for_locks(
    declared: str, new_database: Callable[..., Database], tmp_path: Path
) -> None:
    """Printing an expression locks its table; a committed step has not failed because of that."""
    other = (
        "CREATE TABLE public.other (n int DEFAULT 1); "
        "CREATE POLICY own ON public.other USING (n > 5);"
    )
    database = new_database(TABLE + other + "CREATE POLICY own ON public.t USING (n > 5);")
    job = job_of(database, f"tables: {{t: {{{declared}}}}}", tmp_path)
    with applying(job, LockingWatcher(database, "other", lambda _: True), LockPolicy()) as outcomes:
        pass
    assert {s.status for s in outcomes[0].steps} == {"done"}


def test_a_backfill_waits_for_a_lock_to_count_rows(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    database = new_database(TABLE)
    job = job_of(
        database,
        "tables: {t: {columns: {m: {type: int, not_null: true, backfill: {value: id}}}}}",
        tmp_path,
    )
    with applying(
        job, LockingWatcher(database, "t", lambda step: step.fill is not None), LockPolicy()
    ) as outcomes:
        pass
    assert {s.status for s in outcomes[0].steps} == {"done"}


def test_waiting_for_a_lock_is_not_a_statement_timeout(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    database = new_database(TABLE)
    job = job_of(database, "tables: {t: {columns: {n: {default: 3}}}}", tmp_path)
    with applying(
        job, LockingWatcher(database, "t", lambda _: True), LockPolicy(lock=16, statement=0.3)
    ) as outcomes:
        pass
    assert outcomes[0].changed == 1


def test_a_run_with_an_unknown_result_is_recorded(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    database = new_database(TABLE + "CREATE TABLE public.other (n int DEFAULT 1)")
    job = job_of(database, "tables: {t: {columns: {n: {default: 3}}}}", tmp_path)
    plan = pipeline.plan_changes(job)

    class Late(RecordingWatcher):
        def ended(self, outcome: StepOutcome) -> None:
            holder.execute("LOCK TABLE other IN ACCESS EXCLUSIVE MODE")

    with psycopg.connect(database.url) as holder:
        outcome = pipeline.apply_plan(plan, job, job.target, Late(), LockPolicy(), ["all"])
    assert (outcome.changed, outcome.failed) == (1, 0)
    assert "lock timeout" in outcome.unseen
    *_, unknown, numbers = recap(outcome).splitlines()
    assert unknown.startswith(
        "unknown: whether anything still differs could not be looked at: canceling statement "
        "due "
        "to lock timeout"
    )
    assert numbers == "ok=1 changed=1 failed=0 skipped=0"
    assert database.rows("SELECT status, finished_at IS NOT NULL FROM reconcile.run") == [
        ("done", True)
    ]


def test_leftovers_of_an_attempt_are_dropped_before_the_next(
    new_database: Callable[..., Database], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = new_database(TABLE)
    job = job_of(database, "tables: {t: {indexes: {t_n: {on: n}}}}", tmp_path)
    begun = list[str]()

    def deadlocked(connection: Connection, statement: str) -> None:
        """Let the first build fail while a lock prevents dropping its leftovers."""
        if not statement.startswith("CREATE INDEX") or begun:
            return run_sql(connection, statement)
        begun.append(statement)
        holder.execute("UPDATE t SET n = n WHERE id = 1")
        run_sql(connection, "SET lock_timeout = '0.1s'")
        with pytest.raises(StatementFailed):
            run_sql(connection, statement)
        threading.Timer(0.8, holder.close).start()
        raise StatementFailed("deadlock detected", sqlstate="40P01", sql=statement)

    monkeypatch.setattr("reconciler.apply.send.run_sql", deadlocked)
    holder = psycopg.connect(database.url)
    with applying(job, RecordingWatcher(), LockPolicy(lock=0.4)) as outcomes:
        pass
    assert begun
    assert outcomes[0].failed == 0
    assert database.value("SELECT indisvalid FROM pg_index WHERE indexrelid = 't_n'::regclass")


def test_an_index_created_meanwhile_is_kept(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    database = new_database(TABLE)
    job = job_of(database, "tables: {t: {indexes: {t_n: {on: n}}}}", tmp_path)
    with psycopg.connect(database.url) as reader, psycopg.connect(database.url) as other:
        for session in (reader, other):
            session.execute("LOCK TABLE t IN SHARE MODE")
        with applying(job, RecordingWatcher(), LockPolicy()) as outcomes:
            wait_until(lambda: database.value(WAITING))
            other.execute("CREATE INDEX t_n ON t (id)")
            other.commit()
            database.rows(
                "SELECT pg_cancel_backend(pid) FROM pg_locks WHERE NOT granted AND relation = "
                f"'t'::regclass AND {HERE}"
            )
            time.sleep(0.5)
            reader.rollback()
    assert outcomes[0].failed == 1
    assert "(id)" in str(database.value("SELECT pg_get_indexdef('t_n'::regclass)"))


def test_errors_of_a_watcher_are_ignored(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    """Errors in the thread that observes a waiting build are ignored as well."""

    class Gone(RecordingWatcher):
        def started(self, step: Step) -> None:
            raise BrokenPipeError

        waiting = progress = ended = notice = started  # pyright: ignore[reportAssignmentType]

    database = new_database(TABLE)
    declared = (
        "tables: {t: {indexes: {t_n: {on: n}}, columns: {m: {type: int, not_null: true, "
        "backfill: {value: id}}}}}"
    )
    with psycopg.connect(database.url) as holder:
        holder.execute("UPDATE t SET n = n WHERE id = 1")
        with applying(job_of(database, declared, tmp_path), Gone(), LockPolicy()) as outcomes:
            time.sleep(2)
            holder.rollback()
    assert (outcomes[0].failed, outcomes[0].skipped, outcomes[0].left) == (0, 0, ())


def test_timeouts_of_the_role_do_not_end_a_run(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    brought = {
        "idle_session_timeout": "300ms",
        "idle_in_transaction_session_timeout": "2s",
        "lock_timeout": "1ms",
    }
    template = (
        "DO $$ BEGIN EXECUTE format('ALTER ROLE hasty IN DATABASE %I SET {} = ''{}''', "
        "current_database()); END $$;"
    )
    timeouts = "".join(template.format(*b) for b in brought.items())
    role = """DO $$ BEGIN CREATE ROLE hasty LOGIN;
        EXCEPTION WHEN duplicate_object OR unique_violation THEN END $$;
        ALTER TABLE t OWNER TO hasty; GRANT CREATE ON SCHEMA public TO hasty;"""
    database = new_database(TABLE + role + timeouts)
    made = job_of(
        database, "tables: {t: {columns: {n: {default: 3}}, indexes: {t_n: {on: n}}}}", tmp_path
    )
    job = Job(conninfo.make_conninfo(database.url, user="hasty"), made.declaration, made.scope)
    with psycopg.connect(database.url) as holder:
        holder.execute("SELECT FROM t")
        with applying(job, RecordingWatcher(), LockPolicy()) as outcomes:
            time.sleep(2.5)
            holder.rollback()
    assert (outcomes[0].failed, outcomes[0].skipped, outcomes[0].left) == (0, 0, ())
