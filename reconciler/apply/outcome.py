"""Define the outcome of a run, and the interface to report progress."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, Protocol

from reconciler.apply.backfill import Progress
from reconciler.plan.plan import Planned
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
    """The outcome of a plan; the four numbers of the recap count objects, as the plan does.

    changes  the plan's changes
    run      number of the run in the journal
    left     differences that remain, as action, kind and identity
    notes    complaints of the journal
    unseen   why the state after the run could not be read
    """

    steps: tuple[StepOutcome, ...] = ()
    unchanged: int = 0
    changes: tuple[Planned, ...] = ()
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
        """Number of changes with all steps done."""
        return self._count("done")

    @property
    def failed(self) -> int:
        """Number of objects with a failed step."""
        return self._count("failed")

    @property
    def skipped(self) -> int:
        """Number of objects with skipped steps and no failed step."""
        return self._count("skipped")

    def _count(self, status: Status) -> int:
        return sum(each == status for each in self._by_object.values())

    @cached_property
    def _by_object(self) -> dict[tuple[str, str], Status]:
        """Map the changed objects, and others with steps that were not done, to the outcomes."""
        steps: dict[tuple[str, str], list[Status]] = {}
        for s in self.steps:
            steps.setdefault((s.step.kind, s.step.identity), []).append(s.status)
        worst: dict[tuple[str, str], Status] = {k: _worst(each) for k, each in steps.items()}
        by_name: dict[str, Status] = {name: status for (_, name), status in worst.items()}
        whole = _worst(worst.values())
        changes = {(c.kind, c.identity) for c in self.changes}
        unchanged = {k for k, status in worst.items() if k not in changes and status == "done"}
        found: dict[tuple[str, str], Status] = {}
        for key in changes | worst.keys() - unchanged:
            found[key] = worst.get(key) or _of_others(key[1], by_name, whole)
        return found


def _of_others(identity: str, by_name: Mapping[str, Status], whole: Status) -> Status:
    """Return the outcome of an object without own steps, made or dropped with another one.

    That is the table of a column `table.column` or of `constraint on table`, where it has steps;
    else the whole plan.
    """
    tables = (identity.rpartition(".")[0], identity.rpartition(" on ")[2])
    found = [by_name[table] for table in tables if table in by_name] or [whole]
    return "done" if found[0] == "done" else "skipped"


def _worst(statuses: Collection[Status]) -> Status:
    if "failed" in statuses:
        return "failed"
    return "skipped" if "skipped" in statuses else "done"


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


class SilentWatcher:
    """A watcher of a run that nobody observes."""

    def started(self, step: Step) -> None: ...
    def progress(self, step: Step, progress: Progress) -> None: ...
    def waiting(self, step: Step, why: str) -> None: ...
    def ended(self, outcome: StepOutcome) -> None: ...
    def notice(self, message: str, /) -> None: ...
