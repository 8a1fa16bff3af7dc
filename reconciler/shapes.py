"""Recognise databases in the same state, and plan for the state once.

Databases have the same shape if their objects, their dependencies and all other facts that a plan
follows from are the same: settings of the role and the database, default privileges, extensions,
the server's version, what interrupted runs left. The states are printed by a scratch server, and a
plan is proven, for the first database of a shape. Sizes and replication are each database's own:
where they lead to other steps, these are proven as well.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from hashlib import sha256
from threading import Lock

from reconciler.canonicalise.canonical import Canonical
from reconciler.errors import DeclarationError, ProofError
from reconciler.introspect.introspect import Snapshot
from reconciler.model.state import State
from reconciler.plan.plan import Plan, PlanFinding

MAX_SHAPES = 64  # the states of a shape are those of a whole database


@dataclass(frozen=True)
class Variant:
    """A plan of a shape, and the plan's inputs beside the shape.

    canonical  the two states, with the sizes and the replication of the database
    noted      how many of the first notes of the plan concern the database, not the shape
    left_out   what the proof does not show
    """

    canonical: Canonical
    plan: Plan
    noted: int
    left_out: tuple[str, ...] = ()

    def has_facts_of(self, canonical: Canonical) -> bool:
        """Tell whether sizes and replication are the same."""
        own, other = self.canonical.context, canonical.context
        return own.sizes == other.sizes and own.replication == other.replication

    def proves(self, plan: Plan) -> bool:
        """Tell whether the proof of this plan proves another plan too."""
        return _provable(self.plan) == _provable(plan)

    def of(self, target: str, live: Snapshot, notes: Sequence[str], run: int | None) -> Plan:
        """Return the plan for another database with the same facts; `run` is the run to undo."""
        return self.plan.model_copy(
            update={
                "target": target,
                "database": live.database,
                "notes": (*notes, *self.plan.notes[self.noted :]),
                "rollback_of": run,
            }
        ).sealed()

    @property
    def findings(self) -> tuple[PlanFinding, ...]:
        """The findings of lint on the changed objects."""
        return self.plan.findings


@dataclass
class Shape:
    """The facts and circumstances of databases of the same state, and the plans made there.

    `circumstances` are the declaration, the scope, and the options of the plan. `error` ends every
    plan of the shape.
    """

    live: Snapshot
    circumstances: tuple[object, ...]
    variants: list[Variant] = field(default_factory=list[Variant])
    error: DeclarationError | ProofError | None = None

    def is_of(self, live: Snapshot, circumstances: tuple[object, ...]) -> bool:
        """Tell whether a database has the shape."""
        return self.circumstances == circumstances and facts_of(self.live) == facts_of(live)

    @property
    def canonical(self) -> Canonical:
        """The two states, without a connection to a scratch server."""
        return self.variants[0].canonical


class Turn:
    """The planning of a database: by a known shape, or as the first of the shape.

    Others of the shape wait until the first has ended.
    """

    def __init__(self, shape: Shape, first: Lock | None) -> None:
        self.shape, self._first = shape, first
        self.noted = 0  # of the notes of the plan, those that concern the database

    @property
    def known(self) -> Shape | None:
        """The shape, if another database has been planned by it."""
        return self.shape if self.shape.variants else None

    def keep(self, canonical: Canonical, plan: Plan, left_out: Sequence[str]) -> None:
        """Keep a plan of the shape; the connections to scratch are not kept."""
        alone = replace(canonical, connection=None, reconnect=None, settled=None)
        self.shape.variants.append(Variant(alone, plan, self.noted, tuple(left_out)))
        self.end()

    def end(self) -> None:
        """Let other databases of the shape begin."""
        if self._first is not None:
            self._first.release()
            self._first = None


class Shapes:
    """The shapes met by a process; threads may call the methods concurrently."""

    def __init__(self) -> None:
        self._lock = Lock()
        self.known: OrderedDict[str, list[Shape]] = OrderedDict()
        self._firsts: defaultdict[str, Lock] = defaultdict(Lock)

    def __len__(self) -> int:
        return sum(len(shapes) for shapes in self.known.values())

    @contextmanager
    def turn(self, live: Snapshot, circumstances: tuple[object, ...]) -> Generator[Turn]:
        """Wait for the first database of the shape; raises the first database's error."""
        digest = digest_of_state(live.state)
        with self._lock:
            first = self._firsts[digest]
        first.acquire()
        try:
            shape = self._find(digest, live, circumstances)
        except BaseException:
            first.release()
            raise
        turn = Turn(shape, first)
        try:
            if shape.error is not None:
                raise shape.error
            if turn.known:
                turn.end()
            try:
                yield turn
            except (DeclarationError, ProofError) as error:
                if not turn.known:
                    shape.error = error
                raise
        finally:
            turn.end()

    def _find(self, digest: str, live: Snapshot, circumstances: tuple[object, ...]) -> Shape:
        with self._lock:
            shapes = self.known.setdefault(digest, [])
            self.known.move_to_end(digest)
            while len(self.known) > MAX_SHAPES:
                self.known.popitem(last=False)
        for shape in shapes:
            if shape.is_of(live, circumstances):
                return shape
        shapes.append(Shape(live, circumstances))
        return shapes[-1]


def digest_of_state(state: State) -> str:
    """Digest the objects and dependencies of a state.

    The order counts only among the objects of a relation, such as its columns.
    """
    content = sha256()
    for ref in sorted(state, key=lambda r: (r.on or r).order):
        content.update(f"{ref} {state[ref].model_dump_json()}\n".encode())
    for ref in sorted(state.edges, key=lambda r: r.order):
        content.update(f"{ref}: {sorted(map(str, state.edges[ref]))}\n".encode())
    return content.hexdigest()


def facts_of(live: Snapshot) -> tuple[object, ...]:
    """Return the inputs of a plan, without addresses and pids, which differ between databases."""
    return (
        live.state.objects,
        live.state.edges,
        live.context,
        live.roles,
        live.schemas,
        live.extensions,
        live.available,
        live.names,
        live.kept,
        live.standby,
    )


def _provable(plan: Plan) -> list[tuple[object, ...]]:
    """Return the inputs of a plan's proof."""
    return [
        (
            step.id,
            step.sql,
            step.undo,
            step.transaction,
            step.search_path,
            step.fill,
            any(h.has_no_undo for h in step.hazards),
        )
        for step in plan.steps
    ]
