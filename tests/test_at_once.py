"""Transactions that only create objects run as one: all of it is done, or nothing."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler import pipeline
from reconciler.apply import at_once, lost, observer
from reconciler.declare.load import load
from reconciler.model.state import Scope
from reconciler.pipeline import Job
from reconciler.server.locks import LockPolicy
from tests.conftest import Database
from tests.network import Fault, network
from tests.test_conversations import reconcile
from tests.test_execute import RecordingWatcher
from tests.test_locks import wait_until
from tests.test_lost import SAID
from tests.test_stopped import OURS, STATUS, started

DECLARED = """
schema: public
tables:
  first:
    columns: {id: {type: bigint, primary_key: true}, n: {type: integer, comment: counts}}
    indexes: {first_n: {on: n}}
  second:
    columns: {id: {type: bigint, primary_key: true}, of: {type: bigint, references: first(id)}}
  third:
    columns: {id: {type: bigint, primary_key: true}, of: {type: bigint, references: second(id)}}
  apart:
    columns: {id: bigint}
views:
  seen: {query: SELECT id FROM first}
"""
TABLES = "SELECT relname::text FROM pg_class WHERE relkind = 'r' AND relnamespace = {} ORDER BY 1"
IN_PUBLIC = TABLES.format("'public'::regnamespace")
ALL = [("apart",), ("first",), ("second",), ("third",)]
STEPS = "SELECT DISTINCT status FROM reconcile.step"


def on_creation_of(table: str, action: str) -> str:
    """Return a script for the target alone: an event trigger acts when the table is created."""
    return f"""
        CREATE FUNCTION act() RETURNS event_trigger LANGUAGE plpgsql AS $$
        DECLARE identity text;
        BEGIN
            SELECT object_identity INTO identity FROM pg_event_trigger_ddl_commands()
            WHERE command_tag = 'CREATE TABLE' AND object_identity = 'public.{table}';
            IF FOUND THEN {action}; END IF;
        END $$;
        CREATE EVENT TRIGGER act ON ddl_command_end EXECUTE FUNCTION act();"""


def job_of(database: Database, folder: Path, declared: str = DECLARED) -> Job:
    file = folder / "state.yml"
    file.write_text(declared)
    declaration = load(file)
    return Job(database.url, declaration, Scope(declaration.schemas))


def apply(job: Job, watcher: RecordingWatcher) -> pipeline.Outcome:
    plan = pipeline.plan_changes(job)
    assert len(plan.transactions()) > 1
    return pipeline.apply_plan(plan, job, job.target, watcher, LockPolicy(), ["all"])


def test_one_transaction_creates_what_several_would(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    database, watcher = new_database(), RecordingWatcher()
    outcome = apply(job_of(database, tmp_path), watcher)
    assert (outcome.failed, outcome.skipped, outcome.left) == (0, 0, ())
    assert database.rows(IN_PUBLIC) == ALL
    created = "SELECT count(DISTINCT xmin::text) FROM pg_class WHERE relname IN"
    assert database.value(f"{created} ('first', 'apart', 'seen')") == 1
    assert [o.status for o in watcher.done] == ["done"] * len(outcome.steps)
    assert database.rows(STEPS) == [("done",)]


def test_a_batch_has_no_more_steps_than_its_locks_allow(
    new_database: Callable[..., Database], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(at_once, "MAX_STEPS", 3)
    database = new_database()
    outcome = apply(job_of(database, tmp_path), RecordingWatcher())
    assert (outcome.failed, outcome.left) == (0, ())
    found = database.rows(
        "SELECT DISTINCT xmin::text FROM pg_class WHERE relkind = 'r'"
        " AND relnamespace = 'public'::regnamespace"
    )
    assert len(found) > 1


def test_what_waits_for_a_lock_runs_alone(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    """A foreign key to a table that others use takes a lock of that table."""
    database = new_database("CREATE TABLE used (id bigint PRIMARY KEY)")
    declared = DECLARED.replace("first(id)", "used(id)")
    assert apply(job_of(database, tmp_path, declared), RecordingWatcher()).failed == 0
    created = "SELECT count(DISTINCT xmin::text) FROM pg_class WHERE relname IN ('first', 'second')"
    assert database.value(created) == 2


def test_after_a_failure_what_does_not_depend_on_it_is_created(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    database = new_database(on_creation_of("second", "RAISE EXCEPTION 'not this one'"))
    outcome = apply(job_of(database, tmp_path), RecordingWatcher())
    status = {(o.step.kind, o.step.identity): o.status for o in outcome.steps}
    assert status["table", "public.first"] == status["table", "public.apart"] == "done"
    assert status["table", "public.second"] == "failed"
    assert database.rows(IN_PUBLIC) == [("apart",), ("first",)]
    errors = database.rows("SELECT error FROM reconcile.step WHERE status = 'failed'")
    assert ["not this one" in str(error) for (error,) in errors] == [True]


def test_an_object_that_is_not_as_planned_fails_alone(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    change = "EXECUTE 'ALTER TABLE public.second SET (fillfactor = 50)'"
    database = new_database(on_creation_of("second", change))
    outcome = apply(job_of(database, tmp_path), RecordingWatcher())
    failed = {o.step.identity: o.error for o in outcome.steps if o.status == "failed"}
    assert failed.keys() == {"public.second"}
    assert "it differs: " in failed["public.second"]
    assert database.rows(IN_PUBLIC) == ALL


@pytest.mark.parametrize("how", ["interrupted", "killed", "terminated"])
def test_a_stopped_batch_leaves_nothing(
    how: str, new_database: Callable[..., Database], tmp_path: Path
) -> None:
    database = new_database(on_creation_of("third", "PERFORM pg_sleep(60)"))
    process = started(database, tmp_path, DECLARED)
    asleep = f"SELECT count(*) {OURS} AND wait_event = 'PgSleep'"
    wait_until(lambda: database.value(asleep), 90)
    end = f"SELECT pg_terminate_backend(pid) {OURS} AND wait_event = 'PgSleep'"
    if how == "interrupted":
        process.send_signal(signal.SIGINT)
    elif how == "killed":
        process.kill()
        database.rows(end)  # the server would see it when the statement ends
    else:
        database.rows(end)
    _, err = process.communicate(timeout=60)
    assert ("run again to continue" in err) == (how != "killed")
    assert "Traceback" not in err
    wait_until(lambda: not database.value(f"SELECT count(*) {OURS}"), 60)
    assert database.rows(IN_PUBLIC) == []
    assert database.rows(STATUS) == [("running" if how == "killed" else "interrupted",)]
    database.run("DROP EVENT TRIGGER act; DROP FUNCTION act()")
    outcome = apply(job_of(database, tmp_path), RecordingWatcher())
    assert (outcome.failed, outcome.left) == (0, ())
    assert database.rows(IN_PUBLIC) == ALL
    assert database.rows(STATUS) == [("interrupted",), ("done",)]


@pytest.mark.parametrize(
    ("fault", "fate"),
    [("answer lost", "done"), ("request lost", "not done"), ("everything lost", "unknown")],
)
def test_a_lost_commit_of_a_batch_is_looked_up(
    fault: Fault,
    fate: str,
    new_database: Callable[..., Database],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    database = new_database()
    job_of(database, tmp_path)
    monkeypatch.setattr(lost, "RECONNECT", 0.2)
    monkeypatch.setattr(lost, "GRACE", 0.2)
    monkeypatch.setattr(observer, "LOST_AFTER", 2)
    began = time.monotonic()
    with network(database.url, b"\0CREATE TABLE public.third", fault) as (target, way):
        options = ("--state", str(tmp_path / "state.yml"), "--yes", "--target", target)
        stopped = reconcile("apply", *options)
    assert way.happened
    assert stopped.exit_code == 1
    assert SAID[fate] in stopped.output
    assert "run again to continue" in stopped.output
    assert "Traceback" not in stopped.output
    assert time.monotonic() - began < 60
    if fate != "unknown":
        assert database.rows(IN_PUBLIC) == (ALL if fate == "done" else [])
        assert database.rows(STEPS) == [("done" if fate == "done" else "failed",)]
    again = reconcile("apply", *options[:3], "--target", database.url)
    assert again.exit_code == 0, again.output
    assert database.rows(IN_PUBLIC) == ALL
