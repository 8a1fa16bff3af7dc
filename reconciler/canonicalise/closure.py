"""How far a change may reach: what stands on an object, what that stands on, and who has the object's parts too."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Set

from reconciler.kinds import KINDS
from reconciler.model.inheritance import parents_of
from reconciler.model.markers import AppliesLast
from reconciler.model.object import InlinePart, Object
from reconciler.model.partitioned import PartitionedObject
from reconciler.model.ref import Ref
from reconciler.model.state import State

EMPTY: Mapping[Ref, Object] = {}


def dependency_closure(
    state: State, seeds: Set[Ref], wanted: Mapping[Ref, Object] = EMPTY
) -> frozenset[Ref]:
    """The seeds, what stands on them, and all that any of these stands on, or what the seeds are `wanted` to be."""
    standing = state.dependents()

    def spread(start: Iterable[Ref], step: Callable[[Ref], Iterable[Ref]]) -> set[Ref]:
        found, todo = set[Ref](), list(start)
        while todo:
            ref = todo.pop()
            if ref not in found:
                found.add(ref)
                todo += step(ref)
        return found

    roots = (
        seeds
        | {n for r in seeds & wanted.keys() for n in wanted[r].needs()}
        | {r for r, o in state.objects.items() if isinstance(o, AppliesLast)}
        | {r.on for r in seeds if r.on}
        | {r.schema_ref for r in seeds if r.schema}
        | (
            children := children_of(
                state,
                {
                    r.on
                    for r in seeds
                    if r.on
                    and (
                        issubclass(KINDS[r.kind], InlinePart)
                        or issubclass(KINDS[r.kind], PartitionedObject)
                    )
                },
            )
        )
        | {o.ref for r in children for o in state.living_on(r) if isinstance(o, PartitionedObject)}
    )

    def over(ref: Ref) -> Iterable[Ref]:
        fast = (
            ref.on is not None and ref.on in state and state[ref.on].pins_column_type(state[ref])
        )  # then the whole may be made again
        return [*standing.get(ref, ()), *([ref.on] if fast and ref.on else ())]

    above = spread({r for r in seeds if r in state}, over)
    parts: dict[Ref, list[Ref]] = {}
    for ref, obj in state.objects.items():
        if isinstance(obj, InlinePart) and ref.on:
            parts.setdefault(ref.on, []).append(ref)
        for end in obj.deferred_needs():
            parts.setdefault(end, []).append(ref)

    giving = {
        p
        for o in (*state.objects.values(), *(wanted[r] for r in seeds & wanted.keys()))
        for p in parents_of(o)
    }

    def beneath(ref: Ref) -> Iterable[Ref]:
        ends = state[ref].deferred_needs() if ref in state else ()
        given = [o.ref for o in state.living_on(ref)] if ref in giving else ()
        return [*state.needs(ref), *ends, *parts.get(ref, ()), *given]

    below = spread(above | roots, beneath)
    return frozenset(r for r in below if r in state)


def children_of(state: State, parents: Set[Ref]) -> set[Ref]:
    """What has the parts of these without listing them, so that what is done to those is done to it."""
    found, children = (
        set[Ref](),
        {r: {*parents_of(o)} for r, o in state.objects.items() if parents_of(o)},
    )
    while more := {r for r, p in children.items() if p & {*parents, *found}} - found:
        found |= more
    return found
