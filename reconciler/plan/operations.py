"""What there is to do: (changes, live, desired, situation) → Work, each piece of it under the object to which it is done.

Nothing here knows of order; `reconciler.order` does.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import cast

from reconciler.diff.diff import Action, Change
from reconciler.model.commit_group import commit_group
from reconciler.model.datatype import Replaceable
from reconciler.model.deferred import (
    complete_deferred,
    deferred_needs,
    define_deferred,
    remove_deferred,
)
from reconciler.model.inheritance import (
    also_inherited,
    is_partition,
    is_partitioned,
    overrides,
    parents_of,
    restate_overrides,
)
from reconciler.model.object import InlinePart, Object, PlanningContext, keep_through
from reconciler.model.online_recipe import recreate, replaces_object, reuses
from reconciler.model.online_swap import SwappedOnline
from reconciler.model.ref import Ref
from reconciler.model.resumption import drop_leftover, finish_interrupted
from reconciler.model.state import State
from reconciler.model.statement import HazardKind, Statement
from reconciler.model.suspension import free_name, restore, restored, suspend
from reconciler.plan.recreate import Recreation, cyclic_foreign_keys, recreation_of


@dataclass(frozen=True, order=True)
class Operation:
    """One thing to do with one object: drop it, make it (create or alter), finish what is made, loosen what will go."""

    drop: bool
    late: bool
    order: tuple[str, ...]
    ref: Ref = field(compare=False)


def making(ref: Ref) -> Operation:
    """The object is created or altered."""
    return Operation(drop=False, late=False, order=(*ref.order,), ref=ref)


def dropping(ref: Ref) -> Operation:
    """The object is dropped, or makes room."""
    return Operation(drop=True, late=False, order=(*ref.order,), ref=ref)


def finishing(ref: Ref) -> Operation:
    """What is said of the object once others are there too."""
    return Operation(drop=False, late=True, order=(*ref.order,), ref=ref)


def loosening(ref: Ref) -> Operation:
    """What was said so is taken back, before one of those others goes."""
    return Operation(drop=True, late=True, order=(*ref.order,), ref=ref)


@dataclass
class Operations:
    """What is gathered on the way from changes to steps.

    `stands_for` names the larger piece of work of which one is part, `units` what commits together, `created` and
    `dropped` all that is, be it to be made again; `adopted` becomes part of something else; `alone` is dropped by itself
    and not with what it lives on; `one_way` is altered by what only a replacement takes back; `rebound` tells, of something
    made, what lets go of something else to stand on it, with the SQL that lets that go and takes it up again.
    """

    live: State
    desired: State
    context: PlanningContext
    statements: dict[Operation, list[Statement]] = field(
        default_factory=dict[Operation, list[Statement]]
    )
    actions: dict[Operation, Action] = field(default_factory=dict[Operation, Action])
    stands_for: dict[Operation, Operation] = field(default_factory=dict[Operation, Operation])
    units: dict[Operation, Ref] = field(default_factory=dict[Operation, Ref])
    one_way: set[Operation] = field(default_factory=set[Operation])
    recreation: Recreation = field(default_factory=Recreation)
    created: Set[Ref] = field(default_factory=frozenset[Ref])
    reused: Set[Ref] = field(default_factory=frozenset[Ref])
    dropped: Set[Ref] = field(default_factory=frozenset[Ref])
    alone: Set[Ref] = field(default_factory=frozenset[Ref])
    rebound: dict[Operation, list[tuple[Operation, tuple[str, ...], tuple[str, ...]]]] = field(
        default_factory=dict[Operation, list[tuple[Operation, tuple[str, ...], tuple[str, ...]]]]
    )

    @property
    def disturbed(self) -> Set[Ref]:
        """What is altered only while nothing stands on it."""
        return {
            *self.recreation.recreated.values(),
            *self.recreation.suspended.values(),
            *self.recreation.disturbed,
        }

    def undone_beneath(
        self, node: Operation, statements: list[Statement], done: Set[Operation]
    ) -> list[Statement]:
        """The statements, whose undo takes what they make from under what stood on something else, unless that is let go already."""
        for suspended, away, back in (
            self.rebound.get(node, ())
            if statements and statements[-1] == self.statements[node][-1]
            else ()
        ):
            if suspended not in done:
                last = statements[-1].model_copy(
                    update={"undo": (*away, *(statements[-1].undo or ()), *back)}
                )
                statements = [*statements[:-1], last]
        return statements

    def find(self, node: Operation) -> Operation | None:
        """That piece of work, or the larger one of which it is part; None if nothing is to be done."""
        while node in self.stands_for:
            node = self.stands_for[node]
        return node if node in self.statements else None

    def only(self, ref: Ref) -> Operation | None:
        """The one thing that is done to the object; None where it is dropped and made again."""
        drop, make = self.find(dropping(ref)), self.find(making(ref))
        return None if drop and make else drop or make

    def add(
        self, node: Operation, action: Action, statements: list[Statement], unit: Ref | None = None
    ) -> None:
        """Do this to an object, in one transaction with all else of the unit."""
        self.statements[node] = statements
        self.actions[node] = action
        if unit is not None:
            self.units[node] = unit


def collect_operations(
    changes: Sequence[Change], live: State, desired: State, context: PlanningContext
) -> Operations:
    """All that the changes ask for, and what must be taken apart and put together again on their account."""
    created = frozenset(c.ref for c in changes if c.live is None)
    kept = _partitions(live, desired)
    staying_children = {
        r: o
        for r, o in desired.objects.items()
        if parents_of(o) and r in live and parents_of(live[r]) == parents_of(o)
    }
    context = replace(
        context,
        staying_children=staying_children,
        partitions=kept,
        partition_children={r: live.living_on(r) for r in {*kept, *chain(*kept.values())}},
    )
    operations = Operations(live, desired, replace(context, created=created))
    operations.reused = frozenset(
        r
        for c in changes
        if c.desired
        for r in reuses(c.desired, c.live, operations.context) - {c.ref}
    )
    changes = [c for c in changes if c.ref not in operations.reused]
    gone = frozenset(c.ref for c in changes if c.desired is None)
    operations.recreation = recreation_of(
        [c for c in changes if c.live], live, desired, operations.context
    )
    recreated, suspended, shadows = (
        operations.recreation.recreated,
        operations.recreation.suspended,
        operations.recreation.shadows,
    )
    operations.reused |= {
        r
        for ref in recreated
        if ref in desired
        for r in reuses(desired[ref], live[ref], replace(operations.context, shadows=shadows))
    }
    operations.created, operations.dropped = created | recreated.keys(), gone | recreated.keys()
    operations.context = replace(context, created=operations.created)
    operations.alone = cyclic_foreign_keys(live, operations.dropped)
    _discard(operations)
    for change in changes:
        if change.desired is None:
            _remove(operations, change.ref)
        elif change.live is None:
            _create(operations, change.desired)
        elif change.ref in shadows:
            _exchange(operations, change.live, change.desired)
        elif change.ref not in {*recreated, *suspended}:
            _alter(operations, change.live, change.desired)
    for ref in recreated:
        if ref not in gone:
            _rebuild(operations, ref)
    for ref in suspended:
        _hold(operations, ref)
    _stand_on_the_old(operations)
    _settle(operations)
    _unfinish(operations)
    return operations


def _discard(operations: Operations) -> None:
    """Clear away what somebody left and nobody takes up."""
    for ref, leftover in operations.context.leftovers.items():
        wanted = ref not in operations.context.unwanted
        if ref not in operations.reused and (found := drop_leftover(leftover.made, wanted=wanted)):
            operations.add(dropping(ref), "drop", found)


def _stand_on_the_old(operations: Operations) -> None:
    """What takes up something new instead of what goes stands, once that is undone, on the old again."""
    for ref in operations.recreation.suspended:
        let_go = list(suspend(operations.live[ref], operations.context) or ())
        for needed in (
            operations.desired.needs(ref) - operations.live.needs(ref)
            if let_go and not isinstance(operations.live[ref], InlinePart)
            else ()
        ):
            back = tuple(u for s in reversed(let_go) for u in s.undo or ())
            operations.rebound.setdefault(making(needed), []).append(
                (dropping(ref), tuple(s.sql for s in let_go), back)
            )


def _settle(operations: Operations) -> None:
    """Do what is still to be done to objects, before they are altered."""
    for ref, obj in operations.context.unfinished.items():
        node = making(ref)
        if operations.find(dropping(ref)) is None:
            operations.add(
                node,
                operations.actions.get(node, "alter"),
                [
                    *finish_interrupted(obj, operations.context),
                    *operations.statements.get(node, []),
                ],
                operations.units.get(node),
            )


def _partitions(live: State, desired: State) -> dict[Ref, list[Ref]]:
    """The partitions that each table has before and after."""
    found: dict[Ref, list[Ref]] = {}
    for ref, obj in live.objects.items():
        new = desired.get(ref)
        if is_partitioned(obj):
            found.setdefault(ref, [])
        if (
            is_partition(obj)
            and new is not None
            and is_partition(new)
            and parents_of(new) == parents_of(obj)
        ):
            found.setdefault(parents_of(obj)[-1], []).append(ref)
    return found


def _create(operations: Operations, obj: Object, root: Ref | None = None) -> None:
    ref, context = obj.ref, operations.context
    if isinstance(obj, InlinePart) and ref.on is not None and ref.on in operations.created:
        operations.stands_for[making(ref)] = making(ref.on)
        return
    unseen = ref.on if ref.on in operations.created else None
    if root is None or unseen is not None:
        statements = obj.create(context, operations.desired.parts(ref), online=unseen is None)
    else:
        over = replace(context, shadows=operations.recreation.shadows)
        statements = recreate(
            obj,
            operations.live.get(ref) if ref == root else None,
            over,
            operations.desired.parts(ref),
        )
    unit = root or unseen or commit_group(obj) or ref
    operations.add(making(ref), "create", statements, unit)
    if late := complete_deferred(obj, None, context):
        operations.add(finishing(ref), "alter", late, unit)


def _remove(operations: Operations, ref: Ref) -> None:
    if ref in operations.recreation.aside:
        _stand_aside(operations, ref, ref)
    else:
        _drop(operations, ref)


def _drop(operations: Operations, ref: Ref, root: Ref | None = None) -> None:
    live = operations.live
    if ref.on is not None and ref.on in operations.dropped and ref not in operations.alone:
        operations.stands_for[dropping(ref)] = dropping(ref.on)
        return
    lost = [
        live[r]
        for r in live
        if r.on == ref and r in operations.dropped and r not in operations.alone
    ]
    lost += [o for o in live.overriding(ref) if o.ref.on not in operations.dropped]
    operations.add(
        dropping(ref),
        "drop",
        live[ref].drop(operations.context, lost, online=root is None),
        root or commit_group(live[ref]),
    )


def _alter(operations: Operations, live: Object, desired: Object) -> None:
    ref, context = live.ref, operations.context
    statements = desired.alter(live, context)
    assert statements is not None
    if statements:
        if statements[0].undo is None:
            operations.one_way.add(making(ref))
        stay = [
            o
            for o in _bearing(operations, ref, operations.live)
            if o.ref.on not in operations.dropped
        ]
        back = tuple(
            s.sql
            for o in stay
            for s in (
                *keep_through(o, live, desired, context),
                *restate_overrides(o, live, desired, context),
            )
        )
        recreated = [s for o in stay for s in keep_through(o, desired, live, context)]
        recreated += [
            s
            for o in _bearing(operations, ref, operations.desired)
            for s in restate_overrides(o, desired, live, context)
        ]
        first = statements[0].model_copy(update={"undo": (*(statements[0].undo or ()), *back)})
        statements = [
            first,
            *statements[1:],
            *(s.model_copy(update={"undo": ()}) for s in recreated),
        ]
    operations.add(making(ref), "alter", statements, commit_group(desired))
    if late := complete_deferred(desired, live, context):
        operations.add(finishing(ref), "alter", late, commit_group(desired))


def _exchange(operations: Operations, live: Object, desired: Object) -> None:
    """Exchange it for its twin; what else differs comes after."""
    new, context = cast("SwappedOnline", desired), operations.context
    operations.add(making(live.ref), "alter", list(new.swap(live, context)), live.ref)
    between = new.after_swap(live)
    if rest := [*(new.alter(between, context) or ()), *complete_deferred(new, between, context)]:
        operations.add(finishing(live.ref), "alter", rest)


def _bearing(operations: Operations, ref: Ref, state: State) -> Sequence[Object]:
    """The objects that stand now and on which an alteration of this one bears: its parts, and what overrides it."""
    standing = operations.live.objects.keys() - operations.live.given

    def has_it(obj: Object) -> bool:
        """Whether an heir has it of the parents that it keeps, and nothing is done to it."""
        before, after = (
            s.get(obj.ref.on) if obj.ref.on else None for s in (operations.live, operations.desired)
        )
        stays = bool(before and after and parents_of(before) == parents_of(after))
        return (
            state is operations.desired
            and also_inherited(obj)
            and not overrides(obj)
            and stays
            and obj.ref not in operations.live
        )

    return [o for o in (*state.parts(ref), *state.merging(ref)) if o.ref in standing or has_it(o)]


def _rebuild(operations: Operations, ref: Ref) -> None:
    """Drop it and make it again on account of another change."""
    live, desired, root = operations.live, operations.desired, operations.recreation.recreated[ref]
    if (
        ref.on is not None and ref.on in operations.created and isinstance(live[ref], InlinePart)
    ):  # it goes and comes with what it is part of
        for node in (dropping, making):
            operations.stands_for[node(ref)] = node(ref.on)
    elif ref in operations.recreation.aside:
        _stand_aside(operations, ref, root)
        operations.add(
            making(ref), "create", desired[ref].create(operations.context, online=False), root
        )
        _forgive(operations, ref)
    else:
        _drop(operations, ref, root)
        if ref in desired:
            _create(operations, desired[ref], root)
            _forgive(operations, ref)


def _stand_aside(operations: Operations, ref: Ref, root: Ref) -> None:
    """Rename a data type, and drop it once nothing has it any more."""
    aside = operations.recreation.aside[ref]
    operations.add(
        dropping(ref),
        "alter",
        list(cast("Replaceable", operations.live[ref]).rename_to_old_name(aside)),
        root,
    )
    operations.add(finishing(ref), "drop", aside.drop(operations.context, online=False), root)


def _forgive(operations: Operations, ref: Ref) -> None:
    """What was just as open before is not weakened by this plan."""
    node = making(ref)
    known = {
        d
        for s in operations.live[ref].create(
            operations.context, operations.live.parts(ref), online=False
        )
        for d in s.hazards
        if d.hazard is HazardKind.WEAKENS_SECURITY
    }
    if node in operations.statements:
        made = operations.statements[node]
        operations.statements[node] = [
            s.model_copy(update={"hazards": tuple(d for d in s.hazards if d not in known)})
            for s in made
        ]


def _hold(operations: Operations, ref: Ref) -> None:
    """Let go of what is replaced beneath the object, and take up again; what else differs comes after."""
    live, desired, root, context = (
        operations.live[ref],
        operations.desired[ref],
        operations.recreation.suspended[ref],
        operations.context,
    )
    if root == ref and (back := free_name(live, desired, context)) is not None:
        operations.add(dropping(ref), "alter", list(back[1]), root)
        _alter(operations, back[0], desired)
        return
    operations.add(dropping(ref), "alter", list(suspend(live, context) or ()), root)
    operations.add(
        making(ref),
        "alter",
        list(restore(desired, live, operations.recreation.turns, context)),
        root,
    )
    after = restored(desired, live, context)
    if rest := [
        *(desired.alter(after, context) or ()),
        *complete_deferred(desired, after, context),
    ]:
        operations.add(finishing(ref), "alter", rest)


def _unfinish(operations: Operations) -> None:
    """Loosen what would go with something that is dropped; what stays is finished anew."""
    for ref, obj in operations.live.objects.items():
        going = any(
            operations.find(dropping(n)) or _renewed(operations, n) for n in deferred_needs(obj)
        )
        unit = next(
            (
                t
                for n in deferred_needs(obj)
                if (t := operations.recreation.recreated.get(n, n)) in operations.recreation.shadows
            ),
            None,
        )
        if going and (loosened := list(remove_deferred(obj, operations.context))):
            gone, late = operations.find(dropping(ref)), finishing(ref)
            renewed = ref in operations.desired and any(
                _renewed(operations, n)
                for n in deferred_needs(obj) & deferred_needs(operations.desired[ref])
            )
            anew = late not in operations.statements or (renewed and not gone)
            if gone or anew:
                operations.add(loosening(ref), "alter", loosened, unit)
            stays = not gone and ref in operations.desired and anew
            if stays and (
                recreated := complete_deferred(operations.desired[ref], None, operations.context)
            ):
                operations.add(late, "alter", recreated, unit)
            continue
        said = tuple(s.sql for s in define_deferred(obj, operations.context))
        if (
            (own := dropping(ref)) in operations.statements
            and own not in operations.stands_for
            and ref not in operations.recreation.kept
        ):
            _undone_with(operations, own, said)
        for needed in {
            g for n in deferred_needs(obj) if (g := operations.find(dropping(n))) not in (None, own)
        }:
            _undone_with(operations, needed, said)
        stays = going and ref in operations.desired and finishing(ref) not in operations.statements
        if stays and (
            recreated := complete_deferred(operations.desired[ref], None, operations.context)
        ):
            operations.add(finishing(ref), "alter", recreated)


def _undone_with(operations: Operations, node: Operation, said: tuple[str, ...]) -> None:
    """What was said is said again once the thing is undone."""
    first, *more = operations.statements[node]
    operations.statements[node] = [
        first.model_copy(update={"undo": (*(first.undo or ()), *said)}),
        *more,
    ]


def _renewed(operations: Operations, ref: Ref) -> bool:
    before, after = operations.live.get(ref), operations.desired.get(ref)
    if ref in operations.recreation.shadows:
        return True
    return before is not None and after is not None and replaces_object(after, before)
