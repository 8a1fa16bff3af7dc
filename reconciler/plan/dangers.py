"""Find hazards that no statement shows by itself: old names in bodies, privileges of PUBLIC."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from reconciler.diff.diff import Change
from reconciler.diff.renames import Renaming
from reconciler.model.companion import shortfall
from reconciler.model.deferred import deferred_needs
from reconciler.model.object import InlinePart, Object
from reconciler.model.on_scratch import RunsBody
from reconciler.model.owned import grants_of
from reconciler.model.privileges import PUBLIC
from reconciler.model.ref import Ref
from reconciler.model.state import State
from reconciler.model.statement import Hazard, HazardKind
from reconciler.plan.operations import Operation, Operations


def with_uses_of_old_names(
    renamings: Sequence[Renaming], operations: Operations, whole: State | None
) -> list[Renaming]:
    """Return the renamings with a hazard for each function that may use an old name.

    PostgreSQL stores a body in a string as it was written: nothing but its words tells what it
    uses. It fails when it is called next.
    """
    live = whole or operations.live
    bodies = _bodies(operations, live) if renamings else dict[Ref, str]()
    renamed = {r.was for r in renamings if r.was != r.becomes}
    bodies = {ref: body for ref, body in bodies.items() if ref not in renamed}
    shown = [n for n, r in enumerate(renamings) if r.was not in {e.was for e in renamings[:n]}]
    return [
        _with_uses(r, bodies, operations, live) if n in shown else r
        for n, r in enumerate(renamings)
    ]


def _bodies(operations: Operations, live: State) -> Mapping[Ref, str]:
    """Map each function that stays to its body, as it will be."""
    objects = {**live.objects, **operations.desired.objects}
    bodies = (
        (ref, obj.literal_body())
        for ref, obj in objects.items()
        if isinstance(obj, RunsBody)
        if ref in operations.desired or ref not in operations.dropped
    )
    return {ref: body for ref, body in bodies if body}


def _with_uses(
    renaming: Renaming, bodies: Mapping[Ref, str], operations: Operations, live: State
) -> Renaming:
    if renaming.part or _is_reused(renaming.was, operations.desired):
        return renaming
    users = sorted(_users(renaming, bodies, live), key=str)
    hazards = tuple(
        Hazard(
            hazard=HazardKind.BLOCKS_READS,
            reason=f"{ref} may still use {renaming.was} under this name, and would fail",
        )
        for ref in users
    )
    statement = renaming.statement
    changed = statement.model_copy(update={"hazards": (*statement.hazards, *hazards)})
    return replace(renaming, statement=changed)


def _is_reused(was: Ref, desired: State) -> bool:
    """Tell whether another object takes the old name, such as a view in place of the table."""
    return any((r.schema, r.name, r.on) == (was.schema, was.name, was.on) for r in desired)


def _users(renaming: Renaming, bodies: Mapping[Ref, str], live: State) -> Iterator[Ref]:
    """Yield the functions with the old name as a word.

    A column's name says little: the body also names the table, or belongs to a trigger on it.
    """
    was = renaming.was
    of_triggers = _called_on(was.on, live) if isinstance(live.get(was), InlinePart) else None
    for ref, body in bodies.items():
        if _has_word(body, [was.name]) and (
            of_triggers is None
            or was.on is None
            or ref in of_triggers
            or _has_word(
                body, [was.on.name, renaming.becomes.on.name if renaming.becomes.on else ""]
            )
        ):
            yield ref


def _called_on(table: Ref | None, live: State) -> frozenset[Ref]:
    """Return what the objects on a table need, such as the functions of its triggers."""
    return frozenset(needed for o in live.objects if o.on == table for needed in live.needs(o))


def _has_word(body: str, names: Iterable[str]) -> bool:
    return any(
        re.search(rf"(?<![\w$]){re.escape(word)}(?![\w$])", body, re.IGNORECASE)
        for word in names
        if word
    )


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
