"""Plan the undo of alterations by DROP and CREATE, as for ALTER TYPE … ADD VALUE."""

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
    """Add an undo by DROP and CREATE to alterations without an undo, or a hazard if impossible."""
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
    """Collect the operations to turn an altered object back into the live object.

    Objects that the plan drops before the alteration do not exist when the undo runs: they are
    created again later.
    """
    live, desired = operations.live, operations.desired
    dropped_before = operations.dropped
    if ref not in operations.without_dependents:
        dropped_before = dropped_before - operations.recreation.recreated.keys()
    remaining = {r: o for r, o in live.objects.items() if r not in dropped_before}
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
