"""Render the result of watching a run as lines of text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from reconciler.counted import agreeing, counted
from reconciler.monitor.observed import duration
from reconciler.monitor.promises import AS_LEFT, GONE
from reconciler.monitor.result import Figure, Finding, Monitoring, Promise
from reconciler.report.changes import difference_lines

INDENT = "      "
FIGURE_HEAD = ("figure", "of", "now or since", "before")
MAX_FIGURES = 60


def monitor_lines(result: Monitoring) -> Iterator[str]:
    """Yield broken promises first, then findings, then the rest of the promises."""
    yield (
        f"run {result.run} of {result.target}: {result.status}, ended {duration(result.age)} ago;"
        f" window: a {result.window.name}"
    )
    if result.undone:
        yield result.undone
    counts = (f"{result.count(v)} {v}" for v in ("kept", "not kept", "not measurable"))
    yield f"promises: {', '.join(counts)}; findings: {len(result.findings)}"
    yield from _section("not kept", "!", result.promises)
    yield from _findings(result.findings)
    yield from _section("not measurable", "?", result.promises)
    yield from _kept([p for p in result.promises if p.verdict == "kept"])
    if result.unseen:
        yield ""
        yield "not seen"
        yield from (f"  ? {line}" for line in result.unseen)
    yield ""
    yield (
        result.window.then
        if result.age >= result.window.seconds
        else (
            f"look again when the {result.window.name} is over: in"
            f" {duration(result.window.seconds - result.age)}"
        )
    )
    yield ""


def figure_rows(figures: Iterable[Figure]) -> list[Sequence[str]]:
    """Return the rows of a table of the known figures other than zero."""
    known = [f for f in figures if f.value or (f.value is not None and f.before)]
    rows = [(f.name, f.subject or "database", _number(f.value), _number(f.before)) for f in known]
    more = [(f"{len(rows) - MAX_FIGURES} more: --format json shows all", "", "", "")]
    return [*rows[:MAX_FIGURES], *(more if len(rows) > MAX_FIGURES else ())]


def _section(verdict: str, sign: str, promises: Sequence[Promise]) -> Iterator[str]:
    found = [p for p in promises if p.verdict == verdict]
    if not found:
        return
    yield ""
    yield verdict
    for promise in found:
        yield f"  {sign} {promise.subject}, {promise.promise}: {promise.reason}"
        for difference in promise.differences:
            title = f"{difference.field} (left → now)"
            yield from difference_lines(difference.model_copy(update={"field": title}), INDENT)


def _findings(findings: Sequence[Finding]) -> Iterator[str]:
    if not findings:
        return
    yield ""
    yield "to look at"
    for finding in findings:
        yield f"  ! {finding.rule}: {finding.subject}: {finding.message}"
        if finding.fix:
            yield f"{INDENT}{finding.fix}"


def _kept(promises: Sequence[Promise]) -> Iterator[str]:
    """Yield measured promises, and the number of unchanged objects."""
    if not promises:
        return
    yield ""
    yield "kept"
    objects = [p for p in promises if p.promise in (AS_LEFT, GONE)]
    if objects:
        number = len(objects)
        shown = f"{counted(number, 'object')} {agreeing(number, 'is', 'are')}"
        yield f"    {shown} as the run left {agreeing(number, 'it', 'them')}"
    for promise in promises:
        if promise.promise not in (AS_LEFT, GONE):
            yield f"    {promise.subject}, {promise.promise}: {promise.reason}"


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value == int(value) or abs(value) >= 100 else f"{value:.3g}"
