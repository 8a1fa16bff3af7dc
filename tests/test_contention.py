"""Test runs against sessions that hold locks: idle, overlapping, hidden, prepared, autovacuum.

RECONCILE_TEST_HOSTILE is the number of seconds for which the idle session holds its lock.
"""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest
from psycopg import conninfo

from reconciler import pipeline
from reconciler.pipeline import Job
from reconciler.server.connection import connect
from reconciler.server.kept import start_embedded
from reconciler.server.locks import LockPolicy, holders
from tests.conftest import Database
from tests.test_conversations import reconcile
from tests.test_execute import TABLE, RecordingWatcher
from tests.test_locks import WAITING, applying, job_of, wait_until

HOSTILE = float(os.environ.get("RECONCILE_TEST_HOSTILE", "4"))
WRITERS = 4
DECLARED = """
tables:
  t:
    columns: {n: {default: 3}}
    constraints: {positive: {check: id > 0}}
    indexes: {t_n: {on: n}}
    policies: {own: {using: n > 1}}
"""


@dataclass
class WriteStatistics:
    """The seconds of each of the writers' statements, and their errors."""

    seconds: list[float] = field(default_factory=list[float])
    errors: list[str] = field(default_factory=list[str])


@contextmanager
def writers(url: str) -> Generator[WriteStatistics]:
    """Run four sessions that write almost without pause."""
    seen, stop = WriteStatistics(), threading.Event()

    def write(number: int) -> None:
        with psycopg.connect(url, autocommit=True, application_name="application") as connection:
            while not stop.wait(0.002):
                began = time.monotonic()
                try:
                    connection.execute("UPDATE t SET n = n + 1 WHERE id = %s", [number])
                except psycopg.Error as e:
                    seen.errors.append(str(e))
                seen.seconds.append(time.monotonic() - began)

    threads = [threading.Thread(target=write, args=(n,)) for n in range(1, WRITERS + 1)]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        stop.set()
        for thread in threads:
            thread.join()


@contextmanager
def sample_query(url: str, query: str) -> Generator[list[object]]:
    """Collect the first column of a query every few milliseconds."""
    found, stop = list[object](), threading.Event()

    def look() -> None:
        with psycopg.connect(url, autocommit=True) as connection:
            while not stop.wait(0.01):
                found.extend(row[0] for row in connection.execute(query.encode()).fetchall())

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield found
    finally:
        stop.set()
        thread.join()


def declared(folder: Path, text: str = DECLARED) -> str:
    (folder / "state.yml").write_text(text)
    return str(folder / "state.yml")


def test_no_queue_forms_behind_an_idle_transaction(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    database = new_database(TABLE)
    before = database.value("SELECT sum(n) FROM t")
    with (
        psycopg.connect(database.url, application_name="nightly report") as idle,
        writers(database.url) as written,
    ):
        pid = idle.info.backend_pid
        idle.execute("SELECT count(*) FROM t WHERE n > 1")
        time.sleep(0.5)
        suspend = threading.Timer(HOSTILE, idle.rollback)
        suspend.start()
        with sample_query(database.url, WAITING) as queued:
            began = time.monotonic()
            done = reconcile(
                "apply", "--target", database.url, "--state", declared(tmp_path), "--yes"
            )
            took = time.monotonic() - began
        suspend.join()
    longest = max(written.seconds)
    print(
        f"held for {HOSTILE:.0f} s: apply took {took:.1f} s, {len(written.seconds)} writes, "
        "the "
        f"longest {longest * 1000:.0f} ms"
    )
    assert (done.exit_code, written.errors) == (0, []), done.output
    assert took > HOSTILE - 1
    assert longest < 1
    assert (
        sum(int(str(q)) > 1 for q in queued) <= len(queued) / 20
    )  # reconcile and one writer for a moment are no queue
    assert database.value("SELECT sum(n) FROM t") == before + len(written.seconds)  # pyright: ignore[reportOperatorIssue]
    named = f"pid {pid} (postgres, nightly report, idle in transaction for "
    assert named in done.stderr
    assert "SELECT count(*) FROM t WHERE n > 1" in done.stderr
    assert reconcile("plan", "--target", database.url, "--state", declared(tmp_path)).exit_code == 0


def test_a_run_without_its_lock_is_clean_and_repeatable(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    database = new_database(TABLE)
    before = database.value("SELECT sum(n) FROM t")
    text = "tables: {t: {columns: {n: {default: 3}}, indexes: {t_n: {on: n}}}}"
    options = ("--target", database.url, "--state", declared(tmp_path, text))
    with psycopg.connect(database.url) as idle, writers(database.url) as written:
        idle.execute("SELECT FROM t")
        time.sleep(0.5)
        timed_out = reconcile("apply", *options, "--yes", "--retry-for", "1")
        idle.rollback()
        assert timed_out.exit_code == 1
        assert f"held by pid {idle.info.backend_pid} " in timed_out.stdout
        assert database.value("SELECT count(*) FROM pg_index WHERE NOT indisvalid") == 0
        assert (
            database.value(
                "SELECT count(*) FROM pg_class WHERE relname LIKE 'reconcile%' AND relkind <> 'S'"
            )
            == 0
        )
        assert database.rows("SELECT status FROM reconcile.run") == [("failed",)]
        second_run = reconcile("apply", *options, "--yes")
    assert second_run.exit_code == 0, second_run.output
    assert written.errors == []
    assert max(written.seconds) < 0.5
    assert database.value("SELECT sum(n) FROM t") == before + len(written.seconds)  # pyright: ignore[reportOperatorIssue]
    assert reconcile("plan", *options).exit_code == 0


@contextmanager
def overlapping_holders(url: str, seconds: float) -> Generator[None]:
    """Run two sessions whose transactions of `seconds` lock the table and overlap by half."""
    stop = threading.Event()

    def hold(delay: float) -> None:
        with psycopg.connect(url) as connection:
            stop.wait(delay)
            while not stop.is_set():
                connection.execute("SELECT FROM t")
                stop.wait(seconds)
                connection.rollback()

    threads = [threading.Thread(target=hold, args=(delay,)) for delay in (0, seconds / 2)]
    for thread in threads:
        thread.start()
    time.sleep(seconds)
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_overlapping_holders_do_not_starve_a_step(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    database = new_database(TABLE)
    job, notes = (
        job_of(database, "tables: {t: {columns: {n: {default: 3}}}}", tmp_path),
        RecordingWatcher(),
    )
    with (
        overlapping_holders(database.url, 0.6),
        applying(job, notes, LockPolicy(total=15)) as outcomes,
    ):
        pass
    assert outcomes[0].failed == 0, outcomes[0].steps[0].error
    assert "idle in transaction" in notes.waits[0]


LIMITED = """DO $$ BEGIN CREATE ROLE limited LOGIN;
        EXCEPTION WHEN duplicate_object OR unique_violation THEN END $$;
    ALTER TABLE t OWNER TO limited; GRANT CREATE, USAGE ON SCHEMA public TO limited;"""


def test_no_queue_forms_behind_sessions_with_hidden_state(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    """The role sees neither age nor state of sessions, only that they stay."""
    database = new_database(TABLE + LIMITED)
    made, notes = (
        job_of(database, "tables: {t: {columns: {n: {default: 3}}}}", tmp_path),
        RecordingWatcher(),
    )
    job = Job(conninfo.make_conninfo(database.url, user="limited"), made.declaration, made.scope)
    with (
        psycopg.connect(database.url, application_name="nightly report") as idle,
        writers(database.url) as written,
    ):
        pid = idle.info.backend_pid
        idle.execute("SELECT FROM t")
        with (
            sample_query(database.url, WAITING) as queued,
            applying(job, notes, LockPolicy(total=20)) as outcomes,
        ):
            wait_until(lambda: len(notes.waits) >= 4)
            idle.rollback()
    assert outcomes[0].failed == 0
    assert f"pid {pid} (postgres, nightly report" in notes.waits[0]
    assert "pg_read_all_stats" in notes.waits[0]
    assert max(written.seconds) < 0.5
    assert (
        sum(int(str(q)) > 0 for q in queued) <= 60
    )  # the first attempt of a quarter of a second, and the last one


def test_holders_exclude_other_databases_and_autovacuum(
    new_database: Callable[..., Database],
) -> None:
    database = new_database(TABLE + LIMITED)
    with (
        psycopg.connect(database.url) as other,
        connect(conninfo.make_conninfo(database.url, user="limited")) as own,
    ):
        other.execute("SELECT FROM t")
        (found,) = holders(own, {"public.t": "ACCESS EXCLUSIVE"})
        assert (found.pid, found.state, found.seconds) == (other.info.backend_pid, None, None)
        other.rollback()
        assert holders(own, {"public.t": "ACCESS EXCLUSIVE"}) == []
        other.execute("SELECT 1")
        assert holders(own, {}, [found.transaction]) == []


def test_no_queue_forms_on_the_referenced_table(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    """A foreign key also locks the referenced table; its holders must not cause a queue."""
    parent = (
        "CREATE TABLE public.parent (id int PRIMARY KEY); "
        "INSERT INTO public.parent SELECT generate_series(0, 9);"
    )
    database = new_database(TABLE + parent + LIMITED + "ALTER TABLE parent OWNER TO limited")
    made, notes = (
        job_of(
            database,
            "tables: {t: {constraints: {f: {foreign_key: n, references: parent(id)}}}}",
            tmp_path,
        ),
        RecordingWatcher(),
    )
    job = Job(conninfo.make_conninfo(database.url, user="limited"), made.declaration, made.scope)
    slow, end = list[float](), time.monotonic() + 4
    with (
        psycopg.connect(database.url) as idle,
        psycopg.connect(database.url, autocommit=True) as application,
    ):
        idle.execute("INSERT INTO parent VALUES (100)")
        with applying(job, notes, LockPolicy(total=20)) as outcomes:
            while time.monotonic() < end:
                began = time.monotonic()
                application.execute("UPDATE t SET n = n WHERE id = 1")
                slow.append(time.monotonic() - began)
            idle.rollback()
    assert outcomes[0].failed == 0
    assert sum(s > 0.4 for s in slow) <= 2
    assert max(slow) < 1


@pytest.mark.parametrize("suspicion", [0.5, 1.0])
def test_deadlocks_never_cancel_the_application(
    new_database: Callable[..., Database], tmp_path: Path, suspicion: float
) -> None:
    """The application locks two tables in the reverse order of the plan, slowly.

    PostgreSQL cancels the session that has waited for `deadlock_timeout` first.
    """
    slow = f"""CREATE TABLE public.other (id int PRIMARY KEY, n int);
        INSERT INTO public.other VALUES (1, 1);
        CREATE FUNCTION public.slow() RETURNS event_trigger LANGUAGE plpgsql
            AS 'BEGIN PERFORM pg_sleep({0.4 * suspicion}); END';
        CREATE EVENT TRIGGER slow ON ddl_command_end WHEN TAG IN ('ALTER TABLE') EXECUTE FUNCTION
            public.slow();"""
    database = new_database(TABLE + slow)
    setting = f"ALTER DATABASE %I SET deadlock_timeout = {suspicion * 1000:.0f}"
    database.run(f"DO $$ BEGIN EXECUTE format('{setting}', current_database()); END $$")
    job = job_of(
        database,
        "tables: {other: {columns: {n: {default: 3}}}, t: {columns: {n: {default: 3}}}}",
        tmp_path,
    )
    plan = pipeline.plan_changes(job)
    together = tuple(
        s.model_copy(update={"transaction": "t1", "depends_on": ()}) for s in plan.steps
    )
    plan, errors, end = (
        plan.model_copy(update={"steps": together}).sealed(),
        list[str](),
        time.monotonic() + 6,
    )

    def work() -> None:
        with psycopg.connect(database.url, autocommit=True) as application:
            while time.monotonic() < end:
                try:
                    with application.transaction():
                        application.execute("UPDATE t SET n = n WHERE id = 1")
                        time.sleep(0.05)
                        application.execute("UPDATE other SET n = n")
                except psycopg.Error as e:
                    errors.append(str(e))

    thread = threading.Thread(target=work)
    thread.start()
    outcome = pipeline.apply_plan(
        plan, job, database.url, RecordingWatcher(), LockPolicy(), ["all"]
    )
    thread.join()
    assert errors == []
    assert (outcome.failed, outcome.left) == (0, ())


@pytest.fixture(scope="module")
def prepared_server() -> Generator[Callable[[str], Database]]:
    """Create databases on a server with prepared transactions and a slow autovacuum."""
    purpose = f"prepared-{os.getpid()}"
    server = start_embedded(purpose)
    settings = {
        "max_prepared_transactions": "5",
        "autovacuum_naptime": "1s",
        "autovacuum_vacuum_cost_delay": "100ms",
    }
    with connect(server.url) as connection:
        for setting, value in {
            **settings,
            "autovacuum_vacuum_cost_limit": "1",
            "fsync": "off",
            "synchronous_commit": "off",
        }.items():
            connection.execute(f"ALTER SYSTEM SET {setting} = '{value}'".encode())
    server.stop()
    server = start_embedded(purpose)
    yield lambda own: Database(server.database(own), server.tools)
    server.stop()
    shutil.rmtree(server.folder)


def test_a_prepared_transaction_is_named_with_the_command_to_end_it(
    prepared_server: Callable[[str], Database], tmp_path: Path
) -> None:
    """The holder is named for a step's table, for a referenced table, and for a build."""
    database = prepared_server("prepared")
    database.run(
        TABLE
        + (
            "CREATE TABLE public.parent (id int PRIMARY KEY); "
            "INSERT INTO public.parent SELECT generate_series(0, 9);"
        )
    )
    own, other = "PREPARE TRANSACTION 'it''s own'", "PREPARE TRANSACTION 'other'"
    foreign = "constraints: {f: {foreign_key: n, references: parent(id)}}"
    for statement, prepare, declared in (
        ("INSERT INTO t VALUES (1000, 1)", own, "columns: {n: {default: 3}}"),
        ("INSERT INTO parent VALUES (1000)", other, foreign),
        ("INSERT INTO t VALUES (1000, 1)", own, "indexes: {t_n: {on: n}}"),
    ):
        with psycopg.connect(database.url) as session:
            session.execute(statement.encode())
            session.execute(prepare.encode())
        gid = prepare.removeprefix("PREPARE TRANSACTION ")
        notes, job = (
            RecordingWatcher(),
            job_of(database, f"tables: {{t: {{{declared}}}}}", tmp_path),
        )
        with applying(job, notes, LockPolicy(total=20)) as outcomes:
            wait_until(lambda seen=notes: any("prepared" in w for w in seen.waits))
            with psycopg.connect(database.url, autocommit=True) as session:
                session.execute(f"ROLLBACK PREPARED {gid}".encode())
        assert outcomes[0].failed == 0
        assert any(
            f"COMMIT PREPARED {gid} or ROLLBACK PREPARED {gid} ends it" in w for w in notes.waits
        )


def test_no_lock_is_requested_during_a_wraparound_vacuum(
    prepared_server: Callable[[str], Database], tmp_path: Path
) -> None:
    """Requesting a lock behind such a vacuum would only build queues."""
    database = prepared_server("wraparound")
    rows = "INSERT INTO t SELECT g, 1 FROM generate_series(1000, 40000) AS g; "
    database.run(
        TABLE
        + "ALTER TABLE t SET (autovacuum_freeze_max_age = 100000, autovacuum_enabled = off);"
        + rows
    )
    with connect(database.url) as connection:
        connection.execute(
            "DO $$ BEGIN FOR n IN 1..101000 LOOP PERFORM pg_current_xact_id(); COMMIT; "
            "END LOOP; "
            "END $$"
        )
    wait_until(
        lambda: database.value(
            "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'autovacuum: "
            "VACUUM%public.t "
            "(%wraparound)'"
        )
    )
    notes, job = (
        RecordingWatcher(),
        job_of(database, "tables: {t: {columns: {n: {default: 3}}}}", tmp_path),
    )
    with writers(database.url) as written, applying(job, notes, LockPolicy(total=20)) as outcomes:
        wait_until(lambda: len(notes.waits) > 3)
        tried = [w for w in notes.waits if "to prevent wraparound" not in w]
        for sql in (
            "ALTER SYSTEM SET autovacuum_vacuum_cost_delay = 0",
            "SELECT pg_reload_conf()",
        ):
            database.run(sql)
    assert outcomes[0].failed == 0
    assert tried == []
    assert max(written.seconds) < 0.5


VACUUMED = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query "
    "LIKE 'autovacuum: VACUUM%public.t'"
)


def start_slow_autovacuum(database: Database) -> None:
    """Create a table on which autovacuum works for minutes."""
    slow = "autovacuum_vacuum_cost_delay = 100, autovacuum_vacuum_cost_limit = 1"
    often = (
        "autovacuum_vacuum_threshold = 1, autovacuum_vacuum_scale_factor = 0, "
        f"autovacuum_analyze_threshold = 1000000, {slow}"
    )
    dead = (
        "INSERT INTO t SELECT g, 1 FROM generate_series(1000, 200000) AS g; "
        "DELETE FROM t WHERE id % 2 = 0 AND id >= 1000"
    )
    database.run(f"{TABLE} ALTER TABLE t SET ({often}); {dead}; {LIMITED}")
    wait_until(lambda: database.value(VACUUMED))


def test_an_ordinary_autovacuum_ends_at_once(
    prepared_server: Callable[[str], Database], tmp_path: Path
) -> None:
    """PostgreSQL cancels autovacuum for a session that waited for `deadlock_timeout`."""
    database = prepared_server("given_way")
    start_slow_autovacuum(database)
    notes, job = (
        RecordingWatcher(),
        job_of(database, "tables: {t: {columns: {n: {default: 3}}}}", tmp_path),
    )
    plan = pipeline.plan_changes(job)
    assert database.value(VACUUMED) == 1
    with writers(database.url) as written:
        assert (
            pipeline.apply_plan(
                plan, job, database.url, notes, LockPolicy(total=20), ["all"]
            ).failed
            == 0
        )
    assert notes.waits == []
    assert max(written.seconds) < 0.24


def test_without_the_privilege_an_autovacuum_is_not_cancelled_at_first(
    prepared_server: Callable[[str], Database], tmp_path: Path
) -> None:
    database = prepared_server("let_be")
    start_slow_autovacuum(database)
    notes, made = (
        RecordingWatcher(),
        job_of(database, "tables: {t: {columns: {n: {default: 3}}}}", tmp_path),
    )
    job = Job(conninfo.make_conninfo(database.url, user="limited"), made.declaration, made.scope)
    try:
        with (
            writers(database.url) as written,
            applying(job, notes, LockPolicy(total=30)) as outcomes,
        ):
            wait_until(lambda: len(notes.waits) > 3)
            assert database.value(VACUUMED) == 1
            for sql in (
                "ALTER SYSTEM SET autovacuum = off",
                "SELECT pg_reload_conf()",
                VACUUMED.replace("count(*)", "pg_cancel_backend(pid)"),
            ):
                database.run(sql)
    finally:
        for sql in ("ALTER SYSTEM RESET autovacuum", "SELECT pg_reload_conf()"):
            database.run(sql)
    assert outcomes[0].failed == 0
    assert max(written.seconds) < 0.5  # the duration of the first attempt
