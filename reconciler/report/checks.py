"""Render the results of `verify`."""

from __future__ import annotations

import json
from collections.abc import Sequence

from reconciler.checks.run import Result
from reconciler.plan.plan import Plan


def as_text(structure: Plan, results: Sequence[Result]) -> str:
    """One line a check, what is wrong below it, and the count."""
    lines = [f"{'ok' if structure.in_sync else 'FAILED':8}the structure is as declared"]
    lines += [f"        {c.action} {c.kind} {c.identity}" for c in structure.changes]
    for result in results:
        lines.append(f"{'ok' if result.passed else 'FAILED':8}{result.name}")
        lines += [f"        {line}" for line in result.complaint.splitlines()]
    lines.append(f"{sum(r.passed for r in results)}/{len(results)} checks passed")
    return "\n".join(lines) + "\n"


def as_json(structure: Plan, results: Sequence[Result]) -> str:
    """The same as one JSON document."""
    checks = [{"name": r.name, "passed": r.passed, "complaint": r.complaint} for r in results]
    drift = [
        {"action": c.action, "kind": c.kind, "identity": c.identity} for c in structure.changes
    ]
    return (
        json.dumps(
            {"version": 1, "in_sync": structure.in_sync, "drift": drift, "checks": checks},
            indent=2,
            ensure_ascii=False,
        )
        + "\n"
    )
