"""Markdown for a pull request's comment."""

from __future__ import annotations

import re
from collections.abc import Iterator

from reconciler.plan.plan import Plan
from reconciler.plan.step import Step
from reconciler.report.changes import SIGNS, allow_flags, change_counts, difference_lines


def plan(plan: Plan) -> str:
    """Render the verdict, the hazards, a table of changes, and the SQL behind a fold."""
    return "\n".join(_plan_lines(plan)) + "\n"


def _plan_lines(plan: Plan) -> Iterator[str]:
    yield f"## reconcile: {change_counts(plan.changes)}"
    yield ""
    yield f"Target {_code(plan.target)}; {plan.unchanged} declared objects are as they should be."
    yield from (f"\n> {note}" for note in plan.notes)
    if plan.in_sync:
        return
    if plan.scratch:
        yield (
            f"Proven on {plan.scratch}: the plan leads to the declared state, its undo leads back."
        )
    yield from _hazard_lines(plan)
    yield from _answer_lines(plan)
    yield from _change_table(plan)
    yield from _difference_fold(plan)
    yield from _step_fold(plan)


def _hazard_lines(plan: Plan) -> Iterator[str]:
    hazards = plan.hazards()
    if not hazards:
        return
    yield "\n> [!WARNING]"
    for hazard, reasons in sorted(hazards.items()):
        yield from (f"> **{hazard}**: {reason}  " for reason in reasons)
    yield f"> `apply` needs {_code(allow_flags(plan))}"


def _answer_lines(plan: Plan) -> Iterator[str]:
    if plan.answers:
        yield "\n> [!WARNING]"
        yield from (f"> {answer.words}  " for answer in plan.answers)


def _change_table(plan: Plan) -> Iterator[str]:
    yield "\n| | kind | object | differs in |"
    yield "|-|-|-|-|"
    for change in plan.changes:
        fields = ", ".join(_code(difference.field) for difference in change.differences)
        yield f"| {SIGNS[change.action]} | {change.kind} | {_code(change.identity)} | {fields} |"


def _difference_fold(plan: Plan) -> Iterator[str]:
    changed = [change for change in plan.changes if change.differences]
    if not changed:
        return
    yield from ("\n<details><summary>What differs</summary>\n", "```diff")
    for change in changed:
        yield f"@@ {change.kind} {change.identity} @@"
        for difference in change.differences:
            yield from map(_diff_line, difference_lines(difference, "  "))
    yield from ("```", "</details>")


def _diff_line(line: str) -> str:
    """Move a sign to the first column, where GitHub colours the line by the sign."""
    unindented = line.lstrip()
    return unindented if unindented.startswith(("- ", "+ ")) else line


def _step_fold(plan: Plan) -> Iterator[str]:
    yield from (f"\n<details><summary>{len(plan.steps)} steps</summary>\n", "```sql")
    for step in plan.steps:
        yield from _step_lines(step)
    yield from ("```", "</details>")


def _step_lines(step: Step) -> Iterator[str]:
    lock = f"{step.lock} on {step.relation}" if step.lock else "no table lock"
    block = f"transaction {step.transaction}" if step.transaction else "outside transactions"
    yield f"-- {step.id}: {lock}, {block}"
    yield step.sql.replace("```", "` ` `") + ";"


def _code(text: str) -> str:
    """Quote text as inline code, within a fence longer than any run of backticks in the text."""
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence, pad = "`" * (longest + 1), " " if longest else ""
    escaped = text.replace("|", r"\|").replace("\n", " ")  # a table's cell is one line
    return f"{fence}{pad}{escaped}{pad}{fence}"
