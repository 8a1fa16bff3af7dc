"""Order changes of parents, child tables and parts; each rule yields pairs of objects."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator

from reconciler.diff.diff import Change
from reconciler.diff.inherited import ancestors, reparented
from reconciler.model.facts import Parents
from reconciler.model.inheritance import (
    also_inherited,
    is_partition,
    must_own_before,
    overrides,
    parents_of,
)
from reconciler.model.object import InlinePart, Object
from reconciler.model.partitioned import PartitionedObject
from reconciler.model.ref import Ref
from reconciler.model.state import State
from reconciler.plan.operations import Operations
from reconciler.plan.rules.dependencies import Pair

RefPair = tuple[Ref, Ref]


def between_objects(
    find: Callable[[Operations], Iterable[RefPair]],
) -> Callable[[Operations], Iterator[Pair]]:
    """Turn pairs of objects into pairs of operations, None for objects with two operations."""

    def pairs(operations: Operations) -> Iterator[Pair]:
        for earlier, later in find(operations):
            yield operations.only(earlier), operations.only(later)

    return pairs


# -- tables that get other parents -------------------------------------------------------------


def own_parts_around_reparenting(operations: Operations) -> Iterator[RefPair]:
    """Change parts of a table before ALTER TABLE … INHERIT, NO INHERIT or ATTACH PARTITION.

    Parts are changed after instead if the table loses all parents, or if they are inherited and
    dropped.
    """
    for change, table, (_, new) in _reparented_pairs(operations):
        ref = change.ref
        if ref.on != table:
            continue
        inherited = ref not in operations.live or ref in operations.live.only_inherited
        if not new or (change.desired is None and inherited):
            yield table, ref
        else:
            yield ref, table


def leave_parent_before_its_change(operations: Operations) -> Iterator[RefPair]:
    """Let a table leave a parent before the parent's parts change."""
    for change, table, (old, new) in _reparented_pairs(operations):
        parent = change.ref.on
        if parent != table and parent in old and parent not in new:
            yield table, change.ref


def drop_reference_before_leaving_parent(operations: Operations) -> Iterator[Pair]:
    """Drop foreign keys that refer to a partitioned table before a partition leaves it."""
    for table, (old, new) in reparented(operations.changes).items():
        left = {*old} - {*new}
        for obj in operations.live.objects.values() if left else ():
            needs = {n.on or n for n in operations.live.needs(obj.ref)}
            if obj.ref.on not in {None, table, *left} and needs & left:
                yield operations.drop_of(obj.ref), operations.create_of(table)


def join_parent_after_its_change(operations: Operations) -> Iterator[RefPair]:
    """Let a table join a parent after the parent's parts have changed."""
    for change, table, (old, new) in _reparented_pairs(operations):
        parent = change.ref.on
        if parent != table and parent in new and parent not in old:
            yield change.ref, table


def _reparented_pairs(
    operations: Operations,
) -> Iterator[tuple[Change, Ref, tuple[Parents, Parents]]]:
    """Yield each change with each reparented table."""
    tables = reparented(operations.changes)
    for change in operations.changes if tables else ():
        for table, parents in tables.items():
            yield change, table, parents


# -- partitions and partitioned indexes ----------------------------------------------------------


def attach_partition_after_index(operations: Operations) -> Iterator[RefPair]:
    """Attach a partition after indexes of the partitioned table: PostgreSQL adds the copies."""
    for change in _changed_partitions(operations):
        above = _partition_ancestors(change.desired, operations.desired)
        for other in _partitioned_changes(operations):
            if other.ref.on in above:
                yield other.ref, change.ref


def detach_partition_before_index(operations: Operations) -> Iterator[RefPair]:
    """Detach or drop a partition before creating indexes of the former parent."""
    for change in _changed_partitions(operations):
        above = _partition_ancestors(change.live, operations.live)
        above -= _partition_ancestors(change.desired, operations.desired)
        for other in _partitioned_changes(operations):
            if other.ref.on in above:
                yield change.ref, other.ref


def _changed_partitions(operations: Operations) -> Iterator[Change]:
    """Yield the changes of tables with a new, changed or removed partition parent."""
    for change in operations.changes:
        old, new = change.live, change.desired
        before = parents_of(old) if is_partition(old) else ()
        after = parents_of(new) if is_partition(new) else ()
        if before != after:
            yield change


def _partitioned_changes(operations: Operations) -> Iterator[Change]:
    """Yield the changes of desired objects with copies on partitions."""
    for change in operations.changes:
        if isinstance(change.desired, PartitionedObject) and change.ref.on:
            yield change


def _partition_ancestors(partition: Object | None, state: State) -> set[Ref]:
    """Return all tables above a partition; none if the object is no partition."""
    if partition is None or not is_partition(partition):
        return set()
    return {*ancestors(partition.ref, state)}


# -- child tables as a whole -------------------------------------------------------------------


def create_child_after_parents_parts(operations: Operations) -> Iterator[RefPair]:
    """Create a child table after changing the parents' parts, to inherit the new parts."""
    for change in operations.changes:
        if change.live is None and parents_of(change.desired):
            for part in _inline_changes(operations):
                if part.ref.on in parents_of(change.desired):
                    yield part.ref, change.ref


def drop_child_before_parents_parts(operations: Operations) -> Iterator[RefPair]:
    """Drop a child table before changing the parents' parts: the undo inherits the old parts."""
    for change in operations.changes:
        if change.desired is None and parents_of(change.live):
            for part in _inline_changes(operations):
                if part.ref.on in parents_of(change.live):
                    yield change.ref, part.ref


def create_child_after_needs_of_inherited(operations: Operations) -> Iterator[RefPair]:
    """Create a child table after the needs of inherited parts, as an enum in a partition bound."""
    for change in operations.changes:
        if change.live is None:
            yield from (
                (needed, change.ref)
                for needed in _needs_of_inherited(change.ref, operations.desired)
            )


def _inline_changes(operations: Operations) -> Iterator[Change]:
    """Yield the changes of inline parts of existing desired tables."""
    for change in operations.changes:
        obj = change.desired or change.live
        if isinstance(obj, InlinePart) and _table_stays(operations, change.ref):
            yield change


def _needs_of_inherited(table: Ref, state: State) -> Iterator[Ref]:
    """Yield the objects needed by parts of a table's ancestors, except the ancestors."""
    for parent in ancestors(table, state):
        for part in state.parts(parent):
            yield from (needed for needed in state.needs(part.ref) if needed != parent)


# -- parts that are a child table's own and inherited --------------------------------------------


def alter_merged_part_after_parents(operations: Operations) -> Iterator[RefPair]:
    """Alter a merged part of a child table after the parent's part: PostgreSQL alters both.

    The child's part is altered first if it must be local when the parent's part changes.
    """
    for change in operations.changes:
        old, new = change.live, change.desired
        if old is None or new is None or not also_inherited(new):
            continue
        for other in _same_part_of(_parents(change.ref, operations.desired), operations, change):
            must_own = (
                other.live is not None
                and other.desired is not None
                and must_own_before(new, old, other.live, other.desired)
            )
            yield (change.ref, other.ref) if must_own else (other.ref, change.ref)


def create_own_part_before_parents(operations: Operations) -> Iterator[RefPair]:
    """Create a child table's own part before the parent's part: PostgreSQL merges both."""
    for change in operations.changes:
        new, table = change.desired, change.ref.on
        if new is None or table is None or not also_inherited(new) or overrides(new):
            continue
        if table not in operations.live or change.ref in operations.live:
            continue
        above = {*ancestors(table, operations.desired)}
        for other in _same_part_of(above, operations, change):
            if other.live is None:
                yield change.ref, other.ref


def create_part_after_dropping_inherited(operations: Operations) -> Iterator[RefPair]:
    """Create a part after dropping parents' parts and same-named parts of child tables.

    A table that loses all parents gets its own parts afterwards.
    """
    dropped = [c.ref for c in operations.changes if c.desired is None]
    for change in _new_parts(operations):
        table = operations.desired.get(change.ref.on) if change.ref.on else None
        parents = _parents(change.ref, operations.live) if parents_of(table) else ()
        for ref in dropped:
            if ref.on in parents or _is_in_the_way(ref, change.desired, operations.live):
                yield ref, change.ref


def create_override_after_parents_part(operations: Operations) -> Iterator[RefPair]:
    """Create an override after changing the overridden part of the parent."""
    for change in _new_parts(operations):
        if overrides(change.desired):
            parents = _parents(change.ref, operations.desired)
            yield from (
                (other.ref, change.ref) for other in _same_part_of(parents, operations, change)
            )


def drop_override_before_parents_part(operations: Operations) -> Iterator[RefPair]:
    """Drop an override before changing the overridden part of the parent."""
    for change in operations.changes:
        old = change.live
        if change.desired is None and overrides(old):
            parents = _parents(change.ref, operations.live)
            yield from (
                (change.ref, other.ref) for other in _same_part_of(parents, operations, change)
            )


def drop_dependents_of_override_first(operations: Operations) -> Iterator[RefPair]:
    """Drop dependents of an override before the parent's part: DROP removes the override too."""
    live = operations.live
    dropped = [c.ref for c in operations.changes if c.desired is None]
    for ref in dropped:
        for override in (live[n] for n in live.needs(ref) if overrides(live[n])):
            above = {*ancestors(override.ref.on, live)} if override.ref.on is not None else ()
            for part in dropped:
                if part.on in above and _same_part(part, override.ref):
                    yield ref, part


def _new_parts(operations: Operations) -> Iterator[Change]:
    """Yield the changes with a new object of an existing desired table."""
    for change in operations.changes:
        if change.live is None and _table_stays(operations, change.ref):
            yield change


def _table_stays(operations: Operations, ref: Ref) -> bool:
    """Tell whether the object belongs to a table present before and after."""
    return ref.on in operations.live and ref.on in operations.desired


def _parents(part: Ref, state: State) -> Parents:
    """Return the parents of a part's table."""
    return parents_of(state.get(part.on)) if part.on is not None else ()


def _same_part_of(
    tables: Collection[Ref], operations: Operations, change: Change
) -> Iterator[Change]:
    """Yield the changes of parts with the same kind and name in `tables`."""
    return (
        other
        for other in operations.changes
        if other.ref.on in tables and _same_part(other.ref, change.ref)
    )


def _same_part(one: Ref, other: Ref) -> bool:
    """Tell whether two parts have the same kind and name, whatever the tables."""
    return (one.kind, one.name) == (other.kind, other.name)


def _is_in_the_way(dropped: Ref, new: Object | None, live: State) -> bool:
    """Tell whether a dropped part of a child table blocks the name of a new, unmergeable part."""
    if new is None or isinstance(new, InlinePart) or not _same_part(dropped, new.ref):
        return False
    return dropped.on is not None and new.ref.on in {*ancestors(dropped.on, live)}
