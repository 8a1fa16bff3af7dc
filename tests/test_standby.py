"""Test a server in recovery: it is read as any other, and never changed."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

from psycopg import conninfo

from reconciler.server.connection import connect
from reconciler.server.kept import start_embedded
from tests.conftest import Database
from tests.test_canonicalise import declare
from tests.test_conversations import reconcile


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
