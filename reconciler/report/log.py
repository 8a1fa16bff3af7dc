"""Write notes, errors and the progress of a run as lines of JSON: an entry of a log on each."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Literal

from reconciler.apply.backfill import Progress
from reconciler.apply.outcome import StepOutcome
from reconciler.escape import Document, json_line
from reconciler.plan.step import Step
from reconciler.report.progress import REPORT_INTERVAL, Unbuffered

Level = Literal["info", "note", "error"]


def entry(level: Level, message: str, **fields: object) -> Document:
    """Return an entry with the time, in UTC, and with the fields that are not None."""
    at = datetime.now(UTC).isoformat(timespec="milliseconds")
    known = {key: value for key, value in fields.items() if value is not None}
    return json_line({"time": at, "level": level, "message": message, **known})


class Entries(Unbuffered):
    """The progress of a run as entries: `event` names the call, `step` the step.

    `write` is called from several threads. `quiet` leaves all but notes and failures out, `verbose`
    adds the SQL of each step.
    """

    def __init__(
        self, write: Callable[[Document], None], *, quiet: bool = False, verbose: bool = False
    ) -> None:
        self._write, self._quiet, self._verbose = write, quiet, verbose
        self._last: dict[str, float] = {}

    def started(self, step: Step) -> None:
        self._last[step.id] = time.monotonic()
        self._step("started", step, "", sql=step.sql if self._verbose else None)

    def progress(self, step: Step, progress: Progress) -> None:
        if time.monotonic() - self._last.get(step.id, 0.0) < REPORT_INTERVAL:
            return
        self._last[step.id] = time.monotonic()
        self._step(
            "progress",
            step,
            progress.waits,
            phase=progress.phase or None,
            done=progress.done,
            total=progress.total,
            unit=progress.unit,
            rate=progress.rate and round(progress.rate, 1),
            left=progress.left and round(progress.left, 1),
        )

    def waiting(self, step: Step, why: str) -> None:
        self._step("waiting", step, why)

    def ended(self, outcome: StepOutcome) -> None:
        self._step(
            "ended",
            outcome.step,
            outcome.error,
            "error" if outcome.status == "failed" else "info",
            status=outcome.status,
            seconds=round(outcome.seconds, 3),
            attempts=outcome.attempts,
        )

    def notice(self, message: str) -> None:
        self._write(entry("note", message, event="notice"))

    def _step(
        self, event: str, step: Step, message: str, level: Level = "info", **fields: Any
    ) -> None:
        if self._quiet and level == "info":
            return
        shown = {"id": step.id, "action": step.action, "kind": step.kind, "name": step.identity}
        self._write(entry(level, message, event=event, step=shown, **fields))
