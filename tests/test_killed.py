"""Kill runs at random moments: the next run converges, loses no rows and leaves nothing behind.

RECONCILE_TEST_KILLS sets how often each way of dying is tried; the moment is another one each time.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import shutil
import signal
import time
from collections.abc import Callable, Generator
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import pytest

from reconciler import pipeline
from reconciler.declare.load import load
from reconciler.errors import ReconcileError
from reconciler.model.state import Scope
from reconciler.pipeline import Job
from reconciler.report.progress import Lines
from reconciler.server.kept import Kept, start_embedded
from reconciler.server.locks import LockPolicy
from tests.conftest import Database
from tests.online import CHANGES, prepare
from tests.test_locks import wait_until
from tests.yaml_text import as_yaml

KILLS = int(os.environ.get("RECONCILE_TEST_KILLS", "1"))
ROWS = 20_000
LEFTOVERS = """
    SELECT c.relname::text FROM pg_class AS c LEFT JOIN pg_index AS i ON i.indexrelid = c.oid
    WHERE c.relnamespace = 'shop'::regnamespace AND (c.relname LIKE 'reconcile%' OR c.relname ~
        '_cc(new|old)' OR NOT i.indisvalid)
    UNION ALL SELECT conname::text FROM pg_constraint
    WHERE conrelid = 'shop.event'::regclass AND (NOT convalidated OR conname LIKE 'reconcile%')
    UNION ALL SELECT attname::text FROM pg_attribute WHERE attrelid = 'shop.event'::regclass AND
        attname LIKE 'reconcile%'
    UNION ALL SELECT tgname::text FROM pg_trigger WHERE tgrelid = 'shop.event'::regclass AND tgname
        LIKE '%reconcile%'
    UNION ALL SELECT proname::text FROM pg_proc WHERE pronamespace = 'shop'::regnamespace"""
ROWS_AS_THEY_WERE = (
    "SELECT count(*), sum(id), sum(account_id), sum(external_id), sum(counter), "
    "min(kind), max(kind) FROM shop.event"
)
APPLIER = (
    "FROM pg_stat_activity WHERE application_name = 'reconcile' AND datname = "
    "current_database() AND pid <> pg_backend_pid()"
)


def all_changes() -> dict[str, Any]:
    """Return all changes of `tests.online` as one declaration."""
    found: dict[str, Any] = {"schema": "shop", "tables": {"event": {}}}
    for change in CHANGES:
        for part, entries in change.declared.get("tables", {}).get("event", {}).items():
            found["tables"]["event"].setdefault(part, {}).update(entries)
        found |= {"views": change.declared["views"]} if "views" in change.declared else {}
    return found


def job_of(url: str, file: str) -> Job:
    return Job(url, load(Path(file)), Scope(frozenset({"shop"})))


def apply(url: str, file: str, begun: Event | None = None) -> None:
    job = job_of(url, file)
    plan = pipeline.plan_changes(job)
    if begun is not None:
        begun.set()
    outcome = pipeline.apply_plan(plan, job, url, Lines(lambda _: None), LockPolicy(), ["all"])
    assert (outcome.failed, outcome.skipped, outcome.left) == (0, 0, ()), outcome


def apply_and_exit(url: str, file: str, begun: Event) -> None:
    """Apply; exit the process at the first error."""
    try:
        apply(url, file, begun)
    except ReconcileError:
        os._exit(1)


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "state.yml"
    path.write_text(as_yaml(all_changes()))
    return str(path)


@pytest.fixture
def server() -> Generator[Kept]:
    """Start a server that the test may crash."""
    server = start_embedded(f"crash-{os.getpid()}")
    yield server
    server.stop()
    shutil.rmtree(server.folder)


def kill_during_apply(url: str, file: str, moment: float, kill: Callable[[int], None]) -> None:
    """Apply in another process and call `kill` with its id after some seconds."""
    context = multiprocessing.get_context("spawn")
    begun = context.Event()
    process = context.Process(target=apply_and_exit, args=(url, file, begun), daemon=True)
    process.start()
    assert begun.wait(60)
    time.sleep(moment)
    assert process.pid is not None
    kill(process.pid)
    process.join(60)
    assert process.exitcode is not None


def assert_resumed(url: str, file: str, rows: list[tuple[object, ...]]) -> None:
    database = Database(url, Path())
    wait_until(lambda: not database.value(f"SELECT count(*) {APPLIER}"), 60)
    apply(url, file)
    assert pipeline.plan_changes(job_of(url, file)).in_sync
    assert database.rows(LEFTOVERS) == []
    assert database.rows(ROWS_AS_THEY_WERE) == rows
    assert (
        database.value("SELECT count(*) FROM shop.event WHERE region IS NULL OR token IS NULL") == 0
    )


def kill_at_random_times(url: str, file: str, kill: Callable[[int], None]) -> None:
    prepare(url, ROWS)
    rows = Database(url, Path()).rows(ROWS_AS_THEY_WERE)
    began = time.monotonic()
    apply(url, file)
    took = time.monotonic() - began
    for _ in range(KILLS):
        prepare(url, ROWS)
        kill_during_apply(url, file, random.uniform(0, took), kill)  # noqa: S311 - not a secret
        assert_resumed(url, file, rows)


def test_a_killed_client(new_database: Callable[..., Database], file: str) -> None:
    kill_at_random_times(new_database().url, file, lambda pid: os.kill(pid, signal.SIGKILL))


def test_a_terminated_backend(new_database: Callable[..., Database], file: str) -> None:
    database = new_database()

    def terminate(pid: int) -> None:
        del pid
        database.rows(f"SELECT pg_terminate_backend(pid) {APPLIER}")

    kill_at_random_times(database.url, file, terminate)


def test_a_crashed_server(server: Kept, file: str) -> None:
    def crash(pid: int) -> None:
        """Shut the server down at once, and start it again."""
        del pid
        server.stop(signal.SIGQUIT)
        start_embedded(f"crash-{os.getpid()}")

    url = server.database("crashed")
    kill_at_random_times(url, file, crash)
