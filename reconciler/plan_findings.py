"""Lint the objects that a plan creates or alters, on a scratch server."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set

from reconciler.canonicalise.build import Build, scratch_context
from reconciler.canonicalise.canonical import Canonical
from reconciler.errors import ReconcileError
from reconciler.introspect.introspect import Snapshot
from reconciler.lint.accept import UNUSED, accept
from reconciler.lint.database import Database
from reconciler.lint.look import look
from reconciler.lint.rule import Finding
from reconciler.lint.rules import all_rules
from reconciler.lint.settings import LintSettings
from reconciler.lint.unbound import unbound
from reconciler.lint.unfilled import unfilled
from reconciler.model.context import PlanningContext
from reconciler.model.default_path import names_in
from reconciler.model.object import Object
from reconciler.model.on_scratch import literal_body
from reconciler.model.ref import Ref
from reconciler.model.state import Declaration, State
from reconciler.plan.plan import FilePosition, Plan, PlanFinding
from reconciler.plan.prove import Tried
from reconciler.server.connection import Connection, server_of


def with_findings(
    tried: Tried,
    declaration: Declaration,
    canonical: Canonical,
    live: Snapshot,
    settings: LintSettings,
) -> Plan:
    """Return the plan with the findings on the objects that the plan creates or alters.

    The plan has just been run on scratch. Findings are advice: where the rules cannot look at the
    changes, a note says why.
    """
    plan = tried.plan
    changed = _changed(plan, canonical)
    if not changed:
        return plan.model_copy(update={"linted": True})
    try:
        around = _surroundings(changed, canonical, live.state)
        context = scratch_context(live.context, server_of(tried.connection))
        with tried.connection.transaction(force_rollback=True):
            lacking = _build(around, canonical.desired, context, tried.connection)
            new = unfilled(declaration, live.state, changed)
            rules = [r for r in all_rules().values() if not (r.is_measured or r.is_about_all)]
            roles = unbound(declaration)
            database = Database(tried.connection, settings.api_roles, new, roles)
            findings = look(database, tried.found.addresses, rules)
        found = accept(_certain(findings, changed, lacking), declaration, settings).findings
    except (ReconcileError, RecursionError) as error:
        note = f"the rules of lint did not look at the changes: {error}"
        return plan.model_copy(update={"notes": (*plan.notes, note)}).sealed()
    shown = tuple(_shown(f) for f in found if f.rule != UNUSED)
    return plan.model_copy(update={"findings": shown, "linted": True})


def _build(
    around: State, desired: State, context: PlanningContext, connection: Connection
) -> set[Ref | None]:
    """Create what the scratch database lacks; return the tables of what PostgreSQL refuses."""
    missing = {r: o for r, o in around.objects.items() if r not in desired}
    failed = Build(connection, State(missing, around.edges), context, {}).create_all()
    return {r.on or r for r in failed}


def _changed(plan: Plan, canonical: Canonical) -> set[Ref]:
    """Return the objects that the plan creates or alters."""
    named = {(c.kind, c.identity) for c in plan.changes if c.action != "drop"}
    return {r for r in canonical.desired if (r.kind, r.identity) in named}


def _surroundings(changed: Set[Ref], canonical: Canonical, live: State) -> State:
    """Return the desired state, with all objects on the changed tables and what these need.

    Of the tables that these need, the keys and indexes belong to it too.
    """
    desired = canonical.desired
    gone = (canonical.before or canonical.live).objects.keys() - desired.objects.keys()
    kept = {r: o for r, o in live.objects.items() if r not in gone} if gone else live.objects
    if kept.keys() <= desired.objects.keys():
        return desired
    whole = State({**kept, **desired.objects}, {**live.edges, **desired.edges})
    tables = {r.on for r in changed if r.on is not None} | changed
    members = _with_needs(whole, {*desired, *(o.ref for t in tables for o in whole.objects_on(t))})
    own = (o.ref for r in members for o in whole.objects_on(r))
    simple = {r for r in own if whole.needs(r) <= members}
    objects: dict[Ref, Object] = {r: whole[r] for r in members | simple}
    return State(objects, whole.edges)


def _with_needs(state: State, refs: Iterable[Ref]) -> set[Ref]:
    """Return objects with all that they need, the routines named in bodies, and inline parts."""
    found, waiting = set[Ref](), [*refs]
    routines: dict[str, list[Ref]] = {}
    for ref in state:
        if ref.arguments is not None:
            routines.setdefault(ref.name, []).append(ref)
    while waiting:
        ref = waiting.pop()
        if ref not in found:
            found.add(ref)
            waiting += state.needs(ref)
            waiting += (part.ref for part in state.parts(ref))
            body = literal_body(state[ref]) if ref in state else None
            waiting += (r for word in names_in(body or "") for r in routines.get(word, ()))
    return found


def _certain(
    findings: Iterable[Finding], changed: Set[Ref], lacking: Set[Ref | None]
) -> Iterator[Finding]:
    """Yield the findings on changed objects; none on tables of which something is `lacking`."""
    for finding in findings:
        ref = finding.ref
        if ref is not None and ref in changed and not {ref, ref.on} & lacking:
            yield finding


def _shown(finding: Finding) -> PlanFinding:
    at = finding.position
    return PlanFinding(
        rule=finding.rule,
        severity=finding.severity,
        object=finding.identity,
        message=finding.message,
        fix=finding.fix,
        position=FilePosition(file=at.file.as_posix(), line=at.line, column=at.column)
        if at
        else None,
    )
