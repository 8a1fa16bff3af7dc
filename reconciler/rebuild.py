"""What must be taken apart because something beneath it is replaced, and what keeps its data meanwhile.

What stands on a replaced object is dropped before and made again after. What holds data is not: a column lets go (of a
default that calls the function), and takes up again afterwards; the type that it has is renamed rather than dropped, until
the column has the new one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field

import networkx as nx

from reconciler.contract import Situation
from reconciler.datatype import DataType
from reconciler.diff import Change
from reconciler.ref import Ref
from reconciler.state import State
from reconciler.statement import Turn


@dataclass
class Rebuild:
    """What is dropped and made again, and what is held: each with the change on whose account."""

    again: dict[Ref, Ref] = field(default_factory=dict[Ref, Ref])
    held: dict[Ref, Ref] = field(default_factory=dict[Ref, Ref])
    aside: dict[Ref, DataType] = field(default_factory=dict[Ref, DataType])  # types in `again` that are renamed, as they are then
    turns: dict[str, Turn] = field(default_factory=dict[str, Turn])

    @property
    def kept(self) -> Set[Ref]:
        """What makes room for a moment without being dropped."""
        return {*self.held, *self.aside}


def entangled(live: State, dropped: Set[Ref]) -> frozenset[Ref]:
    """What must be dropped by itself although what it lives on is dropped too: tables that need each other by their keys."""
    graph: nx.DiGraph[Ref] = nx.DiGraph()
    beyond = {r: {n.on or n for n in live.needs(r)} & dropped - {r.on or r} for r in dropped if r in live}
    graph.add_edges_from((r.on or r, n) for r, roots in beyond.items() for n in roots)
    knots = {r: frozenset(knot) for knot in nx.strongly_connected_components(graph) if len(knot) > 1 for r in knot}
    return frozenset(r for r, roots in beyond.items() if r.on in knots and not live[r].folds and roots & knots[r.on])


def rebuild_of(altered: Sequence[Change], live: State, desired: State, situation: Situation) -> Rebuild:
    """Find all of it, for the changes to what is there: one loop, for every kind."""
    standing = live.dependents()
    found = Rebuild()
    moved = {c.ref for c in altered}
    for change in altered:
        assert change.live
        if change.desired is None:  # what stays as it is needs another object of that name
            left = [r for r in standing.get(change.ref, ()) if r in desired and r not in moved and not live.parts(r)]
            overloaded = change.ref.arguments is not None
            todo = [(r, change.ref) for r in left if overloaded or live[r].release(situation) is None]
            _spread(found, todo, change.ref, (live, desired), standing, situation)
            continue
        replaced = change.desired.alter(change.live, situation) is None
        if replaced:
            _spread(found, [(change.ref, None)], change.ref, (live, desired), standing, situation)
        elif change.desired.disturbs(change.live):
            todo = [(r, change.ref) for r in standing.get(change.ref, ()) if not live[r].follows]
            _spread(found, todo, change.ref, (live, desired), standing, situation)
    _set_aside(found, live, desired)
    return found


def _spread(
    found: Rebuild,
    roots: Sequence[tuple[Ref, Ref | None]],
    root: Ref,
    states: tuple[State, State],
    standing: Mapping[Ref, set[Ref]],
    situation: Situation,
) -> None:
    live, desired = states
    todo = list(roots)
    while todo:
        ref, beneath = todo.pop()
        if ref in found.again:
            continue
        whole = ref not in desired or (live[ref].folds and ref.on in found.again)
        if beneath is None or whole or live[ref].release(situation) is None:
            found.again[ref] = root
            found.held.pop(ref, None)
            todo += [(r, ref) for r in standing.get(ref, ())]
        else:
            found.held.setdefault(ref, root)
            if isinstance(live[beneath], DataType):
                todo += [(r, ref) for r in standing.get(ref, ()) if not (live[r].follows and r.on == ref.on)]


def _set_aside(found: Rebuild, live: State, desired: State) -> None:
    """Keep every type that something held has, or that such a type is made of."""
    todo = [n for r in found.held for n in live.needs(r)]
    kept: dict[Ref, DataType] = {}
    while todo:
        ref = todo.pop()
        obj = live.get(ref)
        if ref in found.again and ref in desired and isinstance(obj, DataType) and ref not in kept:
            kept[ref] = obj
            todo += live.needs(ref)
    names = {own: other for obj in kept.values() for own, other in obj.names().items()}
    for ref, obj in kept.items():
        found.aside[ref] = obj.stood_aside(names)
        new = desired[ref]
        assert isinstance(new, DataType)
        found.turns |= new.turns(obj, found.aside[ref])
