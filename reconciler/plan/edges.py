"""Find which operation must come before which other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence, Set

from reconciler.diff.diff import Change
from reconciler.diff.inherited import precedence
from reconciler.kinds import KINDS
from reconciler.model.datatype import Replaceable
from reconciler.model.deferred import deferred_needs
from reconciler.model.markers import AppliesLast, FiresOnDdl, HiddenDependency
from reconciler.model.object import InlinePart, Object
from reconciler.model.partitioned import PartitionedObject
from reconciler.model.ref import Ref
from reconciler.model.state import State
from reconciler.model.suspension import suspend
from reconciler.model.type_change import accepts
from reconciler.plan.operations import Operation, Operations, dropping, finishing, making


def find_edges(operations: Operations, given: Sequence[Change]) -> set[tuple[Operation, Operation]]:
    """Which node comes before which, from what each object needs in either state."""
    edges: set[tuple[Operation, Operation]] = set()

    def before(one: Operation | None, other: Operation | None) -> None:
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
        order(operations, before)
    for one, other in precedence(given, operations.live, operations.desired):
        before(operations.only(one), operations.only(other))
    return edges


Before = Callable[[Operation | None, Operation | None], None]


def _make(operations: Operations, before: Before) -> None:
    """What an object needs is made before it; an alteration of what merely holds it is not worth waiting for."""
    for ref in operations.desired:
        made = operations.find(making(ref))
        before(operations.find(dropping(ref)), made)
        for needed in operations.desired.needs(ref):
            first = operations.find(making(needed))
            if first is not None and (
                operations.actions[first] == "create" or needed not in (ref.on, ref.schema_ref)
            ):
                before(first, made)


def _drop(operations: Operations, before: Before) -> None:
    """What stands on an object goes, or lets go of it, before it goes or is disturbed."""
    live, recreation = operations.live, operations.recreation
    held_still = {*operations.disturbed, *(n.ref for n in operations.one_way)}
    for ref in live:
        gone, made = operations.find(dropping(ref)), operations.find(making(ref))
        for needed in live.needs(ref):
            unneeded = operations.find(dropping(needed))
            if not (
                needed in recreation.suspended
                and needed == ref.on
                and isinstance(live[ref], InlinePart)
            ):
                before(gone, unneeded)
            if needed in recreation.suspended:
                continue
            for_good = needed not in recreation.recreated
            if gone is None or (
                ref in recreation.suspended
                and for_good
                and unneeded
                and isinstance(live[needed], Replaceable)
            ):
                before(made, unneeded)
            elif (
                unneeded is not None
                and ref in recreation.suspended
                and not isinstance(live[needed], Replaceable)
            ):  # else it would take up the same once more
                before(unneeded, made)
            elif (
                for_good and unneeded is not None and needed.arguments is not None
            ):  # its name may mean another one from now on
                before(unneeded, made)
                for node in [
                    n
                    for n in operations.statements
                    if n.ref.arguments is not None and _namesakes(n.ref, needed) and not n.drop
                ]:
                    before(gone, node)
            elif unneeded is None and (
                needed in held_still
                or (
                    needed in operations.desired
                    and not accepts(live[ref], operations.desired[needed])
                )
            ):
                before(gone, operations.find(making(needed)))


def _unmistakable(operations: Operations, before: Before) -> None:
    """What looks for something on another object finds it once what goes from there is gone: a foreign key its unique key.

    And it goes before what comes there, which it would find when that is undone.
    """
    going, coming = _alike(operations.dropped), _alike(operations.created - operations.dropped)
    for ref in {*operations.created, *operations.recreation.suspended}:
        for needed in operations.desired.needs(ref) if ref.on is not None else ():
            for gone in going.get((needed.kind, needed.on), ()) if needed.on != ref.on else ():
                if gone not in operations.created or (
                    gone != needed and _same(operations.live[gone], operations.desired[needed])
                ):
                    before(operations.find(dropping(gone)), operations.find(making(ref)))
    for ref in operations.dropped - operations.created:
        for needed in operations.live.needs(ref) if ref.on is not None else ():
            for new in coming.get((needed.kind, needed.on), ()) if needed.on != ref.on else ():
                before(operations.find(dropping(ref)), operations.find(making(new)))


def _same(one: Object, other: Object) -> bool:
    return isinstance(one, PartitionedObject) and one.equals(other)


def _alike(refs: Set[Ref]) -> dict[tuple[str, Ref | None], list[Ref]]:
    """Those that live on something as no part of it, by their kind and what they live on."""
    found: dict[tuple[str, Ref | None], list[Ref]] = {}
    for ref in refs:
        if ref.on is not None and not issubclass(KINDS[ref.kind], InlinePart):
            found.setdefault((ref.kind, ref.on), []).append(ref)
    return found


def _overloads(operations: Operations, before: Before) -> None:
    """What goes is gone before another overload makes its call ambiguous, or an alteration its arguments spelled otherwise."""
    for ref in operations.live:
        if (gone := operations.find(dropping(ref))) is None:
            continue
        for needed in operations.live.needs(ref):
            if (
                ref.arguments is not None
                and ref not in operations.desired
                and operations.find(dropping(needed)) is None
            ):
                before(gone, operations.find(making(needed)))
            for node in operations.statements if needed.arguments is not None else ():
                if node.ref not in operations.live and _namesakes(node.ref, needed):
                    before(gone, node)


def ambiguous_calls(operations: Operations) -> Iterable[tuple[Operation | None, Operation | None]]:
    """An overload that goes had better be gone before a call is read that is meant for a new one."""
    going: dict[tuple[str, str, str], list[Ref]] = {}
    for ref in sorted(operations.dropped - operations.created, key=lambda r: r.order):
        if ref.arguments is not None:
            going.setdefault((ref.kind, ref.schema, ref.name), []).append(ref)
    for ref in operations.desired if going else ():
        for needed in operations.desired.needs(ref):
            if (
                needed.arguments is not None
                and needed not in operations.live
                and (made := operations.find(making(ref)))
            ):
                yield from (
                    (operations.find(dropping(gone)), made)
                    for gone in going.get((needed.kind, needed.schema, needed.name), ())
                )


def whole_row_callers(
    operations: Operations,
) -> Iterable[tuple[Operation | None, Operation | None]]:
    """Who calls a routine speaks of all columns of the rows that it returns, as they are then."""
    changed = [
        n
        for n in operations.statements
        if not n.late and n.ref.on is not None and issubclass(KINDS[n.ref.kind], InlinePart)
    ]
    parts: dict[Ref, list[Operation]] = {}
    for node in changed:
        if operations.actions[node] != "alter":
            parts.setdefault(node.ref.on or node.ref, []).append(node)
    for state in (operations.live, operations.desired) if parts else ():
        for ref, routine in (
            (r, n) for r in state for n in state.needs(r) if n.arguments is not None
        ):
            for node in (n for table in state.needs(routine) & parts.keys() for n in parts[table]):
                yield (
                    (operations.find(dropping(ref)), node)
                    if state is operations.live
                    else (node, operations.find(making(ref)))
                )


def hidden_dependents(
    operations: Operations,
) -> Iterable[tuple[Operation | None, Operation | None]]:
    """Who uses what PostgreSQL does not note, but only the routine behind it, comes after it and goes before it."""
    for state, drop in ((operations.live, True), (operations.desired, False)):
        unnoted = [
            (r, n)
            for r in state
            if issubclass(KINDS[r.kind], HiddenDependency)
            for n in state.needs(r)
            if n.arguments is not None
        ]
        standing = state.dependents() if unnoted else {}
        for ref, routine in unnoted:
            for other in standing.get(routine, set[Ref]()) - {ref}:
                pair = (dropping(other), dropping(ref)) if drop else (making(ref), making(other))
                yield operations.find(pair[0]), operations.find(pair[1])


def _namesakes(one: Ref, other: Ref) -> bool:
    return (one.kind, one.schema, one.name) == (other.kind, other.schema, other.name)


def _let_go_first(operations: Operations, before: Before) -> None:
    """The parts of what is held are altered while it is."""
    for ref in operations.recreation.suspended:
        if suspend(operations.live[ref], operations.context) is not None:
            for part in {
                p.ref for s in (operations.live, operations.desired) for p in s.parts(ref)
            }:
                for node in map(operations.find, (dropping(part), making(part))):
                    before(operations.find(dropping(ref)), node)
                    before(node, operations.find(making(ref)))


def _loosen(operations: Operations, before: Before) -> None:
    """What was said of an object last is taken back first."""
    for node in [n for n in operations.statements if n.late and n.drop]:
        parts = (p.ref for p in operations.live.parts(node.ref))
        for ref in (node.ref, *deferred_needs(operations.live[node.ref]), *parts):
            before(node, operations.find(dropping(ref)) or operations.find(making(ref)))
        before(node, operations.find(making(node.ref)))


def _finish(operations: Operations, before: Before) -> None:
    """What is said last waits for all of which it speaks; and nothing of that goes before it is said anew."""
    for node in [n for n in operations.statements if n.late and not n.drop]:
        before(operations.find(making(node.ref)), node)
        for needed in (
            deferred_needs(operations.desired[node.ref]) if node.ref in operations.desired else ()
        ):
            before(operations.find(dropping(needed)), node)
            before(operations.find(making(needed)), node)
        passes = node.ref in operations.live and not issubclass(
            KINDS[node.ref.kind], PartitionedObject
        )  # a piece may go before
        for needed in deferred_needs(operations.live[node.ref]) if passes else ():
            before(node, operations.only(needed) if operations.find(dropping(needed)) else None)


def _clear(operations: Operations, before: Before) -> None:
    """Types are set aside before anything leaves them, and go when nothing has them any more."""
    for ref in {*operations.recreation.aside, *operations.recreation.suspended}:
        for needed in operations.live.needs(ref) & operations.recreation.aside.keys():
            if ref in operations.recreation.suspended:
                before(
                    dropping(needed), making(ref)
                )  # even if it takes up another type: its undo finds this one aside
            before(
                operations.find(making(ref))
                if ref in operations.recreation.suspended
                else finishing(ref),
                finishing(needed),
            )


def _ambient_last(operations: Operations, before: Before) -> None:
    """What bears on how others are made is as it was while they are made, by the plan or by its undo."""
    for node in [n for n in operations.statements if issubclass(KINDS[n.ref.kind], AppliesLast)]:
        for other in operations.statements:
            beyond = issubclass(KINDS[other.ref.kind], AppliesLast) or (
                issubclass(KINDS[other.ref.kind], FiresOnDdl) and not other.drop
            )
            if not (beyond or (other.drop and other.ref in operations.live.needs(node.ref))):
                before(other, node)


def _free_names(operations: Operations, before: Before) -> None:
    """A name must be free before another takes it; what is left over goes before work on its table."""
    rooms = {
        r: [_rooms(operations, r, s) for s in (operations.live, operations.desired)]
        for r in _placed(operations)
    }
    takers: dict[tuple[str, ...], list[Operation | None]] = {}
    for ref, (had, wanted) in rooms.items():
        for room in wanted if operations.find(dropping(ref)) else wanted - had:
            takers.setdefault(room, []).append(operations.find(making(ref)))
    for ref, (had, wanted) in rooms.items():
        for room in had if (gone := operations.find(dropping(ref))) else had - wanted:
            for node in takers.get(room, ()):
                before(gone or operations.find(making(ref)), node)
    for node in operations.statements:
        if node.drop and not node.late and node.ref not in operations.live:
            for taker in (t for room in _names(node.ref) for t in takers.get(room, ())):
                before(node, taker)
    _leftovers_first(operations, before)


def _placed(operations: Operations) -> set[Ref]:
    """What comes, goes or is altered."""
    return {
        *operations.created,
        *operations.dropped,
        *operations.recreation.suspended,
        *(n.ref for n in operations.statements if not n.late),
    }


def _rooms(operations: Operations, ref: Ref, state: State) -> frozenset[tuple[str, ...]]:
    """What it has to itself; none of a name that it takes or leaves while it is altered: of those it is held."""
    both = (
        ref in operations.live and ref in operations.desired and not operations.find(dropping(ref))
    )
    if ref not in state or (
        both and operations.live[ref].relation_name != operations.desired[ref].relation_name
    ):
        return frozenset()
    return state[ref].name_keys()


def _leftovers_first(operations: Operations, before: Before) -> None:
    """What nobody brings back goes before work on its table."""
    for node in operations.statements:
        if (
            node.drop
            and node.ref.on is not None
            and all(u.undo == () for u in operations.statements[node])
        ):
            for other in operations.statements:
                if not other.drop and other.ref.on == node.ref.on:
                    before(node, other)


def _names(ref: Ref) -> list[tuple[str, ...]]:
    """The name that a leftover has, in each namespace which its kind shares with others."""
    return [
        (space, ref.schema, ref.name, ref.arguments or "") for space in KINDS[ref.kind].namespaces()
    ]


def _watchers_apart(operations: Operations, before: Before) -> None:
    """What acts on changes to others goes before them, and comes after them."""
    for node in operations.statements:
        if (
            issubclass(KINDS[node.ref.kind], FiresOnDdl)
            and operations.only(node.ref) == node
            and operations.actions[node] != "alter"
        ):
            for other in operations.statements:
                if not issubclass(KINDS[other.ref.kind], FiresOnDdl):
                    before(*((node, other) if node.drop else (other, node)))


def _undisturbed(operations: Operations, before: Before) -> None:
    """What only a replacement takes back is altered when nothing stands on what that takes apart but what stays.

    A trigger on a column with the type comes after a new value of an enum, and goes before it.
    """
    standing = operations.live.dependents() if operations.one_way else {}
    for node in operations.one_way:
        found, todo = set[Ref](), [node.ref]
        while todo:
            ref = todo.pop()
            if ref not in found and ref in operations.desired:
                found.add(ref)
                todo += standing.get(ref, ())
        for new in operations.created - operations.live.objects.keys():
            if operations.desired.needs(new) & found:
                before(node, operations.find(making(new)))
        for old in operations.dropped - operations.desired.objects.keys():
            if operations.live.needs(old) & found:
                before(operations.find(dropping(old)), node)
