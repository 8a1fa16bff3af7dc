"""Measure the figures of a report: the recorded run of a plan, lint and checks as of now."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from reconciler import pipeline
from reconciler.checks.run import run_checks
from reconciler.checks.session import Terms
from reconciler.evidence.model import Application, Content, Lint, Sourced, Verification
from reconciler.journal.history import Run
from reconciler.journal.ownership import Place
from reconciler.linting import Lint as LintJob
from reconciler.linting import lint
from reconciler.pipeline import Job
from reconciler.plan.plan import Plan
from reconciler.report import json

MOST_RUNS = 1_000  # of the journal, among which the run of a plan is looked for


def find_application(
    plan: Plan, target: str, journal: Place, session: Mapping[str, str]
) -> Sourced[Application] | None:
    """Return the last run of exactly this plan; None if the target's journal has no such run."""
    runs = pipeline.read_history(target, journal, MOST_RUNS, session)
    for run in runs:
        if plan.digest and run.digest == plan.digest:
            return _application(run.id, runs, target, journal, session)
    return None


def read_application(
    run: int, target: str, journal: Place, session: Mapping[str, str]
) -> Sourced[Application]:
    """Return a recorded run; raises PlanRefused for an unknown number."""
    runs = pipeline.read_history(target, journal, MOST_RUNS, session)
    return _application(run, runs, target, journal, session)


def _application(
    run: int, runs: list[Run], target: str, journal: Place, session: Mapping[str, str]
) -> Sourced[Application]:
    """Read a run; `runs` are the last runs, including a rollback of the run."""
    detail = pipeline.read_run(target, journal, run, session)
    back = (r for r in runs if r.rollback_of == run and r.status == "done")
    source = f"reconcile history {run}, run {run} of the journal in schema {journal.schema}"
    return Sourced(Application(detail, next(back, None)), source)


def lint_now(job: LintJob) -> Sourced[Lint]:
    """Lint the declaration as laid over the target."""
    found = Lint.model_validate_json(json.lint(lint(job)))
    return _made_now(found, "lint")


def verify_now(job: Job, terms: Terms) -> Sourced[Verification]:
    """Compare the structure, and run the declared checks, with a rollback of their writes."""
    plan = pipeline.plan_changes(job)
    results = run_checks(job.target, job.declaration.checks, terms)
    found = Verification.model_validate_json(json.checks(plan, results))
    return _made_now(found, "verify")


def _made_now(found: Content, command: str) -> Sourced[Content]:
    now = datetime.now(UTC)
    return Sourced(
        found, f"reconcile {command}, run for this report at {now:%Y-%m-%d %H:%M} UTC", now
    )
