"""Collect operations to remove and define deferred parts of existing objects.

A deferred part needs further objects: a sequence's owner needs a column whose default needs the
sequence. The part is removed before a needed object is dropped, and defined after the needed
object is created again.
"""

from __future__ import annotations

from reconciler.model.deferred import (
    complete_deferred,
    deferred_needs,
    define_deferred,
    remove_deferred,
)
from reconciler.model.object import Object
from reconciler.model.online_recipe import replaces_object
from reconciler.model.ref import Ref
from reconciler.model.statement import Statement
from reconciler.plan.operations import Operation, Operations


def collect_deferred_parts(operations: Operations) -> None:
    """Remove deferred parts before DROP of a needed object, and define the parts again."""
    for obj in operations.live.objects.values():
        loses = any(_is_lost(operations, needed) for needed in deferred_needs(obj))
        if loses and (removal := list(remove_deferred(obj, operations.context))):
            _remove_and_define(operations, obj, removal)
            continue
        _define_in_undo(operations, obj)
        if loses and Operation.post_create(obj.ref) not in operations.statements:
            _define(operations, obj.ref)


def _remove_and_define(operations: Operations, obj: Object, removal: list[Statement]) -> None:
    """Remove the deferred part of an object, and define the part again if the object stays."""
    ref = obj.ref
    unit = _swap_unit(operations, obj)
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
    if statements := complete_deferred(operations.desired[ref], None, operations.context):
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


def _swap_unit(operations: Operations, obj: Object) -> Ref | None:
    """Return the swapped column, if the swap recreates an object needed by the deferred part."""
    recreated, shadows = operations.recreation.recreated, operations.recreation.shadows
    roots = (recreated.get(needed, needed) for needed in deferred_needs(obj))
    return next((root for root in roots if root in shadows), None)


def _needs_replaced(operations: Operations, obj: Object) -> bool:
    """Tell whether an object needed by both the live and the desired deferred part is replaced."""
    if obj.ref not in operations.desired:
        return False
    lasting = deferred_needs(obj) & deferred_needs(operations.desired[obj.ref])
    return any(_is_replaced(operations, needed) for needed in lasting)


def _is_lost(operations: Operations, ref: Ref) -> bool:
    """Tell whether the object is dropped or replaced."""
    return operations.drop_of(ref) is not None or _is_replaced(operations, ref)


def _is_replaced(operations: Operations, ref: Ref) -> bool:
    """Tell whether the object is replaced without DROP and CREATE, as by a column swap."""
    if ref in operations.recreation.shadows:
        return True
    before, after = operations.live.get(ref), operations.desired.get(ref)
    return before is not None and after is not None and replaces_object(after, before)
