"""A plan in Markdown: the verdict, the hazards, the changes by table, and the steps as a graph.

What comes from outside stands in code only. The most important comes first, because a comment is
cut at its end.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from difflib import unified_diff
from functools import cache
from typing import Any, get_args

from pydantic_core import to_jsonable_python

from reconciler.checks.attached import names
from reconciler.checks.model import Moment
from reconciler.counted import as_they_should_be, counted
from reconciler.kinds import KINDS
from reconciler.model.table_like import InheritableTable
from reconciler.plan.permission import FILE, permissions_needed
from reconciler.plan.plan import Permission, Plan, PlanFinding, Planned
from reconciler.plan.step import Step
from reconciler.report.changes import (
    SIGNS,
    allow_flags,
    change_counts,
    described_locks,
    refused_permissions,
)
from reconciler.report.mermaid import graph_lines
from reconciler.report.quoting import Block, code, code_block, fold
from reconciler.report.text_lint import finding_counts

MAX_OPEN = 40  # lines of a diff that is not folded
OTHERS = "Beside tables"
DERIVED = {"derived": True}  # the mark of fields that follow from the others
DONE = {"create": "created", "alter": "altered", "drop": "dropped"}


def plan_blocks(plan: Plan) -> Iterator[Block]:
    """Yield the blocks of a plan, the most important first."""
    yield Block((f"## reconcile: {change_counts(plan.changes)}", ""))
    yield Block((verdict(plan), ""))
    unchanged = as_they_should_be(plan.unchanged, "declared object")
    yield Block((f"Target {code(plan.target)}; {unchanged}.",))
    if plan.in_sync:
        yield from _notes(plan)
        return
    yield from _hazards(plan)
    if plan.answers:
        answers = tuple(f"> {code(answer.message)}  " for answer in plan.answers)
        yield Block(answers, ("", "> [!WARNING]"))
    yield from _notes(plan)
    yield from _changes(plan)
    if plan.findings:
        lines = (line for finding in plan.findings for line in _finding_lines(finding))
        yield fold(f"Lint: {finding_counts(plan.findings)} on what changes", "", lines)
    yield from _proof(plan)
    yield _steps(plan)


def verdict(plan: Plan) -> str:
    """Say in a sentence whether `apply` runs the plan as it stands."""
    if plan.in_sync:
        return "**The database is as declared.**"
    refused, waiting = refused_permissions(plan), sum(answer.refuses for answer in plan.answers)
    reasons = [f"{counted(len(refused), 'hazard')} to be let through"] if refused else []
    reasons += [f"rows in the way of {counted(waiting, 'step')}"] if waiting else []
    if reasons:
        return f"**`apply` refuses this plan as it stands:** {' and '.join(reasons)}."
    hazards = len(plan.permissions or permissions_needed(plan))
    why = f"{counted(hazards, 'hazard')}, let through" if hazards else "no hazards"
    return f"**`apply` runs this plan as it stands:** {why}."


def _notes(plan: Plan) -> Iterator[Block]:
    yield Block(tuple(line for note in plan.notes for line in ("", f"> {code(note)}")))


def _hazards(plan: Plan) -> Iterator[Block]:
    """Yield the hazards with their permissions, and the missing lines of approvals.yml."""
    needed = plan.permissions or permissions_needed(plan)
    if not needed:
        return
    refused = refused_permissions(plan)
    ordered = sorted(needed, key=lambda p: (bool(p.given_by), p.hazard, p.object))
    mark = "> [!CAUTION]" if refused else "> [!WARNING]"
    yield Block(tuple(line for p in ordered for line in _hazard_lines(p)), ("", mark))
    if refused:
        told = f"`apply` needs {code(allow_flags(plan))},"
        yield Block(("", f"{told} or these lines in `{FILE}`, with a reason:", ""))
        yield code_block("yaml", (p.line for p in ordered if not p.given_by))


def _hazard_lines(permission: Permission) -> Iterator[str]:
    given = f"let through by {code(permission.given_by)}" if permission.given_by else "**refused**"
    yield f"> **{permission.hazard}** of {code(permission.object)}: {given}  "
    yield from (f"> {code(reason)}  " for reason in permission.reasons)


def _changes(plan: Plan) -> Iterator[Block]:
    """Yield a heading for each table, its changes, and a diff of them."""
    tables = _tables(plan)
    groups: dict[str, list[Planned]] = {}
    for change in plan.changes:
        table = tables.get(f"{change.kind} {change.identity}", "")
        groups.setdefault(table, []).append(change)
    for table in sorted(groups, key=lambda t: not t):  # the others last
        changes = sorted(groups[table], key=lambda c: c.identity != table)  # the table itself first
        title = code(table) if table else OTHERS
        yield Block(("", f"### {title}: {change_counts(changes)}", ""))
        yield Block(tuple(_change_line(change) for change in changes))
        lines = [line for change in changes for line in _diff_lines(change)]
        if len(lines) > MAX_OPEN:
            yield fold(f"Diff of {counted(len(lines), 'line')}", "diff", lines)
        elif lines:
            block = code_block("diff", lines)
            yield Block(block.lines, ("", *block.head), block.tail)


def _tables(plan: Plan) -> dict[str, str]:
    """Map tables to themselves, and objects on relations to the relations."""
    tables = {kind for kind, known in KINDS.items() if issubclass(known, InheritableTable)}
    own = {str(r): r.identity for r in plan.touches if r.kind in tables}
    return own | {str(r): r.on.identity for r in plan.touches if r.on is not None}


def _change_line(change: Planned) -> str:
    fields = ", ".join(code(difference.field) for difference in change.differences)
    return f"- {DONE[change.action]}: {change.kind} {code(change.identity)}" + (
        f", in {fields}" if fields else ""
    )


def _diff_lines(change: Planned) -> Iterator[str]:
    """Yield the lines of a diff, by field for an altered object, else for the whole object."""
    if change.action == "alter":
        if change.differences:
            yield f"@@ {change.kind} {change.identity} @@"
        for difference in change.differences:
            yield from _compared(difference.field, difference.live, difference.wanted)
        return
    sign = SIGNS[change.action]
    yield f"{sign} {change.kind} {change.identity}"
    if change.action == "create" and change.after:
        yield from _field_lines(sign, change.kind, change.after)


def _compared(field: str, live: object, desired: object) -> Iterator[str]:
    """Yield the differing lines of two values of a field, with a few lines around."""
    before, after = _value_lines(live), _value_lines(desired)
    if len(before) == len(after) == 1:
        yield from (f"- {field}: {before[0]}", f"+ {field}: {after[0]}")
        return
    yield f"  {field}:"
    head = 3  # the names of the two files, and where the first difference is
    for line in [*unified_diff(before, after, lineterm="")][head:]:
        yield line if line.startswith("@@") else f"{line[:1]}   {line[1:]}"


def _field_lines(sign: str, kind: str, fields: Mapping[str, Any]) -> Iterator[str]:
    """Yield the fields of an object with other values than the defaults."""
    usual = _usual(kind)
    for name in (n for n in fields if n in usual):
        value = fields[name]
        if value not in (usual[name], None, "", [], {}, False):
            first, *more = _value_lines(value)
            if more:
                first, more = "", [first, *more]
            yield f"{sign}   {name}: {first}".rstrip()
            yield from (f"{sign}     {line}" for line in more)


def _value_lines(value: object) -> list[str]:
    shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return shown.strip("\n").split("\n")


@cache
def _usual(kind: str) -> Mapping[str, Any]:
    """Return the defaults of the fields of a kind that are keys of the YAML, as data."""
    fields = KINDS[kind].model_fields if kind in KINDS else {}
    return {
        name: to_jsonable_python(field.get_default(call_default_factory=False), fallback=str)
        for name, field in fields.items()
        if name != "ref" and field.json_schema_extra != DERIVED
    }


def diff_line(line: str) -> str:
    """Move a sign to the first column, where GitHub colours the line by the sign."""
    unindented = line.lstrip()
    return unindented if unindented.startswith(("- ", "+ ")) else line


def _finding_lines(finding: PlanFinding) -> Iterator[str]:
    yield f"{finding.severity}: {finding.object}: {finding.message} [{finding.rule}]"
    yield from (f"    {line}" for line in finding.fix.split("\n"))


def _proof(plan: Plan) -> Iterator[Block]:
    if plan.scratch:
        proof = "the plan leads to the declared state, its undo leads back."
        yield Block(("", f"Proven on {code(plan.scratch)}: {proof}"))
    if plan.unproven:
        yield Block(tuple(f"> Not proven: that {code(each)}  " for each in plan.unproven), ("",))
    for moment in get_args(Moment):
        if attached := names(plan.checks, moment):
            yield Block(("", f"Checks {moment} it: {', '.join(map(code, attached))}"))


def _steps(plan: Plan) -> Block:
    """Return the graph of the steps and their SQL behind a fold."""
    graph = code_block("mermaid", lines) if (lines := graph_lines(plan)) else None
    sql = code_block("sql", (line for step in plan.steps for line in _step_lines(step)))
    drawn = (*graph.head, *graph.lines, *graph.tail, "") if graph else ()
    head = ("", f"<details><summary>{plan.step_count}</summary>", "", *drawn, *sql.head)
    return Block(sql.lines, head, (*sql.tail, "", "</details>"))


def _step_lines(step: Step) -> Sequence[str]:
    lock = described_locks(step)
    block = f"transaction {step.transaction}" if step.transaction else "outside transactions"
    return (f"-- {step.id}: {lock}, {block}", *f"{step.sql};".split("\n"))
