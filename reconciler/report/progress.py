"""Who watches a run: bars on a terminal, plain lines elsewhere; all of it on stderr."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from reconciler.apply.backfill import Progress as Far
from reconciler.apply.outcome import StepOutcome
from reconciler.plan.step import Step

POLL_INTERVAL = 5.0  # seconds between plain lines of one step


class Lines:
    """Plain lines: one when a long step starts, one now and then, one when it ends."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say, self._last, self._lock = say, 0.0, threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return None

    def started(self, step: Step) -> None:
        self._last = time.monotonic()

    def progress(self, step: Step, progress: Far) -> None:
        with self._lock:
            if time.monotonic() - self._last < POLL_INTERVAL:
                return
            self._last = time.monotonic()
        self._say(f"{_title(step)}: {_far(progress)}")

    def notice(self, words: str) -> None:
        self._say(f"note: {words}")

    def waiting(self, step: Step, why: str) -> None:
        self._say(f"{_title(step)}: {why}")

    def ended(self, outcome: StepOutcome) -> None:
        self._say(f"{outcome.status:8}{_title(outcome.step)} ({outcome.seconds:.2f} s)")


class Bars:
    """A bar for the step that runs, a line for each that ended."""

    def __init__(self, console: Console) -> None:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[far]}"),
            TimeElapsedColumn(),
        )
        self._bars = Progress(*columns, console=console, transient=True)
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bars.stop()

    def started(self, step: Step) -> None:
        self._tasks[step.id] = self._bars.add_task(escape(_title(step)), total=None, far="")

    def progress(self, step: Step, progress: Far) -> None:
        if step.id in self._tasks:
            far = _far(progress)
            self._bars.update(
                self._tasks[step.id], completed=progress.done, total=progress.total or None, far=far
            )

    def notice(self, words: str) -> None:
        self._bars.console.print(f"  [magenta]note[/] {escape(words)}", highlight=False)

    def waiting(self, step: Step, why: str) -> None:
        self._bars.console.print(
            f"  [yellow]waiting[/] {escape(f'{_title(step)}: {why}')}", highlight=False
        )

    def ended(self, outcome: StepOutcome) -> None:
        if (task := self._tasks.pop(outcome.step.id, None)) is not None:
            self._bars.remove_task(task)
        colour = {"done": "green", "failed": "red", "skipped": "yellow"}[outcome.status]
        self._bars.console.print(
            f"  [{colour}]{outcome.status}[/] {escape(_title(outcome.step))}", highlight=False
        )


def _far(progress: Far) -> str:
    """How far, how fast, how long it will take, and what it waits for; as much of it as is known."""
    words = [f"{progress.done:,} of {progress.total:,} {progress.unit}"]
    if progress.rate is not None:
        words.append(f"{progress.rate:,.0f} a second")
    if progress.left is not None:
        words.append(f"{timedelta(seconds=round(progress.left))} left")
    return ", ".join([*words, progress.waits] if progress.waits else words)


def _title(step: Step) -> str:
    verb = "fill" if step.fill else step.sql.split(None, 1)[0].lower()
    return f"{step.id} {verb} {step.kind} {step.identity}"
