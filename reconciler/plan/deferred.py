"""Collect operations for the deferred parts of remaining objects.

A deferred part needs further objects: a sequence's owner needs a column whose default needs the
sequence. It is removed before such an object is dropped, and defined again after that is created.
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
    """Remove deferred parts before needed objects are dropped, and define the parts again."""
    for obj in operations.live.objects.values():
        loses = any(_is_lost(operations, needed) for needed in deferred_needs(obj))
        if loses and (removal := list(remove_deferred(obj, operations.context))):
            _remove_and_define(operations, obj, removal)
            continue
        _define_in_undo(operations, obj)
        if loses and Operation.post_create(obj.ref) not in operations.statements:
            _define(operations, obj.ref)


def _remove_and_define(operations: Operations, obj: Object, removal: list[Statement]) -> None:
    """Remove the deferred part of an object; define the part again for a remaining object."""
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
    """Define the whole deferred part of a remaining object."""
    if ref not in operations.desired:
        return
    if statements := complete_deferred(operations.desired[ref], None, operations.context):
        operations.add(Operation.post_create(ref), "alter", statements, unit)


def _define_in_undo(operations: Operations, obj: Object) -> None:
    """Define the deferred part in the undo of drops: of the object and of needed objects."""
    own = Operation.drop(obj.ref)
    definition = tuple(s.sql for s in define_deferred(obj, operations.context))
    own_statement = own in operations.statements and own not in operations.part_of
    if own_statement and obj.ref not in operations.recreation.kept:
        operations.extend_undo(own, definition)
    for drop in {operations.drop_of(needed) for needed in deferred_needs(obj)} - {None, own}:
        assert drop
        operations.extend_undo(drop, definition)


def _swap_unit(operations: Operations, obj: Object) -> Ref | None:
    """Return the swapped column responsible for recreating a needed object."""
    recreated, shadows = operations.recreation.recreated, operations.recreation.shadows
    roots = (recreated.get(needed, needed) for needed in deferred_needs(obj))
    return next((root for root in roots if root in shadows), None)


def _needs_replaced(operations: Operations, obj: Object) -> bool:
    """Tell whether an object needed both before and after is replaced."""
    if obj.ref not in operations.desired:
        return False
    lasting = deferred_needs(obj) & deferred_needs(operations.desired[obj.ref])
    return any(_is_replaced(operations, needed) for needed in lasting)


def _is_lost(operations: Operations, ref: Ref) -> bool:
    """Tell whether the object is dropped or replaced."""
    return operations.drop_of(ref) is not None or _is_replaced(operations, ref)


def _is_replaced(operations: Operations, ref: Ref) -> bool:
    """Tell whether the object is replaced without DROP and CREATE."""
    if ref in operations.recreation.shadows:
        return True
    before, after = operations.live.get(ref), operations.desired.get(ref)
    return before is not None and after is not None and replaces_object(after, before)
