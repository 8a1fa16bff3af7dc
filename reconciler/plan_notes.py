"""Collect the notes of a plan: surprises in the declaration and in the target."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.canonicalise.canonical import Canonical
from reconciler.canonicalise.effects import effects
from reconciler.introspect.introspect import Snapshot
from reconciler.introspect.notices import other_tools_notices
from reconciler.introspect.unmanaged import unmanaged
from reconciler.journal.history import recorded
from reconciler.model.foreign_options import unset_options
from reconciler.model.state import Declaration, Scope
from reconciler.server.connection import Connection


def plan_notes(
    declaration: Declaration,
    scope: Scope,
    canonical: Canonical,
    live: Snapshot,
    connection: Connection,
    journal: str,
) -> Iterator[str]:
    """Yield the notes; raises StatementFailed where the target cannot be read.

    An object that is declared absent, and not there, is passed over if an earlier run has known it:
    that run, or somebody later, has dropped it.
    """
    for ref, why in canonical.left_out.items():
        yield f"{ref} could not be built on scratch and was left out: {why}"
    for ref, why in canonical.stale.items():
        yield f"{ref} is created although its body does not compile: {why}"
    for setting in live.kept:
        yield f"{setting} is in force here, and is kept"
    known = recorded(connection, journal, declaration.absent)
    yield from effects(declaration, canonical, live.state, known)
    yield from unset_options(declaration.objects.values(), live.state.objects)
    yield from unmanaged(connection, live, scope)
    if scope.prune:
        undeclared = (r for r in live.state if scope.covers(r) and r not in declaration.objects)
        yield from other_tools_notices(undeclared)


def pruned_note(scope: Scope) -> Iterator[str]:
    """Name the schemas in which undeclared objects are dropped."""
    if scope.prune:
        pruned = scope.schemas if scope.pruned is None else scope.pruned
        schemas = "every schema" if scope.everything else ", ".join(sorted(pruned))
        yield f"--prune: what is not declared is dropped in {schemas}"
