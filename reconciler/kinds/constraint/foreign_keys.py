"""Add foreign keys to partitioned tables, validated partition by partition.

Before 18 a foreign key of a partitioned table cannot be NOT VALID, so ADD CONSTRAINT reads all
partitions under lock, unless each partition has a valid foreign key of the same definition.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from reconciler.kinds.constraint.definition import ConstraintDefinition
from reconciler.model.object import PlanningContext
from reconciler.model.partitioned import leaf_partitions
from reconciler.model.ref import Ref
from reconciler.model.statement import Statement
from reconciler.sql import name, text


def must_be_valid(constraint: ConstraintDefinition, context: PlanningContext) -> bool:
    """Return whether PostgreSQL refuses NOT VALID for the constraint."""
    is_partitioned = constraint.foreign_key is not None and constraint.partitioned
    return is_partitioned and not context.server.has_plain_not_valid_everywhere


def referencing(references: str | None, old: Ref, new: Ref) -> str | None:
    """Return a reference to `old` as one to `new`; None for a reference to another table."""
    before, after = (text(name(r.schema, r.name)) for r in (old, new))
    if references is None or not references.startswith(f"{before}("):
        return None
    return after + references.removeprefix(before)


def create_leaves_first(
    constraint: ConstraintDefinition, context: PlanningContext
) -> Iterable[Statement]:
    """Add and validate the foreign key on each leaf partition, then on the partitioned table."""
    existing: list[ConstraintDefinition] = []
    for copy, found in _leaf_foreign_keys(constraint, context):
        if found is not None:
            existing.append(found)
        yield from _add_and_validate(copy, found)
    recreate = (s.sql for o in existing for s in o.create(context, online=False))
    yield constraint.add(not_valid=False).model_copy(
        update={"own_transaction": True, "undo": (constraint.plain_drop_sql(), *recreate)}
    )


def _leaf_foreign_keys(
    constraint: ConstraintDefinition, context: PlanningContext
) -> Iterator[tuple[ConstraintDefinition, ConstraintDefinition | None]]:
    """Pair the foreign key of each leaf partition with an equal existing constraint."""
    for table in leaf_partitions(constraint.ref.on, context):
        copy = constraint.inherited_by(table)
        accepted = (copy, copy.model_copy(update={"not_valid": True}))
        existing = (
            o
            for o in context.partition_children.get(table, ())
            if isinstance(o, ConstraintDefinition) and any(a.equals(o) for a in accepted)
        )
        yield copy, next(existing, None)


def _add_and_validate(
    copy: ConstraintDefinition, existing: ConstraintDefinition | None
) -> Iterable[Statement]:
    if existing is None:
        add = copy.add(not_valid=True, undo=copy.drop_sql())
        yield add.model_copy(update={"own_transaction": True})
        yield copy.validate_rows()
    elif existing.not_valid:
        yield existing.validate_rows()


def reused_by(constraint: ConstraintDefinition, context: PlanningContext) -> frozenset[Ref]:
    """Return the partitions' foreign keys to become copies of the constraint."""
    found = (existing for _, existing in _leaf_foreign_keys(constraint, context))
    return frozenset(existing.ref for existing in found if existing is not None)
