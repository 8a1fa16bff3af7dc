"""The outcome of a run, step by step, and the interface that reports progress."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Literal, Protocol

from reconciler.apply.backfill import Progress
from reconciler.plan.step import Step

Status = Literal["done", "failed", "skipped"]


@dataclass(frozen=True)
class StepOutcome:
    """How one step went; `error` says why it failed or was skipped."""

    step: Step
    status: Status
    seconds: float = 0.0
    attempts: int = 1
    error: str = ""


@dataclass(frozen=True)
class Outcome:
    """How a plan went; the four numbers of the recap count objects."""

    steps: tuple[StepOutcome, ...] = ()
    unchanged: int = 0
    run: int | None = None
    left: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    unseen: str = ""  # why nobody could look at what is there now

    @property
    def ok(self) -> int:
        """Declared objects that were as they should be."""
        return self.unchanged

    @property
    def changed(self) -> int:
        """Objects that were changed, wholly."""
        return len(self._objects() - self._objects("failed") - self._objects("skipped"))

    @property
    def failed(self) -> int:
        """Objects of which a step failed."""
        return len(self._objects("failed"))

    @property
    def skipped(self) -> int:
        """Objects that were not touched, or not finished, because what they wait for failed."""
        return len(self._objects("skipped") - self._objects("failed"))

    def _objects(self, status: Status | None = None) -> set[tuple[str, str]]:
        return {(s.step.kind, s.step.identity) for s in self.steps if status in (None, s.status)}


class Watcher(Protocol):
    """Who is told how a run goes, from whatever thread."""

    def started(self, step: Step) -> None: ...
    def progress(self, step: Step, progress: Progress) -> None: ...
    def waiting(self, step: Step, why: str) -> None: ...
    def ended(self, outcome: StepOutcome) -> None: ...
    def notice(self, words: str) -> None: ...


class NonRaisingWatcher:
    """A watcher that cannot do any harm: a terminal that is gone, say, is no reason to stop half-way."""

    def __init__(self, watcher: Watcher) -> None:
        self._watcher = watcher

    def started(self, step: Step) -> None:
        with suppress(Exception):
            self._watcher.started(step)

    def progress(self, step: Step, progress: Progress) -> None:
        with suppress(Exception):
            self._watcher.progress(step, progress)

    def waiting(self, step: Step, why: str) -> None:
        with suppress(Exception):
            self._watcher.waiting(step, why)

    def ended(self, outcome: StepOutcome) -> None:
        with suppress(Exception):
            self._watcher.ended(outcome)

    def notice(self, words: str) -> None:
        with suppress(Exception):
            self._watcher.notice(words)
