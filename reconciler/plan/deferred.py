"""Collect operations to remove and define deferred parts of existing objects.

A deferred part needs further objects: a sequence's owner needs a column whose default needs the
sequence. The part is removed before a needed object is dropped, and defined after the needed
object is created again.
"""

from __future__ import annotations

from collections.abc import Set

from reconciler.model.deferred import (
    CreatedAsShell,
    deferred_needs,
    deferred_on,
    deferred_statements,
    define_deferred,
    remove_deferred,
)
from reconciler.model.object import Object
from reconciler.model.online_recipe import replaces_object
from reconciler.model.partitioned import PartitionedObject
from reconciler.model.ref import Ref
from reconciler.model.statement import Statement
from reconciler.plan.operations import Operation, Operations
from reconciler.plan.shells import complete_in_undo, undo_with_completion


def collect_deferred_parts(operations: Operations) -> None:
    """Remove deferred parts before DROP of a needed object, and define the parts again.

    Where a new object takes the name of the needed one in a transaction, the part is defined there.
    """
    if not operations.changes and not operations.statements:
        return
    for obj in operations.live.objects.values():
        lost = {
            n for n, owner in operations.deferred_needs(obj).items() if _is_lost(operations, owner)
        }
        if isinstance(obj, CreatedAsShell):
            complete_in_undo(operations, obj, lost)
            continue
        for needed in sorted(lost, key=lambda r: r.order):
            if operations.swaps_names(owner := operations.deferred_needs(obj)[needed]):
                _follow_swap(operations, obj, needed, owner)
                lost.discard(needed)
        if removal := _removal(operations, obj, lost):
            _remove_and_define(operations, obj, removal, lost)
            continue
        _define_in_undo(operations, obj)
        if lost and Operation.post_create(obj.ref) not in operations.statements:
            _define(operations, obj.ref)
    undo_with_completion(operations)


def _follow_swap(operations: Operations, obj: Object, needed: Ref, owner: Ref) -> None:
    """Define the deferred part at the end of the transaction that swaps the needed object."""
    desired = operations.desired.get(obj.ref)
    if desired is None or needed not in deferred_needs(desired):
        return
    context, swap = operations.context, Operation.create(owner)
    places = [n for n, s in enumerate(operations.statements[swap]) if s.swaps_names]
    first, end = places[0], places[-1] + 1
    statements = operations.statements[swap]
    undo = (s.sql for s in define_deferred(deferred_on(obj, {needed}), context))
    before = statements[first]
    recreated = define_deferred(deferred_on(desired, {needed}), context)
    operations.statements[swap] = [
        *statements[:first],
        before.model_copy(update={"undo": (*(before.undo or ()), *undo)}),
        *statements[first + 1 : end],
        *(s.model_copy(update={"undo": (), "swaps_names": True}) for s in recreated),
        *statements[end:],
    ]


def _removal(operations: Operations, obj: Object, lost: Set[Ref]) -> list[Statement]:
    """Remove the deferred part of an object as far as it refers to lost objects."""
    return list(remove_deferred(deferred_on(obj, lost), operations.context)) if lost else []


def _remove_and_define(
    operations: Operations, obj: Object, removal: list[Statement], lost: Set[Ref]
) -> None:
    """Remove the deferred part of an object, and define the part again if the object stays."""
    ref = obj.ref
    unit = _unit(operations, obj, lost)
    is_dropped = operations.drop_of(ref) is not None
    unplanned = Operation.post_create(ref) not in operations.statements
    redefined = unplanned or (not is_dropped and _needs_replaced(operations, obj))
    if is_dropped or redefined:
        operations.add(Operation.pre_drop(ref), "alter", removal, unit)
    if redefined and not is_dropped:
        _define(operations, ref, unit)


def _define(operations: Operations, ref: Ref, unit: Ref | None = None) -> None:
    """Define the whole deferred part of a desired object."""
    if ref not in operations.desired:
        return
    if statements := deferred_statements(operations.desired[ref], None, operations.context):
        operations.add(Operation.post_create(ref), "alter", statements, unit)


def _define_in_undo(operations: Operations, obj: Object) -> None:
    """Add the deferred part to the undo of DROP, of the object itself and of needed objects."""
    own = Operation.drop(obj.ref)
    definition = tuple(s.sql for s in define_deferred(obj, operations.context))
    own_statement = own in operations.statements and own not in operations.part_of
    if own_statement and obj.ref not in operations.recreation.kept:
        operations.extend_undo(own, definition)
    for drop in {operations.drop_of(needed) for needed in deferred_needs(obj)} - {None, own}:
        assert drop
        operations.extend_undo(drop, definition)


def _unit(operations: Operations, obj: Object, lost: Set[Ref]) -> Ref | None:
    """Return the unit of the transaction in which an object is recreated that the part needs."""
    recreated, shadows = operations.recreation.recreated, operations.recreation.shadows
    owners = [owner for n, owner in operations.deferred_needs(obj).items() if n in lost]
    roots = {owner: recreated.get(owner, owner) for owner in owners}
    return next((r for o, r in roots.items() if r in shadows or _is_exchanged(operations, o)), None)


def _is_exchanged(operations: Operations, ref: Ref) -> bool:
    """Tell whether an index is recreated: a table uses it, and must not be without."""
    recreated = ref in operations.recreation.recreated
    return ref in operations.exchanged or (
        recreated and isinstance(operations.live[ref], PartitionedObject)
    )


def _needs_replaced(operations: Operations, obj: Object) -> bool:
    """Tell whether an object needed by both the live and the desired deferred part is replaced."""
    if obj.ref not in operations.desired:
        return False
    lasting = deferred_needs(obj) & deferred_needs(operations.desired[obj.ref])
    owners = operations.deferred_needs(obj)
    return any(_is_replaced(operations, owners[needed]) for needed in lasting)


def _is_lost(operations: Operations, ref: Ref) -> bool:
    """Tell whether the object is dropped or replaced."""
    gone = operations.drop_of(ref) is not None or operations.swaps_names(ref)
    return gone or _is_replaced(operations, ref)


def _is_replaced(operations: Operations, ref: Ref) -> bool:
    """Tell whether the object is replaced without DROP and CREATE, as by a column swap."""
    if ref in operations.recreation.shadows:
        return True
    before, after = operations.live.get(ref), operations.desired.get(ref)
    return before is not None and after is not None and replaces_object(after, before)
