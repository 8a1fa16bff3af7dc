"""Write the figures of a benchmark as the cells of a table, for text and Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from reconciler.bench.result import Benchmark, Measured

NOT_MEASURED = "not measured"
NOT_RECORDED = "not recorded"  # of a step, in a journal
HEAD = (
    "query",
    "variant",
    "median ms",
    "95 % ms",
    "CPU ms",
    "ratio",
    "quartiles",
    "saved %",
    "promise",
    "rows",
    "pages",
    "calls",
    "estimate",
)
EXPLANATION = (
    "ratio: of the CPU time, where that was measured, else of the elapsed time, to {baseline} in"
    " the same round; the median, with its quartiles",
    "calls: of the database's own functions in one execution, but for those that PostgreSQL"
    " inlines",
    "estimate: expected and true rows of the plan's node where the estimate was most wrong",
)


def title(benchmark: Benchmark, scale: float) -> str:
    """Name a scale, and the largest tables."""
    counts = benchmark.counts.get(scale, {})
    tables = ", ".join(f"{rows:,} {name}" for name, rows in [*counts.items()][:4])
    return f"scale {scale:g}" + (f": {tables}" if tables else "")


def table(benchmark: Benchmark, scale: float) -> Iterator[Sequence[str]]:
    """Yield the rows of the table of a scale, without the head."""
    at_scale = [m for m in benchmark.measured if m.scale == scale]
    for measured in at_scale:
        yield _cells(measured, declared=measured.variant == benchmark.declared)
    for variant in benchmark.variants:
        mean = benchmark.weighted(scale, variant)
        rest = [""] * (len(HEAD) - 3)
        yield ("all, by weight", variant, _number(mean), *rest)


def summary(benchmark: Benchmark) -> Iterator[Sequence[str]]:
    """Yield a row for each query of the declared state at the last scale, with a head."""
    yield "query", f"{benchmark.baseline}, ms", f"{benchmark.declared}, ms", "saved %"
    at_scale = [m for m in benchmark.measured if m.scale == benchmark.scales[-1]]
    before = {m.query.name: m for m in at_scale if m.variant == benchmark.baseline}
    for after in at_scale:
        if after.variant == benchmark.declared:
            times = (before[after.query.name].elapsed, after.elapsed)
            saved = NOT_MEASURED if after.saved is None else f"{after.saved:.0f}"
            yield after.query.name, *map(_number, times), saved


def reads(benchmark: Benchmark, scale: float) -> Iterator[tuple[str, str, str]]:
    """Yield query, variant and the scans of relations, or the error of the query."""
    for m in benchmark.measured:
        if m.scale == scale:
            found = "; ".join(m.figures.scans) if m.figures else m.error
            yield m.query.name, m.variant, found or NOT_MEASURED


def _cells(measured: Measured, *, declared: bool) -> Sequence[str]:
    if measured.error:
        rest = [""] * (len(HEAD) - 3)
        return (measured.query.name, measured.variant, "fails", *rest)
    spread, figures = measured.spread, measured.figures
    return (
        measured.query.name,
        measured.variant,
        _number(measured.elapsed),
        _number(measured.elapsed_95),
        _number(measured.cpu),
        _number(measured.ratio),
        f"{_number(spread[0])}–{_number(spread[1])}" if spread else "",
        "" if measured.saved is None else f"{measured.saved:.1f}",
        _promise(measured) if declared else "",
        f"{figures.rows:,}" if figures else NOT_MEASURED,
        f"{figures.pages:,}" if figures else NOT_MEASURED,
        _calls(figures.evaluations) if figures else NOT_MEASURED,
        f"{figures.estimated:,.0f} / {figures.actual:,.0f}" if figures else NOT_MEASURED,
    )


def _number(value: float | None) -> str:
    """Write a number with three significant digits."""
    if value is None:
        return NOT_MEASURED
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 1 else f"{value:.3f}"


def _promise(measured: Measured) -> str:
    if measured.promise is None:
        return ""
    return f"{measured.query.promise:g}: {measured.promise}"


def _calls(calls: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {number:,}" for name, number in calls.items()) or "0"
