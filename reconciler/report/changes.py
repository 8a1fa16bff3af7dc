"""Changes of a plan as lines of text, for formats read by people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from reconciler.diff.diff import Action, Difference, shown
from reconciler.plan.permission import permissions_needed
from reconciler.plan.plan import Permission, Plan, Planned
from reconciler.plan.step import Step

SIGNS: dict[Action, str] = {"create": "+", "alter": "~", "drop": "-"}
MAX_INLINE = 90  # characters of both values up to which a difference is shown on one line


def change_counts(changes: Sequence[Planned]) -> str:
    """Count changes by action, as in `3 to create, 1 to drop`."""
    counts = Counter(change.action for change in changes)
    return ", ".join(f"{counts[a]} to {a}" for a in SIGNS if counts[a]) or "nothing to do"


def difference_lines(difference: Difference, indent: str) -> list[str]:
    """Show both values of a field: short values on one line, long ones below each other."""
    live, desired = shown(difference.live), shown(difference.wanted)
    if "\n" not in live + desired and len(live) + len(desired) < MAX_INLINE:
        return [f"{indent}{difference.field}: {live} → {desired}"]
    return [
        f"{indent}{difference.field}:",
        *(f"{indent}  - {line}" for line in live.strip("\n").split("\n")),
        *(f"{indent}  + {line}" for line in desired.strip("\n").split("\n")),
    ]


def refused_permissions(plan: Plan) -> list[Permission]:
    """Return the permissions still missing."""
    return [p for p in plan.permissions or permissions_needed(plan) if not p.given_by]


def allow_flags(plan: Plan) -> str:
    """Return the command line's flags to allow every hazard that nothing lets through yet."""
    hazards = {permission.hazard for permission in refused_permissions(plan)}
    return " ".join(f"--allow {hazard}" for hazard in sorted(hazards))


def described_locks(step: Step) -> str:
    """Describe the table locks of a step, the strongest first."""
    by_mode: dict[str, list[str]] = {step.lock: [step.relation]} if step.lock else {}
    for lock in step.locks:
        relations = by_mode.setdefault(lock.mode, [])
        if lock.relation not in relations:
            relations.append(lock.relation)
    modes = (f"{mode} on {', '.join(relations)}" for mode, relations in by_mode.items())
    return "; ".join(modes) or "no table lock"
