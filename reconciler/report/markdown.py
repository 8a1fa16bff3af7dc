"""Markdown for a pull request's comment.

What comes from outside stands in code only, in which GitHub interprets nothing: no tag, link,
@mention or reference. The document is cut where a comment could not hold it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from reconciler.bench.result import Benchmark
from reconciler.checks.result import Result
from reconciler.drift.result import DriftReport, ObjectDrift
from reconciler.errors import ReconcileError
from reconciler.escape import Document, document
from reconciler.evidence.model import Evidence
from reconciler.plan.plan import Plan
from reconciler.report import figures
from reconciler.report.changes import (
    SIGNS,
    change_counts,
)
from reconciler.report.drift_lines import difference_texts, history_of, verdict
from reconciler.report.markdown_plan import diff_line, plan_blocks
from reconciler.report.markdown_report import report_lines
from reconciler.report.markdown_runbook import runbook_lines
from reconciler.report.quoting import Block, cell, code, code_block, fold, table_row
from reconciler.report.verdicts import WORDS, check_counts, finding_lines

MAX_LENGTH = 65_000  # characters; GitHub accepts 65,536 in a comment
NOTICE_LENGTH = 200


def plan(plan: Plan) -> Document:
    """Render the verdict, the hazards, the changes by table, and the steps behind a fold."""
    return document(_cut(plan_blocks(plan)))


def error(error: ReconcileError) -> Document:
    """Render why a command failed."""
    head = Block(("## reconcile: an error", ""))
    return document(_cut([head, code_block("text", error.described().split("\n"))]))


def checks(plan: Plan, results: Sequence[Result]) -> Document:
    """Render the verdict, a table of checks, and the reasons of failures behind folds."""
    return document(_cut(_check_blocks(plan, results)))


def _check_blocks(plan: Plan, results: Sequence[Result]) -> Iterator[Block]:
    yield Block((f"## reconcile verify: {check_counts(results)}", ""))
    structure = "as declared" if plan.in_sync else change_counts(plan.changes)
    yield Block((f"Target {code(plan.target)}; the structure: {structure}.",))
    if plan.changes:
        yield Block(
            tuple(_table_lines(plan)), ("", "| | kind | object | differs in |", "|-|-|-|-|")
        )
    rows = tuple(f"| {WORDS[r.status]} | {cell(r.name)} | {r.seconds:.2f} s |" for r in results)
    yield Block(rows, ("", "| | check | time |", "|-|-|-:|"))
    for result in results:
        if not result.passed:
            yield Block(("", f"**{WORDS[result.status]}** {code(result.name)}"))
            lines = (line for f in result.findings for line in finding_lines(f))
            yield fold("Why", "text", lines)


def drift(report: DriftReport) -> Document:
    """Render a line for each target, and a table of differences with the values behind a fold."""
    return document(_cut(_drift_blocks(report)))


def _drift_blocks(report: DriftReport) -> Iterator[Block]:
    yield Block((f"## reconcile drift: {report.status}", ""))
    rows = (
        (t.status, cell(t.name), cell(verdict(t)), str(t.security_count or ""))
        for t in report.targets
    )
    yield Block(tuple(map(table_row, rows)), ("| | target | result | security |", "|-|-|-|-|"))
    for target in report.targets:
        if target.notes or target.objects:
            yield Block(("", f"### {code(target.name)}"))
        yield Block(tuple(line for note in target.notes for line in ("", f"> {code(note)}")))
        if target.objects:
            table = tuple(table_row(_drift_cells(found)) for found in target.objects)
            yield Block(table, ("", "| | class | object | last change |", "|-|-|-|-|"))
        if lines := [line for found in target.objects for line in _drift_lines(found)]:
            yield fold("What differs", "diff", lines)


def _drift_cells(found: ObjectDrift) -> tuple[str, ...]:
    mark = ", security" if found.security else ""
    about = history_of(found)
    cells = cell(found.title), cell(about) if about else ""
    return SIGNS[found.action], f"**{found.drift_class}**{mark}", *cells


def _drift_lines(found: ObjectDrift) -> Iterator[str]:
    if found.fields:
        yield f"@@ {found.title} @@"
        yield from map(diff_line, difference_texts(found, "  "))


def report(evidence: Evidence) -> Document:
    """Render the report, uncut: it is a file, and no comment."""
    return document(report_lines(evidence))


def runbook(evidence: Evidence) -> Document:
    """Render the runbook with its checklist, uncut."""
    return document(runbook_lines(evidence))


def benchmark(benchmark: Benchmark) -> Document:
    """Render a table for each scale, and how the queries read their relations behind a fold."""
    return document(_cut(_benchmark_blocks(benchmark)))


def _benchmark_blocks(benchmark: Benchmark) -> Iterator[Block]:
    yield Block((f"## reconcile: the workload on {code(benchmark.server)}",))
    rules = tuple("|-" for _ in figures.HEAD)
    head = (table_row(figures.HEAD), "".join(rules) + "|")
    for scale in benchmark.scales:
        yield Block(("", f"### {code(figures.title(benchmark, scale))}", ""))
        cells = (map(cell, row) for row in figures.table(benchmark, scale))
        yield Block(tuple(table_row(row) for row in cells), head)
        reads = (": ".join(row) for row in figures.reads(benchmark, scale))
        yield fold("How relations are read", "", reads)
    yield Block(("", *(f"- {_explained(line, benchmark)}" for line in figures.EXPLANATION)))


def _explained(line: str, benchmark: Benchmark) -> str:
    return line.format(baseline=code(benchmark.baseline))


def _cut(blocks: Iterable[Block]) -> Iterator[str]:
    """Yield the lines fitting into a comment, and the number of lines left out."""
    space, left_out = MAX_LENGTH - NOTICE_LENGTH, 0
    for block in blocks:
        around = sum(len(line) + 1 for line in (*block.head, *block.tail))
        if left_out or around > space:
            left_out += len(block.lines) or 1
            continue
        space -= around
        yield from block.head
        for number, line in enumerate(block.lines):
            space -= len(line) + 1
            if space < 0:
                left_out = len(block.lines) - number
                break
            yield line
        yield from block.tail
    if left_out:
        yield ""
        yield (f"> {left_out:,} more lines do not fit into a comment: `--format text` shows them.")


def _table_lines(plan: Plan) -> Iterator[str]:
    for change in plan.changes:
        fields = ", ".join(cell(difference.field) for difference in change.differences)
        yield f"| {SIGNS[change.action]} | {change.kind} | {cell(change.identity)} | {fields} |"
