"""Refuse a plan before its first step: edited, made for another state or database, hazards not allowed."""

from __future__ import annotations

from collections.abc import Collection

from reconciler.apply.preflight import Finding, preflight, refusals
from reconciler.errors import PlanRefused
from reconciler.introspect.introspect import Snapshot
from reconciler.journal.journal import refusal
from reconciler.model.ref import Ref
from reconciler.model.statement import HazardKind
from reconciler.plan.fingerprint import moved
from reconciler.plan.plan import Plan
from reconciler.server.connection import Connection


def permitted(
    plan: Plan, live: Snapshot, connection: Connection, allow: Collection[str], journal: str | None
) -> list[Finding]:
    """What is good to know before the first step; raises PlanRefused with everything that speaks against it."""
    findings = preflight(plan, connection)
    refused = [*guards(plan, live), *hazards_not_allowed(plan, allow), *refusals(findings)]
    if plan.steps and journal is not None:
        refused += _no_place(plan, connection, journal)
    if refused:
        raise PlanRefused("\n".join(refused))
    return findings


def _no_place(plan: Plan, connection: Connection, journal: str) -> list[str]:
    """Why the journal cannot be where it is to be."""
    if any(journal == r.schema or r == Ref("", journal, "").schema_ref for r in plan.touches):
        return [
            f"schema {journal} is to hold the journal, and things are declared in it: name another with --journal NAME"
        ]
    return [why] if (why := refusal(connection, journal)) else []


def guards(plan: Plan, live: Snapshot) -> list[str]:
    """Why the plan must not run on what the target is now; empty where it may."""
    if not plan.intact():
        return ["the plan was edited after it was made; make a new one with `reconcile plan`"]
    if plan.database != live.database:
        return [f"the plan was made for another database ({plan.target}); make one for this target"]
    others = moved(plan.fingerprint, live.state, live.context.leftovers)
    return (
        [f"the target has moved since the plan was made: {', '.join(others[:5])}; make a new plan"]
        if others
        else []
    )


def hazards_not_allowed(plan: Plan, allow: Collection[str]) -> list[str]:
    """The hazards of the plan that nobody allowed, each with its reason and its flag."""
    if "all" in allow:
        return []
    return [
        f"{hazard}: {'; '.join(reasons)}; if you mean it: --allow {hazard}"
        for hazard, reasons in sorted(plan.hazards().items())
        if HazardKind(hazard) not in allow
    ]
