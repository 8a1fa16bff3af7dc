"""What must be taken apart because something beneath it is replaced, and what keeps its data meanwhile.

What stands on a replaced object is dropped before and made again after. What holds data is not: a column lets go (of a
default that calls the function), and takes up again afterwards; the type that it has is renamed rather than dropped, until
the column has the new one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import cast

import networkx as nx

from reconciler.diff.diff import Change
from reconciler.model.datatype import Replaceable
from reconciler.model.inheritance import is_partitioned, parents_of
from reconciler.model.object import InlinePart, Object, PlanningContext
from reconciler.model.online_swap import SwappedOnline
from reconciler.model.ref import Ref
from reconciler.model.state import State
from reconciler.model.statement import TypeConversion
from reconciler.model.suspension import free_name, suspend
from reconciler.model.type_change import (
    FollowsTypeChange,
    must_recreate,
    needs_dependents_dropped,
    pins_column_type,
    pins_type,
    reparses_expressions,
    rewrites_values,
)


@dataclass
class Recreation:
    """What is dropped and made again, and what is held: each with the change on whose account."""

    recreated: dict[Ref, Ref] = field(default_factory=dict[Ref, Ref])
    suspended: dict[Ref, Ref] = field(default_factory=dict[Ref, Ref])
    aside: dict[Ref, Replaceable] = field(
        default_factory=dict[Ref, Replaceable]
    )  # types in `again` that are renamed, as they are then
    turns: dict[str, TypeConversion] = field(default_factory=dict[str, TypeConversion])
    shadows: dict[Ref, str] = field(
        default_factory=dict[Ref, str]
    )  # what is exchanged, and for what
    disturbed: set[Ref] = field(
        default_factory=set[Ref]
    )  # what is altered only while nothing stands on it

    @property
    def kept(self) -> Set[Ref]:
        """What makes room for a moment without being dropped."""
        return {*self.suspended, *self.aside}


def cyclic_foreign_keys(live: State, dropped: Set[Ref]) -> frozenset[Ref]:
    """What must be dropped by itself although what it lives on is dropped too: tables that need each other by their keys."""
    graph: nx.DiGraph[Ref] = nx.DiGraph()
    beyond = {
        r: {n.on or n for n in live.needs(r)} & dropped - {r.on or r} for r in dropped if r in live
    }
    graph.add_edges_from((r.on or r, n) for r, roots in beyond.items() for n in roots)
    knots = {
        r: frozenset(knot)
        for knot in nx.strongly_connected_components(graph)
        if len(knot) > 1
        for r in knot
    }
    return frozenset(
        r
        for r, roots in beyond.items()
        if r.on in knots and not isinstance(live[r], InlinePart) and roots & knots[r.on]
    )


def shadows_of(altered: Sequence[Change], live: State, context: PlanningContext) -> dict[Ref, str]:
    """What is exchanged for a twin, with the twin's name; raises PlanError where that cannot be."""
    found: dict[Ref, str] = {}
    for change in altered:
        new, old, on = change.desired, change.live, change.ref.on
        if (
            isinstance(new, SwappedOnline)
            and old is not None
            and on is not None
            and (shadow := new.shadow(old, context))
        ):
            for hinders, why in _hindrances(change.ref, on, live):
                if hinders:
                    raise new.unable(why)
            found[change.ref] = shadow
    return found


def _hindrances(ref: Ref, on: Ref, live: State) -> Iterator[tuple[bool, str]]:
    table = live[on]
    yield (
        is_partitioned(table)
        or bool(parents_of(table))
        or any(on in parents_of(o) for o in live.objects.values()),
        f"{on} has parents or heirs",
    )
    yield (
        any(
            isinstance(live[r], InlinePart)
            for r, needed in ((r, live.needs(r)) for r in live)
            if ref in needed
        ),
        "another is computed from it",
    )


def recreation_of(
    altered: Sequence[Change], live: State, desired: State, context: PlanningContext
) -> Recreation:
    """Find all of it, for the changes to what is there: one loop, for every kind."""
    standing = live.dependents()
    found = Recreation(shadows=shadows_of(altered, live, context))
    moved = {c.ref for c in altered}
    claimed = {
        (o.ref.schema, o.relation_name)
        for o in desired.objects.values()
        if o.relation_name is not None and o.ref not in live
    }
    crossed = _crossed(altered)
    for change in altered:
        ref, old, new = change.ref, change.live, change.desired
        assert old
        roots, disturbed = _roots(
            change,
            standing.get(ref, set[Ref]()),
            found.shadows.keys(),
            moved,
            (live, desired),
            context,
        )
        found.disturbed |= {ref} if disturbed else set()
        _spread(found, roots, ref, (live, desired), standing, context)
        if new is not None and ref not in found.recreated:
            gives = (
                ref.schema,
                old.relation_name,
            ) in claimed and old.relation_name != new.relation_name
            room = old.name_keys() == new.name_keys() or ref in crossed
            if gives or (room and free_name(old, new, context) is not None):
                found.suspended.setdefault(
                    ref, ref
                )  # it lets go of what another needs before it goes on
    _set_aside(found, live, desired)
    for ref in found.shadows.keys() & {*found.recreated, *found.suspended}:
        raise cast("SwappedOnline", desired[ref]).unable(
            "what it stands on is replaced by the same plan"
        )
    return found


def _crossed(altered: Sequence[Change]) -> Set[Ref]:
    """What gives a name to another and gets one of another: two may have swapped theirs."""
    moves = {
        c.ref: (c.live.name_keys(), c.desired.name_keys()) for c in altered if c.live and c.desired
    }
    given, taken = (
        {room for had, has in moves.values() for room in (had - has, has - had)[n]} for n in (0, 1)
    )
    return {r for r, (had, has) in moves.items() if (had - has) & taken and (has - had) & given}


def _roots(
    change: Change,
    above: Set[Ref],
    shadows: Set[Ref],
    moved: Set[Ref],
    states: tuple[State, State],
    context: PlanningContext,
) -> tuple[Sequence[tuple[Ref, Ref | None]], bool]:
    """Where to begin taking apart, each with what is beneath it, and whether the object stays but is disturbed."""
    (live, desired), ref, old, new = states, change.ref, change.live, change.desired
    assert old
    if new is None and not successor(
        ref, live, desired
    ):  # what stays as it is needs another object of that name
        left = [r for r in above if r in desired and not live.parts(r)]
        left = [
            r
            for r in left
            if r not in moved or _lets_go(r, live, context) or _misread(r, ref, live, desired)
        ]
        return [
            (r, ref)
            for r in left
            if ref.arguments is not None
            or isinstance(live[r], FollowsTypeChange)
            or suspend(live[r], context) is None
        ], False
    if (
        new is None
        or new.alter(old, context) is None
        or must_recreate(new, old, [live[r] for r in above])
    ):
        return [(ref, None)], False
    if ref in shadows:
        return [(r, ref) for r in above], True
    if needs_dependents_dropped(new, old):
        if whole := _held_fast(ref, live):
            return [(whole, None)], False
        anew = rewrites_values(new, old)
        return [
            (r, ref)
            for r in above
            if not (isinstance(live[r], FollowsTypeChange) and r.on == ref.on)
            or _released(r, live, desired, context, anew=anew)
        ], True
    pinned = [r for r in above if pins_type(live[r], old)]
    return [(r, ref) for r in pinned], bool(pinned)


def _lets_go(ref: Ref, live: State, context: PlanningContext) -> bool:
    """Whether it is altered best while it is let go: a foreign key, lest it stand on what goes once more."""
    return (
        ref.on is not None
        and not isinstance(live[ref], InlinePart)
        and suspend(live[ref], context) is not None
    )


def _misread(ref: Ref, gone: Ref, live: State, desired: State) -> bool:
    """Whether it is to call another routine of that name, which beside the one that goes might be ambiguous."""
    alike = (
        n
        for n in desired.needs(ref)
        if (n.kind, n.schema, n.name) == (gone.kind, gone.schema, gone.name)
    )
    return gone.arguments is not None and any(n not in live for n in alike)


def _held_fast(ref: Ref, live: State) -> Ref | None:
    """What the object is part of, if PostgreSQL gives this part no other type while that stands."""
    return (
        ref.on
        if ref.on is not None and ref.on in live and pins_column_type(live[ref.on], live[ref])
        else None
    )


def _released(
    ref: Ref, live: State, desired: State, context: PlanningContext, *, anew: bool
) -> bool:
    """Whether the object is not carried along: PostgreSQL knows its old words only, which may say nothing of the new type."""
    old, new = live[ref], desired.get(ref)
    return (
        new is not None
        and _reworded(old, new)
        and (suspend(old, context) is not None or (anew and _reread(ref, live, desired)))
    )


def _reread(ref: Ref, live: State, desired: State) -> bool:
    new = desired.get(ref)
    return new is not None and reparses_expressions(new, live[ref])


def _reworded(old: Object, new: Object) -> bool:
    """Whether more differs than owner, comment and grants."""
    return new.with_attached_of(old) != old


def _spread(
    found: Recreation,
    roots: Sequence[tuple[Ref, Ref | None]],
    root: Ref,
    states: tuple[State, State],
    standing: Mapping[Ref, set[Ref]],
    context: PlanningContext,
) -> None:
    live, desired = states
    todo = list(roots)
    while todo:
        ref, beneath = todo.pop()
        if ref in found.recreated:
            continue
        whole = ref not in desired or (
            isinstance(live[ref], InlinePart) and ref.on in found.recreated
        )
        fast = (
            _held_fast(ref, live)
            if beneath is not None and not whole and isinstance(live[beneath], Replaceable)
            else None
        )
        if fast is not None:
            todo.append((fast, None))
        elif beneath is None or whole or suspend(live[ref], context) is None:
            found.recreated[ref] = root
            found.suspended.pop(ref, None)
            todo += [(r, ref) for r in standing.get(ref, ())]
        else:
            found.suspended.setdefault(ref, root)
            if isinstance(live[beneath], Replaceable) and not pins_type(live[ref], live[beneath]):
                todo += [
                    (r, ref)
                    for r in standing.get(ref, ())
                    if not (isinstance(live[r], FollowsTypeChange) and r.on == ref.on)
                    or _reread(r, live, desired)
                ]


def _set_aside(found: Recreation, live: State, desired: State) -> None:
    """Keep every type that something held has, or that such a type is made of."""
    todo = [n for r in found.suspended for n in live.needs(r)]
    kept: dict[Ref, Replaceable] = {}
    while todo:
        ref = todo.pop()
        obj = live.get(ref)
        if (
            ref in found.recreated
            and successor(ref, live, desired)
            and isinstance(obj, Replaceable)
            and ref not in kept
        ):
            kept[ref] = obj
            todo += live.needs(ref)
    names = {own: other for obj in kept.values() for own, other in obj.old_names().items()}
    for ref, obj in kept.items():
        found.aside[ref] = obj.under_old_name(names)
        new = successor(ref, live, desired)
        assert new
        found.turns |= new.conversions(obj, found.aside[ref])


def successor(ref: Ref, live: State, desired: State) -> Replaceable | None:
    """The data type that takes the place of this one under its name, of whatever kind; or the collation."""
    old = live.get(ref)
    if not isinstance(old, Replaceable):
        return None
    alike = (o for r, o in desired.objects.items() if (r.schema, r.name) == (ref.schema, ref.name))
    return next(
        (
            o
            for o in alike
            if isinstance(o, Replaceable) and o.shared_namespace == old.shared_namespace
        ),
        None,
    )
