"""Draw the figures of a benchmark, by matplotlib."""

from __future__ import annotations

from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import Any

from reconciler.bench.result import Benchmark, Measured
from reconciler.errors import SettingsError
from reconciler.escape import one_line

Axes = Any  # of matplotlib, which declares the types of few parameters

SUFFIXES = (".svg", ".png")
# Told apart by people with any colour vision: https://jfly.uni-koeln.de/color/
COLOURS = ("#555555", "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00")
_BAR = 0.8  # width of all bars of a query


def assert_drawable(file: Path) -> None:
    """Raise SettingsError for a name without one of SUFFIXES, and without matplotlib."""
    if file.suffix not in SUFFIXES:
        raise SettingsError(f"--picture {file}: the name ends with {' or '.join(SUFFIXES)}")
    if find_spec("matplotlib") is None:
        raise SettingsError("--picture needs matplotlib: pip install 'pg-reconciler[bench]'")


def draw(benchmark: Benchmark, file: Path) -> bytes:
    """Return the picture for a file of this name, SVG or PNG.

    It shows each query in each variant, and against the scale where there are several scales.

    Raises SettingsError as `assert_drawable` does.
    """
    assert_drawable(file)
    import matplotlib as plots  # noqa: PLC0415 - slow to import, and optional
    from matplotlib.figure import Figure  # noqa: PLC0415

    queries = list(dict.fromkeys(m.query.name for m in benchmark.measured))
    scales = benchmark.scales
    panels = 1 if len(scales) < 2 else 1 + len(queries)
    rows = 1 + (panels + 1) // 3  # three curves beside each other
    untyped: Any = plots
    with untyped.rc_context({"svg.hashsalt": "reconcile", "text.parse_math": False}):
        size = max(8.0, 1.6 * len(queries)), 4.0 * rows
        figure: Any = Figure(figsize=size, layout="constrained")
        grid = figure.add_gridspec(rows, 3)
        _bars(figure.add_subplot(grid[0, :]), benchmark, queries, scales[-1])
        for place, query in enumerate(queries if panels > 1 else ()):
            _curves(figure.add_subplot(grid[1 + place // 3, place % 3]), benchmark, query)
        picture = BytesIO()
        figure.savefig(
            picture,
            format=file.suffix.removeprefix("."),
            metadata={"Date": None} if file.suffix == ".svg" else None,
        )
    return picture.getvalue()


def _bars(axes: Axes, benchmark: Benchmark, queries: list[str], scale: float) -> None:
    width = _BAR / len(benchmark.variants)
    for number, variant in enumerate(benchmark.variants):
        found = {
            m.query.name: m for m in benchmark.measured if (m.scale, m.variant) == (scale, variant)
        }
        heights = [_height(found.get(query)) for query in queries]
        places = [place + number * width for place in range(len(queries))]
        axes.bar(places, heights, width, label=one_line(variant), color=_colour(number))
    centre = (_BAR - width) / 2
    labels = [one_line(query).replace("_", " ") for query in queries]
    axes.set_xticks([place + centre for place in range(len(queries))], labels, rotation=20)
    _logarithmic(axes, "y")
    axes.set_ylabel("milliseconds, median")
    axes.set_title(f"scale {scale:g}")
    axes.legend()


def _curves(axes: Axes, benchmark: Benchmark, query: str) -> None:
    for number, variant in enumerate(benchmark.variants):
        found = [m for m in benchmark.measured if (m.query.name, m.variant) == (query, variant)]
        points = [(m.scale, m.elapsed) for m in found if m.elapsed is not None]
        if points:
            axes.plot(*zip(*points, strict=True), marker="o", color=_colour(number))
    _logarithmic(axes, "x")
    _logarithmic(axes, "y")
    axes.set_xlabel("scale")
    axes.set_title(one_line(query), fontsize="small")


def _logarithmic(axes: Axes, direction: str) -> None:
    """Give the axis a logarithmic scale, with plain numbers at the powers of ten."""
    axes.set(**{f"{direction}scale": "log"})
    axis = getattr(axes, f"{direction}axis")
    axis.set_major_formatter("{x:g}")
    axis.set_minor_formatter("")


def _height(measured: Measured | None) -> float:
    return 0.0 if measured is None else measured.elapsed or 0.0


def _colour(number: int) -> str:
    return COLOURS[number % len(COLOURS)]
