"""Progress of a run: bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Self

from reconciler.apply.backfill import Progress as BackfillProgress
from reconciler.apply.outcome import StepOutcome
from reconciler.escape import one_line
from reconciler.plan.step import Step

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import TaskID

REPORT_INTERVAL = 5.0  # seconds between plain lines of one step
MAX_BARS = 5  # of steps that run at once, or are not checked yet
# The phases of CREATE INDEX CONCURRENTLY that take long, each with its share of the bar:
# https://www.postgresql.org/docs/current/progress-reporting.html#CREATE-INDEX-PHASES
INDEX_PHASES = (
    ("building index: scanning table", 0.0, 0.4),
    ("building index: sorting", 0.4, 0.45),
    ("building index: loading", 0.45, 0.55),
    ("building index", 0.0, 0.55),  # of an access method that reports no more
    ("index validation: scanning index", 0.6, 0.7),
    ("index validation: sorting", 0.7, 0.75),
    ("index validation: scanning table", 0.75, 1.0),
)
COLOURS = {"done": "green", "failed": "red", "skipped": "yellow"}


class Unbuffered:
    """A view without anything to begin or to end, which shows each line at once."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return None


class Lines(Unbuffered):
    """Progress as plain lines: at the end of every step, and every few seconds of a backfill.

    `print_line` is called from several threads, and adds the line's end. `verbose` shows the SQL
    of each step as it begins.
    """

    def __init__(self, print_line: Callable[[str], None], *, verbose: bool = False) -> None:
        self._print, self._last, self._lock = print_line, 0.0, threading.Lock()
        self._verbose = verbose

    def started(self, step: Step) -> None:
        self._last = time.monotonic()
        for line in _sql(step) if self._verbose else ():
            self._print(line)

    def progress(self, step: Step, progress: BackfillProgress) -> None:
        with self._lock:
            if time.monotonic() - self._last < REPORT_INTERVAL:
                return
            self._last = time.monotonic()
        self._print(f"{title_of(step)}: {_rows_done(progress)}")

    def notice(self, message: str) -> None:
        self._print(f"note: {message}")

    def waiting(self, step: Step, why: str) -> None:
        self._print(f"{title_of(step)}: {why}")

    def ended(self, outcome: StepOutcome) -> None:
        self._print(f"{outcome.status:8}{title_of(outcome.step)} ({outcome.seconds:.2f} s)")


class Notes(Lines):
    """The notes of a run alone, for output whose end says the rest."""

    def started(self, step: Step) -> None: ...
    def progress(self, step: Step, progress: BackfillProgress) -> None: ...
    def waiting(self, step: Step, why: str) -> None: ...
    def ended(self, outcome: StepOutcome) -> None: ...


class Bars:
    """Progress on a terminal: a bar for each running step, a line for each finished step."""

    def __init__(self, console: Console, *, verbose: bool = False) -> None:
        from rich.progress import (  # noqa: PLC0415 - slow to import, and for terminals only
            BarColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
        )

        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.fields[rows_done]}", markup=False),
            TimeElapsedColumn(),
        )
        self._bars = Progress(*columns, console=console, transient=True)
        self._tasks: dict[str, TaskID] = {}
        self._shares: dict[str, float] = {}
        self._verbose = verbose

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
        for line in _sql(step) if self._verbose else ():
            self._bars.console.print(
                one_line(line), markup=False, highlight=False, soft_wrap=True, emoji=False
            )
        title = one_line(title_of(step))
        if len(self._tasks) < MAX_BARS:
            self._tasks[step.id] = self._bars.add_task(title, total=None, rows_done="")

    def progress(self, step: Step, progress: BackfillProgress) -> None:
        if step.id in self._tasks:
            share = max(_share(progress), self._shares.get(step.id, 0.0))  # never backwards
            self._shares[step.id] = share
            self._bars.update(
                self._tasks[step.id],
                completed=share,
                total=1.0 if share else None,
                rows_done=one_line(_rows_done(progress)),
            )

    def notice(self, message: str) -> None:
        self._print("magenta", "note", message)

    def waiting(self, step: Step, why: str) -> None:
        self._print("yellow", "waiting", f"{title_of(step)}: {why}")

    def ended(self, outcome: StepOutcome) -> None:
        if (task := self._tasks.pop(outcome.step.id, None)) is not None:
            self._bars.remove_task(task)
        ended = f"{title_of(outcome.step)} ({outcome.seconds:.2f} s)"
        self._print(COLOURS[outcome.status], outcome.status, ended)

    def _print(self, colour: str, label: str, message: str) -> None:
        from rich.text import Text  # noqa: PLC0415 - slow to import, and for terminals only

        line = Text.assemble("  ", (label, colour), " ", one_line(message))  # no markup is read
        self._bars.console.print(line, highlight=False)


def _share(progress: BackfillProgress) -> float:
    """Return the finished share of a step's work, from 0 to 1."""
    share = min(progress.done / progress.total, 1.0) if progress.total > 0 else 0.0
    if not progress.phase:
        return share
    for phase, start, end in INDEX_PHASES:
        if progress.phase.startswith(phase):
            return start + (end - start) * share
    return 0.0


def _rows_done(progress: BackfillProgress) -> str:
    """Show the phase, rows, speed, time left and current wait, as far as known."""
    parts = [progress.phase] if progress.phase else []
    if progress.total or not parts:
        parts.append(f"{progress.done:,} of {progress.total:,} {progress.unit}")
    if progress.rate is not None:
        parts.append(f"{progress.rate:,.0f} a second")
    if progress.left is not None:
        parts.append(f"{timedelta(seconds=round(progress.left))} left")
    if progress.waits:
        parts.append(progress.waits)
    return ", ".join(parts)


def _sql(step: Step) -> list[str]:
    """Return the lines of a step's statement, below the step's title."""
    return [f"{title_of(step)}:", *(f"    {line}" for line in step.sql.split("\n"))]


def title_of(step: Step) -> str:
    """Return the number of a step, the action, and the object: `01 create table t`."""
    verb = "fill" if step.fill else step.action
    return f"{step.id} {verb} {step.kind} {step.identity}"
