"""Let a PostgreSQL server print both the live and the desired state.

What people wrote is never compared with what the target printed: both are built on a scratch server
and read back. What a declaration leaves open is filled in from the live state, and undeclared
objects are taken over, so that the desired state is a whole database too. Only objects that may
differ are built, with their dependents and requirements.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import TypeVar

from reconciler.canonicalise.absent_parts import with_parts_absent
from reconciler.canonicalise.canonical import Canonical, Inputs
from reconciler.canonicalise.further import with_further_problems, with_problems_of_rest
from reconciler.canonicalise.known_forms import Forms, KnownForms
from reconciler.canonicalise.overlay import Desired, overlay
from reconciler.canonicalise.renamed import arguments_asked, with_renamings
from reconciler.canonicalise.scratch_builder import ScratchBuilder
from reconciler.diff.renames import Renaming, find_renamings, undo_of
from reconciler.diff.routines import unidentified_routines
from reconciler.errors import DeclarationError, ScratchError
from reconciler.introspect.introspect import Snapshot, introspect
from reconciler.introspect.unfilled import filled_as
from reconciler.kinds import KINDS
from reconciler.model.context import PlanningContext
from reconciler.model.declared import NamedByTypes
from reconciler.model.ref import Ref
from reconciler.model.state import Declaration, Scope
from reconciler.server.elevation import run_statement
from reconciler.server.scratch import Scratch

T = TypeVar("T")


@contextmanager
def canonicalise(
    live: Snapshot,
    declaration: Declaration,
    scope: Scope,
    scratches: Callable[[], Iterator[Scratch]],
    forms: Forms | None = None,
    *,
    unsettled: bool = False,
) -> Generator[Canonical]:
    """Yield both states, printed by the same server; start no server where nothing can differ.

    `forms` knows objects that earlier plans have found equal. `scratches` yields servers in order
    of preference; the first that can hold the objects is used. With `unsettled`, the desired state
    may be as PostgreSQL has printed it once: see Canonical.
    Raises DeclarationError with all objects that PostgreSQL refuses, ScratchError where no server
    can hold the objects.
    """
    live = replace(live, context=_within_scope(live.context, declaration, scope))
    inputs = Inputs(live, declaration, scope)
    with ExitStack() as resources:
        servers = _Servers(scratches, resources, forms)
        try:
            canonical = _canonical(inputs, servers, resources, forms, unsettled=unsettled)
        except DeclarationError as error:
            raise with_further_problems(
                error, inputs, lambda rest: _attempt(rest, servers)
            ) from None
        yield canonical


class _Servers:
    """The scratch servers in order of preference; the plans of a process take turns there.

    A plan's turn begins when it first asks for servers, and ends when `resources` close.
    """

    def __init__(
        self,
        scratches: Callable[[], Iterator[Scratch]],
        resources: ExitStack,
        forms: Forms | None,
    ) -> None:
        self._scratches, self._resources, self._forms = scratches, resources, forms

    def take_turn(self) -> bool:
        """Wait until no other plan works there; tell whether others have found objects equal."""
        if self._forms is None:
            return False
        met = len(self._forms.equal)
        self._resources.enter_context(self._forms.turn)
        found_equal, self._forms = len(self._forms.equal) > met, None
        return found_equal

    def __call__(self) -> Iterator[Scratch]:
        self.take_turn()
        return self._scratches()


def with_faults_of_rest(
    error: DeclarationError,
    live: Snapshot,
    declaration: Declaration,
    scope: Scope,
    scratches: Callable[[], Iterator[Scratch]],
) -> DeclarationError:
    """Return an error of files with what PostgreSQL refuses in the declaration of the rest."""
    scope = replace(scope, prune=False)
    live = replace(live, context=_within_scope(live.context, declaration, scope))
    inputs = Inputs(live, declaration, scope)
    with ExitStack() as resources:
        servers = _Servers(scratches, resources, None)
        return with_problems_of_rest(error, inputs, lambda rest: _attempt(rest, servers))


def _attempt(inputs: Inputs, servers: _Servers) -> None:
    with ExitStack() as resources:
        _canonical(inputs, servers, resources)


def _canonical(
    inputs: Inputs,
    servers: _Servers,
    resources: ExitStack,
    forms: Forms | None = None,
    *,
    unsettled: bool = False,
) -> Canonical:
    """Return both states; databases on scratch last until `resources` close."""
    renamings = _renamings(inputs, servers)
    if not renamings:
        inputs = _with_parts_absent(inputs)
    live, declaration, scope = inputs.live, inputs.declaration, inputs.scope
    known = KnownForms(forms, live, declaration) if forms else None
    spelled = None if renamings else overlay(live, declaration, scope)
    desired = known.settled(spelled) if known and spelled else spelled
    if found := _without_difference(inputs, desired):
        return found
    if servers.take_turn() and known and spelled:
        desired = known.settled(spelled)
        if found := _without_difference(inputs, desired):
            return found

    def attempt(scratch: Scratch) -> Canonical:
        attempted = resources.enter_context(ExitStack())  # the builder may open further databases
        try:
            if desired is None:
                return _after_renamings(scratch, attempted, inputs, renamings)
            settle = known.settled if known else None
            builder = ScratchBuilder(
                scratch, attempted, inputs, desired, settle, unsettled=unsettled
            )
            return _remembered(builder.canonical(_roots(inputs, desired)), spelled, known)
        except BaseException:
            attempted.close()
            raise

    return _by_first(servers, attempt)


def _without_difference(inputs: Inputs, desired: Desired | None) -> Canonical | None:
    """Return both states if nothing can differ."""
    if desired is None or _roots(inputs, desired):
        return None
    live = inputs.live
    return Canonical(live.state, live.state, live.context, spelled=desired.spelled)


def _by_first(servers: _Servers, attempt: Callable[[Scratch], T]) -> T:
    """Return the result of the first server that serves."""
    refusals: list[str] = []
    for scratch in servers():
        try:
            return attempt(scratch)
        except ScratchError as e:
            refusals.append(str(e))
    raise ScratchError("no scratch server serves:\n" + "\n".join(f"  {r}" for r in refusals))


def _renamings(inputs: Inputs, servers: _Servers) -> Sequence[Renaming]:
    """Find renamings; ask PostgreSQL which live routines those with other spellings are."""
    live, declaration = inputs.live, inputs.declaration
    routines = unidentified_routines(live.state, declaration)
    known = find_renamings(live.state, declaration, inputs.scope, live.context)
    if not routines:
        return known
    arguments = _by_first(
        servers, lambda scratch: arguments_asked(scratch, live, declaration, routines, known)
    )
    return find_renamings(live.state, declaration, inputs.scope, live.context, arguments)


def _remembered(
    canonical: Canonical, spelled: Desired | None, known: KnownForms | None
) -> Canonical:
    """Return the two states, once what is equal in them is stored."""
    if known is None or spelled is None:
        return canonical
    known.remember(spelled, canonical)
    settled = canonical.settled
    if settled is None:
        return canonical
    return replace(canonical, settled=lambda: _remembered(settled(), spelled, known))


def _within_scope(
    context: PlanningContext, declaration: Declaration, scope: Scope
) -> PlanningContext:
    """Restrict unfinished work to the scope, and choose leftovers to drop."""
    leftovers = {r: o for r, o in context.leftovers.items() if scope.covers(r)}
    unfinished = {r: o for r, o in context.unfinished.items() if scope.covers(r)}
    exclusive = {
        r
        for r in leftovers
        if scope.prunes(r) or (r.on is not None and r.kind in declaration.exclusive.get(r.on, ()))
    }
    return replace(
        context,
        leftovers=leftovers,
        unwanted=exclusive - declaration.objects.keys(),
        unfinished=unfinished,
    )


def _with_parts_absent(inputs: Inputs) -> Inputs:
    return replace(inputs, declaration=with_parts_absent(inputs.declaration, inputs.live))


def _roots(inputs: Inputs, desired: Desired) -> set[Ref]:
    """Collect objects with possible differences between the live and the desired state.

    A declared routine of unknown spelling may be any live routine of that name, a cast any cast.
    """
    live, declaration = inputs.live, inputs.declaration
    known = live.state.objects
    changed = {r for r, o in desired.objects.items() if (was := known.get(r)) is not o and was != o}
    unidentified = {
        _name_without_types(r)
        for r in [*desired.source, *declaration.absent]
        if issubclass(KINDS[r.kind], NamedByTypes) and r not in live.state
    }
    overloads = {r for r in live.state if _name_without_types(r) in unidentified}
    return changed | desired.dropped | live.context.unfinished.keys() | overloads


def _name_without_types(ref: Ref) -> tuple[str, str, str]:
    return ref.kind, ref.schema, ref.name if ref.arguments is not None or ref.schema else ""


def _after_renamings(
    scratch: Scratch, resources: ExitStack, inputs: Inputs, renamings: Sequence[Renaming]
) -> Canonical:
    """Canonicalise the state after the renamings, and take the renamings back on scratch."""
    live = with_renamings(scratch, inputs.live, inputs.declaration, renamings)
    renamed = _with_parts_absent(replace(inputs, live=live, renamings=renamings))
    names = {r.was: r.becomes for r in renamings if not r.part}
    desired = overlay(renamed.live, renamed.declaration, inputs.scope, renamed=names)
    roots = _roots(renamed, desired) | {r.becomes for r in renamings}
    roots |= {n for r in renamings for n in inputs.live.state.needs(r.was)}  # for the undo
    canonical = ScratchBuilder(scratch, resources, renamed, desired).canonical(roots)
    assert canonical.connection is not None
    for sql in undo_of(renamings):
        run_statement(canonical.connection, sql)
    before = introspect(canonical.connection, inputs.live.context.server).state
    before = filled_as(before, inputs.live.state.objects)
    return replace(canonical, reconnect=None, renamings=renamings, before=before)
