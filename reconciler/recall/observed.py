"""Plan, and take the fingerprint of the catalogs before they are read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from reconciler.accepted import Accepted, compare_accepted
from reconciler.errors import DeclarationError
from reconciler.introspect.global_objects import for_declaration
from reconciler.introspect.introspect import Snapshot
from reconciler.pipeline import Job, plan_of
from reconciler.plan.plan import Plan
from reconciler.recall.ahead import Ahead
from reconciler.recall.remembered import Question, Result
from reconciler.server.catalog_fingerprint import CatalogFingerprint
from reconciler.server.connection import Connection
from reconciler.server.installation import places_of_programs
from reconciler.server.scratch import OWN

T = TypeVar("T")
Examination = Callable[[Plan, Snapshot, Connection], T]


@dataclass(frozen=True)
class Observed(Generic[T]):
    """A plan, and the fingerprint of all inputs; None if the fingerprint leaves out an input.

    `found` is the result of the examination that was asked for. `refused` is the error about the
    declared objects that the plan leaves out.
    """

    plan: Plan
    found: T
    fingerprint: CatalogFingerprint | None = None
    refused: DeclarationError | None = None

    def remember(self, question: Question, result: Result, job: Job) -> None:
        """Store the output of a command, if the fingerprint can tell later changes."""
        sources = job.declaration.sources
        if self.fingerprint is None or sources is None:
            return
        places = places_of_programs() if self.plan.scratch else ()
        variables = job.declaration.variables
        question.remember(result, self.fingerprint, sources, job.session, places, variables)


def plan_alone(plan: Plan, live: Snapshot, connection: Connection) -> Plan:
    """Examine nothing more than the plan."""
    del live, connection
    return plan


def observe(
    job: Job, ahead: Ahead, examine: Examination[T], *, partly: bool = False
) -> Observed[T]:
    """Plan as `pipeline.plan_changes`, and examine more; take a fingerprint for a question.

    What is read after the fingerprint is at least as new: if the fingerprint is the same later on,
    all was read as it still is. With `partly`, what PostgreSQL refuses is left out of a plan that
    nobody is to run.
    """
    connection, fingerprint, live = ahead.read(job.target, job.session, job.role)
    with connection:
        live, _ = for_declaration(live, connection, job.declaration)
        compare = compare_accepted if partly else _compare_all
        accepted = compare(job, live, connection)
        plan, refused = accepted.plan, accepted.refused
        found = examine(plan, live, connection)
    is_complete = refused is None and _is_complete(job, plan, live)
    return Observed(plan, found, fingerprint if is_complete else None, refused)


def _compare_all(job: Job, live: Snapshot, connection: Connection) -> Accepted:
    return Accepted(plan_of(job, live, connection))


def _is_complete(job: Job, plan: Plan, live: Snapshot) -> bool:
    """Tell whether a plan follows from the catalogs, the files and programs on this machine.

    Sizes, rows and other sessions decide about the rest: about steps, and about unfinished work.
    """
    unfinished = live.building or live.context.leftovers or live.context.unfinished
    own_scratch = not plan.scratch or job.scratch in OWN
    return plan.in_sync and not plan.steps and not unfinished and own_scratch
