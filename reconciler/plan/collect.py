"""Collect the operations of a plan, unordered, from the changes between two states."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

from reconciler.diff.diff import Change
from reconciler.diff.inherited import affected_by_alteration, context_of_children
from reconciler.model.commit_group import commit_group
from reconciler.model.datatype import Replaceable
from reconciler.model.deferred import deferred_statements
from reconciler.model.inheritance import restate_overrides
from reconciler.model.object import InlinePart, Object, PlanningContext, keep_through
from reconciler.model.online_recipe import recreate, reuses
from reconciler.model.online_swap import SwappedOnline
from reconciler.model.owned import granting_owners
from reconciler.model.partitioned import outgoing_namesake
from reconciler.model.ref import Ref
from reconciler.model.resumption import drop_leftover, finish_interrupted
from reconciler.model.state import State
from reconciler.model.statement import HazardKind, Statement
from reconciler.model.suspension import free_name, restore, restored, suspend
from reconciler.plan.deferred import collect_deferred_parts
from reconciler.plan.operations import Operation, Operations, Rebinding
from reconciler.plan.recreate import cyclic_foreign_keys, recreation_of, unswappable
from reconciler.plan.shells import goes_with, going_with, require_replaceable


def collect_operations(
    changes: Sequence[Change], live: State, desired: State, context: PlanningContext
) -> Operations:
    """Collect the operations for changes, and for all objects recreated because of the changes.

    Raises PlanError if a column cannot be swapped for a shadow column as its declaration asks.
    """
    context = context_of_children(context, live, desired)
    context = replace(context, granting_owners=granting_owners(live.objects, desired.objects))
    operations = Operations(live, desired, context, changes)
    effective = _without_reused(operations, changes)
    _decide_recreation(operations, effective)
    operations.exchanged = _exchanged(operations, effective)
    _drop_leftovers(operations)
    for change in effective:
        _collect_change(operations, change)
    dropped_for_good = {c.ref for c in effective if c.desired is None}
    for ref in operations.recreation.recreated:
        if ref not in dropped_for_good:
            _recreate(operations, ref)
    for ref in operations.recreation.suspended:
        _suspend_and_restore(operations, ref)
    _note_rebindings(operations)
    _finish_interrupted(operations)
    collect_deferred_parts(operations)
    return operations


def _without_reused(operations: Operations, changes: Sequence[Change]) -> list[Change]:
    """Note objects reused as part of a new object; return the remaining changes."""
    operations.created = frozenset(c.ref for c in changes if c.live is None)
    dropped = {c.ref: c.live for c in changes if c.live and c.desired is None}
    operations.context = replace(operations.context, created=operations.created, dropped=dropped)
    operations.reused = frozenset(
        ref
        for c in changes
        if c.desired
        for ref in reuses(c.desired, c.live, operations.context) - {c.ref}
    )
    return [c for c in changes if c.ref not in operations.reused]


def _exchanged(operations: Operations, changes: Sequence[Change]) -> dict[Ref, Ref]:
    """Map indexes and constraints to the ones of another kind that take their name on a table.

    Both change in one transaction: uniqueness is never away.
    """
    context, found = operations.context, dict[Ref, Ref]()
    dropped = {c.ref for c in changes if c.desired is None} - operations.dropped_alone
    for change in changes:
        if change.live is not None or change.desired is None or change.ref.on in operations.created:
            continue
        old = outgoing_namesake(change.desired, context)
        if old is not None and old.ref in dropped:
            found[old.ref] = change.ref
    return found


def _decide_recreation(operations: Operations, changes: Sequence[Change]) -> None:
    """Find the objects to recreate or suspend; complete the sets of created and dropped objects."""
    live, desired = operations.live, operations.desired
    altered = [c for c in changes if c.live]
    found = operations.recreation = recreation_of(altered, live, desired, operations.context)
    require_replaceable(found, live, desired)
    context = replace(operations.context, shadows=found.shadows)
    for ref in found.recreated.keys() & desired.objects.keys():
        operations.reused |= reuses(desired[ref], live[ref], context)
    operations.created |= found.recreated.keys()
    operations.dropped = {c.ref for c in changes if c.desired is None} | found.recreated.keys()
    operations.context = replace(
        operations.context,
        created=operations.created,
        unswappable=found.suspended.keys() | unswappable(altered, live),
    )
    operations.dropped_alone = cyclic_foreign_keys(live, operations.dropped)


def _drop_leftovers(operations: Operations) -> None:
    """Drop leftovers of interrupted builds, except leftovers reused by an operation."""
    for ref, leftover in operations.context.leftovers.items():
        if ref in operations.reused:
            continue
        is_declared = ref not in operations.context.unwanted
        if statements := drop_leftover(leftover.made, declared=is_declared):
            operations.add(Operation.drop(ref), "drop", statements)


def _collect_change(operations: Operations, change: Change) -> None:
    """Collect the operations on a changed object, unless the object is recreated or suspended."""
    found = operations.recreation
    if change.ref in operations.exchanged:
        _drop(operations, change.ref, change.ref)
    elif change.desired is None:
        _drop_for_good(operations, change.ref)
    elif change.live is None:
        _create(operations, change.desired, operations.reuses_name_of(change.ref))
    elif change.ref in found.shadows:
        _swap(operations, change.live, change.desired)
    elif change.ref not in found.recreated and change.ref not in found.suspended:
        _alter(operations, change.live, change.desired)


# -- create ------------------------------------------------------------------------------------


def _create(operations: Operations, obj: Object, root: Ref | None = None) -> None:
    """Create an object; `root` is the altered object, if the alteration causes a recreation."""
    ref, table = obj.ref, obj.ref.on
    new_table = table if table in operations.created else None
    if isinstance(obj, InlinePart) and new_table is not None:
        operations.part_of[Operation.create(ref)] = Operation.create(new_table)
        return
    unit = _unit(operations, obj, root or new_table) or ref
    statements = _creation(operations, obj, root, online=new_table is None)
    operations.add(Operation.create(ref), "create", statements, unit)
    if deferred := deferred_statements(obj, None, operations.context):
        operations.add(Operation.post_create(ref), "alter", deferred, unit)


def _unit(operations: Operations, obj: Object, root: Ref | None) -> Ref | None:
    """Return the unit of an operation; join the unit of the root with the object's own group."""
    group = commit_group(obj)
    if root is not None and group is not None and root != group:
        operations.joined.add((root, group))
    return root or group


def _creation(
    operations: Operations, obj: Object, root: Ref | None, *, online: bool
) -> list[Statement]:
    """Return the statements to create an object, or to replace the live object."""
    context, parts = operations.context, operations.desired.parts(obj.ref)
    if root is None or not online:
        return obj.create(context, parts, online=online)
    in_place = obj.ref == root or operations.exchanged.get(root) == obj.ref
    replaced = operations.live.get(root) if in_place else None
    return recreate(obj, replaced, replace(context, shadows=operations.recreation.shadows), parts)


# -- drop --------------------------------------------------------------------------------------


def _drop_for_good(operations: Operations, ref: Ref) -> None:
    """Drop an object; first rename a data type still used by suspended columns."""
    if ref in operations.recreation.set_aside:
        _set_aside(operations, ref, ref)
    else:
        _drop(operations, ref)


def _drop(operations: Operations, ref: Ref, root: Ref | None = None) -> None:
    """Drop an object, by the DROP of the object's table if the table is dropped too."""
    table = ref.on
    if table is not None and table in operations.dropped and ref not in operations.dropped_alone:
        operations.part_of[Operation.drop(ref)] = Operation.drop(table)
        return
    for owner in goes_with(operations, ref):
        operations.part_of[Operation.drop(ref)] = Operation.drop(owner)
        return
    obj, lost = operations.live[ref], _lost_with(operations, ref)
    statements = obj.drop(operations.context, lost, online=root is None)
    operations.add(Operation.drop(ref), "drop", statements, _unit(operations, obj, root))


def _lost_with(operations: Operations, ref: Ref) -> list[Object]:
    """List the objects dropped by PostgreSQL along with `ref`, to be created again by the undo."""
    live, dropped, alone = operations.live, operations.dropped, operations.dropped_alone
    return [
        *(o for o in live.objects_on(ref) if o.ref in dropped and o.ref not in alone),
        *(o for o in live.overriding(ref) if o.ref.on not in dropped),
        *(live[r] for r in going_with(operations, ref)),
    ]


# -- alter -------------------------------------------------------------------------------------


def _alter(operations: Operations, live: Object, desired: Object) -> None:
    """Alter an object in place."""
    ref, context = live.ref, operations.context
    statements = desired.alter(live, context)
    assert statements is not None
    if statements:
        if statements[0].undo is None:
            operations.one_way.add(Operation.create(ref))
        statements = _with_child_tables(operations, live, desired, statements)
    operations.add(Operation.create(ref), "alter", statements, commit_group(desired))
    if deferred := deferred_statements(desired, live, context):
        operations.add(Operation.post_create(ref), "alter", deferred, commit_group(desired))


def _with_child_tables(
    operations: Operations, live: Object, desired: Object, statements: list[Statement]
) -> list[Statement]:
    """Add statements and undo to keep parts and child tables unchanged through an alteration."""
    context = operations.context
    before, after = affected_by_alteration(live.ref, operations.live, operations.desired)
    staying = [o for o in before if o.ref.on not in operations.dropped]
    undo = [
        s.sql
        for o in staying
        for s in (
            *keep_through(o, live, desired, context),
            *restate_overrides(o, live, desired, context),
        )
    ]
    first, *others = statements
    added = [
        *(s for o in staying for s in keep_through(o, desired, live, context)),
        *(s for o in after for s in _restated(operations, o, live, desired)),
    ]
    return [
        first.model_copy(update={"undo": (*(first.undo or ()), *undo)}),
        *others,
        *(s.model_copy(update={"undo": ()}) for s in added),
    ]


def _restated(
    operations: Operations, obj: Object, live: Object, desired: Object
) -> list[Statement]:
    """Restate an override after an alteration, as it is before a change of its own, if any.

    That change commits together with the alteration: nobody sees the override half-way.
    """
    context, ref = operations.context, obj.ref
    statements = [*restate_overrides(obj, desired, live, context)]
    own_change = next((c for c in operations.changes if c.ref == ref and c.live), None)
    if not statements or own_change is None or own_change.live is None:
        return statements
    operations.units.setdefault(Operation.create(ref), ref)
    operations.joined.add((commit_group(desired) or desired.ref, ref))
    return [*restate_overrides(own_change.live, desired, live, context)]


def _swap(operations: Operations, live: Object, desired: Object) -> None:
    """Swap a column for a shadow column, then alter the differences besides the type."""
    new, context = cast("SwappedOnline", desired), operations.context
    operations.add(Operation.create(live.ref), "alter", list(new.swap(live, context)), live.ref)
    _alter_further(operations, new.after_swap(live), new)


def _alter_further(operations: Operations, intermediate: Object, desired: Object) -> None:
    """Alter the fields of a swapped or restored object still different from the desired object."""
    context = operations.context
    statements = desired.alter(intermediate, context) or ()
    if found := [*statements, *deferred_statements(desired, intermediate, context)]:
        operations.add(Operation.post_create(desired.ref), "alter", found)


# -- recreate ----------------------------------------------------------------------------------


def _recreate(operations: Operations, ref: Ref) -> None:
    """Drop and create an object on account of another change."""
    live, desired = operations.live, operations.desired
    root = operations.recreation.recreated[ref]
    if isinstance(live[ref], InlinePart) and ref.on is not None and ref.on in operations.created:
        operations.part_of[Operation.drop(ref)] = Operation.drop(ref.on)
        operations.part_of[Operation.create(ref)] = Operation.create(ref.on)
    elif ref in operations.recreation.set_aside:
        _set_aside(operations, ref, root)
        statements = desired[ref].create(operations.context, online=False)
        operations.add(Operation.create(ref), "create", statements, root)
        _without_known_weaknesses(operations, ref)
    else:
        _drop(operations, ref, root)
        if ref in desired:
            _create(operations, desired[ref], root)
            _without_known_weaknesses(operations, ref)


def _set_aside(operations: Operations, ref: Ref, root: Ref) -> None:
    """Rename a data type, and drop the renamed type once no column uses the type."""
    renamed = operations.recreation.set_aside[ref]
    renaming = list(cast("Replaceable", operations.live[ref]).rename_to_old_name(renamed))
    operations.add(Operation.drop(ref), "alter", renaming, root)
    removal = renamed.drop(operations.context, online=False)
    operations.add(Operation.post_create(ref), "drop", removal, root)


def _without_known_weaknesses(operations: Operations, ref: Ref) -> None:
    """Remove security hazards already present in the live object."""
    operation = Operation.create(ref)
    if operation not in operations.statements:
        return
    live = operations.live
    creation = live[ref].create(operations.context, live.parts(ref), online=False)
    known = {h for s in creation for h in s.hazards if h.hazard is HazardKind.WEAKENS_SECURITY}
    operations.statements[operation] = [
        s.model_copy(update={"hazards": tuple(h for h in s.hazards if h not in known)})
        for s in operations.statements[operation]
    ]


# -- suspend and restore -----------------------------------------------------------------------


def _suspend_and_restore(operations: Operations, ref: Ref) -> None:
    """Suspend and restore an object, then alter the remaining differences."""
    live, desired, context = operations.live[ref], operations.desired[ref], operations.context
    root = operations.recreation.suspended[ref]
    if root == ref and (freed := free_name(live, desired, context)) is not None:
        intermediate, statements = freed
        operations.add(Operation.drop(ref), "alter", list(statements), root)
        _alter(operations, intermediate, desired)
        return
    suspension = list(suspend(live, context) or ())
    operations.add(Operation.drop(ref), "alter", suspension, root)
    restoration = list(restore(desired, live, operations.recreation.conversions, context))
    operations.add(Operation.create(ref), "alter", restoration, root)
    _alter_further(operations, restored(desired, live, context), desired)


def _note_rebindings(operations: Operations) -> None:
    """Note new objects under restored objects: the undo must suspend the restored objects first.

    The object depends on a dropped one in the live state, and again once the plan is undone.
    """
    live, desired = operations.live, operations.desired
    for ref in operations.recreation.suspended:
        suspension = list(suspend(live[ref], operations.context) or ())
        if not suspension or isinstance(live[ref], InlinePart):
            continue
        rebinding = Rebinding(
            Operation.drop(ref),
            suspend=tuple(s.sql for s in suspension),
            restore=tuple(sql for s in reversed(suspension) for sql in s.undo or ()),
        )
        for needed in desired.needs(ref) - live.needs(ref):
            operations.rebindings.setdefault(Operation.create(needed), []).append(rebinding)


def _finish_interrupted(operations: Operations) -> None:
    """Finish the work of an interrupted run on each unfinished object before any alteration."""
    for ref, obj in operations.context.unfinished.items():
        if operations.drop_of(ref) is not None:
            continue
        operation = Operation.create(ref)
        operations.add(
            operation,
            operations.actions.get(operation, "alter"),
            [
                *finish_interrupted(obj, operations.context),
                *operations.statements.get(operation, []),
            ],
            operations.units.get(operation),
        )
