"""Define executors: threads of this process, or the workers of a cluster."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from threading import Event
from typing import Any, Protocol, TypeVar

from reconciler.fleet.threads import Outcome, by_place, run_over

Target = TypeVar("Target")
Result = TypeVar("Result")


class Executor(Protocol):
    """Run a function over targets; `local` tells of an executor within this process."""

    @property
    def local(self) -> bool: ...

    def run(
        self, function: Callable[[Target], Result], targets: Sequence[Target], stop: Event
    ) -> Iterator[Outcome[Target, Result]]:
        """Yield outcomes as they come; once `stop` is set, no further target is begun."""
        ...


@dataclass(frozen=True)
class Threads:
    """Threads of this process, `forks` at once; targets of one `place` one after the other."""

    forks: int
    local: bool = True
    place: Callable[[Any], Hashable] = id

    def run(
        self, function: Callable[[Target], Result], targets: Sequence[Target], stop: Event
    ) -> Iterator[Outcome[Target, Result]]:
        """Yield outcomes as they come; once `stop` is set, no further target is begun."""
        return run_over(targets, function, self.forks, stop, self.place)


def run_by_place(
    executor: Executor,
    function: Callable[[Target], Result],
    targets: Sequence[Target],
    stop: Event,
    place: Callable[[Target], Hashable],
) -> Iterator[Outcome[Target, Result]]:
    """Yield outcomes as they come; no two targets of one place are at work at once.

    A cluster takes the first of each place, then the second of each, and so on.
    """
    if isinstance(executor, Threads):
        yield from replace(executor, place=place).run(function, targets, stop)
        return
    for turn in zip_longest(*by_place(targets, place)):
        begun = [target for target in turn if target is not None]
        yield from executor.run(function, begun, stop)
