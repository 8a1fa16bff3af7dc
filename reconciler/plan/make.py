"""Make a plan of changes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from reconciler.diff.diff import Change, Difference
from reconciler.diff.inherited import context_of_reparenting, with_inherited
from reconciler.diff.renames import Renaming, refs_after
from reconciler.introspect.notices import unfinished_notices
from reconciler.model.declared import without_defaults_of_files
from reconciler.model.object import Object, PlanningContext, reserved_constraint_names
from reconciler.model.ref import Ref
from reconciler.model.row_identity import tables_without_identity
from reconciler.model.state import State
from reconciler.plan.collect import collect_operations
from reconciler.plan.dangers import (
    add_executed_by_everybody,
    name_dropped_as_before,
    shortfalls,
)
from reconciler.plan.default_partitions import add_questions_of_default_partitions
from reconciler.plan.evaluated import evaluated_code
from reconciler.plan.fingerprint import fingerprint_of, fingerprint_of_unchanged
from reconciler.plan.guards import compare_guards
from reconciler.plan.old_names import add_uses_of_dropped
from reconciler.plan.operations import Operation, Operations
from reconciler.plan.order import steps_in_order
from reconciler.plan.plan import Plan, Planned, Renamed
from reconciler.plan.replication import add_replication_hazards, renamings_with_hazards
from reconciler.plan.search_paths import SearchPaths
from reconciler.plan.step import Step
from reconciler.plan.undo import add_undo_of_one_way
from reconciler.plan.unproven import unproven_by_steps
from reconciler.server.redaction import redacted


@dataclass(frozen=True)
class Comparison:
    """The states to plan between, and the differences.

    `live` is the state after `renamings`; `before` is the state before them, if there are any.
    `target_state` is the live state as the target spells it, the source of the plan's fingerprint;
    without it the fingerprint is empty. `declared` objects are its objects if nothing differs.
    """

    changes: Sequence[Change]
    live: State
    desired: State
    context: PlanningContext
    renamings: Sequence[Renaming] = ()
    before: State | None = None
    target_state: State | None = None
    declared: Collection[Ref] = ()


@dataclass(frozen=True)
class PlanInfo:
    """Facts about a plan for readers; each field is copied to the same field of `Plan`."""

    target: str = ""
    database: str = ""
    scratch: str = ""
    spelled_by: int = 0
    unchanged: int = 0
    notes: Sequence[str] = ()
    unproven: Sequence[str] = ()
    awaited: Sequence[str] = ()
    checks: tuple[dict[str, Any], ...] = ()
    rollback_of: int | None = None


def make_plan(comparison: Comparison, info: PlanInfo) -> Plan:
    """Order the changes into steps; a pure function. Raises PlanError if no order works."""
    changes, live, desired = comparison.changes, comparison.live, comparison.desired
    context = _leftovers_renamed(comparison.context, comparison.renamings)
    context = context_of_reparenting(changes, live, desired, context)
    paths, around = SearchPaths(desired, changes, context), _around(comparison)
    operations = collect_operations(
        changes,
        with_inherited(live, [c.live for c in changes]),
        desired,
        replace(
            context,
            without_identity=tables_without_identity(desired, around),
            search_paths=paths.of_columns(changes),
        ),
    )
    add_undo_of_one_way(operations)
    add_replication_hazards(operations, around)
    add_executed_by_everybody(operations)
    name_dropped_as_before(operations, comparison.renamings)
    compare_guards(operations)
    whole = comparison.target_state
    add_uses_of_dropped(operations, comparison.renamings, whole)
    add_questions_of_default_partitions(operations, comparison.renamings, whole)
    renamings = renamings_with_hazards(comparison.renamings, operations)
    steps = paths.with_paths(steps_in_order(operations, renamings, whole))
    return Plan(
        target=redacted(info.target),
        database=info.database,
        in_sync=not steps,
        unchanged=info.unchanged,
        scratch=info.scratch,
        spelled_by=info.spelled_by,
        changes=(
            *_planned_renamings(comparison.renamings),
            *_planned_changes(operations, desired),
            *_planned_unfinished(operations),
            *_planned_leftovers(operations, live),
        ),
        steps=tuple(steps),
        notes=(
            *info.notes,
            *shortfalls(changes, desired),
            *evaluated_code(changes, steps, desired, comparison.context.user),
            *_unfinished(operations, comparison),
        ),
        unproven=_unproven(steps, comparison, info),
        fingerprint=_fingerprint(operations, comparison),
        touches=_touched(comparison, comparison.before or live, desired),
        renames=tuple(dict.fromkeys(_renamed(r) for r in comparison.renamings)),
        awaited=tuple(info.awaited),
        checks=info.checks,
        rollback_of=info.rollback_of,
    ).sealed()


def _around(comparison: Comparison) -> Mapping[Ref, Object]:
    """Return the objects of the target that are not compared, and stay as they are."""
    compared, whole = comparison.before or comparison.live, comparison.target_state
    return {r: o for r, o in whole.objects.items() if r not in compared} if whole else {}


def _leftovers_renamed(context: PlanningContext, renamings: Sequence[Renaming]) -> PlanningContext:
    """Return the context with the leftovers on the tables as these are called by then."""
    now = refs_after(context.leftovers, renamings)
    leftovers = {
        now[ref]: replace(left, made=left.made.model_copy(update={"ref": now[ref]}))
        for ref, left in context.leftovers.items()
    }
    unwanted = frozenset(now.get(r, r) for r in context.unwanted)
    return replace(context, leftovers=leftovers, unwanted=unwanted)


def _planned_changes(operations: Operations, desired: State) -> Iterator[Planned]:
    """Yield the changes shown to people, without alterations implied by another change."""
    for change in operations.changes:
        has_statements = operations.statements.get(Operation.create(change.ref))
        by_postgres = change.action == "alter" and not change.differences and not has_statements
        if change.ref in operations.reused or by_postgres:
            continue
        after = (desired.get(change.ref) or change.desired) if change.desired else None
        if after is not None and change.action == "create":
            after = without_defaults_of_files(after, operations.context.declared.get(change.ref))
        yield Planned(
            action=change.action,
            kind=change.ref.kind,
            identity=change.ref.identity,
            differences=change.differences,
            before=change.live.fields() if change.live else None,
            after=after.fields() if after else None,
        )


def _planned_renamings(renamings: Iterable[Renaming]) -> Iterator[Planned]:
    """Yield the renamings as changes, several of the same object as one."""
    found: dict[tuple[Ref, bool], list[Difference]] = {}
    for renaming in renamings:
        differences = found.setdefault((renaming.becomes, renaming.part), [])
        if renaming.part or renaming.described not in differences:
            differences.append(renaming.described)
    for (ref, part), differences in found.items():
        if not differences[0].live:  # it was not there
            yield Planned(action="create", kind=ref.kind, identity=ref.identity)
            continue
        for shown in [(d,) for d in differences] if part else [tuple(differences)]:
            yield Planned(action="alter", kind=ref.kind, identity=ref.identity, differences=shown)


def _planned_unfinished(operations: Operations) -> Iterator[Planned]:
    """Yield unchanged objects left unfinished by an interrupted run."""
    unfinished = operations.context.unfinished
    changed = {c.ref for c in operations.changes} if unfinished else set[Ref]()
    for ref in unfinished:
        if ref not in changed:
            yield Planned(action="alter", kind=ref.kind, identity=ref.identity)


def _planned_leftovers(operations: Operations, live: State) -> Iterator[Planned]:
    """Yield dropped leftovers of interrupted builds, absent from both states."""
    for operation in operations.actions:
        ref = operation.ref
        if operation.drops and ref not in live:
            yield Planned(action="drop", kind=ref.kind, identity=ref.identity)


def _unfinished(operations: Operations, comparison: Comparison) -> Sequence[str]:
    """Return notices of leftovers neither reused nor dropped by the plan, nor declared.

    A NOT NULL that has not been validated may be a leftover, or belong to a declared column.
    """
    handled = operations.reused | {o.ref for o in operations.actions}
    leftovers = operations.context.leftovers.keys() - handled
    if not leftovers:
        return ()
    states = (comparison.desired, comparison.target_state)  # the first lacks what cannot differ
    found = (s[r] for r in comparison.declared for s in states if s is not None and r in s)
    declared = {(o.ref.on, name) for o in found for name in reserved_constraint_names(o)}
    return unfinished_notices(r for r in leftovers if (r.on, r.name) not in declared)


def _unproven(steps: Sequence[Step], comparison: Comparison, info: PlanInfo) -> tuple[str, ...]:
    """List what the proof leaves open; nothing, where nothing is proven."""
    if not steps or not info.scratch:
        return ()
    states = [s for s in (comparison.target_state, comparison.desired) if s is not None]
    objects = (o for s in states for o in s.objects.values())
    return tuple(dict.fromkeys((*unproven_by_steps(steps, objects), *info.unproven)))


def _fingerprint(operations: Operations, comparison: Comparison) -> dict[str, str]:
    """Return the fingerprint of the target, empty if the target's state is unknown."""
    target, renamings = comparison.target_state, comparison.renamings
    if target is None:
        return {}
    if not operations.actions:
        return fingerprint_of_unchanged([*comparison.declared], target, renamings)
    return fingerprint_of(operations, target, renamings, comparison.context.leftovers)


def _touched(comparison: Comparison, before: State, desired: State) -> tuple[Ref, ...]:
    """List changed objects, and inherited parts declared as a child table's own.

    An object whose name is another's is one, even if that is equal to it.
    """
    if before is desired:
        return ()
    differing = {r for r in {*before, *desired} if before.get(r) != desired.get(r)}
    after = refs_after(before, comparison.renamings) if comparison.renamings else {}
    renamed = {ref for ref, new in after.items() if ref != new}
    refs = {c.ref for c in comparison.changes} | differing | renamed
    return tuple(sorted(refs, key=lambda r: (r.order, r.kind, str(r.on))))


def _renamed(renaming: Renaming) -> Renamed:
    """Return a renaming as recorded in the journal."""
    names = (renaming.described.live, renaming.described.wanted) if renaming.part else None
    return Renamed(was=renaming.was, becomes=renaming.becomes, part=names)
