"""Test `monitor` on real servers: a day of load after a run, with all well and with troubles."""

from __future__ import annotations

import json
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest
from prometheus_client.parser import text_string_to_metric_families
from psycopg import conninfo

from reconciler.monitor import compare
from reconciler.server.connection import Connection, connect, rows
from reconciler.server.kept import start_embedded
from tests.conftest import Database
from tests.monitored import age, apply, reconcile, statements_server

START = """
CREATE TABLE orders (id int PRIMARY KEY, customer int NOT NULL, tenant text NOT NULL, note text);
ALTER TABLE orders ENABLE ROW LEVEL SECURITY;
INSERT INTO orders SELECT n, n % 2000, 'a' || n % 200, repeat('x', 400)
    FROM generate_series(1, 20000) AS n;
CREATE INDEX orders_tenant ON orders (tenant, id);
CREATE TABLE events (id int, kind int);
INSERT INTO events SELECT n, n % 10 FROM generate_series(1, 200) AS n;
VACUUM ANALYZE;
"""
DECLARED = """
tables:
  orders:
    indexes:
      orders_customer: customer
    policies:
      own: {using: tenant = CURRENT_USER}
    constraints:
      positive: customer >= 0
  events: {comment: what has happened}
workload:
  of a customer:
    query: SELECT count(note) FROM orders WHERE customer = $1
    parameters: ["7"]
    promise: 50
"""
FLUSH = "SELECT pg_stat_force_next_flush();"
OF_CUSTOMER = "SELECT count(note) FROM orders WHERE customer = 7;\n"
OF_EVENT = "SELECT count(*) FROM events WHERE kind = 3;\n"
OF_TENANT = "SELECT count(*) FROM orders WHERE tenant = 'a7';\n"
BY_ID = "SELECT tenant FROM orders WHERE id = 5;\n"
# A scan takes four times as long, whatever else the machine does meanwhile.
MORE_ROWS = """INSERT INTO orders SELECT n, 3000, 'b', repeat('x', 400)
    FROM generate_series(20001, 80000) AS n;
"""
DAY = "25 hours"

Made = Callable[[str], Database]


@pytest.fixture(scope="module")
def statements() -> Iterator[Made]:
    with statements_server() as make:
        yield make


@pytest.fixture
def watched(statements: Made, tmp_path: Path) -> Database:
    """Return a database with a run of now, after queries that are known."""
    database = statements("")
    for script in START.split(";\n"):
        database.run(script)
    database.run(OF_CUSTOMER * 30 + OF_EVENT * 120 + OF_TENANT * 30 + BY_ID * 100 + FLUSH)
    apply(database, tmp_path, DECLARED)
    return database


def load(database: Database, script: str = "") -> None:
    """Run the queries of an ordinary day, and more."""
    database.run(OF_CUSTOMER * 60 + OF_EVENT * 60 + OF_TENANT * 60 + BY_ID * 60 + script + FLUSH)


def monitor(database: Database, *options: object, status: int = 0) -> dict[str, Any]:
    """Return the document of `monitor`, after a look at its exit status."""
    done = reconcile("monitor", "-t", database.url, "--format", "json", *options)
    assert done.exit_code == status, done.output
    document = json.loads(done.stdout)
    assert document["version"] == 1
    assert document["well"] == (status == 0)
    return document


def verdicts(document: dict[str, Any]) -> dict[tuple[str, str], str]:
    return {(p["subject"], p["promise"]): p["verdict"] for p in document["promises"]}


def named(document: dict[str, Any]) -> set[tuple[str, str]]:
    """Return the findings, and the promises that are not kept."""
    broken = {(p["promise"], p["subject"]) for p in document["promises"] if _broken(p)}
    return broken | {(f["rule"], f["subject"]) for f in document["findings"]}


def _broken(promise: dict[str, Any]) -> bool:
    return promise["verdict"] == "not kept"


def test_a_quiet_day_names_nothing(watched: Database, tmp_path: Path) -> None:
    age(watched, DAY)
    load(watched)
    document = monitor(watched, "--state", tmp_path / "state.yml")
    assert named(document) == set()
    assert document["unseen"] == []
    found = verdicts(document)
    assert set(found.values()) == {"kept"}
    assert ("index public.orders_customer", "used") in found
    assert ("query of a customer", "saves 50 % of its time") in found
    assert ("constraint positive on public.orders", "as the run left it") in found
    assert document["window"] == "day"


def test_a_day_of_troubles_is_named(watched: Database, tmp_path: Path) -> None:
    age(watched, DAY)
    watched.run("INSERT INTO events SELECT n, n % 10 FROM generate_series(1, 100000) AS n")
    watched.run("UPDATE orders SET note = note || 'y'")
    watched.run("UPDATE orders SET note = note || 'y'")
    watched.run("VACUUM ANALYZE orders")
    watched.run("ALTER POLICY own ON orders USING (true)")
    watched.run("DROP INDEX orders_customer")
    watched.run("CREATE INDEX orders_customer ON orders (customer)")
    watched.run(OF_EVENT * 60 + OF_TENANT * 60 + BY_ID * 60 + FLUSH)
    document = monitor(watched, "--state", tmp_path / "state.yml", status=2)
    assert named(document) == {
        ("as the run left it", "policy own on public.orders"),
        ("slower", "query select count ( * ) from events where kind = ?"),
        ("sequential-scans", "table public.events"),
        ("bloat", "table public.orders"),
    }
    (changed,) = [p for p in document["promises"] if p["differences"]]
    assert {"field": "using", "left": "(tenant = CURRENT_USER)", "now": "true"} in changed[
        "differences"
    ]


def test_an_index_that_nobody_uses_is_named(watched: Database) -> None:
    age(watched, DAY)
    watched.run(BY_ID * 120 + FLUSH)
    document = monitor(watched, status=2)
    assert named(document) == {
        ("used", "index public.orders_customer"),
        ("unused-index", "index public.orders_tenant"),
    }
    (old,) = document["findings"]
    assert old["fix"] == "DROP INDEX CONCURRENTLY public.orders_tenant;"
    later = monitor(watched, "--window", "week")
    reason = {p["subject"]: p["reason"] for p in later["promises"] if p["promise"] == "used"}
    assert "too young: the run ended 25 hours ago" in reason["index public.orders_customer"]


def test_dead_rows_errors_and_locks_are_named(watched: Database) -> None:
    age(watched, DAY)
    watched.run("UPDATE orders SET note = note || 'y'")
    watched.run("UPDATE orders SET note = note || 'y'; " + FLUSH)
    failing = "".join(
        f"DO $$BEGIN PERFORM {n} / 0; EXCEPTION WHEN division_by_zero THEN NULL; END$$;"
        for n in range(3)
    )
    watched.run(failing)
    for _ in range(2):
        watched.run("BEGIN; ROLLBACK; " * 600 + FLUSH)
    document = monitor(watched, status=2)
    assert {("dead-rows", "table public.orders"), ("errors", "database")} <= named(document)


def test_a_promise_of_the_workload_that_does_not_hold_is_named(
    watched: Database, tmp_path: Path
) -> None:
    watched.run("DROP INDEX orders_customer; " + MORE_ROWS + OF_CUSTOMER * 40)
    document = monitor(watched, "--state", tmp_path / "state.yml", status=2)
    assert {
        ("saves 50 % of its time", "query of a customer"),
        ("as the run left it", "index public.orders_customer"),
        ("sequential-scans", "table public.orders"),
        ("slower", "query select count ( note ) from orders where customer = ?"),
    } == named(document)


def test_a_constraint_and_an_index_that_became_invalid_are_named(
    watched: Database,
) -> None:
    watched.run(
        """ALTER TABLE orders DROP CONSTRAINT positive;
        ALTER TABLE orders ADD CONSTRAINT positive CHECK (customer >= 0) NOT VALID;
        UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'orders_customer'::regclass"""
    )
    assert named(monitor(watched, status=2)) == {
        ("as the run left it", "constraint positive on public.orders"),
        ("as the run left it", "index public.orders_customer"),
        ("invalid-index", "index public.orders_customer"),
    }


def test_a_reset_of_the_statistics_is_told(watched: Database, tmp_path: Path) -> None:
    age(watched, DAY)
    watched.run("SELECT pg_stat_reset()")
    watched.run("SELECT pg_stat_statements_reset()")
    watched.run(BY_ID * 120 + FLUSH)
    document = monitor(watched, "--state", tmp_path / "state.yml")
    reason = {p["subject"]: p["reason"] for p in document["promises"]}
    assert "too young: the statistics were reset" in reason["index public.orders_customer"]
    assert "pg_stat_statements was reset since the run" in reason["query of a customer"]


def test_without_pg_stat_statements_the_rest_is_told(database: Database, tmp_path: Path) -> None:
    for script in START.split(";\n"):
        database.run(script)
    apply(database, tmp_path, DECLARED)
    age(database, DAY)
    load(database)
    document = monitor(database, "--state", tmp_path / "state.yml")
    reason = {p["subject"]: p["reason"] for p in document["promises"]}
    assert "pg_stat_statements is not installed" in reason["query of a customer"]
    assert "pg_stat_statements is not installed" in " ".join(document["unseen"])
    assert verdicts(document)["index public.orders_customer", "used"] == "kept"


def test_a_role_that_may_only_read_the_journal_sees_what_it_can(
    watched: Database, tmp_path: Path
) -> None:
    age(watched, DAY)
    load(watched)
    watched.run(
        """DO $$BEGIN CREATE ROLE monitor_reader LOGIN;
           EXCEPTION WHEN duplicate_object THEN NULL; END$$"""
    )
    own = conninfo.make_conninfo(watched.url, user="monitor_reader")
    reader = Database(own, watched.tools)
    refused = reconcile("monitor", "-t", reader.url)
    assert refused.exit_code == 1
    grants = "GRANT USAGE ON SCHEMA reconcile TO monitor_reader; GRANT SELECT ON ALL TABLES IN"
    assert grants in refused.stderr
    watched.run(
        """GRANT USAGE ON SCHEMA reconcile TO monitor_reader;
           GRANT SELECT ON ALL TABLES IN SCHEMA reconcile TO monitor_reader"""
    )
    document = monitor(reader, "--state", tmp_path / "state.yml")
    found = verdicts(document)
    assert found.pop(("query of a customer", "saves 50 % of its time")) == "not measurable"
    assert set(found.values()) == {"kept"}
    assert "GRANT pg_read_all_stats" in " ".join(document["unseen"])
    watched.run("REVOKE SELECT ON reconcile.baseline FROM monitor_reader")
    document = monitor(reader, status=0)
    assert "permission denied for table baseline" in " ".join(document["unseen"])


def test_a_run_of_an_older_version_is_judged_by_its_objects(watched: Database) -> None:
    watched.run("DROP TABLE reconcile.baseline")
    watched.run(BY_ID * 120 + FLUSH)
    watched.run("ALTER POLICY own ON orders USING (true)")
    document = monitor(watched, status=2)
    assert named(document) == {("as the run left it", "policy own on public.orders")}
    reason = {p["subject"]: p["reason"] for p in document["promises"] if p["promise"] == "used"}
    assert "has kept no statistics" in reason["index public.orders_customer"]


def test_another_run_may_change_what_a_run_left(watched: Database, tmp_path: Path) -> None:
    apply(watched, tmp_path, DECLARED.replace("CURRENT_USER", "SESSION_USER"))
    assert named(monitor(watched, 1)) == set()
    refused = reconcile("monitor", 9, "-t", watched.url)
    assert refused.exit_code == 1
    assert "records no run 9" in refused.stderr


def test_a_database_without_a_run_is_an_error(database: Database) -> None:
    refused = reconcile("monitor", "-t", database.url)
    assert refused.exit_code == 1
    assert "records no run that changed something" in refused.stderr


def test_metrics_are_valid_whatever_the_names(database: Database, tmp_path: Path) -> None:
    quoted = '"a\nb""c\\d"'
    database.run(f"CREATE TABLE {quoted} (id int PRIMARY KEY); INSERT INTO {quoted} VALUES (1)")
    apply(database, tmp_path, json.dumps({"tables": {quoted: {"comment": "it"}}}))
    database.run(f"COMMENT ON TABLE {quoted} IS 'other'")
    done = reconcile("monitor", "-t", database.url, "--format", "prometheus")
    assert done.exit_code == 2, done.output
    families = {f.name: f for f in text_string_to_metric_families(done.stdout)}
    assert all(f.documentation and f.type == "gauge" for f in families.values())
    samples = {
        (s.name, *(v for k, v in s.labels.items() if k != "database")): s.value
        for f in families.values()
        for s in f.samples
    }
    assert samples["reconcile_monitor_promises", "not kept"] == 1
    subject = r'table public.a\nb"c\d'
    assert samples["reconcile_monitor_promise_broken", subject, "as the run left it"] == 1
    assert samples["reconcile_monitor_sequential_scans", subject] == 0
    shown = reconcile("monitor", "-t", database.url)
    assert r"  ! table public.a\nb" in shown.stdout
    assert "comment (left → now): it → other" in shown.stdout


def test_a_standby_compares_what_it_can(tmp_path: Path) -> None:
    purpose = f"watched-standby-{os.getpid()}"
    server = start_embedded(purpose)
    try:
        database = Database(server.database("app"), server.tools)
        for script in START.split(";\n"):
            database.run(script)
        apply(database, tmp_path, DECLARED)
        database.run("ALTER POLICY own ON orders USING (true)")
        server.stop()
        (server.folder / "data" / "standby.signal").touch()
        url = conninfo.make_conninfo(start_embedded(purpose).url, dbname="app")
        standby = Database(url, server.tools)
        document = monitor(standby, "--window", "day", status=2)
        assert named(document) == {("as the run left it", "policy own on public.orders")}
        reason = {p["subject"]: p["reason"] for p in document["promises"] if p["promise"] == "used"}
        assert reason["index public.orders_customer"] == (
            "this server is a standby, whose counters are its own"
        )
        standby.run(OF_CUSTOMER * 3 + FLUSH)
        assert verdicts(monitor(standby, status=2))["index public.orders_customer", "used"] == (
            "kept"
        )
    finally:
        server.stop(signal.SIGQUIT)
        shutil.rmtree(server.folder)


def test_every_version_is_watched(
    new_database: Callable[..., Database], each_major: int, tmp_path: Path
) -> None:
    database = new_database("", each_major)
    for script in START.split(";\n"):
        database.run(script)
    database.run(BY_ID * 10)
    apply(database, tmp_path, DECLARED)
    age(database, DAY)
    database.run(BY_ID * 120 + OF_TENANT * 60)
    with connect(database.url) as connection:  # the counters arrive a moment after the session
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and scans(connection) < 120:
            time.sleep(0.1)
    assert named(monitor(database, status=2)) == {("used", "index public.orders_customer")}


def scans(connection: Connection) -> int:
    query = "SELECT idx_scan AS n FROM pg_stat_user_indexes WHERE indexrelname = 'orders_pkey'"
    found: int = rows(connection, query)[0]["n"]
    return found


def test_a_session_that_waits_long_is_named(
    watched: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compare, "LONG_WAIT", 0.2)
    with psycopg.connect(watched.url) as holder, psycopg.connect(watched.url) as waiter:
        holder.execute("LOCK TABLE orders")  # which keeps even the catalog from being read
        waiter.execute("SET lock_timeout = '20s'")
        pid, blocker = waiter.info.backend_pid, holder.info.backend_pid
        waiting = threading.Thread(target=lock, args=(waiter,))
        waiting.start()
        try:
            time.sleep(0.5)
            document = monitor(watched, status=2)
        finally:
            holder.rollback()
            waiting.join()
    assert named(document) == {("locks", f"session {pid}")}
    message = document["findings"][0]["message"]
    assert f"for a lock on public.orders; in the way: {blocker}" in message
    (policy,) = [p for p in document["promises"] if p["subject"] == "policy own on public.orders"]
    assert policy["verdict"] == "not measurable"
    assert policy["reason"] == "the catalog cannot be read: canceling statement due to lock timeout"
    figures = {f["name"]: f["value"] for f in document["figures"] if not f["subject"]}
    assert figures["sessions_waiting"] == 1
    assert 0.2 < figures["longest_wait_seconds"] < 60


def lock(waiter: psycopg.Connection[Any]) -> None:
    with suppress(psycopg.Error):
        waiter.execute("LOCK TABLE orders IN ROW EXCLUSIVE MODE")


PARTITIONED = """
CREATE TABLE log (id int, kind int) PARTITION BY RANGE (id);
CREATE TABLE log_1 PARTITION OF log FOR VALUES FROM (0) TO (10000);
CREATE TABLE log_2 PARTITION OF log FOR VALUES FROM (10000) TO (20000);
INSERT INTO log SELECT n, n FROM generate_series(0, 19999) AS n;
ANALYZE log;
"""


def test_an_index_of_a_partitioned_table_is_used_in_any_partition(
    database: Database, tmp_path: Path
) -> None:
    database.run(PARTITIONED)
    apply(database, tmp_path, "tables: {log: {indexes: {log_kind: kind, log_both: [id, kind]}}}")
    age(database, DAY)
    of_one = "SELECT id FROM log_2 WHERE kind = 15000;\n"
    database.run(of_one * 120 + FLUSH)
    document = monitor(database, status=2)
    assert named(document) == {("used", "index public.log_both")}
    reason = {p["subject"]: p["reason"] for p in document["promises"] if p["promise"] == "used"}
    assert reason["index public.log_kind"] == "used 120 times"


def test_a_rollback_is_not_what_the_workload_promises(watched: Database, tmp_path: Path) -> None:
    load(watched)
    assert reconcile("rollback", "1", "-t", watched.url, "--allow", "all", "--yes").exit_code == 0
    age(watched, DAY)
    load(watched)
    for run, undone in ((1, "run 1 was rolled back by run 2"), (2, "run 2 is the rollback of")):
        options = ("-t", watched.url, "--state", tmp_path / "state.yml", "--format", "json")
        document = json.loads(reconcile("monitor", run, *options).stdout)
        assert undone in document["undone"]
        (query,) = (p for p in document["promises"] if p["subject"] == "query of a customer")
        assert query["verdict"] == "not measurable" and undone in query["reason"]


CHECKED = """
tables: {events: {comment: what has happened}}
checks:
""" + "".join(
    f"  number {n}: {{query: SELECT count(*) FROM events, equals: 200}}\n" for n in range(40)
)


def test_checks_are_not_counted_as_errors(watched: Database, tmp_path: Path) -> None:
    def rollbacks() -> int:
        query = "SELECT xact_rollback FROM pg_stat_database WHERE datname = current_database()"
        return int(str(watched.value(query)))

    (tmp_path / "checked.yml").write_text(CHECKED)
    before = rollbacks()
    done = reconcile("verify", "-t", watched.url, "--state", tmp_path / "checked.yml")
    assert "40/40 checks passed" in done.output
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and rollbacks() == before:
        time.sleep(0.5)
    assert rollbacks() - before < 5


def test_a_run_that_failed_midway_is_named(watched: Database, tmp_path: Path) -> None:
    watched.run("INSERT INTO events VALUES (1, 1)")
    (tmp_path / "more.yml").write_text("tables: {events: {indexes: {e: {on: id, unique: true}}}}")
    options = ("-t", watched.url, "--state", tmp_path / "more.yml", "--no-questions", "--yes")
    assert reconcile("apply", *options).exit_code == 1
    document = monitor(watched, 2, status=2)
    assert ("unfinished-run", "run 2") in named(document)
    assert ("index public.e", "dropped") not in verdicts(document)
