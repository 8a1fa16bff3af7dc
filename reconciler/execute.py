"""Run a plan: (Plan, target) → Outcome. One applier per database, short waits for locks, nothing blocked behind us."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from math import ceil
from typing import Literal, Protocol, TypeVar

from reconciler.backfill import Progress, fill
from reconciler.connection import Connection, adjust, connect, rows, run, server_of
from reconciler.errors import Busy, ConnectionFailed, Interrupted, StatementFailed
from reconciler.journal import Journal
from reconciler.locks import Blocker, Patience, Queue, holders, named, pauses, stronger
from reconciler.monitor import Monitor
from reconciler.order import Step
from reconciler.plan import Plan
from reconciler.postcondition import Named, unmet
from reconciler.statement import Fill, spellings

T = TypeVar("T")
LOCK = (0x7265636F, 0x6E63696C)  # "reco", "ncil": the advisory lock that only one applier holds
EVERY = 0.5  # seconds between two looks of the monitor
LOOKING = "10s"  # how long what only looks may wait for a lock
UNSUSPECTED = 0.75  # of deadlock_timeout, after which who waits looks whether it waits in a circle
SOON = 0.1  # seconds, after which our own session does
VACUUMS = 60.0  # seconds for which autovacuum is let be, where it would not give way before others had noticed
LEAST = 0.05  # seconds: long enough for who holds a lock for but a statement
_DEADLOCK_TIMEOUT = "(SELECT reset_val::float8 / 1000 FROM pg_settings WHERE name = 'deadlock_timeout')"
LOCK_NOT_AVAILABLE = "55P03"
RETRIED = {LOCK_NOT_AVAILABLE: "a lock was not to be had", "40P01": "a deadlock", "40001": "a serialization failure"}
DUPLICATE = "42P07"
POOLED = (
    "a pooler stands between us and the server, and gives every transaction another session, without our settings and our lock: "
    "name the server itself, or the pooler's session mode"
)
BUILT = "DROP INDEX CONCURRENTLY IF EXISTS "
# An index of that name that a build of ours may have left: not a sound one, nor one that somebody else is at.
LEFT = """
    SELECT EXISTS (SELECT FROM pg_stat_progress_create_index AS p
                   WHERE p.pid <> pg_backend_pid() AND p.datname = current_database()
                         AND coalesce(p.index_relid, i.indexrelid) = i.indexrelid) AS theirs
    FROM pg_index AS i WHERE i.indexrelid = to_regclass(%s) AND NOT (i.indisvalid AND i.indisready)"""
Status = Literal["done", "failed", "skipped"]


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
    notes: tuple[str, ...] = ()
    unseen: str = ""  # why nobody could look at what is there now

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
    def noticed(self, words: str) -> None: ...


class Unheard:
    """A watcher that cannot do any harm: a terminal that is gone, say, is no reason to stop half-way."""

    def __init__(self, watcher: Watcher) -> None:
        self._watcher = watcher

    def started(self, step: Step) -> None:
        with suppress(Exception):
            self._watcher.started(step)

    def progress(self, step: Step, progress: Progress) -> None:
        with suppress(Exception):
            self._watcher.progress(step, progress)

    def waiting(self, step: Step, why: str) -> None:
        with suppress(Exception):
            self._watcher.waiting(step, why)

    def ended(self, outcome: StepOutcome) -> None:
        with suppress(Exception):
            self._watcher.ended(outcome)

    def noticed(self, words: str) -> None:
        with suppress(Exception):
            self._watcher.noticed(words)


@dataclass
class _Run:
    """A run on its way, in the server's process `pid`; others look for deadlocks when they have waited for `suspicion` seconds.

    For `vacuums` seconds each step lets autovacuum work on.
    """

    plan: Plan
    connection: Connection
    pid: int
    suspicion: float
    vacuums: float
    patience: Patience
    watcher: Watcher
    monitor: Monitor
    journal: Journal
    outcomes: list[StepOutcome] = field(default_factory=list[StepOutcome])
    broken: set[str] = field(default_factory=set[str])
    pending: list[Step] = field(default_factory=list[Step])
    doubtful: set[Named] = field(default_factory=set[Named])  # not yet what was planned, which what is pending may mend


def prepare(connection: Connection, patience: Patience) -> None:
    """Give a session our settings and then those that people asked for: the very same for all that a run asks and does.

    Nothing that the role or the database brings along cuts it short. Raises StatementFailed.
    """
    settings = {"search_path": "", "check_function_bodies": "off", "lock_timeout": LOOKING}
    settings["row_security"] = "off"  # better refused than a backfill that misses rows
    unbounded = ["statement_timeout", "idle_in_transaction_session_timeout"]
    if server_of(connection).has_transaction_timeout:
        unbounded.append("transaction_timeout")
    allowed = server_of(connection).may_set.format("'deadlock_timeout'")
    if rows(connection, f"SELECT {allowed} AND {_DEADLOCK_TIMEOUT} > {SOON} AS allowed")[0]["allowed"]:
        settings["deadlock_timeout"] = f"{SOON}s"  # so soon autovacuum gives way, and nobody waits for us to wait for it
    adjust(connection, {**settings, **dict.fromkeys(unbounded, "0"), **patience.session})


def _pid(connection: Connection) -> int:
    """The server's process; a pooler tells the driver another one."""
    return rows(connection, "SELECT pg_backend_pid() AS pid")[0]["pid"]


def _timeouts(connection: Connection) -> tuple[float, float]:
    """After how many seconds of waiting others look for deadlocks, and for how many we let autovacuum work on."""
    own = "extract(epoch FROM current_setting('deadlock_timeout')::interval)::float8"
    (found,) = rows(connection, f"SELECT {_DEADLOCK_TIMEOUT} AS others, {own} AS own")
    return found["others"], 0.0 if found["own"] <= SOON else VACUUMS


@contextmanager
def sole_applier(target: str, patience: Patience | None = None) -> Generator[Connection]:
    """A prepared connection that holds the advisory lock of this database; raises Busy where another applier has it."""
    connection = connect(target)
    try:
        if len({_pid(connection) for _ in range(3)}) > 1:  # there our lock would outlive us
            raise ConnectionFailed(POOLED)
        prepare(connection, patience or Patience())
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


def execute(plan: Plan, target: str, connection: Connection, watcher: Watcher, patience: Patience, journal: Journal) -> Outcome:
    """Run every step whose prerequisites succeeded; what fails stops only what depends on it.

    `connection` comes from `sole_applier`. Raises ConnectionFailed where the connection breaks, and Interrupted on Ctrl-C,
    once the statement that ran is cancelled and cleared away.
    """
    pid = _pid(connection)
    with Monitor(target, pid, min(EVERY, patience.lock / 16)) as monitor:
        going = _Run(plan, connection, pid, *_timeouts(connection), patience, Unheard(watcher), monitor, journal, pending=list(plan.steps))
        try:
            for group in plan.transactions():
                _group(going, group)
            _doubts(going)
            with suppress(StatementFailed):  # the last step is done, whatever becomes of the connection
                _within(going, 0.0, 0.0)  # what is read next is bounded by nothing of ours
        except KeyboardInterrupt:
            raise Interrupted(_stopped(going)) from None
    return Outcome(tuple(going.outcomes), plan.unchanged, journal.run)


def _stopped(going: _Run) -> str:
    done = sum(o.status == "done" for o in going.outcomes)
    at = f" in step {going.pending[0].id}" if going.pending else ""
    return f"stopped{at}: {done} of {len(going.plan.steps)} steps are done and stay done; run again to continue"


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
        _commit(going, group, tries[0])

    try:
        if group[0].fill is not None:
            _fill(going, group[0], group[0].fill)
            tries[0] = 1
        else:
            _patiently(going, group, work)
    except StatementFailed as e:
        _alive(going, group, e)
        for step in group:
            blame = e.sql in ("", step.sql) or len(group) == 1 or step.fill is not None
            why = str(e) if blame else "rolled back with its transaction"
            _end(going, StepOutcome(step, "failed" if blame else "skipped", time.monotonic() - began, tries[0], why))
        return
    wrong = _unmet(going, group)
    for step in group:
        why = wrong.get((step.kind, step.identity), "")
        _end(going, StepOutcome(step, "failed" if why else "done", time.monotonic() - began, tries[0], why))


def _alive(going: _Run, group: Sequence[Step], failure: StatementFailed) -> None:
    if going.connection.closed:
        raise ConnectionFailed(f"the connection broke at step {group[0].id}: {failure.message}; run again to continue") from failure


def _end(going: _Run, outcome: StepOutcome) -> None:
    going.outcomes.append(outcome)
    going.pending = [s for s in going.pending if s.id != outcome.step.id]
    if outcome.status != "done":
        going.broken.add(outcome.step.id)
    _tell(going, outcome)


def _tell(going: _Run, outcome: StepOutcome) -> None:
    going.watcher.ended(outcome)
    going.journal.step(going.connection, outcome.step.id, outcome.status, outcome.seconds, outcome.attempts, outcome.error or None)


# -- what must hold afterwards -----------------------------------------------------------------------------------------


def _unmet(going: _Run, group: Sequence[Step]) -> Mapping[Named, str]:
    """Why objects whose last step this was are not what was planned; doubts that later steps may mend are kept for the end."""
    own = {s.id for s in group}
    later = [s for s in going.pending if s.id not in own]
    unfinished = {(s.kind, s.identity) for s in later}
    ended = {(s.kind, s.identity) for s in group} - unfinished
    wrong = _looked(going, group, ended)
    relations = {(s.kind, s.identity): s.relation for s in group}
    busy = {s.relation for s in later} | {s.identity for s in later}
    going.doubtful |= {o for o in wrong if {relations[o], o[1]} & busy}
    return {o: f"it succeeded, but {o[0]} {o[1]} is not as planned: {why}" for o, why in wrong.items() if o not in going.doubtful}


def _doubts(going: _Run) -> None:
    """What was not as planned when its own steps were done, and is not now: the last of them has failed after all."""
    if not going.doubtful:
        return
    wrong = dict(_looked(going, going.plan.steps[-1:], going.doubtful))
    for n, outcome in reversed([*enumerate(going.outcomes)]):
        why = wrong.pop((outcome.step.kind, outcome.step.identity), "")
        if why and outcome.status == "done":
            going.outcomes[n] = replace(outcome, status="failed", error=f"it succeeded, but {why}")
            going.broken.add(outcome.step.id)
            _tell(going, going.outcomes[n])


def _looked(going: _Run, group: Sequence[Step], objects: Collection[Named]) -> Mapping[Named, str]:
    """Why objects are not what was planned; whoever locks what must be read to tell is waited for, like by any step."""

    def work() -> Mapping[Named, str]:
        _within(going, going.patience.lock / 4, 0.0)  # it holds what it has read already
        return unmet(going.connection, going.plan, objects)

    try:
        return _patiently(going, group, work, politely=False)
    except StatementFailed as e:
        _alive(going, group, e)
        return dict.fromkeys(objects, f"it could not be read: {e}")


# -- one try, and the next ---------------------------------------------------------------------------------------------


def _fill(going: _Run, step: Step, spec: Fill) -> None:
    """Fill in batches; the journal's schema keeps the place, where there is a journal."""

    def attempt(batch: Callable[[], T]) -> T:
        _bound(going, step)
        done = _patiently(going, [step], batch)
        _within(going, 0.0, 0.0)
        return done

    progress = partial(going.watcher.progress, step)
    _within(going, 0.0, 0.0)  # what is read beside the batches waits as long as it takes: nobody has to wait behind it
    fill(going.connection, spec, attempt, progress, journal=going.journal.schema or None)


def _bound(going: _Run, step: Step, tries: int = 4) -> None:
    """Set how long the next statement may wait and run, whatever the role or the database would have it."""
    _within(going, *_bounds(going, step, tries))


def _bounds(going: _Run, step: Step, tries: int, held: float | None = None) -> tuple[float, float]:
    """How many seconds a step may wait for its lock, and then run.

    The first tries wait but a fraction of what the later ones do: mostly that is enough, and nobody has to wait longer for us.
    Since it is `held` that a lock of the same transaction may have made others wait: it must be ours that ends before one of
    them looks for deadlocks, finds that we wait for it in turn, and is made to fail.
    """
    wait = 0.0 if step.long else going.patience.lock / 2 ** max(4 - tries, 0)
    if wait and held is not None:
        wait = max(min(wait, UNSUSPECTED * going.suspicion - (time.monotonic() - held)), LEAST)
    last = going.patience.statement + wait if step.quick and going.patience.statement else 0.0  # to PostgreSQL, waiting is running
    return wait, last


def _within(going: _Run, wait: float, last: float) -> None:
    """How many seconds each statement may wait for a lock, and run; 0 is without bound.

    Raises ConnectionFailed where that would be said to a session which is not ours.
    """
    words = "SELECT pg_backend_pid() AS pid, set_config('lock_timeout', %s, false), set_config('statement_timeout', %s, false)"
    if rows(going.connection, words, [f"{ceil(wait * 1000)}", f"{ceil(last * 1000)}"])[0]["pid"] != going.pid:
        raise ConnectionFailed(POOLED)


def _commit(going: _Run, group: Sequence[Step], tries: int) -> None:
    connection = going.connection
    if not group[0].transaction:
        if tries > 1:  # what the last try left may have been held until now
            _mend(going, group[0])
        _bound(going, group[0], tries)
        try:
            run(connection, group[0].sql)
        except StatementFailed as e:
            if e.sqlstate != DUPLICATE:  # what stands there under that name is not ours
                _mend(going, group[0])
            raise
        except KeyboardInterrupt:  # the driver has cancelled the statement
            _mend(going, group[0])
            raise
        return
    held: float | None = None
    bounds: tuple[float, float] | None = None
    with connection.transaction():
        for step in group:
            if (wanted := _bounds(going, step, tries, held)) != bounds:  # locks are held by now: no word more than must be
                _within(going, *wanted)
            bounds, began = wanted, time.monotonic()
            run(connection, step.sql)
            held = began if held is None and step.lock else held


def _mend(going: _Run, step: Step) -> None:
    """Clear what a failed try left; what cannot be cleared now is found as a leftover by the next plan."""
    if going.connection.closed:
        return
    try:
        _within(going, going.patience.lock, 0.0)
        for sql in step.mend:
            left = rows(going.connection, LEFT, [sql.removeprefix(BUILT)]) if sql.startswith(BUILT) else [{"theirs": False}]
            if left and not left[0]["theirs"]:
                run(going.connection, sql)
    except StatementFailed as e:
        going.watcher.noticed(
            f"what step {step.id} left could not be cleared away ({e.message}); the next run does it: {'; '.join(step.mend)}"
        )


def _patiently(going: _Run, group: Sequence[Step], work: Callable[[], T], *, politely: bool = True) -> T:
    """Try, and try again after a pause that grows, while only a lock is in the way and the budget lasts.

    Behind a transaction that lasts nobody queues up; only what makes nobody wait need not be so polite.
    """
    politely = politely and not (group[0].fill or any(s.long for s in group))
    step, deadline = group[-1], time.monotonic() + going.patience.total
    queue = Queue(going.connection, _wanted(group) if politely else {}, going.patience.lock, going.vacuums)
    progress, waiting = partial(going.watcher.progress, step), partial(going.watcher.waiting, step)
    for pause in pauses():
        if ahead := queue.look() if politely else []:
            refused = StatementFailed("a lock was not to be had", sqlstate=LOCK_NOT_AVAILABLE, detail=f"held by {named(ahead)}")
        else:
            with going.monitor.looking(progress, waiting) as look:
                try:
                    return work()
                except StatementFailed as e:
                    if e.sqlstate not in RETRIED:
                        raise
                    met = look.blockers or holders(going.connection, _wanted(group))
                    queue.meet(met)
                    refused = _blamed(e, met)
        if time.monotonic() + pause > deadline:
            raise refused
        who = f": {refused.detail}" if refused.detail else ""
        going.watcher.waiting(step, f"{RETRIED[refused.sqlstate]}{who}; again in {pause:.1f} s")
        time.sleep(pause)
    raise AssertionError


def _blamed(failure: StatementFailed, met: Sequence[Blocker]) -> StatementFailed:
    """The failure with those who were in the way: as they were seen, or else who holds such locks now."""
    detail = f"held by {named(met)}" if met else failure.detail
    return StatementFailed(failure.message, sqlstate=failure.sqlstate, detail=detail, hint=failure.hint, sql=failure.sql)


def _wanted(group: Sequence[Step]) -> dict[str, str]:
    found: dict[str, str] = {}
    for step in group:
        for spelled in spellings(step.relation, step.schema_name) if step.relation and step.lock else ():
            found[spelled] = stronger(found.get(spelled, ""), step.lock)
    return found
