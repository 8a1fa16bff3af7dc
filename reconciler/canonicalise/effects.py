"""Tell people what of a declaration changes nothing, or more than it seems to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from difflib import get_close_matches

from reconciler.canonicalise.absent_parts import owner_of_part
from reconciler.canonicalise.canonical import Canonical
from reconciler.kinds import KINDS
from reconciler.model.effect import MayHaveNoEffect, without_effect
from reconciler.model.object import InlinePart, Object
from reconciler.model.owned import grants_of
from reconciler.model.ref import Ref
from reconciler.model.state import Declaration, State

MAX_LISTED = 10  # objects in a note
MAX_NEAR = 2
_CLOSE = 0.8
_MAY_HAVE_NONE = frozenset(n for n, k in KINDS.items() if issubclass(k, MayHaveNoEffect))


def effects(
    declaration: Declaration, canonical: Canonical, live: State, dropped: Set[Ref] = frozenset()
) -> list[str]:
    """Return notes on a declaration; `live` is the state before any renaming.

    Objects in `dropped` were there once: that they are absent is no surprise.
    """
    if declaration.recorded:
        return []
    missing = [
        r
        for r in declaration.absent
        if not {r, canonical.spelled.get(r, r)} & (live.objects.keys() | dropped)
        and owner_of_part(r, live, canonical.context.server) is None
    ]
    return [
        *_nothing_to_drop(missing, live),
        *_empty_lists(declaration, live),
        *_no_grants(declaration),
        *_no_effect(declaration, canonical, live),
        *_appended(declaration, live),
    ]


def _nothing_to_drop(missing: list[Ref], live: State) -> Iterator[str]:
    """Name missing objects that are declared absent, with the nearest existing objects."""
    if missing:
        listed = [f"{r}{_near(r, live)}" for r in missing[:MAX_LISTED]]
        if more := len(missing) - MAX_LISTED:
            listed += [f"{more} more"] if more > 0 else []
        yield f"not there, so that state: absent changes nothing: {'; '.join(listed)}"


def _near(ref: Ref, live: State) -> str:
    if ref.on is not None and ref in live.inherited(ref.on):
        return " (it is inherited: the parent has it)"
    found = [*dict.fromkeys(_similar(ref, live))][:MAX_NEAR]
    near = [f"{o} on {o.on}" if o.on and str(o) == str(ref) else str(o) for o in found]
    return f" (there is {' and '.join(near)})" if near else ""


def _similar(ref: Ref, live: State) -> Iterator[Ref]:
    """Yield objects of the same name in any kind, case or schema, then of similar names."""
    yield from (o for o in live if _place(o) == _place(ref) and o.name == ref.name)
    same_kind = [o for o in live if o.kind == ref.kind]
    yield from (o for o in same_kind if o.name.lower() == ref.name.lower())
    beside = {o.name: o for o in same_kind if _place(o) == _place(ref)}
    yield from (beside[n] for n in get_close_matches(ref.name, beside, 1, _CLOSE))


def _place(ref: Ref) -> tuple[str, Ref | None]:
    return ref.schema, ref.on


def _empty_lists(declaration: Declaration, live: State) -> Iterator[str]:
    """Name empty lists of sections, and exclusive sections without entries but comments."""
    exclusive = declaration.exclusive
    listed = {(r.on, r.kind) for r in declaration.objects if r.on in exclusive}
    for ref, kinds in declaration.exclusive.items():
        if not kinds:
            yield f"{ref}: exclusive is an empty list: what is not declared stays"
        for kind in sorted(kinds & KINDS.keys()):
            section = KINDS[kind].section
            is_empty = (ref, section) in declaration.positions and (ref, kind) not in listed
            if is_empty and any(o.ref.kind == kind for o in live.objects_on(ref)):
                yield f"{ref}: {section} is exclusive and lists nothing: all that it has go"


def _no_grants(declaration: Declaration) -> Iterator[str]:
    for ref, obj in declaration.objects.items():
        if grants_of(obj) == {} and "grants" not in declaration.exclusive.get(ref, ()):
            yield (
                f"{ref}: grants lists no role, so that all privileges stay as they are;"
                " exclusive: [grants] takes those of others away"
            )


def _no_effect(declaration: Declaration, canonical: Canonical, live: State) -> Iterator[str]:
    """Name what has no effect, whether or not it was compared on scratch."""
    desired = {**live.objects, **canonical.desired.objects}
    for ref in declaration.objects:
        if ref.kind in _MAY_HAVE_NONE:
            obj = desired.get(canonical.spelled.get(ref, ref))
            if obj is not None and (note := without_effect(obj, desired)):
                yield note


def _appended(declaration: Declaration, live: State) -> Iterator[str]:
    """Name new columns that the files list before existing ones: PostgreSQL puts them last."""
    tables = {r.on for r in declaration.objects if r not in live.objects} & live.objects.keys()
    listed: dict[Ref, dict[Ref, Object]] = {}
    for ref, obj in declaration.objects.items() if tables else ():
        if isinstance(obj, InlinePart) and ref.on is not None and ref.on in tables:
            listed.setdefault(ref.on, {})[ref] = obj
    for table, columns in listed.items():
        if moved := [*_new_before_existing(columns, table, live)]:
            yield (
                f"{table}: {', '.join(moved[:MAX_LISTED])} will stand after the existing"
                " columns, not before them as in the file: PostgreSQL appends new columns"
            )


def _new_before_existing(columns: Mapping[Ref, Object], table: Ref, live: State) -> Iterator[str]:
    """Yield the names of new columns; only a declaration of all columns tells their order."""
    own = {o.ref for o in live.objects_on(table) if isinstance(o, InlinePart)}
    known = own | live.inherited(table).keys()
    if own <= columns.keys():
        waiting = list[str]()
        for ref, obj in columns.items():
            if ref not in known and obj.renamed_from is None:
                waiting.append(ref.name)
                continue
            yield from waiting
            waiting = []
