"""The state of a database, the scope of a plan, and the declaration."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any, TypeVar, cast

from reconciler.errors import Position
from reconciler.model.deferred import Deferred, deferred_needs
from reconciler.model.inheritance import (
    Overriding,
    also_inherited,
    inherited_by,
    overrides,
    parents_of,
)
from reconciler.model.object import InlinePart, Object
from reconciler.model.other_tools import other_tool
from reconciler.model.ref import Ref
from reconciler.model.variables import Value, Values
from reconciler.server.connection import Row

T = TypeVar("T")
MAX_RELATIONS = 1 << 16  # remembered while objects are read
NO_REFS: frozenset[Ref] = frozenset()


@dataclass(frozen=True)
class State:
    """The objects of a database by ref, and the dependencies between the objects.

    `edges` are pg_depend's dependencies; `needs()` adds those that the objects' own fields name.
    `only_inherited` are refs of `objects` on child tables that no catalog query lists.
    """

    objects: Mapping[Ref, Object] = field(default_factory=dict[Ref, Object])
    edges: Mapping[Ref, frozenset[Ref]] = field(default_factory=dict[Ref, frozenset[Ref]])
    only_inherited: Set[Ref] = frozenset()

    def __getitem__(self, ref: Ref) -> Object:
        return self.objects[ref]

    def __contains__(self, ref: object) -> bool:
        return ref in self.objects

    def __iter__(self) -> Iterator[Ref]:
        return iter(self.objects)

    def __len__(self) -> int:
        return len(self.objects)

    def get(self, ref: Ref) -> Object | None:
        """Return the object, or None."""
        return self.objects.get(ref)

    def needs(self, ref: Ref) -> frozenset[Ref]:
        """Return the direct dependencies of the object, within the state."""
        found = self._needs.get(ref)
        if found is None:
            found = self._needs[ref] = self._needed(ref)
        return found

    @cached_property
    def _needs(self) -> dict[Ref, frozenset[Ref]]:
        return {}

    def _needed(self, ref: Ref) -> frozenset[Ref]:
        obj = self.objects.get(ref)
        known = self.edges.get(ref, NO_REFS)
        if obj is not None:
            known = known | obj.needs()
            if deferred := deferred_needs(obj):
                known -= deferred
        if ref not in known and self.objects.keys() >= known:  # mostly, and without copies
            return known
        return frozenset((known & self.objects.keys()) - {ref})

    def of(self, capability: type[T]) -> Iterator[T]:
        """Yield the objects with a capability: kind by kind, those of a kind in order."""
        for kind, objects in self._by_kind.items():
            if issubclass(kind, capability):
                yield from cast("list[T]", objects)

    @cached_property
    def _by_kind(self) -> Mapping[type[Object], list[Object]]:
        found: dict[type[Object], list[Object]] = {}
        for obj in self.objects.values():
            found.setdefault(type(obj), []).append(obj)
        return found

    def deferred_to(self, ref: Ref) -> Sequence[Ref]:
        """Return the objects with a deferred part that refers to an object."""
        return self._deferred.get(ref, ())

    @cached_property
    def _deferred(self) -> Mapping[Ref, Sequence[Ref]]:
        found: dict[Ref, list[Ref]] = {}
        for obj in self.of(Deferred):
            for needed in obj.deferred_needs():
                found.setdefault(needed, []).append(obj.ref)
        return found

    @cached_property
    def dependents(self) -> dict[Ref, set[Ref]]:
        """The direct dependents of every ref."""
        dependents: dict[Ref, set[Ref]] = {}
        for ref in self.objects:
            for needed in self.needs(ref):
                if (found := dependents.get(needed)) is None:
                    dependents[needed] = {ref}
                else:
                    found.add(ref)
        return dependents

    def parts(self, ref: Ref) -> Sequence[InlinePart]:
        """Return the inline parts of an object, in order."""
        return self._inline.get(ref, ())

    def inherited(self, ref: Ref, but: Set[Ref] = frozenset()) -> dict[Ref, Object]:
        """Return the objects inherited by a child table, by ref on the child.

        `but` are parents to leave out.
        """
        found: dict[Ref, Object] = {}
        child = self.objects.get(ref)
        for parent in parents_of(child) if child else ():
            if parent in but:
                continue
            of_parent = [*self.inherited(parent).values(), *self._children.get(parent, ())]
            copies = (inherited_by(o, child) for o in of_parent if child)
            found |= {o.ref: o for o in copies if o is not None}
        return found

    def objects_on(self, ref: Ref) -> Sequence[Object]:
        """Return the objects on a table or below another object."""
        return self._children.get(ref, ())

    @cached_property
    def _children(self) -> Mapping[Ref, Sequence[Object]]:
        found: dict[Ref, list[Object]] = {}
        for obj in self.objects.values():
            if obj.ref.on is not None:
                found.setdefault(obj.ref.on, []).append(obj)
        return found

    def overloads(self, ref: Ref) -> Sequence[Object]:
        """Return the routines of the same kind and name."""
        return self._overloads.get((ref.kind, ref.schema, ref.name), ())

    @cached_property
    def _overloads(self) -> Mapping[tuple[str, str, str], Sequence[Object]]:
        found: dict[tuple[str, str, str], list[Object]] = {}
        for obj in self.objects.values():
            if obj.ref.arguments is not None:
                found.setdefault((obj.ref.kind, obj.ref.schema, obj.ref.name), []).append(obj)
        return found

    def overriding(self, ref: Ref) -> Sequence[Object]:
        """Return the objects on child tables with no role but to override a parent's object."""
        return [o for o in self.merging(ref) if overrides(o)]

    def merging(self, ref: Ref) -> Sequence[Object]:
        """Return the objects on child tables merged with a parent's object, overrides too."""
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
        for obj in self.of(Overriding):
            if also_inherited(obj):
                found.setdefault(obj.ref.name, []).append(obj)
        return found

    @cached_property
    def _inline(self) -> Mapping[Ref, Sequence[InlinePart]]:
        found: dict[Ref, list[InlinePart]] = {}
        for obj in self.of(InlinePart):
            if obj.ref.on is not None:
                found.setdefault(obj.ref.on, []).append(obj)
        return found


@dataclass(frozen=True)
class Scope:
    """The schemas covered by a plan; `prune` drops undeclared objects in the schemas `pruned`.

    `pruned` is None for all covered schemas. `everything` covers all schemas but the system's, and
    objects outside schemas.
    """

    schemas: frozenset[str] = frozenset()
    prune: bool = False
    everything: bool = False
    pruned: frozenset[str] | None = None

    def covers(self, ref: Ref) -> bool:
        """Tell whether the scope covers an object."""
        return self.everything or ref.schema in self.schemas

    def prunes(self, ref: Ref) -> bool:
        """Tell whether an undeclared object is to be dropped; not those of other tools."""
        pruned = self.schemas if self.pruned is None else self.pruned
        is_within = self.prune and (self.everything or ref.schema in pruned)
        return is_within and not other_tool(ref)


@dataclass(frozen=True)
class Declaration:
    """The content of the YAML files.

    `objects` are as written: fields outside `model_fields_set` keep their live values. `absent` are
    to be dropped. `exclusive` maps a ref to the kinds of children of which the declaration is
    complete. `search_path` maps a ref to its file's schema, `positions` a ref and a key (""
    for the entry) to file, line and column. A `recorded` declaration was read from a database,
    complete and with SQL as PostgreSQL prints it, apart from routine bodies. `moved_aside` maps
    live objects to be dropped, whose names others take, to the refs under which they wait.
    `sources` are the files, None for a recorded one. `lost` are names that could not be read, of
    files with faults. `variables` are those of the target that the files list.
    """

    objects: Mapping[Ref, Object] = field(default_factory=dict[Ref, Object])
    absent: Mapping[Ref, Object] = field(default_factory=dict[Ref, Object])
    exclusive: Mapping[Ref, frozenset[str]] = field(default_factory=dict[Ref, frozenset[str]])
    search_path: Mapping[Ref, str] = field(default_factory=dict[Ref, str])
    positions: Mapping[tuple[Ref, str], Position] = field(
        default_factory=dict[tuple[Ref, str], Position]
    )
    checks: Mapping[str, Any] = field(default_factory=dict[str, Any])
    workload: Mapping[str, Any] = field(default_factory=dict[str, Any])
    schemas: frozenset[str] = frozenset()
    recorded: bool = False
    moved_aside: Mapping[Ref, Ref] = field(default_factory=dict[Ref, Ref])
    lost: Set[str] = frozenset()
    variables: Values = field(default_factory=dict[str, Value])
    sources: Any = field(default=None, compare=False)

    @property
    def own_schemas(self) -> frozenset[str]:
        """The declared schemas, and those of objects named without a schema."""
        declared = {r.name for r in self.objects if r == Ref("", r.name, "").schema_ref}
        unqualified = {r.schema for r in self.objects if self.search_path.get(r) == r.schema}
        return frozenset(declared | unqualified) - {""}

    @property
    def is_empty(self) -> bool:
        """Whether there is neither an object, nor a check, nor a query."""
        return not (self.objects or self.absent or self.checks or self.workload)

    @property
    def signatures(self) -> frozenset[tuple[str, str, str]]:
        """The schemas, names and arguments of declared routines and operators."""
        overloaded = (r for r in self.objects if r.arguments is not None)
        return frozenset((r.schema, r.name, r.arguments or "") for r in overloaded)

    def is_defined(self, table: Ref, sections: Iterable[str]) -> bool:
        """Tell whether the declaration lists one of the sections of a table, if only as empty."""
        return any((table, section) in self.positions for section in sections)

    def position(self, ref: Ref, key: str = "") -> Position | None:
        """Return the position of a field, else of the object, else of the parent."""
        found = self.positions.get((ref, key)) or self.positions.get((ref, ""))
        return found if found or ref.on is None else self.position(ref.on)


def ref_of(row: Row, kind: str) -> Ref:
    """Remove the parts of a ref from a catalog row, and return the ref."""
    schema, own, arguments = (
        row.pop("schema", ""),
        row.pop("name"),
        row.pop("arguments_identity", None),
    )
    on_kind, on_name = row.pop("on_kind", None), row.pop("on_name", None)
    if not on_kind:
        return Ref(kind, schema, own, None, arguments)
    on = _relation(on_kind, schema, on_name)
    return Ref(kind, on.schema, own, on, arguments)


@lru_cache(MAX_RELATIONS)
def _relation(kind: str, schema: str, own: str) -> Ref:
    """Return the ref of a relation, the same one for all objects on the relation."""
    return Ref(kind, schema, own)
