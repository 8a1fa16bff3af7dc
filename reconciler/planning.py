"""Plan: canonicalise, compare, put the changes in order, and prove the plan."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial

from reconciler.apply.permissions import Permitting
from reconciler.canonicalise.canonical import Canonical
from reconciler.canonicalise.canonicalise import canonicalise
from reconciler.canonicalise.known_forms import Forms
from reconciler.canonicalise.leftovers import recreate_leftovers
from reconciler.canonicalise.typed_tables import with_columns_of_types
from reconciler.checks.attached import as_data
from reconciler.diff.diff import changes
from reconciler.diff.inherited import with_inheritance
from reconciler.diff.renames import refs_after
from reconciler.errors import PlanRefused, ProofError, SettingsError
from reconciler.introspect.global_objects import for_declaration
from reconciler.introspect.introspect import Snapshot
from reconciler.introspect.notices import building_notices
from reconciler.introspect.replication import read_replication
from reconciler.introspect.sizes import read_sizes, touched_relations
from reconciler.lint.settings import LintSettings
from reconciler.model.declared import files
from reconciler.model.facts import Size
from reconciler.model.ref import Ref
from reconciler.model.reserved_names import JOURNAL
from reconciler.model.state import Declaration, Scope, State
from reconciler.plan.foreseen import with_facts
from reconciler.plan.make import Comparison, PlanInfo, make_plan
from reconciler.plan.origin import positioned_errors, with_origins
from reconciler.plan.plan import Plan
from reconciler.plan.prove import prove_plan, prove_undo
from reconciler.plan.questions import ask
from reconciler.plan.unproven import unproven_by_scratch
from reconciler.plan_findings import with_findings
from reconciler.plan_notes import plan_notes, pruned_note
from reconciler.server.connection import Connection
from reconciler.server.redaction import redacted
from reconciler.server.scratch import Scratch, scratches
from reconciler.server.time_limit import TimeLimit, time_limit_of_environment
from reconciler.shapes import Shape, Shapes, Turn
from reconciler.sql import text

STANDBY = "the target is a standby, which only reads: `apply` needs the primary"


@dataclass(frozen=True)
class Job:
    """A target's URL, the declaration, the scope of managed objects, and the scratch server.

    `scratch` is a URL, "embedded", "target" or "auto". `notes` are shown with the plan.
    `rollback_of` is the run that the plan undoes. `session` holds settings, such as a role, for
    the connections to the target. With `questions`, the target is asked for rows that would make a
    step fail. With `proof`, the plan is run on scratch;
    without it, nobody is to run the plan. With `to_apply`, no plan is made for a
    standby. `journal` is the schema in which earlier runs may be recorded. `forms` knows equal
    objects. With `lint`, the plan has the findings on what it changes. `role` is the role that will
    apply the plan, "" for that of the target. With `permitting`, the plan says what lets its
    hazards through. With `shapes`, databases in the same state are planned once. `rollout` is the
    roll-out that the run belongs to. `left_of_rollout` are the runs of a roll-out that are left to
    undo after `rollback_of`.
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
    permitting: Permitting | None = None
    shapes: Shapes | None = None
    rollout: str = ""
    left_of_rollout: Sequence[int] = ()

    @property
    def circumstances(self) -> tuple[object, ...]:
        """What a plan follows from beside the database."""
        return (
            self.declaration,
            self.scope,
            self.scratch,
            self.session,
            self.proof,
            self.to_apply,
            self.journal,
            self.lint,
            self.role,
        )


def scope_of(declaration: Declaration, schemas: Iterable[str], *, prune: bool) -> Scope:
    """Return the schemas to compare; raises SettingsError for --prune that reaches none."""
    named = frozenset(schemas)
    scope = Scope(
        named or declaration.schemas,
        prune=prune,
        everything="*" in named,
        pruned=None if named else declaration.own_schemas,
    )
    if scope.prune and not (named or scope.pruned):
        raise SettingsError(
            "--prune reaches no schema: name one by --schema, under `schemas:` or as `schema:` of a"
            " file"
        )
    return scope


def plan_of(job: Job, live: Snapshot, connection: Connection, size: Size | None = None) -> Plan:
    """Make a plan; `size` is taken for that of every relation, instead of the true ones."""
    if live.standby and job.to_apply:
        raise PlanRefused(STANDBY)
    live, declaration = for_declaration(live, connection, job.declaration)
    job = replace(job, declaration=declaration)
    if job.shapes is None or size is not None or live.building:
        return _plan_anew(job, live, connection, size, None)
    with job.shapes.turn(live, job.circumstances) as turn:
        plan = _plan_of_shape(job, live, connection, turn.known) if turn.known else None
        return plan or _plan_anew(job, live, connection, size, turn)


def _plan_anew(
    job: Job, live: Snapshot, connection: Connection, size: Size | None, turn: Turn | None
) -> Plan:
    job = replace(job, declaration=with_columns_of_types(job.declaration, live.state))
    time_limit = time_limit_of_environment()
    servers = partial(servers_of, job, live, time_limit)
    if not job.proof:  # nobody is to run the plan: what has the name of another may keep it
        live = replace(live, names={})
    with (
        time_limit,
        canonicalise(
            live, job.declaration, job.scope, servers, job.forms, unsettled=job.proof
        ) as canonical,
        positioned_errors(canonical.positions),
    ):
        plan = _plan_of(job, live, connection, canonical, size, turn)
        return _with_own_facts(plan, job, connection)


def _plan_of_shape(job: Job, live: Snapshot, connection: Connection, shape: Shape) -> Plan | None:
    """Make a plan by what is known of the shape; None if a proof is missing."""
    job = replace(job, declaration=with_columns_of_types(job.declaration, live.state))
    with positioned_errors(shape.canonical.positions):
        known = _with_facts(shape.canonical, connection, None, live.state)
        notes = _notes_of(job, live, connection, known)
        for variant in shape.variants:
            if variant.has_facts_of(known):
                plan = variant.of(redacted(job.target), live, notes, job.rollback_of)
                return _with_own_facts(plan, job, connection)
        plan = _planned(job, live, known, notes)
        for variant in shape.variants:
            if variant.proves(plan):
                found = {"findings": variant.findings, "linted": variant.plan.linted}
                plan = plan.model_copy(update=found).without_proof_of(variant.left_out)
                return _with_own_facts(plan, job, connection)
    return None


def _with_own_facts(plan: Plan, job: Job, connection: Connection) -> Plan:
    """Add what lets the hazards through on the target, and what its rows say."""
    if job.permitting is not None:
        plan = job.permitting.shown(plan, connection)
    answers = tuple(ask(plan, connection)) if job.questions else ()
    return plan.model_copy(update={"answers": answers}).sealed() if answers else plan


def plan_of_states(job: Job, live: Snapshot) -> Plan:
    """Make a plan from a state to a declaration that nobody is to run: without sizes and proof."""
    job = replace(job, declaration=with_columns_of_types(job.declaration, live.state))
    time_limit = time_limit_of_environment()
    servers = partial(servers_of, job, live, time_limit)
    with time_limit, canonicalise(live, job.declaration, job.scope, servers) as canonical:
        return _planned(job, live, canonical, job.notes)


def servers_of(job: Job, live: Snapshot, time_limit: TimeLimit) -> Iterator[Scratch]:
    """Yield the scratch servers that have the files of live and declared objects."""
    objects = (*live.state.objects.values(), *job.declaration.objects.values())
    needed = live.extensions.union(*map(files, objects))
    for scratch in scratches(job.scratch, job.target, live.context.server, needed):
        yield replace(scratch, time_limit=time_limit)


def _plan_of(
    job: Job,
    live: Snapshot,
    connection: Connection,
    canonical: Canonical,
    size: Size | None,
    turn: Turn | None,
) -> Plan:
    """Make a plan and prove it; where the proof prints another state, begin with the settled one.

    PostgreSQL may print SQL in another way than it has printed it before.
    """
    notes = _notes_of(job, live, connection, canonical)
    if turn is not None:
        turn.noted = len(notes)
    known = _with_facts(canonical, connection, size, live.state)
    prove = partial(_proven, live=live, job=job, turn=turn)
    if canonical.settled is None:
        return _proven_plan(job, live, known, notes, prove)
    with suppress(ProofError):
        plan = _planned(job, live, known, notes)
        if plan.in_sync or plan.steps:
            return prove(plan, known, known.connection)
    return _plan_of(job, live, connection, canonical.settled(), size, turn)


def _notes_of(
    job: Job, live: Snapshot, connection: Connection, canonical: Canonical
) -> Sequence[str]:
    return [
        *job.notes,
        *([STANDBY] if live.standby else ()),
        *plan_notes(job.declaration, job.scope, canonical, live, connection, job.journal),
        *building_notices(_awaited(job, live)),
    ]


def _awaited(job: Job, live: Snapshot) -> dict[Ref, int]:
    """Return the declared indexes that other sessions build, with the pids of these."""
    return {r: pid for r, pid in live.building.items() if r in job.declaration.objects}


def _proven_plan(
    job: Job,
    live: Snapshot,
    canonical: Canonical,
    notes: Sequence[str],
    prove: Callable[[Plan, Canonical, Connection | None], Plan],
) -> Plan:
    """Make a plan and prove it, at need in the order in which scratch accepted the objects.

    pg_depend does not list the needs of a function's body.
    """
    plan = _planned(job, live, canonical, notes)
    try:
        return prove(plan, canonical, canonical.connection)
    except ProofError:
        if canonical.reconnect is None:
            raise
        with suppress(ProofError):
            as_built = replace(
                canonical,
                context=replace(canonical.context, scratch_order=canonical.scratch_order),
            )
            plan = _planned(job, live, as_built, notes)
            return prove(plan, as_built, canonical.reconnect())
        raise


def _with_facts(
    canonical: Canonical, connection: Connection, size: Size | None, whole: State
) -> Canonical:
    """Read sizes and replication of the compared relations, unless nothing differs."""
    if canonical.scratch is None:
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
    plan: Plan,
    canonical: Canonical,
    connection: Connection | None,
    *,
    live: Snapshot,
    job: Job,
    turn: Turn | None,
) -> Plan:
    left_out: Sequence[str] = ()
    if connection is not None and plan.steps and job.proof:
        recreate_leftovers(connection, canonical.context)
        server = live.context.server
        tried = prove_plan(plan, connection, canonical.desired, server, job.session)
        if job.lint is not None:
            plan = with_findings(tried, job.declaration, canonical, live, job.lint)
        prove_undo(tried, canonical.before or canonical.live, server)
        left_out = tried.left_out
    plan = plan.without_proof_of(left_out)
    if turn is not None:
        turn.keep(canonical, plan, left_out)
    return plan
