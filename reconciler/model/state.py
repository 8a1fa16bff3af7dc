"""The state of a database as far as we know it, what bounds it, and what is declared of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from reconciler.errors import Position
from reconciler.model.deferred import deferred_needs
from reconciler.model.inheritance import also_inherited, inherited_by, overrides, parents_of
from reconciler.model.object import InlinePart, Object
from reconciler.model.ref import Ref
from reconciler.server.connection import Row


@dataclass(frozen=True)
class State:
    """A database as far as it is known: objects by ref, and which of them needs which.

    `edges` holds pg_depend's knowledge; `needs()` adds what the objects' own fields tell. `given` are those among the
    objects that only parents give, as they will give them, and that no catalog lists.
    """

    objects: Mapping[Ref, Object] = field(default_factory=dict[Ref, Object])
    edges: Mapping[Ref, frozenset[Ref]] = field(default_factory=dict[Ref, frozenset[Ref]])
    given: Set[Ref] = frozenset()

    def __getitem__(self, ref: Ref) -> Object:
        return self.objects[ref]

    def __contains__(self, ref: object) -> bool:
        return ref in self.objects

    def __iter__(self) -> Iterator[Ref]:
        return iter(self.objects)

    def __len__(self) -> int:
        return len(self.objects)

    def get(self, ref: Ref) -> Object | None:
        """The object, or None."""
        return self.objects.get(ref)

    def needs(self, ref: Ref) -> frozenset[Ref]:
        """What the object stands on, directly, of what this state holds."""
        obj = self.objects.get(ref)
        known = self.edges.get(ref, frozenset[Ref]())
        if obj is not None:
            known = (known | obj.needs()) - deferred_needs(obj)
        return frozenset(r for r in known if r in self.objects and r != ref)

    def dependents(self) -> dict[Ref, set[Ref]]:
        """For every ref, what stands on it directly."""
        standing: dict[Ref, set[Ref]] = {}
        for ref in self.objects:
            for needed in self.needs(ref):
                standing.setdefault(needed, set()).add(ref)
        return standing

    def parts(self, ref: Ref) -> Sequence[InlinePart]:
        """The objects that fold into the creation of `ref`, in their order."""
        return self._folding.get(ref, ())

    def inherited(self, ref: Ref, but: Set[Ref] = frozenset()) -> dict[Ref, Object]:
        """What the object's parents, `but` some, give it, by the ref that it has there."""
        found: dict[Ref, Object] = {}
        child = self.objects.get(ref)
        for parent in parents_of(child) if child else ():
            if parent in but:
                continue
            given = [*self.inherited(parent).values(), *self._living.get(parent, ())]
            copies = (inherited_by(g, child) for g in given if child)
            found |= {o.ref: o for o in copies if o is not None}
        return found

    def living_on(self, ref: Ref) -> Sequence[Object]:
        """The objects that live on `ref`."""
        return self._living.get(ref, ())

    @cached_property
    def _living(self) -> Mapping[Ref, Sequence[Object]]:
        found: dict[Ref, list[Object]] = {}
        for obj in self.objects.values():
            if obj.ref.on is not None:
                found.setdefault(obj.ref.on, []).append(obj)
        return found

    def overloads(self, ref: Ref) -> Sequence[Object]:
        """The routines of that kind and name."""
        return self._overloads.get((ref.kind, ref.schema, ref.name), ())

    @cached_property
    def _overloads(self) -> Mapping[tuple[str, str, str], Sequence[Object]]:
        found: dict[tuple[str, str, str], list[Object]] = {}
        for obj in self.objects.values():
            if obj.ref.arguments is not None:
                found.setdefault((obj.ref.kind, obj.ref.schema, obj.ref.name), []).append(obj)
        return found

    def overriding(self, ref: Ref) -> Sequence[Object]:
        """The parts that override this one, on what inherits from its owner."""
        return [o for o in self.merging(ref) if overrides(o)]

    def merging(self, ref: Ref) -> Sequence[Object]:
        """Those, and the parts that are both the heir's own and of this one."""
        return [
            o
            for o in self._merged.get(ref.name, ())
            if o.ref.kind == ref.kind and ref.on in self._ancestors(o.ref.on)
        ]

    def _ancestors(self, ref: Ref | None) -> set[Ref]:
        child = self.objects.get(ref) if ref is not None else None
        parents = parents_of(child) if child else ()
        return {*parents}.union(*(self._ancestors(p) for p in parents))

    @cached_property
    def _merged(self) -> Mapping[str, Sequence[Object]]:
        found: dict[str, list[Object]] = {}
        for obj in self.objects.values():
            if also_inherited(obj):
                found.setdefault(obj.ref.name, []).append(obj)
        return found

    @cached_property
    def _folding(self) -> Mapping[Ref, Sequence[InlinePart]]:
        found: dict[Ref, list[InlinePart]] = {}
        for obj in self.objects.values():
            if isinstance(obj, InlinePart) and obj.ref.on is not None:
                found.setdefault(obj.ref.on, []).append(obj)
        return found


@dataclass(frozen=True)
class Scope:
    """How far we look, and whether all of that is declared: `prune` drops what nothing names.

    `everything` is every schema but the system's, and with them what belongs to none.
    """

    schemas: frozenset[str] = frozenset()
    prune: bool = False
    everything: bool = False

    def covers(self, ref: Ref) -> bool:
        """Whether the object lies within the bounds."""
        return self.everything or ref.schema in self.schemas


@dataclass(frozen=True)
class Declaration:
    """What the YAML files say.

    `objects` are as written: a field that is not in `model_fields_set` is left to the live object. `exclusive` maps a
    ref to the kinds of its children of which the declaration is complete. `search_path` and `positions` tell, for
    each ref, the schema of its file and where it stands; a position's key may also name a field. What is `recorded` was read
    from a database before: it is whole, and its SQL is what PostgreSQL printed, bodies of routines excepted.
    """

    objects: Mapping[Ref, Object] = field(default_factory=dict[Ref, Object])
    absent: Mapping[Ref, Object] = field(default_factory=dict[Ref, Object])
    exclusive: Mapping[Ref, frozenset[str]] = field(default_factory=dict[Ref, frozenset[str]])
    search_path: Mapping[Ref, str] = field(default_factory=dict[Ref, str])
    positions: Mapping[tuple[Ref, str], Position] = field(
        default_factory=dict[tuple[Ref, str], Position]
    )
    checks: Mapping[str, Any] = field(default_factory=dict[str, Any])
    schemas: frozenset[str] = frozenset()
    recorded: bool = False

    def position(self, ref: Ref, key: str = "") -> Position | None:
        """Where a field of an object stands, else the object, else what it lives on."""
        found = self.positions.get((ref, key)) or self.positions.get((ref, ""))
        return found if found or ref.on is None else self.position(ref.on)


def ref_of(row: Row, kind: str) -> Ref:
    """Take the parts of a Ref out of a catalog row."""
    schema, own, arguments = (
        row.pop("schema", ""),
        row.pop("name"),
        row.pop("arguments_identity", None),
    )
    on_kind, on_name = row.pop("on_kind", None), row.pop("on_name", None)
    on = Ref(on_kind, schema, on_name) if on_kind else None
    return Ref(kind, schema, own, on, arguments)
