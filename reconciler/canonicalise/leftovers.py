"""Give a clone what no State tells of the target: the names of the pieces on partitions, and what is only half made.

So a plan that goes on from there can be proven on it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from reconciler.introspect.introspect import introspect
from reconciler.model.context import Situation
from reconciler.model.facts import Piece
from reconciler.model.ref import Ref
from reconciler.server.connection import Connection, run
from reconciler.sql import compose, name, text

NOTHING: Mapping[Ref, Piece] = {}


def strew(connection: Connection, situation: Situation) -> None:
    """Do that on the clone behind `connection`; `situation` is the target's. Raises StatementFailed."""
    if not (situation.pieces or situation.leftovers):
        return
    there = introspect(connection, situation.server)
    for sql in _renamed(there.situation, situation):
        run(connection, sql)
    for ref, leftover in situation.leftovers.items():
        pieces = situation.pieces.get(ref, NOTHING)
        if (
            leftover.sound
            and ref.on in there.state
            and all(table in there.state for table in pieces)
        ):
            for statement in leftover.made.halfway(pieces):
                run(connection, statement.sql)


def _renamed(clone: Situation, target: Situation) -> Iterator[str]:
    """By way of names that nobody has, since one may have to take the name of another."""
    pairs = [
        (table.schema, piece.name, target.pieces[ref][table].name)
        for ref, pieces in clone.pieces.items()
        for table, piece in pieces.items()
        if table in target.pieces.get(ref, NOTHING) and target.pieces[ref][table].name != piece.name
    ]
    for n, (schema, was, _) in enumerate(pairs):
        yield text(
            compose("ALTER INDEX {} RENAME TO {}", name(schema, was), f"reconcile_clone_{n}")
        )
    for n, (schema, _, becomes) in enumerate(pairs):
        yield text(
            compose("ALTER INDEX {} RENAME TO {}", name(schema, f"reconcile_clone_{n}"), becomes)
        )
