"""Drop a field of another object that is declared absent by a name: a NOT NULL constraint."""

from __future__ import annotations

from dataclasses import replace

from reconciler.errors import DeclarationError, Problem
from reconciler.introspect.introspect import Snapshot
from reconciler.kinds import KINDS
from reconciler.model.declared import DeclaresPart
from reconciler.model.object import Object
from reconciler.model.ref import Ref
from reconciler.model.state import Declaration, State
from reconciler.server.capabilities import Server


def with_parts_absent(declaration: Declaration, live: Snapshot) -> Declaration:
    """Declare live objects without the parts that are absent; raises DeclarationError.

    An object that is declared with the part is a contradiction.
    """
    if not declaration.absent:
        return declaration
    objects: dict[Ref, Object] = {}
    search_path, positions = dict(declaration.search_path), dict(declaration.positions)
    problems: list[Problem] = []
    for ref in declaration.absent:
        owner = owner_of_part(ref, live.state, live.context.server)
        if owner is None:
            continue
        fields = _absent(ref, owner)
        declared = objects.get(owner.ref) or declaration.objects.get(owner.ref)
        if declared is None:
            objects[owner.ref] = KINDS[owner.kind].model_validate({"ref": owner.ref, **fields})
            search_path.setdefault(owner.ref, search_path.get(ref, ""))
            if at := declaration.position(ref):
                positions.setdefault((owner.ref, ""), at)
        elif not fields.keys() & declared.model_fields_set:
            objects[owner.ref] = declared.model_copy(update=fields)
        elif _absent(ref, declared.over(owner)):
            message = f"{ref} is declared absent, while {owner.ref} declares {min(fields)}"
            hint = f"{min(fields)}: false drops it too"
            problems.append(Problem(message, declaration.position(ref), hint, "contradiction"))
    if problems:
        raise DeclarationError(problems)
    if not objects:
        return declaration
    objects = {**declaration.objects, **objects}
    return replace(declaration, objects=objects, search_path=search_path, positions=positions)


def owner_of_part(ref: Ref, live: State, server: Server) -> Object | None:
    """Return the live object with the part of that name; None for an object of that name."""
    if ref.on is None or ref in live or not server.has_not_null_constraints:
        return None
    return next((o for o in live.objects_on(ref.on) if _absent(ref, o)), None)


def _absent(ref: Ref, owner: Object) -> dict[str, object]:
    """Return the fields of `owner` without the part; none if the owner does not have the part."""
    kind = KINDS[ref.kind]
    return kind.absent_part(ref, owner) if issubclass(kind, DeclaresPart) else {}
