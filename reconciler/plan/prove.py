"""Prove a plan on scratch: run plan and undo on a clone of the live objects."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

from psycopg.pq import TransactionStatus

from reconciler.diff.diff import Change, changes, shown
from reconciler.diff.inherited import with_inheritance
from reconciler.errors import ProofError, StatementFailed
from reconciler.introspect.introspect import Snapshot, introspect
from reconciler.introspect.unfilled import filled_as, unfilled
from reconciler.model.inheritance import hint_on_joining
from reconciler.model.state import State
from reconciler.plan.plan import Plan
from reconciler.plan.step import Step
from reconciler.server.capabilities import Server
from reconciler.server.connection import Connection, rows, run_sql
from reconciler.server.elevation import run_statement
from reconciler.server.parameters import SEARCH_PATH
from reconciler.server.together import TransactionEnded, run_at_once
from reconciler.sql import compose, literal, text

NOT_IN_PREREQUISITE_STATE = "55000"  # also of a materialized view that is not filled
_SET = "SELECT pg_catalog.set_config(%s, %s, false)"
_SET_PATH = "SELECT pg_catalog.set_config('search_path', {}, false)"
SHOWN = 10  # differences in an error's message


@dataclass(frozen=True)
class Tried:
    """A plan that was run on a clone of the live objects, where it led to the desired state.

    `found` is that state as read back through `connection`, `left_out` what could not be tried.
    """

    plan: Plan
    connection: Connection
    found: Snapshot
    left_out: tuple[str, ...]


def prove_plan(
    plan: Plan,
    connection: Connection,
    desired: State,
    server: Server,
    session: Mapping[str, str],
) -> Tried:
    """Run the plan on the clone of the live objects behind `connection`.

    `server` is the target's, `session` the settings of the run. Raises ProofError unless the plan
    leads to `desired`, so that another plan would be empty.
    """
    _set_as_in_a_run(connection, session)
    left_out: dict[str, None] = {}
    for group in plan.transactions():
        left_out |= _run(connection, [(step, step.sql) for step in group], "the plan")
    found = introspect(connection, server)
    _check(
        "the plan was run on scratch, and left differences",
        _differing(filled_as(found.state, desired.objects), desired),
    )
    return Tried(plan, connection, found, tuple(left_out))


def prove_undo(tried: Tried, live: State, server: Server) -> None:
    """Run the undo of a plan; raises ProofError unless it leads to `live`.

    Objects that the plan changes irreversibly may stay as they are.
    """
    plan, connection = tried.plan, tried.connection
    for group in reversed(plan.transactions()):
        undo = [(step, sql) for step in reversed(group) for sql in step.undo]
        _run(connection, undo, "the undo of the plan")
    found = filled_as(introspect(connection, server).state, live.objects)
    irreversible = _irreversible(plan)
    _check(
        "the plan's undo was run on scratch, and does not lead back",
        [c for c in _differing(found, live) if str(c.ref) not in irreversible],
    )


def _set_as_in_a_run(connection: Connection, session: Mapping[str, str]) -> None:
    """Set what `apply` sets; the connection has the role of the target already.

    An ordinary role may not set every parameter that the role of the target may. Nor is the owner
    of a table above FORCE ROW LEVEL SECURITY as that role may be: `row_security` stays on.
    """
    for parameter, value in session.items():
        if parameter.lower() != "role":
            with suppress(StatementFailed):
                rows(connection, _SET, [parameter, value])


def _irreversible(plan: Plan) -> Collection[str]:
    """Return the objects changed irreversibly by the plan, as kind and identity."""
    return {
        f"{step.kind} {step.identity}"
        for step in plan.steps
        if any(h.has_no_undo for h in step.hazards)
    }


def _run(connection: Connection, commands: list[tuple[Step, str]], title: str) -> dict[str, None]:
    """Run the commands of a transaction, or of a step outside transaction blocks.

    Return what could not be tried. The commands of a transaction are sent together; if one is
    refused, all run again one by one, to name it, or to run it as a superuser.
    """
    if not commands or not commands[0][0].transaction:
        return _run_one_by_one(connection, commands, title)
    try:
        run_at_once(connection, _with_search_paths(commands))
    except TransactionEnded as error:
        raise ProofError(_leaves_transaction(title, error.sql)) from error
    except StatementFailed:
        run_sql(connection, "BEGIN")
        try:
            left_out = _run_one_by_one(connection, commands, title)
            run_sql(connection, "COMMIT")
        except ProofError:
            run_sql(connection, "ROLLBACK")
            raise
        return left_out
    return {}


def _with_search_paths(commands: Iterable[tuple[Step, str]]) -> Iterator[str]:
    """Yield the commands, each search_path before the first command that needs it, as in a run."""
    current = None
    for step, sql in commands:
        path = step.search_path or SEARCH_PATH
        if path != current:
            yield text(compose(_SET_PATH, literal(path)))
            current = path
        yield unfilled(sql, step.kind)


def _run_one_by_one(
    connection: Connection, commands: Iterable[tuple[Step, str]], title: str
) -> dict[str, None]:
    left_out: dict[str, None] = {}
    for step, sql in commands:
        left_out |= _run_command(connection, step, sql, title)
        _require_transaction(connection, sql, title, in_transaction=bool(step.transaction))
    return left_out


def _leaves_transaction(title: str, sql: str) -> str:
    return f"{title} leaves its transaction on scratch:\n{sql}"


def _require_transaction(
    connection: Connection, sql: str, title: str, *, in_transaction: bool
) -> None:
    """Raise ProofError after a command that ended its transaction, or left one open.

    Of a transaction that is not there, COMMIT only warns.
    """
    expected = TransactionStatus.INTRANS if in_transaction else TransactionStatus.IDLE
    if connection.info.transaction_status != expected:
        raise ProofError(_leaves_transaction(title, sql))


def _run_command(connection: Connection, step: Step, sql: str, title: str) -> dict[str, None]:
    """Run a command; raise ProofError with step and SQL on failure.

    Return the backfill that could not be tried, because it reads a materialized view.
    """
    try:
        rows(connection, _SET, ["search_path", step.search_path or SEARCH_PATH])
        run_statement(connection, unfilled(sql, step.kind))
    except StatementFailed as error:
        if step.fill is not None and error.sqlstate == NOT_IN_PREREQUISITE_STATE:
            return {f"the backfill of {step.identity} works: it reads a materialized view": None}
        where = f"step {step.id} ({step.action} {step.kind} {step.identity})"
        advice = hint_on_joining(error.message)
        hint = f"\nhint: {advice}" if advice else ""
        raise ProofError(f"{title} fails on scratch at {where}: {error}{hint}\n{sql}") from error
    return {}


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
    details = "; ".join(
        f"{d.field}: {shown(d.live)} → {shown(d.wanted)}" for d in change.differences
    )
    return f"{change.action} {change.ref}" + (f" ({details})" if details else "")
