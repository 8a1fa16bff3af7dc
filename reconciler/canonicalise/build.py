"""Build a state on a scratch server, object by object, and collect refused objects."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice

from psycopg import Rollback

from reconciler.canonicalise.failing_parts import Failures, PartsOnTrial
from reconciler.canonicalise.hints import COLUMN, missing
from reconciler.canonicalise.sending import made_ahead
from reconciler.errors import StatementFailed
from reconciler.introspect.unfilled import unfilled
from reconciler.model.deferred import CreatedAsShell, deferred_needs, deferred_statements
from reconciler.model.inheritance import is_partitioned
from reconciler.model.markers import AppliesLast, FiresOnDdl
from reconciler.model.object import InlinePart, Object, PlanningContext, reserved_constraint_names
from reconciler.model.on_scratch import RunsBody, without_body
from reconciler.model.owned import granting_owners
from reconciler.model.partitioned import PartitionedObject
from reconciler.model.ref import Ref
from reconciler.model.state import State
from reconciler.model.statement import Statement
from reconciler.server.capabilities import Server
from reconciler.server.connection import Connection, rows
from reconciler.server.elevation import run_statement
from reconciler.server.together import run_at_once
from reconciler.sql import compose, literal, text

SCHEMAS = """
    SELECT nspname::text AS name FROM pg_namespace
    WHERE nspname !~ '^pg_' ORDER BY nspname <> 'public', nspname"""
BATCH_SIZE = 50  # objects per transaction: its locks must fit into max_locks_per_transaction
MAX_LISTED = 3  # failures in a message
# https://www.postgresql.org/docs/current/errcodes-appendix.html
UNDEFINED_OBJECT = "42704"
SQL_RULES = {
    "42601": "syntax-error",
    "42P01": "relation-not-found",
    "42703": "column-not-found",
    "42883": "function-not-found",
    UNDEFINED_OBJECT: "object-not-found",
}
MakeStatements = Callable[[Ref], Iterable[Statement]]


def listed(failures: Mapping[Ref, StatementFailed], limit: int | None = MAX_LISTED) -> str:
    """List the first failures for a message."""
    return "; ".join(f"{r}: {e.message}" for r, e in islice(failures.items(), limit))


def sql_rule(error: StatementFailed) -> str:
    """Return the name of the rule broken by declared SQL, by SQLSTATE."""
    if error.sqlstate == UNDEFINED_OBJECT and error.message.startswith("type "):
        return "type-not-found"
    return SQL_RULES.get(error.sqlstate, "sql-refused")


def scratch_context(context: PlanningContext, server: Server) -> PlanningContext:
    """Return the context on a scratch server, without the target's unfinished work."""
    return replace(context, server=server, building=True, initial={}, leftovers={}, unfinished={})


def shared_constraint_names(*states: Mapping[Ref, Object]) -> frozenset[tuple[str, str]]:
    """Collect schema and name where constraints of several objects have, or had, that name.

    PostgreSQL allows it on different tables, but would choose another one for NOT NULL.
    """
    owners: dict[tuple[str, str], Ref] = {}
    shared: set[tuple[str, str]] = set()
    known: Mapping[Ref, Object] = {}
    for objects in states:
        before, known = known, objects
        for ref, obj in objects.items():
            if before.get(ref) is obj:
                continue
            for constraint in reserved_constraint_names(obj):
                own = (ref.schema, constraint)
                if owners.setdefault(own, ref) != ref:
                    shared.add(own)
    return frozenset(shared)


@dataclass(frozen=True)
class Build:
    """The construction of a state in an empty database.

    `paths` maps objects with SQL that people wrote to their search paths; only for these does
    PostgreSQL check the bodies of routines. All other SQL was printed by PostgreSQL and qualified.
    `created` numbers the objects in the order in which they were created. Bodies that PostgreSQL
    refuses and that `may_fail` are created unchecked; `stale` has the reasons.

    PostgreSQL runs functions while it creates other objects. Therefore a routine has no body until
    all other objects are there, and event triggers, which no event precedes, come last.
    """

    connection: Connection
    state: State
    context: PlanningContext
    paths: Mapping[Ref, str]
    created: dict[Ref, int] = field(default_factory=dict[Ref, int])
    may_fail: Callable[[Ref], bool] = lambda _: False
    stale: dict[Ref, str] = field(default_factory=dict[Ref, str])
    _unchecked: set[Ref] = field(default_factory=set[Ref])  # bodies are checked at the end
    _extra_schemas: dict[Ref, tuple[str, ...]] = field(default_factory=dict[Ref, tuple[str, ...]])

    def __post_init__(self) -> None:
        """Let owners grant as themselves where others have grant options, too."""
        owners = granting_owners({}, self.state.objects)
        object.__setattr__(self, "context", replace(self.context, granting_owners=owners))

    def create_all(self) -> Failures:
        """Create all objects in the order of needs; return the refused with the errors.

        Only PostgreSQL knows what people's SQL needs: a refused object is tried again when others
        are there.
        """
        refs = [r for r in dependency_order(self.state) if not self._is_inline(r)]
        failed = self._create_shells(refs)
        firing = self._firing(refs)
        refs = [r for r in refs if r not in self.created or r in failed]
        last = [r for r in refs if isinstance(self.state[r], AppliesLast) and r not in firing]
        failed |= self._create([r for r in refs if r not in {*failed, *last, *firing}])
        failed |= self._create(last)
        failed |= self._restore_bodies([r for r in self.created if r not in {*failed, *firing}])
        return failed | self._create(firing)

    def _create_shells(self, refs: Sequence[Ref]) -> Failures:
        """Create the base types, first as shells, with their functions; return the refusals."""
        types = {o.ref for o in self.state.of(CreatedAsShell)}
        shells = self._with_needs(types)
        functions = {n for r in types for n in deferred_needs(self.state[r])}
        further = self._with_needs(functions) - shells if types else set[Ref]()
        failed: Failures = {}
        for found in (shells, further):  # CREATE FUNCTION would make a shell of what is not there
            failed |= self._create_repeatedly([r for r in refs if r in found])
        failed |= self._complete([r for r in refs if r in shells and r not in failed])
        return {r: e for r, e in failed.items() if r in self.created}

    def _with_needs(self, start: Iterable[Ref]) -> set[Ref]:
        """Return objects of the state with all that they need."""
        found, waiting = set[Ref](), [*start]
        while waiting:
            ref = waiting.pop()
            if ref not in found and ref in self.state:
                found.add(ref)
                waiting += self.state.needs(ref)
        return found

    def _firing(self, refs: Sequence[Ref]) -> list[Ref]:
        """Return the event triggers, and what stands on them."""
        fired = {r for r in refs if isinstance(self.state[r], FiresOnDdl)}
        return [r for r in refs if r in fired or (fired and self.state.needs(r) & fired)]

    def _is_inline(self, ref: Ref) -> bool:
        return isinstance(self.state[ref], InlinePart) and ref.on in self.state

    def _create(self, refs: list[Ref]) -> Failures:
        failed = self._create_repeatedly(refs)
        return failed | self._complete([r for r in refs if r not in failed])

    def _complete(self, refs: Sequence[Ref]) -> Failures:
        """Define the deferred parts."""
        return self._each(
            [r for r in refs if deferred_needs(self.state[r])],
            lambda r: deferred_statements(self.state[r], None, self.context),
        )

    def _create_repeatedly(self, refs: list[Ref]) -> Failures:
        """Retry refused objects until a round creates none even with unchecked bodies."""
        waiting, failed = refs, Failures()
        while waiting:
            failed = self._each(waiting, self._create_statements)
            self.created.update((r, len(self.created)) for r in waiting if r not in failed)
            if len(failed) == len(waiting):
                if self._unchecked >= failed.keys():
                    break
                self._unchecked.update(failed)
            waiting = list(failed)
        return failed

    def _create_statements(self, ref: Ref) -> Iterable[Statement]:
        obj = self.state[ref]
        statements = obj.create(self.context, self.state.parts(ref), online=False)
        empty = without_body(obj)
        emptying = empty.redefine(obj, self.context) or () if empty != obj else ()
        return [*statements[:1], *emptying, *statements[1:]]

    def _replace_statements(self, ref: Ref) -> Iterable[Statement]:
        return self.state[ref].redefine(self.state[ref], self.context) or ()

    def _restore_bodies(self, refs: Sequence[Ref]) -> Failures:
        """Give the routines their bodies, and check those that were created unchecked."""
        routines = {r for r in refs if isinstance(self.state[r], RunsBody)}
        unchecked = {r for r in self._unchecked & {*refs} if r.arguments is not None}
        failed = self._check_bodies([r for r in refs if r in unchecked])
        checked = routines - unchecked
        self._unchecked.update(checked)
        failed |= self._each([r for r in refs if r in checked], self._replace_statements)
        return self._create_unchecked(failed)

    def _create_unchecked(self, failed: Failures) -> Failures:
        stale = [r for r in failed if self.may_fail(r)]
        self._unchecked.update(stale)
        refused = self._each(stale, self._replace_statements)
        self.stale.update((r, failed[r].message) for r in stale if r not in refused)
        return {r: e for r, e in failed.items() if r not in self.stale}

    def compiles(self, ref: Ref) -> bool:
        """Tell whether PostgreSQL accepts the body of a routine that is there already."""
        return not self._check_bodies([ref])

    def _check_bodies(self, refs: Sequence[Ref]) -> Failures:
        """Check the bodies of routines created before the objects in the bodies.

        A body that needs other schemas than its own is accepted: callers may set a search path.
        """
        self._unchecked.clear()
        failed = self._each(refs, self._replace_statements)
        if not failed:
            return failed
        schemas = tuple(row["name"] for row in rows(self.connection, SCHEMAS))
        self._extra_schemas.update(dict.fromkeys(failed, schemas))
        still_failed = self._each(failed, self._replace_statements)
        return {r: e for r, e in failed.items() if r in still_failed}

    def causes(self, failed: Failures) -> Failures:
        """Keep the failures of objects and parts themselves, not of dependents."""
        first = {r: e for r, e in failed.items() if not self.state.needs(r) & failed.keys()}
        found: Failures = {}
        for ref, error in (first or failed).items():
            found |= {ref: error} if ref in self.created else self._failing_parts(ref, error)
        own = {r: e for r, e in found.items() if not _lacks_another(r, e, {*failed, *found})}
        return own or found

    def _failing_parts(self, ref: Ref, error: StatementFailed) -> Failures:
        """Return the declared parts that make CREATE fail, or else the object itself."""
        trial = PartsOnTrial(self.paths, partial(self._error_with, ref))
        return trial.failing(self.state.parts(ref), error) or {ref: error}

    def _error_with(self, ref: Ref, parts: Sequence[InlinePart]) -> StatementFailed | None:
        """Try to create an object with some of its parts, and return the error."""
        obj = self.state[ref]
        try:
            with self.connection.transaction():
                self._run([ref], lambda _: obj.create(self.context, parts, online=False))
                raise Rollback
        except StatementFailed as e:
            return e
        return None

    # -- execution ---------------------------------------------------------------------------------

    def _each(self, refs: Iterable[Ref], statements: MakeStatements) -> Failures:
        """Run the statements of each object; return the refused, after undoing the statements.

        A batch is sent at once, and runs in one transaction, while the next is composed; a refused
        batch is repeated object by object, and each of its statements may run as a superuser.
        """
        failed: Failures = {}
        batches = made_ahead(batched(refs), lambda batch: [*self._commands(batch, statements)])
        for batch, commands in batches:
            try:
                run_at_once(self.connection, commands)
            except StatementFailed:
                failed |= self._each_alone(batch, statements)
        return failed

    def _each_alone(self, refs: Iterable[Ref], statements: MakeStatements) -> Failures:
        failed: Failures = {}
        for ref in refs:
            try:
                with self.connection.transaction():
                    self._run([ref], statements)
            except StatementFailed as e:
                failed[ref] = e
        return failed

    def _run(self, refs: Iterable[Ref], statements: MakeStatements) -> None:
        for command in self._commands(refs, statements):
            run_statement(self.connection, command)

    def _commands(self, refs: Iterable[Ref], statements: MakeStatements) -> Iterator[str]:
        """Yield the statements of objects, after statements to set the parameters."""
        current = None
        for ref in refs:
            settings = self._search_path(ref), self._check_bodies_setting(ref)
            if settings != current:
                yield _assignment(*settings)
                current = settings
            yield from (unfilled(s.sql, ref.kind) for s in statements(ref))

    def _search_path(self, ref: Ref) -> tuple[str, ...]:
        refs = (ref, *(p.ref for p in self.state.parts(ref)))
        schema = next((self.paths[r] for r in refs if r in self.paths), "")
        return (schema, *self._extra_schemas.get(ref, ()))

    def _check_bodies_setting(self, ref: Ref) -> str:
        return "on" if ref in self.paths and ref not in self._unchecked else "off"


def _lacks_another(ref: Ref, error: StatementFailed, failed: Set[Ref]) -> bool:
    """Tell whether an object lacks what another refused object would have brought."""
    what, lacking = missing(error.message)
    is_part = what == COLUMN
    return any(r.name == lacking and (r.on is not None) == is_part for r in failed - {ref})


def _assignment(schemas: Iterable[str], check_bodies: str) -> str:
    """Compose the statement that sets search_path and check_function_bodies in a transaction."""
    path = ", ".join('"' + schema.replace('"', '""') + '"' for schema in schemas)
    return text(
        compose(
            "SELECT pg_catalog.set_config('search_path', {}, true),"
            " pg_catalog.set_config('check_function_bodies', {}, true)",
            literal(path),
            literal(check_bodies),
        )
    )


def batched(refs: Iterable[Ref]) -> Iterator[Sequence[Ref]]:
    """Yield lists of BATCH_SIZE refs."""
    remaining = iter(refs)
    while batch := list(islice(remaining, BATCH_SIZE)):
        yield batch


def dependency_order(state: State) -> list[Ref]:
    """Order the refs by needs; a cycle is broken at the first visited object.

    Routines come first, because only their bodies tell whether other objects need them. Indexes and
    keys of partitioned tables come late, because PostgreSQL chooses names for those of partitions,
    and last what needs one, but has no such name: foreign keys.
    """
    order: dict[Ref, None] = {}
    for start in sorted(state, key=lambda r: _turn(state, r)):
        _visit(state, start, order)
    return list(order)


def _turn(state: State, ref: Ref) -> int:
    obj, table = state[ref], state.get(ref.on) if ref.on is not None else None
    if isinstance(obj, PartitionedObject):
        return 1 if obj.relation_name and not is_partitioned(table) else 3 - bool(obj.relation_name)
    return 0 if isinstance(obj, RunsBody) else 1


def _visit(state: State, start: Ref, order: dict[Ref, None]) -> None:
    """Append the needs of `start`, then `start`; iterative, since chains may be long."""
    stack: list[tuple[Ref, bool]] = [(start, False)]
    seen = set[Ref]()
    while stack:
        ref, needs_visited = stack.pop()
        if needs_visited:
            order.setdefault(ref)
        elif ref not in order and ref not in seen:
            seen.add(ref)
            stack.append((ref, True))
            stack += [(n, False) for n in _needs_with_parts(state, ref)]


def _needs_with_parts(state: State, ref: Ref) -> Iterator[Ref]:
    yield from sorted(state.needs(ref), key=lambda r: r.order, reverse=True)
    for part in state.parts(ref):
        yield from (n for n in state.needs(part.ref) if n != ref)
