"""A script for psql that does what `apply` does, without its patience."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.apply import backfill
from reconciler.plan.plan import Plan
from reconciler.plan.step import Step

HEAD = r"""\set ON_ERROR_STOP on
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;"""


def plan(of: Plan) -> str:
    """The steps with their transactions spelled out, stopping at the first error."""
    return "\n".join(_plan(of)) + "\n"


def _plan(of: Plan) -> Iterator[str]:
    yield f"-- {of.target}: " + ("nothing to do" if of.in_sync else f"{len(of.steps)} steps")
    yield from (f"-- note: {n}" for n in of.notes)
    if of.in_sync:
        return
    yield HEAD
    if any(s.fill for s in of.steps):
        yield "SET row_security = off;  -- better refused than a backfill that misses rows"
    for group in of.transactions():
        yield ""
        yield f"SET lock_timeout = {0 if any(s.long for s in group) else repr('2s')};"
        yield f"SET statement_timeout = {repr('30s') if all(s.quick for s in group) else 0};"
        if group[0].transaction:
            yield "BEGIN;"
        for step in group:
            yield from _step(step)
        if group[0].transaction:
            yield "COMMIT;"


def _step(step: Step) -> Iterator[str]:
    yield from (f"-- hazard {d.hazard}: {d.reason}" for d in step.hazards)
    if step.fill:
        yield from (f"-- note: {words}" for words in backfill.omissions(step.fill))
    yield (backfill.script(step.fill) if step.fill else step.sql) + ";"
