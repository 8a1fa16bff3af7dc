"""The state of a run in progress."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar

from reconciler.apply.observer import Monitor
from reconciler.apply.outcome import StepOutcome, Watcher
from reconciler.apply.postcondition import Named
from reconciler.journal.journal import Journal
from reconciler.plan.plan import Plan
from reconciler.plan.step import Step
from reconciler.server.connection import Connection
from reconciler.server.locks import LockPolicy

T = TypeVar("T")


@dataclass
class Run:
    """A run on its way, in the server's process `pid`; others look for deadlocks when they have waited for `suspicion` seconds.

    For `vacuums` seconds each step lets autovacuum work on.
    """

    plan: Plan
    connection: Connection
    pid: int
    suspicion: float
    vacuums: float
    patience: LockPolicy
    watcher: Watcher
    monitor: Monitor
    journal: Journal
    outcomes: list[StepOutcome] = field(default_factory=list[StepOutcome])
    broken: set[str] = field(default_factory=set[str])
    pending: list[Step] = field(default_factory=list[Step])
    doubtful: set[Named] = field(
        default_factory=set[Named]
    )  # not yet what was planned, which what is pending may mend
