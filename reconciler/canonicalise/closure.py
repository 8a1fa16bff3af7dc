"""How far a change may reach: what stands on an object, what that stands on, and who has the object's parts too."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Set

from reconciler.kinds import KINDS
from reconciler.model.object import Object
from reconciler.model.ref import Ref
from reconciler.model.state import State

EMPTY: Mapping[Ref, Object] = {}


def neighbourhood(
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
        | {r for r, o in state.objects.items() if o.ambient}
        | {r.on for r in seeds if r.on}
        | {r.namespace for r in seeds if r.schema}
        | (
            heirs := heirs_of(
                state,
                {r.on for r in seeds if r.on and (KINDS[r.kind].folds or KINDS[r.kind].spreads)},
            )
        )
        | {o.ref for r in heirs for o in state.living_on(r) if o.spreads}
    )

    def over(ref: Ref) -> Iterable[Ref]:
        fast = (
            ref.on is not None and ref.on in state and state[ref.on].holds_fast(state[ref])
        )  # then the whole may be made again
        return [*standing.get(ref, ()), *([ref.on] if fast and ref.on else ())]

    above = spread({r for r in seeds if r in state}, over)
    parts: dict[Ref, list[Ref]] = {}
    for ref, obj in state.objects.items():
        if obj.folds and ref.on:
            parts.setdefault(ref.on, []).append(ref)
        for end in obj.finish_needs():
            parts.setdefault(end, []).append(ref)

    giving = {
        p
        for o in (*state.objects.values(), *(wanted[r] for r in seeds & wanted.keys()))
        for p in o.parents
    }

    def beneath(ref: Ref) -> Iterable[Ref]:
        ends = state[ref].finish_needs() if ref in state else ()
        given = [o.ref for o in state.living_on(ref)] if ref in giving else ()
        return [*state.needs(ref), *ends, *parts.get(ref, ()), *given]

    below = spread(above | roots, beneath)
    return frozenset(r for r in below if r in state)


def heirs_of(state: State, parents: Set[Ref]) -> set[Ref]:
    """What has the parts of these without listing them, so that what is done to those is done to it."""
    found, heirs = set[Ref](), {r: {*o.parents} for r, o in state.objects.items() if o.parents}
    while more := {r for r, p in heirs.items() if p & {*parents, *found}} - found:
        found |= more
    return found
