"""What parents give: the columns that a partition or an inheriting table has without listing them, keys and indexes too."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from dataclasses import replace

from reconciler.diff.diff import Change
from reconciler.model.facts import Parents
from reconciler.model.inheritance import (
    Overriding,
    also_inherited,
    filled,
    is_partition,
    must_own_before,
    overrides,
    parents_of,
)
from reconciler.model.object import InlinePart, Object, PlanningContext
from reconciler.model.partitioned import PartitionedObject
from reconciler.model.ref import Ref
from reconciler.model.state import State
from reconciler.model.statement import Statement


def overridden(changes: Sequence[Change], live: State, desired: State) -> list[Change]:
    """The changes, once it is known what parents give: what is not listed, or no longer, may be there all the same."""
    moved = _moved(changes)
    found = [
        c
        for change in changes
        if change.ref.on not in moved
        for c in _as_given(change, live, desired)
    ]
    for ref, (old, new) in moved.items():
        before, after = (
            _apart(ref, live, desired, {*old} & {*new}),
            _apart(ref, desired, live, {*old} & {*new}),
        )
        found += [
            Change(r, before.get(r), after.get(r))
            for r in {**after, **before}
            if before.get(r) != after.get(r)
        ]
    return found


def precedence(changes: Sequence[Change], live: State, desired: State) -> Iterator[tuple[Ref, Ref]]:
    """Pairs of refs: whatever is done to the first comes before what is done to the second."""
    moved = _moved(changes)
    lost = [c.ref for c in changes if c.desired is None]
    staying = [c for c in changes if c.ref.on in live and c.ref.on in desired]
    given = [
        c for c in staying if (o := c.desired or c.live) is not None and isinstance(o, InlinePart)
    ]
    for change in changes:
        ref = change.ref
        for child, (old, new) in moved.items():
            if ref.on == child:
                later = not new or (
                    change.desired is None and (ref not in live or ref in live.given)
                )
                yield (child, ref) if later else (ref, child)
            elif ref.on in old and ref.on not in new:
                yield child, ref
            elif ref.on in new and ref.on not in old:
                yield ref, child
        yield from _as_given_then(change, changes, given, desired)
        yield from _in_pieces(change, changes, live, desired)
        yield from ((ref, gone) for gone in _goes_from_under(change, lost, live))
        if change.live is None:
            yield from ((needed, ref) for needed in _needed_through_parents(ref, desired))
        if (
            change.live is not None
            and change.desired is None
            and overrides(change.live)
            and ref.on is not None
            and ref.on in live
        ):
            yield from (
                (ref, c.ref)
                for c in changes
                if c.ref.on in parents_of(live[ref.on]) and c.ref.name == ref.name
            )
        yield from _both_new(change, changes, live, desired)
        if (
            change.live is None
            and change.desired is not None
            and ref.on is not None
            and ref.on in live
            and ref.on in desired
        ):
            yield from (
                (r, ref)
                for r in lost
                if r.on in parents_of(live[ref.on]) or _makes_room(r, change.desired, live)
            )
            if overrides(change.desired):
                parents = parents_of(desired[ref.on])
                yield from (
                    (c.ref, ref) for c in changes if c.ref.on in parents and c.ref.name == ref.name
                )


def _both_new(
    change: Change, changes: Sequence[Change], live: State, desired: State
) -> Iterator[tuple[Ref, Ref]]:
    """What is to be an heir's own is there before its parent gives it too, which PostgreSQL then merges into it."""
    ref, new = change.ref, change.desired
    if (
        new is None
        or not also_inherited(new)
        or overrides(new)
        or ref.on is None
        or ref.on not in live
        or ref in live
    ):
        return
    above = {*_above(ref.on, desired)}
    yield from (
        (ref, c.ref)
        for c in changes
        if c.live is None and c.ref.on in above and (c.ref.kind, c.ref.name) == (ref.kind, ref.name)
    )


def _goes_from_under(change: Change, lost: Sequence[Ref], live: State) -> Iterator[Ref]:
    """The parts of parents that take with them what overrides them, on which this stands."""
    overriding = (
        [n for n in live.needs(change.ref) if overrides(live[n])] if change.desired is None else []
    )
    for part in overriding:
        above = {*_above(part.on, live)} if part.on is not None else set[Ref]()
        yield from (r for r in lost if r.on in above and (r.kind, r.name) == (part.kind, part.name))


def _needed_through_parents(ref: Ref, state: State) -> Iterator[Ref]:
    """What the parts that an heir is given need: the bound of a partition may name a value of a type that only they tell of."""
    for parent in parents_of(state[ref]) if ref in state else ():
        yield from (n for part in state.parts(parent) for n in state.needs(part.ref) if n != parent)
        yield from _needed_through_parents(parent, state)


def _as_given_then(
    change: Change, changes: Sequence[Change], given: Sequence[Change], desired: State
) -> Iterator[tuple[Ref, Ref]]:
    """An heir is made of its parent's parts as they will be, and goes while they are as they were."""
    ref = change.ref
    if (
        change.live is not None
        and change.desired is not None
        and also_inherited(change.desired)
        and ref.on is not None
        and ref.on in desired
    ):
        parents = parents_of(desired[ref.on])
        for other in changes:
            if other.ref.on in parents and (other.ref.kind, other.ref.name) == (ref.kind, ref.name):
                kept = (
                    other.live
                    and other.desired
                    and must_own_before(change.desired, change.live, other.live, other.desired)
                )
                yield (ref, other.ref) if kept else (other.ref, ref)
    if change.live is None and change.desired is not None and parents_of(change.desired):
        yield from ((c.ref, ref) for c in given if c.ref.on in parents_of(change.desired))
    if change.desired is None and change.live is not None and parents_of(change.live):
        yield from ((ref, c.ref) for c in given if c.ref.on in parents_of(change.live))


def _in_pieces(
    change: Change, changes: Sequence[Change], live: State, desired: State
) -> Iterator[tuple[Ref, Ref]]:
    """What is made of the pieces on partitions is made when those that go are gone, and given to those that come."""
    old, new = change.live, change.desired
    if (parents_of(old) if old and is_partition(old) else ()) == (
        parents_of(new) if new and is_partition(new) else ()
    ):
        return
    before, after = (
        {*_above(change.ref, s)} if o and is_partition(o) else set[Ref]()
        for o, s in ((old, live), (new, desired))
    )
    for other in changes:
        if (
            other.desired is not None
            and isinstance(other.desired, PartitionedObject)
            and other.ref.on is not None
        ):
            if other.ref.on in after:
                yield other.ref, change.ref
            elif other.ref.on in before:
                yield change.ref, other.ref


def reparenting(
    changes: Sequence[Change], live: State, desired: State, context: PlanningContext
) -> PlanningContext:
    """The situation, with what must be done around each moment in which an heir gets other parents, or gets them back."""
    found: dict[tuple[Ref, Parents, Parents], tuple[list[Statement], list[Statement]]] = {}
    moved = _moved(changes)
    for change in changes:
        child, before, after = change.ref.on, change.live, change.desired
        if child is None or child not in moved or before is None or after is None:
            continue
        old, new = moved[child]
        for state, one, other, way in (
            (live, before, after, (child, old, new)),
            (desired, after, before, (child, new, old)),
        ):
            for giver in _givers(child, one.ref, state):
                if around := giver.renamed_while_reparenting(one, other, context):
                    first, last = found.setdefault(way, ([], []))
                    first.append(around[0])
                    last.append(around[1])
    return replace(context, reparenting=found)


def _givers(child: Ref, part: Ref, state: State) -> Iterator[Overriding]:
    """The parts that are their owners' own among those that come to an heir as this one."""
    for parent in parents_of(state[child]) if child in state else ():
        own = state.get(replace(part, schema=parent.schema, on=parent))
        yield from (
            _givers(parent, part, state)
            if own is None
            else [own]
            if isinstance(own, Overriding)
            else []
        )


def with_inherited(state: State, given: Sequence[Object | None]) -> State:
    """The state with what parents give listed in it."""
    added = {o.ref: o for o in given if o is not None}
    return State(
        {**state.objects, **added}, state.edges, frozenset(added.keys() - state.objects.keys())
    )


def _makes_room(lost: Ref, new: Object, live: State) -> bool:
    """Whether an heir has something under the name of what comes to it, and cannot take that for its own."""
    same = not isinstance(new, InlinePart) and (lost.kind, lost.name) == (
        new.ref.kind,
        new.ref.name,
    )
    return same and lost.on is not None and any(p == new.ref.on for p in _above(lost.on, live))


def _above(ref: Ref, state: State) -> Iterator[Ref]:
    """The parents of an object, and theirs."""
    for parent in parents_of(state[ref]) if ref in state else ():
        yield from (parent, *_above(parent, state))


def _moved(changes: Sequence[Change]) -> dict[Ref, tuple[tuple[Ref, ...], tuple[Ref, ...]]]:
    """The objects that get other parents: the old ones and the new ones."""
    both = (
        (c.ref, parents_of(c.live), parents_of(c.desired)) for c in changes if c.live and c.desired
    )
    return {ref: (old, new) for ref, old, new in both if old != new}


def _apart(ref: Ref, state: State, other: State, kept: Set[Ref]) -> dict[Ref, Object]:
    """All that lives on the object, but what comes or goes with parents that it keeps."""
    given = state.inherited(ref)
    there = {**other.inherited(ref), **{o.ref: o for o in other.living_on(ref)}}
    passing = given.keys() - state.inherited(ref, kept).keys() - there.keys()
    own = {o.ref: filled(o, given[o.ref]) if o.ref in given else o for o in state.living_on(ref)}
    return {r: o for r, o in given.items() if r not in passing} | own


def _as_given(change: Change, live: State, desired: State) -> Iterator[Change]:
    """The change with what parents give on the side where it is not listed; none where they do all of it."""
    ref = change.ref
    if ref.on is None or ref.on not in live or ref.on not in desired:
        yield change
        return
    was, given = live.inherited(ref.on).get(ref), desired.inherited(ref.on).get(ref)
    before, after = change.live or was, change.desired or given
    if after is not None and change.live is None:
        before = (given or was) if overrides(after) else was if given else None
    stays = any(replace(ref, schema=p.schema, on=p) in desired for p in parents_of(desired[ref.on]))
    if after is None and before is not None and overrides(before) and not stays:
        return  # it goes with the parent's
    if before is not None and after is not None and overrides(before) != overrides(after):
        before, after = (
            o if g is None else filled(o, g) for o, g in ((before, was), (after, given))
        )
        if (
            was is not None
            and given is not None
            and parents_of(live[ref.on]) == parents_of(desired[ref.on])
        ):
            brought = [
                f
                for f in type(after).model_fields
                if (getattr(before, f), getattr(after, f)) == (getattr(was, f), getattr(given, f))
            ]
            before = before.model_copy(
                update={f: getattr(after, f) for f in brought}
            )  # by what is done to the parents
    if before != after:
        yield Change(ref, before, after)
