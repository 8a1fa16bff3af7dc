"""Test plans for the two ends of logical replication, each against a real subscription."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path

import pytest
from psycopg import conninfo

from reconciler import pipeline
from reconciler.apply.preflight import preflight
from reconciler.errors import PlanRefused
from reconciler.plan.plan import Plan
from reconciler.server.connection import connect
from reconciler.server.kept import start_embedded
from reconciler.server.locks import LockPolicy
from tests.conftest import Database
from tests.test_execute import RecordingWatcher
from tests.test_locks import job_of

TABLES = """
    CREATE TABLE things (id int PRIMARY KEY, label varchar(20), must int NOT NULL);
    CREATE TABLE listed (id int PRIMARY KEY, sent int, kept int);
    CREATE TABLE measured (id int, day date, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
    CREATE TABLE measured_all PARTITION OF measured DEFAULT;
    CREATE TABLE private (id int PRIMARY KEY);"""
FEED = """CREATE PUBLICATION feed
    FOR TABLE things, measured, TABLE listed (id, sent)"""


@pytest.fixture(scope="module")
def ends() -> Generator[tuple[Database, Database]]:
    """Return a publisher and its subscriber, on a server of their own."""
    purpose = f"logical-{os.getpid()}"
    with connect(start_embedded(purpose).url) as connection:
        for setting, value in (("wal_level", "logical"), ("fsync", "off")):
            connection.execute(f"ALTER SYSTEM SET {setting} = {value}".encode())
    start_embedded(purpose).stop()
    server = start_embedded(purpose)
    try:
        (server.folder / "data" / "pg_hba.conf").write_text("local all all trust\n")
        with connect(server.url) as connection:  # the server's account has no name for `peer`
            connection.execute("SELECT pg_reload_conf()")
        here, there = (Database(server.database(n), server.tools) for n in ("here", "there"))
        here.run(TABLES)
        there.run(TABLES)
        here.run(FEED)
        here.run("SELECT pg_create_logical_replication_slot('copy', 'pgoutput')")
        sockets = conninfo.conninfo_to_dict(here.url)["host"]
        there.run(
            f"CREATE SUBSCRIPTION copy CONNECTION 'host={sockets} dbname=here user=postgres'"
            " PUBLICATION feed WITH (create_slot = false)"
        )
        yield here, there
    finally:
        server.stop(signal.SIGQUIT)
        shutil.rmtree(server.folder)


def reasons(plan: Plan, hazard: str) -> list[str]:
    return [reason for kind, found in plan.hazards().items() if kind == hazard for reason in found]


def until(database: Database, query: str, expected: object) -> None:
    deadline = time.monotonic() + 60
    while database.value(query) != expected:
        assert time.monotonic() < deadline, query
        time.sleep(0.1)


def test_what_stops_subscribers_is_a_hazard(
    ends: tuple[Database, Database], tmp_path: Path
) -> None:
    here, there = ends
    until(there, "SELECT bool_and(srsubstate = 'r') FROM pg_subscription_rel", expected=True)
    declared = """
tables:
  things:
    columns: {added: {type: int}, label: {type: text}, must: {state: absent}}
    constraints: {things_pkey: {state: absent}}
  listed:
    columns: {own: {type: int}, kept: {type: bigint}, delivered: {type: int, renamed_from: sent}}
  readings: {renamed_from: measured, columns: {value: {type: int}}}
  private: {columns: {own: {type: int}}, constraints: {private_pkey: {state: absent}}}
"""
    plan = pipeline.plan_changes(job_of(here, declared, tmp_path))
    found = "\n".join(reasons(plan, "stops-replication"))
    assert found.count("publication feed sends") == 5
    for changed in (
        "sends the new column public.things.added to subscribers (slot copy)",
        "sends column public.things.label as text",
        "no longer sends column public.things.must",
        "sends column public.listed.delivered instead of sent",
        "sends table public.readings instead of measured",
        "sends the new column public.readings.value",
    ):
        assert changed in found, found
    (blocked,) = reasons(plan, "blocks-writes")
    assert "every UPDATE and DELETE of public.things fails, because publication feed" in blocked
    with connect(here.url) as connection:
        findings = [f.message for f in preflight(plan, connection) if "slot" in f.message]
    assert any("public.things" in f and "copy (active, " in f for f in findings), findings


def test_slots_of_tables_that_are_being_copied_are_no_subscribers(
    ends: tuple[Database, Database], tmp_path: Path
) -> None:
    here, _ = ends
    here.run("SELECT pg_create_logical_replication_slot('pg_1_sync_2_3', 'pgoutput')")
    try:
        declared = "tables: {things: {columns: {noted: {type: int}}}}"
        plan = pipeline.plan_changes(job_of(here, declared, tmp_path))
        (found,) = reasons(plan, "stops-replication")
        assert "to subscribers (slot copy)" in found
        with connect(here.url) as connection:
            (told,) = [f.message for f in preflight(plan, connection) if "slot" in f.message]
        assert "to the subscribers of slot copy (" in told
        assert "sync" not in told
    finally:
        here.run("SELECT pg_drop_replication_slot('pg_1_sync_2_3')")


def test_the_order_that_is_told_spares_subscribers(
    ends: tuple[Database, Database], tmp_path: Path
) -> None:
    here, there = ends
    job = job_of(here, "tables: {things: {columns: {extra: {type: int}}}}", tmp_path)
    plan = pipeline.plan_changes(job)
    with pytest.raises(PlanRefused, match="stops-replication"):
        pipeline.apply_plan(plan, job, here.url, RecordingWatcher(), LockPolicy(), [])
    allowed = ["stops-replication"]
    outcome = pipeline.apply_plan(plan, job, here.url, RecordingWatcher(), LockPolicy(), allowed)
    assert (outcome.failed, outcome.left) == (0, ())
    here.run("INSERT INTO things (id, must, extra) VALUES (1, 1, 1)")
    errors = "SELECT apply_error_count > 0 FROM pg_stat_subscription_stats"
    until(there, errors, expected=True)
    assert there.value("SELECT count(*) FROM things") == 0
    there_job = replace(job, target=there.url)
    first = pipeline.plan_changes(there_job)
    assert not first.hazards()
    pipeline.apply_plan(first, there_job, there.url, RecordingWatcher(), LockPolicy(), [])
    until(there, "SELECT count(*) FROM things WHERE extra = 1", expected=1)


def test_what_stops_the_subscription_here_is_a_hazard(
    ends: tuple[Database, Database], tmp_path: Path
) -> None:
    _, there = ends
    declared = """
tables:
  things:
    columns: {label: {state: absent}}
    constraints: {things_pkey: {state: absent}}
  items:
    renamed_from: listed
    columns:
      kept: {not_null: true}
      need: {type: int, not_null: true}
      sum: {renamed_from: sent}
  measured: {state: absent}
  measured_all: {state: absent}
  private: {state: absent}
"""
    plan = pipeline.plan_changes(job_of(there, declared, tmp_path))
    found = reasons(plan, "stops-replication")
    assert all("subscription copy stops here" in reason for reason in found)
    assert len(found) == 8, found


def test_a_new_subscription_connects_where_that_is_asked(
    ends: tuple[Database, Database], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Copy the rows, follow a further publication, and drop subscription and slot.

    Both ends are on one server, where CREATE SUBSCRIPTION would wait for itself to create the slot.
    """
    here, there = ends
    sockets = conninfo.conninfo_to_dict(here.url)["host"]
    monkeypatch.setenv("RECONCILE_HERE", f"host={sockets} dbname=here user=postgres")
    for end in ends:
        end.run("CREATE TABLE first (id int PRIMARY KEY); CREATE TABLE second (id int PRIMARY KEY)")
    here.run("INSERT INTO first VALUES (1); INSERT INTO second VALUES (2)")
    here.run("CREATE PUBLICATION one FOR TABLE first; CREATE PUBLICATION two FOR TABLE second")
    here.run("SELECT pg_create_logical_replication_slot('new', 'pgoutput')")
    slots = "SELECT count(*) FROM pg_replication_slots WHERE slot_name = 'new'"
    for publications, table in (("one", "first"), ("one, two", "second")):
        declared = f"""
subscriptions:
  new:
    publications: [{publications}]
    conninfo: {{env: RECONCILE_HERE}}
    connect: true
    create_slot: false"""
        job = job_of(there, declared, tmp_path)
        plan = pipeline.plan_changes(job)
        assert [s.transactional for s in plan.steps] == [False]
        outcome = pipeline.apply_plan(plan, job, there.url, RecordingWatcher(), LockPolicy(), [])
        assert (outcome.failed, outcome.left) == (0, ())
        until(there, f"SELECT count(*) FROM {table}", expected=1)
        assert here.value(slots) == 1
    job = job_of(there, "subscriptions: {new: {state: absent}}", tmp_path)
    plan = pipeline.plan_changes(job)
    outcome = pipeline.apply_plan(plan, job, there.url, RecordingWatcher(), LockPolicy(), ["all"])
    assert (outcome.failed, outcome.left) == (0, ())
    assert here.value(slots) == 0


def test_a_subscription_to_another_server_makes_its_slot_there(
    ends: tuple[Database, Database],
    database: Database,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Create slot and subscription in one command, copy rows, follow changes, and undo it all."""
    here, subscriber = ends[0], f"far_{os.getpid()}"
    sockets = str(conninfo.conninfo_to_dict(here.url)["host"])
    Path(sockets).chmod(0o711)  # the other server may run as another user
    for socket in Path(sockets).glob(".s.*"):
        socket.chmod(0o777)
    monkeypatch.setenv("RECONCILE_HERE", f"host={sockets} dbname=here user=postgres")
    for end in (here, database):
        end.run("CREATE TABLE far (id int PRIMARY KEY)")
    here.run("INSERT INTO far VALUES (1); CREATE PUBLICATION far FOR TABLE far")
    slots = f"SELECT count(*) FROM pg_replication_slots WHERE slot_name = '{subscriber}'"
    declared = f"""
subscriptions:
  {subscriber}: {{publications: far, conninfo: {{env: RECONCILE_HERE}}, connect: true}}"""
    job = job_of(database, declared, tmp_path)
    for _ in range(2):
        plan = pipeline.plan_changes(job)
        assert here.value(slots) == 0  # a plan connects nowhere
        outcome = pipeline.apply_plan(
            plan, job, database.url, RecordingWatcher(), LockPolicy(), ["all"]
        )
        assert [o.error for o in outcome.steps if o.status == "failed"] == []
        assert outcome.left == ()
        assert here.value(slots) == 1
        until(database, "SELECT count(*) FROM far", here.value("SELECT count(*) FROM far"))
        here.run("INSERT INTO far SELECT max(id) + 1 FROM far")
        until(database, "SELECT count(*) FROM far", here.value("SELECT count(*) FROM far"))
        assert pipeline.plan_changes(job).in_sync
        for step in reversed(plan.steps):
            for command in step.undo or ():
                database.run(command)
        assert here.value(slots) == 0
        database.run("TRUNCATE far")
