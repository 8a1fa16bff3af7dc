"""Test the pre-flight: all obstacles are reported before the first step."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Generator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from psycopg import conninfo

from reconciler import pipeline
from reconciler.apply.grants import remedy
from reconciler.apply.preflight import preflight
from reconciler.errors import ConnectionFailed, PlanRefused
from reconciler.pipeline import Job
from reconciler.server.connection import connect
from reconciler.server.locks import LockPolicy
from tests.conftest import Database, as_application
from tests.pooler import pooled
from tests.test_conversations import reconcile
from tests.test_execute import TABLE, RecordingWatcher
from tests.test_locks import job_of

DECLARED = """
tables:
  t: {columns: {n: {default: 3}}, indexes: {t_n: {on: n}}, constraints: {positive: {check: id > 0}}}
  fresh: {columns: {id: {type: int}}}
"""
PASSERBY = """DO $$ BEGIN CREATE ROLE passerby LOGIN;
        EXCEPTION WHEN duplicate_object OR unique_violation THEN END $$;
    REVOKE CREATE ON SCHEMA public FROM PUBLIC;"""


def refused(job: Job) -> str:
    plan = pipeline.plan_changes(job)
    before = Database(job.target, Path()).rows("SELECT count(*) FROM pg_class")
    with pytest.raises(PlanRefused) as refusal:
        pipeline.apply_plan(plan, job, job.target, RecordingWatcher(), LockPolicy(), ["all"])
    assert Database(job.target, Path()).rows("SELECT count(*) FROM pg_class") == before
    return str(refusal.value)


def test_all_missing_privileges_are_reported_at_once(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    database = new_database(TABLE + PASSERBY)
    job = job_of(database, DECLARED, tmp_path)
    refusal = refused(
        Job(conninfo.make_conninfo(database.url, user="passerby"), job.declaration, job.scope)
    )
    assert "passerby does not own public.t, postgres does" in refusal
    assert "passerby may not create in schema public" in refusal
    # what the refusal says is what helps; nobody is made a member of a superuser
    assert "GRANT postgres" not in refusal
    remedies = re.findall(r": ((?:GRANT|ALTER TABLE) [^;\n]+ TO passerby)$", refusal, re.MULTILINE)
    assert len(remedies) == 2, refusal
    database.run(";".join(remedies))
    plain = Job(conninfo.make_conninfo(database.url, user="passerby"), job.declaration, job.scope)
    plan = pipeline.plan_changes(plain)
    assert pipeline.check_plan(plan, plain.target, LockPolicy(), ["all"], None) == []


def test_owner_schema_and_database_are_named_with_the_grant_that_is_missing(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    roles = """DO $$ BEGIN CREATE ROLE owning; EXCEPTION WHEN duplicate_object OR unique_violation
            THEN END $$;
        ALTER TABLE t OWNER TO owning;
        GRANT CREATE ON SCHEMA public TO owning;"""
    database = new_database(TABLE + PASSERBY + roles)
    declared = "schemas: {more: {owner: owning}}\ntables: {t: {columns: {m: {type: int}}}}"
    job = job_of(database, declared, tmp_path)
    plain = Job(conninfo.make_conninfo(database.url, user="passerby"), job.declaration, job.scope)
    refusal = refused(plain)
    own = conninfo.conninfo_to_dict(database.url)["dbname"]
    assert f": GRANT CREATE ON DATABASE {own} TO passerby" in refusal
    assert "can give it nothing to own: GRANT owning TO passerby" in refusal
    assert "owning does: GRANT owning TO passerby, or ALTER TABLE public.t OWNER TO" in refusal


@pytest.mark.parametrize(
    ("message", "missing"),
    [
        ("permission denied for schema app", "GRANT USAGE, CREATE ON SCHEMA app TO me"),
        ("permission denied for table T x", ""),
        ("permission denied for table T", 'GRANT SELECT, REFERENCES, TRIGGER ON TABLE "T" TO me'),
        ("permission denied for foreign server s", "GRANT USAGE ON FOREIGN SERVER s TO me"),
        ('permission denied to set parameter "a.b"', 'GRANT SET ON PARAMETER "a.b" TO me'),
        ('must be able to SET ROLE "boss"', "GRANT boss TO me"),
        ("must be owner of table t", ""),
    ],
)
def test_message_of_postgresql_calls_for_a_grant(message: str, missing: str) -> None:
    assert remedy(message, "me") == missing


def test_failed_step_names_the_missing_grant(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    database = new_database(
        TABLE + PASSERBY + "GRANT CREATE, USAGE ON SCHEMA public TO passerby; REVOKE ALL ON t"
        " FROM passerby"
    )
    job = job_of(database, "materialized_views: {v: {query: SELECT n FROM t}}", tmp_path)
    target = conninfo.make_conninfo(database.url, user="passerby")
    plain = Job(target, job.declaration, job.scope)
    plan = pipeline.plan_changes(plain)
    watcher, policy = RecordingWatcher(), LockPolicy()
    outcome = pipeline.apply_plan(plan, plain, target, watcher, policy, ["all"], None)
    assert outcome.failed == 1
    errors = [s.error for s in outcome.steps if s.status == "failed"]
    assert "GRANT SELECT, REFERENCES, TRIGGER ON TABLE t TO passerby" in errors[0]


def test_privileges_of_inherited_roles_count(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    roles = """DO $$ BEGIN CREATE ROLE owners; EXCEPTION WHEN duplicate_object OR unique_violation
            THEN END $$;
        GRANT owners TO passerby; GRANT CREATE ON SCHEMA public TO owners;
        ALTER TABLE t OWNER TO owners;"""
    database = new_database(TABLE + PASSERBY + roles)
    job = job_of(database, DECLARED, tmp_path)
    job = Job(conninfo.make_conninfo(database.url, user="passerby"), job.declaration, job.scope)
    outcome = pipeline.apply_plan(
        pipeline.plan_changes(job), job, job.target, RecordingWatcher(), LockPolicy(), ["all"]
    )
    assert (outcome.failed, outcome.skipped, outcome.left) == (0, 0, ())


def test_parts_of_a_table_need_no_create_on_the_schema(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    database = new_database(TABLE + PASSERBY + "ALTER TABLE t OWNER TO passerby")
    on_it = (
        "columns: {m: {type: int}}, policies: {own: {using: n > 1}}, constraints: {positive: "
        "{check: n >= 0}}"
    )
    job = job_of(database, f"tables: {{t: {{{on_it}}}}}", tmp_path)
    job = Job(conninfo.make_conninfo(database.url, user="passerby"), job.declaration, job.scope)
    outcome = pipeline.apply_plan(
        pipeline.plan_changes(job), job, job.target, RecordingWatcher(), LockPolicy(), ["all"]
    )
    assert (outcome.failed, outcome.skipped, outcome.left) == (0, 0, ())


@pytest.mark.parametrize(
    "declared",
    [
        "indexes: {t_n: {on: n}}",
        "constraints: {u: {unique: id}}",
        "columns: {m: {type: int, identity: always}}",
    ],
)
def test_indexes_and_sequences_need_create_on_the_schema(
    declared: str, new_database: Callable[..., Database], tmp_path: Path
) -> None:
    database = new_database(TABLE + PASSERBY + "ALTER TABLE t OWNER TO passerby")
    job = job_of(database, f"tables: {{t: {{{declared}}}}}", tmp_path)
    job = Job(conninfo.make_conninfo(database.url, user="passerby"), job.declaration, job.scope)
    assert refused(job) == (
        "passerby may not create in schema public: GRANT CREATE ON SCHEMA public TO passerby"
    )


def test_a_trigger_needs_only_the_trigger_privilege(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    fires = """CREATE FUNCTION public.fire() RETURNS trigger LANGUAGE plpgsql
        AS 'BEGIN RETURN NEW; END';"""
    database = new_database(TABLE + PASSERBY + fires)
    job = job_of(
        database,
        "tables: {t: {triggers: {x: {before: insert, for_each: row, execute: fire()}}}}",
        tmp_path,
    )
    job = Job(conninfo.make_conninfo(database.url, user="passerby"), job.declaration, job.scope)
    assert refused(job) == (
        "passerby does not own public.t, postgres does: GRANT TRIGGER ON public.t TO passerby"
    )
    database.run("GRANT TRIGGER ON t TO passerby")
    outcome = pipeline.apply_plan(
        pipeline.plan_changes(job), job, job.target, RecordingWatcher(), LockPolicy(), ["all"]
    )
    assert (outcome.failed, outcome.skipped, outcome.left) == (0, 0, ())


def test_a_backfill_that_logical_replication_refuses_is_not_begun(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    database = new_database(
        """CREATE TABLE public.logs (line text, kind text); INSERT INTO public.logs VALUES ('a');
        CREATE PUBLICATION feed FOR TABLE public.logs;"""
    )
    declared = (
        "tables: {logs: {columns: {kind: {type: text, not_null: true, backfill: lower(line)}}}}"
    )
    refusal = refused(job_of(database, declared, tmp_path))
    assert "the backfill of public.logs would fail: feed publishes its updates" in refusal


def test_a_read_only_database_is_refused(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    database = new_database(TABLE)
    own = conninfo.conninfo_to_dict(database.url)["dbname"]
    database.run(f"ALTER DATABASE {own} SET default_transaction_read_only = on")
    assert "read-only" in refused(job_of(database, DECLARED, tmp_path))


def test_old_transactions_are_named(
    new_database: Callable[..., Database], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reconciler.apply.preflight.OLD_TRANSACTION", 0.0)
    database = new_database(TABLE + "CREATE TABLE public.other (id int)")
    plan = pipeline.plan_changes(job_of(database, DECLARED, tmp_path))
    with psycopg.connect(database.url) as old, connect(database.url) as connection:
        old.execute("SELECT * FROM other")
        (found,) = preflight(plan, connection)
        assert not found.refuses
        assert f"pid {old.info.backend_pid} " in found.message
        assert "SELECT * FROM other" in found.message


def test_an_undeclared_invalid_index_is_named(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    database = new_database(TABLE)
    with pytest.raises(psycopg.errors.UniqueViolation), as_application(database.url) as connection:
        connection.execute("CREATE UNIQUE INDEX CONCURRENTLY theirs ON t (n)")
    job = job_of(database, DECLARED, tmp_path)
    notes = RecordingWatcher()
    outcome = pipeline.apply_plan(
        pipeline.plan_changes(job), job, job.target, notes, LockPolicy(), ["all"]
    )
    assert outcome.failed == 0
    assert notes.notices == ["the index public.theirs is invalid, and nothing is declared of it"]


def test_an_empty_plan_needs_no_privileges(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    database = new_database(TABLE)
    with connect(database.url) as connection:
        assert (
            preflight(
                pipeline.plan_changes(job_of(database, "tables: {t: {}}", tmp_path)), connection
            )
            == []
        )


def test_set_role_applies_to_preflight_and_journal(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    """A NOINHERIT login takes on the role that owns the tables before the pre-flight."""
    roles = """DO $$ BEGIN CREATE ROLE house; EXCEPTION WHEN duplicate_object OR unique_violation
            THEN END $$;
        DO $$ BEGIN CREATE ROLE guest LOGIN NOINHERIT;
        EXCEPTION WHEN duplicate_object OR unique_violation THEN END $$;
        GRANT house TO guest; ALTER TABLE t OWNER TO house; GRANT CREATE ON SCHEMA public TO house;
        DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO house', current_database());
        END $$;"""
    database = new_database(TABLE + roles)
    (tmp_path / "state.yml").write_text(DECLARED)
    target = conninfo.make_conninfo(database.url, user="guest")
    arguments = ("apply", "--target", target, "--state", tmp_path / "state.yml", "--yes")
    refused = reconcile(*arguments)
    assert (refused.exit_code, "guest does not own public.t" in refused.stderr) == (1, True)
    assert reconcile(*arguments, "--set", "role=house", "--check").exit_code == 2
    done = reconcile(*arguments, "--set", "role=house")
    assert done.exit_code == 0, done.output
    assert database.rows("SELECT role_name, status FROM reconcile.run") == [("house", "done")]
    assert database.value("SELECT tableowner FROM pg_tables WHERE tablename = 'fresh'") == "house"
    back = reconcile(
        "rollback", "--target", target, "--yes", "--allow", "all", "--set", "role=house"
    )
    assert back.exit_code == 0, back.output


def test_a_read_only_default_can_be_overridden(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    database = new_database(TABLE)
    own = conninfo.conninfo_to_dict(database.url)["dbname"]
    database.run(f"ALTER DATABASE {own} SET default_transaction_read_only = on")
    (tmp_path / "state.yml").write_text(DECLARED)
    arguments = ("apply", "--target", database.url, "--state", tmp_path / "state.yml", "--yes")
    assert reconcile(*arguments).exit_code == 1
    done = reconcile(*arguments, "--set", "default_transaction_read_only=off")
    assert done.exit_code == 0, done.output


def test_a_pooler_in_transaction_mode_is_refused(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    """Settings and the advisory lock belong to a session, which the pooler changes."""
    database = new_database(TABLE)
    with pooled(database.url) as url:
        job = job_of(Database(url, Path()), DECLARED, tmp_path)
        plan = pipeline.plan_changes(job)
        with pytest.raises(ConnectionFailed, match="a pooler stands between"):
            pipeline.apply_plan(plan, job, url, RecordingWatcher(), LockPolicy(), ["all"])
    advisory_locks = (
        "SELECT count(*) FROM pg_locks AS l JOIN pg_database AS d ON d.oid = l.database WHERE "
        "d.datname = current_database()"
    )
    assert database.value(f"{advisory_locks} AND l.locktype = 'advisory'") == 0
    assert database.value(
        "SELECT to_regclass('fresh') IS NULL AND to_regnamespace('reconcile') IS NULL"
    )


@pytest.fixture
def small_disk() -> Generator[Path]:
    """Mount a file system of 16 MB."""
    folder = Path(tempfile.mkdtemp(prefix="reconcile-disk-"))
    command = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(folder)]
    mounted = os.geteuid() == 0 and shutil.which("mount") is not None
    if not mounted or subprocess.run(command, check=False, capture_output=True).returncode:
        folder.rmdir()
        pytest.skip("only root may mount a small file system, and not everywhere")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)
    folder.rmdir()


def test_a_small_disk_of_a_tablespace_is_named(
    new_database: Callable[..., Database], small_disk: Path, tmp_path: Path
) -> None:
    database = new_database("CREATE TABLE t (id int, n int)")
    server = Path(str(database.value("SELECT current_setting('data_directory')"))).stat()
    for folder, mode in ((small_disk, 0o755), (small_disk / "space", 0o700)):
        folder.mkdir(exist_ok=True)
        os.chown(folder, server.st_uid, server.st_gid)
        folder.chmod(mode)
    own = f"small_{os.getpid()}"
    with connect(database.url) as connection:
        connection.execute(f"CREATE TABLESPACE {own} LOCATION '{small_disk}/space'".encode())
    name = database.value("SELECT current_database()")

    def found(declared: str) -> str:
        job = replace(job_of(database, declared, tmp_path), scratch=database.url)
        plan = pipeline.plan_changes(job)
        with connect(database.url) as connection:
            messages = [f.message for f in preflight(plan, connection)]
        return "\n".join(m for m in messages if m.startswith("up to"))

    try:
        database.run(f"ALTER TABLE t SET TABLESPACE {own}")
        database.run("INSERT INTO t SELECT i FROM generate_series(1, 250000) AS i")
        backfill = found("tables: {t: {columns: {n: {not_null: true, backfill: 1}}}}")
        assert f"tablespace {own} ({small_disk}/space), with " in backfill
        assert own in found(f"tables: {{t: {{indexes: {{i: {{on: id, tablespace: {own}}}}}}}}}")
        index = "tables: {t: {indexes: {i: {on: id}}}}"
        assert not found(index)
        database.run(f"ALTER DATABASE {name} SET maintenance_work_mem = '1MB'")
        database.run(f"ALTER DATABASE {name} SET temp_tablespaces = {own}")
        assert own in found(index)
    finally:
        database.run("DROP TABLE t")
        with connect(database.url) as connection:
            connection.execute(f"DROP TABLESPACE {own}".encode())
