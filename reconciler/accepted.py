"""Compare a target with the part of a declaration that PostgreSQL accepts there."""

from __future__ import annotations

from dataclasses import dataclass, replace

from reconciler.canonicalise.further import ROUNDS, at_fault, without
from reconciler.errors import DeclarationError
from reconciler.introspect.introspect import Snapshot
from reconciler.model.ref import Ref
from reconciler.plan.plan import Plan
from reconciler.planning import Job, plan_of
from reconciler.server.connection import Connection


@dataclass(frozen=True)
class Accepted:
    """A plan towards what is accepted, which nobody is to run, and the error about the rest."""

    plan: Plan
    refused: DeclarationError | None = None


def compare_accepted(job: Job, live: Snapshot, connection: Connection) -> Accepted:
    """Return the changes of all declared objects that can be compared, and why others cannot.

    What was altered by hand may keep the declared state from being built: a role that somebody has
    dropped, a detached partition with another type of a column. Objects that need one at fault are
    left out as well. Raises DeclarationError where nothing is left to compare.
    """
    try:
        return Accepted(plan_of(job, live, connection))
    except DeclarationError as error:
        first = error
    found, left_out = first, set[Ref]()
    for _ in range(ROUNDS):
        refused = at_fault(job.declaration, live.state, found.problems)
        rest = without(job.declaration, refused)
        if not refused or not rest.objects:
            break
        left_out |= refused
        job = replace(job, declaration=rest)
        try:
            return Accepted(_without(plan_of(job, live, connection), left_out), first)
        except DeclarationError as error:
            found = error
    raise first


def _without(plan: Plan, refs: set[Ref]) -> Plan:
    """Return the plan without the changes of objects, which only seem to be undeclared."""
    named = {(r.kind, r.identity) for r in refs}
    kept = tuple(c for c in plan.changes if (c.kind, c.identity) not in named)
    return plan.model_copy(update={"changes": kept})
