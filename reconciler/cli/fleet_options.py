"""The options of commands over several targets."""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import wraps
from typing import Any

import click

from reconciler.cli.numbers import Number
from reconciler.cli.options import Command, Decorator, collected
from reconciler.cli.output import print_notes
from reconciler.cli.targets import (
    HOW_SEVERAL,
    NamedTarget,
    TargetsOptions,
    targets_options,
    with_variables,
)
from reconciler.errors import SettingsError
from reconciler.fleet.batches import RolloutSettings, parse_sizes
from reconciler.fleet.cluster import OPTION as EXECUTOR
from reconciler.fleet.cluster import Cluster, address_of
from reconciler.fleet.executor import Executor, Threads
from reconciler.fleet.shard import OPTION as SHARD
from reconciler.rollout.results import OPTION as RESULTS
from reconciler.rollout.results import VARIABLE as RESULTS_VARIABLE
from reconciler.rollout.results import ResultsTable
from reconciler.server.redaction import is_url
from reconciler.settings import Settings

NAME = re.compile(r"[\w.-]{1,63}")


@dataclass(frozen=True)
class FleetOptions:
    """Where a command works on its targets, and where it writes the results."""

    executor: str | None = None
    results: str | None = None

    def check(self, targets: TargetsOptions) -> None:
        """Raise SettingsError for an option that goes with several targets, on one target."""
        if self.results and not is_url(self.results):
            raise SettingsError(f"{RESULTS}: expected the URL of a database")
        if targets.shard and not targets.several:
            raise SettingsError(f"{SHARD} goes with several targets: {HOW_SEVERAL}")
        check_executor(self.executor, targets)

    def open_results(self) -> ResultsTable | None:
        """Return the table for results, if one is named; raises ReconcileError."""
        return ResultsTable(self.results) if self.results else None


@dataclass(frozen=True)
class RolloutOptions:
    """The batches of a roll-out, what ends a roll-out, and its name."""

    serial: str | None = None
    max_fail_percentage: float | None = None
    any_errors_fatal: bool = False
    pause_after: int = 0
    rollout: str | None = None

    def check(self, targets: TargetsOptions) -> None:
        """Raise SettingsError for a name that no roll-out has, and for options of several targets.

        A roll-out that has a name may be one of a single target.
        """
        if self.rollout and not NAME.fullmatch(self.rollout):
            raise SettingsError(
                "--rollout: a name has 1 to 63 letters, digits, underscores, hyphens and dots"
            )
        limits = self.max_fail_percentage is not None or self.any_errors_fatal
        if (self.serial or limits or self.pause_after) and not targets.several:
            raise SettingsError(f"a roll-out in batches goes with several targets: {HOW_SEVERAL}")

    def override(self, file: RolloutSettings) -> RolloutSettings:
        """Return the settings with the options in their place; raises SettingsError."""
        changed: dict[str, object] = {}
        if self.serial:
            try:
                changed["serial"] = parse_sizes(self.serial.split(","))
            except ValueError as error:
                raise SettingsError(f"--serial {self.serial}: {error}") from None
        if self.max_fail_percentage is not None:
            changed["max_fail_percentage"] = self.max_fail_percentage
        if self.any_errors_fatal:
            changed["any_errors_fatal"] = True
        return file.model_copy(update=changed)


@dataclass(frozen=True)
class Several:
    """The targets of a command, where the work is done, and in which batches."""

    targets: TargetsOptions
    fleet: FleetOptions
    rolling: RolloutOptions = field(default_factory=RolloutOptions)

    def __bool__(self) -> bool:
        """Tell whether the command is about several targets, or a roll-out that has a name.

        Raises SettingsError for options that go with several targets only.
        """
        self.fleet.check(self.targets)
        self.rolling.check(self.targets)
        return self.targets.several or bool(self.rolling.rollout)

    def named(self, file: Settings) -> Sequence[NamedTarget]:
        """Return the targets of the shard; raises SettingsError."""
        named = self.targets.named(file)
        return with_variables(named, file) if self.fleet.executor else named

    def open_executor(self) -> Executor:
        """Return where the work is done; raises SettingsError."""
        return open_executor(self.fleet.executor, self.targets)


def check_executor(executor: str | None, targets: TargetsOptions) -> None:
    """Raise SettingsError for the executor of a command about one target."""
    if executor and not targets.several:
        raise SettingsError(f"{EXECUTOR} goes with several targets: {HOW_SEVERAL}")


def open_executor(executor: str | None, targets: TargetsOptions) -> Executor:
    """Return where the work on the targets is done; raises SettingsError."""
    if not executor:
        return Threads(targets.forks)
    address_of(executor)
    return Cluster(executor, targets.forks, tell=lambda line: print_notes([line]))


def new_name() -> str:
    """Return a name for a roll-out: the time in UTC, and some letters."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


executor_option = click.option(
    EXECUTOR,
    metavar="dask://HOST:PORT",
    help="Work on the targets in the workers of a Dask cluster, --forks at once. Workers take"
    " targets by name from their own reconcile.yml and environment. The connection is TLS, as"
    " Dask is configured, or stays on this machine.",
)
_fleet_options = collected(
    "fleet",
    FleetOptions,
    executor_option,
    click.option(
        RESULTS,
        metavar="URL",
        envvar=RESULTS_VARIABLE,
        help="A database that gets a row for each target, in the table public.reconcile_results."
        f" Default: {RESULTS_VARIABLE}, else none.",
    ),
)
_rollout_options = collected(
    "rolling",
    RolloutOptions,
    click.option(
        "--serial",
        metavar="SIZES",
        help="The sizes of the batches of targets, such as 1,10%,100%: the last is repeated."
        " Default: `rollout.serial` of reconcile.yml, else 1,10%,100%.",
    ),
    click.option(
        "--max-fail-percentage",
        metavar="PERCENT",
        type=Number(0, 100),
        help="The share of a batch that may fail before no more targets are begun. Default:"
        " `rollout.max_fail_percentage` of reconcile.yml, else 0.",
    ),
    click.option(
        "--any-errors-fatal",
        is_flag=True,
        help="Begin no more targets either once one is down, locked or changed meanwhile.",
    ),
    click.option(
        "--pause-after",
        metavar="BATCHES",
        type=click.IntRange(min=0),
        default=0,
        help="Pause after so many batches; the same command goes on.",
    ),
    click.option(
        "--rollout",
        metavar="NAME",
        help="The name of the roll-out in the journals of the targets: for `rollback`, the one to"
        " undo; for `apply`, one to go on with. Default: a new name; for `rollback`, the last.",
    ),
)


def several_options(*, rolling: bool = False) -> Decorator:
    """Return the options of a command over several targets; they reach it as `several`.

    With `rolling`, those of a roll-out in batches are among them.
    """

    def add(command: Command) -> Command:
        @wraps(command)
        def combine(targets: TargetsOptions, fleet: FleetOptions, **values: Any) -> Any:
            several = Several(targets, fleet, values.pop("rolling", RolloutOptions()))
            return command(several=several, **values)

        return targets_options(_fleet_options(_rollout_options(combine) if rolling else combine))

    return add
