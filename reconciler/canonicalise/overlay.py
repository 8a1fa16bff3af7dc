"""Lay a declaration over the live state: the desired state, not yet read by PostgreSQL."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, field

from reconciler.canonicalise.along import dropped_along
from reconciler.canonicalise.closure import descendants
from reconciler.canonicalise.preconditions import (
    counters_of_partitions,
    inline_sections,
    name_conflicts,
    unmet_preconditions,
)
from reconciler.errors import DeclarationError
from reconciler.introspect.introspect import Snapshot
from reconciler.introspect.partitions import on_its_own
from reconciler.kinds import KINDS
from reconciler.model.declared import NumbersNames, declared_arguments
from reconciler.model.global_object import GlobalObject
from reconciler.model.inheritance import Inheriting, filled, in_place_of, inherited_by, parents_of
from reconciler.model.object import Object
from reconciler.model.owned import GrantsOf, Owned, owner_of
from reconciler.model.partitioned import PartitionedObject
from reconciler.model.ref import Ref
from reconciler.model.state import Declaration, Scope, State
from reconciler.model.successor import FollowsName

_GRANTS = "grants"  # in an exclusive list: roles that are not listed have no privileges


@dataclass(frozen=True)
class Desired:
    """The desired state before PostgreSQL has read the SQL in declared objects.

    `spelled` maps refs of the files to PostgreSQL's spelling of a routine's arguments, where known
    and different. `source` maps the refs of all declared objects to the refs in the files.
    `repeated` are declared objects that say nothing but what the live ones say already.
    `dropped` are live objects. `renamed` maps old names to the live objects renamed by the plan.
    """

    objects: Mapping[Ref, Object]
    source: Mapping[Ref, Ref]
    dropped: Set[Ref]
    spelled: Mapping[Ref, Ref]
    renamed: Mapping[Ref, Ref] = field(default_factory=dict[Ref, Ref])
    repeated: Set[Ref] = frozenset()


def overlay(
    live: Snapshot,
    declaration: Declaration,
    scope: Scope,
    spelled: Mapping[Ref, Ref] | None = None,
    renamed: Mapping[Ref, Ref] | None = None,
) -> Desired:
    """Lay the declaration over the live state.

    `spelled` and `renamed` as in Desired; by default the spellings of live routines. A new table
    whose partition the table of its name becomes takes over the owner, privileges and row
    security, and what follows its name. Raises DeclarationError for objects whose table, schema,
    role or name is not to be had.
    """
    spelled = _spelled_as_live(live.state, declaration) if spelled is None else spelled
    source = {spelled.get(r, r): r for r in declaration.objects}
    declared = _declared(live.state, declaration, scope, source)
    changed = _changed(live.state, declared)
    repeated = declared.keys() - changed.keys()
    if problems := unmet_preconditions(live, declaration, declared, source):
        raise DeclarationError(problems)
    dropped = _dropped(live.state, declaration, scope, declared.keys(), spelled)
    numbered = _numbered(declared, changed, live, dropped)
    declared |= numbered
    changed |= numbered
    kept = _kept_after_leaving(live, declaration, changed, scope)
    merged = _copies_of_new_objects(live.state, changed)
    merged |= _merged_on_joining(live.state, changed, dropped)
    merged -= declared.keys()
    undeclared = {**live.state.objects, **kept}
    renamed = renamed or {}
    predecessors = _predecessors(live.state, declared, renamed)
    before = {**predecessors, **undeclared}
    if problems := counters_of_partitions(live, declaration, declared, source, predecessors.keys()):
        raise DeclarationError(problems)
    gone = (dropped | merged) - declared.keys()
    objects = _without(undeclared, gone)
    may_differ = {*changed, *kept, *predecessors}
    for ref, origin in _to_lay(source, declared, before, may_differ).items():
        is_repeated = declared[ref] is live.state.get(ref)
        obj = _under(ref, declaration.objects[origin]) if is_repeated else declared[ref]
        current = before.get(ref)
        objects[ref] = laid_over(obj, current, origin, declaration, (live, scope))
    following, lost = _following_names(predecessors.keys(), renamed, live.state, declaration)
    objects |= following
    dropped |= lost | dropped_along(live.state, declared.keys(), objects)
    if problems := name_conflicts(live, declaration, changed, source, dropped):
        raise DeclarationError(problems)
    objects = _without(objects, dropped - declared.keys())
    return Desired(objects, source, dropped, spelled, renamed, repeated)


def _declared(
    live: State, declaration: Declaration, scope: Scope, source: Mapping[Ref, Ref]
) -> dict[Ref, Object]:
    """Return the declared objects, and the live one where the declaration only repeats it."""
    found: dict[Ref, Object] = {}
    known = live.objects
    for ref, origin in source.items():
        obj, current = _under(ref, declaration.objects[origin]), known.get(ref)
        is_repeated = (
            current is not None
            and obj.repeats(current)
            and not _with_defaults(obj, origin, declaration, scope)
            and _GRANTS not in declaration.exclusive.get(origin, ())
        )
        found[ref] = current if current is not None and is_repeated else obj
    return found


def _changed(live: State, declared: Mapping[Ref, Object]) -> dict[Ref, Object]:
    """Return the declared objects that do not merely repeat the live ones."""
    return {r: o for r, o in declared.items() if o is not live.objects.get(r)}


def _without(objects: Mapping[Ref, Object], gone: Set[Ref]) -> dict[Ref, Object]:
    return {r: o for r, o in objects.items() if r not in gone} if gone else {**objects}


def _to_lay(
    source: Mapping[Ref, Ref],
    declared: Mapping[Ref, Object],
    before: Mapping[Ref, Object],
    may_differ: Set[Ref],
) -> dict[Ref, Ref]:
    """Return the refs of `source` with declarations different from the live objects."""
    return {
        r: origin
        for r, origin in source.items()
        if r in may_differ and declared[r] is not before.get(r)
    }


def _under(ref: Ref, obj: Object) -> Object:
    """Return the object under PostgreSQL's spelling of the ref."""
    return obj if obj.ref is ref or obj.ref == ref else obj.model_copy(update={"ref": ref})


def _with_defaults(obj: Object, origin: Ref, declaration: Declaration, scope: Scope) -> bool:
    """Tell whether what the declaration leaves open is the default, and not the live value."""
    if declaration.recorded or not scope.prunes(obj.ref):
        return declaration.recorded
    return not (_is_mention(obj, origin, declaration) or isinstance(obj, GlobalObject))


def _numbered(
    declared: Mapping[Ref, Object],
    changed: Mapping[Ref, Object],
    live: Snapshot,
    dropped: Set[Ref],
) -> dict[Ref, Object]:
    """Return the new objects whose relation PostgreSQL would number, with a free name."""
    found: dict[Ref, Object] = {}
    new = [o for r, o in changed.items() if isinstance(o, NumbersNames) and r not in live.state]
    if not new:
        return found
    names = Counter(_relation(o) for o in declared.values())
    kept = live.names.keys() - {_relation(live.state[r]) for r in dropped}
    relation_names = {*names, *kept}
    for obj in new:
        ref, own = obj.ref, _relation(obj)
        if own in kept or names[own] > 1:
            names[own] -= 1
            found[ref] = obj.with_free_name(relation_names)
            relation_names.add(_relation(found[ref]))
    return found


def _relation(obj: Object) -> tuple[str, str]:
    return obj.ref.schema, obj.relation_name or ""


def laid_over(
    obj: Object,
    current: Object | None,
    origin: Ref,
    declaration: Declaration,
    where: tuple[Snapshot, Scope],
) -> Object:
    """Complete a declared object by the live one, or by what a new object gets."""
    live, scope = where
    with_defaults = _with_defaults(obj, origin, declaration, scope)
    full = obj.over(current, with_defaults=with_defaults).as_state()
    full = _with_owner(full, current, live.context.user)
    exclusive = with_defaults or _GRANTS in declaration.exclusive.get(origin, ())
    full = GrantsOf(obj, current, live.context, exclusive).fill_in(full)
    return current if current is not None and full.matches(current) else full


def _predecessors(
    live: State, declared: Mapping[Ref, Object], renamed: Mapping[Ref, Ref]
) -> dict[Ref, Object]:
    """Map new tables to what they take over from the tables that become partitions of them."""
    replaced = {
        new: live[old]
        for new, old in renamed.items()
        if new in declared and new not in live and old in declared and old in live
        if new in parents_of(declared[old])
    }
    return {new: in_place_of(declared[new], old) for new, old in replaced.items()}


def _following_names(
    replaced: Set[Ref], renamed: Mapping[Ref, Ref], live: State, declaration: Declaration
) -> tuple[dict[Ref, Object], set[Ref]]:
    """Find what follows the names of renamed tables to the tables that take their places.

    Return the objects that nobody declares, and what the old tables lose.
    """
    named = declaration.objects.keys() | declaration.absent.keys()
    found, lost = dict[Ref, Object](), set[Ref]()
    for obj in live.of(FollowsName):
        for new in replaced:
            follower = found.get(obj.ref, obj)
            assert isinstance(follower, FollowsName)
            moved = follower.following_name(renamed[new], new)
            if moved is not None and moved.ref not in named:
                found[moved.ref] = moved
            if moved is not None and moved.ref != obj.ref and not obj.stays_on_partition:
                lost.add(obj.ref)
    return found, lost - named


def _spelled_as_live(state: State, declaration: Declaration) -> dict[Ref, Ref]:
    refs = [*declaration.objects, *declaration.absent]
    routines = [r for r in refs if r.arguments is not None]
    return {r: live for r in routines if (live := _live_routine(state, r)) != r}


def _live_routine(state: State, ref: Ref) -> Ref:
    """Find the live routine of a declared ref with arguments spelled as in the catalog."""
    if ref in state:
        return ref
    overloads = state.overloads(ref)
    return next((o.ref for o in overloads if declared_arguments(o) == ref.arguments), ref)


def _with_owner(obj: Object, current: Object | None, user: str) -> Object:
    """Fill in the owner: the current owner, or the creating user."""
    if not isinstance(obj, Owned) or obj.owner is not None:
        return obj
    return obj.model_copy(update={"owner": owner_of(current) or user})


def _dropped(
    state: State,
    declaration: Declaration,
    scope: Scope,
    declared: Set[Ref],
    spelled: Mapping[Ref, Ref],
) -> set[Ref]:
    """Collect live objects to drop, with the objects on them.

    These are declared absent, or missing in an exclusive list or in a pruned schema.
    """
    absent = {spelled.get(r, r) for r in declaration.absent} & state.objects.keys()
    schemas = {Ref("", schema, "").schema_ref for schema in {r.schema for r in declared}}
    missing = {
        r
        for r in state.objects.keys() - declared - schemas
        if _is_exclusive(r, declaration) or (scope.prunes(r) and not _is_on_mention(r, declaration))
    }
    dropped = absent | missing
    return dropped | {r for r in state if r.on in dropped} if dropped else dropped


def _is_mention(obj: Object, origin: Ref, declaration: Declaration) -> bool:
    """Tell whether a table is declared without its columns, and taken to be as it is."""
    sections = inline_sections(obj.kind)
    return bool(sections) and not (
        parents_of(obj) or declaration.recorded or declaration.is_defined(origin, sections)
    )


def _is_on_mention(ref: Ref, declaration: Declaration) -> bool:
    """Tell whether an object belongs to such a table, in a section that is not listed there."""
    table = declaration.objects.get(ref.on) if ref.on is not None else None
    if table is None or not _is_mention(table, table.ref, declaration):
        return False
    return not declaration.is_defined(table.ref, [KINDS[ref.kind].section])


def _is_exclusive(ref: Ref, declaration: Declaration) -> bool:
    return ref.on is not None and ref.kind in declaration.exclusive.get(ref.on, ())


def _copies_of_new_objects(state: State, changed: Mapping[Ref, Object]) -> set[Ref]:
    """Collect objects of partitions, later copies of new objects of the parents.

    A partition's index of the name that the copy will have is reused.
    """
    new = [o for r, o in changed.items() if r not in state]
    parents = {p for o in state.of(Inheriting) for p in o.parents} if new else set[Ref]()
    return {copy for obj in new if obj.ref.on in parents for copy in _copies(obj, state)}


def _copies(obj: Object, state: State) -> Iterator[Ref]:
    if isinstance(obj, PartitionedObject) and obj.ref.on:
        for child in descendants(state, {obj.ref.on}):
            if (copy := inherited_by(obj, state[child])) is not None:
                yield copy.ref


def _merged_on_joining(live: State, changed: Mapping[Ref, Object], dropped: Set[Ref]) -> set[Ref]:
    """Collect constraints and indexes that become those of a parent that their table joins."""
    tables = _with_parents(live, changed)
    joining = [r for r, o in tables.items() if {*parents_of(o)} - {*parents_of(live[r])}]
    if not joining:
        return set()
    full = {r: o.over(live.get(r)) for r, o in changed.items()}
    later = State({**{r: o for r, o in live.objects.items() if r not in dropped}, **full})
    return {
        own.ref
        for table in joining
        for inherited in later.inherited(table).values()
        for own in live.objects_on(table)
        if isinstance(own, PartitionedObject) and own.ref == inherited.ref and own.equals(inherited)
    }


def _kept_after_leaving(
    live: Snapshot, declaration: Declaration, changed: Mapping[Ref, Object], scope: Scope
) -> dict[Ref, Object]:
    """Collect inherited columns and constraints kept by tables after leaving a parent.

    A complete declaration lists what a table keeps.
    """
    if scope.prune or declaration.recorded:
        return {}
    tables = _with_parents(live.state, changed)
    leaving = [r for r, o in tables.items() if {*parents_of(live.state[r])} - {*parents_of(o)}]
    if not leaving:
        return {}
    full = {r: o.over(live.state.get(r)) for r, o in changed.items()}
    later = State({**live.state.objects, **full})
    kept: dict[Ref, Object] = {}
    for ref in leaving:
        exclusive = declaration.exclusive.get(ref, frozenset())
        kept |= _kept_of_parents(live, ref, later.inherited(ref).keys(), exclusive)
    return kept


def _with_parents(live: State, changed: Mapping[Ref, Object]) -> dict[Ref, Object]:
    """Return the live tables that may have parents, as they are declared."""
    may_have = {r: o for r, o in changed.items() if r in live and _may_have_parents(o)}
    return {r: o.over(live[r]) for r, o in may_have.items()}


def _may_have_parents(obj: Object) -> bool:
    return isinstance(obj, Inheriting)


def _kept_of_parents(
    live: Snapshot, table: Ref, still_inherited: Set[Ref], exclusive: Set[str]
) -> dict[Ref, Object]:
    inherited = live.state.inherited(table)
    kept: dict[Ref, Object] = {}
    for ref, obj in on_its_own(live.state, table, live.context.partition_copies).items():
        if ref in still_inherited or ref.kind in exclusive:
            continue
        if ref in live.state and ref in inherited:
            kept[ref] = filled(live.state[ref], inherited[ref])
        else:
            kept[ref] = obj
    return kept
