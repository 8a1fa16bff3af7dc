"""Stop runs by signals, a closed terminal or a terminated backend; the next run finishes them."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import termios
from collections.abc import Callable
from functools import partial
from pathlib import Path

import psycopg
import pytest

from reconciler import pipeline
from reconciler.apply.session import sole_applier
from reconciler.errors import Busy
from reconciler.journal.ownership import Place
from tests.conftest import Database
from tests.test_locks import wait_until

ROWS = (
    "CREATE TABLE public.t (id int PRIMARY KEY, n int); "
    "INSERT INTO public.t SELECT g, g % 10 FROM generate_series(1, 2000) AS g;"
)
SLOW = """CREATE OR REPLACE FUNCTION public.slow(n int) RETURNS int LANGUAGE plpgsql IMMUTABLE
    AS 'BEGIN IF n % 100 = 0 THEN PERFORM pg_sleep(0.5); END IF; RETURN n;
    END';"""  # ten seconds, longer than a test observes
QUICK = SLOW.replace("pg_sleep(0.5)", "pg_sleep(0)")
DECLARED = """
tables:
  t:
    comment: first
    indexes: {t_slow: {on: ["public.slow(id)"]}}
"""
# Of the table, not of the journal's, whose primary keys are indexes too.
BUILDS = "FROM pg_stat_progress_create_index WHERE relid = 'public.t'::regclass"
BUILDING = f"SELECT count(*) {BUILDS}"
HERE = "datname = current_database() AND pid <> pg_backend_pid()"
OURS = f"FROM pg_stat_activity WHERE application_name LIKE 'reconcile%' AND {HERE}"
STATUS = "SELECT status FROM reconcile.run ORDER BY id"
LEFTOVERS = "SELECT count(*) FROM pg_index WHERE NOT indisvalid OR NOT indisready"


def started(
    database: Database,
    folder: Path,
    declared: str = DECLARED,
    *options: str,
    terminal: int | None = None,
) -> subprocess.Popen[str]:
    (folder / "state.yml").write_text(declared)
    arguments = [
        sys.executable,
        "-c",
        "from reconciler.cli import run; run()",
        "apply",
        "--target",
        database.url,
        "--state",
        str(folder),
        "--yes",
        *options,
    ]
    return subprocess.Popen(
        arguments,
        stdin=terminal,
        stdout=subprocess.PIPE if terminal is None else terminal,
        stderr=subprocess.PIPE if terminal is None else terminal,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        start_new_session=terminal is not None,
        preexec_fn=partial(_accept_signals, terminal),  # noqa: PLW1509 - dispositions, a terminal
    )


def _accept_signals(terminal: int | None) -> None:
    """Accept signals even if they are ignored by tests in the background; control a terminal."""
    for each in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(each, signal.SIG_DFL)
    if terminal is not None:
        fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)


def test_a_cancelled_build_is_cleaned_up(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    database = new_database(ROWS + SLOW)
    for how in (signal.SIGTERM, signal.SIGQUIT, signal.SIGINT):
        process = started(database, tmp_path)
        wait_until(lambda: database.value(BUILDING))
        process.send_signal(how)
        out, err = process.communicate(timeout=60)
        assert process.returncode == 1
        assert "run again to continue" in err
        assert out == ""
        assert database.value(LEFTOVERS) == 0
        wait_until(lambda: not database.value(f"SELECT count(*) {OURS}"))
    assert database.rows(STATUS) == [("interrupted",)] * 3
    _rerun(database, tmp_path)


def test_a_command_ends_although_the_server_does_not_answer(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    """The backend waits for a lock, and is stopped: it reads no request to cancel."""
    database = new_database(ROWS + "CREATE POLICY p ON public.t USING (true)")
    (tmp_path / "state.yml").write_text(DECLARED)
    ours = f"SELECT max(pid) {OURS} AND wait_event_type = 'Lock'"
    with psycopg.connect(database.url) as other:
        other.execute("LOCK TABLE pg_catalog.pg_policy IN ACCESS EXCLUSIVE MODE")
        arguments = ["--target", database.url, "--state", str(tmp_path), "--no-cache"]
        process = subprocess.Popen(
            [sys.executable, "-c", "from reconciler.cli import run; run()", "drift", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=partial(_accept_signals, None),  # noqa: PLW1509 - dispositions
        )
        wait_until(lambda: database.value(ours))
        backend = int(str(database.value(ours)))
        os.kill(backend, signal.SIGSTOP)
        try:
            process.send_signal(signal.SIGTERM)
            _, err = process.communicate(timeout=30)
        finally:
            process.kill()
            os.kill(backend, signal.SIGCONT)
    assert process.returncode == 1
    assert "stopped; " in err
    wait_until(lambda: database.value(f"SELECT count(*) {OURS}") == 0)


def test_gaps_in_the_record_of_a_stopped_run_are_reported(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    database = new_database(ROWS + SLOW)
    process = started(database, tmp_path)
    wait_until(lambda: database.value(BUILDING))
    database.run("ALTER TABLE reconcile.run RENAME TO lost")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert err.splitlines()[-1].startswith("note: run 1 is recorded with gaps: ")


def test_a_closed_terminal_stops_a_run_cleanly(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    database = new_database(ROWS + SLOW)
    ours, theirs = os.openpty()
    process = started(database, tmp_path, terminal=theirs)
    os.close(theirs)
    wait_until(lambda: database.value(BUILDING))
    os.close(ours)
    assert process.wait(60) == 1
    assert database.value(LEFTOVERS) == 0
    assert database.rows(STATUS) == [("interrupted",)]
    wait_until(lambda: not database.value(f"SELECT count(*) {OURS}"))


def test_a_failed_cleanup_is_reported(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    database = new_database(ROWS + SLOW)
    with psycopg.connect(database.url) as holder:
        holder.execute("UPDATE t SET n = n WHERE id = 1")
        process = started(database, tmp_path)
        wait_until(lambda: database.value(LEFTOVERS))
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "could not be cleared away" in err
    assert "DROP INDEX CONCURRENTLY IF EXISTS public.t_slow" in err
    assert database.value(LEFTOVERS) == 1
    _rerun(database, tmp_path)


def test_a_killed_client_is_recovered(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    database = new_database(ROWS + SLOW)
    process = started(database, tmp_path)
    wait_until(lambda: database.value(BUILDING))
    history = partial(pipeline.read_history, database.url, Place(), 9)
    assert [r.status for r in history()] == ["running"]
    with pytest.raises(Busy, match=r"active for \d+ s: CREATE INDEX CONCURRENTLY t_slow") as busy:
        sole_applier(database.url).__enter__()
    assert "SELECT pg_terminate_backend(" in str(busy.value)
    process.kill()
    process.communicate()
    database.rows(f"SELECT pg_terminate_backend(pid) {OURS}")
    wait_until(lambda: not database.value(f"SELECT count(*) {OURS}"))
    assert [r.status for r in history()] == ["interrupted"]
    _rerun(database, tmp_path)


def test_a_terminated_backend_is_recovered(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    database = new_database(ROWS + SLOW)
    process = started(database, tmp_path)
    wait_until(lambda: database.value(BUILDING))
    database.rows(f"SELECT pg_terminate_backend(pid) {BUILDS}")
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "run again to continue" in err
    _rerun(database, tmp_path)


def _rerun(database: Database, folder: Path) -> None:
    database.run(QUICK)
    second_run = started(database, folder)
    out, err = second_run.communicate(timeout=60)
    assert second_run.returncode == 0, err
    assert "failed=0" in out
    assert database.value(LEFTOVERS) == 0
    assert database.value("SELECT indisvalid FROM pg_index WHERE indexrelid = 't_slow'::regclass")
    assert (
        database.value(
            "SELECT count(*) FROM pg_class WHERE relname LIKE 'reconcile%' AND relkind = 'i'"
        )
        == 0
    )
    assert database.value("SELECT count(*) FROM t") == 2000
