"""Objects are composed while the server makes those before, and new names change names alone."""

from __future__ import annotations

from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from reconciler.canonicalise.canonical import Inputs
from reconciler.canonicalise.overlay import overlay
from reconciler.canonicalise.respelled import overlay_again
from reconciler.canonicalise.sending import made_ahead
from reconciler.declare.load import load
from reconciler.errors import StatementFailed
from reconciler.introspect.introspect import introspect
from reconciler.model.state import Scope
from reconciler.server.connection import Connection, connect
from reconciler.server.together import TransactionEnded, run_at_once
from tests.conftest import Database
from tests.test_sent_together import names

DECLARED = """
tables:
  t:
    columns: {id: bigint}
functions:
  one(wanted integer): {returns: integer, language: sql, body: SELECT 1, comment: the first}
  two(wanted integer): {returns: integer, language: sql, body: SELECT 2}
views: {v: SELECT 1 AS a}
"""


@pytest.fixture
def connection(new_database: Callable[..., Database]) -> Generator[Connection]:
    with connect(new_database().url) as opened:
        yield opened


def test_items_come_in_order_with_what_is_made_of_them() -> None:
    assert [*made_ahead([], str)] == []
    assert [*made_ahead([1, 2, 3], str)] == [(1, "1"), (2, "2"), (3, "3")]


def test_an_error_comes_with_its_item() -> None:
    made = made_ahead([2, 1, 0, 3], lambda n: 2 // n)
    assert [next(made), next(made)] == [(2, 1), (1, 2)]
    with pytest.raises(ZeroDivisionError):
        next(made)


def test_a_refused_transaction_is_undone(connection: Connection) -> None:
    run_at_once(connection, ["CREATE TABLE public.a ()"])
    with pytest.raises(StatementFailed, match="division by zero"):
        run_at_once(connection, ["CREATE TABLE public.b ()", "SELECT 1/0"])
    assert connection.is_idle
    assert names(connection) == ["a"]


def test_a_transaction_within_another_ends_with_it(connection: Connection) -> None:
    with connection.transaction(force_rollback=True):
        run_at_once(connection, ["CREATE TABLE public.a ()"])
        assert names(connection) == ["a"]
    assert names(connection) == []


@pytest.mark.parametrize("end", ["COMMIT", "ROLLBACK"])
def test_no_command_ends_its_transaction(end: str, connection: Connection) -> None:
    with pytest.raises(TransactionEnded, match=end):
        run_at_once(connection, ["CREATE TABLE public.a ()", end, "SELECT 1"])
    assert connection.is_idle


@pytest.mark.parametrize("arguments", ["integer", "other"])
def test_new_names_are_put_in_as_by_laying_all_over_again(
    arguments: str, connection: Connection, tmp_path: Path
) -> None:
    (tmp_path / "state.yml").write_text(DECLARED)
    declaration = load(tmp_path)
    inputs = Inputs(introspect(connection), declaration, Scope(frozenset({"public"})))
    routines = [r for r in declaration.objects if r.arguments is not None]
    spelled = {r: r._replace(arguments=arguments) for r in routines}
    before = overlay(inputs.live, declaration, inputs.scope)
    after = overlay_again(before, inputs, spelled, only_spelled=True)
    whole = overlay_again(before, inputs, spelled, only_spelled=False)
    assert after == whole
    assert [*after.objects] == [*whole.objects]
    assert len(after.objects.keys() - before.objects.keys()) == len(routines) == 2
