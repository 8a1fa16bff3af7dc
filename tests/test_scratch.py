"""The scratch server: whatever declared SQL does on it stays on it."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import conninfo

from reconciler.errors import ReconcileError, ScratchError, StatementFailed
from reconciler.introspect.introspect import introspect
from reconciler.server import disposable
from reconciler.server.capabilities import Server
from reconciler.server.connection import connect, rows, run_sql, server_of
from reconciler.server.disposable import Running, scratch_server
from reconciler.server.installation import embedded_installations
from reconciler.server.process import try_lock
from reconciler.server.scratch import scratches
from tests.conftest import Database
from tests.test_conversations import reconcile
from tests.test_locks import wait_until

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="confinement is for Linux")
HOSTILE = """
schema: public
functions:
  f():
    returns: integer
    language: plpgsql
    volatility: immutable
    body: BEGIN RETURN public.runs(); END
  runs():  # PostgreSQL lets no other function than a volatile one run commands
    returns: integer
    language: plpgsql
    body: |
      BEGIN
        {statement};
        RETURN 1;
      END
tables:
  t:
    columns:
      n: {{type: integer, default: public.f()}}
"""


@pytest.fixture(scope="module")
def running() -> Running:
    return scratch_server(embedded_installations()[0])


REFUSED = [
    "COPY (SELECT 1) TO PROGRAM 'id'",
    "COPY (SELECT 1) TO '/tmp/reconcile-was-here'",
    "SELECT pg_read_file('/etc/passwd')",
    "SELECT pg_ls_dir('/')",
    "SELECT lo_export(lo_from_bytea(0, 'x'), '/tmp/reconcile-was-here')",
    "SELECT pg_read_file('/proc/self/environ')",
]


@LINUX
@pytest.mark.parametrize("statement", REFUSED)
def test_a_superuser_reaches_nothing_outside(running: Running, statement: str) -> None:
    with connect(running.url) as connection, pytest.raises(StatementFailed):
        run_sql(connection, statement)
    assert not Path("/tmp/reconcile-was-here").exists()  # noqa: S108


@LINUX
def test_the_network_is_out_of_reach(running: Running) -> None:
    """The listener stands for any service of this machine."""
    import socket  # noqa: PLC0415

    with socket.create_server(("127.0.0.1", 0)) as listener, connect(running.url) as connection:
        run_sql(connection, "CREATE EXTENSION IF NOT EXISTS dblink SCHEMA public")
        port = listener.getsockname()[1]
        there = f"host=127.0.0.1 port={port} user=x"
        with pytest.raises(StatementFailed):
            rows(connection, "SELECT public.dblink_connect(%s)", [there])
        listener.settimeout(0.1)
        with pytest.raises(TimeoutError):
            listener.accept()


@LINUX
def test_the_process_is_confined(running: Running) -> None:
    status = Path(f"/proc/{running.process.pid}/status").read_text()
    assert "NoNewPrivs:\t1" in status
    assert "Seccomp:\t2" in status
    if os.geteuid() == 0:
        assert Path(f"/proc/{running.process.pid}/environ").read_bytes() == b"LC_ALL=C\0"
        assert "\nUid:\t0" not in status


def test_nobody_else_can_connect(running: Running) -> None:
    place = conninfo.conninfo_to_dict(running.url)
    folder = Path(str(place["host"]))
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    with connect(running.url) as connection:
        assert rows(connection, "SHOW listen_addresses")[0]["listen_addresses"] == ""
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(host=str(folder), user=str(place["user"]), dbname="postgres", password="x")


@LINUX
def test_a_planner_that_is_killed_leaves_nothing_running(tmp_path: Path) -> None:
    words = (
        "import time; from reconciler.server.disposable import scratch_server;"
        "from reconciler.server.installation import embedded_installations as found;"
        "server = scratch_server(found()[0]);"
        "print(server.process.pid, server.folder, flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", words], stdout=subprocess.PIPE, text=True
    ) as planner:
        assert planner.stdout is not None
        pid, folder = planner.stdout.readline().split()
        planner.send_signal(signal.SIGKILL)
    wait_until(lambda: not Path(f"/proc/{pid}").exists(), 60)
    # the next run, of this test or of another, clears away what the planner left
    subprocess.run([sys.executable, "-c", words.replace("time.sleep(60)", "0")], check=True)
    assert not Path(folder).exists()


def test_a_home_with_a_long_path_has_a_private_socket() -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)
        assert _mode_of_sockets(Path(folder) / ("x" * 60) / ("y" * 60)) == "0o700"


def _mode_of_sockets(home: Path) -> str:
    """Start a scratch server below `home` in another process."""
    words = (
        "import os, pathlib; from psycopg.conninfo import conninfo_to_dict as parts;"
        "from reconciler.server.disposable import scratch_server;"
        "from reconciler.server.installation import embedded_installations as found;"
        "folder = pathlib.Path(parts(scratch_server(found()[0]).url)['host']);"
        "print(oct(folder.stat().st_mode & 0o777))"
    )
    done = subprocess.run(
        [sys.executable, "-c", words],
        env={**os.environ, "RECONCILE_HOME": str(home)},
        text=True,
        capture_output=True,
        check=True,
    )
    return done.stdout.strip()


@LINUX
def test_a_plan_runs_no_program(new_database: Callable[..., Database], tmp_path: Path) -> None:
    state = tmp_path / "state.yml"
    database = new_database("CREATE TABLE public.t (id integer)")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)  # whoever the server runs as could write there
        witness = Path(folder) / "witness"
        state.write_text(HOSTILE.format(statement=f"COPY (SELECT 1) TO PROGRAM 'env > {witness}'"))
        shown = reconcile("plan", "--target", database.url, "--state", str(state))
        assert not witness.exists()
    assert "permission denied to COPY to or from an external program" in shown.output


FORGED = """
DO $$
DECLARE own text;
BEGIN
    FOR own IN SELECT name FROM pg_prepared_statements LOOP
        EXECUTE format('DEALLOCATE %1$I; PREPARE %1$I AS SELECT 1 LIMIT 0', own);
    END LOOP;
END $$"""


@pytest.mark.parametrize(
    "script",
    ["DEALLOCATE ALL", "DISCARD ALL", "PREPARE other AS SELECT 1", FORGED],
    ids=["deallocated", "discarded", "another", "forged"],
)
def test_prepared_queries_are_not_forged(script: str) -> None:
    server = Server(180000)
    scratch = next(scratches("embedded", "", server, frozenset()))
    with scratch.database() as connection:
        run_sql(connection, "CREATE SCHEMA s")
        before = introspect(connection, server)
        assert len(connection.prepared) > 5
        run_sql(connection, "CREATE TABLE s.t (a int)")
        connection.execute(script.encode())
        after = introspect(connection, server)
        assert {"table s.t", "column s.t.a"} == {*map(str, after.state)} - {*map(str, before.state)}


# -- which server


def offered(choice: str, url: str, *extensions: str) -> Iterator[object]:
    with connect(url) as connection:
        server = server_of(connection)
    return scratches(choice, url, server, frozenset(extensions))


def test_scratch_never_moves_to_the_target_by_itself(
    new_database: Callable[..., Database],
) -> None:
    database = new_database()
    with pytest.raises(ScratchError, match="lacks the files of nothing_has_this") as refused:
        next(offered("auto", database.url, "nothing_has_this"))
    assert "--scratch target" in str(refused.value)


def test_a_superuser_is_no_scratch_user_on_the_target(
    new_database: Callable[..., Database],
) -> None:
    with pytest.raises(ScratchError, match="an ordinary role"):
        next(offered("target", new_database().url))


def test_the_target_serves_a_role_that_may_create_databases(
    new_database: Callable[..., Database],
) -> None:
    role = f"scratch_{os.getpid()}"
    database = new_database(f"CREATE ROLE {role} LOGIN")
    url = conninfo.make_conninfo(database.url, user=role)
    try:
        with pytest.raises(ScratchError, match=f"ALTER ROLE {role} CREATEDB"):
            next(offered("target", url))
        database.run(f"ALTER ROLE {role} CREATEDB")
        assert next(offered("target", url)) is not None
    finally:
        database.run(f"DROP ROLE {role}")


def test_another_word_is_refused(new_database: Callable[..., Database]) -> None:
    with pytest.raises(ReconcileError, match="embedded, installed, target or the URL"):
        next(offered("nowhere", new_database().url))


FAILED_BATCH = """
import sys
from reconciler.errors import StatementFailed
from reconciler.server.connection import connect
from reconciler.server.together import run_at_once
with connect(sys.argv[1]) as connection:
    try:
        run_at_once(connection, ["SELECT 1", "SELECT 1/0", *["SELECT pg_sleep(0.001)"] * 3000])
    except StatementFailed as error:
        print(error)
"""


def test_a_failed_batch_says_nothing_but_its_error(running: Running) -> None:
    """The driver would log that the rest of the batch was not sent; pytest has a log of its own."""
    done = subprocess.run(
        [sys.executable, "-c", FAILED_BATCH, running.url],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("division by zero\n", "")


def test_processes_that_start_together_leave_each_other_the_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    guarded: list[bool] = []

    def guarding(original: Callable[[Path], object]) -> Callable[[Path], object]:
        def call(path: Path) -> object:
            guarded.append(try_lock(tmp_path / "lock") is None)  # as another process would
            return original(path)

        return call

    for name in ("_remove_abandoned", "hold"):
        monkeypatch.setattr(disposable, name, guarding(getattr(disposable, name)))
    folder, lock = disposable._new_folder(tmp_path)  # pyright: ignore[reportPrivateUsage]
    assert guarded == [True, True]
    assert try_lock(folder / "lock") is None
    lock.close()


def test_a_folder_that_goes_meanwhile_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(path: Path) -> None:
        raise FileNotFoundError(path)

    (tmp_path / "run-1").mkdir()
    monkeypatch.setattr(disposable, "try_lock", gone)
    folder, lock = disposable._new_folder(tmp_path)  # pyright: ignore[reportPrivateUsage]
    lock.close()
    assert folder.exists()
