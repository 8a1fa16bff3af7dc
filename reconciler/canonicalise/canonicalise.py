"""Spell the declared state as PostgreSQL does: build it on scratch, beside the live one, and read both back.

Neither what people wrote nor what the target printed is compared with what another server prints. What a declaration
leaves open is completed with what is live, what nothing names is carried over as it is; so the desired state is a whole
database too. Only what is not known to be equal goes to scratch, with what it stands on and what stands on it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence, Set
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from difflib import get_close_matches

from reconciler.canonicalise.build import Build, Failures
from reconciler.canonicalise.closure import dependency_closure
from reconciler.canonicalise.overlay import Desired, complete, same_in
from reconciler.diff.renames import Renaming, carried, pending, spoken_of, undone
from reconciler.errors import DeclarationError, Problem, ScratchError, StatementFailed
from reconciler.introspect.introspect import Snapshot, introspect
from reconciler.model.declared import Overloaded, expressions, with_expression
from reconciler.model.markers import PlatformDependent
from reconciler.model.object import Object, PlanningContext, reserved_constraint_names
from reconciler.model.ref import Ref
from reconciler.model.state import Declaration, Scope, State
from reconciler.server.connection import Connection, rows, run_sql
from reconciler.server.scratch import Scratch
from reconciler.sql import compose, literal, name, raw, text

ROUNDS = (
    4  # what PostgreSQL prints and reads again settles after two; more would be one that never does
)


@dataclass(frozen=True)
class Canonical:
    """Two whole states, spelled by one server, and a connection to the database that holds the live one.

    `situation` is the target's, with the declared objects in it as plans need them. `left_out` says what of the live
    database could not be built on scratch, and why. Where there are `renamings`, `live` is what they leave, and `before`
    what the connection holds: the state from which they start. `ranks` is the order in which the desired state was built;
    `again` connects to another database that holds the live one.
    """

    live: State
    desired: State
    context: PlanningContext
    scratch: Scratch | None = None
    connection: Connection | None = None
    left_out: Mapping[Ref, str] = field(default_factory=dict[Ref, str])
    renamings: Sequence[Renaming] = ()
    before: State | None = None
    scratch_order: Mapping[Ref, int] = field(default_factory=dict[Ref, int])
    again: Callable[[], Connection] | None = None


@contextmanager
def canonicalise(
    live: Snapshot,
    declaration: Declaration,
    scope: Scope,
    scratches: Callable[[], Iterator[Scratch]],
) -> Generator[Canonical]:
    """Yield both states as one server spells them; nothing is started where nothing can differ.

    `scratches` offers servers in order of preference: one that cannot hold the objects is passed over. Raises
    DeclarationError with every object that PostgreSQL refuses, ScratchError when no server serves.
    """
    renamings = pending(live.state, declaration, scope, live.context)
    live = replace(live, context=_bounded(live.context, declaration, scope))
    if not renamings and not _seeds(live, declaration, _first_look(live, declaration, scope)[0]):
        yield Canonical(live.state, live.state, live.context)
        return
    refused: list[str] = []
    for scratch in scratches():
        with ExitStack() as stack:
            try:
                canonical = _on(scratch, stack, live, declaration, scope, renamings)
            except ScratchError as e:
                refused.append(str(e))
                continue
            yield canonical
            return
    raise ScratchError("no scratch server serves:\n" + "\n".join(f"  {r}" for r in refused))


def _bounded(context: PlanningContext, declaration: Declaration, scope: Scope) -> PlanningContext:
    """What is half-done, as far as we may look, and what of it is not to stay."""
    leftovers = {r: left for r, left in context.leftovers.items() if scope.covers(r)}
    whole = {
        r
        for r in leftovers
        if scope.prune or (r.on is not None and r.kind in declaration.exclusive.get(r.on, ()))
    }
    unfinished = {r: o for r, o in context.unfinished.items() if scope.covers(r)}
    return replace(
        context,
        leftovers=leftovers,
        unwanted=whole - declaration.objects.keys(),
        unfinished=unfinished,
    )


def _first_look(
    live: Snapshot, declaration: Declaration, scope: Scope
) -> tuple[Desired, dict[Ref, Ref]]:
    spelled = {
        r: same
        for r in [*declaration.objects, *declaration.absent]
        if (same := same_in(live.state, r)) != r
    }
    return complete(live, declaration, scope, spelled), spelled


def _seeds(live: Snapshot, declaration: Declaration, wanted: Desired) -> set[Ref]:
    """What is not known to be as it should be."""
    roots = {r for r, o in wanted.objects.items() if live.state.get(r) != o} | set(wanted.gone)
    unnamed = {
        (r.kind, r.schema, r.name)
        for r in [*wanted.source, *declaration.absent]
        if r.arguments is not None and r not in live.state
    }
    return (
        roots
        | live.context.unfinished.keys()
        | {r for r in live.state if (r.kind, r.schema, r.name) in unnamed}
    )


def _on(
    scratch: Scratch,
    stack: ExitStack,
    live: Snapshot,
    declaration: Declaration,
    scope: Scope,
    renamings: Sequence[Renaming],
) -> Canonical:
    """Both states as one scratch server spells them."""
    present = _renamed(scratch, live, declaration, renamings) if renamings else live
    wanted, spelled = _first_look(present, declaration, scope)
    roots = _seeds(present, declaration, wanted) | {r.becomes for r in renamings}
    roots |= {
        n for r in renamings for n in live.state.needs(r.was)
    }  # where it comes from, it must be able to go back to
    canonical = ScratchBuilder(scratch, stack, present, declaration, scope, spelled).canonical(
        wanted, roots
    )
    if not renamings:
        return canonical
    assert canonical.connection is not None
    for sql in undone(renamings):
        run_sql(canonical.connection, sql)
    return replace(
        canonical,
        again=None,
        renamings=renamings,
        before=introspect(canonical.connection, live.context.server).state,
    )


def _renamed(
    scratch: Scratch, live: Snapshot, declaration: Declaration, renamings: Sequence[Renaming]
) -> Snapshot:
    """What the renamings make of the live state: PostgreSQL knows what else they change."""
    members = dependency_closure(
        live.state,
        {r.was for r in renamings} | {n for r in renamings for n in _wanted_by(r, declaration)},
    )
    state = State({r: o for r, o in live.state.objects.items() if r in members}, live.state.edges)
    context = replace(live.context, server=scratch.server, initial={}, leftovers={}, unfinished={})
    with scratch.database(
        {role for o in state.objects.values() for role in o.roles()}, live.context.user
    ) as connection:
        if failed := Build(connection, state, context, {}).all():
            listed = "; ".join(f"{r}: {e.message}" for r, e in list(failed.items())[:3])
            raise ScratchError(
                f"{scratch.words} cannot hold what stands on what is renamed ({listed})"
            )
        for renaming in renamings:
            run_sql(connection, renaming.statement.sql)
        found = introspect(connection, live.context.server).state
    others = {r: o for r, o in live.state.objects.items() if r not in members}
    names = carried(live.state, renamings)
    sizes = {names.get(r, r): s for r, s in live.context.sizes.items()}
    taken = {
        (names[r].schema, names[r].name): live.names.get((r.schema, r.name), "")
        for r in members
        if live.state[r].relation_name == r.name
    }
    return replace(
        live,
        state=State({**others, **found.objects}, {**live.state.edges, **found.edges}),
        context=replace(live.context, sizes=sizes),
        names={
            k: v
            for k, v in live.names.items()
            if k not in {(r.schema, r.name) for r in names if names[r] != r}
        }
        | taken,
    )


def _wanted_by(renaming: Renaming, declaration: Declaration) -> Set[Ref]:
    """What an object needs once it is called so: another schema."""
    return (
        declaration.objects[renaming.becomes].needs()
        if renaming.becomes in declaration.objects
        else frozenset()
    )


class ScratchBuilder:
    """One scratch server at work on one declaration."""

    def __init__(
        self,
        scratch: Scratch,
        stack: ExitStack,
        live: Snapshot,
        declaration: Declaration,
        scope: Scope,
        spelled: dict[Ref, Ref],
    ) -> None:
        self.scratch, self.stack, self.live, self.declaration, self.scope, self.spelled = (
            scratch,
            stack,
            live,
            declaration,
            scope,
            dict(spelled),
        )
        self.context = replace(
            live.context, server=scratch.server, initial={}, leftovers={}, unfinished={}
        )

    def canonical(self, wanted: Desired, roots: Set[Ref]) -> Canonical:
        """Try with what is known to matter; what SQL turns out to need beyond that is known only by failing."""
        if self.live.context.server.has_not_null_constraints:
            self.context = replace(
                self.context, claimed=_claimed(self.live.state.objects, wanted.objects)
            )
        try:
            return self._canonical(
                wanted, dependency_closure(self.live.state, roots, wanted.objects)
            )
        except DeclarationError:
            return self._canonical(wanted, frozenset(self.live.state))

    def _canonical(self, wanted: Desired, members: Set[Ref]) -> Canonical:
        live = {r: o for r, o in self.live.state.objects.items() if r in members}
        with ExitStack() as kept:
            connection, built, left_out, _ = self._settled(
                State(live, self.live.state.edges), {}, kept
            )
            wanted = self._identified(connection, wanted)
            objects = {
                r: o
                for r, o in wanted.objects.items()
                if (r in members or r not in self.live.state) and r not in left_out
            }
            with ExitStack() as passing:
                fresh = {
                    r: s
                    for r, s in wanted.source.items()
                    if wanted.objects[r] != self.live.state.get(r)
                }
                other, found, lost, scratch_order = self._settled(
                    State(objects, self.live.state.edges), fresh, passing, built=built.state
                )
                self._nothing_unseen({**left_out, **lost}, wanted)
                desired, declared = self._with_fills(other, found, wanted)
            self.stack.push(kept.pop_all())
        context = replace(
            self.live.context,
            declared=declared,
            default_partition_names=found.context.partition_copies,
            claimed=self.context.claimed,
        )

        def again() -> Connection:
            return self._settled(built.state, {}, self.stack)[0]

        return Canonical(
            built.state,
            desired,
            context,
            self.scratch,
            connection,
            left_out,
            scratch_order=scratch_order,
            again=again,
        )

    def _nothing_unseen(self, left_out: Mapping[Ref, str], wanted: Desired) -> None:
        """Refuse to say anything of declared objects that this server does not hold."""
        complete = {r for r, kinds in self.declaration.exclusive.items() if kinds}
        unseen = {
            r: why
            for r, why in left_out.items()
            if r in wanted.source or r in wanted.gone or r.on in complete
        }
        if unseen:
            listed = "; ".join(f"{r}: {why}" for r, why in list(unseen.items())[:3])
            raise ScratchError(
                f"{self.scratch.words} cannot hold what is declared, so nothing can be said of it ({listed})"
            )

    def _identified(self, connection: Connection, wanted: Desired) -> Desired:
        """Ask PostgreSQL for the identity of routines that are not spelled as the catalog does."""
        for ref in [*self.declaration.objects, *self.declaration.absent]:
            if ref.arguments is None or ref in self.spelled or ref in self.live.state:
                continue
            obj = self.declaration.objects.get(ref) or self.declaration.absent[ref]
            with suppress(
                StatementFailed
            ):  # a type that is still to be made: then the routine is new as well
                run_sql(connection, text(compose("SET search_path TO {}", self._path(ref))))
                if isinstance(obj, Overloaded):
                    self.spelled[ref] = obj.identify(connection)
        return complete(self.live, self.declaration, self.scope, self.spelled)

    def _path(self, ref: Ref) -> str:
        return self.declaration.search_path.get(ref, "")

    def _settled(
        self, state: State, source: Mapping[Ref, Ref], stack: ExitStack, built: State | None = None
    ) -> tuple[Connection, Snapshot, dict[Ref, str], Mapping[Ref, int]]:
        """Build, read back, and build that again until what is printed is what was built.

        `built` is the live state, in the place of which this one is to come.
        """
        roles = {role for o in state.objects.values() for role in o.roles()}
        left_out: dict[Ref, str] = {}
        for _ in range(ROUNDS):
            with ExitStack() as passing:
                connection = passing.enter_context(
                    self.scratch.database(roles, self.live.context.user)
                )
                paths = (
                    {}
                    if self.declaration.recorded
                    else {r: self._path(s) for r, s in source.items()}
                )
                build = Build(connection, state, self.context, paths)
                failed = build.all()
                self._judge(build, failed, source, built or State())
                left_out |= {
                    p: e.message
                    for r, e in failed.items()
                    for p in (r, *(o.ref for o in state.parts(r)))
                }
                found = introspect(connection, self.live.context.server)
                if found.state.objects == state.objects:
                    stack.push(passing.pop_all())
                    return connection, found, left_out, build.made
                state, source = found.state, {}
        raise ScratchError(
            f"{self.scratch.words} prints something else each time it reads what it printed"
        )

    def _judge(
        self, build: Build, failed: Failures, source: Mapping[Ref, Ref], built: State
    ) -> None:
        """Raise for what cannot stay out: declared objects, and live ones on a scratch that is not like the target."""
        if self.scratch.ours and (
            lacking := {
                r: e for r, e in failed.items() if isinstance(build.state[r], PlatformDependent)
            }
        ):
            listed = "; ".join(f"{r}: {e.message}" for r, e in lacking.items())
            raise ScratchError(f"{self.scratch.words} may lack what the target has ({listed})")
        problems = (
            [
                p
                for r, e in build.culprits(failed).items()
                if (p := self._problem(r, e, source, built))
            ]
            if failed
            else []
        )
        if problems:
            raise DeclarationError(problems)
        if failed and self.scratch.ours:
            listed = "; ".join(f"{r}: {e.message}" for r, e in list(failed.items())[:3])
            raise ScratchError(
                f"{self.scratch.words} cannot hold {len(failed)} of the target's objects ({listed})"
            )

    def _problem(
        self, ref: Ref, e: StatementFailed, source: Mapping[Ref, Ref], built: State
    ) -> Problem | None:
        if ref in source:
            origin = source[ref]
            key = next(
                (
                    k
                    for k in self.declaration.objects[origin].sql_fields
                    if (origin, k) in self.declaration.positions
                ),
                "",
            )
            hint = "; ".join(x for x in (e.detail, e.hint) if x)
            return Problem(f"{ref}: {e.message}", self.declaration.position(origin, key), hint)
        if ref in built:
            hint = "declare it as it should be, or with state: absent"
            return Problem(
                f"{ref} cannot stay as it is beside what is declared: {e.message}", None, hint
            )
        return None

    def _with_fills(
        self, connection: Connection, found: Snapshot, wanted: Desired
    ) -> tuple[State, dict[Ref, Object]]:
        """Qualify the SQL that no catalog stores, and learn what it needs."""
        desired, known = found.state, found.addresses
        edges, declared, objects = dict(desired.edges), dict[Ref, Object](), dict(desired.objects)
        problems: list[Problem] = []
        for ref, origin in wanted.source.items():
            if ref not in desired:
                continue
            obj = self.declaration.objects[origin].model_copy(update={"ref": ref})
            said = (
                (key, self.declaration.position(origin, key), why)
                for key, why in obj.reference_errors(found.context)
            )
            problems += [Problem(f"{ref}: {key}: {why}", at) for key, at, why in said]
            if obj.depends_on:
                edges[ref] = edges.get(ref, frozenset()) | self._named(
                    obj, origin, desired, problems
                )
            for key, value in expressions(obj).items():
                assert ref.on is not None
                try:
                    with connection.transaction():
                        spelled, needed = _qualified(
                            connection, ref.on, value, self._path(origin), known
                        )
                except StatementFailed as e:
                    problems.append(
                        Problem(
                            f"{ref}: {key}: {e.message}",
                            self.declaration.position(origin, key),
                            e.hint,
                        )
                    )
                    continue
                obj = with_expression(obj, key, spelled)
                if key in expressions(objects[ref]):
                    objects[ref] = with_expression(objects[ref], key, spelled)
                edges[ref] = edges.get(ref, frozenset()) | (needed - {ref})
            declared[ref] = obj
        if problems:
            raise DeclarationError(problems)
        return replace(desired, objects=objects, edges=edges), declared

    def _named(
        self, obj: Object, origin: Ref, desired: State, problems: list[Problem]
    ) -> frozenset[Ref]:
        """What `depends_on` names."""
        known = {
            words: r
            for r, o in desired.objects.items()
            for words in spoken_of(o, r, self._path(origin))
        }
        for words in obj.depends_on:
            if words not in known:
                near = get_close_matches(words, known, 1)
                hint = (
                    f"did you mean '{near[0]}'?"
                    if near
                    else "name its kind and its name: `function f(integer)`, `table public.t`"
                )
                problems.append(
                    Problem(
                        f"{obj.ref}: depends_on: there is no {words}",
                        self.declaration.position(origin, "depends_on"),
                        hint,
                    )
                )
        return frozenset(known[w] for w in obj.depends_on if w in known)


def _claimed(*states: Mapping[Ref, Object]) -> frozenset[tuple[str, str]]:
    return frozenset(
        (ref.schema, own)
        for objects in states
        for ref, obj in objects.items()
        for own in reserved_constraint_names(obj)
    )


def _qualified(
    connection: Connection,
    table: Ref,
    value: str,
    path: str,
    known: Mapping[tuple[int, int, int], Ref],
) -> tuple[str, frozenset[Ref]]:
    """An expression over a table's row as PostgreSQL prints it, and what it needs: asked of a view made of it."""
    relation = name(table.schema, table.name)
    run_sql(connection, text(compose("SET LOCAL search_path TO {}", literal(path))))
    run_sql(
        connection,
        text(
            compose(
                'CREATE TEMP VIEW reconcile_probe AS SELECT ({}) AS "reconcile value" FROM {}',
                raw(value),
                relation,
            )
        ),
    )
    run_sql(connection, "SET LOCAL search_path TO ''")
    printed = rows(
        connection, "SELECT pg_get_viewdef('pg_temp.reconcile_probe'::regclass) AS query"
    )[0]["query"]
    needed = rows(
        connection,
        """SELECT d.refclassid::int8, d.refobjid::int8, d.refobjsubid::int8 FROM pg_depend AS d JOIN pg_rewrite AS r ON r.oid = d.objid
           WHERE d.classid = 'pg_rewrite'::regclass AND r.ev_class = 'pg_temp.reconcile_probe'::regclass AND d.deptype = 'n'""",
    )
    run_sql(connection, "DROP VIEW pg_temp.reconcile_probe")
    match = re.fullmatch(r'\s*SELECT (.*) AS "reconcile value"\s+FROM .*?;?\s*', printed, re.S)
    if match is None:
        raise StatementFailed(
            f"PostgreSQL prints this expression in a form that we do not know: {printed}"
        )
    refs = (known.get((r["refclassid"], r["refobjid"], r["refobjsubid"])) for r in needed)
    return match[1], frozenset(r for r in refs if r)
