"""Plain text for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import get_args

from reconciler.apply.outcome import Outcome, StepOutcome
from reconciler.bench.result import Benchmark
from reconciler.checks.attached import names as attached_names
from reconciler.checks.model import Moment
from reconciler.checks.result import Result
from reconciler.counted import as_they_should_be, counted
from reconciler.drift.result import DriftReport
from reconciler.escape import MAX_LINE, Document, document
from reconciler.journal.history import Detail, Run, StepRecord
from reconciler.model.state import Declaration
from reconciler.monitor.result import Monitoring
from reconciler.plan.permission import FILE, permissions_needed
from reconciler.plan.plan import Plan, Planned
from reconciler.plan.step import Step
from reconciler.report import figures
from reconciler.report.changes import (
    SIGNS,
    allow_flags,
    change_counts,
    described_locks,
    difference_lines,
    refused_permissions,
)
from reconciler.report.drift_lines import report_lines
from reconciler.report.monitored import FIGURE_HEAD, figure_rows, monitor_lines
from reconciler.report.rollout_lines import rollout_lines, summary
from reconciler.report.text_lint import INDENT, finding_counts
from reconciler.report.verdicts import WORDS, check_counts, finding_lines
from reconciler.rollout.groups import PlanGroup
from reconciler.rollout.result import RolloutReport
from reconciler.server.embedded import EmbeddedServer

PAST_TENSE = {"create": "created", "alter": "altered", "drop": "dropped"}
HISTORY_HEAD = ("run", "when", "who", "target", "status", "what", "took")


def plan(plan: Plan) -> Document:
    """Render hazards first, then the changes, then the steps with the locks taken."""
    return _joined(_plan_lines(plan))


def differences(plan: Plan) -> Document:
    """Render the changes from one state to another."""
    return _joined(_differences_lines(plan))


def _differences_lines(plan: Plan) -> Iterator[str]:
    if plan.in_sync:
        yield f"{plan.target}: no difference"
        return
    yield f"{plan.target}: {change_counts(plan.changes)}"
    for change in plan.changes:
        yield from _change_lines(change)


def _plan_lines(plan: Plan) -> Iterator[str]:
    yield from (f"note: {note}" for note in plan.notes)
    if plan.in_sync:
        unchanged = as_they_should_be(plan.unchanged, "declared object")
        yield f"{plan.target}: nothing to do, {unchanged}"
        return
    yield plan.target
    yield from _hazard_lines(plan)
    yield from _answer_lines(plan)
    yield ""
    yield f"{change_counts(plan.changes)}; {as_they_should_be(plan.unchanged)}"
    for change in plan.changes:
        yield from _change_lines(change)
    yield ""
    yield plan.step_count
    for step in plan.steps:
        yield from _step_lines(step)
    if plan.findings:
        yield ""
        yield f"lint: {finding_counts(plan.findings)} on what changes; apply does not mind them"
        for finding in plan.findings:
            yield f"  {finding.severity}: {finding.object}: {finding.message} [{finding.rule}]"
            yield from _indented(finding.fix)
    yield ""
    yield (
        f"proven on {plan.scratch}: the plan leads to the declared state, its undo leads back"
        if plan.scratch
        else "not proven"
    )
    yield from (f"not proven: that {each}" for each in plan.unproven)
    for moment in get_args(Moment):
        if names := attached_names(plan.checks, moment):
            yield f"checks {moment} it: {', '.join(names)}"


def _hazard_lines(plan: Plan) -> Iterator[str]:
    needed = plan.permissions or permissions_needed(plan)
    if not needed:
        return
    yield ""
    yield "hazards"
    for permission in sorted(needed, key=lambda p: (p.hazard, p.object)):
        yield from (f"  ! {permission.hazard}: {reason}" for reason in permission.reasons)
        if permission.given_by:
            yield f"{INDENT}{permission.object}: let through by {permission.given_by}"
    if refused := refused_permissions(plan):
        yield f"  apply refuses unless it is told: {allow_flags(plan)}"
        yield f"  or unless {FILE}, beside reconcile.yml, has these lines, with a reason:"
        yield from (f"  {permission.line}" for permission in refused)


def _answer_lines(plan: Plan) -> Iterator[str]:
    if plan.answers:
        yield ""
        yield "rows of the target"
        yield from (f"  {'x' if a.refuses else '?'} {a.message}" for a in plan.answers)
        if any(a.refuses for a in plan.answers):
            yield "  apply refuses as long as these rows are there"


def _change_lines(change: Planned) -> Iterator[str]:
    yield f"  {SIGNS[change.action]} {change.kind} {change.identity}"
    for difference in change.differences:
        yield from difference_lines(difference, INDENT)


def _step_lines(step: Step) -> Iterator[str]:
    lock = described_locks(step)
    block = f"transaction {step.transaction}" if step.transaction else "outside transactions"
    until = "every row has its value" if step.fill and step.fill.computed else "no row is null"
    batches = f"; in batches, until {until}" if step.fill else ""
    path = f"; search_path {step.search_path}" if step.search_path else ""
    yield f"  {step.id}  -- {lock}; {block}{batches}{path}"
    yield from _indented(step.sql)


def rollout(report: RolloutReport) -> Document:
    """Render a line for each target, and the counts on the last line."""
    return _joined(rollout_lines(report))


def plan_groups(groups: Sequence[PlanGroup]) -> Document:
    """Render each plan once, below the targets that have it."""
    return _joined(chain.from_iterable(map(_group_lines, groups)))


def _group_lines(group: PlanGroup) -> Iterator[str]:
    yield group.title
    if group.whole:
        yield from _plan_lines(group.plan)
    else:
        yield f"  {summary(group.plan)}"
    yield ""


def drift(report: DriftReport) -> Document:
    """Render the differences between the declaration and the live databases."""
    return _joined(report_lines(report))


def checks(plan: Plan, results: Sequence[Result]) -> Document:
    """Render a line for each check, with the reasons of a failure below, and the count."""
    return _joined(_check_lines(plan, results))


def _check_lines(plan: Plan, results: Sequence[Result]) -> Iterator[str]:
    yield f"{'ok' if plan.in_sync else 'FAILED':9}the structure is as declared"
    yield from (f"         {c.action} {c.kind} {c.identity}" for c in plan.changes)
    yield from result_lines(results)


def checks_after(results: Sequence[Result]) -> Document:
    """Render the checks run by `apply` after the last step; nothing without checks."""
    lines = result_lines(results) if results else iter(())
    hint = "the steps are done; `reconcile rollback` plans the way back"
    return _joined(chain(lines, () if all(r.passed for r in results) else (hint,)))


def result_lines(results: Sequence[Result]) -> Iterator[str]:
    """Yield the lines of checks with their findings, and the count."""
    for result in results:
        yield f"{WORDS[result.status]:9}{result.name} ({result.seconds:.2f} s)"
        for finding in result.findings:
            yield from finding_lines(finding, " " * 7)
    yield check_counts(results)


def validation(folder: Path, declaration: Declaration) -> Document:
    """Render the content of a declaration without faults."""
    objects = len(declaration.objects) + len(declaration.absent)
    checks, queries = len(declaration.checks), len(declaration.workload)
    counted = f"objects: {objects}, checks: {checks}, queries of the workload: {queries}"
    return document([f"{folder}: no fault found ({counted})"])


def servers(servers: Sequence[EmbeddedServer]) -> Document:
    """Render the kept servers, with their folders below."""
    if not servers:
        return document(["there are no embedded servers"])
    return _joined(line for server in servers for line in _server_lines(server))


def _server_lines(server: EmbeddedServer) -> Iterator[str]:
    if server.pid is None:
        yield f"{server.name}: stopped"
    else:
        since = f" since {_local_time(server.since)}" if server.since else ""
        idle = f"{server.idle / 60:g} min after its last use"
        yield f"{server.name}: running{since}, process {server.pid}; stops {idle}"
        yield f"{INDENT}socket  {server.sockets}"
    yield f"{INDENT}data    {server.data}"


def history(runs: Sequence[Run]) -> Document:
    """Render a table of runs, the latest first."""
    if not runs:
        return document(["no runs are recorded"])
    return _joined(_table(_without_empty([HISTORY_HEAD, *map(_history_row, runs)])))


def _without_empty(table: Sequence[Sequence[str]]) -> Iterator[Sequence[str]]:
    """Yield the rows of a table without the columns that have nothing but a head."""
    kept = [place for place, cells in enumerate(zip(*table[1:], strict=True)) if any(cells)]
    return ([row[place] for place in kept] for row in table)


def _table(rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Yield the lines of a table, with columns as wide as the widest cell."""
    table = list(rows)
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        cells = (f"{cell:{width}}" for cell, width in zip(row, widths, strict=True))
        yield "  ".join(cells).rstrip()


def _history_row(run: Run) -> tuple[str, ...]:
    return (
        str(run.id),
        _local_time(run.started_at),
        _user(run),
        run.run_target.label if run.run_target else "",
        run.status,
        _achieved(run),
        _duration(run.seconds),
    )


def benchmark(benchmark: Benchmark) -> Document:
    """Render a table for each scale, and how the queries read their relations."""
    return _joined(_benchmark_lines(benchmark))


def benchmark_summary(benchmark: Benchmark) -> Document:
    """Render what each query saves in the declared state."""
    return _joined(_table(figures.summary(benchmark)))


def _benchmark_lines(benchmark: Benchmark) -> Iterator[str]:
    yield benchmark.server
    for scale in benchmark.scales:
        yield ""
        yield figures.title(benchmark, scale)
        yield from _table([figures.HEAD, *figures.table(benchmark, scale)])
        yield ""
        yield from _table(figures.reads(benchmark, scale))
        yield ""
    yield from (line.format(baseline=benchmark.baseline) for line in figures.EXPLANATION)


def run(detail: Detail) -> Document:
    """Render a run: user and time, the plan's changes, and the outcome of every step."""
    return _joined(_run_lines(detail))


def _run_lines(detail: Detail) -> Iterator[str]:
    run, plan = detail.run, detail.plan
    yield f"run {run.id}: {run.status}, {_achieved(run)}"
    yield f"  started {_local_time(run.started_at)}, took {_duration(run.seconds)}"
    commit = f", commit {run.git_commit}" if run.git_commit else ""
    yield f"  by {_user(run)}, reconcile {run.version}{commit}"
    yield f"  plan {run.digest or plan.digest}"
    if run.run_target and run.run_target.label:
        yield f"  for {run.run_target}"
    yield ""
    for change in plan.changes:
        yield from _change_lines(change)
    yield ""
    records = {record.step_id: record for record in detail.steps}
    for step in plan.steps:
        yield from _recorded_step_lines(step, records.get(step.id))


def _recorded_step_lines(step: Step, record: StepRecord | None) -> Iterator[str]:
    if record is None:
        yield f"  {step.id}  not recorded"
    else:
        tries = f", {record.attempts} attempts" if record.attempts > 1 else ""
        yield f"  {step.id}  {record.status} in {_duration(record.seconds)}{tries}"
    yield from _indented(step.sql)
    if record is not None and record.error:
        yield from (f"{INDENT}! {line}" for line in record.error.split("\n"))


def recap(outcome: Outcome) -> Document:
    """Render the end of `apply`: failures, skipped steps, and the counts on the last line."""
    return _joined(_recap_lines(outcome))


def _recap_lines(outcome: Outcome) -> Iterator[str]:
    for step in outcome.steps:
        if step.status == "failed":
            yield f"failed: {_step_title(step)}"
            yield from (f"    {line}" for line in step.error.split("\n"))
    for step in outcome.steps:
        if step.status == "skipped":
            yield f"skipped: {_step_title(step)}: {step.error}"
    yield from (f"still different: {line}" for line in outcome.left)
    yield from (f"note: {line}" for line in outcome.notes)
    if outcome.unseen:
        yield f"unknown: whether anything still differs could not be looked at: {outcome.unseen}"
    yield (
        f"ok={outcome.ok} changed={outcome.changed} "
        f"failed={outcome.failed} skipped={outcome.skipped}"
    )


def monitor(result: Monitoring) -> Document:
    """Render the promises and findings of a run, and below them the figures."""
    figures = _table([FIGURE_HEAD, *rows]) if (rows := figure_rows(result.figures)) else ()
    return _joined(chain(monitor_lines(result), figures))


def _step_title(outcome: StepOutcome) -> str:
    step = outcome.step
    return f"step {step.id}, {step.action} {step.kind} {step.identity}"


def _achieved(run: Run) -> str:
    """Count the objects changed by a run, as in `3 created (2 of 3 steps)`."""
    counts = [f"{run.changes[a]} {PAST_TENSE[a]}" for a in SIGNS if run.changes.get(a)]
    rollback = f"rollback of {run.rollback_of}: " if run.rollback_of is not None else ""
    partly = "" if run.done == run.steps else f" ({run.done} of {counted(run.steps, 'step')})"
    return rollback + (", ".join(counts) or "nothing") + partly


def _user(run: Run) -> str:
    return f"{run.role_name} ({run.client_user}@{run.client_host})"


def _local_time(moment: datetime) -> str:
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S %z")


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "?"
    if seconds < 100:
        return f"{seconds:.1f} s"
    if seconds < 6000:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def _indented(sql: str) -> Iterator[str]:
    return (f"{INDENT}{line}" for line in sql.split("\n"))


def _joined(lines: Iterator[str]) -> Document:
    return document(lines, longest=MAX_LINE)
