"""Define the outcome of a run, and the interface to report progress."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Literal, Protocol

from reconciler.apply.backfill import Progress
from reconciler.plan.step import Step

Status = Literal["done", "failed", "skipped"]


@dataclass(frozen=True)
class StepOutcome:
    """The outcome of a step; `error` is the reason of a failed or skipped step."""

    step: Step
    status: Status
    seconds: float = 0.0
    attempts: int = 1
    error: str = ""


@dataclass(frozen=True)
class Outcome:
    """The outcome of a plan; the four numbers of the recap count objects.

    run      number of the run in the journal
    left     differences that remain, as action, kind and identity
    notes    complaints of the journal
    unseen   why the state after the run could not be read
    """

    steps: tuple[StepOutcome, ...] = ()
    unchanged: int = 0
    run: int | None = None
    left: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    unseen: str = ""

    @property
    def ok(self) -> int:
        """Number of declared objects without differences."""
        return self.unchanged

    @property
    def changed(self) -> int:
        """Number of objects with all steps done."""
        return len(self._objects() - self._objects("failed") - self._objects("skipped"))

    @property
    def failed(self) -> int:
        """Number of objects with a failed step."""
        return len(self._objects("failed"))

    @property
    def skipped(self) -> int:
        """Number of objects with skipped steps and no failed step."""
        return len(self._objects("skipped") - self._objects("failed"))

    def _objects(self, status: Status | None = None) -> set[tuple[str, str]]:
        return {o for s in self.steps if status in (None, s.status) for o in s.step.objects}


class Watcher(Protocol):
    """An observer of a run; the methods are called from several threads."""

    def started(self, step: Step) -> None: ...
    def progress(self, step: Step, progress: Progress) -> None: ...
    def waiting(self, step: Step, why: str) -> None: ...
    def ended(self, outcome: StepOutcome) -> None: ...
    def notice(self, message: str, /) -> None: ...


class NonRaisingWatcher:
    """A watcher to swallow a watcher's exceptions: a closed terminal must not stop the run."""

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

    def notice(self, message: str) -> None:
        with suppress(Exception):
            self._watcher.notice(message)
