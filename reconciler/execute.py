"""Run a plan: (Plan, target) → Outcome. One applier per database, short waits for locks, nothing blocked behind us."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeVar

from reconciler import journal
from reconciler.backfill import Progress, fill
from reconciler.connection import Connection, connect, rows, run
from reconciler.errors import Busy, ConnectionFailed, ReconcileError, StatementFailed
from reconciler.journal import Journal
from reconciler.order import Step
from reconciler.plan import Plan

T = TypeVar("T")
LOCK = (0x7265636F, 0x6E63696C)  # "reco", "ncil": the advisory lock that only one applier holds
RETRIED = {"55P03": "a lock was not to be had", "40P01": "a deadlock", "40001": "a serialization failure"}
DUPLICATE = "42P07"
Status = Literal["done", "failed", "skipped"]


@dataclass(frozen=True)
class Patience:
    """How long we wait, in seconds: `lock` for one try at a lock, `total` for all tries of a step.

    `statement` bounds what should be quick; 0 is without bound.
    """

    lock: float = 2.0
    total: float = 600.0
    statement: float = 0.0


@dataclass(frozen=True)
class StepOutcome:
    """How one step went; `error` says why it failed or was skipped."""

    step: Step
    status: Status
    seconds: float = 0.0
    attempts: int = 1
    error: str = ""


@dataclass(frozen=True)
class Outcome:
    """How a plan went; the four numbers of the recap count objects."""

    steps: tuple[StepOutcome, ...] = ()
    unchanged: int = 0
    run: int | None = None
    left: tuple[str, ...] = ()

    @property
    def ok(self) -> int:
        """Declared objects that were as they should be."""
        return self.unchanged

    @property
    def changed(self) -> int:
        """Objects that were changed, wholly."""
        return len(self._objects() - self._objects("failed") - self._objects("skipped"))

    @property
    def failed(self) -> int:
        """Objects of which a step failed."""
        return len(self._objects("failed"))

    @property
    def skipped(self) -> int:
        """Objects that were not touched, or not finished, because what they wait for failed."""
        return len(self._objects("skipped") - self._objects("failed"))

    def _objects(self, status: Status | None = None) -> set[tuple[str, str]]:
        return {(s.step.kind, s.step.identity) for s in self.steps if status in (None, s.status)}


class Watcher(Protocol):
    """Who is told how a run goes, from whatever thread."""

    def started(self, step: Step) -> None: ...
    def progress(self, step: Step, progress: Progress) -> None: ...
    def waiting(self, step: Step, why: str) -> None: ...
    def ended(self, outcome: StepOutcome) -> None: ...


@dataclass
class _Run:
    """A run on its way."""

    plan: Plan
    target: str
    connection: Connection
    patience: Patience
    watcher: Watcher
    journal: Journal | None
    outcomes: list[StepOutcome] = field(default_factory=list[StepOutcome])
    broken: set[str] = field(default_factory=set[str])


@contextmanager
def sole_applier(target: str) -> Generator[Connection]:
    """A connection that holds the advisory lock of this database; raises Busy where another applier has it."""
    connection = connect(target)
    try:
        if not rows(connection, "SELECT pg_try_advisory_lock(%s, %s) AS got", LOCK)[0]["got"]:
            holder = rows(
                connection,
                """SELECT a.pid, a.usename::text AS role, a.client_addr::text AS address, a.backend_start::text AS since
                   FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid)
                   WHERE l.locktype = 'advisory' AND l.classid = %s AND l.objid = %s AND l.granted
                         AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())""",
                LOCK,
            )
            who = ", ".join(f"pid {h['pid']} ({h['role']}, since {h['since']})" for h in holder) or "it has just ended"
            raise Busy(f"another reconcile is applying to this database: {who}; try again when it is done")
        yield connection
    finally:
        connection.close()


def execute(plan: Plan, target: str, connection: Connection, watcher: Watcher, patience: Patience, *, record: bool = True) -> Outcome:
    """Run every step whose prerequisites succeeded; what fails stops only what depends on it.

    `connection` comes from `sole_applier`. Raises StatementFailed only where the journal cannot be written;
    KeyboardInterrupt is passed on after the run has been recorded as interrupted.
    """
    entry = journal.begin(connection, plan.model_dump(mode="json")) if record and plan.steps else None
    going = _Run(plan, target, connection, patience, watcher, entry)
    run(connection, "SELECT set_config('search_path', '', false)")
    run(connection, "SELECT set_config('check_function_bodies', 'off', false)")
    run(connection, "SELECT set_config('row_security', 'off', false)")  # better refused than a backfill that misses rows
    try:
        for group in plan.transactions():
            _group(going, group)
    except BaseException:
        _close(going, "interrupted")
        raise
    _close(going, "failed" if going.broken else "done")
    return Outcome(tuple(going.outcomes), plan.unchanged, entry.run if entry else None)


def _close(going: _Run, status: str) -> None:
    if going.journal is None or going.connection.closed:
        return
    going.journal.finish(status)


def _group(going: _Run, group: Sequence[Step]) -> None:
    """Run the steps of one transaction, or the one step that has none."""
    own = {s.id for s in group}
    missing = {d for s in group for d in s.depends_on if d in going.broken and d not in own}
    if missing:
        first = min(missing)
        for step in group:
            _end(going, StepOutcome(step, "skipped", attempts=0, error=f"waits for step {first}, which was not done"))
        return
    for step in group:
        going.watcher.started(step)
    began, tries = time.monotonic(), [0]

    def work() -> None:
        tries[0] += 1
        _commit(going, group)

    try:
        if group[0].fill is not None:
            fill(going.connection, group[0].fill, lambda b: _patiently(going, group[0], b), lambda p: going.watcher.progress(group[0], p))
            tries[0] = 1
        else:
            _patiently(going, group[-1], work)
    except StatementFailed as e:
        if going.connection.closed:
            raise ConnectionFailed(f"the connection broke at step {group[0].id}: {e.message}; run again to continue") from e
        for step in group:
            blame = e.sql in ("", step.sql) or len(group) == 1 or step.fill is not None
            why = str(e) if blame else "rolled back with its transaction"
            _end(going, StepOutcome(step, "failed" if blame else "skipped", time.monotonic() - began, tries[0], why))
        return
    for step in group:
        _end(going, StepOutcome(step, "done", time.monotonic() - began, tries[0]))


def _end(going: _Run, outcome: StepOutcome) -> None:
    going.outcomes.append(outcome)
    if outcome.status != "done":
        going.broken.add(outcome.step.id)
    going.watcher.ended(outcome)
    if going.journal is not None:
        going.journal.step(outcome.step.id, outcome.status, outcome.seconds, outcome.attempts, outcome.error or None)


def _bound(going: _Run, *, long: bool) -> None:
    """Set how long the next statements may wait and run, whatever the role or the database would have it."""
    for setting, seconds in (("lock_timeout", going.patience.lock), ("statement_timeout", going.patience.statement)):
        run(going.connection, f"SELECT set_config('{setting}', '{0 if long else int(seconds * 1000)}', false)")


def _commit(going: _Run, group: Sequence[Step]) -> None:
    connection = going.connection
    _bound(going, long=any(s.long for s in group))
    if not group[0].transaction:
        with _watched(going, group[0]):
            try:
                run(connection, group[0].sql)
            except StatementFailed as e:
                if e.sqlstate != DUPLICATE:  # what stands there under that name is not ours
                    _mend(connection, group[0])
                raise
        return
    with connection.transaction():
        for step in group:
            run(connection, step.sql)


def _mend(connection: Connection, step: Step) -> None:
    """Clear what a failed try left; what cannot be cleared now is found as a leftover by the next plan."""
    for sql in step.mend:
        with suppress(StatementFailed):
            run(connection, sql)


def _patiently(going: _Run, step: Step, work: Callable[[], T]) -> T:
    """Try, and try again after a pause that grows, while only a lock is in the way and the budget lasts."""
    pauses = _pauses()
    deadline = time.monotonic() + going.patience.total
    if step.fill is not None:
        _bound(going, long=False)
    while True:
        try:
            return work()
        except StatementFailed as e:
            pause = next(pauses)
            if e.sqlstate not in RETRIED or time.monotonic() + pause > deadline:
                raise
            going.watcher.waiting(step, f"{RETRIED[e.sqlstate]}{_blockers(going, step)}; again in {pause:.1f} s")
            time.sleep(pause)


def _pauses() -> Iterator[float]:
    """Seconds, doubling from a quarter to thirty, each shaken so that two appliers do not march in step."""
    pause = 0.25
    while True:
        yield pause * random.uniform(0.75, 1.25)  # noqa: S311 - not a secret
        pause = min(pause * 2, 30.0)


def _blockers(going: _Run, step: Step) -> str:
    """Who holds a lock on the step's relation at this moment, in words."""
    if not step.relation:
        return ""
    schema, _, relation = step.relation.partition(".")
    held = rows(
        going.connection,
        """SELECT DISTINCT a.pid, a.usename::text AS role, a.application_name AS application, a.state,
                  extract(epoch FROM clock_timestamp() - coalesce(a.xact_start, a.query_start))::int AS seconds, left(a.query, 60) AS query
           FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid)
           WHERE l.relation = to_regclass(quote_ident(%s) || '.' || quote_ident(%s)) AND l.granted AND a.pid <> pg_backend_pid()""",
        [schema, relation],
    )
    named = [
        f"pid {h['pid']} ({h['role']}, {h['application'] or 'no application name'}, {h['state']} for {h['seconds']} s: {h['query']})"
        for h in held
    ]
    return f": held by {'; '.join(named)}" if named else ""


@contextmanager
def _watched(going: _Run, step: Step) -> Generator[None]:
    """Tell the watcher how far an index build is, as a second connection sees it."""
    if "INDEX CONCURRENTLY" not in step.sql or not step.sql.startswith("CREATE"):
        yield
        return
    pid, stop = going.connection.info.backend_pid, threading.Event()

    def look() -> None:
        try:
            with connect(going.target, application="reconcile progress") as other:
                while not stop.wait(0.5):
                    for row in rows(other, PROGRESS, [pid]):
                        going.watcher.progress(step, Progress(row["done"], row["total"], row["unit"]))
        except ReconcileError:
            return  # whoever watches is not worth failing for

    thread = threading.Thread(target=look, name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


PROGRESS = """
    SELECT phase AS unit, CASE WHEN blocks_total > 0 THEN blocks_done WHEN tuples_total > 0 THEN tuples_done ELSE lockers_done END AS done,
           CASE WHEN blocks_total > 0 THEN blocks_total WHEN tuples_total > 0 THEN tuples_total ELSE lockers_total END AS total
    FROM pg_stat_progress_create_index WHERE pid = %s"""
