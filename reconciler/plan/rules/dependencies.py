"""Order operations by dependencies between objects."""

from __future__ import annotations

from collections.abc import Iterator, Set

from reconciler.kinds import KINDS
from reconciler.model.datatype import Replaceable
from reconciler.model.inheritance import restate_overrides
from reconciler.model.markers import HiddenDependency
from reconciler.model.object import InlinePart, Object
from reconciler.model.partitioned import PartitionedObject
from reconciler.model.ref import Ref
from reconciler.model.state import State
from reconciler.model.type_change import accepts
from reconciler.plan.operations import Operation, Operations, Phase

Pair = tuple[Operation | None, Operation | None]


def drop_before_create(operations: Operations) -> Iterator[Pair]:
    """Drop a replaced object before creating the new object."""
    for operation in (*operations.statements, *operations.part_of):
        if operation.phase == Phase.DROP and operation.ref in operations.desired:
            yield operations.find(operation), operations.create_of(operation.ref)


def create_after_needed(operations: Operations) -> Iterator[Pair]:
    """Create an object after the needed objects.

    Creation does not wait for alterations of the object's table or schema.
    """
    affected = operations.affected
    for ref in (r for r in operations.desired if r in affected):
        if (create := operations.create_of(ref)) is None:
            continue
        for needed in operations.desired.needs(ref):
            earlier = operations.create_of(needed)
            if earlier is None:
                continue
            if operations.actions[earlier] == "create" or needed not in (ref.on, ref.schema_ref):
                yield earlier, create


# -- drop --------------------------------------------------------------------------------------


def drop_before_needed(operations: Operations) -> Iterator[Pair]:
    """Drop an object before the needed objects, except parts of a suspended table."""
    suspended = operations.recreation.suspended
    for ref, needed in live_needs(operations):
        is_part = needed == ref.on and isinstance(operations.live[ref], InlinePart)
        if not (is_part and needed in suspended):
            yield operations.drop_of(ref), operations.drop_of(needed)


def alter_before_dropping_needed(operations: Operations) -> Iterator[Pair]:
    """Alter an object before dropping objects needed only by the live form.

    A column whose type is dropped for good gets another type first.
    """
    recreation = operations.recreation
    for ref, needed in _lasting_needs(operations):
        loses_type = (
            ref in recreation.suspended
            and needed not in recreation.recreated
            and isinstance(operations.live[needed], Replaceable)
        )
        if loses_type or operations.drop_of(ref) is None:
            yield operations.create_of(ref), operations.drop_of(needed)


def restore_after_dropping_needed(operations: Operations) -> Iterator[Pair]:
    """Restore a suspended object after dropping the old object, to depend on the new object."""
    for ref, needed in _lasting_needs(operations):
        replaced_type = isinstance(operations.live[needed], Replaceable)
        if ref in operations.recreation.suspended and not replaced_type:
            yield operations.drop_of(needed), operations.create_of(ref)


def drop_before_altering_needed(operations: Operations) -> Iterator[Pair]:
    """Drop an object before a needed object, if dependents prevent the needed object's ALTER.

    An object dropped for good is dropped before ALTER TYPE … ADD VALUE, too: the undo of that
    replaces the type, and drops only dependents that are there in the end.
    """
    one_way = {o.ref for o in operations.one_way}
    for ref, needed in _lasting_needs(operations):
        drop = operations.drop_of(ref)
        if drop is None or operations.drop_of(needed) is not None:
            continue
        unencumbered = needed in one_way and ref not in operations.recreation.recreated
        if (
            unencumbered
            or needed in operations.without_dependents
            or not _accepted(operations, ref, needed)
        ):
            yield drop, operations.create_of(needed)


def create_after_altering_what_it_restates(operations: Operations) -> Iterator[Pair]:
    """Alter a table before creating a part that the alteration would disturb.

    REVOKE on a table revokes the privileges on all columns, too.
    """
    for ref in operations.created:
        table = ref.on
        if table is None or table not in operations.live or table not in operations.desired:
            continue
        part = operations.desired.get(ref)
        before, after = operations.live[table], operations.desired[table]
        if part is not None and [*restate_overrides(part, after, before, operations.context)]:
            yield operations.create_of(table), operations.create_of(ref)


def _accepted(operations: Operations, ref: Ref, needed: Ref) -> bool:
    """Tell whether the live object can depend on the desired form of the needed object."""
    desired = operations.desired.get(needed)
    return desired is None or accepts(operations.live[ref], desired)


def live_needs(operations: Operations) -> Iterator[tuple[Ref, Ref]]:
    """Yield pairs of a live object with an operation and a needed object."""
    affected = operations.affected
    for ref in (r for r in operations.live if r in affected):
        if operations.drop_of(ref) or operations.create_of(ref):
            for needed in operations.live.needs(ref):
                yield ref, needed


def _lasting_needs(operations: Operations) -> Iterator[tuple[Ref, Ref]]:
    """Yield the pairs of `live_needs` without suspended needed objects."""
    suspended = operations.recreation.suspended
    return ((ref, needed) for ref, needed in live_needs(operations) if needed not in suspended)


# -- objects that PostgreSQL finds by their properties -------------------------------------------


def create_after_dropping_lookalike(operations: Operations) -> Iterator[Pair]:
    """Create a foreign key after dropping keys eligible for the reference."""
    dropped = _by_kind_and_table(operations.dropped)
    for ref in {*operations.created, *operations.recreation.suspended}:
        for needed in _needs_on_other_tables(operations.desired, ref):
            for lookalike in dropped.get((needed.kind, needed.on), ()):
                if lookalike not in operations.created or (
                    lookalike != needed
                    and _equal(operations.live[lookalike], operations.desired[needed])
                ):
                    yield operations.drop_of(lookalike), operations.create_of(ref)


def drop_before_creating_lookalike(operations: Operations) -> Iterator[Pair]:
    """Drop a foreign key before creating keys eligible for the reference in the undo."""
    created = _by_kind_and_table(operations.created - operations.dropped)
    for ref in operations.dropped - operations.created:
        for needed in _needs_on_other_tables(operations.live, ref):
            for lookalike in created.get((needed.kind, needed.on), ()):
                yield operations.drop_of(ref), operations.create_of(lookalike)


def _needs_on_other_tables(state: State, ref: Ref) -> Iterator[Ref]:
    """Yield the needed objects outside the object's own table."""
    if ref.on is not None:
        yield from (needed for needed in state.needs(ref) if needed.on != ref.on)


def _by_kind_and_table(refs: Set[Ref]) -> dict[tuple[str, Ref | None], list[Ref]]:
    """Group the objects of tables, except inline parts, by kind and table."""
    found: dict[tuple[str, Ref | None], list[Ref]] = {}
    for ref in refs:
        if ref.on is not None and not issubclass(KINDS[ref.kind], InlinePart):
            found.setdefault((ref.kind, ref.on), []).append(ref)
    return found


def _equal(one: Object, other: Object) -> bool:
    """Tell whether two indexes or constraints are equal but for the names."""
    return isinstance(one, PartitionedObject) and one.equals(other)


# -- dependencies that pg_depend does not list ---------------------------------------------------


def dependents_of_hidden(operations: Operations) -> Iterator[Pair]:
    """Order dependents of casts and operators: pg_depend lists only the underlying routine.

    A dependent is created after the cast and dropped before the cast.
    """
    for ref, dependent in _hidden_dependents(operations.live):
        yield operations.drop_of(dependent), operations.drop_of(ref)
    for ref, dependent in _hidden_dependents(operations.desired):
        yield operations.create_of(ref), operations.create_of(dependent)


def _hidden_dependents(state: State) -> Iterator[tuple[Ref, Ref]]:
    """Yield pairs of a cast or operator and a further dependent of the underlying routine."""
    hiding = [
        (ref, needed)
        for ref in state
        if issubclass(KINDS[ref.kind], HiddenDependency)
        for needed in state.needs(ref)
        if needed.arguments is not None
    ]
    dependents = state.dependents if hiding else {}
    for ref, routine in hiding:
        for dependent in dependents.get(routine, set[Ref]()) - {ref}:
            yield ref, dependent
