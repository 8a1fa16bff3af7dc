"""A script for psql with the plan's steps; unlike `apply`, psql does not retry for locks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from reconciler.apply import backfill
from reconciler.plan.plan import Plan
from reconciler.plan.step import Step

HEAD = r"""\set ON_ERROR_STOP on
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;"""
SEE_ALL_ROWS = "SET row_security = off;  -- better refused than a backfill that misses rows"


def plan(plan: Plan) -> str:
    """Render a plan as a script with explicit transactions, stopping at the first error."""
    return "\n".join(_plan_lines(plan)) + "\n"


def _plan_lines(plan: Plan) -> Iterator[str]:
    summary = "nothing to do" if plan.in_sync else f"{len(plan.steps)} steps"
    yield f"-- {plan.target}: {summary}"
    yield from (f"-- note: {note}" for note in plan.notes)
    if plan.in_sync:
        return
    yield HEAD
    if any(step.fill for step in plan.steps):
        yield SEE_ALL_ROWS
    for steps in plan.transactions():
        yield from _transaction_lines(steps)


def _transaction_lines(steps: Sequence[Step]) -> Iterator[str]:
    yield ""
    yield f"SET lock_timeout = {0 if any(step.long for step in steps) else repr('2s')};"
    yield f"SET statement_timeout = {repr('30s') if all(step.quick for step in steps) else 0};"
    if steps[0].transaction:
        yield "BEGIN;"
    for step in steps:
        yield from _step_lines(step)
    if steps[0].transaction:
        yield "COMMIT;"


def _step_lines(step: Step) -> Iterator[str]:
    yield from (f"-- hazard {hazard.hazard}: {hazard.reason}" for hazard in step.hazards)
    if step.fill:
        yield from (f"-- note: {note}" for note in backfill.omissions(step.fill))
        yield backfill.script(step.fill) + ";"
    else:
        yield step.sql + ";"
