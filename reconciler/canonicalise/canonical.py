"""The inputs and the result of canonicalisation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from reconciler.diff.renames import Renaming
from reconciler.errors import Position
from reconciler.introspect.introspect import Snapshot
from reconciler.model.context import PlanningContext
from reconciler.model.ref import Ref
from reconciler.model.state import Declaration, Scope, State
from reconciler.server.connection import Connection
from reconciler.server.scratch import Scratch


@dataclass(frozen=True)
class Inputs:
    """A target, the declaration, and the scope of the comparison.

    With `renamings`, `live` is the target after them.
    """

    live: Snapshot
    declaration: Declaration
    scope: Scope
    renamings: Sequence[Renaming] = ()


@dataclass(frozen=True, eq=False)
class SpelledPositions(Mapping[tuple[Ref, str], Position]):
    """The positions of a declaration, under PostgreSQL's spelling of the refs."""

    declared: Mapping[tuple[Ref, str], Position]
    spelled: Mapping[Ref, Ref]

    @cached_property
    def _origins(self) -> Mapping[Ref, Ref]:
        return {after: before for before, after in self.spelled.items()}

    def __getitem__(self, key: tuple[Ref, str]) -> Position:
        ref, own = key
        origin = self._origins.get(ref, ref)
        if self.spelled.get(origin, origin) != ref:
            raise KeyError(key)
        return self.declared[origin, own]

    def __iter__(self) -> Iterator[tuple[Ref, str]]:
        spelled = self.spelled.get
        return ((spelled(ref, ref), own) for ref, own in self.declared)

    def __len__(self) -> int:
        return len(self.declared)


@dataclass(frozen=True)
class Canonical:
    """The live and the desired state, printed by the same server.

    `connection` leads to a scratch database with the live state; `reconnect` builds another.
    `context` is the target's, with the declared objects. `left_out` maps live objects that could
    not be built on scratch to PostgreSQL's reasons. With `renamings`, `live` is the state after
    them, and `before` the state of the scratch database. `scratch_order` numbers the objects in the
    order in which the desired state was built. `stale` maps routines to PostgreSQL's reasons why
    their bodies do not compile. `spelled` maps refs of the files to those of the catalog, where
    these are others. `positions` are the declaration's, under the refs of the two states.

    PostgreSQL has printed the live state, and printed the same when it read that. Of the desired
    state this holds too, unless there is `settled`: then a plan to that state has to be proven, and
    where the proof fails, or nothing is run, `settled` returns the two states with the last forms,
    and a fresh connection.
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
    stale: Mapping[Ref, str] = field(default_factory=dict[Ref, str])
    positions: Mapping[tuple[Ref, str], Position] = field(
        default_factory=dict[tuple[Ref, str], Position]
    )
    reconnect: Callable[[], Connection] | None = None
    spelled: Mapping[Ref, Ref] = field(default_factory=dict[Ref, Ref])
    settled: Callable[[], Canonical] | None = None
