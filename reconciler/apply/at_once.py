"""Execute transactions that only create objects together: in one transaction, sent at once.

No other session knows the objects, so no statement waits for a lock on a relation, and a longer
transaction is in nobody's way.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from functools import partial

from reconciler.apply.lost import record_lost, transaction_id
from reconciler.apply.retry import statement_timeouts, step_timeouts
from reconciler.apply.run import Executed, Run
from reconciler.apply.step_checks import check_before, only_creates
from reconciler.errors import StatementFailed
from reconciler.introspect.global_objects import GLOBAL
from reconciler.plan.step import Step
from reconciler.server.connection import translated
from reconciler.server.together import send_together

MAX_STEPS = 200  # of one transaction: its locks must fit into max_locks_per_transaction


@dataclass(frozen=True)
class Batch:
    """Consecutive transactions of a plan; or one, or a step outside transaction blocks.

    at_once  whether the steps only create objects, and wait for no lock
    """

    groups: Sequence[Sequence[Step]]
    at_once: bool = False

    @property
    def steps(self) -> list[Step]:
        """The steps in order."""
        return [step for group in self.groups for step in group]


def batches(run: Run) -> Iterator[Batch]:
    """Yield the plan's transactions, those together that can run at once.

    Each batch is to be executed before the next is asked for.
    """
    groups: list[Sequence[Step]] = []
    created, size = {*run.created}, 0
    for group in run.plan.transactions():
        fits = _fits(group, created)
        if groups and not (fits and size + len(group) <= MAX_STEPS):
            yield Batch(groups, at_once=True)
            groups, created, size = [], {*run.created}, 0
            fits = _fits(group, created)
        if not fits:
            yield Batch([group])
            created = {*run.created}
            continue
        groups.append(group)
        created |= {step.identity for step in group}
        size += len(group)
    if groups:
        yield Batch(groups, at_once=True)


def _fits(group: Sequence[Step], created: Set[str]) -> bool:
    """Tell whether the steps only create objects, and wait for no lock on a relation.

    A role is known to other sessions, and to runs for other databases.
    """
    own = {step.identity for step in group}
    return all(
        only_creates(step)
        and step.kind not in GLOBAL
        and not (step.search_path or step.environment or step.database)
        and all(lock.relation in created or lock.relation in own for lock in step.locks)
        for step in group
    )


def execute_at_once(run: Run, batch: Batch) -> bool:
    """Execute the steps of a batch in one transaction; tell whether that was possible.

    If a statement fails, nothing is done. Raises ConnectionFailed if the connection breaks.
    """
    steps = batch.steps
    prerequisites = {d for step in steps for d in step.depends_on}
    if not batch.at_once or len(steps) == 1 or prerequisites & run.broken:
        return False
    check_before(run, steps)
    for step in steps:
        run.watcher.started(step)
    progress, waiting = (
        partial(run.watcher.progress, steps[0]),
        partial(run.watcher.waiting, steps[0]),
    )
    began = time.monotonic()
    run.transaction = ""
    try:
        with run.monitor.looking(progress, waiting):
            _execute(run, steps)
    except StatementFailed as error:
        if run.connection.closed:
            raise record_lost(run, steps, error) from error
        return False
    share = (time.monotonic() - began) / len(steps)
    run.executed(Executed(steps, {step.id: share for step in steps}, attempts=1))
    return True


def _execute(run: Run, steps: Sequence[Step]) -> None:
    lock, _ = statement_timeouts(run, steps[0], attempt=1)
    statement = run.policy.statement and run.policy.statement + lock
    with translated("", run.connection), run.connection.transaction():
        run.transaction = transaction_id(run.connection)
        step_timeouts(run, lock, statement)
        send_together(run.connection, (step.sql for step in steps))
