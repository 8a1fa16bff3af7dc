"""Lint the declared state, built on a scratch server, and the objects of a target."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from reconciler.canonicalise.build import Build, scratch_context
from reconciler.canonicalise.canonical import Canonical
from reconciler.canonicalise.canonicalise import canonicalise
from reconciler.canonicalise.typed_tables import with_columns_of_types
from reconciler.errors import DeclarationError, Problem, ScratchError
from reconciler.introspect.introspect import Snapshot, introspect
from reconciler.lint.accept import Declared, accept, check_rule_names
from reconciler.lint.database import Database
from reconciler.lint.live import in_schemas, lint_database
from reconciler.lint.look import in_order, look, measured_of
from reconciler.lint.result import LintResult
from reconciler.lint.rule import Finding, Rule
from reconciler.lint.rules import all_rules, rules
from reconciler.lint.settings import LintSettings
from reconciler.lint.unbound import unbound
from reconciler.lint.unfilled import unfilled
from reconciler.model.declared import files
from reconciler.model.state import Declaration, Scope, State
from reconciler.server.capabilities import Server
from reconciler.server.connection import Connection, connect_to_read, run_sql
from reconciler.server.one_snapshot import one_snapshot
from reconciler.server.scratch import OWN, Scratch, scratches
from reconciler.server.trial import database_of

NEWEST, OLDEST = Server(180000), Server(140000)
NOT_IMMUTABLE = "index-not-immutable"
_REFUSED_AS = {"must be marked IMMUTABLE": NOT_IMMUTABLE}  # PostgreSQL's message: rule
ROUNDS = 20  # each leaves out what PostgreSQL refuses


@dataclass(frozen=True)
class Lint:
    """The input of a lint: a declaration, and with a `target` the database to change.

    `scripts` are SQL files that make such a database. With `everything`, findings of objects that
    nobody declared are shown as well.
    """

    declaration: Declaration
    settings: LintSettings = field(default_factory=LintSettings)
    target: str | None = None
    everything: bool = False
    schemas: frozenset[str] = frozenset()
    scratch: str = "auto"
    session: Mapping[str, str] = field(default_factory=dict[str, str])
    scripts: Sequence[Path] = ()


Look = Callable[[Sequence[Rule]], list[Finding]]  # at a live database


def lint(job: Lint) -> LintResult:
    """Return the findings on the state to which the declaration leads.

    Raises DeclarationError where PostgreSQL refuses the declaration for another reason than a rule
    names.
    """
    if job.scripts:
        with database_of(job.scripts) as url:
            return lint(replace(job, target=url, scripts=()))
    if job.target is None:
        check_rule_names(job.declaration, job.settings)
        with empty_database(job) as live:
            found, notes = _alone(job, live)
            return _result(job, found, notes)
    with connect_to_read(job.target, job.session) as connection:
        return lint_target(job, connection)


def lint_target(job: Lint, connection: Connection) -> LintResult:
    """Return the findings on the state to which the declaration leads a database."""
    check_rule_names(job.declaration, job.settings)
    if job.everything and not job.declaration.objects and not job.declaration.absent:
        return lint_database(connection, job.settings, job.schemas)
    live = introspect(connection)

    def look_at_target(rules: Sequence[Rule]) -> list[Finding]:
        with one_snapshot(connection):
            database = Database(
                connection, job.settings.api_roles, unbound=unbound(job.declaration)
            )
            return look(database, live.addresses, rules)

    found, notes = _of_desired(job, live, look_at_target)
    unfinished = live.building or live.context.leftovers or live.context.unfinished
    return replace(
        _result(job, found, notes),
        measured=measured_of(found),
        is_repeatable=not unfinished and job.scratch in OWN and not notes,
    )


def _alone(job: Lint, live: Snapshot) -> tuple[list[Finding], list[str]]:
    """Return the findings on the declaration alone; an error names the other ways to lint."""
    try:
        return _of_desired(job, live)
    except DeclarationError as error:
        message = "the declaration alone is linted, as for an empty database"
        hint = "--target names the database that it changes, --start a file of SQL that makes one"
        raise DeclarationError([Problem(message, None, hint), *error.problems]) from None


def _result(job: Lint, found: Sequence[Finding], notes: Sequence[str]) -> LintResult:
    """Keep the findings in scope, and sort out what is accepted."""
    declared = Declared(job.declaration)
    if not job.everything:
        found = [f for f in found if f.ref in declared]
    found = in_schemas(found, job.schemas)
    return replace(accept(found, job.declaration, job.settings), notes=notes)


@contextmanager
def empty_database(job: Lint) -> Generator[Snapshot]:
    """Yield a new database with the schema public, in which every declared role exists."""
    roles = {role for obj in job.declaration.objects.values() for role in obj.roles()}
    scratch = next(_scratches(job))
    with scratch.database(roles) as connection:
        run_sql(connection, "CREATE SCHEMA public")
        run_sql(connection, "GRANT USAGE ON SCHEMA public TO PUBLIC")
        live = introspect(connection)
    yield replace(live, roles=live.roles | roles)


def _scratches(job: Lint, server: Server | None = None) -> Iterator[Scratch]:
    """Yield scratch servers of the target's version, else of the newest."""
    needed = frozenset[str]().union(*(files(o) for o in job.declaration.objects.values()))
    versions = (NEWEST, OLDEST) if server is None else (server,)
    for version in versions:
        try:
            yield from scratches(job.scratch, job.target or "", version, needed)
        except ScratchError:
            if version == versions[-1]:
                raise


def _of_desired(
    job: Lint, live: Snapshot, look_at_target: Look | None = None
) -> tuple[list[Finding], list[str]]:
    """Return the findings on the declaration over the live state, and notes.

    What PostgreSQL refuses for a fault that a rule names is a finding too, and left out.
    """
    findings: list[Finding] = []
    declaration = with_columns_of_types(job.declaration, live.state)
    scope = Scope(declaration.schemas)
    for _ in range(ROUNDS):
        try:
            with canonicalise(
                live, declaration, scope, lambda: _scratches(job, live.context.server)
            ) as canonical:
                if canonical.scratch is None and look_at_target is not None:
                    found, notes = look_at_target(rules(is_measured=False)), list[str]()
                else:
                    state = desired_state(live, canonical)
                    scratch = canonical.scratch or next(_scratches(job, live.context.server))
                    found, notes = _built(job, state, live, scratch)
            if look_at_target is not None:
                found += look_at_target(rules(is_measured=True))
            return sorted([*findings, *found], key=in_order), notes
        except DeclarationError as error:
            findings += _refused(declaration, error)
            declaration = _without(declaration, error)
    raise ScratchError(f"PostgreSQL still refuses the declaration after {ROUNDS} rounds")


def desired_state(live: Snapshot, canonical: Canonical) -> State:
    """Return the whole desired state: what is built for it, and the live objects beside."""
    gone = (canonical.before or canonical.live).objects.keys()
    kept = {r: o for r, o in live.state.objects.items() if r not in gone or r in canonical.desired}
    return State({**kept, **canonical.desired.objects}, canonical.desired.edges)


def _built(
    job: Lint, state: State, live: Snapshot, scratch: Scratch
) -> tuple[list[Finding], list[str]]:
    """Build a state on scratch, and look at it."""
    declared = unbound(job.declaration)
    roles = {*declared, *(role for o in state.objects.values() for role in o.roles())}
    context = live.context
    with scratch.database(roles, context.user, context.tablespaces) as connection:
        failed = Build(connection, state, scratch_context(context, scratch.server), {}).create_all()
        addresses = introspect(connection).addresses
        database = Database(
            connection,
            job.settings.api_roles,
            unfilled(job.declaration, live.state),
            declared,
        )
        found = look(database, addresses, rules(is_measured=False))
    notes = [f"{r} was not looked at: {e.message}" for r, e in failed.items()]
    return found, notes


def _refused(declaration: Declaration, error: DeclarationError) -> list[Finding]:
    """Return the findings for known errors of PostgreSQL; raises the remaining errors."""
    known = [(p, _rule_of(p)) for p in error.problems]
    if not all(rule for _, rule in known):
        raise error
    refs = {p: r for (r, _), p in declaration.positions.items() if r in declaration.objects}
    found: list[Finding] = []
    for problem, rule in known:
        ref = refs.get(problem.position) if problem.position else None
        found.append(
            Finding(
                rule,
                all_rules()[rule].severity,
                ref,
                str(ref or problem.position),
                problem.message,
                "# declare an expression of IMMUTABLE functions, such as"
                " date_trunc('hour', at AT TIME ZONE 'UTC')",
                "on",
                problem.position,
            )
        )
    return found


def _rule_of(problem: Problem) -> str:
    return next((rule for words, rule in _REFUSED_AS.items() if words in problem.message), "")


def _without(declaration: Declaration, error: DeclarationError) -> Declaration:
    """Return the declaration without the refused objects."""
    places = {p.position for p in error.problems if p.position}
    refused = {r for (r, _), at in declaration.positions.items() if at in places}
    objects = {r: o for r, o in declaration.objects.items() if r not in refused}
    return replace(declaration, objects=objects)
