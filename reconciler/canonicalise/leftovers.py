"""Recreate on a scratch database facts of the target beside its State.

These are the names of partition indexes, and unfinished objects, which a plan may resume.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from reconciler.introspect.introspect import introspect
from reconciler.model.context import PlanningContext
from reconciler.model.facts import PartitionCopy
from reconciler.model.ref import Ref
from reconciler.model.resumption import LeavesLeftovers
from reconciler.server.connection import Connection
from reconciler.server.elevation import run_statement
from reconciler.sql import compose, name, text

NOTHING: Mapping[Ref, PartitionCopy] = {}


def recreate_leftovers(connection: Connection, context: PlanningContext) -> None:
    """Recreate names and unfinished objects of the target's `context`; raises StatementFailed."""
    if not (context.partition_copies or context.leftovers):
        return
    clone = introspect(connection, context.server)
    for sql in _rename_copies(clone.context, context):
        run_statement(connection, sql)
    for ref, leftover in context.leftovers.items():
        copies = context.partition_copies.get(ref, NOTHING)
        has_all_tables = ref.on in clone.state and all(table in clone.state for table in copies)
        obj = leftover.made
        if isinstance(obj, LeavesLeftovers) and leftover.resumable and has_all_tables:
            for statement in obj.replay(copies):
                run_statement(connection, statement.sql)


def _rename_copies(clone: PlanningContext, target: PlanningContext) -> Iterator[str]:
    """Give partition indexes the target's names, by way of unused names: two may be swapped."""
    renamed = [
        (table.schema, copy.name, target_name)
        for ref, copies in clone.partition_copies.items()
        for table, copy in copies.items()
        if (target_name := _name_of_copy(target, ref, table)) not in (None, copy.name)
    ]
    rename = "ALTER INDEX {} RENAME TO {}"
    for n, (schema, clone_name, _) in enumerate(renamed):
        yield text(compose(rename, name(schema, clone_name), f"reconcile_clone_{n}"))
    for n, (schema, _, target_name) in enumerate(renamed):
        yield text(compose(rename, name(schema, f"reconcile_clone_{n}"), target_name))


def _name_of_copy(context: PlanningContext, ref: Ref, table: Ref) -> str | None:
    copy = context.partition_copies.get(ref, NOTHING).get(table)
    return copy.name if copy else None
