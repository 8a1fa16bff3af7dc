"""What there is to do: (changes, live, desired, situation) → Work, each piece of it under the object to which it is done.

Nothing here knows of order; `reconciler.order` does.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import cast

from reconciler.diff.diff import Action, Change
from reconciler.model.datatype import Replaced
from reconciler.model.object import Object, Situation
from reconciler.model.online_swap import Exchanged
from reconciler.model.ref import Ref
from reconciler.model.state import State
from reconciler.model.statement import Hazard, Statement
from reconciler.plan.recreate import Rebuild, entangled, rebuild_of


@dataclass(frozen=True, order=True)
class Node:
    """One thing to do with one object: drop it, make it (create or alter), finish what is made, loosen what will go."""

    drop: bool
    late: bool
    order: tuple[str, ...]
    ref: Ref = field(compare=False)


def making(ref: Ref) -> Node:
    """The object is created or altered."""
    return Node(drop=False, late=False, order=(*ref.order,), ref=ref)


def dropping(ref: Ref) -> Node:
    """The object is dropped, or makes room."""
    return Node(drop=True, late=False, order=(*ref.order,), ref=ref)


def finishing(ref: Ref) -> Node:
    """What is said of the object once others are there too."""
    return Node(drop=False, late=True, order=(*ref.order,), ref=ref)


def loosening(ref: Ref) -> Node:
    """What was said so is taken back, before one of those others goes."""
    return Node(drop=True, late=True, order=(*ref.order,), ref=ref)


@dataclass
class Work:
    """What is gathered on the way from changes to steps.

    `stands_for` names the larger piece of work of which one is part, `units` what commits together, `created` and
    `dropped` all that is, be it to be made again; `adopted` becomes part of something else; `alone` is dropped by itself
    and not with what it lives on; `one_way` is altered by what only a replacement takes back; `rebound` tells, of something
    made, what lets go of something else to stand on it, with the SQL that lets that go and takes it up again.
    """

    live: State
    desired: State
    situation: Situation
    statements: dict[Node, list[Statement]] = field(default_factory=dict[Node, list[Statement]])
    actions: dict[Node, Action] = field(default_factory=dict[Node, Action])
    stands_for: dict[Node, Node] = field(default_factory=dict[Node, Node])
    units: dict[Node, Ref] = field(default_factory=dict[Node, Ref])
    one_way: set[Node] = field(default_factory=set[Node])
    rebuild: Rebuild = field(default_factory=Rebuild)
    created: Set[Ref] = field(default_factory=frozenset[Ref])
    adopted: Set[Ref] = field(default_factory=frozenset[Ref])
    dropped: Set[Ref] = field(default_factory=frozenset[Ref])
    alone: Set[Ref] = field(default_factory=frozenset[Ref])
    rebound: dict[Node, list[tuple[Node, tuple[str, ...], tuple[str, ...]]]] = field(
        default_factory=dict[Node, list[tuple[Node, tuple[str, ...], tuple[str, ...]]]]
    )

    @property
    def disturbed(self) -> Set[Ref]:
        """What is altered only while nothing stands on it."""
        return {*self.rebuild.again.values(), *self.rebuild.held.values(), *self.rebuild.disturbed}

    def undone_beneath(
        self, node: Node, statements: list[Statement], done: Set[Node]
    ) -> list[Statement]:
        """The statements, whose undo takes what they make from under what stood on something else, unless that is let go already."""
        for held, away, back in (
            self.rebound.get(node, ())
            if statements and statements[-1] == self.statements[node][-1]
            else ()
        ):
            if held not in done:
                last = statements[-1].model_copy(
                    update={"undo": (*away, *(statements[-1].undo or ()), *back)}
                )
                statements = [*statements[:-1], last]
        return statements

    def find(self, node: Node) -> Node | None:
        """That piece of work, or the larger one of which it is part; None if nothing is to be done."""
        while node in self.stands_for:
            node = self.stands_for[node]
        return node if node in self.statements else None

    def only(self, ref: Ref) -> Node | None:
        """The one thing that is done to the object; None where it is dropped and made again."""
        drop, make = self.find(dropping(ref)), self.find(making(ref))
        return None if drop and make else drop or make

    def add(
        self, node: Node, action: Action, statements: list[Statement], unit: Ref | None = None
    ) -> None:
        """Do this to an object, in one transaction with all else of the unit."""
        self.statements[node] = statements
        self.actions[node] = action
        if unit is not None:
            self.units[node] = unit


def gather(changes: Sequence[Change], live: State, desired: State, situation: Situation) -> Work:
    """All that the changes ask for, and what must be taken apart and put together again on their account."""
    created = frozenset(c.ref for c in changes if c.live is None)
    kept = _partitions(live, desired)
    heirs = {
        r: o
        for r, o in desired.objects.items()
        if o.parents and r in live and live[r].parents == o.parents
    }
    situation = replace(
        situation,
        heirs=heirs,
        partitions=kept,
        living={r: live.living_on(r) for r in {*kept, *chain(*kept.values())}},
    )
    work = Work(live, desired, replace(situation, created=created))
    work.adopted = frozenset(
        r for c in changes if c.desired for r in c.desired.adopts(c.live, work.situation) - {c.ref}
    )
    changes = [c for c in changes if c.ref not in work.adopted]
    gone = frozenset(c.ref for c in changes if c.desired is None)
    work.rebuild = rebuild_of([c for c in changes if c.live], live, desired, work.situation)
    again, held, twins = work.rebuild.again, work.rebuild.held, work.rebuild.twins
    work.adopted |= {
        r
        for ref in again
        if ref in desired
        for r in desired[ref].adopts(live[ref], replace(work.situation, twins=twins))
    }
    work.created, work.dropped = created | again.keys(), gone | again.keys()
    work.situation = replace(situation, created=work.created)
    work.alone = entangled(live, work.dropped)
    _discard(work)
    for change in changes:
        if change.desired is None:
            _remove(work, change.ref)
        elif change.live is None:
            _create(work, change.desired)
        elif change.ref in twins:
            _exchange(work, change.live, change.desired)
        elif change.ref not in {*again, *held}:
            _alter(work, change.live, change.desired)
    for ref in again:
        if ref not in gone:
            _rebuild(work, ref)
    for ref in held:
        _hold(work, ref)
    _stand_on_the_old(work)
    _settle(work)
    _unfinish(work)
    return work


def _discard(work: Work) -> None:
    """Clear away what somebody left and nobody takes up."""
    for ref, leftover in work.situation.leftovers.items():
        if ref not in work.adopted and (
            found := list(leftover.made.discard(wanted=ref not in work.situation.unwanted))
        ):
            work.add(dropping(ref), "drop", found)


def _stand_on_the_old(work: Work) -> None:
    """What takes up something new instead of what goes stands, once that is undone, on the old again."""
    for ref in work.rebuild.held:
        let_go = list(work.live[ref].release(work.situation) or ())
        for needed in (
            work.desired.needs(ref) - work.live.needs(ref)
            if let_go and not work.live[ref].folds
            else ()
        ):
            back = tuple(u for s in reversed(let_go) for u in s.undo or ())
            work.rebound.setdefault(making(needed), []).append(
                (dropping(ref), tuple(s.sql for s in let_go), back)
            )


def _settle(work: Work) -> None:
    """Do what is still to be done to objects, before they are altered."""
    for ref, obj in work.situation.owed.items():
        node = making(ref)
        if work.find(dropping(ref)) is None:
            work.add(
                node,
                work.actions.get(node, "alter"),
                [*obj.settle(work.situation), *work.statements.get(node, [])],
                work.units.get(node),
            )


def _partitions(live: State, desired: State) -> dict[Ref, list[Ref]]:
    """The partitions that each table has before and after."""
    found: dict[Ref, list[Ref]] = {}
    for ref, obj in live.objects.items():
        new = desired.get(ref)
        if obj.divided:
            found.setdefault(ref, [])
        if obj.piece and new is not None and new.piece and new.parents == obj.parents:
            found.setdefault(obj.parents[-1], []).append(ref)
    return found


def _create(work: Work, obj: Object, root: Ref | None = None) -> None:
    ref, on = obj.ref, work.situation
    if obj.folds and ref.on is not None and ref.on in work.created:
        work.stands_for[making(ref)] = making(ref.on)
        return
    unseen = ref.on if ref.on in work.created else None
    if root is None or unseen is not None:
        statements = obj.create(on, work.desired.parts(ref), online=unseen is None)
    else:
        over = replace(on, twins=work.rebuild.twins)
        statements = obj.recreate(
            work.live.get(ref) if ref == root else None, over, work.desired.parts(ref)
        )
    unit = root or unseen or obj.together or ref
    work.add(making(ref), "create", statements, unit)
    if late := obj.complete(None, on):
        work.add(finishing(ref), "alter", late, unit)


def _remove(work: Work, ref: Ref) -> None:
    if ref in work.rebuild.aside:
        _stand_aside(work, ref, ref)
    else:
        _drop(work, ref)


def _drop(work: Work, ref: Ref, root: Ref | None = None) -> None:
    live = work.live
    if ref.on is not None and ref.on in work.dropped and ref not in work.alone:
        work.stands_for[dropping(ref)] = dropping(ref.on)
        return
    lost = [live[r] for r in live if r.on == ref and r in work.dropped and r not in work.alone]
    lost += [o for o in live.overriding(ref) if o.ref.on not in work.dropped]
    work.add(
        dropping(ref),
        "drop",
        live[ref].drop(work.situation, lost, online=root is None),
        root or live[ref].together,
    )


def _alter(work: Work, live: Object, desired: Object) -> None:
    ref, on = live.ref, work.situation
    statements = desired.alter(live, on)
    assert statements is not None
    if statements:
        if statements[0].undo is None:
            work.one_way.add(making(ref))
        stay = [o for o in _bearing(work, ref, work.live) if o.ref.on not in work.dropped]
        back = tuple(
            s.sql
            for o in stay
            for s in (*o.hold_on(live, desired, on), *o.restate(live, desired, on))
        )
        again = [s for o in stay for s in o.hold_on(desired, live, on)]
        again += [
            s for o in _bearing(work, ref, work.desired) for s in o.restate(desired, live, on)
        ]
        first = statements[0].model_copy(update={"undo": (*(statements[0].undo or ()), *back)})
        statements = [first, *statements[1:], *(s.model_copy(update={"undo": ()}) for s in again)]
    work.add(making(ref), "alter", statements, desired.together)
    if late := desired.complete(live, on):
        work.add(finishing(ref), "alter", late, desired.together)


def _exchange(work: Work, live: Object, desired: Object) -> None:
    """Exchange it for its twin; what else differs comes after."""
    new, on = cast("Exchanged", desired), work.situation
    work.add(making(live.ref), "alter", list(new.exchange(live, on)), live.ref)
    between = new.exchanged(live)
    if rest := [*(new.alter(between, on) or ()), *new.complete(between, on)]:
        work.add(finishing(live.ref), "alter", rest)


def _bearing(work: Work, ref: Ref, state: State) -> Sequence[Object]:
    """The objects that stand now and on which an alteration of this one bears: its parts, and what overrides it."""
    standing = work.live.objects.keys() - work.live.given

    def has_it(obj: Object) -> bool:
        """Whether an heir has it of the parents that it keeps, and nothing is done to it."""
        before, after = (
            s.get(obj.ref.on) if obj.ref.on else None for s in (work.live, work.desired)
        )
        stays = bool(before and after and before.parents == after.parents)
        return (
            state is work.desired
            and obj.merged
            and not obj.overrides
            and stays
            and obj.ref not in work.live
        )

    return [o for o in (*state.parts(ref), *state.merging(ref)) if o.ref in standing or has_it(o)]


def _rebuild(work: Work, ref: Ref) -> None:
    """Drop it and make it again on account of another change."""
    live, desired, root = work.live, work.desired, work.rebuild.again[ref]
    if (
        ref.on is not None and ref.on in work.created and live[ref].folds
    ):  # it goes and comes with what it is part of
        for node in (dropping, making):
            work.stands_for[node(ref)] = node(ref.on)
    elif ref in work.rebuild.aside:
        _stand_aside(work, ref, root)
        work.add(making(ref), "create", desired[ref].create(work.situation, online=False), root)
        _forgive(work, ref)
    else:
        _drop(work, ref, root)
        if ref in desired:
            _create(work, desired[ref], root)
            _forgive(work, ref)


def _stand_aside(work: Work, ref: Ref, root: Ref) -> None:
    """Rename a data type, and drop it once nothing has it any more."""
    aside = work.rebuild.aside[ref]
    work.add(dropping(ref), "alter", list(cast("Replaced", work.live[ref]).set_aside(aside)), root)
    work.add(finishing(ref), "drop", aside.drop(work.situation, online=False), root)


def _forgive(work: Work, ref: Ref) -> None:
    """What was just as open before is not weakened by this plan."""
    node = making(ref)
    known = {
        d
        for s in work.live[ref].create(work.situation, work.live.parts(ref), online=False)
        for d in s.dangers
        if d.hazard is Hazard.WEAKENS_SECURITY
    }
    if node in work.statements:
        made = work.statements[node]
        work.statements[node] = [
            s.model_copy(update={"dangers": tuple(d for d in s.dangers if d not in known)})
            for s in made
        ]


def _hold(work: Work, ref: Ref) -> None:
    """Let go of what is replaced beneath the object, and take up again; what else differs comes after."""
    live, desired, root, on = (
        work.live[ref],
        work.desired[ref],
        work.rebuild.held[ref],
        work.situation,
    )
    if root == ref and (back := live.steps_back(desired, on)) is not None:
        work.add(dropping(ref), "alter", list(back[1]), root)
        _alter(work, back[0], desired)
        return
    work.add(dropping(ref), "alter", list(live.release(on) or ()), root)
    work.add(making(ref), "alter", list(desired.resume(live, work.rebuild.turns, on)), root)
    resumed = desired.resumed(live, on)
    if rest := [*(desired.alter(resumed, on) or ()), *desired.complete(resumed, on)]:
        work.add(finishing(ref), "alter", rest)


def _unfinish(work: Work) -> None:
    """Loosen what would go with something that is dropped; what stays is finished anew."""
    for ref, obj in work.live.objects.items():
        going = any(work.find(dropping(n)) or _renewed(work, n) for n in obj.finish_needs())
        unit = next(
            (
                t
                for n in obj.finish_needs()
                if (t := work.rebuild.again.get(n, n)) in work.rebuild.twins
            ),
            None,
        )
        if going and (loosened := list(obj.unfinish(work.situation))):
            gone, late = work.find(dropping(ref)), finishing(ref)
            renewed = ref in work.desired and any(
                _renewed(work, n) for n in obj.finish_needs() & work.desired[ref].finish_needs()
            )
            anew = late not in work.statements or (renewed and not gone)
            if gone or anew:
                work.add(loosening(ref), "alter", loosened, unit)
            stays = not gone and ref in work.desired and anew
            if stays and (again := work.desired[ref].complete(None, work.situation)):
                work.add(late, "alter", again, unit)
            continue
        said = tuple(s.sql for s in obj.finish(None, work.situation))
        if (
            (own := dropping(ref)) in work.statements
            and own not in work.stands_for
            and ref not in work.rebuild.kept
        ):
            _undone_with(work, own, said)
        for needed in {
            g for n in obj.finish_needs() if (g := work.find(dropping(n))) not in (None, own)
        }:
            _undone_with(work, needed, said)
        stays = going and ref in work.desired and finishing(ref) not in work.statements
        if stays and (again := work.desired[ref].complete(None, work.situation)):
            work.add(finishing(ref), "alter", again)


def _undone_with(work: Work, node: Node, said: tuple[str, ...]) -> None:
    """What was said is said again once the thing is undone."""
    first, *more = work.statements[node]
    work.statements[node] = [first.model_copy(update={"undo": (*(first.undo or ()), *said)}), *more]


def _renewed(work: Work, ref: Ref) -> bool:
    before, after = work.live.get(ref), work.desired.get(ref)
    if ref in work.rebuild.twins:
        return True
    return before is not None and after is not None and after.renews(before)
