"""Lay a declaration over what is live: the desired state before PostgreSQL has read it, and why there is none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass
from typing import cast

from reconciler.canonicalise.closure import children_of
from reconciler.errors import DeclarationError, Problem
from reconciler.introspect.introspect import Snapshot, on_its_own
from reconciler.kinds import KINDS
from reconciler.model.declared import declared_arguments, files
from reconciler.model.inheritance import filled, inherited_by, parents_of
from reconciler.model.object import InlinePart, Object
from reconciler.model.owned import Granted, Owned, owner_of
from reconciler.model.partitioned import PartitionedObject
from reconciler.model.ref import Ref
from reconciler.model.state import Declaration, Scope, State


@dataclass(frozen=True)
class Desired:
    """The desired state before PostgreSQL has read it; `source` maps a declared object to its ref in the files."""

    objects: Mapping[Ref, Object]
    source: Mapping[Ref, Ref]
    gone: Set[Ref]


def complete(
    live: Snapshot, declaration: Declaration, scope: Scope, spelled: Mapping[Ref, Ref]
) -> Desired:
    """Lay the declaration over the live state; raises DeclarationError for what has nothing to lie on.

    `spelled` maps refs of the files to PostgreSQL's spelling, where that is known and another.
    """
    source = {spelled.get(r, r): r for r in declaration.objects}
    declared = {r: declaration.objects[s].model_copy(update={"ref": r}) for r, s in source.items()}
    problems = [
        p
        for check in (_unfounded, _without_role, _too_new)
        for p in check(live, declaration, declared, source)
    ]
    if problems:
        raise DeclarationError(problems)
    gone = _gone(live, declaration, scope, declared, spelled)
    if taken := list(_taken(live, declaration, declared, source, gone)):
        raise DeclarationError(taken)
    families = {p for o in live.state.objects.values() for p in parents_of(o)}
    new = [obj for ref, obj in declared.items() if ref not in live.state and ref.on in families]
    given = {r for obj in new for r in _handed_down(obj, live.state)} - declared.keys()
    kept = {} if scope.prune or declaration.recorded else _kept(live, declaration, declared)
    objects = {r: o for r, o in {**live.state.objects, **kept}.items() if r not in gone | given}
    for ref, obj in declared.items():
        there = kept.get(ref) or live.state.get(ref)
        full = obj.over(there, complete=scope.prune or declaration.recorded).as_state()
        if isinstance(full, Owned) and full.owner is None:
            full = full.model_copy(update={"owner": owner_of(there) or live.context.user})
        if scope.prune and isinstance(full, Granted) and full.grants is None:
            full = full.model_copy(
                update={"grants": {r: tuple(p) for r, p in full.default_grants().items()}}
            )
        objects[ref] = there if there is not None and cast("Object", full).matches(there) else full
    return Desired(objects, source, gone)


def same_in(state: State, ref: Ref) -> Ref:
    """The live object that a routine's declared arguments name, if they are spelled as the catalog does."""
    if ref.arguments is None or ref in state:
        return ref
    return next(
        (o.ref for o in state.overloads(ref) if declared_arguments(o) == ref.arguments), ref
    )


def _unfounded(
    live: Snapshot,
    declaration: Declaration,
    declared: Mapping[Ref, Object],
    source: Mapping[Ref, Ref],
) -> Iterable[Problem]:
    folding = {
        (parent, k.section)
        for k in KINDS.values()
        if issubclass(k, InlinePart)
        for parent in k.parent_kinds
    }
    for ref in declared:
        at = declaration.position(source[ref])
        sections = [section for parent, section in folding if parent == ref.kind]
        told = (
            ref in live.state
            or parents_of(declared[ref])
            or declaration.recorded
            or any((source[ref], s) in declaration.positions for s in sections)
        )
        if sections and not told:
            yield Problem(
                f"{ref} does not exist, and no {sections[0]} are declared to create it with",
                at,
                f"declare its {sections[0]}, or create it first",
            )
        if ref.on is not None and ref.on not in live.state and ref.on not in declared:
            yield Problem(f"{ref}: {ref.on} does not exist", at, f"declare {ref.on} too")
        if ref.schema and ref.schema not in live.schemas and ref.schema_ref not in declared:
            yield Problem(
                f"{ref}: schema {ref.schema} does not exist",
                at,
                f"schemas: {{{ref.schema}: {{}}}} would create it",
            )


def _taken(
    live: Snapshot,
    declaration: Declaration,
    declared: Mapping[Ref, Object],
    source: Mapping[Ref, Ref],
    gone: Set[Ref],
) -> Iterable[Problem]:
    """Names that something else has: relations, and the indexes of constraints, share one namespace."""
    left = {
        r
        for r, o in declared.items()
        if r in live.state and o.relation_name != live.state[r].relation_name
    }
    free = {(r.schema, live.state[r].relation_name) for r in {*gone, *left}} | {
        (r.schema, r.name) for r in live.context.leftovers
    }
    for ref, obj in declared.items():
        taken = (ref.schema, obj.relation_name or "")
        given = (
            ref.on is not None and live.names.get(taken) == ref.on.name
        )  # an index that the table has of its parent
        if (
            obj.relation_name is not None
            and ref not in live.state
            and taken in live.names.keys() - free
            and not given
        ):
            at = declaration.position(source[ref])
            yield Problem(
                f"{ref}: the name {ref.schema}.{obj.relation_name} is taken by another relation",
                at,
                "choose another, or drop what has it",
            )


def _handed_down(obj: Object, state: State) -> Iterator[Ref]:
    """What a new object will be on the partitions below: what is there under that name is its beginning."""
    for child in (
        children_of(state, {obj.ref.on})
        if isinstance(obj, PartitionedObject) and obj.ref.on
        else ()
    ):
        if (copy := inherited_by(obj, state[child])) is not None:
            yield copy.ref


def _kept(
    live: Snapshot, declaration: Declaration, declared: Mapping[Ref, Object]
) -> dict[Ref, Object]:
    """What declared objects have of parents that they are to leave, and keep as their own."""
    full = {r: o.over(live.state.get(r)) for r, o in declared.items()}
    later = State({**live.state.objects, **full})
    found: dict[Ref, Object] = {}
    for ref, obj in full.items():
        if ref not in live.state or not {*parents_of(live.state[ref])} - {*parents_of(obj)}:
            continue
        given, still = live.state.inherited(ref), later.inherited(ref)
        for own, part in on_its_own(live.state, ref, live.context.partition_copies).items():
            if own not in still and own.kind not in declaration.exclusive.get(ref, ()):
                found[own] = (
                    filled(live.state[own], given[own])
                    if own in live.state and own in given
                    else part
                )
    return found


def _without_role(
    live: Snapshot,
    declaration: Declaration,
    declared: Mapping[Ref, Object],
    source: Mapping[Ref, Ref],
) -> Iterable[Problem]:
    for ref, obj in declared.items():
        for role in sorted(obj.roles() - live.roles):
            at = declaration.position(source[ref])
            yield Problem(
                f"{ref}: role {role} does not exist",
                at,
                "roles are named here, not managed: CREATE ROLE first",
            )


def _too_new(
    live: Snapshot,
    declaration: Declaration,
    declared: Mapping[Ref, Object],
    source: Mapping[Ref, Ref],
) -> Iterable[Problem]:
    server = live.context.server
    for ref, obj in declared.items():
        if (
            ref.name in files(obj) - live.available and ref not in live.state
        ):  # what else is installed no catalog says
            yield Problem(
                f"{ref}: the server does not have its files",
                declaration.position(source[ref]),
                "install them there first",
            )
        for said, major in obj.required_versions().items():
            if server.major < major:
                at = declaration.position(source[ref], said)
                yield Problem(
                    f"{ref}: {said} needs PostgreSQL {major}; this server is {server.major}",
                    at,
                    "leave it out",
                )


def _gone(
    live: Snapshot,
    declaration: Declaration,
    scope: Scope,
    declared: Mapping[Ref, Object],
    spelled: Mapping[Ref, Ref],
) -> set[Ref]:
    """What is to be dropped: named absent, left out of an exclusive list or of a pruned schema; and what lives on it."""
    gone = {spelled.get(r, r) for r in declaration.absent} & live.state.objects.keys()
    holding = {r.schema_ref for r in declared}
    for ref in live.state:
        if ref in declared:
            continue
        exclusive = ref.on is not None and ref.kind in declaration.exclusive.get(ref.on, ())
        if ref in holding:
            continue
        if exclusive or (scope.prune and scope.covers(ref)):
            gone.add(ref)
    return gone | {r for r in live.state if r.on in gone}
