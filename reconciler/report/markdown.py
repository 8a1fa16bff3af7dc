"""Markdown for a pull request's comment.

What comes from outside stands in code only, in which GitHub interprets nothing: no tag, link,
@mention or reference. The document is cut where a comment could not hold it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import get_args

from reconciler.bench.result import Benchmark
from reconciler.checks.attached import names
from reconciler.checks.model import Moment
from reconciler.checks.result import Result
from reconciler.escape import MAX_LINE, Document, clipped, document, one_line
from reconciler.plan.plan import Plan
from reconciler.plan.step import Step
from reconciler.report import figures
from reconciler.report.changes import (
    SIGNS,
    allow_flags,
    change_counts,
    described_locks,
    difference_lines,
)
from reconciler.report.verdicts import WORDS, check_counts, finding_lines

MAX_LENGTH = 65_000  # characters; GitHub accepts 65,536 in a comment
NOTICE_LENGTH = 200


@dataclass(frozen=True)
class _Block:
    """Lines that may be cut, between lines that open and close them."""

    lines: tuple[str, ...]
    head: tuple[str, ...] = ()
    tail: tuple[str, ...] = ()


def plan(plan: Plan) -> Document:
    """Render the verdict, the hazards, a table of changes, and the SQL behind a fold."""
    return document(_cut(_blocks(plan)))


def checks(plan: Plan, results: Sequence[Result]) -> Document:
    """Render the verdict, a table of checks, and the reasons of failures behind folds."""
    return document(_cut(_check_blocks(plan, results)))


def _check_blocks(plan: Plan, results: Sequence[Result]) -> Iterator[_Block]:
    yield _Block((f"## reconcile verify: {check_counts(results)}", ""))
    structure = "as declared" if plan.in_sync else change_counts(plan.changes)
    yield _Block((f"Target {_code(plan.target)}; the structure: {structure}.",))
    if plan.changes:
        yield _Block(
            tuple(_table_lines(plan)), ("", "| | kind | object | differs in |", "|-|-|-|-|")
        )
    rows = tuple(f"| {WORDS[r.status]} | {_cell(r.name)} | {r.seconds:.2f} s |" for r in results)
    yield _Block(rows, ("", "| | check | time |", "|-|-|-:|"))
    for result in results:
        if not result.passed:
            yield _Block(("", f"**{WORDS[result.status]}** {_code(result.name)}"))
            lines = (line for f in result.findings for line in finding_lines(f))
            yield _fold("Why", "text", lines)


def benchmark(benchmark: Benchmark) -> Document:
    """Render a table for each scale, and how the queries read their relations behind a fold."""
    return document(_cut(_benchmark_blocks(benchmark)))


def _benchmark_blocks(benchmark: Benchmark) -> Iterator[_Block]:
    yield _Block((f"## reconcile: the workload on {_code(benchmark.server)}",))
    rules = tuple("|-" for _ in figures.HEAD)
    head = (_row(figures.HEAD), "".join(rules) + "|")
    for scale in benchmark.scales:
        yield _Block(("", f"### {_code(figures.title(benchmark, scale))}", ""))
        cells = (map(_cell, row) for row in figures.table(benchmark, scale))
        yield _Block(tuple(_row(row) for row in cells), head)
        reads = (": ".join(row) for row in figures.reads(benchmark, scale))
        yield _fold("How relations are read", "", reads)
    yield _Block(("", *(f"- {_explained(line, benchmark)}" for line in figures.EXPLANATION)))


def _explained(line: str, benchmark: Benchmark) -> str:
    return line.format(baseline=_code(benchmark.baseline))


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cut(blocks: Iterable[_Block]) -> Iterator[str]:
    """Yield the lines that fit into a comment, and the number of the others."""
    space, left_out = MAX_LENGTH - NOTICE_LENGTH, 0
    for block in blocks:
        space -= sum(len(line) + 1 for line in (*block.head, *block.tail))
        if left_out or space < 0:
            left_out += len(block.lines)
            continue
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


def _blocks(plan: Plan) -> Iterator[_Block]:
    yield _Block((f"## reconcile: {change_counts(plan.changes)}", ""))
    target = f"Target {_code(plan.target)}; {plan.unchanged} declared objects"
    yield _Block((f"{target} are as they should be.",))
    yield _Block(tuple(line for note in plan.notes for line in ("", f"> {_code(note)}")))
    if plan.in_sync:
        return
    if plan.scratch:
        proof = "the plan leads to the declared state, its undo leads back."
        yield _Block(("", f"Proven on {_code(plan.scratch)}: {proof}"))
        for each in plan.unproven:
            yield _Block(("", f"> Not proven: that {_code(each)}"))
    for moment in get_args(Moment):
        if attached := names(plan.checks, moment):
            yield _Block(("", f"Checks {moment} it: {', '.join(map(_code, attached))}"))
    if plan.hazards():
        yield _Block(tuple(_hazard_lines(plan)), ("", "> [!WARNING]"))
    if plan.answers:
        answers = tuple(f"> {_code(answer.message)}  " for answer in plan.answers)
        yield _Block(answers, ("", "> [!WARNING]"))
    yield _Block(tuple(_table_lines(plan)), ("", "| | kind | object | differs in |", "|-|-|-|-|"))
    if any(change.differences for change in plan.changes):
        yield _fold("What differs", "diff", _difference_lines(plan))
    steps = (line for step in plan.steps for line in _step_lines(step))
    yield _fold(plan.step_count, "sql", steps)


def _hazard_lines(plan: Plan) -> Iterator[str]:
    yield f"> `apply` needs {_code(allow_flags(plan))}  "
    for hazard, reasons in sorted(plan.hazards().items()):
        yield from (f"> **{hazard}**: {_code(reason)}  " for reason in reasons)


def _table_lines(plan: Plan) -> Iterator[str]:
    for change in plan.changes:
        fields = ", ".join(_cell(difference.field) for difference in change.differences)
        yield f"| {SIGNS[change.action]} | {change.kind} | {_cell(change.identity)} | {fields} |"


def _difference_lines(plan: Plan) -> Iterator[str]:
    for change in plan.changes:
        if change.differences:
            yield f"@@ {change.kind} {change.identity} @@"
        for difference in change.differences:
            yield from map(_diff_line, difference_lines(difference, "  "))


def _diff_line(line: str) -> str:
    """Move a sign to the first column, where GitHub colours the line by the sign."""
    unindented = line.lstrip()
    return unindented if unindented.startswith(("- ", "+ ")) else line


def _step_lines(step: Step) -> Iterator[str]:
    lock = described_locks(step)
    block = f"transaction {step.transaction}" if step.transaction else "outside transactions"
    yield f"-- {step.id}: {lock}, {block}"
    yield from f"{step.sql};".split("\n")


def _fold(summary: str, language: str, lines: Iterable[str]) -> _Block:
    """Return a fold with a block of code, whose fence is longer than any within."""
    shown = tuple(clipped(one_line(line), MAX_LINE) for line in lines)
    fence = "`" * max([3, *(_longest_run(line) + 1 for line in shown)])
    head = ("", f"<details><summary>{summary}</summary>", "", f"{fence}{language}")
    return _Block(shown, head, (fence, "</details>"))


def _code(text: str) -> str:
    """Quote text as inline code, within a fence longer than any run of backticks in the text."""
    shown = clipped(one_line(text), MAX_LINE)
    fence = "`" * (_longest_run(shown) + 1)
    pad = " " if shown.strip(" ") != shown or "`" in shown or not shown else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


def _cell(text: str) -> str:
    """Quote text as inline code in a table, where a | ends a cell even within code."""
    return _code(text.replace("\\|", r"\x5c|")).replace("|", r"\|")


def _longest_run(text: str) -> int:
    return max(map(len, re.findall("`+", text)), default=0)
