"""Give a clone what no State tells of the target: the names of the pieces on partitions, and what is only half made.

So a plan that goes on from there can be proven on it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from reconciler.introspect.introspect import introspect
from reconciler.model.context import PlanningContext
from reconciler.model.facts import PartitionCopy
from reconciler.model.ref import Ref
from reconciler.model.resumption import LeavesLeftovers
from reconciler.server.connection import Connection, run_sql
from reconciler.sql import compose, name, text

NOTHING: Mapping[Ref, PartitionCopy] = {}


def recreate_leftovers(connection: Connection, context: PlanningContext) -> None:
    """Do that on the clone behind `connection`; `situation` is the target's. Raises StatementFailed."""
    if not (context.partition_copies or context.leftovers):
        return
    there = introspect(connection, context.server)
    for sql in _renamed(there.context, context):
        run_sql(connection, sql)
    for ref, leftover in context.leftovers.items():
        pieces = context.partition_copies.get(ref, NOTHING)
        made = leftover.made
        if (
            isinstance(made, LeavesLeftovers)
            and leftover.resumable
            and ref.on in there.state
            and all(table in there.state for table in pieces)
        ):
            for statement in made.replay(pieces):
                run_sql(connection, statement.sql)


def _renamed(clone: PlanningContext, target: PlanningContext) -> Iterator[str]:
    """By way of names that nobody has, since one may have to take the name of another."""
    pairs = [
        (table.schema, piece.name, target.partition_copies[ref][table].name)
        for ref, pieces in clone.partition_copies.items()
        for table, piece in pieces.items()
        if table in target.partition_copies.get(ref, NOTHING)
        and target.partition_copies[ref][table].name != piece.name
    ]
    for n, (schema, was, _) in enumerate(pairs):
        yield text(
            compose("ALTER INDEX {} RENAME TO {}", name(schema, was), f"reconcile_clone_{n}")
        )
    for n, (schema, _, becomes) in enumerate(pairs):
        yield text(
            compose("ALTER INDEX {} RENAME TO {}", name(schema, f"reconcile_clone_{n}"), becomes)
        )
