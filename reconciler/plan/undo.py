"""Plan the undo of alterations undone by a replacement only, such as a new enum value."""

from __future__ import annotations

from reconciler.diff.diff import Change
from reconciler.model.inheritance import is_partitioned
from reconciler.model.ref import Ref
from reconciler.model.state import State
from reconciler.model.statement import Hazard, HazardKind
from reconciler.plan.collect import collect_operations
from reconciler.plan.operations import Operations
from reconciler.plan.order import steps_in_order


def add_undo_of_one_way(operations: Operations) -> None:
    """Give each one-way alteration an undo, or a hazard without an undo."""
    for operation in operations.one_way:
        reverse = _reverse(operations, operation.ref)
        first, *others = operations.statements[operation]
        if hazard := _irreversible(operation.ref, reverse):
            changed = {"hazards": (*first.hazards, hazard)}
        else:
            sql = (step.sql for step in steps_in_order(reverse))
            changed = {"undo": (*sql, *(first.undo or ()))}
        operations.statements[operation] = [first.model_copy(update=changed), *others]


def _reverse(operations: Operations, ref: Ref) -> Operations:
    """Collect the operations to turn an altered object back.

    Objects that the plan drops are not there then: their undo comes later. The reverse operations
    need no undo themselves.
    """
    live, desired = operations.live, operations.desired
    remaining = {r: o for r, o in live.objects.items() if r not in operations.dropped}
    state = State({**remaining, ref: desired[ref]}, live.edges)
    change = Change(ref, desired[ref], live[ref])
    return collect_operations([change], state, live, operations.context)


def _irreversible(ref: Ref, reverse: Operations) -> Hazard | None:
    """Return a hazard if the undo would drop a partitioned table with all rows."""
    for table in reverse.recreation.recreated:
        if is_partitioned(reverse.live.get(table)):
            reason = f"{ref} cannot be taken back while {table} is partitioned by it"
            return Hazard(hazard=HazardKind.IRREVERSIBLE, reason=reason)
    return None
