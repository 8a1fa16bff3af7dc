"""Group targets with identical plans, to show each plan once."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256

from reconciler.plan.plan import Plan
from reconciler.rollout.result import TargetResult

SHOWN_NAMES, SHOWN_PLANS = 8, 5


@dataclass(frozen=True)
class PlanGroup:
    """Targets with the same plan; `plan` is the first target's, shown if `whole`."""

    key: str
    plan: Plan
    names: Sequence[str]
    whole: bool

    @property
    def title(self) -> str:
        """The number of targets, and the first names."""
        shown = ", ".join(self.names[:SHOWN_NAMES])
        more = len(self.names) - SHOWN_NAMES
        return f"{targets(len(self.names))}: {shown}" + (f" and {more:,} more" if more > 0 else "")


def targets(number: int) -> str:
    """Return a number of targets, as in `1 target`."""
    return f"{number:,} target{'' if number == 1 else 's'}"


def key_of(plan: Plan) -> str:
    """Return a digest of the confirmed content: changes, commands, and kinds of hazards.

    Sizes, and what they do to the reasons of hazards, are each target's own.
    """
    steps = [
        [s.sql, s.undo, s.transaction, s.search_path, sorted({h.hazard for h in s.hazards})]
        for s in plan.steps
    ]
    changes = [
        [c.action, c.kind, c.identity, [d.model_dump(mode="json") for d in c.differences]]
        for c in plan.changes
    ]
    content = json.dumps([steps, changes], default=str)
    return sha256(content.encode()).hexdigest()[:16]


def groups_of(results: Iterable[TargetResult], *, every: bool = False) -> list[PlanGroup]:
    """Return the groups of targets with changes, the largest first.

    Only the first plans are shown whole, unless `every` is.
    """
    names: dict[str, list[str]] = {}
    plans: dict[str, Plan] = {}
    for result in results:
        if result.plan is not None and not result.plan.in_sync:
            key = key_of(result.plan)
            plans.setdefault(key, result.plan)
            names.setdefault(key, []).append(result.name)
    largest_first = sorted(names, key=lambda key: -len(names[key]))
    return [
        PlanGroup(key, plans[key], names[key], every or place < SHOWN_PLANS)
        for place, key in enumerate(largest_first)
    ]
