"""What is to get another name: (live, declaration) → renamings, which come before everything else that a plan does.

A declaration says `renamed_from` and may go on saying so: where the new name is there, nothing is left to do. Of an index or
a constraint nobody needs to say it: what would be dropped, and made again as it was, is renamed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from reconciler.diff.diff import Difference
from reconciler.model.context import PlanningContext
from reconciler.model.declared import RenamesParts, declared_arguments
from reconciler.model.inheritance import parents_of
from reconciler.model.object import Object
from reconciler.model.partitioned import PartitionedObject
from reconciler.model.ref import Ref
from reconciler.model.state import Declaration, Scope, State
from reconciler.model.statement import Statement


@dataclass(frozen=True)
class Renaming:
    """One statement that gives an object or a part of it another name.

    `was` and `becomes` are the object's refs before and after all of them, `told` what people are shown; `part` if it is
    only a part that is called otherwise.
    """

    was: Ref
    becomes: Ref
    statement: Statement
    described: Difference
    part: bool = False


def pending(
    live: State, declaration: Declaration, scope: Scope, context: PlanningContext
) -> list[Renaming]:
    """What is declared under a new name and is still there under the old one; what others live on comes first."""
    before: dict[Ref, Ref] = {}  # the live refs of what is renamed, by the new ones
    found: list[Renaming] = []
    for ref, obj in sorted(declaration.objects.items(), key=lambda item: item[0].on is not None):
        on = before.get(ref.on, ref.on) if ref.on else None
        there = _namesake(live, replace(ref, on=on))
        if there is None:
            named = obj.renamed_from
            there = (
                _namesake(live, replace(ref, on=on, name=named))
                if named is not None
                else _same(ref, obj, live, declaration, scope)
            )
            if there is not None and there not in before.values():
                before[ref] = there
                now = replace(there, on=ref.on)
                statement = live[there].model_copy(update={"ref": now}).renamed_to(ref.name)
                described = Difference(field="name", live=there.name, wanted=ref.name)
                found.append(Renaming(there, replace(now, name=ref.name), statement, described))
        if there is None:
            continue
        old_obj = live[there]
        if not isinstance(obj, RenamesParts) or not isinstance(old_obj, RenamesParts):
            continue
        for old, new, statement in obj.parts_renamed(old_obj):
            described = Difference(field=obj.renamed_part, live=old, wanted=new)
            found += _made_first(obj, live, declaration, context)
            found.append(
                Renaming(
                    there, replace(there, on=ref.on, name=ref.name), statement, described, part=True
                )
            )
    return found


def _same(ref: Ref, obj: Object, live: State, declaration: Declaration, scope: Scope) -> Ref | None:
    """What is the same on the same object under another name, and would be dropped: building it again would be in vain."""
    if (
        not isinstance(obj, PartitionedObject)
        or ref.on is None
        or ref.on not in live
        or parents_of(live[ref.on])
    ):
        return None
    whole = (scope.prune and scope.covers(ref)) or ref.kind in declaration.exclusive.get(ref.on, ())
    going = (
        o.ref
        for o in live.living_on(ref.on)
        if o.ref in declaration.absent or (whole and o.ref not in declaration.objects)
    )
    found = next((r for r in going if obj.equals(live[r])), None)
    rooms = (
        obj.name_keys() - live[found].name_keys()
        if found is not None
        else frozenset[tuple[str, ...]]()
    )
    taken = any(rooms & o.name_keys() for o in live.objects.values() if o.ref.schema == ref.schema)
    return None if taken else found


def _made_first(
    obj: Object, live: State, declaration: Declaration, context: PlanningContext
) -> Iterator[Renaming]:
    """What is declared and not there, and is needed already where parts are renamed: the schema to which an extension moves."""
    for ref in obj.needs():
        if ref not in live and ref in declaration.objects:
            for statement in declaration.objects[ref].create(context, online=False):
                yield Renaming(
                    ref,
                    ref,
                    statement,
                    Difference(field="name", live="", wanted=ref.name),
                    part=True,
                )


def _namesake(live: State, ref: Ref) -> Ref | None:
    """The live object of that name; of several routines the one with these arguments."""
    if ref in live or ref.arguments is None:
        return ref if ref in live else None
    alike = [
        o
        for o in live.objects.values()
        if (o.ref.kind, o.ref.schema, o.ref.name) == (ref.kind, ref.schema, ref.name)
    ]
    same = [o.ref for o in alike if ref.arguments in (declared_arguments(o), o.ref.arguments)]
    return same[0] if same else alike[0].ref if len(alike) == 1 else None


def carried(refs: Iterable[Ref], renamings: Sequence[Renaming]) -> dict[Ref, Ref]:
    """Each ref with what it is called afterwards: it lives on something of another name too."""
    names = {r.was: r.becomes for r in renamings}

    def after(ref: Ref) -> Ref:
        if ref in names:
            return names[ref]
        return replace(ref, on=after(ref.on)) if ref.on is not None else ref

    return {r: after(r) for r in refs}


def undone(renamings: Sequence[Renaming]) -> list[str]:
    """The SQL that takes all of them back."""
    return [sql for r in reversed(renamings) for sql in r.statement.undo or ()]


def spoken_of(obj: Object, ref: Ref, schema: str) -> list[str]:
    """How `depends_on` may name an object, in a file whose schema is `schema`."""
    words = f"{ref.kind.replace('_', ' ')} {ref.identity}"
    declared = declared_arguments(obj)
    spelled = (
        [words]
        if declared is None
        else [words, f"{ref.kind} {replace(ref, arguments=declared).identity}"]
    )
    return [*spelled, *(s.replace(f"{schema}.", "") for s in spelled if ref.schema == schema)]
