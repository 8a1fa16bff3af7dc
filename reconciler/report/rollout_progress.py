"""Progress of a command over several targets: a live view on a terminal, plain lines elsewhere."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

from reconciler.apply.backfill import Progress
from reconciler.apply.outcome import StepOutcome
from reconciler.escape import one_line
from reconciler.plan.step import Step
from reconciler.report.progress import Unbuffered, title_of
from reconciler.report.rollout_lines import outcome
from reconciler.rollout.result import STATUSES, TargetResult

if TYPE_CHECKING:
    from rich.console import Console, Group

MAX_ROWS = 16  # targets at work that are listed
MAX_LATEST = 6  # lines about failures and waits
REPORT_INTERVAL = 10.0  # seconds between plain lines about one target that waits
COLOURS = {"ok": "green", "changed": "green", "failed": "red", "unreachable": "red"}


class View(Protocol):
    """A view of the work on targets; the methods are called from several threads."""

    def phase(self, title: str, number: int, /) -> None: ...
    def started(self, name: str, /) -> None: ...
    def step(self, name: str, title: str, /) -> None: ...
    def waiting(self, name: str, why: str, /) -> None: ...
    def notice(self, name: str, message: str, /) -> None: ...
    def ended(self, result: TargetResult, /) -> None: ...


class TargetWatcher:
    """The watcher of the run on one target, shown in a view of all."""

    def __init__(self, view: View, name: str) -> None:
        self._view, self._name = view, name

    def started(self, step: Step) -> None:
        self._view.step(self._name, title_of(step))

    def progress(self, step: Step, progress: Progress) -> None:
        done = f"{progress.done:,} of {progress.total:,} {progress.unit}"
        self._view.step(self._name, f"{title_of(step)}: {progress.phase or done}")

    def waiting(self, step: Step, why: str) -> None:
        self._view.waiting(self._name, f"{title_of(step)}: {why}")

    def ended(self, outcome: StepOutcome) -> None: ...

    def notice(self, message: str, /) -> None:
        self._view.notice(self._name, message)


class RolloutLines(Unbuffered):
    """Plain lines: one for each target as it ends, and for what a target waits for."""

    def __init__(self, print_line: Callable[[str], None], *, quiet: bool = False) -> None:
        self._print, self._quiet = print_line, quiet
        self._told: dict[str, float] = {}
        self._lock = threading.Lock()

    def phase(self, title: str, number: int, /) -> None:
        if not self._quiet:
            self._print(title)

    def started(self, name: str, /) -> None: ...
    def step(self, name: str, title: str, /) -> None: ...

    def waiting(self, name: str, why: str, /) -> None:
        with self._lock:
            if time.monotonic() - self._told.get(name, -REPORT_INTERVAL) < REPORT_INTERVAL:
                return
            self._told[name] = time.monotonic()
        self._print(f"waiting     {name}: {why}")

    def notice(self, name: str, message: str, /) -> None:
        self._print(f"note        {name}: {message}")

    def ended(self, result: TargetResult, /) -> None:
        if result.exit or not self._quiet:
            self._print(f"{result.status:11} {result.name} ({result.seconds:.1f} s)")


class RolloutTable:
    """A live view on a terminal: counts, the targets at work, and the latest failures and waits."""

    def __init__(self, console: Console) -> None:
        from rich.live import Live  # noqa: PLC0415 - slow to import, and for terminals only

        self._title, self._number = "", 0
        self._counts: Counter[str] = Counter()
        self._running: dict[str, str] = {}
        self._latest: deque[tuple[str, str]] = deque(maxlen=MAX_LATEST)
        self._lock = threading.Lock()
        self._live = Live(
            get_renderable=self.shown, console=console, transient=True, refresh_per_second=4
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.stop()

    def phase(self, title: str, number: int, /) -> None:
        with self._lock:
            self._title, self._number = title, number
            self._counts.clear()
            self._running.clear()

    def started(self, name: str, /) -> None:
        self.step(name, "")

    def step(self, name: str, title: str, /) -> None:
        with self._lock:
            self._running[name] = title

    def waiting(self, name: str, why: str, /) -> None:
        self.step(name, f"waits: {why}")
        with self._lock:
            self._latest.append(("yellow", f"{name} waits: {why}"))

    def notice(self, name: str, message: str, /) -> None:
        with self._lock:
            self._latest.append(("magenta", f"{name}: {message}"))

    def ended(self, result: TargetResult, /) -> None:
        with self._lock:
            self._running.pop(result.name, None)
            self._counts[result.status] += 1
            if result.exit == 1:
                shown = f"{result.name} {result.status}: {outcome(result)}"
                self._latest.append((COLOURS.get(result.status, "yellow"), shown))

    def shown(self) -> Group:
        """Return what is shown now."""
        from rich.console import Group  # noqa: PLC0415 - slow to import, and for terminals only
        from rich.text import Text  # noqa: PLC0415

        with self._lock:
            done = sum(self._counts.values())
            counts = "  ".join(f"{s}={self._counts[s]}" for s in STATUSES if self._counts[s])
            rows = [Text(one_line(f"{self._title}: {done} of {self._number}  {counts}"))]
            for name, title in [*self._running.items()][:MAX_ROWS]:
                rows.append(Text(one_line(f"  {name}  {title}")))
            if (more := len(self._running) - MAX_ROWS) > 0:
                rows.append(Text(f"  and {more} more at work"))
            rows += [Text(one_line(text), style=colour) for colour, text in self._latest]
        for row in rows:  # a row that breaks would move all others
            row.no_wrap, row.overflow = True, "ellipsis"
        return Group(*rows)
