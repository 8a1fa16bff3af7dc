"""Render the runbook in Markdown; each block marked `sh` can be run by sh."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.counted import counted
from reconciler.evidence.model import Evidence
from reconciler.report.changes import change_counts
from reconciler.report.content import proof
from reconciler.report.markdown_report import source, unit_table
from reconciler.report.procedure import Item, preparation, procedure, watch_list
from reconciler.report.quoting import code
from reconciler.report.units import units_of

MARKS = {"done": "- [x]", "open": "- [ ]", "failed": "- [ ] **failed**:"}


def runbook_lines(evidence: Evidence) -> Iterator[str]:
    """Yield the lines of the runbook."""
    plan, units = evidence.plan.content, units_of(evidence.plan.content, evidence.application)
    yield f"# Runbook: {change_counts(plan.changes)}"
    yield ""
    yield (
        f"Target {code(plan.target)}. {plan.step_count} in {counted(len(units), 'commit')},"
        f" {code(proof(plan))}. {source(evidence.plan.source)}"
    )
    yield ""
    yield preparation()
    for section in procedure(evidence):
        yield from ("", f"## {section.title}", "", section.text, "")
        for item in section.items:
            yield from _item_lines(item)
    yield from ("", "## Watch", "", "In a second terminal, while the plan is applied.")
    for watched in watch_list(plan):
        yield from ("", f"**{watched.title}.** {watched.act}", "")
        yield from ("```sh", watched.command, "```")
    yield from ("", "## Steps", "")
    yield from unit_table(units, evidence)


def _item_lines(item: Item) -> Iterator[str]:
    ticked = f" Ticked by {code(item.recorded)}." if item.recorded else ""
    yield f"{MARKS[item.mark]} {item.title}{ticked}"
    yield from (f"  - {code(name)}" for name in item.named)
    if item.command:
        yield from ("", "  ```sh", f"  {item.command}", "  ```", "")
    if item.expected:
        yield from (f"  Expected: {item.expected}.", "")
