"""Add the hazards of logical replication to a plan: what stops a publisher or a subscriber."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from reconciler.diff.renames import Renaming
from reconciler.model.object import Object
from reconciler.model.ref import Ref
from reconciler.model.replicated import renaming_hazards, replication_hazards
from reconciler.model.replication import stops_subscription
from reconciler.model.row_identity import identifies_rows, tables_without_identity
from reconciler.model.statement import Hazard, HazardKind
from reconciler.plan.operations import Operation, Operations


def add_replication_hazards(operations: Operations, around: Mapping[Ref, Object]) -> None:
    """Add hazards to the first statement of each operation that stops publisher or subscriber.

    `around` are the target's objects beside those that are compared.
    """
    replication = operations.context.replication
    for change in operations.changes:
        operation = operations.create_of(change.ref) or operations.drop_of(change.ref)
        with_table = operations.dropped if change.desired is None else operations.created
        if operation is not None and change.ref.on not in with_table:
            found = replication_hazards(change.live, change.desired, replication)
            _add(operations, operation, found)
    before = tables_without_identity(operations.live, around)
    after = tables_without_identity(operations.desired, around)
    for table in sorted(after - before, key=lambda ref: ref.order):
        operation = _taking_identity(operations, table)
        if operation is not None:
            _add(operations, operation, _without_identity(operations, table))


def renamings_with_hazards(renamings: Sequence[Renaming], operations: Operations) -> list[Renaming]:
    """Return the renamings with the hazards of what stops publisher or subscriber."""
    replication, live = operations.context.replication, operations.live
    found: list[Renaming] = []
    for renaming in renamings:
        named = None if renaming.part else live.get(renaming.becomes)
        added = renaming_hazards(named, renaming.was.name, replication)
        hazards = (*renaming.statement.hazards, *added)
        statement = renaming.statement.model_copy(update={"hazards": hazards})
        found.append(replace(renaming, statement=statement))
    return found


def _taking_identity(operations: Operations, table: Ref) -> Operation | None:
    """Find the operation that drops the primary key, or creates or alters the table."""
    keys = (o.ref for o in operations.live.objects_on(table) if identifies_rows(o))
    drops = (operations.drop_of(key) for key in keys)
    return next((o for o in drops if o is not None), operations.create_of(table))


def _without_identity(operations: Operations, table: Ref) -> Iterable[Hazard]:
    """Yield the hazards of a table whose rows nothing identifies any more."""
    replication, created = operations.context.replication, table in operations.created
    if sender := replication.publishers_of_updates(table, created=created):
        reason = (
            f"every UPDATE and DELETE of {table.identity} fails, because {sender} publishes them"
            " and nothing identifies its rows: give it a primary key or replica_identity"
        )
        yield Hazard(hazard=HazardKind.BLOCKS_WRITES, reason=reason)
    if writer := replication.writers(table):
        yield stops_subscription(
            writer, f"it finds no rows of {table.identity} without a key: give it another one"
        )


def _add(operations: Operations, operation: Operation, hazards: Iterable[Hazard]) -> None:
    statements, added = operations.statements[operation], tuple(hazards)
    if statements and added:
        first = statements[0].model_copy(update={"hazards": (*statements[0].hazards, *added)})
        operations.statements[operation] = [first, *statements[1:]]
