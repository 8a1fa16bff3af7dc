"""Prove a plan on scratch: run it and its undo on a clone of the live objects before anybody sees it."""

from __future__ import annotations

from collections.abc import Collection

from reconciler.diff.diff import Change, changes
from reconciler.diff.inherited import overridden
from reconciler.errors import ProofError, StatementFailed
from reconciler.introspect.introspect import introspect
from reconciler.model.state import State
from reconciler.model.statement import HazardKind
from reconciler.plan.plan import Plan
from reconciler.plan.step import Step
from reconciler.server.capabilities import Server
from reconciler.server.connection import Connection, run_sql


def prove(plan: Plan, connection: Connection, live: State, desired: State, server: Server) -> None:
    """Run the plan on the clone of `live` behind `connection`, then its undo; `server` is the target's.

    Raises ProofError unless the first leads to `desired` (then another plan would be empty) and the second back, but for
    what a step changes irreversibly.
    """
    for group in plan.transactions():
        _run(connection, [(s, s.sql) for s in group], "the plan")
    _compare(
        introspect(connection, server).state,
        desired,
        "the plan was run on scratch, and left differences",
    )
    for group in reversed(plan.transactions()):
        _run(
            connection,
            [(s, sql) for s in reversed(group) for sql in s.undo],
            "the undo of the plan",
        )
    oneway = {
        f"{s.kind} {s.identity}"
        for s in plan.steps
        if any(h.hazard is HazardKind.IRREVERSIBLE for h in s.hazards)
    }
    _compare(
        introspect(connection, server).state,
        live,
        "the plan's undo was run on scratch, and does not lead back",
        oneway,
    )


def _run(connection: Connection, commands: list[tuple[Step, str]], what: str) -> None:
    together = bool(commands) and bool(commands[0][0].transaction)
    try:
        if together:
            run_sql(connection, "BEGIN")
        for step, sql in commands:
            try:
                run_sql(connection, sql)
            except StatementFailed as e:
                raise ProofError(
                    f"{what} fails on scratch at step {step.id} ({step.action} {step.kind} {step.identity}): {e}\n{sql}"
                ) from e
        if together:
            run_sql(connection, "COMMIT")
    except ProofError:
        if together:
            run_sql(connection, "ROLLBACK")
        raise


def _compare(found: State, wanted: State, complaint: str, besides: Collection[str] = ()) -> None:
    left = [
        c for c in overridden(changes(found, wanted), found, wanted) if str(c.ref) not in besides
    ]
    if left:
        raise ProofError(complaint + ":\n" + "\n".join(f"  {words(c)}" for c in left[:10]))


def words(change: Change) -> str:
    """One change in one line."""
    details = "; ".join(f"{d.field}: {d.live!r} → {d.wanted!r}" for d in change.differences)
    return f"{change.action} {change.ref}" + (f" ({details})" if details else "")
