"""The plan: (changes, live, desired, situation) → Plan, a frozen value.

What is shown is what is run: reports render it, the executor walks it, a saved one is read back to the letter.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from reconciler.connection import redacted
from reconciler.contract import Object, Situation
from reconciler.diff import Action, Change, Difference
from reconciler.heirs import lent, with_given
from reconciler.kinds import KINDS
from reconciler.notes import half_made
from reconciler.order import Step, in_order
from reconciler.ref import Ref
from reconciler.renames import Renaming, carried
from reconciler.situation import Leftover
from reconciler.state import State
from reconciler.statement import Hazard
from reconciler.work import Work, gather, making

# What the keys of a fingerprint begin with that tell of newcomers.
STANDING, INHERITING, UNFINISHED = "what stands on ", "what inherits from ", "what is half-finished on "

Leftovers = Mapping[Ref, Leftover]


class Planned(BaseModel):
    """One change of a plan: what differs, and the object before and after as plain data."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    action: Action
    kind: str
    identity: str
    differences: tuple[Difference, ...] = ()
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None


class Renamed(BaseModel):
    """An object that gets another name, or a part of it: then `part` is its old name and its new one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    was: Ref
    becomes: Ref
    part: tuple[str, str] | None = None


class Plan(BaseModel):
    """What will be done to `target`, and all that is needed to do it safely.

    `fingerprint` maps every object that the plan touches or stands on to a digest of what it was, `what stands on` one that
    is dropped or disturbed, `what inherits from` one of which a part changes, and `what is half-finished on` one on which
    something is built without blocking, to a digest of their names; `digest` covers the document itself. `touches` are all
    objects that are others afterwards, be it only that they live on one of another name: what the journal must keep to go
    back. `rollback_of` is the run that the plan takes back.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = 1
    target: str = Field(description="the database, without a password")
    database: str = Field(default="", description="what tells it from every other: system identifier and name")
    in_sync: bool
    unchanged: int = Field(default=0, description="declared objects that are as they should be")
    scratch: str = Field(default="", description="the server on which the plan was proven")
    spelled_by: int = Field(default=0, description="the major version of the server that spelled the SQL in `changes`")
    changes: tuple[Planned, ...] = ()
    steps: tuple[Step, ...] = ()
    notes: tuple[str, ...] = ()
    fingerprint: dict[str, str] = Field(default_factory=dict)
    touches: tuple[Ref, ...] = ()
    renames: tuple[Renamed, ...] = ()
    rollback_of: int | None = None
    digest: str = ""

    def sealed(self) -> Plan:
        """The plan with its digest."""
        return self.model_copy(update={"digest": self._digest()})

    def intact(self) -> bool:
        """Whether nobody has edited the document since it was sealed."""
        return self.digest == self._digest()

    def _digest(self) -> str:
        return sha256(self.model_copy(update={"digest": ""}).model_dump_json().encode()).hexdigest()

    def hazards(self) -> dict[Hazard, list[str]]:
        """Every hazard with its reasons."""
        found: dict[Hazard, list[str]] = {}
        for step in self.steps:
            for danger in step.hazards:
                found.setdefault(danger.hazard, []).append(danger.reason)
        return found

    def transactions(self) -> list[list[Step]]:
        """The steps, those that commit together in one list."""
        groups: list[list[Step]] = []
        for step in self.steps:
            if groups and step.transaction and groups[-1][0].transaction == step.transaction:
                groups[-1].append(step)
            else:
                groups.append([step])
        return groups


def make_plan(
    changes: Sequence[Change],
    live: State,
    desired: State,
    situation: Situation,
    *,
    target: str = "",
    database: str = "",
    scratch: str = "",
    spelled_by: int = 0,
    unchanged: int = 0,
    notes: Sequence[str] = (),
    target_state: State | None = None,
    before: State | None = None,
    renamings: Sequence[Renaming] = (),
    rollback_of: int | None = None,
) -> Plan:
    """Order the changes into steps; a pure function. Raises PlanError where no order works.

    `live` is what the renamings, which come first, leave of `before`. `target_state` is what the fingerprint is taken of:
    the start as the target spells it.
    """
    work = gather(changes, with_given(live, [c.live for c in changes]), desired, lent(changes, live, desired, situation))
    steps = in_order(work, changes, renamings)
    planned = [
        Planned(
            action=c.action,
            kind=c.ref.kind,
            identity=c.ref.identity,
            differences=c.differences,
            before=c.live.fields() if c.live else None,
            after=(desired.get(c.ref) or c.desired).fields() if c.desired else None,
        )
        for c in changes
        if c.ref not in work.adopted
        if c.action != "alter" or c.differences or work.statements.get(making(c.ref))  # else it only follows another change
    ]
    renamed = [Planned(action="alter", kind=r.becomes.kind, identity=r.becomes.identity, differences=(r.told,)) for r in renamings]
    told = {c.ref for c in changes}
    owed = [Planned(action="alter", kind=r.kind, identity=r.identity) for r in situation.owed if r not in told]
    leftovers = [Planned(action="drop", kind=n.ref.kind, identity=n.ref.identity) for n in work.actions if n.drop and n.ref not in live]
    return Plan(
        target=redacted(target),
        database=database,
        in_sync=not steps,
        unchanged=unchanged,
        scratch=scratch,
        spelled_by=spelled_by,
        changes=(*renamed, *planned, *owed, *leftovers),
        steps=tuple(steps),
        notes=(*notes, *half_made(situation.leftovers.keys() - work.adopted - {n.ref for n in work.actions})),
        fingerprint=_fingerprint_of(work, changes, target_state, renamings, situation.leftovers) if target_state is not None else {},
        touches=_touches(changes, before or live, desired),
        renames=tuple(Renamed(was=r.was, becomes=r.becomes, part=(r.told.live, r.told.wanted) if r.part else None) for r in renamings),
        rollback_of=rollback_of,
    ).sealed()


def _touches(changes: Sequence[Change], before: State, desired: State) -> tuple[Ref, ...]:
    """All objects that are others before and after, or become an heir's own although its parent gives them."""
    found = {c.ref for c in changes} | {r for r in {*before, *desired} if before.get(r) != desired.get(r)}
    return tuple(sorted(found, key=lambda r: (r.order, r.kind)))


def _fingerprint_of(
    work: Work, changes: Sequence[Change], target: State, renamings: Sequence[Renaming], leftovers: Leftovers
) -> dict[str, str]:
    """The fingerprint of all that the plan touches, under the names that the target knows."""
    known = {after: before for before, after in carried(target, renamings).items()}
    refs = touched(work, changes)
    fragile = {r for d in (*work.dropped, *work.disturbed) if (r := known.get(d, d)) in target}
    owners = {r for c in changes if c.ref.on is not None and (r := known.get(c.ref.on, c.ref.on)) in target}
    built = {known.get(c.ref.on, c.ref.on) for c in changes if c.ref.on is not None and KINDS[c.ref.kind].spreads} & target.objects.keys()
    found = fingerprint({*refs, *(known[r] for r in refs if r in known)}, target, fragile, owners)
    return found | _unfinished(built, leftovers)


def touched(work: Work, changes: Sequence[Change]) -> set[Ref]:
    """What a plan touches, has standing on it, and, however far down, what all that stands on."""
    live, desired = work.live, work.desired
    own = {c.ref for c in changes} | {n.ref for n in work.statements} | {*work.rebuild.again, *work.rebuild.held}
    standing = live.dependents()
    todo = [*own, *(n for r in own for n in standing.get(r, ()))]
    found = {n for r in own for n in (*live.needs(r), *desired.needs(r)) if n == r.namespace}  # another schema's rights are no matter
    while todo:
        ref = todo.pop()
        if ref not in found:
            found.add(ref)
            todo += [n for s in (live, desired) for n in (*s.needs(ref), *_given(s, ref)) if n != ref.namespace]
    return found


def _given(state: State, ref: Ref) -> Iterable[Ref]:
    """What the parents of an object give it: its own list does not tell."""
    heir = state.get(ref)
    return [o.ref for p in heir.parents for o in state.living_on(p) if o.heritable(heir)] if heir is not None else []


def fingerprint(refs: Iterable[Ref], state: State, fragile: Iterable[Ref] = (), owners: Iterable[Ref] = ()) -> dict[str, str]:
    """A digest of each object as it is, "" for what is not there; of what stands on each `fragile` one, and of the heirs of `owners`.

    What is there counts where two are called the same: an index of a table, and of the view that takes the table's place.
    """
    standing = state.dependents()
    names = {str(r): sorted(map(str, standing.get(r, ()))) for r in sorted(fragile, key=lambda r: r.order)}
    objects = {str(r): _print(state.get(r)) for r in sorted(refs, key=lambda r: (r in state, r.kind, r.order))}
    told = {STANDING + r: n for r, n in names.items()} | {INHERITING + str(r): n for r, n in _heirs(owners, state).items()}
    return objects | {key: _digest("\n".join(n)) for key, n in told.items()}


def _unfinished(built: Iterable[Ref], leftovers: Leftovers) -> dict[str, str]:
    """What half-finished work there is on each of these: what is built there may have its name, or go on from it."""
    found: dict[Ref, list[str]] = {ref: [] for ref in sorted(built, key=lambda r: r.order)}
    for ref, leftover in leftovers.items():
        if ref.on in found:
            found[ref.on].append(f"{ref}{' to go on from' if leftover.sound else ''}")
    return {f"{UNFINISHED}{ref}": _digest("\n".join(sorted(names))) for ref, names in found.items()}


def _heirs(owners: Iterable[Ref], state: State) -> dict[Ref, list[str]]:
    """Who inherits from each of these, in whatever generation."""
    children: dict[Ref, list[Ref]] = {}
    for ref, obj in state.objects.items():
        for parent in obj.parents:
            children.setdefault(parent, []).append(ref)

    def below(ref: Ref) -> Iterable[Ref]:
        return (h for child in children.get(ref, ()) for h in (child, *below(child)))

    return {r: sorted(map(str, below(r))) for r in sorted(owners, key=lambda r: r.order)}


def moved(was: Mapping[str, str], state: State, leftovers: Leftovers) -> list[str]:
    """What of a fingerprint is no longer so."""
    refs = {str(r): r for r in state}
    fragile, owners, built = ([refs[r] for r in refs if key + r in was] for key in (STANDING, INHERITING, UNFINISHED))
    now = fingerprint((refs[r] for r in was if r in refs), state, fragile, owners) | _unfinished(built, leftovers)
    return [r for r, digest in was.items() if now.get(r, "") != digest]


def _print(obj: Object | None) -> str:
    return _digest(obj.model_dump_json()) if obj else ""


def _digest(words: str) -> str:
    return sha256(words.encode()).hexdigest()[:16]
