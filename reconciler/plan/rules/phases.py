"""Order the phases of objects: suspension, renaming, deferred parts, global settings, roles."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.kinds import KINDS
from reconciler.model.deferred import CreatedAsShell, deferred_needs
from reconciler.model.global_object import GlobalObject
from reconciler.model.markers import AppliesLast, FiresOnDdl
from reconciler.model.partitioned import PartitionedObject
from reconciler.model.ref import Ref
from reconciler.model.suspension import suspend
from reconciler.plan.operations import Operation, Operations, Phase
from reconciler.plan.rules.dependencies import Pair


def alter_parts_while_suspended(operations: Operations) -> Iterator[Pair]:
    """Alter the parts of a suspended table between suspension and restoration."""
    for ref in operations.recreation.suspended:
        if suspend(operations.live[ref], operations.context) is None:
            continue
        parts = {p.ref for s in (operations.live, operations.desired) for p in s.parts(ref)}
        for part in parts:
            for operation in (operations.drop_of(part), operations.create_of(part)):
                yield operations.drop_of(ref), operation
                yield operation, operations.create_of(ref)


# -- deferred parts ----------------------------------------------------------------------------


def remove_deferred_part_first(operations: Operations) -> Iterator[Pair]:
    """Remove a deferred part before the object, the object's parts and needed objects change."""
    live = operations.live
    for operation in operations.in_phase(Phase.PRE_DROP):
        ref = operation.ref
        needs = operations.deferred_needs(live[ref]).values()
        for other in (ref, *needs, *(p.ref for p in live.parts(ref))):
            yield operation, operations.drop_of(other) or operations.create_of(other)
        yield operation, operations.create_of(ref)


def define_deferred_part_last(operations: Operations) -> Iterator[Pair]:
    """Define a deferred part after creating the object and the needed objects."""
    for operation in operations.in_phase(Phase.POST_CREATE):
        yield operations.create_of(operation.ref), operation
        desired = operations.desired.get(operation.ref)
        for needed in operations.deferred_needs(desired).values() if desired else ():
            yield operations.drop_of(needed), operation
            yield operations.create_of(needed), operation


def complete_shell_before_use(operations: Operations) -> Iterator[Pair]:
    """Complete a shell, or give a type functions, before all but the type's functions change."""
    for operation in operations.in_phase(Phase.POST_CREATE):
        obj = operations.desired.get(operation.ref)
        if isinstance(obj, CreatedAsShell):
            dependents = operations.desired.dependents.get(obj.ref, set[Ref]())
            for ref in dependents - obj.deferred_needs():
                yield operation, operations.create_of(ref)


def drop_type_before_its_functions(operations: Operations) -> Iterator[Pair]:
    """Drop a type before the functions that the type needs, and that do not go with the type."""
    for obj in operations.live.of(CreatedAsShell):
        for needed in obj.deferred_needs():
            yield operations.drop_of(obj.ref), operations.drop_of(needed)


def drop_after_deferred_part(operations: Operations) -> Iterator[Pair]:
    """Drop or swap an object after redefining deferred parts that will not need it.

    Partitions are an exception: their copies of an index are dropped with them.
    """
    for operation in operations.in_phase(Phase.POST_CREATE):
        live = operations.live.get(operation.ref)
        if live is None or isinstance(live, PartitionedObject):
            continue
        desired = operations.desired.get(operation.ref)
        kept = deferred_needs(desired) if desired is not None else frozenset[Ref]()
        for needed, owner in operations.deferred_needs(live).items():
            if operations.drop_of(owner) and owner not in operations.exchanged:
                yield operation, operations.only(owner)
            elif needed not in kept and operations.swaps_names(owner):
                yield operation, operations.create_of(owner)


# -- data types --------------------------------------------------------------------------------


def rename_type_before_use_ends(operations: Operations) -> Iterator[Pair]:
    """Rename a replaced type before changing columns: the undo uses the temporary name."""
    recreation = operations.recreation
    for ref in recreation.suspended:
        for needed in operations.live.needs(ref) & recreation.set_aside.keys():
            yield Operation.drop(needed), Operation.create(ref)


def drop_renamed_type_after_use(operations: Operations) -> Iterator[Pair]:
    """Drop a renamed type after the last use by a column or renamed type."""
    recreation = operations.recreation
    for ref in recreation.kept:
        for needed in operations.live.needs(ref) & recreation.set_aside.keys():
            is_suspended = ref in recreation.suspended
            last_use = operations.create_of(ref) if is_suspended else Operation.post_create(ref)
            yield last_use, Operation.post_create(needed)


# -- alterations that only a replacement undoes --------------------------------------------------


def alter_one_way_before_new_dependents(operations: Operations) -> Iterator[Pair]:
    """Run ALTER TYPE … ADD VALUE before creating dependents: the undo would have to drop all."""
    new = operations.created - operations.live.objects.keys()
    for operation, replaced in _replaced_by_undo(operations):
        for ref in new:
            if operations.desired.needs(ref) & replaced:
                yield operation, operations.create_of(ref)


def alter_one_way_before_recreating_dependents(operations: Operations) -> Iterator[Pair]:
    """Run ALTER TYPE … ADD VALUE before dropping dependents that are recreated.

    The new value must be committed before a dependent uses the value, and the dependent is dropped
    and created in one transaction.
    """
    recreated = operations.recreation.recreated.keys() & operations.desired.objects.keys()
    for operation, replaced in _replaced_by_undo(operations):
        if operation.ref not in operations.without_dependents:
            for ref in recreated:
                if operations.live.needs(ref) & replaced:
                    yield operation, operations.drop_of(ref)


def drop_dependents_before_altering_one_way(operations: Operations) -> Iterator[Pair]:
    """Drop dependents before ALTER TYPE … ADD VALUE: the undo finds no dropped dependents."""
    old = operations.dropped - operations.desired.objects.keys()
    for operation, replaced in _replaced_by_undo(operations):
        for ref in old:
            if operations.live.needs(ref) & replaced:
                yield operations.drop_of(ref), operation


def _replaced_by_undo(operations: Operations) -> Iterator[tuple[Operation, set[Ref]]]:
    """Yield ALTERs undone by replacement, each with the staying objects replaced by the undo."""
    dependents = operations.live.dependents if operations.one_way else {}
    for operation in operations.one_way:
        found, queue = set[Ref](), [operation.ref]
        while queue:
            ref = queue.pop()
            if ref not in found and ref in operations.desired:
                found.add(ref)
                queue += dependents.get(ref, ())
        yield operation, found


# -- objects that affect all others --------------------------------------------------------------


def change_default_privileges_last(operations: Operations) -> Iterator[Pair]:
    """Change settings for new objects, as default privileges, after all further operations."""
    for operation in operations.statements:
        if not issubclass(KINDS[operation.ref.kind], AppliesLast):
            continue
        for other in operations.statements:
            kind = KINDS[other.ref.kind]
            also_last = issubclass(kind, AppliesLast) or (
                issubclass(kind, FiresOnDdl) and not other.drops
            )
            needed = other.drops and other.ref in operations.live.needs(operation.ref)
            if not also_last and not needed and not _drops_global(other):
                yield other, operation


def drop_event_triggers_first_create_last(operations: Operations) -> Iterator[Pair]:
    """Drop event triggers first and create event triggers last: event triggers fire on DDL."""
    for operation in operations.statements:
        if operations.actions[operation] == "alter" or not _fires_on_ddl(operation):
            continue
        if operations.only(operation.ref) != operation:
            continue
        for other in operations.statements:
            if not _fires_on_ddl(other) and not _drops_global(other):
                yield (operation, other) if operation.drops else (other, operation)


def _fires_on_ddl(operation: Operation) -> bool:
    """Tell whether the operation is on an event trigger or the like."""
    return issubclass(KINDS[operation.ref.kind], FiresOnDdl)


# -- objects of the whole cluster ------------------------------------------------------------------


def change_roles_before_naming_them(operations: Operations) -> Iterator[Pair]:
    """Create and alter roles before other objects that will name them."""
    for role, other in _naming(operations):
        if not _is_global(other):
            yield role, other


def change_roles_before_members(operations: Operations) -> Iterator[Pair]:
    """Create and alter roles before the roles that will be members, or have memberships of them."""
    for role, other in _naming(operations):
        if _is_global(other) and other.ref != role.ref:
            yield role, other


def drop_roles_last(operations: Operations) -> Iterator[Pair]:
    """Drop roles after all further operations: any of these may end what names a role."""
    going = [o for o in operations.statements if _drops_global(o)]
    for operation in going:
        for other in operations.statements:
            if not _drops_global(other):
                yield other, operation


def _naming(operations: Operations) -> Iterator[tuple[Operation, Operation]]:
    """Yield each operation on a role that stays, with each operation on what will name the role."""
    roles = {o.ref.name: o for o in operations.statements if _is_global(o) and not o.drops}
    if not roles:
        return
    for operation in operations.statements:
        obj = operations.desired.get(operation.ref)
        if obj is not None and not operation.drops:
            named = obj.roles().union(*(p.roles() for p in operations.desired.parts(obj.ref)))
            yield from ((roles[name], operation) for name in sorted(named & roles.keys()))


def _is_global(operation: Operation) -> bool:
    return issubclass(KINDS[operation.ref.kind], GlobalObject)


def _drops_global(operation: Operation) -> bool:
    return operation.drops and _is_global(operation)
