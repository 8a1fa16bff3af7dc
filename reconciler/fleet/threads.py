"""Run a function over targets, several at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
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
) -> Iterator[Outcome[Target, Result]]:
    """Yield the outcome of each target at the end, with at most `forks` at work.

    An error of one target stops no other; any exception but ReconcileError and OSError is a fault
    of the program, and raised here. Once `stop` is set, no further target is begun. One target
    needs no thread. The threads do not outlive the process: whoever stops it does not wait for a
    server.
    """
    ended = stop or Event()
    if len(targets) == 1 or forks == 1:
        yield from (_outcome(target, function, ended) for target in targets)
        return
    waiting: SimpleQueue[Target] = SimpleQueue()
    for target in targets:
        waiting.put(target)
    done: SimpleQueue[Outcome[Target, Result] | BaseException] = SimpleQueue()

    def work() -> None:
        try:
            while True:
                done.put(_outcome(waiting.get_nowait(), function, ended))
        except Empty:
            return
        except BaseException as error:
            done.put(error)

    for _ in range(min(forks, len(targets))):
        Thread(target=work, daemon=True).start()
    for _ in targets:
        outcome = done.get()
        if isinstance(outcome, BaseException):
            raise outcome
        yield outcome


def _outcome(
    target: Target, function: Callable[[Target], Result], ended: Event
) -> Outcome[Target, Result]:
    if ended.is_set():
        return Outcome(target, begun=False)
    try:
        return Outcome(target, function(target))
    except (ReconcileError, OSError) as error:
        return Outcome(target, error=error)
