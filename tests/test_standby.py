"""Test a server in recovery: it is read as any other, and never changed."""

from __future__ import annotations

import json
import os
import shutil
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path

from psycopg import conninfo

from reconciler.server.connection import connect
from reconciler.server.kept import start_embedded
from tests.conftest import Database
from tests.test_canonicalise import declare
from tests.test_conversations import reconcile


def test_a_role_that_may_only_connect_looks_at_a_standby_that_tells_when(tmp_path: Path) -> None:
    """With track_commit_timestamp, and on the primary before it becomes a standby."""
    purpose = f"tracking-{os.getpid()}"
    server = start_embedded(purpose)
    try:
        database = Database(server.database("app"), server.tools)
        database.run("ALTER SYSTEM SET track_commit_timestamp = on")
        database.run("CREATE ROLE reader LOGIN; CREATE TABLE t (n int, m int)")
        server.stop()
        database = Database(start_embedded(purpose).database("app"), server.tools)
        declared = "tables: {t: {columns: {n: {comment: x}}}}"
        state = declare(tmp_path, declared)
        options = ("--state", state, "--format", "json")
        assert reconcile("apply", "--target", database.url, *options[:2], "--yes").exit_code == 0
        # No run has recorded the second column: that it was written since tells that it drifted.
        database.run("COMMENT ON COLUMN t.n IS 'y'; ALTER TABLE t ALTER m SET DEFAULT 3")
        database.run("GRANT USAGE ON SCHEMA reconcile TO reader")
        database.run("GRANT SELECT ON ALL TABLES IN SCHEMA reconcile TO reader")
        server.stop()
        (server.folder / "data" / "standby.signal").touch()
        url = conninfo.make_conninfo(start_embedded(purpose).url, dbname="app", user="reader")
        declare(tmp_path, declared.replace("}}}}", "}, m: {default: null}}}}"))
        found = reconcile("drift", "--target", url, *options)
        assert found.exit_code == 2, found.output
        drifts = {o["identity"]: o for o in json.loads(found.stdout)["drift"]}
        assert drifts["public.t.n"]["class"] == "drifted"
        assert (drifts["public.t.m"]["class"], drifts["public.t.m"]["last_run"]) == (
            "drifted",
            None,
        )
        written = datetime.fromisoformat(drifts["public.t.m"]["last_written"]["committed_at"])
        assert timedelta() < datetime.now(UTC) - written < timedelta(minutes=10)
    finally:
        server.stop(signal.SIGQUIT)
        shutil.rmtree(server.folder)


def test_a_standby_is_read_and_named(tmp_path: Path) -> None:
    purpose = f"standby-{os.getpid()}"
    server = start_embedded(purpose)
    try:
        database = Database(server.database("app"), server.tools)
        long = "é" * 31 + "x"  # 63 bytes
        database.run(f'CREATE TABLE t (id int PRIMARY KEY, "{long}" int)')
        server.stop()
        (server.folder / "data" / "standby.signal").touch()
        url = conninfo.make_conninfo(start_embedded(purpose).url, dbname="app")
        with connect(url) as connection:
            found = connection.execute("SELECT pg_is_in_recovery() AS standby").fetchall()
        assert found[0]["standby"]
        state = declare(tmp_path, "tables: {t: {columns: {n: {type: int}}}}")
        options = ("--target", url, "--state", state)
        plan = reconcile("plan", *options)
        assert plan.exit_code == 2, plan.output
        assert "the target is a standby, which only reads: `apply` needs the primary" in plan.output
        scratch = ("--scratch", "host=/nowhere")  # to be refused before anything is proven
        apply = reconcile("apply", *options, "--yes", *scratch)
        assert apply.exit_code == 1
        assert "the target is a standby" in apply.stderr
        hosts = f"/nowhere,{conninfo.conninfo_to_dict(url)['host']}"
        several = conninfo.make_conninfo(url, host=hosts)
        done = reconcile("export", "--target", several, "--out", tmp_path / "out")
        assert done.exit_code == 0, done.output
        exported = "".join(f.read_text() for f in (tmp_path / "out").rglob("*.yml"))
        assert long in exported
    finally:
        server.stop(signal.SIGQUIT)
        shutil.rmtree(server.folder)
