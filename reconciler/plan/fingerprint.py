"""Digest the objects changed or needed by a plan, and find objects changed since."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from hashlib import sha256

from reconciler.diff.inherited import descendants, origins
from reconciler.diff.renames import Renaming, refs_after
from reconciler.kinds import KINDS
from reconciler.model.facts import Leftover
from reconciler.model.object import Object
from reconciler.model.partitioned import PartitionedObject
from reconciler.model.ref import Ref
from reconciler.model.state import State
from reconciler.plan.operations import Operations

# Prefixes of keys whose digest is of the names of further objects. Saved plans hold them.
DEPENDENTS = "what stands on "
CHILDREN = "what inherits from "
UNFINISHED = "unfinished objects on "

Leftovers = Mapping[Ref, Leftover]


@dataclass(frozen=True)
class _Subjects:
    """The objects to digest: whole objects, or names of dependents, child tables and leftovers.

    `objects` themselves, the names of dependents of `fragile` ones, of child tables of `parents`,
    and of leftovers of interrupted builds on `built` ones.
    """

    objects: Iterable[Ref]
    fragile: Iterable[Ref]
    parents: Iterable[Ref]
    built: Iterable[Ref]


def fingerprint_of(
    operations: Operations,
    target: State,
    renamings: Sequence[Renaming],
    leftovers: Leftovers,
) -> dict[str, str]:
    """Return the fingerprint of the objects changed or needed by a plan, by names on the target.

    The fingerprint maps an object to a digest of its definition, "" if it does not exist; and a
    prefix with an object to a digest of the names of its dependents, child tables or leftovers.
    """
    old_names = _old_names(target, renamings)

    def on_target(refs: Iterable[Ref | None]) -> set[Ref]:
        return {old_names.get(r, r) for r in refs if r is not None} & target.objects.keys()

    refs = _depended_on(operations)
    changed = [c.ref for c in operations.changes]
    partitioned = (r.on for r in changed if issubclass(KINDS[r.kind], PartitionedObject))
    subjects = _Subjects(
        objects={*refs, *(old_names[r] for r in refs if r in old_names)},
        fragile=on_target({*operations.dropped, *operations.without_dependents}),
        parents=on_target(r.on for r in changed),
        built=on_target(partitioned),
    )
    return _digests(subjects, target, leftovers)


def fingerprint_of_unchanged(
    declared: Sequence[Ref], target: State, renamings: Sequence[Renaming]
) -> dict[str, str]:
    """Return the fingerprint of a plan without changes: all objects were as declared.

    With renamings they were so under the old names, and the new names were free.
    """
    old_names = _old_names(target, renamings)
    objects = {*declared, *(old_names[r] for r in declared if r in old_names)}
    return _digests(_Subjects(objects, (), (), ()), target, {})


def _old_names(target: State, renamings: Sequence[Renaming]) -> Mapping[Ref, Ref]:
    """Map the names after the renamings to those before; no name without a renaming."""
    if not renamings:
        return {}
    return {after: before for before, after in refs_after(target, renamings).items()}


def moved(was: Mapping[str, str], state: State, leftovers: Leftovers) -> list[str]:
    """List the keys of a fingerprint with changed digests."""
    refs = {str(r): r for r in state}

    def recorded(prefix: str) -> list[Ref]:
        return [ref for name, ref in refs.items() if prefix + name in was]

    subjects = _Subjects(
        objects=recorded(""),
        fragile=recorded(DEPENDENTS),
        parents=recorded(CHILDREN),
        built=recorded(UNFINISHED),
    )
    now = _digests(subjects, state, leftovers)
    return [key for key, digest in was.items() if now.get(key, "") != digest]


def _depended_on(operations: Operations) -> Set[Ref]:
    """Find changed objects, the dependents of changed objects, and all needed objects."""
    states, changed = (operations.live, operations.desired), _changed(operations)
    if not changed:
        return set()
    dependents = operations.live.dependents
    found = {*_needed_schemas(changed, states)}
    queue = [*changed, *(d for r in changed for d in dependents.get(r, ()))]
    while queue:
        ref = queue.pop()
        if ref in found:
            continue
        found.add(ref)
        needed = (n for s in states for n in (*s.needs(ref), *origins(ref, s)))
        own = ref.schema_ref
        queue += (n for n in needed if n != own)  # other schemas' rights do not matter
    return found


def _changed(operations: Operations) -> Set[Ref]:
    """Find the objects with a change or a statement, and objects to recreate or suspend."""
    recreation = operations.recreation
    return {
        *(c.ref for c in operations.changes),
        *(o.ref for o in operations.statements),
        *recreation.recreated,
        *recreation.suspended,
    }


def _needed_schemas(refs: Iterable[Ref], states: Sequence[State]) -> Iterator[Ref]:
    """Yield the schemas of objects that need them, each once."""
    found = set[Ref]()
    for ref in refs:
        schema = ref.schema_ref
        if schema not in found and any(schema in s.needs(ref) for s in states):
            found.add(schema)
            yield schema


def _digests(subjects: _Subjects, state: State, leftovers: Leftovers) -> dict[str, str]:
    """Digest the subjects in a state.

    Objects that exist come last: where two have one name, such as an index of a dropped table and
    of the view that takes its place, the existing one counts.
    """
    objects = state.objects
    order = sorted(subjects.objects, key=lambda r: (r in objects, r.kind, r.order))
    return {
        **{str(ref): _digest_of(objects.get(ref)) for ref in order},
        **_digests_of_names(DEPENDENTS, _dependents(subjects.fragile, state)),
        **_digests_of_names(CHILDREN, descendants(_sorted(subjects.parents), state)),
        **_digests_of_names(UNFINISHED, _leftovers_on(subjects.built, leftovers)),
    }


def _dependents(refs: Iterable[Ref], state: State) -> dict[Ref, Iterable[Ref]]:
    """Map each object to the dependents of the object."""
    found = _sorted(refs)
    return {ref: state.dependents.get(ref, ()) for ref in found}


def _leftovers_on(tables: Iterable[Ref], leftovers: Leftovers) -> dict[Ref, list[str]]:
    """Map each table to the leftovers on the table, resumable or merely in the way by name."""
    found: dict[Ref, list[str]] = {ref: [] for ref in _sorted(tables)}
    for ref, leftover in leftovers.items():
        if ref.on is not None and ref.on in found:
            found[ref.on].append(f"{ref}{' to go on from' if leftover.resumable else ''}")
    return found


def _sorted(refs: Iterable[Ref]) -> list[Ref]:
    """Sort objects by name."""
    return sorted(refs, key=lambda r: r.order)


def _digests_of_names(
    prefix: str, names: Mapping[Ref, Iterable[Ref] | Iterable[str]]
) -> dict[str, str]:
    """Digest the names listed for each object, in alphabetical order."""
    return {f"{prefix}{ref}": _digest("\n".join(sorted(map(str, n)))) for ref, n in names.items()}


def _digest_of(obj: Object | None) -> str:
    """Digest the definition of an object; return "" for None."""
    return _digest(obj.model_dump_json()) if obj else ""


def _digest(content: str) -> str:
    """Return the first 16 hexadecimal digits of a text's SHA-256."""
    return sha256(content.encode()).hexdigest()[:16]
