"""The way back: (what a run recorded, what is live) → the declaration of what was there before it.

The plan towards it is made and proven like any other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from pydantic import ValidationError

from reconciler.errors import PlanRefused
from reconciler.journal.history import Detail, Later, Touched
from reconciler.kinds import KINDS
from reconciler.model.declared import RenamesParts
from reconciler.model.inheritance import parents_of
from reconciler.model.object import InlinePart, Object
from reconciler.model.ref import Ref
from reconciler.model.state import Declaration, State
from reconciler.model.statement import HazardKind
from reconciler.plan.plan import Renamed


@dataclass(frozen=True)
class RollbackPlan:
    """What to declare, and what people should know of it."""

    declaration: Declaration
    notes: Sequence[str]


def rollback_declaration(
    of: Detail,
    attempts: Sequence[Detail],
    afterwards: Sequence[Later],
    live: State,
    has_rows: Callable[[Ref], bool],
) -> RollbackPlan:
    """Declare what was there before the run; raises PlanRefused where others, or runs of ours, have gone on from there.

    `attempts` are rollbacks of the same run that did not end, `afterwards` all other runs since; `has_rows` is asked of
    tables that get a column back.
    """
    run = of.run.id
    if not of.touched:
        kept = (
            "changed nothing"
            if of.plan.touches
            else f"was recorded by version {of.run.version}, which did not keep what it needs"
        )
        raise PlanRefused(f"run {run} cannot be rolled back: it {kept}")
    irreversible = _irreversible(of)
    touched = [
        t
        for t in of.touched
        if not (str(t.ref) in irreversible and t.before is not None and t.after is not None)
    ]
    objects = {t.ref: _model(of, t.ref, t.before) for t in touched if t.before is not None}
    renames = [r for r in of.plan.renames if r.becomes in live or r.was in live]
    if refusals := [
        *_gone_on(of, afterwards, live),
        *_moved(of, attempts, touched, live),
        *_occupied(renames, live),
    ]:
        raise PlanRefused(
            f"run {run} cannot be rolled back:\n" + "\n".join(f"  {r}" for r in refusals)
        )
    back = {r.becomes: r.was for r in renames if r.part is None}
    absent = {
        there: live[t.ref].model_copy(update={"ref": there})
        for t in touched
        if t.before is None and t.ref in live and (there := _back(t.ref, back)) not in objects
    }
    known = {t.ref for t in of.touched}
    doomed = {r for r in known if r in live and _back(r, back) in absent}
    if strangers := [
        str(r)
        for r in live
        if r not in known and (r.on in doomed or (r.schema and r.schema_ref in doomed))
    ]:
        raise PlanRefused(
            f"run {run} cannot be rolled back: what it made holds what came later: {', '.join(sorted(strangers)[:5])}"
        )
    loose = {
        r: o
        for r, o in (
            (r, o.for_existing_rows() if isinstance(o, InlinePart) else o)
            for r, o in objects.items()
            if r not in live and r.on in live
        )
        if o != objects[r]
    }
    loose = {r: o for r, o in loose.items() if r.on is not None and has_rows(r.on)}
    declared = {r: _called(loose.get(r, o), renames) for r, o in objects.items()}
    children = {
        on: live[on]
        for t in touched
        if (on := t.ref.on) is not None and on in live and on not in known and parents_of(live[on])
    }
    schemas = frozenset(t.ref.schema for t in of.touched)
    notes = [
        *_lost(of),
        *(f"{r} comes back without values, and so it lets nulls be" for r in loose),
        *(
            f"{r} stays as it is: {why}"
            for r, why in irreversible.items()
            if r in {str(t.ref) for t in of.touched if t not in touched}
        ),
        *_unseen(of, attempts, live),
    ]
    return RollbackPlan(
        Declaration(
            objects={**children, **declared}, absent=absent, schemas=schemas, recorded=True
        ),
        notes,
    )


def _model(of: Detail, ref: Ref, fields: Mapping[str, object]) -> Object:
    try:
        return KINDS[ref.kind].model_validate({"ref": ref, **fields})
    except (KeyError, ValidationError):
        raise PlanRefused(
            f"{ref} was recorded by version {of.run.version}, in words that this one does not know"
        ) from None


def _called(obj: Object, renames: Sequence[Renamed]) -> Object:
    """The object under its old name, and with its parts under theirs."""
    now = next((r.becomes.name for r in renames if r.was == obj.ref and r.part is None), None)
    parts = {r.part[0]: r.part[1] for r in renames if r.was == obj.ref and r.part is not None}
    named = obj.model_copy(update={"renamed_from": now}) if now is not None else obj
    return named.with_parts_from(parts) if isinstance(named, RenamesParts) and parts else named


def _back(ref: Ref, names: Mapping[Ref, Ref]) -> Ref:
    """What an object was called before others that it lives on, or it, were renamed."""
    if ref in names:
        return names[ref]
    return replace(ref, on=_back(ref.on, names)) if ref.on is not None else ref


def _done(of: Detail) -> Iterator[tuple[str, HazardKind, str]]:
    """The dangers that came true: the object, the hazard and why."""
    undone = {s.step_id for s in of.steps if s.status != "done"}
    for step in of.plan.steps:
        if step.id not in undone:
            yield from ((f"{step.kind} {step.identity}", d.hazard, d.reason) for d in step.hazards)


def _irreversible(of: Detail) -> dict[str, str]:
    return {
        identity: why for identity, hazard, why in _done(of) if hazard is HazardKind.IRREVERSIBLE
    }


def _lost(of: Detail) -> list[str]:
    return [
        f"run {of.run.id} lost what no rollback brings back: {why}"
        for _, hazard, why in _done(of)
        if hazard is HazardKind.DATA_LOSS
    ]


def _gone_on(of: Detail, afterwards: Sequence[Later], live: State) -> Iterator[str]:
    """Later runs of ours that changed the same objects, and did not leave them as they were."""
    own = {t.ref for t in of.touched if not (t.seen and _is(of, t.ref, t.after, live.get(t.ref)))}
    for each in reversed(afterwards):
        if same := sorted(str(r) for r in own & each.refs):
            yield f"run {each.run} changed {', '.join(same[:5])} after it; roll back that one first: reconcile rollback {each.run}"


def _moved(
    of: Detail, attempts: Sequence[Detail], touched: Sequence[Touched], live: State
) -> Iterator[str]:
    """Objects that are not as the run left them, and were changed by somebody else."""
    latest = {t.ref: t for d in (of, *attempts) for t in d.touched}
    for each in touched:
        left, there = latest[each.ref], live.get(each.ref)
        if (
            left.seen
            and not _is(of, left.ref, left.after, there)
            and not _is(of, each.ref, each.before, there)
        ):
            how = (
                "was dropped"
                if there is None
                else "was made anew"
                if left.after is None
                else "was changed"
            )
            yield f"{each.ref} {how} by somebody else since"


def _is(of: Detail, ref: Ref, fields: Mapping[str, object] | None, there: Object | None) -> bool:
    return there is None if fields is None else _model(of, ref, fields) == there


def _unseen(of: Detail, attempts: Sequence[Detail], live: State) -> list[str]:
    """What nobody looked at when the run broke off, and is neither as it was before nor as it was to be."""
    planned = {f"{c.kind} {c.identity}": c.after for c in of.plan.changes}
    latest = {t.ref: t for d in (of, *attempts) for t in d.touched}
    unsure = [
        str(t.ref)
        for t in latest.values()
        if not t.seen
        and not any(_is(of, t.ref, f, live.get(t.ref)) for f in (t.before, planned.get(str(t.ref))))
    ]
    why = "what was changed since by others cannot be told from what it did"
    return (
        [f"run {of.run.id} broke off before it could look at {', '.join(unsure[:5])}: {why}"]
        if unsure
        else []
    )


def _occupied(renames: Sequence[Renamed], live: State) -> Iterator[str]:
    """What cannot have its old name back because something else has it."""
    for each in renames:
        if (
            each.part is None
            and each.was != each.becomes
            and each.was in live
            and each.becomes in live
        ):
            yield f"{each.becomes} cannot be called {each.was.name} again: another one has that name"
