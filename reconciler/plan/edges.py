"""Find which operation must come before which other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence, Set

from reconciler.diff.diff import Change
from reconciler.diff.inherited import precedence
from reconciler.kinds import KINDS
from reconciler.model.datatype import Replaced
from reconciler.model.object import Object
from reconciler.model.partitioned import Divided
from reconciler.model.ref import Ref
from reconciler.model.state import State
from reconciler.plan.operations import Node, Work, dropping, finishing, making


def find_edges(work: Work, given: Sequence[Change]) -> set[tuple[Node, Node]]:
    """Which node comes before which, from what each object needs in either state."""
    edges: set[tuple[Node, Node]] = set()

    def before(one: Node | None, other: Node | None) -> None:
        if one is not None and other is not None and one != other:
            edges.add((one, other))

    for order in (
        _make,
        _drop,
        _unmistakable,
        _let_go_first,
        _overloads,
        _loosen,
        _finish,
        _clear,
        _free_names,
        _ambient_last,
        _watchers_apart,
        _undisturbed,
    ):
        order(work, before)
    for one, other in precedence(given, work.live, work.desired):
        before(work.only(one), work.only(other))
    return edges


Before = Callable[[Node | None, Node | None], None]


def _make(work: Work, before: Before) -> None:
    """What an object needs is made before it; an alteration of what merely holds it is not worth waiting for."""
    for ref in work.desired:
        made = work.find(making(ref))
        before(work.find(dropping(ref)), made)
        for needed in work.desired.needs(ref):
            first = work.find(making(needed))
            if first is not None and (
                work.actions[first] == "create" or needed not in (ref.on, ref.namespace)
            ):
                before(first, made)


def _drop(work: Work, before: Before) -> None:
    """What stands on an object goes, or lets go of it, before it goes or is disturbed."""
    live, rebuild = work.live, work.rebuild
    held_still = {*work.disturbed, *(n.ref for n in work.one_way)}
    for ref in live:
        gone, made = work.find(dropping(ref)), work.find(making(ref))
        for needed in live.needs(ref):
            unneeded = work.find(dropping(needed))
            if not (needed in rebuild.held and needed == ref.on and live[ref].folds):
                before(gone, unneeded)
            if needed in rebuild.held:
                continue
            for_good = needed not in rebuild.again
            if gone is None or (
                ref in rebuild.held and for_good and unneeded and isinstance(live[needed], Replaced)
            ):
                before(made, unneeded)
            elif (
                unneeded is not None
                and ref in rebuild.held
                and not isinstance(live[needed], Replaced)
            ):  # else it would take up the same once more
                before(unneeded, made)
            elif (
                for_good and unneeded is not None and needed.arguments is not None
            ):  # its name may mean another one from now on
                before(unneeded, made)
                for node in [
                    n
                    for n in work.statements
                    if n.ref.arguments is not None and _namesakes(n.ref, needed) and not n.drop
                ]:
                    before(gone, node)
            elif unneeded is None and (
                needed in held_still
                or (needed in work.desired and not live[ref].bears(work.desired[needed]))
            ):
                before(gone, work.find(making(needed)))


def _unmistakable(work: Work, before: Before) -> None:
    """What looks for something on another object finds it once what goes from there is gone: a foreign key its unique key.

    And it goes before what comes there, which it would find when that is undone.
    """
    going, coming = _alike(work.dropped), _alike(work.created - work.dropped)
    for ref in {*work.created, *work.rebuild.held}:
        for needed in work.desired.needs(ref) if ref.on is not None else ():
            for gone in going.get((needed.kind, needed.on), ()) if needed.on != ref.on else ():
                if gone not in work.created or (
                    gone != needed and _same(work.live[gone], work.desired[needed])
                ):
                    before(work.find(dropping(gone)), work.find(making(ref)))
    for ref in work.dropped - work.created:
        for needed in work.live.needs(ref) if ref.on is not None else ():
            for new in coming.get((needed.kind, needed.on), ()) if needed.on != ref.on else ():
                before(work.find(dropping(ref)), work.find(making(new)))


def _same(one: Object, other: Object) -> bool:
    return isinstance(one, Divided) and one.equals(other)


def _alike(refs: Set[Ref]) -> dict[tuple[str, Ref | None], list[Ref]]:
    """Those that live on something as no part of it, by their kind and what they live on."""
    found: dict[tuple[str, Ref | None], list[Ref]] = {}
    for ref in refs:
        if ref.on is not None and not KINDS[ref.kind].folds:
            found.setdefault((ref.kind, ref.on), []).append(ref)
    return found


def _overloads(work: Work, before: Before) -> None:
    """What goes is gone before another overload makes its call ambiguous, or an alteration its arguments spelled otherwise."""
    for ref in work.live:
        if (gone := work.find(dropping(ref))) is None:
            continue
        for needed in work.live.needs(ref):
            if (
                ref.arguments is not None
                and ref not in work.desired
                and work.find(dropping(needed)) is None
            ):
                before(gone, work.find(making(needed)))
            for node in work.statements if needed.arguments is not None else ():
                if node.ref not in work.live and _namesakes(node.ref, needed):
                    before(gone, node)


def ambiguous_calls(work: Work) -> Iterable[tuple[Node | None, Node | None]]:
    """An overload that goes had better be gone before a call is read that is meant for a new one."""
    going: dict[tuple[str, str, str], list[Ref]] = {}
    for ref in sorted(work.dropped - work.created, key=lambda r: r.order):
        if ref.arguments is not None:
            going.setdefault((ref.kind, ref.schema, ref.name), []).append(ref)
    for ref in work.desired if going else ():
        for needed in work.desired.needs(ref):
            if (
                needed.arguments is not None
                and needed not in work.live
                and (made := work.find(making(ref)))
            ):
                yield from (
                    (work.find(dropping(gone)), made)
                    for gone in going.get((needed.kind, needed.schema, needed.name), ())
                )


def whole_row_callers(work: Work) -> Iterable[tuple[Node | None, Node | None]]:
    """Who calls a routine speaks of all columns of the rows that it returns, as they are then."""
    changed = [
        n
        for n in work.statements
        if not n.late and n.ref.on is not None and KINDS[n.ref.kind].folds
    ]
    parts: dict[Ref, list[Node]] = {}
    for node in changed:
        if work.actions[node] != "alter":
            parts.setdefault(node.ref.on or node.ref, []).append(node)
    for state in (work.live, work.desired) if parts else ():
        for ref, routine in (
            (r, n) for r in state for n in state.needs(r) if n.arguments is not None
        ):
            for node in (n for table in state.needs(routine) & parts.keys() for n in parts[table]):
                yield (
                    (work.find(dropping(ref)), node)
                    if state is work.live
                    else (node, work.find(making(ref)))
                )


def hidden_dependents(work: Work) -> Iterable[tuple[Node | None, Node | None]]:
    """Who uses what PostgreSQL does not note, but only the routine behind it, comes after it and goes before it."""
    for state, drop in ((work.live, True), (work.desired, False)):
        unnoted = [
            (r, n)
            for r in state
            if KINDS[r.kind].unnoted
            for n in state.needs(r)
            if n.arguments is not None
        ]
        standing = state.dependents() if unnoted else {}
        for ref, routine in unnoted:
            for other in standing.get(routine, set[Ref]()) - {ref}:
                pair = (dropping(other), dropping(ref)) if drop else (making(ref), making(other))
                yield work.find(pair[0]), work.find(pair[1])


def _namesakes(one: Ref, other: Ref) -> bool:
    return (one.kind, one.schema, one.name) == (other.kind, other.schema, other.name)


def _let_go_first(work: Work, before: Before) -> None:
    """The parts of what is held are altered while it is."""
    for ref in work.rebuild.held:
        if work.live[ref].release(work.situation) is not None:
            for part in {p.ref for s in (work.live, work.desired) for p in s.parts(ref)}:
                for node in map(work.find, (dropping(part), making(part))):
                    before(work.find(dropping(ref)), node)
                    before(node, work.find(making(ref)))


def _loosen(work: Work, before: Before) -> None:
    """What was said of an object last is taken back first."""
    for node in [n for n in work.statements if n.late and n.drop]:
        parts = (p.ref for p in work.live.parts(node.ref))
        for ref in (node.ref, *work.live[node.ref].finish_needs(), *parts):
            before(node, work.find(dropping(ref)) or work.find(making(ref)))
        before(node, work.find(making(node.ref)))


def _finish(work: Work, before: Before) -> None:
    """What is said last waits for all of which it speaks; and nothing of that goes before it is said anew."""
    for node in [n for n in work.statements if n.late and not n.drop]:
        before(work.find(making(node.ref)), node)
        for needed in work.desired[node.ref].finish_needs() if node.ref in work.desired else ():
            before(work.find(dropping(needed)), node)
            before(work.find(making(needed)), node)
        passes = node.ref in work.live and not KINDS[node.ref.kind].spreads  # a piece may go before
        for needed in work.live[node.ref].finish_needs() if passes else ():
            before(node, work.only(needed) if work.find(dropping(needed)) else None)


def _clear(work: Work, before: Before) -> None:
    """Types are set aside before anything leaves them, and go when nothing has them any more."""
    for ref in {*work.rebuild.aside, *work.rebuild.held}:
        for needed in work.live.needs(ref) & work.rebuild.aside.keys():
            if ref in work.rebuild.held:
                before(
                    dropping(needed), making(ref)
                )  # even if it takes up another type: its undo finds this one aside
            before(
                work.find(making(ref)) if ref in work.rebuild.held else finishing(ref),
                finishing(needed),
            )


def _ambient_last(work: Work, before: Before) -> None:
    """What bears on how others are made is as it was while they are made, by the plan or by its undo."""
    for node in [n for n in work.statements if KINDS[n.ref.kind].ambient]:
        for other in work.statements:
            beyond = KINDS[other.ref.kind].ambient or (
                KINDS[other.ref.kind].watches and not other.drop
            )
            if not (beyond or (other.drop and other.ref in work.live.needs(node.ref))):
                before(other, node)


def _free_names(work: Work, before: Before) -> None:
    """A name must be free before another takes it; what is left over goes before work on its table."""
    rooms = {r: [_rooms(work, r, s) for s in (work.live, work.desired)] for r in _placed(work)}
    takers: dict[tuple[str, ...], list[Node | None]] = {}
    for ref, (had, wanted) in rooms.items():
        for room in wanted if work.find(dropping(ref)) else wanted - had:
            takers.setdefault(room, []).append(work.find(making(ref)))
    for ref, (had, wanted) in rooms.items():
        for room in had if (gone := work.find(dropping(ref))) else had - wanted:
            for node in takers.get(room, ()):
                before(gone or work.find(making(ref)), node)
    for node in work.statements:
        if node.drop and not node.late and node.ref not in work.live:
            for taker in (t for room in _names(node.ref) for t in takers.get(room, ())):
                before(node, taker)
    _leftovers_first(work, before)


def _placed(work: Work) -> set[Ref]:
    """What comes, goes or is altered."""
    return {
        *work.created,
        *work.dropped,
        *work.rebuild.held,
        *(n.ref for n in work.statements if not n.late),
    }


def _rooms(work: Work, ref: Ref, state: State) -> frozenset[tuple[str, ...]]:
    """What it has to itself; none of a name that it takes or leaves while it is altered: of those it is held."""
    both = ref in work.live and ref in work.desired and not work.find(dropping(ref))
    if ref not in state or (both and work.live[ref].takes != work.desired[ref].takes):
        return frozenset()
    return state[ref].occupies()


def _leftovers_first(work: Work, before: Before) -> None:
    """What nobody brings back goes before work on its table."""
    for node in work.statements:
        if (
            node.drop
            and node.ref.on is not None
            and all(u.undo == () for u in work.statements[node])
        ):
            for other in work.statements:
                if not other.drop and other.ref.on == node.ref.on:
                    before(node, other)


def _names(ref: Ref) -> list[tuple[str, ...]]:
    """The name that a leftover has, in each namespace which its kind shares with others."""
    return [
        (space, ref.schema, ref.name, ref.arguments or "") for space in KINDS[ref.kind].spaces()
    ]


def _watchers_apart(work: Work, before: Before) -> None:
    """What acts on changes to others goes before them, and comes after them."""
    for node in work.statements:
        if (
            KINDS[node.ref.kind].watches
            and work.only(node.ref) == node
            and work.actions[node] != "alter"
        ):
            for other in work.statements:
                if not KINDS[other.ref.kind].watches:
                    before(*((node, other) if node.drop else (other, node)))


def _undisturbed(work: Work, before: Before) -> None:
    """What only a replacement takes back is altered when nothing stands on what that takes apart but what stays.

    A trigger on a column with the type comes after a new value of an enum, and goes before it.
    """
    standing = work.live.dependents() if work.one_way else {}
    for node in work.one_way:
        found, todo = set[Ref](), [node.ref]
        while todo:
            ref = todo.pop()
            if ref not in found and ref in work.desired:
                found.add(ref)
                todo += standing.get(ref, ())
        for new in work.created - work.live.objects.keys():
            if work.desired.needs(new) & found:
                before(node, work.find(making(new)))
        for old in work.dropped - work.desired.objects.keys():
            if work.live.needs(old) & found:
                before(work.find(dropping(old)), node)
