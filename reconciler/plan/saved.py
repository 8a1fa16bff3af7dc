"""Compare a saved plan with the plan that would be made now, and check its signature."""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from hashlib import sha256
from itertools import zip_longest
from typing import Any

from reconciler.plan.plan import ORIGIN_FIELDS, Plan, Planned
from reconciler.plan.step import Step

MAX_LISTED = 3
CLIPPED = 200  # characters of a command in a message
_PURPOSE = b"reconcile plan 1\n"  # a key that signs other documents too signs no plan by chance
# what a plan is about, besides its steps and changes; sizes and positions are in none of these
_FIELDS = ("database", "in_sync", "touches", "renames", "rollback_of", "checks")


def signed(plan: Plan, key: bytes | None) -> Plan:
    """Return the plan with a signature, unless there is no key."""
    if key is None:
        return plan
    return plan.model_copy(update={"signature": _signature(plan, key)})


def has_signature(plan: Plan, key: bytes) -> bool:
    """Return whether the signature was made of the plan with the key."""
    return hmac.compare_digest(plan.signature.encode(), _signature(plan, key).encode())


def _signature(plan: Plan, key: bytes) -> str:
    document = plan.model_dump_json(exclude={"signature"})
    return hmac.new(key, _PURPOSE + document.encode(), sha256).hexdigest()


def disagreements(saved: Plan, derived: Plan) -> list[str]:
    """Describe how a saved plan differs from the plan that would be made now.

    Not compared are sizes, estimates, notes and positions, the reasons of hazards, which hold
    sizes, and owners of new objects: where the declaration names none, that is the role that runs
    the plan, which may be another than the role that made it.
    """
    steps = [*_different_steps(saved, derived)]
    changes = [*_different_changes(saved, derived)] if not steps else []
    others = [f"`{f}` differs" for f in _FIELDS if getattr(saved, f) != getattr(derived, f)]
    found = [*steps, *changes, *others]
    more = [f"and {len(found) - MAX_LISTED} more"] if len(found) > MAX_LISTED else []
    return [*found[:MAX_LISTED], *more]


def _different_steps(saved: Plan, derived: Plan) -> Iterator[str]:
    for number, (ours, now) in enumerate(zip_longest(saved.steps, derived.steps), 1):
        if ours is None:
            yield f"step {number} is missing: {_clipped(now.sql)}"
        elif now is None:
            yield f"step {number} would not be planned: {_clipped(ours.sql)}"
        else:
            before, after = _compared(ours), _compared(now)
            different = [field for field in before if before[field] != after[field]]
            if different:
                yield f"step {number} has another {', '.join(different)}: {_clipped(ours.sql)}"


def _compared(step: Step) -> dict[str, Any]:
    fields = step.model_dump(mode="json", exclude={"hazards"})
    return fields | {"hazards": sorted({h.hazard for h in step.hazards})}


def _different_changes(saved: Plan, derived: Plan) -> Iterator[str]:
    for ours, now in zip_longest(saved.changes, derived.changes):
        change = ours or now
        if ours is None or now is None or _comparable(ours) != _comparable(now):
            yield f"the change of {change.kind} {change.identity} differs"


def _comparable(change: Planned) -> dict[str, Any]:
    """Return a change without its origin, and without the owner of a new object."""
    fields = change.model_dump(mode="json", exclude=ORIGIN_FIELDS)
    if change.before is None and change.after is not None:
        fields["after"] = {k: v for k, v in change.after.items() if k != "owner"}
    return fields


def _clipped(sql: str) -> str:
    return sql if len(sql) <= CLIPPED else f"{sql[:CLIPPED]}…"
