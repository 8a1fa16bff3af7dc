"""Inheritance between tables: columns, constraints and indexes inherited by child tables.

No catalog query and no declaration lists inherited parts that are not also the child table's own.
All questions about them are answered here: which changes remain, which child tables an alteration
affects, which tables get other parents.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import replace
from itertools import chain, takewhile

from reconciler.diff.diff import Change
from reconciler.model.facts import Parents
from reconciler.model.inheritance import (
    Overriding,
    also_inherited,
    filled,
    inherited_by,
    is_partition,
    is_partitioned,
    overrides,
    parents_of,
)
from reconciler.model.object import Object, PlanningContext
from reconciler.model.ref import Ref
from reconciler.model.state import State
from reconciler.model.statement import Statement

# -- changes -----------------------------------------------------------------------------------


def with_inheritance(changes: Sequence[Change], live: State, desired: State) -> list[Change]:
    """Complete changes of parts of child tables by inherited parts, listed in neither state.

    A part that is no longer the child table's own may still be inherited: then it is altered, or
    left alone, instead of dropped. Where a table gets other parents, its parts are compared anew.
    """
    parents = reparented(changes)
    found = [
        completed
        for change in changes
        if change.ref.on not in parents
        for completed in _completed(change, live, desired)
    ]
    for table, (old, new) in parents.items():
        kept = {*old} & {*new}
        before = _parts_to_compare(table, live, desired, kept)
        after = _parts_to_compare(table, desired, live, kept)
        found += [
            Change(ref, before.get(ref), after.get(ref))
            for ref in {**after, **before}
            if before.get(ref) != after.get(ref)
        ]
    return found


def reparented(changes: Iterable[Change]) -> dict[Ref, tuple[Parents, Parents]]:
    """Map each reparented table to the old and the new parents."""
    parents = (
        (c.ref, parents_of(c.live), parents_of(c.desired)) for c in changes if c.live and c.desired
    )
    return {ref: (old, new) for ref, old, new in parents if old != new}


def _parts_to_compare(table: Ref, state: State, other: State, kept: Set[Ref]) -> dict[Ref, Object]:
    """Map the table's own and inherited parts, except parts changed by `kept` parents only."""
    inherited = state.inherited(table)
    in_other = {*other.inherited(table), *(o.ref for o in other.objects_on(table))}
    changed_by_kept = inherited.keys() - state.inherited(table, kept).keys() - in_other
    own = {o.ref: filled(o, inherited.get(o.ref)) for o in state.objects_on(table)}
    return {r: o for r, o in inherited.items() if r not in changed_by_kept} | own


def _completed(change: Change, live: State, desired: State) -> list[Change]:
    """Complete a change by inherited parts; return [] if the parents' change implies all."""
    ref, table = change.ref, change.ref.on
    if table is None or table not in live or table not in desired:
        return [change]
    inherited = (live.inherited(table).get(ref), desired.inherited(table).get(ref))
    before, after = _sides(change, inherited)
    if after is None and before is not None and overrides(before):
        parents = parents_of(desired[table])
        if not any(ref._replace(schema=p.schema, on=p) in desired for p in parents):
            return []  # dropped with the parents' part
    if before is not None and after is not None and overrides(before) != overrides(after):
        before, after = filled(before, inherited[0]), filled(after, inherited[1])
        if parents_of(live[table]) == parents_of(desired[table]):
            before = _after_parents(before, after, inherited)
    return [Change(ref, before, after)] if before != after else []


def _sides(
    change: Change, inherited: tuple[Object | None, Object | None]
) -> tuple[Object | None, Object | None]:
    """Return the part before and after, each the child table's own or inherited."""
    was, becomes = inherited
    after = change.desired or becomes
    if change.live is not None or after is None:
        return change.live or was, after
    if overrides(after):
        return becomes or was, after
    return was if becomes else None, after


def _after_parents(
    before: Object, after: Object, inherited: tuple[Object | None, Object | None]
) -> Object:
    """Return the part after the parents' change, to alter only the remaining fields."""
    was, becomes = inherited
    if was is None or becomes is None:
        return before
    changed_by_parents = {
        f: getattr(after, f)
        for f in type(after).model_fields
        if getattr(before, f) == getattr(was, f) and getattr(after, f) == getattr(becomes, f)
    }
    return before.model_copy(update=changed_by_parents)


# -- states ------------------------------------------------------------------------------------


def with_inherited(state: State, parts: Iterable[Object | None]) -> State:
    """Return the state with inherited parts listed."""
    added = {o.ref: o for o in parts if o is not None}
    inherited = frozenset(added.keys() - state.objects.keys())
    return State({**state.objects, **added}, state.edges, inherited)


def ancestors(table: Ref, state: State) -> Iterator[Ref]:
    """Yield the parents of a table, and recursively the parents of parents."""
    for parent in parents_of(state.get(table)):
        yield from (parent, *ancestors(parent, state))


def descendants(tables: Iterable[Ref], state: State) -> dict[Ref, list[Ref]]:
    """Map each table to the child tables, and recursively to children of children."""
    children: dict[Ref, list[Ref]] = {}
    for ref, obj in state.objects.items():
        for parent in parents_of(obj):
            children.setdefault(parent, []).append(ref)

    def below(table: Ref) -> Iterator[Ref]:
        for child in children.get(table, ()):
            yield from (child, *below(child))

    return {table: list(below(table)) for table in tables}


def origins(table: Ref, state: State) -> list[Ref]:
    """List the parents' parts inherited by a child table."""
    child = state.get(table)
    if child is None:
        return []
    return [o.ref for p in parents_of(child) for o in state.objects_on(p) if inherited_by(o, child)]


# -- alterations and child tables --------------------------------------------------------------


def affected_by_alteration(
    ref: Ref, live: State, desired: State
) -> tuple[list[Object], list[Object]]:
    """List the objects affected by an alteration: before, and after.

    Affected are inline parts of the object, overrides of it, and parts of child tables merged with
    it.
    """
    existing = live.objects.keys() - live.only_inherited
    before = [*live.parts(ref), *live.merging(ref)]
    after = [*desired.parts(ref), *desired.merging(ref)]
    return (
        [o for o in before if o.ref in existing],
        [o for o in after if o.ref in existing or _stays_inherited(o, live, desired)],
    )


def _stays_inherited(part: Object, live: State, desired: State) -> bool:
    """Tell whether a child table inherits the part before and after, from the same parents."""
    if part.ref.on is None or not also_inherited(part) or overrides(part) or part.ref in live:
        return False
    before, after = live.get(part.ref.on), desired.get(part.ref.on)
    return before is not None and after is not None and parents_of(before) == parents_of(after)


def context_of_children(context: PlanningContext, live: State, desired: State) -> PlanningContext:
    """Add to the context the child tables and partitions with unchanged parents."""
    partitions = _staying_partitions(live, desired)
    tables = {*partitions, *chain(*partitions.values())}
    return replace(
        context,
        staying_children={
            r: o
            for r, o in desired.objects.items()
            if parents_of(o) and r in live and parents_of(live[r]) == parents_of(o)
        },
        partitions=partitions,
        partition_children={table: live.objects_on(table) for table in tables},
    )


def _staying_partitions(live: State, desired: State) -> dict[Ref, list[Ref]]:
    """Map each partitioned table to the partitions present before and after."""
    found: dict[Ref, list[Ref]] = {}
    for ref, old in live.objects.items():
        new = desired.get(ref)
        if is_partitioned(old):
            found.setdefault(ref, [])
        if not (is_partition(old) and is_partition(new)):
            continue
        if parents_of(new) == parents_of(old):
            found.setdefault(parents_of(old)[-1], []).append(ref)
    return found


# -- tables that get other parents -------------------------------------------------------------


def context_of_reparenting(
    changes: Sequence[Change], live: State, desired: State, context: PlanningContext
) -> PlanningContext:
    """Add to the context the statements before and after a table's change of parents.

    A parent's part is renamed meanwhile if its name would make PostgreSQL refuse the change. The
    undo changes the parents in the other direction, and has statements of its own. Parts that
    become the table's own meanwhile are listed.
    """
    parents = reparented(changes)
    found: dict[tuple[Ref, Parents, Parents], tuple[list[Statement], list[Statement]]] = {}
    for change in changes:
        table, before, after = change.ref.on, change.live, change.desired
        if table is None or table not in parents or before is None or after is None:
            continue
        old, new = parents[table]
        for key, state, part, other in (
            ((table, old, new), live, before, after),
            ((table, new, old), desired, after, before),
        ):
            for origin in _origins_of_part(table, part.ref, state):
                if around := origin.renamed_while_reparenting(part, other, context):
                    first, last = found.setdefault(key, ([], []))
                    first.append(around[0])
                    last.append(around[1])
    own = {
        (table, old, new): _becoming_own(table, new, live, desired)
        for table, (old, new) in parents.items()
        if not is_partition(live[table])
    }
    return replace(context, reparenting=found, becoming_own=own)


def _becoming_own(table: Ref, parents: Parents, live: State, desired: State) -> list[Ref]:
    """List inherited parts that no parent has at some moment of a change to other parents.

    Parents that stay are left and joined again, unless they stay in their place.
    """
    old = parents_of(live[table])
    pairs = zip(old, parents, strict=False)
    in_place = {before for before, _ in takewhile(lambda pair: pair[0] == pair[1], pairs)}
    throughout = live.inherited(table, ({*old} & {*parents}) - in_place).keys()
    throughout &= desired.inherited(table).keys()
    return [
        ref
        for ref in live.inherited(table)
        if ref not in throughout and (ref not in live or overrides(live[ref]))
    ]


def _origins_of_part(table: Ref, part: Ref, state: State) -> Iterator[Overriding]:
    """Yield the parts of ancestors, listed in the state, inherited as a child table's part."""
    for parent in parents_of(state.get(table)):
        own = state.get(part._replace(schema=parent.schema, on=parent))
        if own is None:
            yield from _origins_of_part(parent, part, state)
        elif isinstance(own, Overriding):
            yield own
