"""Work on several targets: look at all, confirm once, then batch after batch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from threading import Event

from reconciler import pipeline, settings
from reconciler.cli.cluster_work import for_workers, work_in_worker
from reconciler.cli.execution_options import ExecutionOptions
from reconciler.cli.fleet_options import Several
from reconciler.cli.options import DeclarationOptions, ReadingOptions
from reconciler.cli.output import print_error, print_report, rollout_confirmed, watch_targets
from reconciler.cli.output_options import OutputOptions
from reconciler.cli.signals import stopping
from reconciler.cli.target_work import Order, Work, work_on
from reconciler.cli.targets import NamedTarget
from reconciler.errors import (
    DoubtfulRun,
    NothingToUndo,
    ReconcileError,
    SettingsError,
    UnknownRollout,
)
from reconciler.fleet.batches import RolloutSettings
from reconciler.fleet.executor import Executor, run_by_place
from reconciler.fleet.threads import Outcome, run_over
from reconciler.journal.history import Run
from reconciler.report import text
from reconciler.report.formats import FORMATS, Subject
from reconciler.report.rollout_progress import View
from reconciler.rollout.groups import PlanGroup, groups_of, targets
from reconciler.rollout.result import ERROR, RolloutReport, TargetResult, not_begun
from reconciler.rollout.results import OPTION as RESULTS
from reconciler.rollout.roll import Attempt, RollOut
from reconciler.settings import Settings


@dataclass
class Fleet:
    """The targets of a command, the work on each, and the last result of each."""

    work: Work
    targets: Mapping[str, NamedTarget]
    executor: Executor
    view: View
    results: dict[str, TargetResult] = field(default_factory=dict[str, TargetResult])

    def run(
        self, names: Sequence[str], order: Order, stop: Event | None = None
    ) -> Iterator[TargetResult]:
        """Carry out an order on targets, and yield the results as they come."""
        named = [self.targets[name] for name in names]
        if self.executor.local:
            function = partial(work_on, order, view=self.view)
        else:
            work = for_workers(order.work, named)
            function = partial(work_in_worker, replace(order, work=work))
        for outcome in self._outcomes(order, function, named, stop or Event()):
            name = outcome.target.name
            result = outcome.result or not_begun(name, "stopped")
            if outcome.error is not None:
                message = str(outcome.error)
                result = TargetResult(name, "unreachable", ERROR, message=message, retry=True)
            self.results[name] = result
            if result.status != "skipped":
                self.view.ended(result)
            yield result

    def _outcomes(
        self,
        order: Order,
        function: Callable[[NamedTarget], TargetResult],
        named: Sequence[NamedTarget],
        stop: Event,
    ) -> Iterator[Outcome[NamedTarget, TargetResult]]:
        """Carry out an order; only one target of a database is changed at a time."""
        if order.attempt is None:
            return self.executor.run(function, named, stop)
        return run_by_place(self.executor, function, named, stop, self._database)

    def _database(self, target: NamedTarget) -> str:
        """Return the database of a target that was looked at, or the name if it is not known."""
        return self.results[target.name].database or target.name

    def look(self, title: str) -> None:
        """Look at all targets; nothing is changed."""
        self.view.phase(f"{title} {targets(len(self.targets))}", len(self.targets))
        for _ in self.run([*self.targets], Order(self.work)):
            pass

    def report(self, ended: str = "", advice: Iterable[str] = ()) -> RolloutReport:
        """Return the results in the order of the targets."""
        results = [self.results[name] for name in self.targets]
        return RolloutReport(self.work.command, results, self.work.rollout, ended, tuple(advice))


def check_formats(subject: Subject, output: OutputOptions) -> None:
    """Raise SettingsError for a format that does not show the subject: one target, or several."""
    known = FORMATS[subject]
    for name in output.formats:
        if name not in known:
            number = "several targets" if subject == "rollout" else "one target"
            raise SettingsError(
                f"--format {name} does not show {number}; known: {', '.join(sorted(known))}"
            )


def finish(report: RolloutReport, several: Several, output: OutputOptions) -> int:
    """Write the report, and the results into a table if one is named; return the exit status."""
    output.write("rollout", report)
    try:
        if table := several.fleet.open_results():
            table.write(report.command, report.rollout, report.results)
    except ReconcileError as error:
        print_error(error, RESULTS)
        return ERROR
    return report.exit


def print_groups(report: RolloutReport) -> None:
    """Print each plan once, with the targets that have it."""
    print_report(text.plan_groups(groups_of(report.results)))


def look_at_all(work: Work, several: Several) -> RolloutReport:
    """Plan or verify all targets."""
    doing = "planning" if work.command == "plan" else "verifying"
    return _looked_at(work, several, settings.read(), doing).report()


def _looked_at(work: Work, several: Several, file: Settings, doing: str) -> Fleet:
    """Plan or verify all targets, and return them with the results."""
    named, executor = several.named(file), several.open_executor()
    several.fleet.open_results()
    with watch_targets(quiet=work.execution.quiet) as view:
        fleet = Fleet(work, {t.name: t for t in named}, executor, view)
        fleet.look(doing)
    return fleet


def last_rollout(
    several: Several, execution: ExecutionOptions, declaration: DeclarationOptions
) -> str:
    """Return the name of the last roll-out that any of the targets records, and did not undo.

    Targets that give no answer are passed over. Raises SettingsError, or PlanRefused if there is
    none, or if a run may be another target's. Of no targets, returns "".
    """
    if several.fleet.executor:
        raise SettingsError("--executor goes with --rollout NAME: workers alone read the journals")

    file = settings.read()

    def read(named: NamedTarget) -> Run | None:
        configured = ReadingOptions(named.flag).resolve(file)
        configured = configured.with_variables(declaration.values())
        target, place = execution.override(configured), execution.place_to_read(configured)
        return pipeline.read_last_rollout(target.url, place, target.lock_policy.session)

    named = several.named(file)
    if not named:  # of an empty shard
        return ""
    outcomes = {o.target: o for o in run_over(named, read, several.targets.forks)}
    for target in named:
        if isinstance(error := outcomes[target].error, DoubtfulRun):
            raise error
    runs = [outcome.result for outcome in outcomes.values() if outcome.result is not None]
    if not runs:
        raise NothingToUndo("no journal of these targets records a roll-out that is to be undone")
    return max(runs, key=lambda run: run.started_at).rollout or ""


def roll_out(work: Work, several: Several) -> RolloutReport:
    """Plan all targets, ask once, and run the plans in batches."""
    file, execution = settings.read(), work.execution
    rolling = several.rolling.override(file.rollout)
    fleet = _looked_at(work, several, file, "planning")
    results = fleet.report().results
    _assert_known(work, results, several)
    changed = [r for r in results if r.status == "changed"]
    groups = groups_of(changed, every=execution.verbose)
    if not execution.quiet or execution.check or not execution.yes:
        print_report(text.plan_groups(groups), stderr=True)
    deferred = [r for r in results if r.retry]
    if execution.check or not (changed or deferred):
        return fleet.report()
    if refusal := _refusal(work, results, groups, rolling):
        return _not_begun(fleet, refusal)
    confirmed = None if execution.yes else frozenset(g.key for g in groups)

    def attempt(names: Sequence[str], kind: Attempt, stop: Event) -> Iterator[TargetResult]:
        return fleet.run(names, Order(work, kind, confirmed), stop)

    waiting = [r.name for r in changed]
    return _rolled(fleet, RollOut(rolling, waiting, deferred, attempt, several.rolling.pause_after))


def _assert_known(work: Work, results: Sequence[TargetResult], several: Several) -> None:
    """Raise UnknownRollout if no journal knows the roll-out; other shards may know it."""
    if results and all(r.unknown for r in results) and not several.targets.shard:
        raise UnknownRollout(f"no journal of these targets records roll-out {work.undo}")


def _refusal(
    work: Work,
    results: Sequence[TargetResult],
    groups: Sequence[PlanGroup],
    rolling: RolloutSettings,
) -> str:
    """Return why no batch is run: too many failures, or no confirmation; "" to begin."""
    failed = sum(r.status == "failed" for r in results)
    if rolling.ends(failed, 0, len(results)):
        return f"{targets(failed)} cannot be planned"
    if groups and not work.execution.yes:
        return "" if rollout_confirmed(_question(work, groups, rolling)) else "not confirmed"
    return ""


def _rolled(fleet: Fleet, roll: RollOut) -> RolloutReport:
    with watch_targets(quiet=fleet.work.execution.quiet) as view, stopping(roll.stop):
        fleet.view = view
        number = len(roll.waiting) + len(roll.deferred)
        view.phase(f"roll-out {fleet.work.rollout} to {targets(number)}", number)
        for result in roll.results():
            fleet.results[result.name] = result
    ended = roll.ended or ("stopped" if roll.stop.is_set() else "")
    return fleet.report(ended, [*(_advice(fleet) if ended else ()), *_left(fleet)])


def _not_begun(fleet: Fleet, reason: str) -> RolloutReport:
    for name, result in fleet.results.items():
        if result.status == "changed":
            fleet.results[name] = not_begun(name, reason)
    return fleet.report(f"{reason}: nothing is changed")


def _question(work: Work, groups: Sequence[PlanGroup], rolling: RolloutSettings) -> str:
    number = sum(len(group.names) for group in groups)
    plans = "1 plan" if len(groups) == 1 else f"{len(groups)} plans"
    serial = ", ".join(map(str, rolling.serial))
    doing = "undo" if work.undo else "run"
    return f"{doing} {plans} on {targets(number)}, in batches of {serial}"


def _left(fleet: Fleet) -> Iterator[str]:
    """Yield how to undo the runs of a roll-out that are left."""
    if left := sum(bool(r.left) for r in fleet.results.values()):
        name = fleet.work.undo
        yield (
            f"roll-out {name} went on, and earlier runs of it are left on {targets(left)}; to undo"
            f" them: reconcile rollback --rollout {name}, with the same targets"
        )


def _advice(fleet: Fleet) -> Iterator[str]:
    """Yield how to undo what was done, and how to go on."""
    work, name = fleet.work, fleet.work.rollout
    if work.command == "apply":
        if begun := [r.name for r in fleet.results.values() if r.run is not None]:
            which = f"--target {begun[0]}" if len(begun) == 1 else "and the same targets"
            yield (
                f"to undo it on {targets(len(begun))}: reconcile rollback --rollout {name} {which}"
            )
        yield f"to go on: reconcile apply --rollout {name}, with the same targets and options"
    else:
        yield "to go on: run the same command again"
