"""Foresee what readers of a plan ask: how large the locked relations are, what a rollback risks."""

from __future__ import annotations

from dataclasses import replace

from reconciler.diff.diff import changes
from reconciler.diff.inherited import with_inheritance
from reconciler.errors import ReconcileError
from reconciler.model.statement import HazardKind
from reconciler.plan.make import Comparison, PlanInfo, make_plan
from reconciler.plan.plan import Plan, RelationSize

MOST_CHANGES = 500  # a quarter of the time of planning; nobody rolls back a new database


def with_facts(plan: Plan, comparison: Comparison) -> Plan:
    """Return the plan with the sizes of the relations that it locks, and the undo's hazards."""
    if not plan.steps:
        return plan
    locked = {lock.relation for step in plan.steps for lock in step.locks}
    sizes = tuple(
        RelationSize(relation=ref.identity, rows=size.rows, bytes=size.bytes)
        for ref, size in comparison.context.sizes.items()
        if ref.identity in locked
    )
    return plan.model_copy(update={"sizes": sizes, "undo_hazards": _undo_hazards(comparison)})


def _undo_hazards(comparison: Comparison) -> tuple[HazardKind, ...] | None:
    """Return the hazards of a plan that leads back; None where no such plan can be made now.

    The rollback is planned from the journal, on the state that it finds then: other changes until
    then may bring other hazards.
    """
    if comparison.renamings or len(comparison.changes) > MOST_CHANGES:
        return None
    live, desired = comparison.desired, comparison.live
    found = with_inheritance(changes(live, desired), live, desired)
    context = replace(comparison.context, leftovers={}, unfinished={})
    try:
        back = make_plan(Comparison(found, live, desired, context), PlanInfo())
    except ReconcileError:
        return None
    return tuple(sorted(back.hazards()))
