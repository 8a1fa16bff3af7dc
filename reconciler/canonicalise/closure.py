"""Collect the dependents of changed objects, and all requirements."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Set

from reconciler.kinds import KINDS
from reconciler.model.deferred import deferred_needs
from reconciler.model.inheritance import Inheriting, parents_of
from reconciler.model.markers import AppliesLast
from reconciler.model.mentioned import Mentioned
from reconciler.model.object import InlinePart, Object
from reconciler.model.partitioned import PartitionedObject
from reconciler.model.ref import Ref
from reconciler.model.state import State
from reconciler.model.type_change import pins_column_type

NOTHING: Mapping[Ref, Object] = {}
Neighbours = Callable[[Ref], Iterable[Ref]]


def dependency_closure(
    state: State,
    roots: Set[Ref],
    desired: Mapping[Ref, Object] = NOTHING,
    named: Set[Ref] = frozenset(),
) -> frozenset[Ref]:
    """Collect the roots, all dependents, and all requirements of both and of the `named`.

    `desired` are the roots as they will be, which may need further objects.
    """
    planned = [desired[r] for r in roots & desired.keys()]
    dependents = _reachable(roots & state.objects.keys(), _dependents_in(state))
    start = dependents | roots | _related(state, roots) | {n for o in planned for n in o.needs()}
    members = _reachable(start | named, _requirements_in(state, planned))
    return frozenset(members & state.objects.keys())


def descendants(state: State, parents: Set[Ref]) -> set[Ref]:
    """Collect the child tables and partitions of `parents`, at any depth."""
    inheriting = {o.ref: {*o.parents} for o in state.of(Inheriting) if o.parents}
    found: set[Ref] = set()
    while more := {r for r, p in inheriting.items() if p & {*parents, *found}} - found:
        found |= more
    return found


def _reachable(start: Iterable[Ref], neighbours: Neighbours) -> set[Ref]:
    found, waiting = set[Ref](), list(start)
    while waiting:
        ref = waiting.pop()
        if ref not in found:
            found.add(ref)
            waiting += neighbours(ref)
    return found


def _dependents_in(state: State) -> Neighbours:
    dependents = state.dependents

    def neighbours(ref: Ref) -> Iterator[Ref]:
        yield from dependents.get(ref, ())
        if ref.on is not None and ref.on in state and pins_column_type(state[ref.on], state[ref]):
            yield ref.on  # to change the column's type, the table may have to be recreated

    return neighbours


def _requirements_in(state: State, planned: Iterable[Object]) -> Neighbours:
    """Step from an object to requirements, inline and deferred parts, and inherited parts."""
    mentioned = Mentioned(state)
    inherited_from = {p for o in (*state.of(Inheriting), *planned) for p in parents_of(o)}

    def neighbours(ref: Ref) -> Iterator[Ref]:
        yield from state.needs(ref)
        yield from (part.ref for part in state.parts(ref))
        yield from state.deferred_to(ref)
        yield from mentioned.by(ref)
        if ref in state:
            yield from deferred_needs(state[ref])
        if ref in inherited_from:
            yield from (o.ref for o in state.objects_on(ref))

    return neighbours


def _related(state: State, roots: Set[Ref]) -> set[Ref]:
    """Collect tables and schemas of the roots, child tables, and objects applied last."""
    parents = {r.on for r in roots if r.on}
    schemas = {r.schema_ref for r in roots if r.schema}
    inherited_from = {r.on for r in roots if r.on and _is_inheritable(r)}
    children = descendants(state, inherited_from)
    copied = {
        o.ref for r in children for o in state.objects_on(r) if isinstance(o, PartitionedObject)
    }
    applied_last = {o.ref for o in state.of(AppliesLast)}
    return parents | schemas | children | copied | applied_last


def _is_inheritable(ref: Ref) -> bool:
    return issubclass(KINDS[ref.kind], InlinePart | PartitionedObject)
