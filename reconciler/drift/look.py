"""Look at a target: the plan towards the declaration, the journal and the catalogs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from reconciler.drift.classify import Evidence, History, classify, refs_of
from reconciler.drift.result import ObjectDrift
from reconciler.drift.traces import read_traces
from reconciler.errors import StatementFailed
from reconciler.introspect.introspect import Snapshot
from reconciler.journal.history import LastApplied, exists, last_applied, last_done
from reconciler.journal.ownership import Place, untrusted
from reconciler.model.state import Declaration
from reconciler.plan.plan import Plan
from reconciler.server.connection import Connection

TWO_SIDES = "which side of a difference has moved is not known"


@dataclass(frozen=True)
class Look:
    """The differences of a target, and notes on the search."""

    objects: list[ObjectDrift]
    notes: tuple[str, ...]


def look(
    plan: Plan,
    live: Snapshot,
    connection: Connection,
    declaration: Declaration,
    journal: Place | None,
) -> Look:
    """Return the differences of a plan with their classes; reads nothing for an empty plan."""
    if not plan.changes:
        return Look([], ())
    names = [f"{c.kind} {c.identity}" for c in plan.changes]
    history, note = _history(connection, journal, names)
    refs = refs_of(plan, live.state)
    evidence = Evidence(
        live=live.state,
        absent=frozenset(str(r) for r in declaration.absent),
        leftover=frozenset(map(str, {**live.context.leftovers, **live.context.unfinished})),
        history=history,
        traces=read_traces(connection, live, refs.values()),
    )
    return Look(classify(plan, evidence), (note,) if note else ())


def _history(
    connection: Connection, journal: Place | None, names: list[str]
) -> tuple[History | None, str]:
    """Return the recorded states of the objects, or None; and a note on the journal, or ""."""
    if journal is None:
        return None, f"no journal is kept: {TWO_SIDES}"
    schema = journal.schema
    try:
        if reason := untrusted(connection, journal):
            return None, f"{reason}\n{TWO_SIDES}"
        if not exists(connection, schema):
            return None, f"schema {schema} holds no journal of runs: {TWO_SIDES}"
        objects = last_applied(connection, schema, names)
        return History(objects, last_done(connection, schema)), _at_work(objects.values())
    except StatementFailed as error:
        return None, f"the journal is not read: {error}\n{TWO_SIDES}"


def _at_work(found: Iterable[LastApplied]) -> str:
    """Return a note about a running run on the same objects, or ""."""
    runs = {each.run for each in found if each.status == "running"}
    return f"run {max(runs)} is at work on what differs: look again when it is done" if runs else ""
