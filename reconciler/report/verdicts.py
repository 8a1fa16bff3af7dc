"""Results of checks as lines of text, for formats read by people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from reconciler.checks.result import Finding, Result, Status
from reconciler.counted import counted

WORDS: Mapping[Status, str] = {"passed": "ok", "failed": "FAILED", "vacuous": "VACUOUS"}


def check_counts(results: Sequence[Result]) -> str:
    """Count checks, as in `5/6 checks passed, 1 vacuous: it found nothing to look at`."""
    counts = Counter(result.status for result in results)
    vacuous = counts["vacuous"]
    found = "it found" if vacuous == 1 else "they found"
    more = f", {vacuous} vacuous: {found} nothing to look at" if vacuous else ""
    return f"{counts['passed']}/{counted(len(results), 'check')} passed{more}"


def finding_lines(finding: Finding, indent: str = "") -> Iterator[str]:
    """Yield the lines of a complaint as an item of a list."""
    first, *more = finding.complaint.split("\n")
    yield f"{indent}- {first}"
    yield from (f"{indent}  {line}" for line in more)
