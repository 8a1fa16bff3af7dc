"""Order operations by names: two objects of a namespace cannot have the same name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from reconciler.kinds import KINDS
from reconciler.model.inheritance import is_partition, parents_of
from reconciler.model.partitioned import default_names
from reconciler.model.ref import Ref
from reconciler.model.state import State
from reconciler.plan.operations import Operation, Operations, Phase
from reconciler.plan.rules.dependencies import Pair

Key = tuple[str, ...]  # a namespace, a schema, a name and a routine's arguments
Keys = Mapping[Ref, tuple[frozenset[Key], frozenset[Key]]]  # of each object, before and after


def free_name_first(operations: Operations) -> Iterator[Pair]:
    """Drop or rename an object before another object gets the name."""
    freed: dict[Ref, frozenset[Key]] = {}
    for ref, (old, new) in _keys(operations, operations.live).items():
        freed[ref] = old if operations.drop_of(ref) else old - new
    if not any(freed.values()):
        return
    takers = _takers(operations)
    for ref, keys in freed.items():
        free = operations.drop_of(ref) or operations.create_of(ref)
        yield from ((free, taker) for key in keys for taker in takers.get(key, ()))


def name_before_postgres_chooses_it(operations: Operations) -> Iterator[Pair]:
    """Create an object before a copy on a partition for which PostgreSQL would choose the name.

    The copy is there once both the partition and the object of the partitioned table are.
    """
    desired = operations.desired
    children: dict[Ref, list[Ref]] = {}
    for ref, obj in desired.objects.items():
        for parent in parents_of(obj) if is_partition(obj) else ():
            children.setdefault(parent, []).append(ref)
    created = operations.created if children else ()
    takers = {
        (ref.schema, desired[ref].relation_name): operations.create_of(ref)
        for ref in created
        if ref in desired
    }
    for table in children:
        for obj in desired.objects_on(table):
            for partition in _below(table, children):
                create = operations.create_of(obj.ref) or operations.create_of(partition)
                for name in default_names(obj, [partition]):
                    if (taker := takers.get(name)) != create:
                        yield taker, create


def _below(table: Ref, children: Mapping[Ref, Sequence[Ref]]) -> Iterator[Ref]:
    for child in children.get(table, ()):
        yield from (child, *_below(child, children))


def drop_leftover_before_name_is_reused(operations: Operations) -> Iterator[Pair]:
    """Drop the leftover of an interrupted build before another object gets the name."""
    drops = [o for o in operations.in_phase(Phase.DROP) if o.ref not in operations.live]
    takers = _takers(operations) if drops else {}
    for operation in drops:
        ref = operation.ref
        for namespace in KINDS[ref.kind].namespaces():
            key = (namespace, ref.schema, ref.name, ref.arguments or "")
            yield from ((operation, taker) for taker in takers.get(key, ()))


def drop_leftovers_before_work_on_table(operations: Operations) -> Iterator[Pair]:
    """Drop leftovers before all further work on the table: no undo recreates leftovers."""
    for operation, statements in operations.statements.items():
        table = operation.ref.on
        if table is None or not operation.drops or any(s.undo != () for s in statements):
            continue
        for other in operations.statements:
            if not other.drops and other.ref.on == table:
                yield operation, other


def _takers(operations: Operations) -> dict[Key, list[Operation | None]]:
    """Map each name to the operations assigning the name to an object."""
    found: dict[Key, list[Operation | None]] = {}
    for ref, (old, new) in _keys(operations, operations.desired).items():
        for key in new if operations.drop_of(ref) else new - old:
            found.setdefault(key, []).append(operations.create_of(ref))
    return found


def _keys(operations: Operations, state: State) -> Keys:
    """Map each object of a state with an operation to the names before and after."""
    refs = {
        *operations.created,
        *operations.dropped,
        *operations.recreation.suspended,
        *(o.ref for o in operations.statements if o.phase in (Phase.CREATE, Phase.DROP)),
    }
    return {
        ref: (
            _names_in(operations, ref, operations.live),
            _names_in(operations, ref, operations.desired),
        )
        for ref in refs
        if ref in state
    }


def _names_in(operations: Operations, ref: Ref, state: State) -> frozenset[Key]:
    """Return the names of an object in a state.

    An object that gets another relation name by ALTER has none here: an object that has the new
    name is suspended first.
    """
    if ref not in state:
        return frozenset()
    old, new = operations.live.get(ref), operations.desired.get(ref)
    if old and new and not operations.drop_of(ref) and old.relation_name != new.relation_name:
        return frozenset()
    return state[ref].name_keys()
