"""Plan base types with the functions that need the type, which the type needs."""

from __future__ import annotations

from collections.abc import Iterator, Set

from reconciler.errors import PlanError
from reconciler.model.datatype import Replaceable
from reconciler.model.deferred import CreatedAsShell, deferred_needs, define_deferred
from reconciler.model.object import InlinePart
from reconciler.model.ref import Ref
from reconciler.model.state import State
from reconciler.plan.operations import Operation, Operations
from reconciler.plan.recreate import Recreation

MAX_LISTED = 3


def goes_with(operations: Operations, ref: Ref) -> Iterator[Ref]:
    """Yield the dropped base type whose DROP drops a function."""
    live = operations.live
    for owner in live.deferred_to(ref):
        if owner in operations.dropped and ref in going_with(operations, owner):
            yield owner


def going_with(operations: Operations, ref: Ref) -> list[Ref]:
    """List the functions that the DROP of a base type drops."""
    obj, live = operations.live[ref], operations.live
    needed = obj.deferred_needs() if isinstance(obj, CreatedAsShell) else frozenset[Ref]()
    return sorted((r for r in needed if r in live and ref in live.needs(r)), key=lambda r: r.order)


def require_replaceable(found: Recreation, live: State, desired: State) -> None:
    """Raise PlanError for a base type to be replaced while columns or types have it."""
    for ref in found.recreated.keys() & desired.objects.keys():
        if not isinstance(live[ref], CreatedAsShell):
            continue
        using = (r for r in live.dependents.get(ref, ()) if r in desired)
        holding = sorted(r.identity for r in using if _holds(live, r))
        if holding:
            listed = ", ".join(holding[:MAX_LISTED])
            more = f" and {n} more" if (n := len(holding) - MAX_LISTED) > 0 else ""
            raise PlanError(
                f"{ref} cannot be altered so while it is in use by {listed}{more}: ALTER TYPE sets"
                " only functions other than input and output, and columns would keep their storage;"
                " declare a type of another name, let what uses this one use that, and drop this"
                " one after it"
            )


def _holds(live: State, ref: Ref) -> bool:
    return isinstance(live[ref], InlinePart | Replaceable)


def complete_in_undo(operations: Operations, obj: CreatedAsShell, lost: Set[Ref]) -> None:
    """Complete the object in the undo of its DROP; refuse to drop functions of one that stays."""
    drop = Operation.drop(obj.ref)
    if drop in operations.statements:
        definition = define_deferred(obj, operations.context)
        operations.extend_undo(drop, [s.sql for s in definition])
        return
    desired = operations.desired.get(obj.ref)
    for needed in sorted(lost & deferred_needs(desired) if desired else ()):
        raise PlanError(
            f"{needed} belongs to {obj.ref}, which stays: PostgreSQL neither drops nor replaces it "
            f"without {obj.ref}; keep it as it is, or let both be absent"
        )


def undo_with_completion(operations: Operations) -> None:
    """Let the undo of a completed object drop its new functions: that is how both are dropped."""
    for obj in operations.desired.of(CreatedAsShell):
        created = obj.ref in operations.created
        for needed in obj.deferred_needs() & operations.created if created else ():
            create = Operation.create(needed)
            if create in operations.statements and obj.ref in operations.desired.needs(needed):
                operations.statements[create] = [
                    s.model_copy(update={"undo": ()}) for s in operations.statements[create]
                ]
