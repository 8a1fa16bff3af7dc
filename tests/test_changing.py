"""Objects are dropped and created again while the catalogs are read: nothing is left out."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from reconciler.errors import StatementFailed
from reconciler.introspect import attempts
from reconciler.introspect import introspect as reading
from reconciler.introspect.introspect import introspect
from reconciler.introspect.unmanaged import unmanaged
from reconciler.model.state import Scope
from reconciler.server.connection import Connection, connect
from tests.conftest import Database

START = "CREATE TABLE public.t (id int PRIMARY KEY, n int NOT NULL);"
OBJECTS = {
    "VIEW public.v": "CREATE VIEW public.v AS SELECT id, n FROM public.t WHERE n > 1",
    "MATERIALIZED VIEW public.m": "CREATE MATERIALIZED VIEW public.m AS SELECT id FROM public.t",
    "INDEX public.t_n": "CREATE INDEX t_n ON public.t (n) WHERE n > 1",
    "FUNCTION public.f()": "CREATE FUNCTION public.f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "TABLE public.d": "CREATE TABLE public.d (n int DEFAULT 1 CHECK (n > 0)) PARTITION BY LIST (n)",
    "POLICY p ON public.t": "CREATE POLICY p ON public.t USING (n > 1)",
    "STATISTICS public.s": "CREATE STATISTICS public.s ON (n + 1) FROM public.t",
    "DOMAIN public.o": "CREATE DOMAIN public.o AS int DEFAULT 1 CHECK (value > 0)",
}
EVERYTHING = Scope(frozenset(), everything=True)


@pytest.fixture
def database(new_database: Callable[..., Database]) -> Database:
    return new_database(START + ";".join(OBJECTS.values()))


def test_objects_that_were_recreated_are_read_again(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempts, "pauses", lambda: [0.0] * attempts.ATTEMPTS)
    ask, pending, times = reading.Asked.of, list[str](), 0

    def ask_late(connection: Connection, *rest: Any) -> Any:
        """Read in a snapshot that is older than the objects."""
        nonlocal times
        times += 1
        connection.execute("SELECT 1")
        if pending:
            database.run(pending.pop())
        return ask(connection, *rest)

    monkeypatch.setattr(reading.Asked, "of", ask_late)
    with connect(database.url) as connection:
        expected = introspect(connection).state
        for dropped, created in OBJECTS.items():
            times, pending = 0, [f"BEGIN; DROP {dropped}; {created}; COMMIT"] * 2
            found = introspect(connection)
            assert (dropped, times) == (dropped, 3)
            assert found.state == expected
            assert unmanaged(connection, found, EVERYTHING) == []
        pending = [f"BEGIN; DROP VIEW public.v; {OBJECTS['VIEW public.v']}; COMMIT"] * 9
        with pytest.raises(StatementFailed, match=r"each of the 6 times .* could not open"):
            introspect(connection)


def test_reading_beside_a_colleague_is_right_or_says_so(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempts, "pauses", lambda: [0.0] * 3)
    over, said = threading.Event(), list[str]()
    views = [o for o in OBJECTS if "VIEW" in o]
    script = "; ".join(f"DROP {view}; {OBJECTS[view]}" for view in views)

    def recreate() -> None:
        with psycopg.connect(database.url, autocommit=True) as colleague:
            while not over.wait(0.05):
                colleague.execute(f"BEGIN; {script}; COMMIT".encode())

    thread = threading.Thread(target=recreate)
    with connect(database.url) as connection:
        expected = introspect(connection).state
        thread.start()
        try:
            for _ in range(10):
                try:
                    found = introspect(connection)
                except StatementFailed as e:
                    said.append(e.message)
                else:
                    assert found.state == expected
                    assert unmanaged(connection, found, EVERYTHING) == []
        finally:
            over.set()
            thread.join()
    assert all("objects were dropped or replaced" in message for message in said)
