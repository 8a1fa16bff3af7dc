"""Roll out in batches, a canary first, and then to what could not be reached, in the same way."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from threading import Event

from reconciler.fleet.batches import RolloutSettings, sizes_of_batches
from reconciler.rollout.result import TargetResult, not_begun


@dataclass(frozen=True)
class Attempt:
    """How a batch is worked on.

    canary  all declared checks must pass
    again   a plan is made anew, and there is no further attempt
    """

    canary: bool = False
    again: bool = False


# Work on targets, and yield each result as it comes; once the event is set, no target is begun.
Work = Callable[[Sequence[str], Attempt, Event], Iterator[TargetResult]]
PAUSED = "paused after {}: run the command again to go on"


@dataclass
class RollOut:
    """A roll-out over `waiting` targets, in order.

    deferred  targets that could not be looked at: they are tried at the end, with those that could
              not be reached, locked or found as they were
    pause     after how many batches to pause; 0 is never
    stop      is set by whoever wants no further target to be begun
    ended     why the roll-out ended before the last target, or ""
    batches   how many were begun
    """

    settings: RolloutSettings
    waiting: Sequence[str]
    deferred: Sequence[TargetResult]
    work: Work
    pause: int = 0
    stop: Event = field(default_factory=Event)
    ended: str = ""
    batches: int = 0

    def results(self) -> Iterator[TargetResult]:
        """Yield the result of each target; a retried target has another result later."""
        deferred = [r.name for r in self.deferred]
        if self.settings.ends(0, len(deferred), len(deferred) + len(self.waiting)):
            self._end(f"{self.deferred[0].name} could not be looked at, and errors are fatal")
        for result in self._in_batches(self.waiting, again=False):
            yield result
            deferred += [result.name] if result.retry else []
        if not self.stop.is_set():
            yield from self._in_batches(deferred, again=True)

    def _in_batches(self, names: Sequence[str], *, again: bool) -> Iterator[TargetResult]:
        """Yield the result of each target, once; the first batch that is reached is the canary."""
        left, has_canary = [*names], False
        sizes = sizes_of_batches(self.settings.serial, len(left))
        size = next(sizes)
        while left and not self.stop.is_set():
            if self.pause and self.batches == self.pause:
                self._end(PAUSED.format(f"{self.batches} batch{'es' if self.batches > 1 else ''}"))
                break
            batch, left = left[:size], left[size:]
            self.batches += 1
            done = False
            for result in self._of_batch(batch, Attempt(canary=not has_canary, again=again)):
                yield result
                done |= not result.retry and result.status != "skipped"
            if done:  # a batch of which none could be reached shows nothing
                size, has_canary = next(sizes), True
        yield from (not_begun(name, self._reason) for name in left)

    def _of_batch(self, batch: Sequence[str], attempt: Attempt) -> Iterator[TargetResult]:
        failed = deferred = 0
        for result in self.work(batch, attempt, self.stop):
            yield not_begun(result.name, self._reason) if result.status == "skipped" else result
            is_final = attempt.again or not result.retry
            failed += result.status == "failed" and is_final
            deferred += result.retry
            if not self.stop.is_set() and self.settings.ends(failed, deferred, len(batch)):
                title = "the canary" if attempt.canary else f"in a batch of {len(batch)}"
                self._end(f"{result.name}, {title}, is {result.status}: {result.message}")

    def _end(self, reason: str) -> None:
        self.ended = self.ended or reason
        self.stop.set()

    @property
    def _reason(self) -> str:
        return self.ended.split("\n")[0] or "stopped"
