"""The table of contents: each function calls the stages in their order."""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from reconciler.canonicalise import Canonical, canonicalise
from reconciler.catalog import JOURNAL
from reconciler.connection import Connection, adjust, connect, rows
from reconciler.debris import strew
from reconciler.diff import changes
from reconciler.errors import PlanRefused, ProofError, ReconcileError, StatementFailed
from reconciler.execute import Outcome, Unheard, Watcher, execute, prepare, sole_applier
from reconciler.export import export
from reconciler.heirs import overridden
from reconciler.history import Detail, Run, detail, last_that_changed, later, runs
from reconciler.introspect import Snapshot, introspect
from reconciler.journal import Journal, begin, refusal
from reconciler.locks import Patience
from reconciler.notes import half_made
from reconciler.plan import Plan, make_plan, moved
from reconciler.preflight import Finding, preflight, refusals
from reconciler.prove import prove
from reconciler.ref import Ref
from reconciler.rollback import way_back
from reconciler.scratch import scratches
from reconciler.state import Declaration, Scope, State
from reconciler.statement import Hazard, compose, name, text
from reconciler.unmanaged import unmanaged


@dataclass(frozen=True)
class Job:
    """What to reconcile: a target's URL, what is declared for it, how far we may look, and which scratch server.

    `notes` are what people are told beside the plan; `rollback_of` is the run that it takes back; `session` holds settings,
    such as a role, with which it is looked at and will be applied.
    """

    target: str
    declaration: Declaration
    scope: Scope
    scratch: str = "auto"
    notes: Sequence[str] = ()
    rollback_of: int | None = None
    session: Mapping[str, str] = field(default_factory=dict[str, str])


def plan_changes(job: Job) -> Plan:
    """load → introspect → canonicalise → diff → plan → prove."""
    with connect(job.target) as connection:
        adjust(connection, job.session)
        return _plan(job, introspect(connection), connection)


def apply_plan(
    plan: Plan,
    job: Job | None,
    target: str,
    watcher: Watcher,
    patience: Patience,
    allow: Collection[str],
    journal: str | None = JOURNAL,
) -> Outcome:
    """Check every guard, run the plan and, with the declaration at hand, look again whether anything is left.

    `journal` is the schema in which the run is recorded. Raises PlanRefused before the first step, Busy where another
    applier is at work.
    """
    with sole_applier(target, patience) as connection:
        live = introspect(connection)
        for finding in _permitted(plan, live, connection, allow, journal):
            Unheard(watcher).noticed(finding.words)
        with _recorded(plan, live, target, connection, patience, journal) as run:
            outcome = execute(plan, target, connection, watcher, patience, run.entry)
            run.status = "failed" if outcome.failed or outcome.skipped else "done"
            if plan.steps:
                outcome = _seen(outcome, run, connection)
        outcome = replace(outcome, notes=tuple(run.entry.complaints))
        if job is None or run.after is None or outcome.failed or outcome.skipped:
            return outcome
        try:
            left = _plan(job, run.after, connection).changes
        except ReconcileError as e:
            return replace(outcome, unseen=str(e))
        return replace(outcome, left=tuple(f"{c.action} {c.kind} {c.identity}" for c in left))


@contextmanager
def _prepared(target: str, patience: Patience) -> Generator[Connection]:
    """A connection beside, or instead of, the one that applies: with the same settings."""
    with connect(target) as connection:
        prepare(connection, patience)
        yield connection


def _seen(outcome: Outcome, run: _Record, connection: Connection) -> Outcome:
    """Look at what a run has left; that nobody could does not unmake what was done."""
    try:
        run.after = introspect(connection)
    except StatementFailed as e:
        run.unseen = str(e)
    return replace(outcome, unseen=run.unseen)


def check_plan(plan: Plan, target: str, patience: Patience, allow: Collection[str], journal: str | None = JOURNAL) -> list[str]:
    """What `apply` would say before its first step; raises PlanRefused where it would refuse."""
    with _prepared(target, patience) as connection:
        return [f.words for f in _permitted(plan, introspect(connection), connection, allow, journal)]


def _permitted(plan: Plan, live: Snapshot, connection: Connection, allow: Collection[str], journal: str | None) -> list[Finding]:
    """What is good to know before the first step; raises PlanRefused with everything that speaks against it."""
    findings = preflight(plan, connection)
    refused = [*guards(plan, live), *hazards_not_allowed(plan, allow), *refusals(findings)]
    if plan.steps and journal is not None:
        refused += _no_place(plan, connection, journal)
    if refused:
        raise PlanRefused("\n".join(refused))
    return findings


@dataclass
class _Record:
    """What is to be said of a run when it ends, however it ends."""

    entry: Journal
    status: str = "interrupted"
    after: Snapshot | None = None
    unseen: str = ""  # why nobody could look


@contextmanager
def _recorded(
    plan: Plan, live: Snapshot, target: str, connection: Connection, patience: Patience, schema: str | None
) -> Generator[_Record]:
    """Open the entry of a run, and close it as well as can be."""
    before = recorded(plan.touches, live.state)
    told = plan.model_dump(mode="json")
    run = _Record(begin(connection, schema, told, before, rollback_of=plan.rollback_of) if plan.steps else Journal())
    try:
        yield run
    finally:
        if run.entry.run is not None:
            try:
                usual = not connection.closed and (run.after is not None or run.unseen)
                with nullcontext(connection) if usual else _prepared(target, patience) as usable:
                    run.entry.close(usable, run.status, _left(plan, run, usable))
            except ReconcileError as e:
                run.entry.complain(f"how run {run.entry.run} ended is not recorded: {e}")


def _left(plan: Plan, run: _Record, connection: Connection) -> dict[Ref, dict[str, Any] | None] | None:
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


def plan_rollback(
    target: str, journal: str, run: int | None, scratch: str = "auto", session: Mapping[str, str] | None = None
) -> tuple[Plan, Job]:
    """Plan the way back to what was there before a run, or before the last one that changed something.

    Raises PlanRefused where there is no such run, or where others have gone on from what it left.
    """
    with connect(target) as connection:
        adjust(connection, session or {})
        of = _to_roll_back(connection, journal, run)
        since = later(connection, journal, of.run.id)
        unfinished = [r for r in since if r.rollback_of == of.run.id and not r.done]
        attempts = [detail(connection, journal, r.run) for r in unfinished]
        live = introspect(connection)
        back = way_back(of, attempts, [r for r in since if r not in unfinished], live.state, partial(_has_rows, connection))
        scope = Scope(back.declaration.schemas)
        job = Job(target, back.declaration, scope, scratch, back.notes, of.run.id, session or {})
        return _plan(job, live, connection), job


def _has_rows(connection: Connection, table: Ref) -> bool:
    """Whether anything is in a table; whoever may not look supposes so."""
    try:
        return rows(connection, text(compose("SELECT EXISTS (SELECT FROM {}) AS found", name(table.schema, table.name))))[0]["found"]
    except StatementFailed:
        return True


def _to_roll_back(connection: Connection, journal: str, run: int | None) -> Detail:
    if run is not None:
        return detail(connection, journal, run)
    last = last_that_changed(connection, journal)
    if last is None:
        raise PlanRefused(f"schema {journal} records no run that changed something")
    if last.rollback_of is not None and last.status != "done":
        raise PlanRefused(
            f"run {last.id}, a rollback of run {last.rollback_of}, did not end: `rollback {last.rollback_of}` goes on with it, "
            f"`rollback {last.id}` takes back what it did"
        )
    return detail(connection, journal, last.id)


def read_history(target: str, journal: str, limit: int) -> list[Run]:
    """The last runs that the journal records, the latest first."""
    with connect(target) as connection:
        return runs(connection, journal, limit)


def read_run(target: str, journal: str, run: int) -> Detail:
    """One run with all that the journal records of it; raises PlanRefused where it records none."""
    with connect(target) as connection:
        return detail(connection, journal, run)


def _no_place(plan: Plan, connection: Connection, journal: str) -> list[str]:
    """Why the journal cannot be where it is to be."""
    if any(journal == r.schema or r == Ref("", journal, "").namespace for r in plan.touches):
        return [f"schema {journal} is to hold the journal, and things are declared in it: name another with --journal NAME"]
    return [why] if (why := refusal(connection, journal)) else []


def export_state(target: str, scope: Scope, folder: Path) -> tuple[list[Path], list[str]]:
    """Write what lies within the bounds below `folder`; returns the files, and notes of what no kind could write."""
    with connect(target) as connection:
        live = introspect(connection)
        notes = [*unmanaged(connection, live, scope), *half_made(r for r in live.situation.leftovers if scope.covers(r))]
    state = live.state
    return export(State({r: o for r, o in state.objects.items() if scope.covers(r)}, state.edges), folder), notes


def guards(plan: Plan, live: Snapshot) -> list[str]:
    """Why the plan must not run on what the target is now; empty where it may."""
    if not plan.intact():
        return ["the plan was edited after it was made; make a new one with `reconcile plan`"]
    if plan.database != live.database:
        return [f"the plan was made for another database ({plan.target}); make one for this target"]
    others = moved(plan.fingerprint, live.state, live.situation.leftovers)
    return [f"the target has moved since the plan was made: {', '.join(others[:5])}; make a new plan"] if others else []


def hazards_not_allowed(plan: Plan, allow: Collection[str]) -> list[str]:
    """The hazards of the plan that nobody allowed, each with its reason and its flag."""
    if "all" in allow:
        return []
    return [
        f"{hazard}: {'; '.join(reasons)}; if you mean it: --allow {hazard}"
        for hazard, reasons in sorted(plan.hazards().items())
        if Hazard(hazard) not in allow
    ]


def _plan(job: Job, live: Snapshot, connection: Connection) -> Plan:
    files = live.extensions.union(*(o.files() for o in (*live.state.objects.values(), *job.declaration.objects.values())))
    offered = lambda: scratches(job.scratch, job.target, live.situation.server, files)  # noqa: E731
    with canonicalise(live, job.declaration, job.scope, offered) as canonical:
        left_out = [f"{r} could not be built on scratch and was left out: {why}" for r, why in canonical.left_out.items()]
        notes = [*job.notes, *left_out, *unmanaged(connection, live, job.scope)]
        plan = _planned(job, live, canonical, notes)
        try:
            _proven(plan, canonical, canonical.connection, live)
        except ProofError:
            if canonical.again is None:
                raise
            with suppress(ProofError):  # no catalog knows what the body of a function needs: but what is built shows an order
                as_built = replace(canonical, situation=replace(canonical.situation, ranks=canonical.ranks))
                plan = _planned(job, live, as_built, notes)
                _proven(plan, canonical, canonical.again(), live)
                return plan
            raise
        return plan


def _planned(job: Job, live: Snapshot, canonical: Canonical, notes: Sequence[str]) -> Plan:
    found = overridden(changes(canonical.live, canonical.desired), canonical.live, canonical.desired)
    off = sum(c.ref in canonical.situation.declared for c in found)
    return make_plan(
        found,
        canonical.live,
        canonical.desired,
        canonical.situation,
        target=job.target,
        database=live.database,
        scratch=canonical.scratch.words if canonical.scratch else "",
        spelled_by=(canonical.scratch.server if canonical.scratch else live.situation.server).major,
        unchanged=len(job.declaration.objects) - off,
        notes=notes,
        target_state=live.state,
        before=canonical.before,
        renamings=canonical.renamings,
        rollback_of=job.rollback_of,
    )


def _proven(plan: Plan, canonical: Canonical, connection: Connection | None, live: Snapshot) -> None:
    if connection is not None and plan.steps:
        strew(connection, canonical.situation)
        prove(plan, connection, canonical.before or canonical.live, canonical.desired, live.situation.server)
