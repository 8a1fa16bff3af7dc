"""Lay out the drawings of a plan: the graph of dependencies, and the locks over time.

Only numbers are computed here: the templates of `report/html.py` draw them as SVG.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import floor, log10

from reconciler.plan.graph import graph_of, has_path
from reconciler.report.units import Unit
from reconciler.server.locks import blocked_by

MOST_UNITS = 200  # a larger drawing helps nobody
NO_LOCK = "no table lock"
LEVELS = {"reads and writes": "all", "writes": "writes", "": "none"}  # classes of the style sheet

_NODE_WIDTH, _NODE_HEIGHT, _COLUMN, _ROW = 84, 34, 99, 42
_LANE_HEAD, _MARGIN, _GAP = 22, 8, 8
_LABEL, _BAND_LABEL = 12, 60  # characters
_START, _STEP, _LANE, _AXIS, _TIME_WIDTH = 12, 23, 48, 24, 1100
_BAR_TOP = 17  # below the label of a band
_MIN_TICK = 64  # between the labels of an axis
_MIN_BAR = 2.0
_HEIGHTS = {"all": 24, "writes": 16, "none": 8}


@dataclass(frozen=True)
class Node:
    """A unit of the graph: place, size, a short label, and the class of the lock."""

    unit: Unit
    x: float
    y: float
    label: str
    level: str
    width: int = _NODE_WIDTH
    height: int = _NODE_HEIGHT


@dataclass(frozen=True)
class Band:
    """A horizontal band for a relation."""

    label: str
    y: float
    height: float


@dataclass(frozen=True)
class Graph:
    """The units in columns: each right of all needed units, in the band of the lock."""

    width: float
    height: float
    bands: Sequence[Band]
    nodes: Sequence[Node]
    edges: Sequence[tuple[float, float, float, float]]


@dataclass(frozen=True)
class Bar:
    """A lock of a unit: place, size, class, and mode."""

    unit: Unit
    relation: str
    mode: str
    x: float
    y: float
    width: float
    height: float
    level: str


@dataclass(frozen=True)
class Timeline:
    """The locks on each relation, with ticks of the axis: place and label."""

    width: float
    height: float
    bands: Sequence[Band]
    bars: Sequence[Bar]
    ticks: Sequence[tuple[float, str]]


def level_of(mode: str) -> str:
    """Return the class of a lock mode by the blocked commands."""
    return LEVELS[blocked_by(mode)]


def draw_graph(units: Sequence[Unit]) -> Graph | None:
    """Lay out the dependencies; None for a graph without edges and for too many units."""
    if not 1 < len(units) <= MOST_UNITS:
        return None
    needs = _reduced(units)
    depth = _depths(needs)
    lanes = list(dict.fromkeys(_lane(unit) for unit in units))
    bands: list[Band] = []
    nodes: dict[int, Node] = {}
    top = float(_MARGIN)
    for lane in lanes:
        own = [unit for unit in units if _lane(unit) == lane]
        rows = 0
        for column in sorted({depth[unit.number] for unit in own}):
            here = [unit for unit in own if depth[unit.number] == column]
            here.sort(key=lambda u: (_mean_height(needs[u.number], nodes), u.number))
            rows = max(rows, len(here))
            for row, unit in enumerate(here):
                x, y = _MARGIN + column * _COLUMN, top + _LANE_HEAD + row * _ROW
                nodes[unit.number] = Node(unit, x, y, _short(unit), level_of(unit.lock))
        height = _LANE_HEAD + rows * _ROW + _GAP
        bands.append(Band(_clip(lane, _BAND_LABEL), top, height - _GAP / 2))
        top += height
    edges = [_edge(nodes[need], nodes[number]) for number, found in needs.items() for need in found]
    width = 2 * _MARGIN + max(depth.values()) * _COLUMN + _NODE_WIDTH
    return Graph(max(width, 360), top, bands, list(nodes.values()), edges)


def _reduced(units: Sequence[Unit]) -> dict[int, set[int]]:
    """Map units to the directly needed units."""
    graph = graph_of(
        (u.number for u in units), ((u.number, need) for u in units for need in u.needs)
    )
    reduced: dict[int, set[int]] = {}
    for number, found in graph.items():
        reduced[number] = {
            need
            for need in found
            if not any(other != need and has_path(graph, other, need) for other in found)
        }
    return reduced


def _depths(needs: Mapping[int, set[int]]) -> dict[int, int]:
    """Return the length of the longest path to each unit; needed units come first."""
    depths: dict[int, int] = {}
    for number in sorted(needs):
        depths[number] = max((depths[need] + 1 for need in needs[number]), default=0)
    return depths


def _mean_height(needs: set[int], nodes: Mapping[int, Node]) -> float:
    placed = [nodes[need].y for need in needs if need in nodes]
    return sum(placed) / len(placed) if placed else 1e9  # free units below the others


def _edge(start: Node, end: Node) -> tuple[float, float, float, float]:
    half = _NODE_HEIGHT / 2
    return start.x + _NODE_WIDTH, start.y + half, end.x, end.y + half


def _lane(unit: Unit) -> str:
    return next(iter(unit.locks), NO_LOCK)


def _short(unit: Unit) -> str:
    """Return the name of the first object, without schema and table."""
    identity = unit.steps[0].identity
    return _clip(identity.split(" on ")[0].split("(")[0].rsplit(".", 1)[-1], _LABEL)


def _clip(text: str, longest: int) -> str:
    """Leave out the beginning of a long text: ends of names differ more than beginnings."""
    return text if len(text) <= longest else f"…{text[1 - longest :]}"


def draw_order(units: Sequence[Unit]) -> Timeline | None:
    """Lay out the locks in the order of the units; widths are no times."""
    bands = _bands(units)
    if not bands or len(units) > MOST_UNITS:
        return None
    bars: list[Bar] = []
    for place, unit in enumerate(units):
        width = _STEP - 2.0 if unit.is_long else _STEP / 2
        x = _START + place * _STEP + (_STEP - width) / 2
        bars += _bars(unit, bands, x, width)
    every = -(-_MIN_TICK // _STEP)
    ticks = [
        (_START + place * _STEP + _STEP / 2, unit.steps[0].id)
        for place, unit in enumerate(units)
        if place % every == 0
    ]
    return _timeline(_START + max(len(units) * _STEP, 330), bands, bars, ticks)


def draw_times(units: Sequence[Unit]) -> Timeline | None:
    """Lay out the locks of a run over the recorded time; None if nothing is recorded."""
    spans = [(unit, unit.span) for unit in units]
    measured = [(unit, span) for unit, span in spans if span is not None]
    bands = _bands([unit for unit, _ in measured])
    if not bands or len(measured) > MOST_UNITS:
        return None
    start = min(begin for _, (begin, _) in measured)
    total = max((max(end for _, (_, end) in measured) - start).total_seconds(), 0.001)
    scale = _TIME_WIDTH / total
    bars: list[Bar] = []
    for unit, (begin, end) in measured:
        x = _START + (begin - start).total_seconds() * scale
        width = max((end - begin).total_seconds() * scale, _MIN_BAR)
        bars += _bars(unit, bands, x, width)
    ticks = [(_START + value * scale, f"{value:g} s") for value in _round_values(total)]
    return _timeline(_START + _TIME_WIDTH + 20, bands, bars, ticks)


def _round_values(total: float) -> list[float]:
    """Return round values from 0 up to a total, some four to ten."""
    power = 10 ** floor(log10(total))
    step = next(s * power for s in (1, 0.5, 0.2, 0.1) if total / (s * power) >= 4)
    return [round(n * step, 6) for n in range(int(total / step) + 1)]


def _bands(units: Sequence[Unit]) -> dict[str, Band]:
    """Give a band to each locked relation, if they are not too many."""
    relations = list(dict.fromkeys(r for unit in units for r in unit.locks))
    if len(relations) > MOST_UNITS:
        return {}
    return {
        relation: Band(_clip(relation, _BAND_LABEL), _AXIS + n * _LANE, _LANE - 4)
        for n, relation in enumerate(relations)
    }


def _bars(unit: Unit, bands: Mapping[str, Band], x: float, width: float) -> list[Bar]:
    bars: list[Bar] = []
    for relation, mode in unit.locks.items():
        level, band = level_of(mode), bands[relation]
        height = _HEIGHTS[level]
        y = band.y + _BAR_TOP + (_HEIGHTS["all"] - height) / 2
        bars.append(Bar(unit, relation, mode, round(x, 2), y, round(width, 2), height, level))
    return bars


def _timeline(
    width: float,
    bands: Mapping[str, Band],
    bars: Sequence[Bar],
    ticks: Sequence[tuple[float, str]],
) -> Timeline:
    found = [*bands.values()]
    placed = [(round(x, 2), label) for x, label in ticks]
    return Timeline(width, _AXIS + len(found) * _LANE + 4, found, bars, placed)
