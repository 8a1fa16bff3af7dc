"""Prove a plan on scratch: run plan and undo on a clone of the live objects."""

from __future__ import annotations

from collections.abc import Collection

from reconciler.diff.diff import Change, changes
from reconciler.diff.inherited import with_inheritance
from reconciler.errors import ProofError, StatementFailed
from reconciler.introspect.introspect import introspect
from reconciler.model.state import State
from reconciler.model.statement import HazardKind
from reconciler.plan.plan import Plan
from reconciler.plan.step import Step
from reconciler.server.capabilities import Server
from reconciler.server.connection import Connection, run_sql
from reconciler.server.door import run_statement

SHOWN = 10  # differences in an error's message


def prove(plan: Plan, connection: Connection, live: State, desired: State, server: Server) -> None:
    """Run the plan on the clone of `live` behind `connection`, then the plan's undo.

    `server` is the target's. Raises ProofError unless the plan leads to `desired`, so that another
    plan would be empty, and the undo to `live`, save for irreversible changes.
    """
    for group in plan.transactions():
        _run(connection, [(step, step.sql) for step in group], "the plan")
    found = introspect(connection, server).state
    _check("the plan was run on scratch, and left differences", _differing(found, desired))
    for group in reversed(plan.transactions()):
        undo = [(step, sql) for step in reversed(group) for sql in step.undo]
        _run(connection, undo, "the undo of the plan")
    found = introspect(connection, server).state
    irreversible = _irreversible(plan)
    _check(
        "the plan's undo was run on scratch, and does not lead back",
        [c for c in _differing(found, live) if str(c.ref) not in irreversible],
    )


def _irreversible(plan: Plan) -> Collection[str]:
    """Return the objects changed irreversibly by the plan, as kind and identity."""
    return {
        f"{step.kind} {step.identity}"
        for step in plan.steps
        if any(h.hazard is HazardKind.IRREVERSIBLE for h in step.hazards)
    }


def _run(connection: Connection, commands: list[tuple[Step, str]], title: str) -> None:
    """Run the commands of a transaction, or of a step outside transaction blocks."""
    in_transaction = bool(commands) and bool(commands[0][0].transaction)
    try:
        if in_transaction:
            run_sql(connection, "BEGIN")
        for step, sql in commands:
            _run_command(connection, step, sql, title)
        if in_transaction:
            run_sql(connection, "COMMIT")
    except ProofError:
        if in_transaction:
            run_sql(connection, "ROLLBACK")
        raise


def _run_command(connection: Connection, step: Step, sql: str, title: str) -> None:
    """Run a command; raise ProofError with step and SQL on failure."""
    try:
        run_statement(connection, sql)
    except StatementFailed as error:
        where = f"step {step.id} ({step.action} {step.kind} {step.identity})"
        raise ProofError(f"{title} fails on scratch at {where}: {error}\n{sql}") from error


def _differing(found: State, expected: State) -> list[Change]:
    """List the changes from the found state to the expected state."""
    return with_inheritance(changes(found, expected), found, expected)


def _check(complaint: str, differing: list[Change]) -> None:
    """Raise ProofError with the first differences, if any."""
    if differing:
        lines = "\n".join(f"  {described(c)}" for c in differing[:SHOWN])
        raise ProofError(f"{complaint}:\n{lines}")


def described(change: Change) -> str:
    """Describe a change in a line."""
    details = "; ".join(f"{d.field}: {d.live!r} → {d.wanted!r}" for d in change.differences)
    return f"{change.action} {change.ref}" + (f" ({details})" if details else "")
