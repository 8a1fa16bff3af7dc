"""Record a run in the journal: its plan, each step, the objects before and after."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

from reconciler.apply.outcome import Outcome
from reconciler.apply.session import prepare
from reconciler.errors import ReconcileError, StatementFailed
from reconciler.introspect.introspect import Snapshot, introspect
from reconciler.journal.journal import Journal, begin
from reconciler.model.ref import Ref
from reconciler.model.state import State
from reconciler.plan.plan import Plan
from reconciler.server.connection import Connection, connect
from reconciler.server.locks import LockPolicy


@contextmanager
def prepared(target: str, patience: LockPolicy) -> Generator[Connection]:
    """A connection beside, or instead of, the one that applies: with the same settings."""
    with connect(target) as connection:
        prepare(connection, patience)
        yield connection


def seen(outcome: Outcome, run: _Record, connection: Connection) -> Outcome:
    """Look at what a run has left; that nobody could does not unmake what was done."""
    try:
        run.after = introspect(connection)
    except StatementFailed as e:
        run.unseen = str(e)
    return replace(outcome, unseen=run.unseen)


@dataclass
class _Record:
    """What is to be said of a run when it ends, however it ends."""

    entry: Journal
    status: str = "interrupted"
    after: Snapshot | None = None
    unseen: str = ""  # why nobody could look


@contextmanager
def record_run(
    plan: Plan,
    live: Snapshot,
    target: str,
    connection: Connection,
    patience: LockPolicy,
    schema: str | None,
) -> Generator[_Record]:
    """Open the entry of a run, and close it as well as can be."""
    before = recorded(plan.touches, live.state)
    told = plan.model_dump(mode="json")
    run = _Record(
        begin(connection, schema, told, before, rollback_of=plan.rollback_of)
        if plan.steps
        else Journal()
    )
    try:
        yield run
    finally:
        if run.entry.run is not None:
            try:
                usual = not connection.closed and (run.after is not None or run.unseen)
                with nullcontext(connection) if usual else prepared(target, patience) as usable:
                    run.entry.close(usable, run.status, _left(plan, run, usable))
            except ReconcileError as e:
                run.entry.complain(f"how run {run.entry.run} ended is not recorded: {e}")


def _left(
    plan: Plan, run: _Record, connection: Connection
) -> dict[Ref, dict[str, Any] | None] | None:
    """The models of what a run has left; None where nobody can look."""
    try:
        if not run.unseen:
            return recorded(plan.touches, (run.after or introspect(connection)).state)
    except StatementFailed as e:
        run.unseen = str(e)
    run.entry.complain(f"what run {run.entry.run} left is not recorded: {run.unseen}")
    return None


def recorded(refs: Iterable[Ref], state: State) -> dict[Ref, dict[str, Any] | None]:
    """The models of objects as the journal keeps them; None for what is not there."""
    return {r: obj.fields() if (obj := state.get(r)) is not None else None for r in refs}
