"""Compare two states, each of a database or of YAML files, as a plan compares a declaration."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from reconciler.canonicalise.build import Build, scratch_context
from reconciler.canonicalise.canonicalise import canonicalise
from reconciler.canonicalise.typed_tables import with_columns_of_types
from reconciler.declare.export import export
from reconciler.declare.load import load
from reconciler.errors import DeclarationError, ScratchError, SettingsError
from reconciler.introspect.introspect import Snapshot, introspect
from reconciler.introspect.unfilled import filled_as
from reconciler.linting import Lint, desired_state, empty_database
from reconciler.model.other_tools import other_tool
from reconciler.model.owned import Owned
from reconciler.model.state import Declaration, Scope, State
from reconciler.plan.plan import Plan
from reconciler.planning import Job, plan_of_states, servers_of
from reconciler.server.connection import connect_to_read
from reconciler.server.scratch import ON_TARGET
from reconciler.server.time_limit import time_limit_of_environment


@dataclass(frozen=True)
class LiveSide:
    """A database, with settings for the connection."""

    url: str
    session: Mapping[str, str] = field(default_factory=dict[str, str])

    def read(self) -> Snapshot:
        """Read the objects of the database."""
        with connect_to_read(self.url, self.session) as connection:
            return introspect(connection)


Side = LiveSide | Declaration


@dataclass(frozen=True)
class Comparing:
    """Two sides, the schemas to compare, and the scratch server.

    Without `schemas`, those that the files declare are compared, of two databases all. Files are
    laid over the database `over`, by default over an empty one.
    """

    old: Side
    new: Side
    schemas: frozenset[str]
    scratch: str
    over: LiveSide | None = None

    @property
    def scope(self) -> Scope:
        """What is compared; what only the old side has is a difference unless files are laid over
        a database, where files leave alone what they do not declare.
        """
        declared = [side.schemas for side in (self.old, self.new) if isinstance(side, Declaration)]
        named = self.schemas or frozenset[str]().union(*declared) or frozenset({"*"})
        return Scope(named, prune=self.over is None, everything="*" in named)


def differences(job: Comparing, title: str) -> Plan:
    """Return the plan that leads from the old side to the new one; nobody is to run it.

    Raises SettingsError for `--scratch target`: two sides are no target.
    """
    if job.scratch == ON_TARGET:
        raise SettingsError(
            "`diff` has no target: --scratch takes embedded, installed or the URL of a server"
        )
    old = job.old.read() if isinstance(job.old, LiveSide) else _built(job.old, job)
    if isinstance(job.new, Declaration):
        plan = _plan(job.new, old, job)
    else:
        with _without_positions():
            plan = _plan(_exported(job.new, job), old, job)
        changes = tuple(c.model_copy(update={"position": None}) for c in plan.changes)
        plan = plan.model_copy(update={"changes": changes})
    return plan.model_copy(update={"target": title})


def _plan(new: Declaration, old: Snapshot, job: Comparing) -> Plan:
    return plan_of_states(Job("", new, job.scope, job.scratch, proof=False), old)


@contextmanager
def _without_positions() -> Generator[None]:
    """Take the positions from errors about files that nobody has written."""
    try:
        yield
    except DeclarationError as error:
        raise DeclarationError([replace(p, position=None) for p in error.problems]) from None


def _built(declaration: Declaration, job: Comparing) -> Snapshot:
    """Build what files declare on scratch, over another database or an empty one."""
    limit = time_limit_of_environment()
    with ExitStack() as opened:
        if job.over is not None:
            live = job.over.read()
        else:
            live = opened.enter_context(empty_database(Lint(declaration, scratch=job.scratch)))
        declaration = with_columns_of_types(declaration, live.state)
        scope = Scope(declaration.schemas)
        servers = partial(servers_of, Job("", declaration, scope, job.scratch), live, limit)
        opened.enter_context(limit)
        canonical = opened.enter_context(canonicalise(live, declaration, scope, servers))
        state = desired_state(live, canonical)
        scratch, context = canonical.scratch or next(servers()), live.context
        roles = live.roles | {role for obj in state.objects.values() for role in obj.roles()}
        connection = opened.enter_context(
            scratch.database(roles, context.user, context.tablespaces)
        )
        build = Build(connection, state, scratch_context(context, scratch.server), {})
        if failed := build.create_all():
            listed = "; ".join(f"{ref}: {error.message}" for ref, error in failed.items())
            raise ScratchError(
                f"{scratch.description} cannot hold what the files declare: {listed}"
            )
        found = introspect(connection, context.server)
        return replace(found, state=filled_as(found.state, state.objects))


def _exported(side: LiveSide, job: Comparing) -> Declaration:
    """Declare the objects of a database as `export` does.

    Files that name no owner leave the owner open, so owners are compared between databases only.
    """
    live = side.read()
    objects = {r: o for r, o in live.state.objects.items() if job.scope.covers(r)}
    objects = {r: o for r, o in objects.items() if not other_tool(r)}
    if isinstance(job.old, Declaration):
        objects = {
            r: o.model_copy(update={"owner": None}) if isinstance(o, Owned) else o
            for r, o in objects.items()
        }
    with TemporaryDirectory() as folder:
        if not export(State(objects, live.state.edges), Path(folder)):
            return Declaration()
        return replace(load(Path(folder)), sources=None)
