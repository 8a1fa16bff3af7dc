"""Create or replace an index without blocking writes, on ordinary and on partitioned tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from reconciler.kinds.index.definition import IndexDefinition
from reconciler.model.object import Object, PlanningContext
from reconciler.model.partitioned import (
    PartitionedObject,
    copy_on,
    leaf_partitions,
    outgoing_namesake,
    partitions_below,
)
from reconciler.model.partitioned_build import PartitionedBuild
from reconciler.model.ref import Ref
from reconciler.model.statement import Hazard, HazardKind, Statement
from reconciler.sql import mentions


def replace_concurrently(
    new: IndexDefinition, old: IndexDefinition, context: PlanningContext
) -> Iterable[Statement]:
    """Build the new index under a temporary name, swap the names, drop the old index."""
    own, temporary = new.ref.name, new.temporary.ref.name
    if not is_built(new, context):
        yield new.build(temporary, concurrently=True)
    yield from _without_undo(new.set_statistics(temporary, {}))
    yield from (Statement(sql=comment, undo=()) for comment in old.comment_sql(temporary))
    spare = temporary + "_old"
    for before, after in ((own, spare), (temporary, own), (spare, temporary)):
        yield Statement(
            sql=new.rename_sql(before, after),
            lock="SHARE UPDATE EXCLUSIVE",
            relation=new.stands_on,
            undo=(new.rename_sql(after, before),),
            swaps_names=True,
        )
    rebuild = (
        old.build(temporary, concurrently=True).sql,
        *(s.sql for s in old.set_statistics(temporary, {})),
        *old.comment_sql(temporary),
    )
    yield new.drop_concurrently(temporary, undo=rebuild)


def replace_partitioned(
    new: IndexDefinition, old: IndexDefinition, context: PlanningContext
) -> Iterable[Statement]:
    """Build the new index with all partition indexes under temporary names.

    One short transaction drops the old indexes and renames the new ones.
    """
    build = PartitionedBuild(new, context, old)
    yield from build.statements
    restored = (*old.name_partition_copies(context), *old.set_statistics(new.ref.name, {}))
    yield Statement(
        sql=new.plain_drop_sql(),
        lock="ACCESS EXCLUSIVE",
        relation=new.stands_on,
        own_transaction=True,
        undo=(old.create_sql(), *(s.sql for s in restored), *old.comment_sql(new.ref.name)),
        swaps_names=True,
    )
    for built, final_name in build.renames:
        if built.ref.name != final_name:
            yield built.renamed_to(final_name).model_copy(update={"swaps_names": True})
    yield from _without_undo(new.set_statistics(new.ref.name, {}))
    yield from (Statement(sql=comment, undo=()) for comment in old.comment_sql(new.ref.name))


def build_aside(
    index: IndexDefinition, namesake: PartitionedObject, context: PlanningContext
) -> Iterable[Statement]:
    """Build the index under a temporary name, and rename it where `namesake` has been dropped."""
    if has_foreign_partition(index, context):
        yield index.build(index.ref.name)
        return
    build = PartitionedBuild(index, context, namesake)
    statements = build.statements
    if not index.partitioned:
        built = is_built(index, context)
        statements = [] if built else [index.build(index.temporary.ref.name, concurrently=True)]
    yield from (s.model_copy(update={"before_swap": True}) for s in statements)
    undo: tuple[str, ...] = (index.plain_drop_sql(),)  # a restored foreign key must not find it
    for built, final_name in build.renames:
        if built.ref.name != final_name:
            yield built.renamed_to(final_name).model_copy(update={"undo": undo})
            undo = ()
    yield from _without_undo(index.set_statistics(index.ref.name, {}))


# -- over shadow columns ---------------------------------------------------------------------------


def can_build_over_shadow(index: IndexDefinition, context: PlanningContext) -> bool:
    """Return whether keys of the index are swapped columns, and expressions name none."""
    columns = context.exchanges(index.ref.on)
    return index.over_shadow(context) != index and not any(
        mentions(e, c) for e in index.indexed_expressions() for c in columns
    )


def build_over_shadow(index: IndexDefinition, context: PlanningContext) -> Iterable[Statement]:
    """Build the index over shadow columns before the swap, and rename the index afterwards."""
    over_shadow = index.over_shadow(context)
    if not is_built(over_shadow, context):
        build = over_shadow.build(index.temporary.ref.name, concurrently=True)
        yield build.model_copy(update={"before_swap": True})
    rename = index.temporary.renamed_to(index.ref.name)
    yield rename.model_copy(update={"undo": (index.plain_drop_sql(),)})
    yield from _without_undo(index.set_statistics(index.ref.name, {}))


def build_after_swap(
    index: IndexDefinition, statements: Iterable[Statement], context: PlanningContext
) -> Iterable[Statement]:
    """Yield `statements`, with the hazard of blocked reads in the transaction of the swap."""
    size = context.size(index.ref.on).description if index.ref.on else ""
    blocked = Hazard(
        hazard=HazardKind.BLOCKS_READS,
        reason=f"nobody can read or write {index.stands_on} ({size}) while {index.ref} is built",
    )
    for statement in statements:
        yield (
            statement.model_copy(update={"hazards": (blocked,)}) if statement.hazards else statement
        )


def is_built(index: IndexDefinition, context: PlanningContext) -> bool:
    """Return whether an interrupted run has built the index under the temporary name."""
    left = context.leftovers.get(index.temporary.ref)
    return left is not None and left.resumable and index.equals(left.made)


# -- with partitions that are foreign tables -------------------------------------------------------


def has_foreign_partition(index: IndexDefinition, context: PlanningContext) -> bool:
    """Return whether a partition is a foreign table, and can have no index."""
    return any(r.kind == "foreign_table" for r in partitions_below(index.ref.on, context))


def create_leaves_first(index: IndexDefinition, context: PlanningContext) -> Iterable[Statement]:
    """Build the index on each leaf partition, then on the partitioned table.

    CREATE INDEX on the parent attaches the existing indexes. ON ONLY would stay invalid for
    ever: nothing can be attached for a foreign table.
    """
    if index.ref in context.leftovers:
        yield index.drop_leftover_parent()
    existing: list[Object] = []
    for copy, found in _leaf_indexes(index, context):
        if found is None:
            yield from copy.create_on_leaf(context)
        else:
            existing.append(found)
    recreate = (s.sql for o in existing for s in o.create(context, online=False))
    yield index.build(index.ref.name).model_copy(
        update={"own_transaction": True, "undo": (index.plain_drop_sql(), *recreate)}
    )


def _leaf_indexes(
    index: IndexDefinition, context: PlanningContext
) -> Iterator[tuple[IndexDefinition, PartitionedObject | None]]:
    """Pair the index of each local leaf partition with an equal existing index."""
    for table in leaf_partitions(index.ref.on, context):
        if table.kind != "foreign_table":
            copy = copy_on(table, index, context)
            existing = context.partition_children.get(table, ())
            yield copy, next((o for o in existing if copy.equals(o)), None)


def reused_by(
    new: IndexDefinition, old: IndexDefinition | None, context: PlanningContext
) -> frozenset[Ref]:
    """Return the leftovers and the partitions' indexes to become part of the new index."""
    namesake = outgoing_namesake(new, context) if old is None else None
    if not new.partitioned:
        replaces = old is not None or namesake is not None
        built = replaces and is_built(new.over_shadow(context), context)
        return frozenset({new.temporary.ref} if built else ())
    if has_foreign_partition(new, context):
        return frozenset(found.ref for _, found in _leaf_indexes(new, context) if found is not None)
    if old is None or new.replaces_object(old):
        return frozenset(o.ref for o in PartitionedBuild(new, context, old or namesake).reused)
    return frozenset()


def _without_undo(statements: Iterable[Statement]) -> Iterator[Statement]:
    return (s.model_copy(update={"undo": ()}) for s in statements)
