"""The command `monitor`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import click

from reconciler import settings
from reconciler.checks.workload import Query
from reconciler.cli.group import DIFFERENT, DONE, main
from reconciler.cli.journal_options import journal_option, journal_owner_option
from reconciler.cli.options import (
    ReadingOptions,
    collected,
    files_root_option,
    reading_options,
    run_argument,
    state_option,
)
from reconciler.cli.output_options import OutputOptions, output_options
from reconciler.declare.load import load
from reconciler.journal.ownership import Place
from reconciler.model.reserved_names import JOURNAL
from reconciler.monitor.monitor import Watch
from reconciler.monitor.monitor import monitor as watch
from reconciler.monitor.result import WINDOWS
from reconciler.settings import ResolvedTarget

_WINDOWS = {window.name: window for window in WINDOWS}


@dataclass(frozen=True)
class MonitorOptions:
    """The YAML files with promises, the window, and the journal."""

    state: Path | None
    files_root: Path | None
    window: str | None
    journal: str | None
    journal_owner: str | None

    def place(self, target: ResolvedTarget) -> Place:
        """Return the place of the journal."""
        return Place(self.journal or target.journal or JOURNAL, self.journal_owner or "")

    def workload(self, target: ResolvedTarget) -> Mapping[str, Query]:
        """Read the queries that promise something; none where there are no YAML files."""
        folder = self.state or settings.read().state_folder()
        if self.state is None and not folder.exists():
            return {}
        return load(folder, files_root=self.files_root, variables=target.variables).workload


monitor_options = collected(
    "options",
    MonitorOptions,
    state_option,
    files_root_option,
    click.option(
        "--window",
        type=click.Choice([*_WINDOWS]),
        help="How long after the run an index that nobody has used counts as unused. Default: the"
        " longest of these that is over, at least a day.",
    ),
    journal_option,
    journal_owner_option,
)


@main.command()
@run_argument
@reading_options
@monitor_options
@output_options("monitor")
def monitor(
    run: int | None, reading: ReadingOptions, options: MonitorOptions, output: OutputOptions
) -> int:
    """Say what became of a run: promises that do not hold, what has become worse.

    For a day, a week and a month after `apply`. The statistics of the tables that the run touched
    are compared with those that `apply` has kept in the journal, the objects with what the run
    left, and the queries of the section `workload` with what it promises. RUN is a number from
    `reconcile history`. Default: the last run that changed something. The role needs to read
    nothing but the journal; what it may not see is named. Exit status: 0 all is well, 2 a promise
    is not kept, or something is to be looked at; see docs/monitor.md.
    """
    resolved = reading.resolve()
    result = watch(
        Watch(
            resolved.url,
            options.place(resolved),
            run,
            _WINDOWS[options.window] if options.window else None,
            options.workload(resolved),
            resolved.lock_policy.session,
        )
    )
    output.write("monitor", result)
    return DONE if result.is_well else DIFFERENT
