"""Digest the objects that a plan depends on, and find those that changed since."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256

from reconciler.diff.diff import Change
from reconciler.diff.renames import Renaming, carried
from reconciler.kinds import KINDS
from reconciler.model.facts import Leftover
from reconciler.model.inheritance import inherited_by, parents_of
from reconciler.model.object import Object
from reconciler.model.partitioned import PartitionedObject
from reconciler.model.ref import Ref
from reconciler.model.state import State
from reconciler.plan.operations import Operations

# What the keys of a fingerprint begin with that tell of newcomers.
STANDING, INHERITING, UNFINISHED = (
    "what stands on ",
    "what inherits from ",
    "what is half-finished on ",
)


Leftovers = Mapping[Ref, Leftover]


def fingerprint_of(
    operations: Operations,
    changes: Sequence[Change],
    target: State,
    renamings: Sequence[Renaming],
    leftovers: Leftovers,
) -> dict[str, str]:
    """The fingerprint of all that the plan touches, under the names that the target knows."""
    known = {after: before for before, after in carried(target, renamings).items()}
    refs = touched(operations, changes)
    fragile = {
        r for d in (*operations.dropped, *operations.disturbed) if (r := known.get(d, d)) in target
    }
    owners = {
        r
        for c in changes
        if c.ref.on is not None and (r := known.get(c.ref.on, c.ref.on)) in target
    }
    built = {
        known.get(c.ref.on, c.ref.on)
        for c in changes
        if c.ref.on is not None and issubclass(KINDS[c.ref.kind], PartitionedObject)
    } & target.objects.keys()
    found = fingerprint({*refs, *(known[r] for r in refs if r in known)}, target, fragile, owners)
    return found | _unfinished(built, leftovers)


def touched(operations: Operations, changes: Sequence[Change]) -> set[Ref]:
    """What a plan touches, has standing on it, and, however far down, what all that stands on."""
    live, desired = operations.live, operations.desired
    own = (
        {c.ref for c in changes}
        | {n.ref for n in operations.statements}
        | {*operations.recreation.recreated, *operations.recreation.suspended}
    )
    standing = live.dependents()
    todo = [*own, *(n for r in own for n in standing.get(r, ()))]
    found = {
        n for r in own for n in (*live.needs(r), *desired.needs(r)) if n == r.schema_ref
    }  # another schema's rights are no matter
    while todo:
        ref = todo.pop()
        if ref not in found:
            found.add(ref)
            todo += [
                n
                for s in (live, desired)
                for n in (*s.needs(ref), *_given(s, ref))
                if n != ref.schema_ref
            ]
    return found


def _given(state: State, ref: Ref) -> Iterable[Ref]:
    """What the parents of an object give it: its own list does not tell."""
    child = state.get(ref)
    return (
        [o.ref for p in parents_of(child) for o in state.living_on(p) if inherited_by(o, child)]
        if child is not None
        else []
    )


def fingerprint(
    refs: Iterable[Ref], state: State, fragile: Iterable[Ref] = (), owners: Iterable[Ref] = ()
) -> dict[str, str]:
    """A digest of each object as it is, "" for what is not there; of what stands on each `fragile` one, and of the heirs of `owners`.

    What is there counts where two are called the same: an index of a table, and of the view that takes the table's place.
    """
    standing = state.dependents()
    names = {
        str(r): sorted(map(str, standing.get(r, ())))
        for r in sorted(fragile, key=lambda r: r.order)
    }
    objects = {
        str(r): _print(state.get(r))
        for r in sorted(refs, key=lambda r: (r in state, r.kind, r.order))
    }
    told = {STANDING + r: n for r, n in names.items()} | {
        INHERITING + str(r): n for r, n in _descendants(owners, state).items()
    }
    return objects | {key: _digest("\n".join(n)) for key, n in told.items()}


def _unfinished(built: Iterable[Ref], leftovers: Leftovers) -> dict[str, str]:
    """What half-finished work there is on each of these: what is built there may have its name, or go on from it."""
    found: dict[Ref, list[str]] = {ref: [] for ref in sorted(built, key=lambda r: r.order)}
    for ref, leftover in leftovers.items():
        if ref.on in found:
            found[ref.on].append(f"{ref}{' to go on from' if leftover.resumable else ''}")
    return {f"{UNFINISHED}{ref}": _digest("\n".join(sorted(names))) for ref, names in found.items()}


def _descendants(owners: Iterable[Ref], state: State) -> dict[Ref, list[str]]:
    """Who inherits from each of these, in whatever generation."""
    children: dict[Ref, list[Ref]] = {}
    for ref, obj in state.objects.items():
        for parent in parents_of(obj):
            children.setdefault(parent, []).append(ref)

    def below(ref: Ref) -> Iterable[Ref]:
        return (h for child in children.get(ref, ()) for h in (child, *below(child)))

    return {r: sorted(map(str, below(r))) for r in sorted(owners, key=lambda r: r.order)}


def moved(was: Mapping[str, str], state: State, leftovers: Leftovers) -> list[str]:
    """What of a fingerprint is no longer so."""
    refs = {str(r): r for r in state}
    fragile, owners, built = (
        [refs[r] for r in refs if key + r in was] for key in (STANDING, INHERITING, UNFINISHED)
    )
    now = fingerprint((refs[r] for r in was if r in refs), state, fragile, owners) | _unfinished(
        built, leftovers
    )
    return [r for r, digest in was.items() if now.get(r, "") != digest]


def _print(obj: Object | None) -> str:
    return _digest(obj.model_dump_json()) if obj else ""


def _digest(words: str) -> str:
    return sha256(words.encode()).hexdigest()[:16]
