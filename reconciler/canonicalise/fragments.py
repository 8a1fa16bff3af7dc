"""Prove declared SQL to be a single clause, before statements are composed with the SQL.

`id > 0) NO INHERIT, ADD CONSTRAINT e CHECK (true` in `check` would otherwise add a constraint that
no declaration mentions, under the name of one that it does.
"""

from __future__ import annotations

from collections.abc import Iterator, Set

from reconciler.canonicalise.syntax_words import described, quoting_hint
from reconciler.errors import FragmentError, Problem
from reconciler.kinds import KINDS
from reconciler.model.clauses import Clause, Fragment, fragments_in
from reconciler.model.declared import declared_arguments
from reconciler.model.object import Object
from reconciler.model.ref import Ref
from reconciler.model.state import Declaration, State
from reconciler.server.connection import Connection, rows
from reconciler.server.syntax import SyntaxFault, syntax_errors

RESERVED_WORDS = "SELECT word FROM pg_catalog.pg_get_keywords() WHERE catcode IN ('R', 'T')"
CLIPPED = 100  # characters of a text or of PostgreSQL's message in a problem

_Occurrence = tuple[Ref, Fragment]


def prove_fragments(
    connection: Connection, declaration: Declaration, live: State, repeated: Set[Ref]
) -> None:
    """Let PostgreSQL parse the declaration's SQL; raise FragmentError for all that leaves a clause.

    SQL that PostgreSQL printed is not parsed: that of a recorded declaration, and that of the live
    object itself, as in the declared objects that are `repeated`.
    """
    if declaration.recorded:
        return
    texts: dict[tuple[Clause, str], list[_Occurrence]] = {}
    for ref, fragment in _declared(declaration, live, repeated):
        texts.setdefault((fragment.clause, fragment.text), []).append((ref, fragment))
    statements = [
        (key, number, s) for key in texts for number, s in enumerate(key[0].statements(key[1]))
    ]
    found: dict[tuple[Clause, str], tuple[int, SyntaxFault]] = {}
    for number, fault in syntax_errors(connection, [s for _, _, s in statements]).items():
        key, probe, _ = statements[number]
        found.setdefault(key, (key[0].offset(probe), fault))
    names = _reserved_names(connection, declaration, live) if found else set[str]()
    problems = [
        _problem(declaration, occurrence, fault, names)
        for key, fault in found.items()
        for occurrence in texts[key]
    ]
    if problems:
        raise FragmentError(problems)


def _reserved_names(connection: Connection, declaration: Declaration, live: State) -> set[str]:
    """Return the names of objects that SQL reads as its own words."""
    reserved = {row["word"] for row in rows(connection, RESERVED_WORDS)}
    return reserved & {ref.name for ref in (*declaration.objects, *live)}


def _declared(declaration: Declaration, live: State, repeated: Set[Ref]) -> Iterator[_Occurrence]:
    for ref, obj in declaration.absent.items():
        if (arguments := declared_arguments(obj)) is not None:
            clause = obj.sql_clauses["arguments"]
            yield from ((ref, f) for f in fragments_in("arguments", clause, arguments))
    for ref, obj in declaration.objects.items():
        if ref in repeated:
            continue
        current = live.get(ref)
        if current is not None and obj.repeats(current):
            continue
        printed = frozenset(_texts(current))
        yield from ((ref, f) for f in obj.fragments() if (f.field, f.text) not in printed)


def _texts(obj: Object | None) -> Iterator[tuple[str, str]]:
    if obj is not None:
        yield from ((f.field, f.text) for f in obj.fragments())


def _problem(
    declaration: Declaration,
    occurrence: _Occurrence,
    located: tuple[int, SyntaxFault],
    names: Set[str],
) -> Problem:
    (ref, fragment), (offset, fault) = occurrence, located
    field = (
        KINDS[ref.kind].model_fields[fragment.field].alias or fragment.field
        if fragment.field
        else ""
    )
    title = f"{ref}: {field}" if field else str(ref)
    message = described(fault, fragment.text, offset)
    hint = (
        quoting_hint(fault, fragment.text, offset, names)
        or fragment.clause.advice_on(fragment.text)
        or f"expected {fragment.clause.title}"
    )
    return Problem(
        f"{title}: {clipped(message)}",
        declaration.position(ref, field),
        f"{hint}; got {clipped(fragment.text)!r}",
        "syntax-error",
    )


def clipped(sql: str) -> str:
    """Return the first characters of a text."""
    return sql if len(sql) <= CLIPPED else sql[:CLIPPED] + "…"
