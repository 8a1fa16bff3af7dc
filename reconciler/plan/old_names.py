"""Find functions whose bodies may use a name that a plan takes away.

PostgreSQL stores a body in a string as it was written: nothing but its words tells what it uses. It
fails when it is called next.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass, replace
from functools import cached_property

from reconciler.diff.renames import Renaming
from reconciler.model.datatype import DataType
from reconciler.model.declared import RenamesParts
from reconciler.model.object import InlinePart
from reconciler.model.ref import Ref
from reconciler.model.state import State
from reconciler.model.statement import Hazard, HazardKind, Statement
from reconciler.plan.bodies import Bodies, can_be_named, final_bodies, replaced_bodies
from reconciler.plan.operations import Operation, Operations


def replacing_old_names(
    operations: Operations, renamings: Sequence[Renaming], whole: State | None
) -> list[Operation]:
    """Return the operations that replace functions whose bodies may use an old name."""
    if not renamings:
        return []
    search = _Search.of(operations, renamings, whole)
    replaced = Bodies(replaced_bodies(operations))
    users = {ref for r in _named(renamings) for ref in search.users(r, replaced)}
    return [Operation.create(ref) for ref in sorted(users, key=str)]


def with_uses_of_old_names(
    renamings: Sequence[Renaming],
    operations: Operations,
    whole: State | None,
    together: Set[Operation],
) -> list[Renaming]:
    """Return the renamings with a hazard for each function that may use an old name.

    `together` are the operations to commit in the renamings' transaction.
    """
    if not renamings:
        return []
    search = _Search.of(operations, renamings, whole)
    bodies = search.final_bodies(operations)
    replaced = Bodies(replaced_bodies(operations))
    named = {id(r) for r in _named(renamings)}
    found = list[Renaming]()
    for renaming in renamings:
        reasons = list[str]()
        if id(renaming) in named:
            what, users = search.what(renaming), search.users(renaming, bodies)
            until = search.users(renaming, replaced) - users
            at_once = {ref for ref in until if Operation.create(ref) in together}
            reasons += _reasons(users, f"may still use {what} under this name, and would fail")
            reasons += _reasons(
                until - at_once,
                f"may use {what} under this name, and would fail until a later step replaces it",
            )
            reasons += _reasons(
                at_once,
                f"may use {what} under this name, and is replaced in the same transaction: calls"
                " that are running then may fail",
            )
        found.append(replace(renaming, statement=_with_hazards(renaming.statement, reasons)))
    return found


def add_uses_of_dropped(
    operations: Operations, renamings: Sequence[Renaming], whole: State | None
) -> None:
    """Add a hazard to each drop of what the body of a function may still use."""
    desired, dropped = operations.desired, operations.dropped
    gone = [
        ref
        for ref in dropped
        if ref.schema and ref not in desired and can_be_named(ref)
        if ref.on is None or ref.on in desired  # a table is dropped with its columns
        if operations.statements.get(Operation.drop(ref))
    ]
    if not gone:
        return
    search = _Search.of(operations, renamings, whole)
    bodies = search.final_bodies(operations)
    for ref in gone:
        first, *others = operations.statements[Operation.drop(ref)]
        reasons = _reasons(search.naming(ref, ref, bodies), f"may still use {ref}, and would fail")
        operations.statements[Operation.drop(ref)] = [_with_hazards(first, reasons), *others]


def _named(renamings: Sequence[Renaming]) -> list[Renaming]:
    """Return the renamings of parts, and of several renamings of an object the first."""
    first = {r.was: r for r in reversed(renamings) if not r.part}
    return [r for r in renamings if r.part or r is first[r.was]]


def _reasons(users: Set[Ref], says: str) -> list[str]:
    return [f"{ref} {says}" for ref in sorted(users, key=str)]


def _with_hazards(statement: Statement, reasons: Iterable[str]) -> Statement:
    found = tuple(Hazard(hazard=HazardKind.BLOCKS_READS, reason=reason) for reason in reasons)
    if not found:
        return statement
    return statement.model_copy(update={"hazards": (*statement.hazards, *found)})


@dataclass(frozen=True)
class _Search:
    """The target before a plan, to search for users of the names that the plan takes away.

    `live` has all that is there, `gone` the refs that are dropped or renamed.
    """

    live: State
    desired: State
    gone: Set[Ref]

    @classmethod
    def of(
        cls, operations: Operations, renamings: Sequence[Renaming], whole: State | None
    ) -> _Search:
        renamed = {r.was for r in renamings if r.was != r.becomes}
        desired = operations.desired
        dropped = {ref for ref in operations.dropped if ref not in desired}
        return cls(whole or operations.live, desired, renamed | dropped)

    @cached_property
    def _taken(self) -> Set[tuple[str, str, Ref | None]]:
        """The names that objects have after the plan."""
        kept = (r for r in self.live.objects if r not in self.gone)
        return {(r.schema, r.name, r.on) for r in (*kept, *self.desired)}

    def final_bodies(self, operations: Operations) -> Bodies:
        """Return the bodies of the functions that stay, as they will be."""
        found = final_bodies(operations, self.live)
        return Bodies({ref: body for ref, body in found.items() if ref not in self.gone})

    def what(self, renaming: Renaming) -> str:
        """Return what is renamed, in words."""
        word = self._word(renaming)
        return f"{word} of {renaming.was}" if word else str(renaming.was)

    def users(self, renaming: Renaming, bodies: Bodies) -> Set[Ref]:
        """Return the functions that may use an old name."""
        if renaming.part:
            return self._naming_part(renaming, bodies)
        return self.naming(renaming.was, renaming.becomes, bodies)

    def naming(self, was: Ref, now: Ref, bodies: Bodies) -> Set[Ref]:
        """Return the functions with an old name as a word, unless another object takes the name.

        A column's name says little: the body also names the table, or belongs to a trigger on it.
        """
        if (was.schema, was.name, was.on) in self._taken:
            return set()
        found = bodies.naming(was.name)
        if was.on is None or not found or not isinstance(self.live.get(was), InlinePart):
            return found
        tables = {was.on.name, now.on.name if now.on else ""}
        return found & (self._called_on({was.on}) | bodies.naming_any(tables))

    def _word(self, renaming: Renaming) -> str:
        """Return a renamed value or attribute as a body has it; "" if another object is renamed."""
        obj = self.desired.get(renaming.becomes) if renaming.part else None
        old = str(renaming.described.live)
        return obj.part_in_body(old) if isinstance(obj, RenamesParts) else ""

    def _naming_part(self, renaming: Renaming, bodies: Bodies) -> Set[Ref]:
        """Return the functions that may use a renamed value or attribute.

        A body that does not name the type names a relation that has columns of the type.
        """
        found = bodies.naming(self._word(renaming))
        if not found:
            return found
        places = self._places({renaming.was, renaming.becomes})
        takers = self.live.dependents.get(renaming.was, set[Ref]())
        return found & (
            takers | self._called_on(places) | bodies.naming_any({p.name for p in places})
        )

    def _places(self, types: Set[Ref]) -> Set[Ref]:
        """Return types, the types made of them, and the relations with columns of any of these."""
        places, found, waiting = set[Ref](), {*types}, [*types]
        while waiting:
            used = waiting.pop()
            places.add(used.on or used)
            follow = isinstance(self.live.get(used), DataType | InlinePart)
            for user in self.live.dependents.get(used, ()) if follow else ():
                if user not in found and user.arguments is None:
                    found.add(user)
                    waiting.append(user)
        return places

    def _called_on(self, relations: Set[Ref]) -> Set[Ref]:
        """Return what the objects on relations need, such as the functions of triggers."""
        on = (o for o in self.live.objects if o.on is not None and o.on in relations)
        return {needed for o in on for needed in self.live.needs(o)}
