"""Refuse to apply a plan: edited, made for another state or database, hazards not allowed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from reconciler.apply.permissions import Permitting, hazard_refusals
from reconciler.apply.postcondition import as_planned
from reconciler.apply.preflight import Finding, preflight, refusals
from reconciler.errors import Moved, PlanRefused, StatementFailed
from reconciler.introspect.global_objects import GLOBAL
from reconciler.introspect.introspect import Snapshot
from reconciler.journal.journal import refusal
from reconciler.journal.ownership import Place
from reconciler.model.ref import Ref
from reconciler.plan.fingerprint import moved
from reconciler.plan.plan import Permission, Plan
from reconciler.server.connection import Connection


@dataclass(frozen=True)
class Permitted:
    """The findings of the preflight, and the permissions that entries of approvals.yml give."""

    findings: Sequence[Finding]
    used: Sequence[Permission]


def permitted(
    plan: Plan,
    live: Snapshot,
    connection: Connection,
    permitting: Permitting,
    *,
    questions: bool = True,
    unreachable: Iterable[str] = (),
) -> Permitted:
    """Return what was found before the first step; raises PlanRefused with all reasons at once.

    With `questions`, rows of the target are looked at. `unreachable` are reasons why steps cannot
    run in other databases.
    """
    findings = preflight(plan, connection, questions=questions)
    judged = permitting.judge(plan, connection)
    hazards = hazard_refusals(judged.permissions, judged.notes)
    moved_since = guards(plan, live)
    refused = [*moved_since, *hazards, *refusals(findings), *unreachable]
    if plan.steps and permitting.journal is not None:
        refused += _journal_refusals(plan, connection, permitting.journal)
    if refused:
        raise (Moved if moved_since else PlanRefused)("\n".join(refused))
    return Permitted(findings, judged.used)


def _journal_refusals(plan: Plan, connection: Connection, journal: Place) -> list[str]:
    """Return why the journal cannot be written in the journal's schema."""
    schema = journal.schema
    if any(schema == r.schema or r == Ref("", schema, "").schema_ref for r in plan.touches):
        return [
            f"schema {schema} is to hold the journal, and things are declared in it: "
            "name another with --journal NAME"
        ]
    try:
        reason = refusal(connection, journal)
    except StatementFailed:  # another session's lock: without a journal the run is not recorded
        return []
    return [reason] if reason else []


def guards(plan: Plan, live: Snapshot) -> list[str]:
    """Return why the plan does not suit the target's present state."""
    if not plan.intact():
        return ["the plan was edited after it was made; make a new one with `reconcile plan`"]
    if plan.database != live.database:
        return [f"the plan was made for another database ({plan.target}); make one for this target"]
    if refused := _search_path_refusal(plan, live):
        return [refused]
    changed = moved(plan.fingerprint, live.state, live.context.leftovers)
    changed = [name for name in changed if name not in _brought_by_others(plan, live)]
    if not changed:
        return []
    listed = ", ".join(changed[:5])
    return [f"the target has moved since the plan was made: {listed}; make a new plan"]


def _brought_by_others(plan: Plan, live: Snapshot) -> set[str]:
    """Return the cluster's objects that a run for another database may have made as planned.

    One that is there already is looked at after its steps, which change nothing that is so.
    """
    found: set[str] = set()
    for change in plan.changes:
        if change.kind in GLOBAL:
            now = live.state.get(Ref(change.kind, "", change.identity))
            if change.action == "create" or as_planned(change, now):
                found.add(f"{change.kind} {change.identity}")
    return found


def _search_path_refusal(plan: Plan, live: Snapshot) -> str:
    """Return why functions would not find, or not only there, what the plan's search_path holds."""
    path = live.context.default_path
    needed = {s.search_path for s in plan.steps} - {""}
    if needed - {path.setting}:
        return (
            f"the plan runs functions on the search_path {', '.join(needed)}, and the role has"
            f" {path.setting} now; make a new plan"
        )
    if needed and not path.is_closed:
        schema, roles = next(iter(path.creators.items()))
        return (
            f"the plan runs functions on the search_path {path.setting}, and {', '.join(roles)} may"
            f" create objects in schema {schema} now; make a new plan"
        )
    return ""
