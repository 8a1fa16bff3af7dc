"""Read a target while the declaration is read, with the same results and errors."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from reconciler.cli import main
from reconciler.errors import ConnectionFailed, StatementFailed
from reconciler.introspect.introspect import introspect
from reconciler.recall.ahead import Ahead
from reconciler.server import reading_ahead
from reconciler.server.connection import Connection, connect, rows, run_sql
from reconciler.server.reading_ahead import Answers
from tests.conftest import Database
from tests.test_locks import wait_until

NOWHERE = "host=/nowhere dbname=postgres"


@pytest.fixture
def database(new_database: Callable[..., Database]) -> Database:
    return new_database("CREATE TABLE public.t (n int NOT NULL); CREATE INDEX i ON public.t (n)")


def test_what_is_read_ahead_is_what_is_read(database: Database) -> None:
    with closing(Ahead(None)) as ahead, connect(database.url) as other:
        ahead.begin(database.url, {})
        run_sql(other, "CREATE VIEW public.later AS SELECT 1 AS n")
        connection, _, found = ahead.read(database.url, {}, "")
        with connection:
            again = introspect(connection).state
    assert {str(r) for r in again} - {str(r) for r in found.state} == {"view public.later"}, (
        "one snapshot, from when the reading began"
    )


def test_a_session_that_ends_meanwhile_is_replaced(database: Database) -> None:
    session = {"idle_in_transaction_session_timeout": "50ms"}
    with closing(Ahead(None)) as ahead:
        ahead.begin(database.url, session)
        time.sleep(1.0)
        connection, _, found = ahead.read(database.url, session, "")
        with connection:
            assert "table public.t" in {str(r) for r in found.state}


def test_a_refusal_is_no_lost_session(database: Database) -> None:
    asked: list[str] = []
    with closing(Ahead(None)) as ahead:
        ahead.begin(database.url, {})
        beginning = ahead._beginning  # pyright: ignore[reportPrivateUsage]
        assert beginning is not None
        begun = beginning.result()

        def refuse(role: str) -> None:
            asked.append(role)
            raise StatementFailed("permission denied", sqlstate="42501")

        object.__setattr__(begun.reading, "snapshot", refuse)
        with pytest.raises(StatementFailed, match="permission denied"):
            ahead.read(database.url, {}, "somebody")
    assert asked == ["somebody"]


def test_a_server_that_does_not_answer_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def refuse(target: str, *_: object) -> None:
        asked.append(target)
        raise ConnectionFailed("nobody there")

    monkeypatch.setattr("reconciler.recall.ahead.connect_to_read", refuse)
    with closing(Ahead(None)) as ahead:
        ahead.begin(NOWHERE, {})
        with pytest.raises(ConnectionFailed, match="nobody there"):
            ahead.read(NOWHERE, {}, "")
    assert asked == [NOWHERE]


@pytest.mark.parametrize("command", ["plan", "drift"])
def test_faults_of_files_come_before_those_of_the_server(command: str, tmp_path: Path) -> None:
    (tmp_path / "t.yml").write_text("tables: {t: {colums: {}}}\n")
    arguments = [command, "--target", NOWHERE, "--state", str(tmp_path), "--schema", "public"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 1
    assert "colums" in result.stderr
    assert "cannot connect" not in result.stderr


@pytest.mark.parametrize("command", ["plan", "drift"])
def test_faults_of_files_do_not_wait_for_a_silent_server(command: str, tmp_path: Path) -> None:
    (tmp_path / "t.yml").write_text("tables: {t: {colums: {}}}\n")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        target = f"postgresql://postgres@127.0.0.1:{silent.getsockname()[1]}/d?connect_timeout=60"
        arguments = [command, "--target", target, "--state", str(tmp_path), "--schema", "public"]
        began = time.monotonic()
        result = CliRunner().invoke(main, arguments)
        assert time.monotonic() - began < 30
    assert result.exit_code == 1
    assert "colums" in result.stderr


@pytest.mark.parametrize("command", ["plan", "drift"])
def test_no_connection_is_left_open(command: str, database: Database, tmp_path: Path) -> None:
    (tmp_path / "t.yml").write_text("tables: {t: {colums: {}}}\n")
    arguments = [command, "--target", database.url, "--state", str(tmp_path), "--schema", "public"]
    assert CliRunner().invoke(main, arguments).exit_code == 1
    others = (
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    wait_until(lambda: database.value(others) == 0)


def test_a_server_that_falls_silent_does_not_keep_us(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading_ahead, "MAX_WAIT", 0.3)
    with connect(database.url) as connection, connection.transaction():
        began = time.monotonic()
        with Answers(connection, ["SELECT 1 AS n", "SELECT pg_sleep(60)", "SELECT 2"]) as answers:
            assert answers.tuples() == [(1,)]
        assert time.monotonic() - began < 10
        assert connection.closed


def test_answers_that_nobody_reads_are_dropped(database: Database) -> None:
    with connect(database.url) as connection, connection.transaction():
        with Answers(connection, ["SELECT 1 AS n", "SELECT generate_series(1, 300000)"]) as answers:
            assert answers.rows() == [{"n": 1}]
        assert rows(connection, "SELECT 3 AS n") == [{"n": 3}]


def read_both(connection: Connection, queries: Sequence[str]) -> None:
    with connection.transaction(), Answers(connection, queries) as answers:
        assert answers.tuples() == [(1,)]
        answers.tuples()


def test_a_query_that_fails_is_named_and_the_connection_stays(database: Database) -> None:
    with connect(database.url) as connection:
        with pytest.raises(StatementFailed, match="division by zero"):
            read_both(connection, ["SELECT 1 AS n", "SELECT 1 / 0", "SELECT 2"])
        assert rows(connection, "SELECT 3 AS n") == [{"n": 3}]
