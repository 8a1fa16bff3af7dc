"""Commands sent together run in order, none after one that fails, and leave a usable session."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Generator

import psycopg
import pytest

from reconciler.errors import StatementFailed
from reconciler.server.connection import Connection, connect, rows
from reconciler.server.together import TransactionEnded, run_at_once
from tests.conftest import Database

TABLES = "SELECT relname::text AS name FROM pg_class WHERE relnamespace = 'public'::regnamespace"


@pytest.fixture
def connection(new_database: Callable[..., Database]) -> Generator[Connection]:
    with connect(new_database().url) as opened:
        yield opened


def names(connection: Connection) -> list[str]:
    return [row["name"] for row in rows(connection, TABLES)]


@pytest.mark.parametrize(("count", "size"), [(5000, 10), (300, 200_000)])
def test_more_than_any_buffer_holds(connection: Connection, count: int, size: int) -> None:
    """Neither side waits for the other to read."""
    answer = "x" * size
    run_at_once(connection, [f"SELECT '{answer}'"] * count)
    assert names(connection) == []


def test_nothing_is_done_after_a_failure(connection: Connection) -> None:
    with pytest.raises(StatementFailed, match="division by zero"):
        run_at_once(
            connection,
            ["CREATE TABLE public.a (n integer)", "SELECT 1/0", "CREATE TABLE public.b ()"],
        )
    assert names(connection) == []


@pytest.mark.parametrize(
    "command",
    [
        "SELECT 1; SELECT 2",
        "COPY public.a FROM STDIN",
        "COPY (SELECT 1) TO STDOUT",
        "SELECT '\ud800'",
    ],
)
def test_what_is_no_single_command_without_data_is_refused(
    command: str, connection: Connection, new_database: Callable[..., Database]
) -> None:
    with pytest.raises((StatementFailed, UnicodeError)):
        run_at_once(connection, ["CREATE TABLE public.a (n integer)", command])
    if not connection.closed:  # what the server still waits for would be read as a command
        assert names(connection) == []


def test_an_end_of_the_transaction_is_told(connection: Connection) -> None:
    with pytest.raises(TransactionEnded):
        run_at_once(connection, ["SELECT 1", "COMMIT"])
    assert names(connection) == []


def test_an_interrupt_cancels_the_command(connection: Connection) -> None:
    threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run_at_once(connection, ["CREATE TABLE public.a ()", "SELECT pg_sleep(60)", "SELECT 1"])
    assert time.monotonic() - began < 30
    assert names(connection) == []


def test_the_server_says_why_it_ends_the_session(connection: Connection) -> None:
    pid, target = connection.info.backend_pid, connection.info.dsn

    def terminate() -> None:
        with psycopg.connect(target, autocommit=True) as other:
            other.execute("SELECT pg_terminate_backend(%s)", [pid])

    threading.Timer(0.5, terminate).start()
    with pytest.raises(StatementFailed, match="terminating connection") as failed:
        run_at_once(connection, ["SELECT 1", "SELECT pg_sleep(60)", "SELECT 2"])
    assert failed.value.sqlstate == "57P01"
    assert connection.closed
