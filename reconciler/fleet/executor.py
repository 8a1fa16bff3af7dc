"""Define executors: threads of this process, or the workers of a cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from threading import Event
from typing import Protocol, TypeVar

from reconciler.fleet.threads import Outcome, run_over

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
    """Threads of this process, `forks` at once."""

    forks: int
    local: bool = True

    def run(
        self, function: Callable[[Target], Result], targets: Sequence[Target], stop: Event
    ) -> Iterator[Outcome[Target, Result]]:
        """Yield outcomes as they come; once `stop` is set, no further target is begun."""
        return run_over(targets, function, self.forks, stop)
