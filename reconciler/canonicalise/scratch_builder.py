"""Build the live and the desired state on a scratch server, and read both back."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Set
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

from reconciler.canonicalise.build import (
    MAX_LISTED,
    Build,
    scratch_context,
    shared_constraint_names,
)
from reconciler.canonicalise.canonical import Canonical, Inputs, SpelledPositions
from reconciler.canonicalise.closure import dependency_closure
from reconciler.canonicalise.divided import with_members_divided
from reconciler.canonicalise.expressions import resolve_declared
from reconciler.canonicalise.fragments import prove_fragments
from reconciler.canonicalise.guard import (
    Guarded,
    require_as_put_in,
    require_only_declared_changes,
)
from reconciler.canonicalise.identify import identified
from reconciler.canonicalise.named import named_objects
from reconciler.canonicalise.overlay import Desired
from reconciler.canonicalise.refusals import Refusals
from reconciler.canonicalise.respelled import overlay_again
from reconciler.errors import (
    DeclarationError,
    FragmentError,
    Position,
    ScratchError,
    TamperedWith,
)
from reconciler.introspect.checks import conditions_of_checks
from reconciler.introspect.introspect import Snapshot, introspect
from reconciler.introspect.partitions import partition_bounds
from reconciler.introspect.unfilled import filled_as
from reconciler.model.companion import following
from reconciler.model.context import PlanningContext
from reconciler.model.inheritance import parents_of
from reconciler.model.on_scratch import is_checked, literal_body
from reconciler.model.ref import Ref
from reconciler.model.state import State
from reconciler.server.connection import Connection
from reconciler.server.scratch import Scratch

# PostgreSQL's output is stable when read and printed twice. More rounds mean a form that changes
# each time.
MAX_ROUNDS = 4


@dataclass(frozen=True)
class _Built:
    """A state in a scratch database, as PostgreSQL prints it there.

    `rounds` counts the databases built. Of a settled state PostgreSQL prints what it has read.
    """

    connection: Connection
    snapshot: Snapshot
    left_out: Mapping[Ref, str]
    order: Mapping[Ref, int]
    stale: Mapping[Ref, str]
    rounds: int
    is_settled: bool


class ScratchBuilder:
    """A scratch server building for a declaration; databases last until `resources` close.

    `settle` puts known forms in place of declared ones. Only the caller that proves the plan, and
    can begin again with the settled state, may ask for an `unsettled` desired state.
    """

    def __init__(
        self,
        scratch: Scratch,
        resources: ExitStack,
        inputs: Inputs,
        desired: Desired,
        settle: Callable[[Desired], Desired] | None = None,
        *,
        unsettled: bool = False,
    ) -> None:
        self.scratch, self.resources, self.settle = scratch, resources, settle
        self.unsettled = unsettled
        self.inputs, self.live, self.declaration = inputs, inputs.live, inputs.declaration
        self.desired: Desired = desired
        self.context = scratch_context(self.live.context, scratch.server)

    def canonical(self, roots: Set[Ref]) -> Canonical:
        """Build the dependency closure of the roots, or all objects if PostgreSQL refuses some.

        The closure holds what declared SQL seems to name, which no catalog knows yet. What the SQL
        needs beyond that shows only when PostgreSQL refuses the SQL.
        """
        live = self.live.state
        if self.live.context.server.has_not_null_constraints:
            names = shared_constraint_names(live.objects, self.desired.objects)
            self.context = replace(self.context, shared_constraint_names=names)
        closure = dependency_closure(live, roots, self.desired.objects)
        named = self._named(roots, closure)
        with_named = dependency_closure(live, roots, self.desired.objects, named)
        tried = [with_named] if with_named == closure else [with_named, closure]
        for members in tried:  # the server may lack what only an object of such a name needs
            try:
                found = self._canonical(members)
            except FragmentError:
                raise
            except DeclarationError:
                break
            except ScratchError:
                if members == tried[-1]:
                    raise
            else:
                if found.stale:
                    break
                return found
        return self._canonical(frozenset(live))

    def _named(self, roots: Set[Ref], closure: Set[Ref]) -> Set[Ref]:
        """Return the live objects that the SQL of the declared roots names."""
        if all(r.on is not None or r in closure for r in self.live.state):
            return set()
        source = {r: o for r, o in self.desired.source.items() if r in roots}
        declared = {r: self.declaration.objects[origin] for r, origin in source.items()}
        paths = {r: self._search_path(origin) for r, origin in source.items()}
        return named_objects(self.live.state, declared, paths)

    def _canonical(self, members: Set[Ref]) -> Canonical:
        objects = {r: o for r, o in self.live.state.objects.items() if r in members}
        with ExitStack() as resources:
            state = State(objects, self.live.state.edges)
            live = self._build(state, {}, resources)
            require_as_put_in(self._guarded(state, live))
            repeated = self.desired.repeated
            prove_fragments(live.connection, self.declaration, self.live.state, repeated)
            self._identify(live.connection)
            desired, built, context = self._build_desired(live, members)
            self.resources.push(resources.pop_all())

        def clone() -> Connection:
            return self._build(state, {}, self.resources).connection

        canonical = Canonical(
            live.snapshot.state,
            desired,
            context,
            self.scratch,
            live.connection,
            live.left_out,
            scratch_order=built.order,
            stale=built.stale,
            positions=self._positions(),
            spelled=self.desired.spelled,
            reconnect=clone,
        )
        if built.is_settled:
            return canonical

        def settled() -> Canonical:
            desired, again, context = self._build_desired(live, members, built)
            return replace(
                canonical,
                desired=desired,
                context=context,
                connection=clone(),
                scratch_order=again.order,
                stale=again.stale,
            )

        return replace(canonical, settled=settled)

    def _positions(self) -> Mapping[tuple[Ref, str], Position]:
        """Return the declaration's positions under PostgreSQL's spelling of the refs."""
        spelled = self.desired.spelled
        positions = self.declaration.positions
        if not spelled:
            return positions
        return SpelledPositions(positions, spelled)

    def _build_desired(
        self, live: _Built, members: Set[Ref], before: _Built | None = None
    ) -> tuple[State, _Built, PlanningContext]:
        """Return the desired state, that state as it was built, and the context of the plan.

        `before` is the state of an earlier call, which is not settled.
        """
        current, known = self.live.state, self.live.state.objects
        objects = {
            r: o
            for r, o in self.desired.objects.items()
            if (r in members or r not in known) and r not in live.left_out
        }
        changed = {
            r: origin
            for r, origin in self.desired.source.items()
            if (o := self.desired.objects[r]) is not (was := known.get(r)) and o != was
        }
        state = State(objects, current.edges)
        with ExitStack() as resources:
            built = (
                self._build(state, changed, resources, live, settled=not self._may_wait(live))
                if before is None
                else self._settled(before, resources, live)
            )
            self._require_declared({**live.left_out, **built.left_out})
            others = {r for r, o in objects.items() if o != current.get(r)}
            guarded = replace(self._guarded(state, built), spelled=self._spelled(built, others))
            with self._positioned():
                require_only_declared_changes(guarded, live.snapshot.state, others)
            desired, declared = resolve_declared(
                built.connection,
                built.snapshot,
                live.snapshot.state,
                self.desired,
                self.declaration,
            )
            bounds = partition_bounds(built.connection, self._new_partitions(desired))
            checks = conditions_of_checks(
                built.connection, self.desired.source, desired, live.snapshot.state
            )
        desired = self._with_followers(live.snapshot.state, desired)
        context = replace(
            self.live.context,
            declared=declared,
            default_partition_names=built.snapshot.context.partition_copies,
            shared_constraint_names=self.context.shared_constraint_names,
            bounds=bounds,
            checks=checks,
        )
        return desired, built, context

    def _may_wait(self, live: _Built) -> bool:
        """Tell whether the desired state may be settled later, or by the proof of the plan.

        The proof builds it once more, and compares. Where PostgreSQL has printed something of the
        live state in two ways, it will do so with the same SQL in a declaration.
        """
        return self.unsettled and live.rounds == 1

    def _settled(self, built: _Built, resources: ExitStack, live: _Built) -> _Built:
        """Build a state again until PostgreSQL prints the same."""
        again = self._build(built.snapshot.state, {}, resources, live)
        left_out, stale = {**built.left_out, **again.left_out}, {**built.stale, **again.stale}
        return replace(again, left_out=left_out, stale=stale)

    def _spelled(self, built: _Built, refs: Set[Ref]) -> dict[Ref, Ref]:
        """Map names with types to the catalog's spelling, if only the new state has the types.

        Routines are told apart by their names and bodies.
        """
        known = {*built.snapshot.state, *(r for r in refs if r.arguments is not None)}
        objects = {r: o for r, o in self.declaration.objects.items() if r in refs}
        asked = replace(self.declaration, objects=objects, absent={})
        return {r: o.ref for r, o in identified(built.connection, asked, known).items()}

    def _new_partitions(self, desired: State) -> list[Ref]:
        """List the declared partitions that are new, or have another parent or bound."""
        live, known = self.live.state, [r for r in self.desired.source if r in desired]
        return [r for r in known if parents_of(desired[r]) and desired[r] != live.get(r)]

    def _with_followers(self, live: State, desired: State) -> State:
        """Let undeclared objects follow the changes of others, as the desired state has them."""
        objects = {
            ref: obj
            if ref in self.desired.source
            else following(obj, live.objects, desired.objects)
            for ref, obj in desired.objects.items()
        }
        return State(objects, desired.edges)

    @contextmanager
    def _positioned(self) -> Generator[None]:
        """Add the position of the first declared object that was tampered with."""
        try:
            yield
        except TamperedWith as error:
            declared = {str(r): at for (r, key), at in self._positions().items() if not key}
            error.position = next((declared[o] for o in error.objects if o in declared), None)
            raise

    def _guarded(self, put_in: State, built: _Built) -> Guarded:
        owners = {self.live.context.user: built.snapshot.context.user}
        return Guarded(put_in, built.snapshot.state, built.left_out, owners)

    def _require_declared(self, left_out: Mapping[Ref, str]) -> None:
        """Raise ScratchError if the server cannot hold declared objects or exclusive children."""
        exclusive = {r for r, kinds in self.declaration.exclusive.items() if kinds}
        declared = self.desired.source.keys() | self.desired.dropped
        missing = {r: e for r, e in left_out.items() if r in declared or r.on in exclusive}
        if missing:
            reasons = "; ".join(f"{r}: {reason}" for r, reason in [*missing.items()][:MAX_LISTED])
            raise ScratchError(
                f"{self.scratch.description} cannot hold what is declared, "
                f"so nothing can be said of it ({reasons})"
            )

    def _identify(self, connection: Connection) -> None:
        """Ask PostgreSQL for the catalog's spelling of types in names, and for owners of members.

        Only if something differs is the declaration laid over the live state again.
        """
        before, declared, spelled = self.desired, self.declaration, dict[Ref, Ref]()
        found = identified(connection, declared, {*before.spelled, *self.live.state})
        if any(ref != obj.ref for ref, obj in found.items()):
            named = {r: o.model_copy(update={"ref": r}) for r, o in found.items()}
            objects = {r: named.get(r, o) for r, o in declared.objects.items()}
            declared = replace(declared, objects=objects)
            spelled = {r: o.ref for r, o in found.items()}
        divided = with_members_divided(connection, declared, self.live.state, before)
        if divided is not self.declaration:
            self.declaration = divided
            inputs = replace(self.inputs, declaration=divided)
            only_spelled = divided is declared
            desired = overlay_again(before, inputs, spelled, only_spelled=only_spelled)
            self.desired = self.settle(desired) if self.settle else desired

    def _search_path(self, ref: Ref) -> str:
        return self.declaration.search_path.get(ref, "")

    # -- one state ---------------------------------------------------------------------------------

    def _build(
        self,
        state: State,
        source: Mapping[Ref, Ref],
        resources: ExitStack,
        live: _Built | None = None,
        *,
        settled: bool = True,
    ) -> _Built:
        """Build, read back, and build the result again until PostgreSQL prints the same.

        `source` maps objects with declared SQL to their refs in the files. `live` is the live
        state, where `state` is the desired. Unless it is to be `settled`, one round will do.
        """
        left_out, stale = dict[Ref, str](), dict[Ref, str]()
        roles = {role for o in state.objects.values() for role in o.roles()}
        for rounds in range(1, MAX_ROUNDS + 1):
            with ExitStack() as attempt:
                connection = attempt.enter_context(
                    self.scratch.database(
                        roles, self.live.context.user, self.live.context.tablespaces
                    )
                )
                build = Build(
                    connection,
                    state,
                    self.context,
                    self._search_paths(source),
                    may_fail=lambda r, origins=source: self._may_fail(r, origins, live),
                )
                failed = build.create_all()
                refusals = Refusals(self.scratch, self.inputs, self.desired.dropped, source)
                refusals.raise_if_fatal(build, failed, live.snapshot.state if live else State())
                stale |= build.stale
                for ref, error in failed.items():
                    parts = (o.ref for o in state.parts(ref))
                    left_out |= dict.fromkeys((ref, *parts), error.message)
                snapshot = introspect(connection, self.live.context.server)
                snapshot = replace(snapshot, state=filled_as(snapshot.state, state.objects))
                same = snapshot.state.objects == state.objects
                if same or not settled:
                    resources.push(attempt.pop_all())
                    created = build.created
                    return _Built(connection, snapshot, left_out, created, stale, rounds, same)
                state, source = snapshot.state, {}
        raise ScratchError(
            f"{self.scratch.description} prints something else each time it reads what it printed"
        )

    def _search_paths(self, source: Mapping[Ref, Ref]) -> dict[Ref, str]:
        """Return the search paths of declared SQL; recorded SQL is qualified."""
        if self.declaration.recorded:
            return {}
        return {ref: self._search_path(origin) for ref, origin in source.items()}

    def _may_fail(self, ref: Ref, source: Mapping[Ref, Ref], live: _Built | None) -> bool:
        """Tell whether a body may be created unchecked: as declared, or as before the plan."""
        if ref not in source or not is_checked(self.declaration.objects[source[ref]]):
            return ref in source
        before = live.snapshot.state.get(ref) if live else None
        after = self.desired.objects.get(ref)
        if live is None or before is None or after is None:
            return False
        if literal_body(before) is None or literal_body(before) != literal_body(after):
            return False
        path = {ref: self._search_path(source[ref])}
        return not Build(live.connection, live.snapshot.state, self.context, path).compiles(ref)
