"""Record a run in the journal: the plan, each step, the objects before and after."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

from reconciler.apply.outcome import Outcome
from reconciler.apply.session import prepare, prepared
from reconciler.errors import ConnectionFailed, ReconcileError, StatementFailed
from reconciler.introspect.global_objects import with_global_objects
from reconciler.introspect.introspect import Snapshot, introspect
from reconciler.journal.journal import Journal, begin
from reconciler.journal.ownership import Place
from reconciler.model.ref import Ref
from reconciler.model.state import State
from reconciler.monitor.read import read_statistics
from reconciler.plan.plan import Permission, Plan
from reconciler.server.connection import Connection, translated
from reconciler.server.locks import LockPolicy

Models = dict[Ref, dict[str, Any] | None]  # None for objects that do not exist


@dataclass(frozen=True)
class Recorded:
    """The place of the journal, if any, and what is recorded beside the plan.

    `used` are the permissions that entries of approvals.yml give; `rollout` names a roll-out.
    """

    place: Place | None
    used: Sequence[Permission] = ()
    rollout: str = ""


@dataclass
class RunRecord:
    """The journal entry of a run in progress.

    after    the state of the database after the run, once it was read
    unseen   why that state could not be read
    """

    entry: Journal
    status: str = "interrupted"
    after: Snapshot | None = None
    unseen: str = ""

    def close(self, plan: Plan, outcome: Outcome, connection: Connection) -> Outcome:
        """Record the outcome, and read the state after the run.

        A failure to read the state does not make the run a failure.
        """
        self.status = "failed" if outcome.failed or outcome.skipped else "done"
        if not plan.steps:
            return outcome
        try:
            self.after = with_global_objects(introspect(connection), connection, plan.touches)
        except StatementFailed as e:
            self.unseen = str(e)
        return replace(outcome, unseen=self.unseen)


@contextmanager
def record_run(
    plan: Plan,
    live: Snapshot,
    target: str,
    connection: Connection,
    policy: LockPolicy,
    journal: Recorded,
) -> Generator[RunRecord]:
    """Open a journal entry, and close the entry however the run ends.

    An error that ends the run gets the entry's complaints as notes.
    """
    record = RunRecord(_begin(plan, live, connection, journal) if plan.steps else Journal())
    try:
        yield from _closing(record, plan, target, connection, policy)
    except ReconcileError as error:
        for complaint in record.entry.complaints:
            error.add_note(complaint)
        raise


def _closing(
    record: RunRecord, plan: Plan, target: str, connection: Connection, policy: LockPolicy
) -> Generator[RunRecord]:
    try:
        yield record
    finally:
        if record.entry.run is not None:
            _close(record, plan, target, connection, policy)


def _begin(plan: Plan, live: Snapshot, connection: Connection, journal: Recorded) -> Journal:
    before = models_of(plan.touches, live.state)
    used = [permission.model_dump(mode="json") for permission in journal.used]
    rollout = journal.rollout
    entry = begin(connection, journal.place, plan, before, rollout=rollout, used=used)
    _keep_statistics(entry, "before", plan, connection)
    if connection.closed:
        raise ConnectionFailed("the connection broke before the first step: run again")
    return entry


def _close(
    record: RunRecord, plan: Plan, target: str, connection: Connection, policy: LockPolicy
) -> None:
    """Close the entry, on a new connection if the run's own is of no more use."""
    entry = record.entry
    try:
        works = _usable(connection, policy)
        with nullcontext(connection) if works else prepared(target, policy) as usable:
            entry.close(usable, record.status, _models_after(record, plan, usable))
            _keep_statistics(entry, "after", plan, usable)
    except ReconcileError as e:
        entry.complain(f"how run {entry.run} ended is not recorded: {e}")


def _keep_statistics(entry: Journal, moment: str, plan: Plan, connection: Connection) -> None:
    """Record the statistics by which `monitor` judges the run; the reading waits for nobody."""
    if entry.run is not None:
        statistics = read_statistics(connection, plan.touches)
        entry.baseline(connection, moment, statistics.model_dump(mode="json"))


def _usable(connection: Connection, policy: LockPolicy) -> bool:
    """Prepare the connection again, after whatever cut the run short; tell whether it works."""
    try:
        with translated("", connection):
            connection.rollback()
        prepare(connection, policy)
    except StatementFailed:
        return False
    return True


def _models_after(record: RunRecord, plan: Plan, connection: Connection) -> Models | None:
    """Return the models of the plan's objects after the run; None if unreadable."""
    if not record.unseen:
        try:
            after = record.after
            if after is None:
                after = with_global_objects(introspect(connection), connection, plan.touches)
            return models_of(plan.touches, after.state)
        except StatementFailed as e:
            record.unseen = str(e)
    entry = record.entry
    entry.complain(f"what run {entry.run} left is not recorded: {record.unseen}")
    return None


def models_of(refs: Iterable[Ref], state: State) -> Models:
    """Return the models of objects in the journal's format."""
    return {r: obj.fields() if (obj := state.get(r)) is not None else None for r in refs}
