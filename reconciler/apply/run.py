"""Hold the state of a plan's execution."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from psycopg.errors import Diagnostic

from reconciler.apply.observer import Monitor
from reconciler.apply.outcome import StepOutcome, Watcher
from reconciler.apply.postcondition import Named
from reconciler.journal.journal import Journal, StepRecord
from reconciler.plan.plan import Plan
from reconciler.plan.step import Step
from reconciler.server.connection import Connection
from reconciler.server.locks import LockPolicy
from reconciler.server.parameters import SEARCH_PATH


@dataclass(frozen=True)
class Executed:
    """A transaction that was executed, or a single step; the objects are not checked yet.

    `seconds` are those of each step by its id; `attempts` are those of the execution, `ended` is
    its end by time.monotonic.
    """

    group: Sequence[Step]
    seconds: Mapping[str, float]
    attempts: int
    ended: float = field(default_factory=time.monotonic)

    def outcome(self, step: Step, error: str = "") -> StepOutcome:
        """Return the outcome of a step of the group: failed if there is an error."""
        seconds = self.seconds.get(step.id, 0.0)
        return StepOutcome(step, "failed" if error else "done", seconds, self.attempts, error)


@dataclass
class Run:
    """The execution of a plan.

    target            the connection string of `connection`
    pid               the server process of `connection`
    timeline          of the server's WAL at the beginning
    transaction       id of the transaction under way, or of the last one; "" outside transactions
    deadlock_timeout  seconds of waiting after which other sessions look for deadlocks
    autovacuum_grace  seconds for which each step lets autovacuum workers continue
    idle_limits       of the transactions of steps and of others, in milliseconds
    search_path       of the step under way
    pending           steps without an outcome, in order
    created           names of relations and other objects that the run has created
    unchecked         executed transactions whose steps are still pending
    check_seconds     of the last check of executed transactions, with its record in the journal
    broken            ids of steps that failed or were skipped
    end_message        SQLSTATE and message with which the server ended the session
    deferred          objects that were not as planned after their own last step, although steps
                      on related objects were pending: checked again at the end
    """

    plan: Plan
    target: str
    connection: Connection
    pid: int
    timeline: str
    deadlock_timeout: float
    autovacuum_grace: float
    idle_limits: tuple[int, int]
    policy: LockPolicy
    watcher: Watcher
    monitor: Monitor
    journal: Journal
    outcomes: list[StepOutcome] = field(default_factory=list[StepOutcome])
    broken: set[str] = field(default_factory=set[str])
    pending: list[Step] = field(default_factory=list[Step])
    created: set[str] = field(default_factory=set[str])
    unchecked: list[Executed] = field(default_factory=list[Executed])
    check_seconds: float = 0.0
    transaction: str = ""
    end_message: tuple[str, str] | None = None
    search_path: str = SEARCH_PATH
    deferred: set[Named] = field(default_factory=set[Named])

    def hear(self, notice: Diagnostic) -> None:
        """Keep the reason with which the server ended the session while no statement ran."""
        if notice.severity_nonlocalized == "FATAL":
            self.end_message = notice.sqlstate or "", notice.message_primary or ""

    def executed(self, executed: Executed) -> None:
        """Keep an executed transaction until its objects are checked."""
        self.unchecked.append(executed)
        self.created |= {step.identity for step in executed.group if step.action == "create"}

    def end_unchecked(self) -> None:
        """Record executed steps as done, when their objects can be checked no more.

        Nothing is built on them: the run ends, and the next plan begins with the present state.
        """
        unchecked, self.unchecked = self.unchecked, []
        if outcomes := [e.outcome(step) for e in unchecked for step in e.group]:
            self.end(*outcomes)

    def end(self, *outcomes: StepOutcome) -> None:
        """Record and report the outcomes of pending steps."""
        self.outcomes.extend(outcomes)
        ended = {o.step.id for o in outcomes}
        self.pending = [s for s in self.pending if s.id not in ended]
        self.broken |= {o.step.id for o in outcomes if o.status != "done"}
        self.report(*outcomes)

    def report(self, *outcomes: StepOutcome) -> None:
        """Report outcomes to the watcher, and record them in the journal in one transaction."""
        for outcome in outcomes:
            self.watcher.ended(outcome)
        records = [
            StepRecord(o.step.id, o.status, o.seconds, o.attempts, o.error or None)
            for o in outcomes
        ]
        self.journal.steps(self.connection, records)
