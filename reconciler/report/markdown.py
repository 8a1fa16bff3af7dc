"""Markdown for a pull request's comment."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.plan.plan import Plan
from reconciler.report.words import SIGNS, allow_flags, counted, difference


def plan(of: Plan) -> str:
    """A plan: a verdict, hazards, what differs, and the SQL behind a fold."""
    return "\n".join(_plan(of)) + "\n"


def _plan(of: Plan) -> Iterator[str]:
    yield f"## reconcile: {counted(of.changes)}"
    yield ""
    yield f"Target {_code(of.target)}; {of.unchanged} declared objects are as they should be."
    yield from (f"\n> {n}" for n in of.notes)
    if of.in_sync:
        return
    if of.scratch:
        yield f"Proven on {of.scratch}: the plan leads to the declared state, its undo leads back."
    if hazards := of.hazards():
        yield "\n> [!WARNING]"
        for hazard, reasons in sorted(hazards.items()):
            yield from (f"> **{hazard}**: {reason}  " for reason in reasons)
        yield f"> `apply` needs {_code(allow_flags(of))}"
    yield "\n| | kind | object | differs in |"
    yield "|-|-|-|-|"
    for change in of.changes:
        fields = ", ".join(_code(d.field) for d in change.differences)
        yield f"| {SIGNS[change.action]} | {change.kind} | {_code(change.identity)} | {fields} |"
    yield from _details(of)


def _details(of: Plan) -> Iterator[str]:
    changed = [c for c in of.changes if c.differences]
    if changed:
        yield from ("\n<details><summary>What differs</summary>\n", "```diff")
        for change in changed:
            yield f"@@ {change.kind} {change.identity} @@"
            for item in change.differences:
                yield from (
                    line.lstrip() if line.lstrip()[:2] in ("- ", "+ ") else line
                    for line in difference(item, "  ")
                )
        yield from ("```", "</details>")
    yield from (f"\n<details><summary>{len(of.steps)} steps</summary>\n", "```sql")
    for step in of.steps:
        lock = f"{step.lock} on {step.relation}" if step.lock else "no table lock"
        yield f"-- {step.id}: {lock}, {'transaction ' + step.transaction if step.transaction else 'outside transactions'}"
        yield step.sql.replace("```", "` ` `") + ";"
    yield from ("```", "</details>")


def _code(words: str) -> str:
    """Words as code that no Markdown in them can leave."""
    fence = "`" * (
        1 + max((len(run) for run in words.split() if set(run) == {"`"}), default=words.count("`"))
    )
    return f"{fence}{' ' if '`' in words else ''}{words.replace('|', chr(92) + '|').replace(chr(10), ' ')}{' ' if '`' in words else ''}{fence}"
