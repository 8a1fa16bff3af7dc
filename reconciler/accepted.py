"""Compare a target with the part of a declaration that PostgreSQL accepts there."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass, replace

from reconciler.canonicalise.further import ROUNDS, at_fault
from reconciler.diff.routines import routines_named
from reconciler.errors import DeclarationError
from reconciler.introspect.introspect import Snapshot
from reconciler.model.ref import Ref
from reconciler.model.state import Declaration, State
from reconciler.plan.plan import Plan
from reconciler.planning import Job, plan_of
from reconciler.server.connection import Connection


@dataclass(frozen=True)
class Accepted:
    """A plan towards the accepted part, not to be run, and the error about the refused part."""

    plan: Plan
    refused: DeclarationError | None = None


def compare_accepted(job: Job, live: Snapshot, connection: Connection) -> Accepted:
    """Return the changes of all declared objects that can be compared, and why others cannot.

    A change by hand may keep the declared state from being built: a role was dropped, or a column
    of an index was renamed. The refused objects, and those that need them, count as declared the
    way they are. Raises DeclarationError where nothing is left to compare.
    """
    try:
        return Accepted(plan_of(job, live, connection))
    except DeclarationError as error:
        first = error
    found, left_out = first, set[Ref]()
    for _ in range(ROUNDS):
        refused = at_fault(job.declaration, live.state, found.problems) - left_out
        left_out |= refused
        if not refused or job.declaration.objects.keys() <= left_out:
            break
        job = replace(job, declaration=_as_live(job.declaration, live.state, refused))
        try:
            return Accepted(plan_of(job, live, connection), first)
        except DeclarationError as error:
            found = error
    raise first


def _as_live(declaration: Declaration, live: State, refs: Set[Ref]) -> Declaration:
    """Return the declaration with some objects as they are in the database, or without them."""
    found = {r: o for r, o in declaration.objects.items() if r not in refs}
    for ref in sorted(refs, key=lambda r: r.on is not None):  # tables before their parts
        for was in _live_refs(declaration, live, ref):
            if ref.on is None:
                found[was] = live[was]
                if was != ref:
                    found |= {part.ref: part for part in live.objects_on(was)}
            elif ref.on in found:
                now = was._replace(on=ref.on)
                found[now] = live[was].model_copy(update={"ref": now})
    return replace(declaration, objects=found)


def _live_refs(declaration: Declaration, live: State, ref: Ref) -> list[Ref]:
    """Return the live objects that a declared one stands for, under the new or the old name.

    All live routines of its name, since PostgreSQL alone knows the declared arguments.
    """
    obj = declaration.objects[ref]
    if ref.arguments is not None:
        routines = [o.ref for o in routines_named(live, obj)]
        return [r for r in routines if r == ref or r not in declaration.objects]
    table = declaration.objects.get(ref.on) if ref.on is not None else None
    tables = [ref.on, *([table.old_ref] if table is not None and table.old_ref else [])]
    names = [ref, *([obj.old_ref] if obj.old_ref else [])]
    candidates = (name._replace(on=on) for on in tables for name in names)
    return [r for r in candidates if r in live][:1]
