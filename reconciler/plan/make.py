"""Make a plan of changes."""

from __future__ import annotations

from collections.abc import Sequence

from reconciler.diff.diff import Change
from reconciler.diff.inherited import reparenting, with_inherited
from reconciler.diff.renames import Renaming
from reconciler.introspect.notices import unfinished_notices
from reconciler.model.object import PlanningContext
from reconciler.model.ref import Ref
from reconciler.model.state import State
from reconciler.plan.fingerprint import fingerprint_of
from reconciler.plan.operations import collect_operations, making
from reconciler.plan.order import in_order
from reconciler.plan.plan import Plan, Planned, Renamed
from reconciler.server.connection import redacted


def make_plan(
    changes: Sequence[Change],
    live: State,
    desired: State,
    context: PlanningContext,
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
    operations = collect_operations(
        changes,
        with_inherited(live, [c.live for c in changes]),
        desired,
        reparenting(changes, live, desired, context),
    )
    steps = in_order(operations, changes, renamings)
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
        if c.ref not in operations.reused
        if c.action != "alter"
        or c.differences
        or operations.statements.get(making(c.ref))  # else it only follows another change
    ]
    renamed = [
        Planned(
            action="alter",
            kind=r.becomes.kind,
            identity=r.becomes.identity,
            differences=(r.described,),
        )
        for r in renamings
    ]
    told = {c.ref for c in changes}
    unfinished = [
        Planned(action="alter", kind=r.kind, identity=r.identity)
        for r in context.unfinished
        if r not in told
    ]
    leftovers = [
        Planned(action="drop", kind=n.ref.kind, identity=n.ref.identity)
        for n in operations.actions
        if n.drop and n.ref not in live
    ]
    return Plan(
        target=redacted(target),
        database=database,
        in_sync=not steps,
        unchanged=unchanged,
        scratch=scratch,
        spelled_by=spelled_by,
        changes=(*renamed, *planned, *unfinished, *leftovers),
        steps=tuple(steps),
        notes=(
            *notes,
            *unfinished_notices(
                context.leftovers.keys() - operations.reused - {n.ref for n in operations.actions}
            ),
        ),
        fingerprint=fingerprint_of(operations, changes, target_state, renamings, context.leftovers)
        if target_state is not None
        else {},
        touches=_touches(changes, before or live, desired),
        renames=tuple(
            Renamed(
                was=r.was,
                becomes=r.becomes,
                part=(r.described.live, r.described.wanted) if r.part else None,
            )
            for r in renamings
        ),
        rollback_of=rollback_of,
    ).sealed()


def _touches(changes: Sequence[Change], before: State, desired: State) -> tuple[Ref, ...]:
    """All objects that are others before and after, or become an heir's own although its parent gives them."""
    found = {c.ref for c in changes} | {
        r for r in {*before, *desired} if before.get(r) != desired.get(r)
    }
    return tuple(sorted(found, key=lambda r: (r.order, r.kind)))
