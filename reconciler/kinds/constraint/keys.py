"""Add unique and primary keys online: build an index and promote the index.

https://www.postgresql.org/docs/current/sql-altertable.html#SQL-ALTERTABLE-DESC-ADD-TABLE-CONSTRAINT-USING-INDEX
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from reconciler.kinds.constraint.definition import ConstraintDefinition
from reconciler.model.object import InlinePart, Object, PlanningContext
from reconciler.model.partitioned import (
    PartitionedObject,
    build_name,
    copies_on_leaves,
    outgoing_namesake,
    partitions_below,
)
from reconciler.model.partitioned_build import PartitionedBuild
from reconciler.model.record import Record
from reconciler.model.ref import Ref
from reconciler.model.statement import Statement
from reconciler.sql import compose, joined, name, raw, text


def create_key(key: ConstraintDefinition, context: PlanningContext) -> Iterable[Statement]:
    """Add a key to a table without partitions, on an index that the plan would drop, or a new one.

    Uniqueness is never away, and no index is built twice.
    """
    existing = _index_to_promote(key, context)
    if existing is not None:
        yield _promote_existing(key, existing, context)
        if existing.comment is not None and key.index_comment is None:
            yield Statement(
                sql=key.index_comment_sql(),
                lock="SHARE UPDATE EXCLUSIVE",
                relation=key.stands_on,
                undo=(),
            )
        return
    yield from build_index(key, context)
    yield promote_index(key)


def _index_to_promote(key: ConstraintDefinition, context: PlanningContext) -> Object | None:
    """Return a unique index of the table that the plan would drop, of the key's definition."""
    found = [
        obj
        for ref, obj in context.dropped.items()
        if ref.on == key.ref.on and isinstance(obj, Object) and _fits(obj, key)
    ]
    return min(found, key=lambda o: (o.ref.name != key.ref.name, o.ref.name), default=None)


def _promote_existing(
    key: ConstraintDefinition, index: Object, context: PlanningContext
) -> Statement:
    """Turn an index into the constraint; the undo builds the index again, under lock."""
    promoted = promote_index(key, index.ref.name)
    rebuilt = (s.sql for s in index.create(context, online=False))
    undo = (key.plain_drop_sql(), *rebuilt)
    return promoted.model_copy(update={"undo": undo, "swaps_names": True})


def build_index(key: ConstraintDefinition, context: PlanningContext) -> Iterable[Statement]:
    """Build the index under a temporary name, unless an interrupted run has built the index."""
    if index_of(key) not in built_indexes(key, context):
        yield _create_index(key)


def promote_index(key: ConstraintDefinition, index: str | None = None) -> Statement:
    """Turn an index into the constraint, by default the one of the temporary name."""
    promote = compose(
        "ALTER TABLE {} ADD CONSTRAINT {} {} USING INDEX {}{}",
        key.table,
        key.ref.name,
        raw("UNIQUE" if key.unique is not None else "PRIMARY KEY"),
        index or build_name(key.ref),
        key.deferrable_clause(),
    )
    return Statement(
        sql=text(promote),
        lock="ACCESS EXCLUSIVE",
        relation=key.stands_on,
        undo=(key.plain_drop_sql(),),
    )


def _create_index(key: ConstraintDefinition) -> Statement:
    columns = joined(key.key_columns)
    index = build_name(key.ref)
    create = [
        compose("CREATE UNIQUE INDEX CONCURRENTLY {} ON {} ({})", index, key.table, columns),
        *key.include_clause(),
        *([raw("NULLS NOT DISTINCT")] if key.nulls_not_distinct else []),
        *key.storage_clauses(raw("")),
    ]
    qualified = name(key.ref.schema, index)
    drop = compose("DROP INDEX CONCURRENTLY IF EXISTS {}", qualified)
    return Statement(
        sql=text(joined(create, by=" ")),
        lock="SHARE UPDATE EXCLUSIVE",
        relation=key.stands_on,
        transactional=False,
        long=True,
        index=text(qualified),
        builds_index=True,
        needs_create_on="schema",
        cleanup=(text(drop),),
        undo=(text(drop),),
    )


# -- within a replacement --------------------------------------------------------------------------


def can_build_before(
    new: ConstraintDefinition, old: PartitionedObject | None, context: PlanningContext
) -> bool:
    """Return whether the index can be built before the transaction of the replacement.

    A deferrable key over a shadow column cannot: a bare index is checked at once and would
    refuse rows meanwhile.
    """
    over_shadow = bool(context.exchanges(new.ref.on)) and not new.deferrable
    same_shape = old is not None and old.partitioned == new.partitioned
    return new.is_key and (over_shadow or same_shape)


def replace_key(key: ConstraintDefinition, context: PlanningContext) -> Iterable[Statement]:
    """Build the indexes before the transaction, and add the key in the transaction."""
    leaves = copies_on_leaves(key, context)
    for leaf in leaves:
        for statement in build_index(leaf.over_shadow(context), context):
            yield statement.model_copy(update={"before_swap": True})
    if not key.partitioned:
        yield promote_index(key)
        return
    yield from (promote_index(leaf).model_copy(update={"undo": ()}) for leaf in leaves)
    yield key.add(not_valid=False, undo=key.plain_drop_sql())


# -- after an interrupted run ----------------------------------------------------------------------


def index_of(key: ConstraintDefinition) -> Ref:
    """Return the index of the temporary name."""
    return Ref("index", key.ref.schema, build_name(key.ref), key.ref.on)


def built_indexes(key: ConstraintDefinition, context: PlanningContext) -> frozenset[Ref]:
    """Return the indexes built by an interrupted run, for the key and for partitions."""
    indexes = (index_of(leaf) for leaf in copies_on_leaves(key, context))
    found = ((index, context.leftovers.get(index)) for index in indexes)
    return frozenset(
        index
        for index, left in found
        if left is not None and left.resumable and _fits(left.made, key)
    )


def _fits(index: Record, key: ConstraintDefinition) -> bool:
    """Return whether a leftover index has the definition of the key's index."""
    expected: dict[str, object] = {
        "on": tuple(text(name(c)) for c in key.key_columns),
        "unique": True,
        "method": "btree",
        "where": None,
        "include": key.include,
        "nulls_not_distinct": key.nulls_not_distinct,
        "options": key.options,
        "tablespace": key.tablespace,
    }
    return all(getattr(index, field, None) == value for field, value in expected.items())


def reused_by(
    key: ConstraintDefinition, old: ConstraintDefinition | None, context: PlanningContext
) -> frozenset[Ref]:
    """Return the leftovers and the partitions' constraints to become part of the key."""
    if old is None and key.partitioned and outgoing_namesake(key, context) is None:
        reused = PartitionedBuild(key, context).reused
        return frozenset(o.ref for o in reused) | built_indexes(key, context)
    existing = _index_to_promote(key, context) if old is None and not key.partitioned else None
    if existing is not None:
        return frozenset({existing.ref})
    return built_indexes(key.over_shadow(context), context)


def restore_nulls(key: ConstraintDefinition, context: PlanningContext) -> Iterator[str]:
    """Yield the DDL to allow nulls on partitions after a drop of a primary key.

    From 18 on a primary key gives each partition a NOT NULL of its own, besides the inherited
    constraint.
    """
    table = key.ref.on
    if table is None or key.primary_key is None:
        return
    nullable = {
        o.ref.name
        for o in context.partition_children.get(table, ())
        if isinstance(o, InlinePart) and o.accepts_null
    }
    drop = "ALTER TABLE {} ALTER COLUMN {} DROP NOT NULL"
    for column in (c for c in key.primary_key if c in nullable):
        for ref in (table, *partitions_below(table, context)):
            yield text(compose(drop, name(ref.schema, ref.name), column))
