"""Test that targets of one place are worked on one after the other, beside those of others."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from threading import Event, Lock
from typing import Any

import pytest

from reconciler.fleet.executor import Executor, Threads, run_by_place
from reconciler.fleet.threads import Outcome
from reconciler.server.address import database_of


class Together:
    """An executor that is no thread: it takes all targets of a call at once."""

    local = False

    def __init__(self) -> None:
        self.calls: list[list[str]] = []

    def run(
        self, function: Callable[[Any], Any], targets: Sequence[Any], stop: Event
    ) -> Iterator[Outcome[Any, Any]]:
        del stop
        self.calls.append([*targets])
        yield from (Outcome(target, function(target)) for target in targets)


def test_threads_work_on_one_target_of_a_place_at_a_time() -> None:
    at_work, most, lock = Counter[str](), Counter[str](), Lock()

    def work(target: str) -> str:
        with lock:
            at_work.update([target[0], "all"])
            most.update({p: max(0, n - most[p]) for p, n in at_work.items()})
        time.sleep(0.02)
        with lock:
            at_work.subtract([target[0], "all"])
        return target.upper()

    targets = ["a1", "a2", "a3", "b1", "c1", "a4", "b2"]
    found = [*run_by_place(Threads(3), work, targets, Event(), lambda target: target[0])]
    assert sorted(o.result or "" for o in found) == sorted(t.upper() for t in targets)
    assert most == {"a": 1, "b": 1, "c": 1, "all": 3}


def test_once_stopped_the_rest_of_a_place_is_not_begun() -> None:
    stop = Event()

    def work(target: str) -> str:
        stop.set()
        return target

    found = [*run_by_place(Threads(2), work, ["a1", "a2", "a3"], stop, lambda target: target[0])]
    assert [o.begun for o in found] == [True, False, False]


def test_a_cluster_takes_one_target_of_each_place_at_a_time() -> None:
    together = Together()
    executor: Executor = together
    targets = ["a1", "a2", "b1", "a3"]
    found = run_by_place(executor, str.upper, targets, Event(), lambda target: target[0])
    assert [o.target for o in found] == ["a1", "b1", "a2", "a3"]
    assert together.calls == [["a1", "b1"], ["a2"], ["a3"]]


def test_a_database_is_known_by_server_and_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPORT", "5433")
    monkeypatch.delenv("PGDATABASE", raising=False)
    same = database_of("postgresql://ann:secret@Shop.example:5433/shop")
    assert "secret" not in same
    assert database_of("host=shop.example dbname=shop user=bob") == same
    assert database_of("host=shop.example dbname=other") != same
    assert database_of("host=shop.example port=5432 dbname=shop") != same
    assert database_of("host=shop.example user=shop") == same
