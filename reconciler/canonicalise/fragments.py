"""Prove that SQL that people wrote stands in its clause alone, before it is composed.

`id > 0) NO INHERIT, ADD CONSTRAINT e CHECK (true` in `check` would otherwise add a constraint that
no declaration mentions, under the name of one that it does.
"""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.errors import FragmentError, Problem
from reconciler.kinds import KINDS
from reconciler.model.clauses import Clause, Fragment, fragments_in
from reconciler.model.declared import declared_arguments
from reconciler.model.object import Object
from reconciler.model.ref import Ref
from reconciler.model.state import Declaration, State
from reconciler.server.connection import Connection
from reconciler.server.syntax import syntax_errors

CLIPPED = 100  # characters of a text or of PostgreSQL's message in a problem

_Occurrence = tuple[Ref, Fragment]


def prove_fragments(connection: Connection, declaration: Declaration, live: State) -> None:
    """Let PostgreSQL parse the declaration's SQL; raise FragmentError for all that leaves a clause.

    SQL that PostgreSQL printed is not parsed: that of a recorded declaration, and that of the live
    object itself.
    """
    if declaration.recorded:
        return
    texts: dict[tuple[Clause, str], list[_Occurrence]] = {}
    for ref, fragment in _declared(declaration, live):
        texts.setdefault((fragment.clause, fragment.text), []).append((ref, fragment))
    statements = [(key, s) for key in texts for s in key[0].statements(key[1])]
    messages: dict[tuple[Clause, str], str] = {}
    for number, message in syntax_errors(connection, [s for _, s in statements]).items():
        messages.setdefault(statements[number][0], message)
    problems = [
        _problem(declaration, ref, fragment, message)
        for key, message in messages.items()
        for ref, fragment in texts[key]
    ]
    if problems:
        raise FragmentError(problems)


def _declared(declaration: Declaration, live: State) -> Iterator[_Occurrence]:
    for ref, obj in declaration.absent.items():
        if (arguments := declared_arguments(obj)) is not None:
            clause = obj.sql_clauses["arguments"]
            yield from ((ref, f) for f in fragments_in("arguments", clause, arguments))
    for ref, obj in declaration.objects.items():
        printed = frozenset(_texts(live.get(ref)))
        yield from ((ref, f) for f in obj.fragments() if (f.field, f.text) not in printed)


def _texts(obj: Object | None) -> Iterator[tuple[str, str]]:
    if obj is not None:
        yield from ((f.field, f.text) for f in obj.fragments())


def _problem(declaration: Declaration, ref: Ref, fragment: Fragment, message: str) -> Problem:
    field = (
        KINDS[ref.kind].model_fields[fragment.field].alias or fragment.field
        if fragment.field
        else ""
    )
    title = f"{ref}: {field}" if field else str(ref)
    return Problem(
        f"{title}: {clipped(message)}",
        declaration.position(ref, field),
        f"expected {fragment.clause.title}, got {clipped(fragment.text)!r}",
        "syntax-error",
    )


def clipped(sql: str) -> str:
    """Return the first characters of a text."""
    return sql if len(sql) <= CLIPPED else sql[:CLIPPED] + "…"
