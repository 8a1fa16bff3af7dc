"""The results of a command over several targets as lines of text."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.plan.plan import Plan
from reconciler.report.changes import change_counts
from reconciler.rollout.groups import targets
from reconciler.rollout.result import RolloutReport, TargetResult


def rollout_lines(report: RolloutReport) -> Iterator[str]:
    """Yield a line for each target, as of Ansible's recap, then why it ended, and the counts."""
    width = max((len(r.name) for r in report.results), default=0)
    for result in report.results:
        yield f"{result.name:{width}}  {result.status:11}  {outcome(result)}".rstrip()
        yield from (f"{'':{width}}  note: {note}" for note in result.notes)
    if report.ended:
        yield f"ended: {report.ended}"
    yield from report.advice
    yield totals(report)


def outcome(result: TargetResult) -> str:
    """Return the counts of objects, the run and the message, as far as there are any."""
    parts: list[str] = []
    if any(result.objects.values()):
        parts.append(" ".join(f"{name}={number}" for name, number in result.objects.items()))
    if result.run is not None:
        parts.append(f"run {result.run}")
    if result.message:
        parts.append(result.message.split("\n")[0])
    return ", ".join(parts)


def totals(report: RolloutReport) -> str:
    """Return the number of targets by status, and the name of the roll-out."""
    title = f"roll-out {report.rollout}: " if report.rollout else ""
    counts = " ".join(f"{status}={number}" for status, number in report.counts.items())
    return f"{title}{targets(len(report.results))}: {counts}"


def summary(plan: Plan) -> str:
    """Return the changes and steps of a plan in short."""
    return f"{change_counts(plan.changes)}, {plan.step_count}"
