"""After every command a session behind a pooler has the settings and locks that it had before."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest
from psycopg import conninfo

from reconciler.checks.access import url_for_checks
from reconciler.errors import ReconcileError, StatementFailed
from reconciler.server.connection import connect, connect_to_read, rows
from tests.bouncer import Mode, bouncer
from tests.conftest import Database
from tests.test_conversations import reconcile
from tests.test_locks import wait_until
from tests.test_stopped import BUILDING, OURS, ROWS, SLOW, started

DECLARED = """
schema: public
tables: {t: {columns: {m: integer}, indexes: {t_m: {on: m}}}}
checks: {rows: {query: SELECT count(*) FROM public.t, equals: 2000}}
"""
NOT_UNIQUE = "schema: public\ntables: {t: {indexes: {t_n: {on: n, unique: true}}}}\n"

# An application that shares the session has set something, holds a lock and has a temporary table.
OTHERS = """
SET search_path = public; SET work_mem = '3MB'; SET statement_timeout = '77s';
SELECT pg_advisory_lock(4, 2); CREATE TEMPORARY TABLE kept (id integer)
"""
# Every transaction begins with its own transaction_read_only.
STATE = """
SELECT pg_backend_pid(),
       (SELECT jsonb_object_agg(name, setting) FROM pg_settings
        WHERE source = 'session' AND name <> 'transaction_read_only'),
       current_setting('role'), current_setting('search_path'), current_setting('lock_timeout'),
       (SELECT jsonb_agg(format('%s %s %s', classid, objid, mode) ORDER BY classid, objid)
        FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()),
       (SELECT jsonb_agg(relname) FROM pg_class WHERE relnamespace = pg_my_temp_schema()),
       (SELECT count(*) FROM pg_prepared_statements)
"""


def states(*urls: str, size: int = 1) -> list[list[tuple[object, ...]]]:
    """Return what applications find in all sessions of each pool."""
    return [[*_states(url, size)] for url in urls]


def _states(url: str, size: int) -> Iterator[tuple[object, ...]]:
    with ExitStack() as stack:
        pool = [
            stack.enter_context(psycopg.connect(url, application_name="app")) for _ in range(size)
        ]
        yield from sorted(c.execute(STATE.encode()).fetchall()[0] for c in pool)


REFUSED = "a pooler stands between"
# Each command with its exit status and a part of its output, in session and in transaction mode.
COMMANDS: tuple[tuple[str, tuple[int, str], tuple[int, str]], ...] = (
    ("plan --state good.yml", (2, "t_m"), (2, "t_m")),
    ("verify --state good.yml --verify-target {checks}", (2, "1/1 check"), (2, "1/1 check")),
    ("export --out out", (0, ""), (0, "")),
    ("apply --state good.yml --check --set lock_timeout=3s", (2, "t_m"), (2, "t_m")),
    ("apply --state good.yml --yes --journal public", (1, "hold the journal"), (1, REFUSED)),
    ("apply --state bad.yml --yes", (1, "is duplicated"), (1, REFUSED)),
    ("apply --state good.yml --yes --set role=postgres", (0, "changed=2"), (1, REFUSED)),
    ("rollback --yes --allow all", (0, "changed=2"), (1, "")),
    ("history", (0, "done"), (0, "")),
    ("drift --state good.yml", (2, "t_m"), (2, "t_m")),
)


@pytest.mark.parametrize("mode", ["session", "transaction"])
def test_every_command_leaves_a_shared_session_as_it_was(
    mode: Mode,
    new_database: Callable[..., Database],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    database = new_database(ROWS + SLOW)
    checker = str(conninfo.conninfo_to_dict(url_for_checks(database.url, None, []))["user"])
    Path("good.yml").write_text(DECLARED)
    Path("bad.yml").write_text(NOT_UNIQUE)
    size = 3 if mode == "session" else 1  # the applier, the monitor, another
    with bouncer(database.url, mode, tmp_path, size=size, checker=checker) as url:
        checks = conninfo.make_conninfo(url, dbname="checks")
        with psycopg.connect(url, autocommit=True) as application:
            application.execute(OTHERS.encode())
        before = states(url, checks, size=size)
        for command, of_session, of_transaction in COMMANDS:
            status, part = of_session if mode == "session" else of_transaction
            words = [checks if word == "{checks}" else word for word in command.split()]
            done = reconcile(*words, "--target", url)
            assert (done.exit_code, part in done.output) == (status, True), (command, done.output)
            assert (command, states(url, checks, size=size)) == (command, before)
        if mode == "session":
            Path("slow").mkdir()
            process = started(Database(url, database.tools), tmp_path / "slow")
            wait_until(lambda: database.value(BUILDING))
            process.send_signal(signal.SIGINT)
            assert "run again to continue" in process.communicate(timeout=60)[1]
            assert states(url, checks, size=size) == before


@pytest.mark.parametrize(
    ("mode", "size", "round_robin", "refused"),
    [
        ("session", 1, False, ""),
        ("session", 3, True, ""),
        ("transaction", 1, False, REFUSED),
        ("transaction", 2, True, REFUSED),
        ("transaction", 5, False, REFUSED),
        ("statement", 1, False, "transaction blocks not allowed in statement pooling mode"),
    ],
)
def test_a_pooler_is_found_before_anything_is_set(
    mode: Mode, size: int, round_robin: bool, refused: str, database: Database, tmp_path: Path
) -> None:
    with bouncer(database.url, mode, tmp_path, size=size, round_robin=round_robin) as url:
        with ExitStack() as stack:  # fill the pool
            for _ in range(size):
                stack.enter_context(psycopg.connect(url, autocommit=True)).execute("SELECT 1")
        before = states(url, size=size) if mode != "statement" else []
        message = ""
        try:
            connect(url).close()
        except ReconcileError as error:
            message = str(error)
        assert refused in message and bool(refused) == bool(message)
        if before and (mode, size) != ("session", 1):  # then the pooler has replaced the session
            assert states(url, size=size) == before


def test_a_lost_connection_has_the_last_words_of_the_server(
    database: Database, tmp_path: Path
) -> None:
    def end(url: str) -> None:
        for opened in (connect_to_read, connect):
            with opened(url) as connection:
                rows(connection, "SELECT 1")
                database.run(f"SELECT pg_terminate_backend(pid, 5000) {OURS}")
                time.sleep(0.1)
                for _ in range(2):  # in the first the driver reads them, in the second never again
                    with pytest.raises(StatementFailed, match="due to administrator command"):
                        rows(connection, "SELECT 1")

    end(database.url)
    with bouncer(database.url, "session", tmp_path) as url:
        end(url)
