"""Differences from the declared state as lines of text, for formats read by people."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from reconciler.counted import agreeing, as_they_should_be, counted
from reconciler.diff.diff import Difference
from reconciler.drift.result import MEANINGS, DriftReport, ObjectDrift, TargetDrift
from reconciler.report.changes import SIGNS, difference_lines

INDENT = "      "


def report_lines(report: DriftReport) -> Iterator[str]:
    """Yield the differences of each target, and for several targets a line of recap for each."""
    if not report.several:
        for target in report.targets:
            yield from target_lines(target)
        return
    for target in report.targets:
        if target.status == "different" or target.objects:
            yield from target_lines(target)
            yield ""
    if not report.targets:
        yield "0 targets: nothing to compare"
    width = max((len(target.name) for target in report.targets), default=0)
    for target in report.targets:
        yield f"{target.name:{width}}  {target.status:9}  {verdict(target)}"


def target_lines(target: TargetDrift) -> Iterator[str]:
    """Yield the verdict on a target, and its differences, first those that concern security."""
    for note in target.notes:
        first, *more = note.split("\n")
        yield f"note: {first}"
        yield from (f"  {line}" for line in more)
    yield f"{target.name}: {verdict(target)}"
    for found in target.objects:
        yield f"  {SIGNS[found.action]} {title(found)}"
        yield from difference_texts(found, INDENT)
        if about := history_of(found):
            yield f"{INDENT}{about}"


def verdict(target: TargetDrift) -> str:
    """Return the result in a few words, or the first line of the error."""
    if target.error:
        (error, *_) = target.error.split("\n")
        beside = f"; beside that, {_differing(target)}" if target.objects else ""
        return f"{error}{beside}"
    if target.in_sync:
        return f"no drift, {as_they_should_be(target.unchanged, 'declared object')}"
    return _differing(target)


def _differing(target: TargetDrift) -> str:
    """Return how many objects differ, by class."""
    total = target.unchanged + len(target.objects)
    counts = ", ".join(f"{number} {word}" for word, number in target.counts.items())
    security = target.security_count
    concern = f"; {security} about security" if security else ""
    differ = agreeing(len(target.objects), "differs", "differ")
    return f"{len(target.objects)} of {counted(total, 'object')} {differ}: {counts}{concern}"


def title(found: ObjectDrift) -> str:
    """Return the object, the class, and the meaning of the class."""
    mark = " [security]" if found.security else ""
    return f"{found.title}{mark} {found.drift_class}: {MEANINGS[found.drift_class]}"


def difference_texts(found: ObjectDrift, indent: str) -> Iterator[str]:
    """Yield the values of each field: live, declared, and the last run's value if different."""
    for each in found.fields:
        name = f"{each.field} (live → declared)"
        yield from difference_lines(
            Difference(field=name, live=each.live, wanted=each.wanted), indent
        )
        if each.recorded and each.applied not in (each.live, each.wanted):
            left = Difference(field=f"{each.field} (last applied → live)", live=each.applied)
            yield from difference_lines(left.model_copy(update={"wanted": each.live}), indent)


def history_of(found: ObjectDrift) -> str:
    """Describe the last changes by the last run, and of the catalog's row."""
    parts: list[str] = []
    if run := found.last_run:
        status = "" if run.status == "done" else f", {run.status}"
        parts.append(f"last applied by run {run.id} at {moment(run.at)}{status}")
    if trace := found.trace:
        when = f" at {moment(trace.committed_at)}" if trace.committed_at else ""
        ago = "the latest" if trace.age <= 1 else f"{trace.age:,} transactions ago"
        parts.append(f"last written by transaction {trace.transaction}{when}, {ago}")
    if found.owner:
        parts.append(f"owner {found.owner}")
    return "; ".join(parts)


def moment(at: datetime) -> str:
    """Return a time in UTC, to the second."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
