"""Find renamings: (live, declaration) → renamings, run before the rest of a plan.

`renamed_from` may stay in a declaration: where the new name exists, nothing is left to do. An
index or a constraint that would be dropped and created again under another name is renamed
without it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from hashlib import sha256

from reconciler.diff.diff import Difference
from reconciler.model.context import PlanningContext
from reconciler.model.declared import RenamesParts, declared_arguments
from reconciler.model.inheritance import parents_of
from reconciler.model.object import Object
from reconciler.model.partitioned import PartitionedObject
from reconciler.model.ref import Ref
from reconciler.model.reserved_names import OLD_PREFIX
from reconciler.model.state import Declaration, Scope, State
from reconciler.model.statement import Statement

NOTHING_ASKED: Mapping[Ref, str] = {}


@dataclass(frozen=True)
class Renaming:
    """A statement to rename an object or a part of an object.

    `was` and `becomes` are the object's refs before and after all renamings, `described` is shown
    to people. Of a renaming with `part` only a part of the object gets another name.
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
    arguments: Mapping[Ref, str] = NOTHING_ASKED,
) -> list[Renaming]:
    """Find renamings of declared objects existing under old names, tables first.

    `arguments` are PostgreSQL's spellings of those of `unidentified_routines`.
    """
    arguments = {**_known_arguments(live, declaration), **arguments}
    search = _Search(live, declaration, scope, context, arguments)
    old_names: dict[Ref, Ref] = {}  # of renamed objects, by the new names
    aside = {ref: ref._replace(name=moved_aside(ref)) for ref in declaration.moved_aside}
    found = [search.renaming(old, ref) for old, ref in aside.items()]
    for ref, obj in sorted(declaration.objects.items(), key=lambda item: item[0].on is not None):
        on = old_names.get(ref.on, ref.on) if ref.on else None
        old = search.live_object(ref, ref if on is ref.on else ref._replace(on=on))
        if old is None or old in aside:
            old = search.old_name(obj, on)
            if old is not None and old not in old_names.values():
                old_names[ref] = old
                found.append(search.renaming(old, ref))
        if old is not None:
            found += search.renamings_of_parts(obj, old)
    new_names = {old: ref for ref, old in old_names.items()}
    for old, ref in new_names.items():
        found += search.names_freed(old, ref, {r.was for r in found})
    for old, ref in aside.items():
        found += search.names_restored(old, ref, new_names)
    return found


def moved_aside(ref: Ref) -> str:
    """Return the name under which an object waits to be dropped whose name another takes."""
    return OLD_PREFIX + sha256(str(ref).encode()).hexdigest()[:12]


@dataclass(frozen=True)
class _Search:
    """The search for old names of declared objects."""

    live: State
    declaration: Declaration
    scope: Scope
    context: PlanningContext
    arguments: Mapping[Ref, str]  # of declared routines, as PostgreSQL spells them

    def live_object(self, declared: Ref, ref: Ref) -> Ref | None:
        """Return the live object `ref`, with the arguments of the declared one."""
        if declared in self.arguments:
            ref = ref._replace(arguments=self.arguments[declared])
        return ref if ref in self.live else None

    def old_name(self, obj: Object, on: Ref | None) -> Ref | None:
        """Return the live object to rename to a declared object; `on` is the live table."""
        if obj.renamed_from is not None:
            return self.live_object(obj.ref, obj.ref._replace(on=on, name=obj.renamed_from))
        return self._equal_to_dropped(obj)

    def renaming(self, old: Ref, ref: Ref) -> Renaming:
        """Rename a live object."""
        on_renamed = old._replace(on=ref.on)
        statement = self.live[old].model_copy(update={"ref": on_renamed}).renamed_to(ref.name)
        described = Difference(field="name", live=old.name, wanted=ref.name)
        return Renaming(old, on_renamed._replace(name=ref.name), statement, described)

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
                        obj.ref, obj.ref._replace(on=aside, name=moved_aside(obj.ref))
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

    def renamings_of_parts(self, obj: Object, old: Ref) -> Iterator[Renaming]:
        """Rename the parts of a live object not managed as objects, like enum values."""
        becomes = old._replace(on=obj.ref.on, name=obj.ref.name)
        live = self.live[old]
        if not isinstance(obj, RenamesParts) or not isinstance(live, RenamesParts):
            return
        for old_part, new_part, statement in obj.parts_renamed(live):
            described = Difference(field=obj.renamed_part, live=old_part, wanted=new_part)
            yield from self._creations(obj)
            yield Renaming(old, becomes, statement, described, part=True)

    def _creations(self, obj: Object) -> Iterator[Renaming]:
        """Create the objects needed by a renamed part: the new schema of a moved extension."""
        for ref in obj.needs():
            if ref in self.live or ref not in self.declaration.objects:
                continue
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


def unidentified_routines(live: State, declaration: Declaration) -> set[Ref]:
    """Return the declared routines with old names, which PostgreSQL has to tell apart by types."""
    known = _known_arguments(live, declaration)
    return {
        ref
        for ref, obj in declaration.objects.items()
        if obj.renamed_from is not None and ref not in known and any(routines_named(live, obj))
    }


def routines_named(live: State, obj: Object) -> Iterator[Object]:
    """Yield the live routines under the name, or the old name, of a declared routine."""
    if obj.ref.arguments is not None:
        yield from live.overloads(obj.ref)
        if obj.renamed_from is not None:
            yield from live.overloads(obj.ref._replace(name=obj.renamed_from))


def _known_arguments(live: State, declaration: Declaration) -> dict[Ref, str]:
    """Return the catalog's spelling of arguments that are declared as a live routine has them."""
    return {
        ref: routine.ref.arguments
        for ref, obj in declaration.objects.items()
        for routine in routines_named(live, obj)
        if routine.ref.arguments is not None
        and ref.arguments in (declared_arguments(routine), routine.ref.arguments)
    }


def refs_after(refs: Iterable[Ref], renamings: Sequence[Renaming]) -> dict[Ref, Ref]:
    """Map each ref to the ref after the renamings of the object and the object's table."""
    names = {r.was: r.becomes for r in renamings}

    def after(ref: Ref) -> Ref:
        if ref in names:
            return names[ref]
        return ref._replace(on=after(ref.on)) if ref.on is not None else ref

    return {ref: after(ref) for ref in refs}


def undo_of(renamings: Sequence[Renaming]) -> list[str]:
    """Return the SQL to undo all renamings."""
    return [sql for r in reversed(renamings) for sql in r.statement.undo or ()]


def names_in_depends_on(obj: Object, ref: Ref, schema: str) -> list[str]:
    """List the names of an object for `depends_on` in a file with schema `schema`."""
    kind = ref.kind.replace("_", " ")
    names = [f"{kind} {ref.identity}"]
    declared = declared_arguments(obj)
    if declared is not None:
        names.append(f"{ref.kind} {ref._replace(arguments=declared).identity}")
    without_schema = [n.replace(f"{schema}.", "") for n in names if ref.schema == schema]
    return [*names, *without_schema]
