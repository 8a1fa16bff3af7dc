"""List the hazards of a plan by object, each with a digest of the change that it comes from."""

from __future__ import annotations

import json
from collections.abc import Iterable
from hashlib import sha256
from typing import Any

from reconciler.model.statement import HazardKind
from reconciler.plan.plan import Permission, Plan, Planned
from reconciler.plan.step import Step

FILE = "approvals.yml"


def permissions_needed(plan: Plan) -> tuple[Permission, ...]:
    """Return a permission for each hazard of each object, none of them given yet."""
    by_hazard: dict[tuple[HazardKind, str], list[Step]] = {}
    for step in plan.steps:
        for hazard in dict.fromkeys(h.hazard for h in step.hazards):
            by_hazard.setdefault((hazard, f"{step.kind} {step.identity}"), []).append(step)
    return tuple(
        _permission(hazard, named, steps, plan) for (hazard, named), steps in by_hazard.items()
    )


def _permission(hazard: HazardKind, named: str, steps: list[Step], plan: Plan) -> Permission:
    reasons = (h.reason for step in steps for h in step.hazards if h.hazard == hazard)
    digest = _digest(hazard, named, steps, plan)
    return Permission(
        hazard=hazard,
        object=named,
        digest=digest,
        reasons=tuple(dict.fromkeys(reasons)),
        steps=tuple(step.id for step in steps),
        line=_line(hazard, named, digest),
    )


def _digest(hazard: str, named: str, steps: Iterable[Step], plan: Plan) -> str:
    """Return the digest of before → after of what the steps change, and of the SQL for it.

    Only the SQL tells how values are converted or filled. Steps that change no object by
    themselves, such as those that recreate a dependent, stand for all changes of the plan.
    """
    objects = {each for step in steps for each in step.objects}
    own = [c for c in plan.changes if (c.kind, c.identity) in objects]
    sql = [s.sql for s in plan.steps if not own or objects & {*s.objects}]
    changes = sorted(map(_compared, own or plan.changes), key=json.dumps)
    document = json.dumps([hazard, named, changes, sql], sort_keys=True)
    return sha256(document.encode()).hexdigest()


def _compared(change: Planned) -> list[Any]:
    differences = [[d.field, d.live, d.wanted] for d in change.differences]
    values = [change.before, change.after, differences]
    return json.loads(json.dumps([change.action, change.kind, change.identity, *values]))


def _line(hazard: str, named: str, digest: str) -> str:
    """Return the line of approvals.yml that lets the hazard through, without its reason."""
    quoted = json.dumps(named, ensure_ascii=False)
    return f'- {{hazard: {hazard}, object: {quoted}, digest: {digest}, reason: ""}}'
