"""Find dangers that no statement shows by itself: short sequences, privileges of PUBLIC.

Hazards name an object that is dropped under a temporary name by the name that people know.
"""

from __future__ import annotations

from collections.abc import Sequence

from reconciler.diff.diff import Change
from reconciler.diff.renames import Renaming
from reconciler.model.companion import shortfall
from reconciler.model.deferred import deferred_needs
from reconciler.model.object import Object
from reconciler.model.owned import grants_of
from reconciler.model.privileges import PUBLIC
from reconciler.model.ref import Ref
from reconciler.model.state import State
from reconciler.model.statement import Hazard, HazardKind, Statement
from reconciler.plan.operations import Operation, Operations


def shortfalls(changes: Sequence[Change], desired: State) -> list[str]:
    """Return a note for each sequence that ends too early for its column, if one of both changes.

    PostgreSQL widens the sequence of an identity column with the column, but not that of a default.
    """
    changed = {c.ref for c in changes}
    found = list[str]()
    for ref, obj in desired.objects.items() if changed else ():
        columns = {r for r in deferred_needs(obj) if r.on is not None}
        if changed & {ref, *columns} and (note := shortfall(obj, desired.objects)):
            found.append(note)
    return found


def add_executed_by_everybody(operations: Operations) -> None:
    """Add a hazard where a function replaces another that not everybody might execute.

    With other arguments it is a new object, and gets the privileges of one.
    """
    dropped = [r for r in operations.dropped if r.arguments is not None and r in operations.live]
    for old in dropped:
        before = operations.live[old]
        for operation in [*operations.statements] if not _is_public(before) else ():
            new = operation.ref
            created = operation == Operation.create(new) and new not in operations.live
            if created and new.is_overload_of(old) and _is_public(operations.desired.get(new)):
                _add_hazard(operations, operation, old)


def name_dropped_as_before(operations: Operations, renamings: Sequence[Renaming]) -> None:
    """Let hazards of objects that are renamed to be dropped give the names before."""
    for renaming in renamings:
        operation = Operation.drop(renaming.becomes)
        old, new = str(renaming.was), str(renaming.becomes)
        if operation in operations.statements:
            operations.statements[operation] = [
                _with_name(s, new, old) for s in operations.statements[operation]
            ]


def _with_name(statement: Statement, name: str, known: str) -> Statement:
    """Return a statement whose hazards give an object another name."""
    hazards = tuple(
        h.model_copy(update={"reason": h.reason.replace(name, known)}) for h in statement.hazards
    )
    return statement.model_copy(update={"hazards": hazards})


def _is_public(obj: Object | None) -> bool:
    return PUBLIC in (grants_of(obj) or {})


def _add_hazard(operations: Operations, operation: Operation, old: Ref) -> None:
    reason = (
        f"{operation.ref} takes the place of {old}, and everybody may execute it: "
        "grants: {public: []} takes that away"
    )
    hazard = Hazard(hazard=HazardKind.WEAKENS_SECURITY, reason=reason)
    first, *others = operations.statements[operation]
    found = first.model_copy(update={"hazards": (*first.hazards, hazard)})
    operations.statements[operation] = [found, *others]
