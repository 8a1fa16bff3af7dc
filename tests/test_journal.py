"""Test the journal: its place, its isolation, and that a failure to record stops no run."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner, Result

from reconciler import pipeline
from reconciler.apply.backfill import Progress
from reconciler.apply.outcome import Outcome, StepOutcome
from reconciler.cli import main
from reconciler.declare.load import load
from reconciler.errors import ConnectionFailed, PlanRefused
from reconciler.journal.ownership import Place
from reconciler.model.reserved_names import JOURNAL
from reconciler.model.state import Scope
from reconciler.pipeline import Job
from reconciler.plan.step import Step
from reconciler.server.locks import LockPolicy
from tests.conftest import Database

TABLE = "CREATE TABLE public.t (id int PRIMARY KEY, n int);"
COMMENTED = "tables: {t: {comment: one, columns: {n: {comment: two}}}}"
FIRST_LAYOUT = """
    CREATE SCHEMA reconcile;
    CREATE TABLE reconcile.run (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, started_at timestamptz NOT NULL DEFAULT
            clock_timestamp(),
        finished_at timestamptz, status text NOT NULL DEFAULT 'running' CHECK (status IN
            ('running', 'done', 'failed', 'interrupted')),
        role_name text NOT NULL DEFAULT current_user, client_user text NOT NULL, client_host text
            NOT NULL, version text NOT NULL,
        git_commit text, plan jsonb NOT NULL);
    CREATE TABLE reconcile.step (
        run_id bigint NOT NULL REFERENCES reconcile.run ON DELETE CASCADE, step_id text NOT NULL,
        status text NOT NULL CHECK (status IN ('done', 'failed', 'skipped')), finished_at
            timestamptz NOT NULL DEFAULT clock_timestamp(),
        seconds double precision NOT NULL, attempts integer NOT NULL, error text, PRIMARY KEY
            (run_id, step_id));
    INSERT INTO reconcile.run (status, client_user, client_host, version, plan)
    VALUES ('running', 'ann', 'laptop', '0.0.1', '{"version": 1, "target": "x", "in_sync": false,
        "changes": [], "steps": []}');"""


class CallbackWatcher:
    """A watcher that calls a function when a step ends."""

    def __init__(self, meddle: Callable[[], None]) -> None:
        self.meddle, self.ends = meddle, 0

    def started(self, step: Step) -> None:
        pass

    def progress(self, step: Step, progress: Progress) -> None:
        pass

    def waiting(self, step: Step, why: str) -> None:
        pass

    def notice(self, words: str) -> None:
        pass

    def ended(self, outcome: StepOutcome) -> None:
        self.ends += 1
        if self.ends == 1:
            self.meddle()


@pytest.fixture
def job(
    new_database: Callable[..., Database], tmp_path: Path
) -> Callable[..., tuple[Database, Job]]:
    def make(declared: str = COMMENTED, script: str = TABLE) -> tuple[Database, Job]:
        file = tmp_path / "state.yml"
        file.write_text(declared)
        declaration = load(file)
        database = new_database(script)
        return database, Job(database.url, declaration, Scope(declaration.schemas))

    return make


Made = Callable[..., tuple[Database, Job]]


def applied(
    job: Job, meddle: Callable[[], None] = lambda: None, journal: str | None = JOURNAL
) -> Outcome:
    plan = pipeline.plan_changes(job)
    place = Place(journal) if journal else None
    return pipeline.apply_plan(
        plan, job, job.target, CallbackWatcher(meddle), LockPolicy(), ["all"], place
    )


def reconcile(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments], catch_exceptions=False)


def test_a_run_is_recorded_with_its_objects_before_and_after(job: Made) -> None:
    database, made = job()
    applied(made)
    run = database.rows(
        "SELECT status, role_name, plan ->> 'digest' = digest AS a, finished_at > started_at "
        "AS "
        "b, rollback_of FROM reconcile.run"
    )
    assert run == [("done", "postgres", True, True, None)]
    kept = database.rows(
        "SELECT identity, before ->> 'comment' AS b, after ->> 'comment' AS a FROM "
        "reconcile.touched ORDER BY 1"
    )
    assert kept == [("column public.t.n", None, "two"), ("table public.t", None, "one")]


@pytest.mark.parametrize("schema", ["audit", 'Runs 100% "ours"'])
def test_the_journal_is_not_part_of_the_state(job: Made, tmp_path: Path, schema: str) -> None:
    database, made = job()
    applied(made, journal=schema)
    assert database.value("SELECT to_regnamespace('reconcile') IS NULL")
    assert len(pipeline.read_history(database.url, Place(schema), 9)) == 1
    everything = Scope(frozenset({"*"}), prune=True, everything=True)
    files, notes = pipeline.export_state(database.url, everything, tmp_path / "out")
    assert not notes
    assert not [f for f in files if schema in f.read_text() or "rollback_of" in f.read_text()]
    whole = pipeline.plan_changes(Job(database.url, load(tmp_path / "out"), everything))
    assert (whole.changes, whole.notes) == ((), ())


def test_without_a_journal_nothing_is_written(job: Made) -> None:
    database, made = job()
    outcome = applied(made, journal=None)
    assert (outcome.changed, outcome.run, outcome.notes) == (2, None, ())
    assert database.value("SELECT count(*) FROM pg_namespace WHERE nspname = 'reconcile'") == 0


def test_an_older_layout_is_migrated(job: Made) -> None:
    database, made = job(script=TABLE + FIRST_LAYOUT)
    assert [r.client_user for r in pipeline.read_history(database.url, Place(), 9)] == ["ann"]
    with pytest.raises(
        PlanRefused, match=r"run 1 cannot be rolled back: it was recorded by version 0\.0\.1"
    ):
        pipeline.plan_rollback(database.url, Place(), 1)
    assert applied(made).notes == ()
    assert database.rows("SELECT id, status, rollback_of FROM reconcile.run ORDER BY id") == [
        (1, "interrupted", None),
        (2, "done", None),
    ]
    assert database.value("SELECT count(*) FROM reconcile.touched") == 2
    assert database.rows("SELECT run_id, moment FROM reconcile.baseline ORDER BY taken_at") == [
        (2, "before"),
        (2, "after"),
    ]


@pytest.mark.parametrize(
    "script",
    [
        "CREATE SCHEMA reconcile; CREATE TABLE reconcile.run (id int, what text);",
        "CREATE SCHEMA reconcile; CREATE VIEW reconcile.v AS SELECT 1;",
    ],
)
def test_a_foreign_schema_is_refused(job: Made, script: str) -> None:
    database, made = job(script=TABLE + script)
    before = database.rows(
        "SELECT relname FROM pg_class WHERE relnamespace = 'reconcile'::regnamespace ORDER BY 1"
    )
    with pytest.raises(PlanRefused, match="--journal NAME"):
        applied(made)
    assert database.value("SELECT obj_description('t'::regclass)") is None
    assert before == database.rows(
        "SELECT relname FROM pg_class WHERE relnamespace = 'reconcile'::regnamespace ORDER BY 1"
    )
    assert applied(made, journal="elsewhere").changed == 2


def test_declaring_objects_in_the_journal_is_refused(job: Made) -> None:
    _, made = job("{schemas: {audit: {}}, tables: {audit.t: {columns: {id: int}}}}")
    with pytest.raises(PlanRefused, match="schema audit is to hold the journal"):
        applied(made, journal="audit")
    assert applied(made).failed == 0


def test_a_failure_to_record_is_reported_and_ignored(job: Made) -> None:
    database, made = job()
    outcome = applied(made, lambda: database.run("ALTER TABLE reconcile.step RENAME TO lost"))
    assert (outcome.changed, outcome.failed, outcome.left) == (2, 0, ())
    assert outcome.notes == (
        'run 1 is recorded with gaps: relation "reconcile.step" does not exist',
    )
    assert database.rows("SELECT status, finished_at IS NOT NULL FROM reconcile.run") == [
        ("done", True)
    ]
    assert database.value("SELECT count(after) FROM reconcile.touched") == 2


def test_a_privilege_lost_during_a_run_is_reported(job: Made) -> None:
    role = (
        "DO $$BEGIN CREATE ROLE plain_owner LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; "
        "END$$;"
    )
    database, made = job(script=role + TABLE + "ALTER TABLE public.t OWNER TO plain_owner;")
    database.run(
        "DO $$BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO plain_owner', "
        "current_database()); END$$"
    )
    plain = dataclasses.replace(
        made, target=database.url.replace("user=postgres", "user=plain_owner")
    )
    outcome = applied(plain, lambda: database.run("ALTER SCHEMA reconcile OWNER TO postgres"))
    assert (outcome.changed, outcome.failed) == (2, 0)
    assert outcome.notes == ("run 1 is recorded with gaps: permission denied for schema reconcile",)


def test_a_locked_journal_does_not_stop_a_run(job: Made) -> None:
    database, made = job()
    applied(made)
    made = dataclasses.replace(
        made,
        declaration=dataclasses.replace(
            made.declaration, objects={}, absent=made.declaration.objects
        ),
    )

    with psycopg.connect(database.url) as holder:
        holder.execute("LOCK TABLE reconcile.run")
        outcome = applied(made)
    assert outcome.failed == 0
    assert "lock timeout" in outcome.notes[0]


def test_a_run_with_a_broken_connection_is_closed(job: Made) -> None:
    database, made = job()
    own = "database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    kill = (
        "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND "
        f"granted AND {own}"
    )
    with pytest.raises(ConnectionFailed):
        applied(made, lambda: database.run(kill))
    assert database.rows("SELECT status, finished_at IS NOT NULL FROM reconcile.run") == [
        ("interrupted", True)
    ]
    assert database.value("SELECT count(after) FROM reconcile.touched") == 2


def test_the_journal_holds_no_password(job: Made) -> None:
    script = """
        CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w;
        CREATE USER MAPPING FOR PUBLIC SERVER s OPTIONS (user 'u', password 'hush1');"""
    database, made = job("user_mappings: {public on s: {options: {user: v}}}", script)
    separator = "&" if "?" in database.url else "?"
    target = (
        f"{database.url}{separator}password=hush2"
        if "://" in database.url
        else f"{database.url} password=hush2"
    )
    outcome = applied(dataclasses.replace(made, target=target))
    assert outcome.changed == 1
    assert pipeline.plan_rollback(target, Place(), None)[0].steps
    for table in ("run", "step", "touched"):
        assert (
            database.value(
                f"SELECT count(*) FROM reconcile.{table} AS t WHERE t::text LIKE '%hush%'"
            )
            == 0
        )


def test_history_lists_runs_and_shows_one(job: Made, tmp_path: Path) -> None:
    database, _ = job()
    target = ("--target", database.url)
    assert reconcile("history", *target).stdout == "no runs are recorded\n"
    assert reconcile("history", *target).exit_code == 0
    apply = ("apply", *target, "--state", tmp_path / "state.yml", "--yes", "--journal", "audit")
    assert reconcile(*apply).exit_code == 0
    (tmp_path / "state.yml").write_text("tables: {t: {indexes: {t_n: {on: n, unique: true}}}}")
    database.run("INSERT INTO t VALUES (1, 1), (2, 1)")
    assert reconcile(*apply).exit_code == 1

    listed = reconcile("history", *target, "--journal", "audit").stdout.splitlines()
    assert listed[0].split() == ["run", "when", "who", "status", "what", "took"]
    assert [line.split()[0] for line in listed[1:]] == ["2", "1"]
    assert "failed" in listed[1]
    assert "1 created (0 of 1 step)" in listed[1]
    assert "done" in listed[2]
    assert "2 altered" in listed[2]
    document = json.loads(
        reconcile("history", *target, "--journal", "audit", "--format", "json", "--limit", 1).stdout
    )
    assert [(r["id"], r["status"], r["changes"]) for r in document["runs"]] == [
        (2, "failed", {"create": 1})
    ]

    output = reconcile("history", 2, *target, "--journal", "audit").stdout
    assert "+ index public.t_n" in output
    assert "could not create unique index" in output
    one = json.loads(
        reconcile("history", 1, *target, "--journal", "audit", "--format", "json").stdout
    )
    assert {d["field"] for c in one["changes"] for d in c["differences"]} == {"comment"}
    assert [s["outcome"]["status"] for s in one["steps"]] == ["done", "done"]
    assert {t["identity"] for t in one["touched"]} == {"public.t", "public.t.n"}
    missing = reconcile("history", 9, *target, "--journal", "audit")
    assert (missing.exit_code, "records no run 9" in missing.stderr) == (1, True)


def test_the_schema_comes_from_flag_then_target_then_file(
    job: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database, _ = job()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RECONCILE_TEST_URL", database.url)
    url = "${RECONCILE_TEST_URL}"
    targets = {"a": {"url": url}, "b": {"url": url, "journal": False}}
    (tmp_path / "reconcile.yml").write_text(json.dumps({"journal": "filed", "targets": targets}))
    assert reconcile("apply", "-t", "b", "--yes", "--state", "state.yml").exit_code == 0
    assert database.value("SELECT to_regclass('filed.run')") is None
    (tmp_path / "state.yml").write_text("tables: {t: {comment: three}}")
    assert reconcile("apply", "-t", "a", "--yes", "--state", "state.yml").exit_code == 0
    assert reconcile("history", "-t", "a").stdout.count("done") == 1
    (tmp_path / "state.yml").write_text("tables: {t: {comment: four}}")
    assert (
        reconcile("apply", "-t", "a", "--yes", "--no-journal", "--state", "state.yml").exit_code
        == 0
    )
    assert reconcile("history", "-t", "a").stdout.count("done") == 1
    assert (
        reconcile(
            "apply", "-t", "a", "--yes", "--no-journal", "--journal", "x", "--state", "state.yml"
        ).exit_code
        == 1
    )
