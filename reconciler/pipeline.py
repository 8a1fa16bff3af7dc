"""The table of contents: each function calls the stages in their order."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

from reconciler.canonicalise import Canonical, canonicalise
from reconciler.connection import Connection, connect
from reconciler.contract import Situation
from reconciler.diff import changes
from reconciler.errors import PlanRefused
from reconciler.execute import Outcome, Watcher, execute, sole_applier
from reconciler.export import export
from reconciler.heirs import overridden
from reconciler.introspect import Snapshot, introspect
from reconciler.locks import Patience
from reconciler.plan import Plan, fingerprint, make_plan, touched
from reconciler.preflight import Finding, preflight, refusals
from reconciler.prove import prove
from reconciler.scratch import scratches
from reconciler.state import Declaration, Scope, State
from reconciler.statement import Hazard
from reconciler.unmanaged import unmanaged


@dataclass(frozen=True)
class Job:
    """What to reconcile: a target's URL, what is declared for it, how far we may look, and which scratch server."""

    target: str
    declaration: Declaration
    scope: Scope
    scratch: str = "auto"


def plan_changes(job: Job) -> Plan:
    """load → introspect → canonicalise → diff → plan → prove."""
    with connect(job.target) as connection:
        return _plan(job, introspect(connection), connection)


def apply_plan(plan: Plan, job: Job | None, target: str, watcher: Watcher, patience: Patience, allow: Collection[str]) -> Outcome:
    """Check every guard, run the plan and, with the declaration at hand, look again whether anything is left.

    Raises PlanRefused before the first step, Busy where another applier is at work.
    """
    with sole_applier(target) as connection:
        for finding in _permitted(plan, connection, allow):
            watcher.noticed(finding.words)
        outcome = execute(plan, target, connection, watcher, patience)
        if job is None or not plan.steps or outcome.failed or outcome.skipped:
            return outcome
        left = _plan(job, introspect(connection), connection).changes
        return replace(outcome, left=tuple(f"{c.action} {c.kind} {c.identity}" for c in left))


def check_plan(plan: Plan, target: str, allow: Collection[str]) -> list[str]:
    """What `apply` would say before its first step; raises PlanRefused where it would refuse."""
    with connect(target) as connection:
        return [f.words for f in _permitted(plan, connection, allow)]


def _permitted(plan: Plan, connection: Connection, allow: Collection[str]) -> list[Finding]:
    """What is good to know before the first step; raises PlanRefused with everything that speaks against it."""
    findings = preflight(plan, connection)
    if refused := [*guards(plan, introspect(connection)), *hazards_not_allowed(plan, allow), *refusals(findings)]:
        raise PlanRefused("\n".join(refused))
    return findings


def export_state(target: str, scope: Scope, folder: Path) -> tuple[list[Path], list[str]]:
    """Write what lies within the bounds below `folder`; returns the files, and notes of what no kind could write."""
    with connect(target) as connection:
        live = introspect(connection)
        notes = unmanaged(connection, live, scope)
    state = live.state
    return export(State({r: o for r, o in state.objects.items() if scope.covers(r)}, state.edges), folder), notes


def guards(plan: Plan, live: Snapshot) -> list[str]:
    """Why the plan must not run on what the target is now; empty where it may."""
    if not plan.intact():
        return ["the plan was edited after it was made; make a new one with `reconcile plan`"]
    if plan.database != live.database:
        return [f"the plan was made for another database ({plan.target}); make one for this target"]
    refs = {str(r): r for r in live.state}
    now = fingerprint((refs[r] for r in plan.fingerprint if r in refs), live.state)
    moved = [r for r, was in plan.fingerprint.items() if now.get(r, "") != was]
    return [f"the target has moved since the plan was made: {', '.join(moved[:5])}; make a new plan"] if moved else []


def hazards_not_allowed(plan: Plan, allow: Collection[str]) -> list[str]:
    """The hazards of the plan that nobody allowed, each with its reason and its flag."""
    if "all" in allow:
        return []
    return [
        f"{hazard}: {'; '.join(reasons)}; if you mean it: --allow {hazard}"
        for hazard, reasons in sorted(plan.hazards().items())
        if Hazard(hazard) not in allow
    ]


def _plan(job: Job, live: Snapshot, connection: Connection) -> Plan:
    files = live.extensions | {r.name for r, o in job.declaration.objects.items() if o.installed}
    offered = lambda: scratches(job.scratch, job.target, live.situation.server, files)  # noqa: E731
    with canonicalise(live, job.declaration, job.scope, offered) as canonical:
        found = overridden(changes(canonical.live, canonical.desired), canonical.live, canonical.desired)
        off = sum(c.ref in canonical.situation.declared for c in found)
        plan = make_plan(
            found,
            canonical.live,
            canonical.desired,
            _in_scope(canonical, job),
            target=job.target,
            database=live.database,
            scratch=canonical.scratch.words if canonical.scratch else "",
            spelled_by=(canonical.scratch.server if canonical.scratch else live.situation.server).major,
            unchanged=len(job.declaration.objects) - off,
            notes=[
                *(f"{r} could not be built on scratch and was left out: {why}" for r, why in canonical.left_out.items()),
                *unmanaged(connection, live, job.scope),
            ],
            fingerprint=fingerprint(touched(found, canonical.live, canonical.desired) | {r.was for r in canonical.renamings}, live.state),
            renamings=canonical.renamings,
        )
        if canonical.connection is not None and plan.steps:
            prove(plan, canonical.connection, canonical.before or canonical.live, canonical.desired)
        return plan


def _in_scope(canonical: Canonical, job: Job) -> Situation:
    situation = canonical.situation
    return replace(situation, leftovers=frozenset(filter(job.scope.covers, situation.leftovers)))
