"""Read what EXPLAIN tells of a query, and how often it called functions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reconciler.bench.result import PlanFigures
from reconciler.checks.explain import Node, explained

PLAN = "EXPLAIN "
EXPLAIN = "EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) "
CALLS = """
    SELECT p.proname::text AS name,
           sum(pg_catalog.pg_stat_get_xact_function_calls(p.oid))::bigint AS calls
    FROM pg_catalog.pg_proc AS p
    WHERE p.oid >= 16384 AND pg_catalog.pg_stat_get_xact_function_calls(p.oid) > 0
    GROUP BY 1 ORDER BY 1"""


def figures(document: Any, calls: Mapping[str, int]) -> PlanFigures:
    """Return the figures of a query from the document of EXPLAIN (FORMAT JSON)."""
    top = explained(document).top
    nodes = list(top.walk())
    estimated, actual = max(map(_rows, nodes), key=_error)
    return PlanFigures(
        scans=tuple(filter(None, map(_scan, nodes))),
        rows=int(top.came_out),
        pages=top.pages,
        estimated=estimated,
        actual=actual,
        evaluations=calls,
    )


def _rows(node: Node) -> tuple[float, float]:
    """Return the expected and the true number of rows, of each loop."""
    return node.number("Plan Rows"), node.number("Actual Rows")


def _error(rows: tuple[float, float]) -> float:
    """Return by which factor an estimate is wrong, in either direction."""
    estimated, actual = (max(number, 1.0) for number in rows)
    return max(estimated / actual, actual / estimated)


def _scan(node: Node) -> str:
    """Describe how a node reads a relation; "" for other nodes."""
    kind, index, relation = map(node.text, ("Node Type", "Index Name", "Relation Name"))
    if index:
        return f"{kind} {index}" + (" with a condition" if node.text("Index Cond") else "")
    return f"{kind} {relation}" if relation else ""
