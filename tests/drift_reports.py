"""Make reports of drift out of plans."""

from __future__ import annotations

from reconciler.drift.classify import Evidence, classify
from reconciler.drift.result import DriftReport, TargetDrift
from reconciler.model.state import State
from reconciler.plan.plan import Plan


def report_of(plan: Plan) -> DriftReport:
    """Return the report of a plan where no journal is kept."""
    found = classify(plan, Evidence(State()))
    target = TargetDrift(
        plan.target, plan.target, plan.in_sync, plan.unchanged, plan.notes, objects=found
    )
    return DriftReport([target])
