"""Plan, apply, roll back and export: each function calls the stages in order."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from reconciler.apply.builds import wait_for_builds
from reconciler.apply.execute import execute
from reconciler.apply.guards import guards, permitted
from reconciler.apply.outcome import NonRaisingWatcher, Outcome, Watcher
from reconciler.apply.permissions import Permitting
from reconciler.apply.recording import Recorded, record_run
from reconciler.apply.send import unreachable
from reconciler.apply.session import reading, sole_applier
from reconciler.approvals import Allowed
from reconciler.declare.export import export
from reconciler.errors import PlanRefused, ReconcileError, StatementFailed
from reconciler.introspect.global_objects import (
    NO_ROLES,
    RolesAsked,
    asked_roles,
    with_global_objects,
    with_named_objects,
)
from reconciler.introspect.introspect import Snapshot, introspect
from reconciler.introspect.notices import other_tools_notices, unfinished_notices
from reconciler.introspect.stale import stale_bodies
from reconciler.introspect.unmanaged import unmanaged
from reconciler.journal.history import Detail, Run, detail, later, runs
from reconciler.journal.ownership import DEFAULT_PLACE, Place, assert_trusted
from reconciler.journal.rollback import rollback_declaration
from reconciler.journal.run_target import RunTarget, is_of
from reconciler.journal.runs_of_target import last_of_rollout, last_run_of_target, runs_of_rollout
from reconciler.model.facts import Size
from reconciler.model.object import Object
from reconciler.model.on_scratch import without_check
from reconciler.model.other_tools import other_tool
from reconciler.model.ref import Ref
from reconciler.model.state import Declaration, Scope, State
from reconciler.model.variables import Values
from reconciler.plan.plan import Plan
from reconciler.plan.saved import disagreements
from reconciler.planning import Job, plan_of, servers_of
from reconciler.server.connection import Connection, connect_to_read, rows
from reconciler.server.locks import LockPolicy
from reconciler.server.time_limit import time_limit_of_environment
from reconciler.shapes import Shapes
from reconciler.sql import compose, name, text
from reconciler.tidy.tidy import Spelling, respelled, tidied

Session = Mapping[str, str] | None  # settings of --set


def plan_changes(job: Job) -> Plan:
    """load → introspect → canonicalise → diff → plan → prove."""
    with connect_to_read(job.target, job.session) as connection:
        return plan_of(job, introspect(connection), connection)


def apply_plan(
    plan: Plan,
    job: Job | None,
    target: str,
    watcher: Watcher,
    policy: LockPolicy,
    allow: Allowed | Collection[str],
    journal: Place | None = DEFAULT_PLACE,
) -> Outcome:
    """Check every guard, run the plan, and with a `job` plan again to find remaining changes.

    `allow` is what lets hazards through, by default kinds of hazards, or "all". `journal` is the
    place in which the run is recorded. Raises PlanRefused before the first step, and Busy if
    another run is applying a plan to the database.
    """
    with sole_applier(target, policy) as connection:
        wait_for_builds(connection, plan.awaited, policy, NonRaisingWatcher(watcher).notice)
        live = with_named_objects(introspect(connection), connection, plan.fingerprint)
        questions = job is None or job.questions
        permitting = Permitting.of(allow, journal)
        found = permitted(
            plan,
            live,
            connection,
            permitting,
            questions=questions,
            unreachable=unreachable(target, policy, plan.steps),
        )
        for finding in found.findings:
            NonRaisingWatcher(watcher).notice(finding.message)
        recorded = Recorded(_place_of(job, journal), found.used, job.rollout if job else "")
        with record_run(plan, live, target, connection, policy, recorded) as record:
            outcome = execute(plan, target, connection, watcher, policy, record.entry)
            outcome = record.close(plan, outcome, connection)
        outcome = replace(outcome, notes=tuple(record.entry.complaints))
        if job is None or record.after is None or outcome.failed or outcome.skipped:
            return outcome
        settled = replace(job.declaration, moved_aside={})  # what was moved aside is dropped now
        try:
            left = plan_of(replace(job, declaration=settled), record.after, connection).changes
        except ReconcileError as e:
            return replace(outcome, unseen=str(e))
        return replace(outcome, left=tuple(f"{c.action} {c.kind} {c.identity}" for c in left))


def _place_of(job: Job | None, journal: Place | None) -> Place | None:
    """Return the place of the journal for a run with the variables that the job's files list."""
    if job is None or journal is None:
        return journal
    name = journal.run_target.name if journal.run_target else ""
    return replace(journal, run_target=RunTarget(name, job.declaration.variables))


def planned_again(saved: Plan, job: Job) -> Plan:
    """Return a saved plan with its changes as they are planned now, by the role of the target.

    Raises PlanRefused if the target has moved, or if planning again gives another plan. A choice
    that depends on the size of a table may have been made for another size.
    """
    with connect_to_read(job.target, job.session) as connection:
        live = with_named_objects(introspect(connection), connection, saved.fingerprint)
        _assert_unmoved(saved, live)
        found: list[str] = []
        for size in (None, Size(rows=0, bytes=0), Size()):  # the true one, tiny, large
            derived = plan_of(job, live, connection, size)
            different = disagreements(saved, derived)
            if not different:
                return saved.model_copy(update={"changes": derived.changes}).sealed()
            found = found or different
    raise _refusal_of_difference(found)


def assert_same_rollback(
    saved: Plan, target: str, journal: Place, scratch: str, session: Mapping[str, str]
) -> None:
    """Plan the rollback again from the journal; raise PlanRefused if that gives another plan."""
    with connect_to_read(target, session) as connection:
        live = with_named_objects(introspect(connection), connection, saved.fingerprint)
        _assert_unmoved(saved, live)
    derived, _ = plan_rollback(target, journal, saved.rollback_of, scratch, session)
    if found := disagreements(saved, derived):
        raise _refusal_of_difference(found)


def _assert_unmoved(saved: Plan, live: Snapshot) -> None:
    if refused := guards(saved, live):
        raise PlanRefused("\n".join(refused))


def _refusal_of_difference(found: Sequence[str]) -> PlanRefused:
    return PlanRefused(
        "\n".join(
            [
                "the saved plan is not the plan that would be made now; if the files, --schema or"
                " --prune have changed since, save it again:",
                *found,
            ]
        )
    )


def check_plan(
    plan: Plan,
    target: str,
    policy: LockPolicy,
    allow: Allowed | Collection[str],
    journal: Place | None = DEFAULT_PLACE,
) -> list[str]:
    """Return the findings of `apply` before the first step; raise PlanRefused as `apply` would."""
    with reading(target, policy) as connection:
        permitting = Permitting.of(allow, journal)
        live = with_named_objects(introspect(connection), connection, plan.fingerprint)
        elsewhere = unreachable(target, policy, plan.steps)
        found = permitted(plan, live, connection, permitting, unreachable=elsewhere)
        return [finding.message for finding in found.findings]


def with_permissions(plan: Plan, target: str, permitting: Permitting, session: Session) -> Plan:
    """Return a saved plan with what lets its hazards through on the target now."""
    if not permitting.asks_journal:
        return permitting.shown(plan, None)
    with connect_to_read(target, session) as connection:
        return permitting.shown(plan, connection)


def plan_rollback(
    target: str,
    journal: Place,
    run: int | str | None,
    scratch: str = "auto",
    session: Session = None,
    permitting: Permitting | None = None,
    shapes: Shapes | None = None,
) -> tuple[Plan, Job]:
    """Plan the rollback of a run, by default of the target's last run with changes.

    `run` is a number, or the name of a roll-out, whose last run for the target is undone.

    Raises PlanRefused if there is no such run, if it may be another target's unless a number names
    it, or if its objects have been changed since.
    """
    with connect_to_read(target, {"row_security": "off", **(session or {})}) as connection:
        assert_trusted(connection, journal)
        of, left = _to_roll_back(connection, journal, run)
        since = later(connection, journal.schema, of.run.id)
        unfinished = [r for r in since if r.rollback_of == of.run.id and not r.done]
        attempts = [detail(connection, journal.schema, r.run) for r in unfinished]
        live = introspect(connection)
        live = with_global_objects(live, connection, (t.ref for t in of.touched))
        back = rollback_declaration(
            of,
            attempts,
            [r for r in since if r not in unfinished],
            live.state,
            partial(_has_rows, connection),
        )
        scope = Scope(back.declaration.schemas)
        declaration = replace(back.declaration, variables=_variables(of.run, journal))
        notes = [*_notes_of_run(of.run, journal), *back.notes]
        notes += [f"then run {number} of roll-out {run} is left to undo" for number in left]
        job = Job(target, declaration, scope, scratch, notes, of.run.id, session or {})
        job = replace(job, shapes=shapes, left_of_rollout=left)
        return plan_of(replace(job, permitting=permitting), live, connection), job


def _has_rows(connection: Connection, table: Ref) -> bool:
    """Tell whether a table has rows; True without the privilege to read the table."""
    try:
        exists = compose("SELECT EXISTS (SELECT FROM {}) AS found", name(table.schema, table.name))
        return rows(connection, text(exists))[0]["found"]
    except StatementFailed:
        return True


def _variables(undone: Run, journal: Place) -> Values:
    """Return the variables with which a rollback is recorded: those of the run that it undoes."""
    if undone.variables is not None:
        return undone.variables
    return journal.run_target.variables if journal.run_target else {}


def _notes_of_run(run: Run, journal: Place) -> Iterator[str]:
    """Yield a note if a run that a number names was made for another target."""
    if run.run_target is not None and not is_of(run.run_target, journal.run_target):
        yield f"run {run.id} was made for {run.run_target}"


def _to_roll_back(
    connection: Connection, journal: Place, run: int | str | None
) -> tuple[Detail, Sequence[int]]:
    """Read the run to undo, and which runs of the roll-out are left to undo then."""
    schema = journal.schema
    if isinstance(run, str):
        run, *left = runs_of_rollout(connection, journal, run)
        return detail(connection, schema, run), left
    if run is not None:
        return detail(connection, schema, run), ()
    last = last_run_of_target(connection, journal)
    if last is None:
        raise PlanRefused(f"schema {schema} records no run that changed something")
    if last.rollback_of is not None and last.status != "done":
        raise PlanRefused(
            f"run {last.id}, a rollback of run {last.rollback_of}, did not end: "
            f"`rollback {last.rollback_of}` goes on with it, "
            f"`rollback {last.id}` takes back what it did"
        )
    return detail(connection, schema, last.id), ()


def read_history(target: str, journal: Place, limit: int, session: Session = None) -> list[Run]:
    """Return the last `limit` runs in the journal, the latest first."""
    with connect_to_read(target, session) as connection:
        assert_trusted(connection, journal)
        return runs(connection, journal.schema, limit)


def read_last_rollout(target: str, journal: Place, session: Session = None) -> Run | None:
    """Return the target's last run of any roll-out that changed something and was not undone."""
    with connect_to_read(target, session) as connection:
        assert_trusted(connection, journal)
        return last_of_rollout(connection, journal)


def read_run(target: str, journal: Place, run: int, session: Session = None) -> Detail:
    """Return a run with all details in the journal; raise PlanRefused for an unknown run."""
    with connect_to_read(target, session) as connection:
        assert_trusted(connection, journal)
        return detail(connection, journal.schema, run)


@dataclass(frozen=True)
class ExportStyle:
    """How an export is written: with a file for each table; with short SQL, proven on `scratch`."""

    per_table: bool = False
    tidy: bool = False
    scratch: str = "auto"


def export_state(
    target: str,
    scope: Scope,
    folder: Path,
    session: Session = None,
    style: ExportStyle = ExportStyle(),
    roles: RolesAsked = NO_ROLES,
) -> tuple[list[Path], list[str]]:
    """Write the objects in scope, and roles, as YAML below `folder`; return the files, and notes.

    The notes name objects that no kind manages, leftovers of interrupted builds, and what is left
    to other tools. Raises ScratchError if SQL cannot be proven, and SettingsError for a role that
    does not exist.
    """
    with connect_to_read(target, session) as connection:
        live = introspect(connection)
        notes = [
            *unmanaged(connection, live, scope),
            *unfinished_notices(r for r in live.context.leftovers if scope.covers(r)),
            *other_tools_notices(filter(scope.covers, live.state)),
        ]
        stale = {r: why for r, why in stale_bodies(connection, live).items() if scope.covers(r)}
        objects = {
            r: without_check(o) if r in stale else o
            for r, o in live.state.objects.items()
            if scope.covers(r) and not other_tool(r)
        }
        named = asked_roles(live, connection, roles, objects.values())
    notes += [f"{r}: its body does not compile: {why}" for r, why in stale.items()]
    refs = objects if style.tidy else ()
    found = _tidied(target, live, refs, style.scratch)

    def respell(obj: Object) -> Object:
        return respelled(obj, found.get(obj.ref, {}))

    exported = State({**objects, **named}, live.state.edges)
    return export(exported, folder, per_table=style.per_table, respell=respell), notes


def _tidied(
    target: str, live: Snapshot, refs: Collection[Ref], scratch: str
) -> Mapping[Ref, Spelling]:
    """Return the shortest SQL of objects that PostgreSQL reads as theirs."""
    if not refs:
        return {}
    job = Job(target, Declaration(), Scope(frozenset()), scratch)
    limit = time_limit_of_environment()
    with limit:
        return tidied(live, refs, partial(servers_of, job, live, limit))
