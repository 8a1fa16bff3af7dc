"""Find the objects to drop and recreate, or to suspend, because of altered objects.

Dependents of a replaced object are dropped before and created again after. A column or a table is
not, since it holds data: it is suspended (a default that calls a replaced function is dropped) and
restored afterwards. A replaced data type is renamed, and dropped once every column has the new one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import cast

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
from reconciler.plan.graph import components, graph_of
from reconciler.plan.replaced_types import replaced_types, successor


@dataclass
class Recreation:
    """The recreated and suspended objects of a plan.

    `recreated` and `suspended` map each object to the altered object that causes it. `set_aside`
    maps recreated types to the types under their temporary names, `conversions` type names to the
    conversion of values from the old type to the new one. `shadows` maps columns that are swapped
    to the names of their shadow columns. `disturbed` are altered only while nothing depends on
    them.
    """

    recreated: dict[Ref, Ref] = field(default_factory=dict[Ref, Ref])
    suspended: dict[Ref, Ref] = field(default_factory=dict[Ref, Ref])
    set_aside: Mapping[Ref, Replaceable] = field(default_factory=dict[Ref, Replaceable])
    conversions: Mapping[str, TypeConversion] = field(default_factory=dict[str, TypeConversion])
    shadows: dict[Ref, str] = field(default_factory=dict[Ref, str])
    disturbed: set[Ref] = field(default_factory=set[Ref])

    @property
    def kept(self) -> Set[Ref]:
        """The objects to be suspended or renamed instead of dropped."""
        return {*self.suspended, *self.set_aside}


def recreation_of(
    altered: Sequence[Change], live: State, desired: State, context: PlanningContext
) -> Recreation:
    """Find the objects to recreate and to suspend for changes of existing objects.

    Raises PlanError if a column cannot be swapped for a shadow column as its declaration asks.
    """
    if not altered:
        return Recreation()
    search = _Search(
        live, desired, context, altered, Recreation(shadows=_shadows(altered, live, context))
    )
    for change in altered:
        search.add(change)
    replaced = replaced_types(search.found.suspended, search.found.recreated, live, desired)
    search.found.set_aside, search.found.conversions = replaced.set_aside, replaced.conversions
    found = search.found
    for ref in found.shadows.keys() & {*found.recreated, *found.suspended}:
        raise cast("SwappedOnline", desired[ref]).unable(
            "something that it depends on is replaced by the same plan"
        )
    return found


def cyclic_foreign_keys(live: State, dropped: Set[Ref]) -> frozenset[Ref]:
    """Find foreign keys between dropped tables on a cycle of references.

    Each is dropped by a statement of its own: no order of DROP TABLE works.
    """
    referenced = _referenced_tables(live, dropped)
    graph = graph_of(
        (), ((r.on or r, table) for r, tables in referenced.items() for table in tables)
    )
    cycle_of = {
        table: set(cycle) for cycle in components(graph) if len(cycle) > 1 for table in cycle
    }
    return frozenset(
        ref
        for ref, tables in referenced.items()
        if ref.on is not None
        and ref.on in cycle_of
        and tables & cycle_of[ref.on]
        and not isinstance(live[ref], InlinePart)
    )


def _referenced_tables(live: State, dropped: Set[Ref]) -> dict[Ref, Set[Ref]]:
    """Map each dropped object to the dropped tables needed by the object."""
    return {
        ref: ({needed.on or needed for needed in live.needs(ref)} & dropped) - {ref.on or ref}
        for ref in dropped
        if ref in live
    }


# -- columns that are swapped for a shadow column ----------------------------------------------


def _shadows(altered: Sequence[Change], live: State, context: PlanningContext) -> dict[Ref, str]:
    """Map each column to be swapped online to the name of the shadow column."""
    found: dict[Ref, str] = {}
    for change in altered:
        new, old, table = change.desired, change.live, change.ref.on
        if not isinstance(new, SwappedOnline) or old is None or table is None:
            continue
        if shadow := new.shadow(old, context):
            for obstacle in _swap_obstacles(change.ref, table, live):
                raise new.unable(obstacle)
            found[change.ref] = shadow
    return found


def unswappable(altered: Sequence[Change], live: State) -> Set[Ref]:
    """Return the altered columns that no shadow column could replace, were it declared."""
    return {
        c.ref
        for c in altered
        if isinstance(c.desired, SwappedOnline)
        and c.ref.on is not None
        and any(_swap_obstacles(c.ref, c.ref.on, live))
    }


def _swap_obstacles(column: Ref, table: Ref, live: State) -> Iterator[str]:
    """Yield reasons why no shadow column can take the place of the column."""
    has_children = any(table in parents_of(o) for o in live.objects.values())
    if is_partitioned(live[table]) or parents_of(live[table]) or has_children:
        yield f"{table} has parents or child tables"
    if any(isinstance(live[r], InlinePart) and column in live.needs(r) for r in live):
        yield "another column is generated from it"


# -- the search --------------------------------------------------------------------------------


class _Search:
    """The search for objects to recreate and suspend, by the altered objects in turn."""

    def __init__(
        self,
        live: State,
        desired: State,
        context: PlanningContext,
        altered: Sequence[Change],
        found: Recreation,
    ) -> None:
        self.live, self.desired, self.context, self.found = live, desired, context, found
        self.dependents: Mapping[Ref, set[Ref]] = live.dependents
        self.altered = {c.ref for c in altered}
        self.names_of_new = {
            (o.ref.schema, o.relation_name)
            for o in desired.objects.values()
            if o.relation_name is not None and o.ref not in live
        }
        self.trading_names = _trading_names(altered)

    def add(self, change: Change) -> None:
        """Find the objects to recreate or suspend for a change of an existing object."""
        ref, old, new = change.ref, change.live, change.desired
        assert old
        affected, disturbed = self._affected(ref, old, new)
        if disturbed:
            self.found.disturbed.add(ref)
        self._spread(affected, ref)
        if new is not None and ref not in self.found.recreated and self._frees_name(old, new):
            self.found.suspended.setdefault(ref, ref)

    def _frees_name(self, old: Object, new: Object) -> bool:
        """Tell whether the object must free a name or partition bound for another object."""
        name_needed = (old.ref.schema, old.relation_name) in self.names_of_new
        if name_needed and old.relation_name != new.relation_name:
            return True
        stays = old.name_keys() == new.name_keys() or old.ref in self.trading_names
        return stays and free_name(old, new, self.context) is not None

    # Objects affected by a change: pairs of an object and the object that it depends on (None:
    # recreate it even if it holds data), and whether the changed object is altered in place.

    def _affected(
        self, ref: Ref, old: Object, new: Object | None
    ) -> tuple[Sequence[tuple[Ref, Ref | None]], bool]:
        """List the objects to recreate or suspend before the change."""
        above = self.dependents.get(ref, set[Ref]())
        if new is None and not successor(ref, self.live, self.desired):
            return [(r, ref) for r in above if self._outlives(r, ref)], False
        if new is None or self._must_replace(old, new, above):
            return [(ref, None)], False
        if ref in self.found.shadows:
            return [(r, ref) for r in above], True
        if needs_dependents_dropped(new, old):
            return self._beneath_alteration(ref, old, new, above), True
        pinning = [r for r in above if pins_type(self.live[r], old)]
        return [(r, ref) for r in pinning], bool(pinning)

    def _must_replace(self, old: Object, new: Object, above: Iterable[Ref]) -> bool:
        """Tell whether the object cannot be altered and is dropped and created again."""
        return new.alter(old, self.context) is None or must_recreate(
            new, old, [self.live[r] for r in above]
        )

    def _outlives(self, ref: Ref, dropped: Ref) -> bool:
        """Tell whether to recreate or suspend a dependent of an object dropped for good.

        The dependent stays, and will depend on another object of the same name, or on none.
        """
        if ref not in self.desired or self.live.parts(ref):
            return False
        if ref in self.altered and not (
            self._is_suspended_constraint(ref) or self._calls_new_overload(ref, dropped)
        ):
            return False
        return (
            dropped.arguments is not None
            or isinstance(self.live[ref], FollowsTypeChange)
            or not self._can_suspend(ref)
        )

    def _beneath_alteration(
        self, ref: Ref, old: Object, new: Object, above: Iterable[Ref]
    ) -> Sequence[tuple[Ref, Ref | None]]:
        """List the dependents to recreate or suspend before ALTER of the needed object."""
        if pinning_table := self._pinning_table(ref):
            return [(pinning_table, None)]
        rewritten = rewrites_values(new, old)
        return [
            (r, ref)
            for r in above
            if not self._follows_type_change(r, ref) or self._is_redefined(r, rewritten=rewritten)
        ]

    def _follows_type_change(self, ref: Ref, changed: Ref) -> bool:
        """Tell whether ALTER COLUMN … TYPE updates the dependent, an object of the same table."""
        return isinstance(self.live[ref], FollowsTypeChange) and ref.on == changed.on

    def _can_suspend(self, ref: Ref) -> bool:
        """Tell whether the object can be suspended instead of dropped."""
        return suspend(self.live[ref], self.context) is not None

    def _is_suspended_constraint(self, ref: Ref) -> bool:
        """Tell whether the object belongs to a table and can be suspended, as a foreign key."""
        is_part = isinstance(self.live[ref], InlinePart)
        return ref.on is not None and not is_part and self._can_suspend(ref)

    def _calls_new_overload(self, ref: Ref, dropped: Ref) -> bool:
        """Tell whether the object will call a new overload of the dropped routine.

        While both exist, the call might be ambiguous.
        """
        return dropped.arguments is not None and any(
            needed not in self.live and needed.is_overload_of(dropped)
            for needed in self.desired.needs(ref)
        )

    def _pinning_table(self, ref: Ref) -> Ref | None:
        """Return the column's table if PostgreSQL refuses to change the column's type."""
        table = ref.on
        if table is None or table not in self.live:
            return None
        return table if pins_column_type(self.live[table], self.live[ref]) else None

    def _is_redefined(self, ref: Ref, *, rewritten: bool) -> bool:
        """Tell whether a dependent gets a new definition beyond the new column type.

        PostgreSQL knows the old expression only, which may be invalid for the new type.
        """
        old, new = self.live[ref], self.desired.get(ref)
        if new is None or not _differs_in_definition(old, new):
            return False
        return self._can_suspend(ref) or (rewritten and self._is_reparsed(ref))

    def _is_reparsed(self, ref: Ref) -> bool:
        """Tell whether PostgreSQL would parse outdated expressions of the object again."""
        new = self.desired.get(ref)
        return new is not None and reparses_expressions(new, self.live[ref])

    # Dependents of dependents.

    def _spread(self, affected: Sequence[tuple[Ref, Ref | None]], root: Ref) -> None:
        """Recreate or suspend the affected objects and all dependents, because of `root`."""
        queue = list(affected)
        while queue:
            ref, beneath = queue.pop()
            if ref not in self.found.recreated:
                queue += self._recreate_or_suspend(ref, beneath, root)

    def _recreate_or_suspend(
        self, ref: Ref, beneath: Ref | None, root: Ref
    ) -> list[tuple[Ref, Ref | None]]:
        """Note an object as recreated or suspended; return the dependents to search next."""
        if beneath is None or self._cannot_stay(ref):
            return self._recreate(ref, root)
        type_replaced = isinstance(self.live[beneath], Replaceable)
        pinning_table = self._pinning_table(ref) if type_replaced else None
        if pinning_table is not None:
            return [(pinning_table, None)]
        if not self._can_suspend(ref):
            return self._recreate(ref, root)
        self.found.suspended.setdefault(ref, root)
        if not type_replaced or pins_type(self.live[ref], self.live[beneath]):
            return []
        return [
            (r, ref)
            for r in self.dependents.get(ref, ())
            if not self._follows_type_change(r, ref) or self._is_reparsed(r)
        ]

    def _cannot_stay(self, ref: Ref) -> bool:
        """Tell whether the object is dropped anyway: for good, or with the table."""
        return ref not in self.desired or (
            isinstance(self.live[ref], InlinePart) and ref.on in self.found.recreated
        )

    def _recreate(self, ref: Ref, root: Ref) -> list[tuple[Ref, Ref | None]]:
        """Note the object as recreated; return pairs of the object's dependents."""
        self.found.recreated[ref] = root
        self.found.suspended.pop(ref, None)
        return [(r, ref) for r in self.dependents.get(ref, ())]


def _differs_in_definition(old: Object, new: Object) -> bool:
    """Tell whether more differs than owner, comment and grants."""
    return new.with_attached_of(old) != old


def _trading_names(altered: Sequence[Change]) -> Set[Ref]:
    """Find altered objects trading names: both old and new name belong to altered objects."""
    names = {
        c.ref: (c.live.name_keys(), c.desired.name_keys()) for c in altered if c.live and c.desired
    }
    freed = {key for old, new in names.values() for key in old - new}
    assigned = {key for old, new in names.values() for key in new - old}
    return {r for r, (old, new) in names.items() if (old - new) & assigned and (new - old) & freed}
