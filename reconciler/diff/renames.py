"""Find renamings: (live, declaration) → renamings, run before the rest of a plan.

`renamed_from` may stay in a declaration: where the new name exists, nothing is left to do. An
index or a constraint that would be dropped and created again under another name is renamed
without it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from enum import Enum
from hashlib import sha256
from itertools import pairwise

from reconciler.diff.diff import Difference
from reconciler.diff.routines import Arguments, known_arguments
from reconciler.model.companion import Companion
from reconciler.model.context import PlanningContext
from reconciler.model.declared import RenamesParts
from reconciler.model.inheritance import parents_of
from reconciler.model.object import MOVED, Object
from reconciler.model.partitioned import PartitionedObject
from reconciler.model.ref import Ref, placed
from reconciler.model.reserved_names import OLD_PREFIX
from reconciler.model.state import Declaration, Scope, State
from reconciler.model.statement import Statement

NOTHING_ASKED: Mapping[Ref, Arguments] = {}


@dataclass(frozen=True)
class Renaming:
    """A statement to rename an object or a part of an object.

    `was` and `becomes` are the object's refs before and after all renamings, `described` is shown
    to people. Of a renaming with `part` only a part of the object gets another name. An object that
    gets another schema and another name has several renamings.
    """

    was: Ref
    becomes: Ref
    statement: Statement
    described: Difference
    part: bool = False


def find_renamings(
    live: State,
    declaration: Declaration,
    scope: Scope,
    context: PlanningContext,
    arguments: Mapping[Ref, Arguments] = NOTHING_ASKED,
) -> list[Renaming]:
    """Find renamings of declared objects existing under old names, tables first.

    `arguments` are PostgreSQL's spellings of those of `unidentified_routines`.
    """
    arguments = {**known_arguments(live, declaration), **arguments}
    aside = declaration.moved_aside
    search = _Search(live, declaration, scope, context, arguments, aside)
    found = [search.renaming(old, ref) for old, ref in aside.items()]
    # Routines come first, while their types have their old names, and sequences after their tables.
    objects = sorted(
        _searched(live, declaration),
        key=lambda o: (o.ref.arguments is None, isinstance(o, Companion)),
    )
    levels: dict[_Level, list[Object]] = {level: [] for level in _Level}
    for obj in objects:
        levels[_Level.of(obj.ref)].append(obj)
    for on_level in levels.values():
        found += search.renamings_among(on_level)
    new_names = {old: ref for ref, old in search.old_names.items()}
    for old, ref in new_names.items():
        found += search.names_freed(old, ref, {r.was for r in found})
    for old, ref in aside.items():
        found += search.names_restored(old, ref, new_names)
    return found


def _searched(live: State, declaration: Declaration) -> Iterable[Object]:
    """Return the declared objects that may have other names.

    Where no declaration has an old name, these are the objects that are not there.
    """
    objects = declaration.objects
    if declaration.moved_aside or any(o.renamed_from is not None for o in objects.values()):
        return objects.values()
    known = live.objects
    return [
        o
        for r, o in objects.items()
        if r not in known or r.arguments is not None or isinstance(o, RenamesParts)
    ]


def _name_aside(ref: Ref) -> str:
    """Return the name under which an object waits to be dropped whose name another takes."""
    return OLD_PREFIX + sha256(str(ref).encode()).hexdigest()[:12]


def refs_aside(refs: Iterable[Ref]) -> dict[Ref, Ref]:
    """Map objects to the refs under which they wait to be dropped, tables before their parts."""
    found: dict[Ref, Ref] = {}
    for ref in sorted(refs, key=lambda r: r.on is not None):
        on = found.get(ref.on, ref.on) if ref.on is not None else None
        found[ref] = placed(ref, on)._replace(name=_name_aside(ref))
    return found


class _Level(Enum):
    """What holds an object: its renaming comes first."""

    DATABASE = 0
    SCHEMA = 1
    TABLE = 2

    @classmethod
    def of(cls, ref: Ref) -> _Level:
        """Return the level of an object."""
        if ref.on is not None:
            return cls.TABLE
        return cls.SCHEMA if ref.schema else cls.DATABASE


@dataclass(frozen=True)
class _Search:
    """The search for old names of declared objects.

    `arguments` are those of declared routines, as PostgreSQL spells them. `aside` maps live objects
    that give up their names to temporary names. `old_names` maps the new refs of renamed objects to
    the old ones, `successors` live objects to those that are declared with their names as old ones.
    `created` are new schemas.
    """

    live: State
    declaration: Declaration
    scope: Scope
    context: PlanningContext
    arguments: Mapping[Ref, Arguments]
    aside: Mapping[Ref, Ref]
    old_names: dict[Ref, Ref] = field(default_factory=dict[Ref, Ref])
    successors: dict[Ref, Object] = field(default_factory=dict[Ref, Object])
    created: set[Ref] = field(default_factory=set[Ref])

    def live_object(self, declared: Ref, ref: Ref) -> Ref | None:
        """Return the live object `ref`, with the arguments of the declared one."""
        if declared in self.arguments:
            ref = ref._replace(arguments=self.arguments[declared].live)
        return ref if ref in self.live else None

    def renamings_among(self, objects: Sequence[Object]) -> Iterator[Renaming]:
        """Yield the renamings of declared objects; those of their tables are known."""
        for obj in objects:
            if obj.old_ref is not None and (old := self.old_name(obj)) is not None:
                self.successors.setdefault(old, obj)
        for obj in objects:
            yield from self._renamings_of(obj)

    def _renamings_of(self, obj: Object) -> Iterator[Renaming]:
        """Yield the renamings of an object, after that of another which has the name until then."""
        if obj.ref in self.old_names:
            return
        own = self._own(obj)
        if own is not None and self._gives_way(own, obj):
            yield from self._renamings_of(self.successors[own])
            own = None
        old = own if own not in self.aside else None
        if old is None:
            old = self.old_name(obj)
            if old is not None and old not in self.old_names.values():
                self.old_names[obj.ref] = old
                yield from self.renamings(old, obj)
        if old is not None and isinstance(obj, RenamesParts):
            yield from self.renamings_of_parts(obj, old)

    def _gives_way(self, own: Ref, obj: Object) -> bool:
        """Tell whether a live object is renamed before another is renamed to its name.

        Of `b` renamed from `a`, and `a` renamed from `c`, nothing is done yet while there is no
        `b`. The files refuse names that are exchanged: nothing shows whether that is done.
        """
        seen: set[Ref] = set()
        while obj.old_ref is not None and own in self.successors and own not in seen:
            seen.add(own)
            obj = self.successors[own]
            further = self._own(obj)
            if further is None:
                return True
            own = further
        return False

    def _own(self, obj: Object) -> Ref | None:
        """Return the live object of the name of a declared one."""
        return self.live_object(obj.ref, self._live_ref(obj.ref))

    def _live_ref(self, ref: Ref) -> Ref:
        """Return a ref with schema and table as these are called before the renamings."""
        if ref.on is not None:
            on = self.old_names.get(ref.on) or self._live_ref(ref.on)
            return ref if on is ref.on else placed(ref, on)
        schema = self.old_names.get(ref.schema_ref) if self.old_names else None
        return ref._replace(schema=schema.name) if schema is not None else ref

    def old_name(self, obj: Object) -> Ref | None:
        """Return the live object to rename to a declared object."""
        if obj.old_ref is not None:
            return self.live_object(obj.ref, self._live_ref(obj.old_ref))
        return self._equal_to_dropped(obj)

    def renamings(self, old: Ref, obj: Object) -> Iterator[Renaming]:
        """Rename or move a live object."""
        ref, live = obj.ref, self.live[old]
        start = self._start(live, ref)
        end = start._replace(schema=ref.schema, name=ref.name)
        known = self.arguments.get(ref)
        becomes = end._replace(arguments=known.renamed) if known else end
        if start.schema != end.schema:
            yield from self._creations([ref.schema_ref])
        way = self._way(live.model_copy(update={"ref": start}), end)
        for before, after in pairwise([start, *way]):
            on_the_way = live.model_copy(update={"ref": before})
            if before.schema == after.schema:
                statement = on_the_way.renamed_to(after.name)
                described = Difference(field="name", live=old.name, wanted=end.name)
            else:
                statement = on_the_way.moved_to(after.schema, old)
                described = Difference(field=MOVED, live=old.schema, wanted=end.schema)
            yield Renaming(old, becomes, statement, described)

    def _start(self, live: Object, ref: Ref) -> Ref:
        """Return the ref of a live object once its table is renamed or moved."""
        if ref.on is not None:
            return placed(live.ref, ref.on)
        tables = live.moves_with() if isinstance(live, Companion) else frozenset[Ref]()
        for new, old in self.old_names.items():
            if old in tables:
                return live.ref._replace(schema=new.schema)
            if old == live.ref.schema_ref:
                return live.ref._replace(schema=new.name)
        return live.ref

    def renaming(self, old: Ref, ref: Ref) -> Renaming:
        """Rename a live object."""
        on_renamed = placed(old, ref.on)
        statement = self.live[old].model_copy(update={"ref": on_renamed}).renamed_to(ref.name)
        described = Difference(field="name", live=old.name, wanted=ref.name)
        return Renaming(old, on_renamed._replace(name=ref.name), statement, described)

    def _way(self, obj: Object, end: Ref) -> list[Ref]:
        """Return the refs of an object on the way to another schema and name, over free names."""
        start = obj.ref
        if start.name == end.name or start.schema == end.schema:
            return [end] if start != end else []
        for free in (start._replace(schema=end.schema), end._replace(schema=start.schema)):
            if not self._is_taken(obj.model_copy(update={"ref": free})):
                return [free, end]
        aside = _name_aside(start)
        return [start._replace(name=aside), end._replace(name=aside), end]

    def _is_taken(self, obj: Object) -> bool:
        """Tell whether a live object has the name of an object."""
        same_schema = (o for o in self.live.objects.values() if o.ref.schema == obj.ref.schema)
        names = obj.name_keys()
        return obj.ref in self.live or any(names & o.name_keys() for o in same_schema)

    def names_freed(self, old: Ref, ref: Ref, renamed: Set[Ref]) -> Iterator[Renaming]:
        """Rename the indexes of a table that becomes a partition of a new table of its name."""
        if old not in parents_of(self.declaration.objects[ref]):
            return
        declared_names = {
            o.relation_name for r, o in self.declaration.objects.items() if r.on == old
        } - {None}
        live_names = {(o.ref.schema, o.relation_name) for o in self.live.objects.values()}
        for obj in self.live.objects_on(old):
            if not isinstance(obj, PartitionedObject) or obj.ref in renamed:
                continue
            own = obj.ref._replace(on=ref, name=obj.default_on(ref))
            if obj.relation_name in declared_names and (own.schema, own.name) not in live_names:
                yield self.renaming(obj.ref, own)

    def names_restored(self, old: Ref, aside: Ref, names: Mapping[Ref, Ref]) -> Iterator[Renaming]:
        """Rename indexes of a table moved aside, and their copies on a partition in its place.

        `names` maps the old names of renamed tables to the new ones.
        """
        for obj in self.live.objects_on(old):
            copies = self.context.partition_copies.get(obj.ref, {})
            for table in copies.keys() & names.keys():
                copy, final = copies[table], self._declared_equal(obj, names[table])
                if final is None or final.name == copy.name:
                    continue
                if obj.ref.name == final.name:
                    yield self.renaming(
                        obj.ref, obj.ref._replace(on=aside, name=_name_aside(obj.ref))
                    )
                made = obj.model_copy(update={"ref": final._replace(name=copy.name)})
                described = Difference(field="name", live=copy.name, wanted=final.name)
                was = final._replace(on=table, name=copy.name)
                yield Renaming(was, final, made.renamed_to(final.name), described)

    def _declared_equal(self, obj: Object, table: Ref) -> Ref | None:
        """Return the index or constraint that is declared on a table, equal but for the name."""
        if not isinstance(obj, PartitionedObject) or obj.relation_name is None:
            return None
        declared = (o for o in self.declaration.objects.values() if o.ref.on == table)
        return next((o.ref for o in declared if obj.equals(o.as_state())), None)

    def renamings_of_parts(self, obj: RenamesParts, old: Ref) -> Iterator[Renaming]:
        """Rename the parts of a live object not managed as objects, like enum values."""
        becomes = old._replace(on=obj.ref.on, name=obj.ref.name)
        live = self.live[old]
        if not isinstance(live, RenamesParts):
            return
        for old_part, new_part, statement in obj.parts_renamed(live):
            described = Difference(field=obj.renamed_part, live=old_part, wanted=new_part)
            yield from self._creations(obj.needs())
            yield Renaming(old, becomes, statement, described, part=True)

    def _creations(self, refs: Iterable[Ref]) -> Iterator[Renaming]:
        """Create what must be there before a renaming: the new schema of a moved object."""
        known = self.live.objects.keys() | self.created | self.old_names.keys()
        for ref in refs:
            if ref in known or ref not in self.declaration.objects:
                continue
            self.created.add(ref)
            for statement in self.declaration.objects[ref].create(self.context, online=False):
                described = Difference(field="name", live="", wanted=ref.name)
                yield Renaming(ref, ref, statement, described, part=True)

    def _equal_to_dropped(self, obj: Object) -> Ref | None:
        """Find an object of the same table, to be dropped and equal but for the name.

        Renaming it saves building an index or checking a constraint.
        """
        table = obj.ref.on
        if not isinstance(obj, PartitionedObject) or table is None or table not in self.live:
            return None
        if parents_of(self.live[table]):
            return None
        dropped = (o.ref for o in self.live.objects_on(table) if self._is_dropped(o.ref, obj.ref))
        found = next((ref for ref in dropped if obj.equals(self.live[ref])), None)
        return None if found is not None and self._is_name_used(obj, found) else found

    def _is_dropped(self, ref: Ref, declared: Ref) -> bool:
        """Tell whether a live object of the declared one's table is to be dropped."""
        if ref in self.declaration.absent:
            return True
        assert declared.on is not None
        exclusive = self.declaration.exclusive.get(declared.on, ())
        pruned = self.scope.prunes(declared)
        return ref not in self.declaration.objects and (pruned or declared.kind in exclusive)

    def _is_name_used(self, obj: Object, old: Ref) -> bool:
        """Tell whether a further object has the new name."""
        names = obj.name_keys() - self.live[old].name_keys()
        same_schema = (o for o in self.live.objects.values() if o.ref.schema == obj.ref.schema)
        return any(names & o.name_keys() for o in same_schema)


def refs_after(refs: Iterable[Ref], renamings: Sequence[Renaming]) -> dict[Ref, Ref]:
    """Map each ref to the ref after the renamings of the object and the object's table."""
    names = {r.was: r.becomes for r in renamings}

    def after(ref: Ref) -> Ref:
        if ref in names:
            return names[ref]
        return placed(ref, after(ref.on)) if ref.on is not None else ref

    return {ref: after(ref) for ref in refs}


def undo_of(renamings: Sequence[Renaming]) -> list[str]:
    """Return the SQL to undo all renamings."""
    return [sql for r in reversed(renamings) for sql in r.statement.undo or ()]
