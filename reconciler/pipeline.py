"""Plan, apply, roll back and export: each function calls the stages in order."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from reconciler.apply.builds import wait_for_builds
from reconciler.apply.execute import execute
from reconciler.apply.guards import guards, permitted
from reconciler.apply.outcome import NonRaisingWatcher, Outcome, Watcher
from reconciler.apply.recording import record_run
from reconciler.apply.session import reading, sole_applier
from reconciler.canonicalise.canonical import Canonical
from reconciler.canonicalise.canonicalise import canonicalise
from reconciler.canonicalise.known_forms import Forms
from reconciler.canonicalise.leftovers import recreate_leftovers
from reconciler.canonicalise.typed_tables import with_columns_of_types
from reconciler.checks.attached import as_data
from reconciler.declare.export import export
from reconciler.diff.diff import changes
from reconciler.diff.inherited import with_inheritance
from reconciler.diff.renames import refs_after
from reconciler.errors import PlanRefused, ProofError, ReconcileError, StatementFailed
from reconciler.introspect.introspect import Snapshot, introspect
from reconciler.introspect.notices import building_notices, unfinished_notices
from reconciler.introspect.replication import read_replication
from reconciler.introspect.sizes import read_sizes, touched_relations
from reconciler.introspect.stale import stale_bodies
from reconciler.introspect.unmanaged import unmanaged
from reconciler.journal.history import Detail, Run, detail, last_that_changed, later, runs
from reconciler.journal.ownership import DEFAULT_PLACE, Place, assert_trusted
from reconciler.journal.rollback import rollback_declaration
from reconciler.lint.settings import LintSettings
from reconciler.model.declared import files
from reconciler.model.facts import Size
from reconciler.model.on_scratch import without_check
from reconciler.model.ref import Ref
from reconciler.model.reserved_names import JOURNAL
from reconciler.model.state import Declaration, Scope, State
from reconciler.plan.foreseen import with_facts
from reconciler.plan.make import Comparison, PlanInfo, make_plan
from reconciler.plan.origin import positioned_errors, with_origins
from reconciler.plan.plan import Plan
from reconciler.plan.prove import prove_plan, prove_undo
from reconciler.plan.questions import ask
from reconciler.plan.saved import disagreements
from reconciler.plan.unproven import unproven_by_scratch
from reconciler.plan_findings import with_findings
from reconciler.plan_notes import plan_notes, pruned_note
from reconciler.server.connection import Connection, connect_to_read, rows
from reconciler.server.locks import LockPolicy
from reconciler.server.scratch import Scratch, scratches
from reconciler.server.time_limit import TimeLimit, time_limit_of_environment
from reconciler.sql import compose, name, text

STANDBY = "the target is a standby, which only reads: `apply` needs the primary"

Session = Mapping[str, str] | None  # settings of --set


@dataclass(frozen=True)
class Job:
    """A target's URL, the declaration, the scope of managed objects, and the scratch server.

    `scratch` is a URL, "embedded", "target" or "auto". `notes` are shown with the plan.
    `rollback_of` is the run that the plan undoes. `session` holds settings, such as a role, for
    the connections to the target. With `questions`, the target is asked for rows that would make a
    step fail. With `proof`, the plan is run on scratch. With `to_apply`, no plan is made for a
    standby. `journal` is the schema in which earlier runs may be recorded. `forms` knows equal
    objects. With `lint`, the plan has the findings on what it changes. `role` is the role that will
    apply the plan, "" for that of the target.
    """

    target: str
    declaration: Declaration
    scope: Scope
    scratch: str = "auto"
    notes: Sequence[str] = ()
    rollback_of: int | None = None
    session: Mapping[str, str] = field(default_factory=dict[str, str])
    questions: bool = True
    proof: bool = True
    to_apply: bool = False
    journal: str = JOURNAL
    forms: Forms | None = None
    lint: LintSettings | None = None
    role: str = ""


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
    allow: Collection[str],
    journal: Place | None = DEFAULT_PLACE,
) -> Outcome:
    """Check every guard, run the plan, and with a `job` plan again to find remaining changes.

    `journal` is the place in which the run is recorded. Raises PlanRefused before the first step,
    and Busy if another run is applying a plan to the database.
    """
    with sole_applier(target, policy) as connection:
        wait_for_builds(connection, plan.awaited, policy, NonRaisingWatcher(watcher).notice)
        live = introspect(connection)
        questions = job is None or job.questions
        for finding in permitted(plan, live, connection, allow, journal, questions=questions):
            NonRaisingWatcher(watcher).notice(finding.message)
        with record_run(plan, live, target, connection, policy, journal) as record:
            outcome = execute(plan, target, connection, watcher, policy, record.entry)
            outcome = record.close(plan, outcome, connection)
        outcome = replace(outcome, notes=tuple(record.entry.complaints))
        if job is None or record.after is None or outcome.failed or outcome.skipped:
            return outcome
        try:
            left = plan_of(job, record.after, connection).changes
        except ReconcileError as e:
            return replace(outcome, unseen=str(e))
        return replace(outcome, left=tuple(f"{c.action} {c.kind} {c.identity}" for c in left))


def planned_again(saved: Plan, job: Job) -> Plan:
    """Return a saved plan with its changes as they are planned now, by the role of the target.

    Raises PlanRefused if the target has moved, or if planning again gives another plan. A choice
    that depends on the size of a table may have been made for another size.
    """
    with connect_to_read(job.target, job.session) as connection:
        live = introspect(connection)
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
        _assert_unmoved(saved, introspect(connection))
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
    allow: Collection[str],
    journal: Place | None = DEFAULT_PLACE,
) -> list[str]:
    """Return the findings of `apply` before the first step; raise PlanRefused as `apply` would."""
    with reading(target, policy) as connection:
        found = permitted(plan, introspect(connection), connection, allow, journal)
        return [finding.message for finding in found]


def plan_rollback(
    target: str, journal: Place, run: int | None, scratch: str = "auto", session: Session = None
) -> tuple[Plan, Job]:
    """Plan the rollback of a run, by default of the last run with changes.

    Raises PlanRefused if there is no such run, or if its objects have been changed since.
    """
    with connect_to_read(target, {"row_security": "off", **(session or {})}) as connection:
        assert_trusted(connection, journal)
        of = _to_roll_back(connection, journal.schema, run)
        since = later(connection, journal.schema, of.run.id)
        unfinished = [r for r in since if r.rollback_of == of.run.id and not r.done]
        attempts = [detail(connection, journal.schema, r.run) for r in unfinished]
        live = introspect(connection)
        back = rollback_declaration(
            of,
            attempts,
            [r for r in since if r not in unfinished],
            live.state,
            partial(_has_rows, connection),
        )
        scope = Scope(back.declaration.schemas)
        job = Job(target, back.declaration, scope, scratch, back.notes, of.run.id, session or {})
        return plan_of(job, live, connection), job


def _has_rows(connection: Connection, table: Ref) -> bool:
    """Tell whether a table has rows; True without the privilege to read the table."""
    try:
        exists = compose("SELECT EXISTS (SELECT FROM {}) AS found", name(table.schema, table.name))
        return rows(connection, text(exists))[0]["found"]
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
            f"run {last.id}, a rollback of run {last.rollback_of}, did not end: "
            f"`rollback {last.rollback_of}` goes on with it, "
            f"`rollback {last.id}` takes back what it did"
        )
    return detail(connection, journal, last.id)


def read_history(target: str, journal: Place, limit: int, session: Session = None) -> list[Run]:
    """Return the last `limit` runs in the journal, the latest first."""
    with connect_to_read(target, session) as connection:
        assert_trusted(connection, journal)
        return runs(connection, journal.schema, limit)


def read_run(target: str, journal: Place, run: int, session: Session = None) -> Detail:
    """Return a run with all details in the journal; raise PlanRefused for an unknown run."""
    with connect_to_read(target, session) as connection:
        assert_trusted(connection, journal)
        return detail(connection, journal.schema, run)


def export_state(
    target: str, scope: Scope, folder: Path, session: Session = None
) -> tuple[list[Path], list[str]]:
    """Write the objects in scope as YAML below `folder`; return the files, and notes.

    The notes name objects that no kind manages, and leftovers of interrupted builds.
    """
    with connect_to_read(target, session) as connection:
        live = introspect(connection)
        notes = [
            *unmanaged(connection, live, scope),
            *unfinished_notices(r for r in live.context.leftovers if scope.covers(r)),
        ]
        stale = {r: why for r, why in stale_bodies(connection, live).items() if scope.covers(r)}
    notes += [f"{r}: its body does not compile: {why}" for r, why in stale.items()]
    state = live.state
    objects = {
        r: without_check(o) if r in stale else o
        for r, o in state.objects.items()
        if scope.covers(r)
    }
    return export(State(objects, state.edges), folder), notes


def plan_of(job: Job, live: Snapshot, connection: Connection, size: Size | None = None) -> Plan:
    """Make a plan; `size` is taken for that of every relation, instead of the true ones."""
    if live.standby and job.to_apply:
        raise PlanRefused(STANDBY)
    job = replace(job, declaration=with_columns_of_types(job.declaration, live.state))
    time_limit = time_limit_of_environment()
    servers = partial(servers_of, job, live, time_limit)
    with (
        time_limit,
        canonicalise(live, job.declaration, job.scope, servers, job.forms) as canonical,
        positioned_errors(canonical.positions),
    ):
        notes = [
            *job.notes,
            *([STANDBY] if live.standby else ()),
            *plan_notes(job.declaration, job.scope, canonical, live, connection, job.journal),
            *building_notices(_awaited(job, live)),
        ]
        known = _with_facts(canonical, connection, size, live.state)
        plan = _proven_plan(job, live, known, notes)
        answers = tuple(ask(plan, connection)) if job.questions else ()
        return plan.model_copy(update={"answers": answers}).sealed() if answers else plan


def servers_of(job: Job, live: Snapshot, time_limit: TimeLimit) -> Iterator[Scratch]:
    """Yield the scratch servers that have the files of live and declared objects."""
    objects = (*live.state.objects.values(), *job.declaration.objects.values())
    needed = live.extensions.union(*map(files, objects))
    for scratch in scratches(job.scratch, job.target, live.context.server, needed):
        yield replace(scratch, time_limit=time_limit)


def _awaited(job: Job, live: Snapshot) -> dict[Ref, int]:
    """Return the declared indexes that other sessions build, with the pids of these."""
    return {r: pid for r, pid in live.building.items() if r in job.declaration.objects}


def _proven_plan(job: Job, live: Snapshot, canonical: Canonical, notes: Sequence[str]) -> Plan:
    """Make a plan and prove it, at need in the order in which scratch accepted the objects.

    pg_depend does not list the needs of a function's body.
    """
    plan = _planned(job, live, canonical, notes)
    try:
        return _proven(plan, canonical, canonical.connection, live, job)
    except ProofError:
        if canonical.reconnect is None:
            raise
        with suppress(ProofError):
            as_built = replace(
                canonical,
                context=replace(canonical.context, scratch_order=canonical.scratch_order),
            )
            plan = _planned(job, live, as_built, notes)
            return _proven(plan, canonical, canonical.reconnect(), live, job)
        raise


def _with_facts(
    canonical: Canonical, connection: Connection, size: Size | None, whole: State
) -> Canonical:
    """Read sizes and replication of the compared relations, unless nothing differs."""
    if canonical.connection is None:
        return canonical
    before = canonical.before or canonical.live
    relations = touched_relations(before, whole)
    names = {new: old for old, new in refs_after(relations, canonical.renamings).items()}
    sizes = read_sizes(connection, names) if size is None else dict.fromkeys(names, size)
    schemas = canonical.context.server.has_publication_details
    replication = read_replication(connection, names, schemas=schemas)
    context = replace(canonical.context, sizes=sizes, replication=replication)
    return replace(canonical, context=context)


def _planned(job: Job, live: Snapshot, canonical: Canonical, notes: Sequence[str]) -> Plan:
    live_state, desired = canonical.live, canonical.desired
    found = with_inheritance(changes(live_state, desired), live_state, desired)
    if found:
        notes = [*notes, *pruned_note(job.scope)]
    comparison = Comparison(
        found,
        canonical.live,
        canonical.desired,
        canonical.context,
        renamings=canonical.renamings,
        before=canonical.before,
        target_state=live.state,
        declared={*job.declaration.objects, *canonical.context.declared},
    )
    off = sum(c.ref in canonical.context.declared for c in found)
    is_changed = bool(found or canonical.renamings)
    scratch = canonical.scratch if is_changed else None  # else nothing is proven
    info = PlanInfo(
        target=job.target,
        database=live.database,
        scratch=scratch.description if scratch else "",
        spelled_by=(scratch.server if scratch else live.context.server).major,
        unchanged=len(job.declaration.objects) - off,
        notes=notes,
        unproven=tuple(unproven_by_scratch(scratch, live.context.server)),
        awaited=[text(live.state[ref].sql_name()) for ref in _awaited(job, live)],
        checks=as_data(job.declaration.checks.values()),
        rollback_of=job.rollback_of,
    )
    plan = with_facts(make_plan(comparison, info), comparison)
    return with_origins(plan, canonical.positions)


def _proven(
    plan: Plan, canonical: Canonical, connection: Connection | None, live: Snapshot, job: Job
) -> Plan:
    if connection is None or not plan.steps or not job.proof:
        return plan
    recreate_leftovers(connection, canonical.context)
    server = live.context.server
    tried = prove_plan(plan, connection, canonical.desired, server, job.session)
    if job.lint is not None:
        plan = with_findings(tried, job.declaration, canonical, live, job.lint)
    prove_undo(tried, canonical.before or canonical.live, server)
    return plan.without_proof_of(tried.left_out)
