"""Run a function over targets, several at once."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Event, Thread
from typing import Generic, TypeVar

from reconciler.errors import ReconcileError

Target = TypeVar("Target")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Outcome(Generic[Target, Result]):
    """The result of a target, or the error of the function.

    There is neither for a target that was not `begun`.
    """

    target: Target
    result: Result | None = None
    error: ReconcileError | OSError | None = None
    begun: bool = True


def run_over(
    targets: Sequence[Target],
    function: Callable[[Target], Result],
    forks: int,
    stop: Event | None = None,
    place: Callable[[Target], Hashable] = id,
) -> Iterator[Outcome[Target, Result]]:
    """Yield the outcome of each target at the end, with at most `forks` at work.

    Targets with the same `place` are worked on one after the other, beside those of other places.

    An error of one target stops no other; any exception but ReconcileError and OSError is a fault
    of the program, and raised here. Once `stop` is set, no further target is begun. One target
    needs no thread. The threads do not outlive the process: whoever stops it does not wait for a
    server.
    """
    ended = stop or Event()
    if len(targets) == 1 or forks == 1:
        yield from (_outcome(target, function, ended) for target in targets)
        return
    waiting: SimpleQueue[Sequence[Target]] = SimpleQueue()
    places = by_place(targets, place)
    for of_place in places:
        waiting.put(of_place)
    done: SimpleQueue[Outcome[Target, Result] | BaseException] = SimpleQueue()

    def work() -> None:
        try:
            for target in _taken(waiting):
                done.put(_outcome(target, function, ended))
        except BaseException as error:
            done.put(error)

    for _ in range(min(forks, len(places))):
        Thread(target=work, daemon=True).start()
    for _ in targets:
        outcome = done.get()
        if isinstance(outcome, BaseException):
            raise outcome
        yield outcome


def by_place(
    targets: Sequence[Target], place: Callable[[Target], Hashable]
) -> Sequence[Sequence[Target]]:
    """Return the targets of each place, both in order."""
    found: dict[Hashable, list[Target]] = {}
    for target in targets:
        found.setdefault(place(target), []).append(target)
    return [*found.values()]


def _taken(waiting: SimpleQueue[Sequence[Target]]) -> Iterator[Target]:
    """Take one place after the other, and yield its targets, until no place waits."""
    with suppress(Empty):
        while True:
            yield from waiting.get_nowait()


def _outcome(
    target: Target, function: Callable[[Target], Result], ended: Event
) -> Outcome[Target, Result]:
    if ended.is_set():
        return Outcome(target, begun=False)
    try:
        return Outcome(target, function(target))
    except (ReconcileError, OSError) as error:
        return Outcome(target, error=error)
