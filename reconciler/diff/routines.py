"""Identify routines by the arguments of the live routines: PostgreSQL spells the types."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from reconciler.model.declared import declared_arguments
from reconciler.model.object import Object
from reconciler.model.ref import Ref
from reconciler.model.state import Declaration, State


class Arguments(NamedTuple):
    """The arguments of a routine, as PostgreSQL spells them before and after all renamings."""

    live: str
    renamed: str


def unidentified_routines(live: State, declaration: Declaration) -> set[Ref]:
    """Return the declared routines with old names, which PostgreSQL has to tell apart by types."""
    renamed = {
        r: o
        for r, o in declaration.objects.items()
        if o.renamed_from is not None and r.arguments is not None
    }
    known = known_arguments(live, declaration) if renamed else {}
    return {r for r, o in renamed.items() if r not in known and any(routines_named(live, o))}


def routines_named(live: State, obj: Object) -> Iterator[Object]:
    """Yield the live routines under the name, or the old name, of a declared routine."""
    if obj.ref.arguments is not None:
        yield from live.overloads(obj.ref)
        if obj.old_ref is not None:
            yield from live.overloads(obj.old_ref)


def known_arguments(live: State, declaration: Declaration) -> dict[Ref, Arguments]:
    """Return the catalog's spelling of arguments that are declared as a live routine has them."""
    return {
        ref: Arguments(routine.ref.arguments, routine.ref.arguments)
        for ref, obj in declaration.objects.items()
        if ref.arguments is not None
        for routine in routines_named(live, obj)
        if routine.ref.arguments is not None
        and ref.arguments in (declared_arguments(routine), routine.ref.arguments)
    }
