"""Findings of lint in plain text, apart from `text`, which is slow to import."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from reconciler.counted import counted
from reconciler.escape import MAX_LINE, Document, document
from reconciler.lint.result import LintResult
from reconciler.lint.rule import SEVERITIES, Finding

if TYPE_CHECKING:
    from reconciler.plan.plan import PlanFinding

INDENT = "      "


def lint(result: LintResult) -> Document:
    """Render the findings with their positions and fixes, the gravest first."""
    return document(_lines(result), longest=MAX_LINE)


def _lines(result: LintResult) -> Iterator[str]:
    for finding in result.findings:
        at = f"{finding.position}: " if finding.position else ""
        yield f"{at}{finding.severity}: {finding.identity}: {finding.message} [{finding.rule}]"
        yield from (f"{INDENT}{line}" for line in finding.fix.split("\n"))
    if result.findings:
        yield ""
    yield finding_counts(result.findings)
    if result.accepted:
        yield f"{len(result.accepted)} more are accepted, with a reason"
    if result.known:
        yield f"{len(result.known)} more are in the baseline"
    if result.findings:
        yield "`reconcile explain RULE` tells why a finding is a fault"


def finding_counts(findings: Sequence[Finding | PlanFinding]) -> str:
    """Count findings of lint by severity, as in `3 findings: 1 error, 2 notes`."""
    counts = Counter(finding.severity for finding in findings)
    each = [counted(counts[s], s) for s in SEVERITIES if counts[s]]
    return counted(len(findings), "finding") + (f": {', '.join(each)}" if each else "")
