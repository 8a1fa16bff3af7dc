"""Stop runs by Ctrl-C, SIGTERM, SIGKILL or a terminated backend; the next run finishes them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

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
BUILDING = "SELECT count(*) FROM pg_stat_progress_create_index WHERE datname = current_database()"
HERE = "datname = current_database() AND pid <> pg_backend_pid()"
OURS = f"FROM pg_stat_activity WHERE application_name LIKE 'reconcile%' AND {HERE}"
DEBRIS = "SELECT count(*) FROM pg_index WHERE NOT indisvalid OR NOT indisready"


def started(
    database: Database, folder: Path, declared: str = DECLARED, *options: str
) -> subprocess.Popen[str]:
    (folder / "state.yml").write_text(declared)
    arguments = [
        sys.executable,
        "-c",
        "from reconciler.cli import main; main()",
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
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        preexec_fn=_accept_sigint,  # noqa: PLW1509 - nothing but a signal's disposition
    )


def _accept_sigint() -> None:
    """Accept SIGINT even if the tests run in the background, where it is ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_cancelled_build_is_cleaned_up(
    how: signal.Signals, new_database: Callable[..., Database], tmp_path: Path
) -> None:
    database = new_database(ROWS + SLOW)
    process = started(database, tmp_path)
    wait_until(lambda: database.value(BUILDING))
    process.send_signal(how)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "run again to continue" in err
    assert out == ""
    assert database.value(DEBRIS) == 0
    wait_until(lambda: not database.value(f"SELECT count(*) {OURS}"))
    _rerun(database, tmp_path)


def test_a_failed_cleanup_is_reported(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    database = new_database(ROWS + SLOW)
    with psycopg.connect(database.url) as holder:
        holder.execute("UPDATE t SET n = n WHERE id = 1")
        process = started(database, tmp_path)
        wait_until(lambda: database.value(DEBRIS))
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "could not be cleared away" in err
    assert "DROP INDEX CONCURRENTLY IF EXISTS public.t_slow" in err
    assert database.value(DEBRIS) == 1
    _rerun(database, tmp_path)


def test_a_killed_client_is_recovered(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    database = new_database(ROWS + SLOW)
    process = started(database, tmp_path)
    wait_until(lambda: database.value(BUILDING))
    process.kill()
    process.communicate()
    database.rows(f"SELECT pg_terminate_backend(pid) {OURS}")
    wait_until(lambda: not database.value(BUILDING))
    _rerun(database, tmp_path)


def test_a_terminated_backend_is_recovered(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    database = new_database(ROWS + SLOW)
    process = started(database, tmp_path)
    wait_until(lambda: database.value(BUILDING))
    database.rows(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_progress_create_index WHERE datname = "
        "current_database()"
    )
    _, err = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "run again to continue" in err
    _rerun(database, tmp_path)


def _rerun(database: Database, folder: Path) -> None:
    database.run(QUICK)
    second_run = started(database, folder)
    out, err = second_run.communicate(timeout=60)
    assert second_run.returncode == 0, err
    assert "failed=0" in out
    assert database.value(DEBRIS) == 0
    assert database.value("SELECT indisvalid FROM pg_index WHERE indexrelid = 't_slow'::regclass")
    assert (
        database.value(
            "SELECT count(*) FROM pg_class WHERE relname LIKE 'reconcile%' AND relkind = 'i'"
        )
        == 0
    )
    assert database.value("SELECT count(*) FROM t") == 2000
