"""Render the report in Markdown, with foreign text in code only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from reconciler.counted import agreeing, counted
from reconciler.evidence.model import Evidence
from reconciler.report.changes import allow_flags, change_counts, described_locks, difference_lines
from reconciler.report.content import (
    ChangeRow,
    change_rows,
    proof,
    query_rows,
    rollback_hazards,
    seconds,
    took,
    undo_lines,
)
from reconciler.report.figures import NOT_MEASURED, NOT_RECORDED
from reconciler.report.quoting import cell, code, fold, table_row
from reconciler.report.units import Unit, units_of


def report_lines(evidence: Evidence) -> Iterator[str]:
    """Yield the lines of the report."""
    plan = evidence.plan.content
    yield f"# reconcile report: {change_counts(plan.changes)}"
    yield ""
    yield f"Target {code(plan.target)}."
    yield from _summary(evidence)
    yield from _problems(evidence)
    yield from _changes(change_rows(evidence), evidence)
    yield from _order(units_of(plan, evidence.application), evidence)
    yield from _figures(evidence)
    yield from _verification(evidence)
    yield from _way_back(evidence)


def source(text: str) -> str:
    """Return the line with the source of figures."""
    return f"Source: {code(text)}"


def unmeasured(command: str) -> Iterator[str]:
    """Yield the lines in place of missing figures."""
    yield f"**{NOT_MEASURED}**: `reconcile {command}` measures it."


def table(heads: Sequence[str]) -> Iterator[str]:
    """Yield the head of a table."""
    yield table_row(heads)
    yield "|" + "-|" * len(heads)


def folded(summary: str, language: str, lines: Iterator[str]) -> Iterator[str]:
    """Yield lines of code behind a fold."""
    block = fold(summary, language, lines)
    yield from (*block.head, *block.lines, *block.tail)


def _summary(evidence: Evidence) -> Iterator[str]:
    plan, units = evidence.plan.content, units_of(evidence.plan.content)
    yield ""
    yield "## Summary"
    yield ""
    yield f"- {plan.step_count} in {counted(len(units), 'commit')}. {source(evidence.plan.source)}"
    yield f"- Proof: {code(proof(plan))}"
    hazards = plan.hazards()
    allow = f", which `apply` needs to be told: {code(allow_flags(plan))}" if hazards else ""
    yield f"- Hazards: {', '.join(hazards) or 'none'}{allow}"
    for hazard, reasons in sorted(hazards.items()):
        yield from (f"  - **{hazard}**: {code(reason)}" for reason in reasons)
    lint = evidence.problems
    problems = f"{len(lint.content.findings)}. {source(lint.source)}" if lint else NOT_MEASURED
    yield f"- Problems: {problems}"
    if (found := evidence.verification) is not None:
        checks = found.content.checks
        passed = sum(check.status == "passed" for check in checks)
        yield f"- Checks: {passed} of {len(checks)} passed. {source(found.source)}"
    else:
        yield f"- Checks: {NOT_MEASURED}"
    if (bench := evidence.benchmark) is not None:
        promises = bench.content.promises
        kept = f"{promises.count('kept')} of {len(promises)} kept"
        yield f"- Promises: {kept}. {source(bench.source)}"
    else:
        yield f"- Promises: {NOT_MEASURED}"
    yield f"- Applied: {_applied(evidence)}"
    yield from (f"- Rows of the target: {code(answer.message)}" for answer in plan.answers)
    yield from (f"- Note: {code(note)}" for note in plan.notes)
    yield from (f"- Not proven: that {code(each)}" for each in plan.unproven)


def _applied(evidence: Evidence) -> str:
    if evidence.run is None or evidence.application is None:
        return evidence.unapplied
    run = evidence.application.run
    time = f" in {seconds(run.seconds)}" if run.seconds is not None else ""
    at = f"{run.started_at:%Y-%m-%d %H:%M %Z}"
    done = f"{run.done} of {counted(run.steps, 'step')}{time}, {at}, by {code(run.role_name)}"
    return f"{run.status}, {done}. {source(evidence.run.source)}"


def _problems(evidence: Evidence) -> Iterator[str]:
    yield from ("", "## Problems", "")
    if evidence.problems is None:
        yield from unmeasured("lint")
        return
    lint = evidence.problems.content
    if not lint.findings:
        yield "No rule of `lint` finds a fault."
    else:
        yield from table(["severity", "object", "fault", "found by"])
        for fault in lint.findings:
            cells = (cell(fault.object), cell(fault.message), cell(fault.rule))
            yield table_row([fault.severity, *cells])
    fixes = (
        line
        for fault in lint.findings
        if fault.fix
        for line in (f"-- {fault.object}", *fault.fix.split("\n"))
    )
    if any(fault.fix for fault in lint.findings):
        yield from folded("What ends them", "sql", fixes)
    if lint.accepted:
        reasons = (f"{f.object}: {f.message}. Accepted: {f.reason}" for f in lint.accepted)
        yield from folded(f"{len(lint.accepted)} accepted, each with a reason", "text", reasons)
    yield ""
    yield source(evidence.problems.source)


def _changes(rows: Sequence[ChangeRow], evidence: Evidence) -> Iterator[str]:
    yield from ("", "## Changes", "")
    if not rows:
        yield "None."
        return
    yield from table(["", "object", "steps", "locks", "size", "expected work", "hazards", "taken"])
    for row in rows:
        held = (cell(f"{h.mode} on {h.relation}, {h.how_long}") for h in row.locks)
        yield table_row(
            [
                row.sign,
                cell(f"{row.change.kind} {row.change.identity}"),
                row.ids,
                "<br>".join(held) or "none",
                "<br>".join(map(cell, row.sizes)) or "–",
                cell(row.work) if row.work else "–",
                "<br>".join(map(cell, row.hazards)) or "none",
                row.took,
            ]
        )
    yield ""
    yield (
        f"Locks, hazards, sizes and expected work: {code(evidence.plan.source)}, at the sizes of"
        " then; a time of work is computed, not measured. Time taken:"
        f" {code(evidence.run.source) if evidence.run else evidence.unapplied}."
    )
    differing = [row for row in rows if row.change.differences]
    if differing:
        lines = (line for row in differing for line in _difference_lines(row))
        yield from folded("What differs", "diff", lines)


def _difference_lines(row: ChangeRow) -> Iterator[str]:
    yield f"@@ {row.change.kind} {row.change.identity} @@"
    for difference in row.change.differences:
        yield from difference_lines(difference, "  ")


def _order(units: Sequence[Unit], evidence: Evidence) -> Iterator[str]:
    yield from ("", "## Order and locks", "")
    yield from unit_table(units, evidence)
    steps = (
        line
        for unit in units
        for step in unit.steps
        for line in (f"-- {step.id}: {described_locks(step)}", *f"{step.sql};".split("\n"))
    )
    if units:
        yield from folded("The SQL of the steps", "sql", steps)


def unit_table(units: Sequence[Unit], evidence: Evidence) -> Iterator[str]:
    """Yield a table of units: objects, locks, needs, and the recorded outcome."""
    if not units:
        yield "There are no steps."
        return
    yield from table(["steps", "does", "locks", "needs", "outcome"])
    for unit in units:
        locks = (cell(f"{mode} on {relation}") for relation, mode in unit.locks.items())
        taken = took(unit.steps, evidence.application)
        yield table_row(
            [
                unit.title,
                "<br>".join(map(cell, unit.objects)),
                "<br>".join(locks) or "none",
                ", ".join(units[need].title for need in sorted(unit.needs)) or "–",
                f"{unit.status}, {taken}" if unit.status else NOT_RECORDED,
            ]
        )
    yield ""
    yield source(evidence.run.source if evidence.run else evidence.plan.source)


def _figures(evidence: Evidence) -> Iterator[str]:
    yield from ("", "## Before and after", "")
    if evidence.benchmark is None:
        yield from unmeasured("bench")
        return
    benchmark = evidence.benchmark.content
    names = f"{code(benchmark.baseline)} and {code(benchmark.declared)}"
    yield f"Median milliseconds of each query: {names}, on {code(benchmark.server)}."
    yield ""
    yield from table(["query", "scale", "before", "after", "saved", "promised", "promise"])
    for row in query_rows(benchmark):
        figures = (row.scale, row.before, row.after, row.saved)
        yield table_row([cell(row.query), *figures, row.promise or "–", row.verdict or "–"])
    yield ""
    yield source(evidence.benchmark.source)


def _verification(evidence: Evidence) -> Iterator[str]:
    yield from ("", "## Verification", "")
    if evidence.verification is None:
        yield from unmeasured("verify")
        return
    found = evidence.verification.content
    number = len(found.drift)
    differ = f"{counted(number, 'object')} {agreeing(number, 'differs', 'differ')}"
    structure = "as declared" if found.in_sync else differ
    yield f"The structure: {structure}."
    yield ""
    yield from table(["check", "result", "time"])
    for check in found.checks:
        yield table_row([cell(check.name), check.status, seconds(check.seconds)])
    complaints = [
        line
        for check in found.checks
        for finding in check.findings
        for line in (f"{check.name}:", *finding.complaint.split("\n"))
    ]
    if complaints:
        yield from folded("Why checks did not pass", "text", iter(complaints))
    yield ""
    yield source(evidence.verification.source)


def _way_back(evidence: Evidence) -> Iterator[str]:
    plan, run = evidence.plan.content, evidence.application
    yield from ("", "## Rollback", "")
    command = f"reconcile rollback {run.run.id}" if run else "reconcile rollback"
    yield (
        f"`{command}` plans the way back from the journal. Hazards foreseen:"
        f" {rollback_hazards(plan)}. {source(evidence.plan.source)}"
    )
    if run and run.rollback:
        yield from ("", f"It was rolled back by run {run.rollback.id}.")
    if undo := undo_lines(plan):
        lines = (line for sql in undo for line in sql.split("\n"))
        yield from folded("The SQL that undoes the steps, last step first", "sql", lines)
