"""Refuse a state of scratch that code changed while it was built.

PostgreSQL runs functions and expressions while it creates objects. Whatever they do to other
objects must not become part of a plan, so three rules hold of a state that was read back:

1. An object that nobody declared is as it was carried in. What PostgreSQL derives from other
   objects may differ, if those objects do: the SQL of a view over a column of another type.
2. An object that was put in from a declaration or from the target has the comment, owner,
   privileges, switches and body that were put in. PostgreSQL spells the other fields its own way.
3. No object appears, or is lost, that creating the others does not bring or merge.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal, get_args, get_origin

from reconciler.canonicalise.closure import descendants
from reconciler.errors import TamperedWith
from reconciler.model.deferred import deferred_needs
from reconciler.model.inheritance import filled, overrides
from reconciler.model.object import InlinePart, Object
from reconciler.model.on_scratch import brings, literal_body
from reconciler.model.owned import Granted, owner_of
from reconciler.model.ref import Ref
from reconciler.model.state import State

MAX_LISTED = 10


@dataclass(frozen=True)
class Finding:
    """An object that was tampered with, and the fields, or what happened to the object."""

    ref: Ref
    what: str

    def __str__(self) -> str:
        return f"{self.ref}: {self.what}"


@dataclass(frozen=True)
class Guarded:
    """A state that was put in, and what was read back.

    `left_out` are refused objects. `owners` maps a role of the target to the role on scratch,
    `spelled` new refs to PostgreSQL's spelling, where it was asked.
    """

    put_in: State
    found: State
    left_out: Collection[Ref] = ()
    owners: Mapping[str, str] = field(default_factory=dict[str, str])
    spelled: Mapping[Ref, Ref] = field(default_factory=dict[Ref, Ref])


def require_as_put_in(target: Guarded) -> None:
    """Apply rules 2 and 3 to the target's objects; raises TamperedWith."""
    _refuse([*_altered(target, target.put_in), *_appeared_or_lost(target)])


def require_only_declared_changes(desired: Guarded, live: State, changed: Set[Ref]) -> None:
    """Apply all rules to a desired state; raises TamperedWith.

    `live` is the target's state as PostgreSQL printed it. `changed` are the refs of objects that
    were put in another than on the target.
    """
    found, respelled = desired.found, {**_respelled(desired, changed), **desired.spelled}
    objects = {respelled.get(r, r): o for r, o in desired.put_in.objects.items()}
    desired = replace(desired, put_in=State(objects))
    changed = {respelled.get(r, r) for r in changed}
    carried = {r: live[r] for r in objects if r in live and r not in changed}
    news = [f for f in _appeared_or_lost(desired) if found.get(f.ref) != live.get(f.ref)]
    derivation = _Derivation(live, found, changed)
    _refuse([*_altered(desired, changed), *_changed(carried, found, derivation), *news])


def _refuse(findings: Iterable[Finding]) -> None:
    tampered = [*dict.fromkeys(findings)]
    if tampered:
        lines = [str(f) for f in tampered[:MAX_LISTED]]
        if len(tampered) > MAX_LISTED:
            lines.append(f"… and {len(tampered) - MAX_LISTED} more")
        raise TamperedWith(lines, objects=[str(f.ref) for f in tampered])


# -- rule 1: undeclared objects --------------------------------------------------------------------


class _Derivation:
    """What PostgreSQL may derive from declared changes; computed once a field differs."""

    def __init__(self, live: State, found: State, changed: Set[Ref]) -> None:
        self.live, self.found, self._put_in = live, found, changed

    @cached_property
    def _differing(self) -> Set[Ref]:
        differing = {r for r in self._put_in if _differs(self.live.get(r), self.found.get(r))}
        return differing | (self.live.objects.keys() - self.found.objects.keys())

    @cached_property
    def _dependents(self) -> Set[Ref]:
        changed, live, found = self._differing, self.live, self.found
        wholes = {r.on for r in changed if r.on and _is_part(r, live, found)}
        return _reach({*changed, *wholes}, _dependents(live, found))

    @cached_property
    def _touched(self) -> Set[Ref]:
        tables = {r.on or r for r in self._differing}
        return tables | descendants(self.live, tables) | descendants(self.found, tables)

    def allows(self, before: Object, after: Object, field: str) -> bool:
        """Tell whether a field may differ."""
        ref = after.ref
        by_others = field in after.derived() | after.adjusted
        touched = ref in self._touched or ref.on in self._touched
        if touched and (by_others or self._filled_alike(before, after, field)):
            return True
        printed = field in after.sql_fields and literal_body(before) == literal_body(after)
        return ref in self._dependents and (by_others or printed)

    def _filled_alike(self, before: Object, after: Object, field: str) -> bool:
        """Tell whether a field is the same once an override has what its parent's object has.

        A table that joins or leaves a parent turns a column of its own into an override, which has
        no type, or an override into a column of its own.
        """
        values = (
            getattr(filled(obj, _inherited(state, obj.ref)), field)
            for obj, state in ((before, self.live), (after, self.found))
        )
        return next(values) == next(values)


def _inherited(state: State, ref: Ref) -> Object | None:
    return state.inherited(ref.on).get(ref) if ref.on is not None else None


def _differs(before: Object | None, after: Object | None) -> bool:
    """Tell whether more than the comment, the owner and privileges differ."""
    if before is None or after is None:
        return before is not after
    return before.without_attached() != after.without_attached()


def _is_part(ref: Ref, *states: State) -> bool:
    return any(isinstance(s.get(ref), InlinePart) for s in states)


def _dependents(*states: State) -> Mapping[Ref, set[Ref]]:
    """Map objects to dependents, except the parts of a table and the contents of a schema."""
    found: dict[Ref, set[Ref]] = {}
    for state in states:
        for ref, obj in state.objects.items():
            needs = state.needs(ref) | deferred_needs(obj)
            for needed in needs - {ref.on, ref.schema_ref}:
                found.setdefault(needed, set()).add(ref)
    return found


def _reach(start: Set[Ref], neighbours: Mapping[Ref, set[Ref]]) -> set[Ref]:
    found, waiting = set[Ref](), [*start]
    while waiting:
        ref = waiting.pop()
        if ref not in found:
            found.add(ref)
            waiting += neighbours.get(ref, ())
    return found


def _changed(
    carried: Mapping[Ref, Object], found: State, derivation: _Derivation
) -> Iterator[Finding]:
    for ref, before in carried.items():
        after = found.get(ref)
        if after is None or after == before:
            continue
        fields = [
            f
            for f in type(after).model_fields
            if getattr(before, f) != getattr(after, f) and not derivation.allows(before, after, f)
        ]
        if fields:
            yield Finding(ref, ", ".join(fields))


# -- rule 2: what comes back as it was put in ------------------------------------------------------


def _altered(state: Guarded, refs: Iterable[Ref]) -> Iterator[Finding]:
    for ref in refs:
        before, after = state.put_in.get(ref), state.found.get(ref)
        if before is None or after is None or before == after:
            continue
        if fields := [*_altered_fields(before, after, state.owners)]:
            yield Finding(ref, ", ".join(fields))


def _altered_fields(before: Object, after: Object, owners: Mapping[str, str]) -> Iterator[str]:
    fixed = {"comment", *_switches(after)}
    yield from (f for f in sorted(fixed) if getattr(before, f) != getattr(after, f))
    owner = owner_of(before)
    if owner is not None and owner_of(after) != owners.get(owner, owner):
        yield "owner"
    if literal_body(before) != literal_body(after):
        yield "body"
    if isinstance(before, Granted) and isinstance(after, Granted) and _more_granted(before, after):
        yield "grants"


def _switches(obj: Object) -> set[str]:
    """Return the fields that are true or false, or one of a few words, and have no other form."""
    return {
        name for name, field in type(obj).model_fields.items() if _is_switch(field.annotation)
    } - (obj.derived() | obj.adjusted | {*obj.sql_fields})


def _is_switch(annotation: object) -> bool:
    """Tell whether a field is true or false, or one of a few words, and no text."""
    members = get_args(annotation)
    is_bool = annotation is bool or (bool in members and str not in members)
    return is_bool or get_origin(annotation) is Literal


def _more_granted(before: Granted, after: Granted) -> bool:
    """Tell whether a role has a privilege that nobody granted."""
    granted = before.default_grants() if before.grants is None else before.grants
    return any(
        {*privileges} - {*granted.get(role, ())} and "all" not in granted.get(role, ())
        for role, privileges in (after.grants or {}).items()
        if role != after.owner
    )


# -- rule 3: objects that appear or are lost -------------------------------------------------------


def _appeared_or_lost(state: Guarded) -> Iterator[Finding]:
    put_in, found, left_out = state.put_in, state.found, state.left_out
    brought = {r for o in found.objects.values() for r in brings(o)}
    for ref, obj in found.objects.items():
        if ref not in put_in and not (ref in brought and _is_bare(obj)):
            yield Finding(ref, "appeared")
    for ref, obj in put_in.objects.items():
        if ref in found or ref in left_out or ref.on in left_out or overrides(obj):
            continue
        if ref.on is None or ref not in found.inherited(ref.on):
            yield Finding(ref, "was dropped")


def _is_bare(obj: Object) -> bool:
    """Tell whether an object that came along has neither a comment nor privileges of its own."""
    is_open = isinstance(obj, Granted) and _more_granted(obj.without_attached(), obj)
    return obj.comment is None and not is_open


def _respelled(state: Guarded, changed: Set[Ref]) -> dict[Ref, Ref]:
    """Map new routines to PostgreSQL's spelling of their arguments, where no other has been known.

    Of several overloads, one with the same body comes first.
    """
    put_in, found, spelled = state.put_in, state.found, dict[Ref, Ref]()
    for ref in changed & put_in.objects.keys() - found.objects.keys():
        body = literal_body(put_in[ref])
        others = [o for o in found.overloads(ref) if o.ref not in put_in]
        free = [o for o in others if o.ref not in spelled.values()]
        if ref.arguments is not None and free:
            spelled[ref] = min(free, key=lambda o: literal_body(o) != body).ref
    return spelled
