"""Errors reach other processes whole."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler import errors
from reconciler.errors import (
    DeclarationError,
    Position,
    Problem,
    ReconcileError,
    RunFailed,
    StatementFailed,
    TamperedWith,
)


def _kinds(kind: type[ReconcileError]) -> Iterator[type[ReconcileError]]:
    yield kind
    for each in kind.__subclasses__():
        yield from _kinds(each)


PROBLEM = Problem("no such column", Position(Path("a.yml"), 1, 1, "a: b"), "look", "unknown")
MADE = {
    DeclarationError: DeclarationError([PROBLEM]),
    StatementFailed: StatementFailed("refused", sqlstate="42501", hint="ask", sql="SELECT 1"),
    RunFailed: RunFailed("failed", outcome="nothing", checks=[1]),
    TamperedWith: TamperedWith(["a table"], objects=["table public.t"]),
}


@pytest.mark.parametrize(
    "kind", [k for k in _kinds(ReconcileError) if k.__module__ == errors.__name__]
)
def test_an_error_can_be_sent_to_another_process(kind: type[ReconcileError]) -> None:
    parent = next((k for k in kind.__mro__ if k in MADE), None)
    error = MADE[parent] if parent in MADE else kind("what happened", objects=["table public.t"])
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert type(again) is type(error)
    assert (str(again), again.__dict__) == (str(error), error.__dict__)
