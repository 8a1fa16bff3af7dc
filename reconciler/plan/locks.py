"""Find all table locks of a statement: many lock more than the table that they name.

https://www.postgresql.org/docs/current/explicit-locking.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property, reduce

from reconciler.diff.renames import Renaming
from reconciler.model.declared import RowExpressions
from reconciler.model.inheritance import (
    Inheriting,
    is_default_partition,
    is_partition,
    is_partitioned,
    parents_of,
)
from reconciler.model.ref import Ref
from reconciler.model.references import referenced_table
from reconciler.model.state import State
from reconciler.model.statement import Hazard, HazardKind, Lock, Question, Statement
from reconciler.model.typed_table import TypedTable
from reconciler.plan.operations import Operations
from reconciler.plan.values import question_of_values
from reconciler.server.locks import stronger

ATTACH, DETACH = "SHARE ROW EXCLUSIVE", "ACCESS EXCLUSIVE"


class LockFinder:
    """All locks of statements on the tables of a live state.

    `whole` is all that is known of the target: a statement may lock tables that no change touches.
    """

    def __init__(
        self, operations: Operations, whole: State | None, renamings: Sequence[Renaming]
    ) -> None:
        self._context, self._compared = operations.context, operations.live
        self._whole, self._renamed = whole or operations.live, {r.was for r in renamings}
        self._desired = operations.desired
        self._dropped = {o.ref for o in operations.statements if o.drops}

    @cached_property
    def _live(self) -> State:
        whole, live, renamed = self._whole, self._compared, self._renamed
        if whole is live and not renamed:
            return live
        objects = {r: o for r, o in whole.objects.items() if r not in renamed}
        return State({**objects, **live.objects}, {**whole.edges, **live.edges})

    def locks(self, statement: Statement, ref: Ref) -> tuple[Lock, ...]:
        """Return the strongest lock on each relation, that of the statement first.

        `ref` is the object that the statement changes, with those in `statement.also`.
        """
        found: dict[str, str] = {}
        also = self._named(statement.also) if statement.also else ()
        for lock in self._locks(statement, [ref, *also]):
            found[lock.relation] = stronger(found.get(lock.relation, ""), lock.mode)
        return tuple(Lock(relation=r, mode=m) for r, m in found.items())

    def scans(self, statement: Statement, ref: Ref) -> Iterator[Hazard]:
        """Yield a hazard for what PostgreSQL reads under lock beside the object itself.

        That is the default partition, for a new partition, and tables with columns of a domain.
        """
        yield from self._scans_of_users(statement, ref)
        for rest in self.read_by_attaching(statement, ref):
            size = self._context.size(rest)
            reason = (
                f"{rest.identity} ({size.in_bytes}), the default partition, is read under lock"
                f" for rows of {ref.identity}, unless a check proves that it has none"
            )
            yield Hazard(hazard=HazardKind.LONG_SCAN, reason=reason)

    def read_by_attaching(self, statement: Statement, ref: Ref) -> Iterator[Ref]:
        """Yield the default partitions with rows that stay where the statement attaches `ref`."""
        parents = parents_of(self._desired.get(ref)) if statement.ties == "attach" else ()
        for parent in parents:
            for rest in self._default_partitions(parent, ref):
                if not self._context.size(rest).empty and self._stays_default(rest):
                    yield rest

    def question(self, statement: Statement, ref: Ref) -> Question | None:
        """Return the question about rows in the way, of all tables with columns of a domain."""
        asked = statement.question
        if asked is None or asked.relation:
            return asked
        return question_of_values(asked, ref, self._live, self._desired)

    def _scans_of_users(self, statement: Statement, ref: Ref) -> Iterator[Hazard]:
        tables = [*dict.fromkeys(self._users(ref, set()))] if statement.ties == "users" else []
        held = (table for table in tables if not is_partitioned(self._live.get(table)))
        sizes = {table.identity: self._context.size(table) for table in held}
        read = [f"{t} ({s.in_bytes})" for t, s in sorted(sizes.items()) if not s.quickly_read]
        if read:
            reason = f"nobody can write to {', '.join(read)} while values of {ref} are checked"
            yield Hazard(hazard=HazardKind.BLOCKS_WRITES, reason=reason)

    def _stays_default(self, partition: Ref) -> bool:
        return is_default_partition(self._desired.get(partition) or self._live[partition])

    def _named(self, objects: Sequence[tuple[str, str]]) -> list[Ref]:
        """Return the refs of objects, given as kind and identity."""
        return [r for r in self._live if (r.kind, r.identity) in objects]

    def _locks(self, statement: Statement, objects: list[Ref]) -> Iterator[Lock]:
        relation, mode = statement.relation, statement.lock
        own = [Lock(relation=relation, mode=mode)] if relation and mode else []
        for lock in (*own, *statement.others):
            yield lock
            if lock.mode == (statement.lock or lock.mode):
                yield from self._below(statement, lock)
        for ref in objects:
            yield from self._around(statement, ref)

    def _below(self, statement: Statement, lock: Lock) -> Iterator[Lock]:
        """Yield the same lock on child tables and partitions."""
        if not statement.recurses:
            return
        for child in self._children.get(lock.relation, ()):
            if statement.recurses == "children" or is_partition(self._live.get(child)):
                below = Lock(relation=child.identity, mode=lock.mode)
                yield below
                yield from self._below(statement, below)

    def _around(self, statement: Statement, ref: Ref) -> Iterator[Lock]:
        """Yield the locks on tables that are tied to the object."""
        if statement.ties == "references":
            for table in self._referenced_through(ref):
                yield Lock(relation=table.identity, mode="ACCESS EXCLUSIVE")
        elif statement.ties == "users":
            for table in self._users(ref, set()):
                yield Lock(relation=table.identity, mode="SHARE")
        elif statement.ties == "typed tables":
            for typed in self._live.of(TypedTable):
                if typed.row_type(typed.ref.schema) == ref:
                    yield Lock(relation=typed.ref.identity, mode="ACCESS EXCLUSIVE")
        elif statement.ties:
            yield from self._around_partition(statement, ref)

    def _around_partition(self, statement: Statement, ref: Ref) -> Iterator[Lock]:
        """Yield the locks of attaching or detaching a partition.

        The default partition gets other rows, and foreign keys get other triggers.
        """
        attaches = statement.ties == "attach"
        state = self._desired if attaches else self._live
        for parent in parents_of(state.get(ref)):
            for sibling in self._default_partitions(parent, ref):
                yield Lock(relation=sibling.identity, mode="ACCESS EXCLUSIVE")
            for table in self._referenced_by.get(parent, ()):
                yield Lock(relation=table.identity, mode=ATTACH)
            for table in self._referencing.get(parent, ()):
                yield Lock(relation=table.identity, mode=ATTACH if attaches else DETACH)

    def _default_partitions(self, parent: Ref, ref: Ref) -> Iterator[Ref]:
        """Yield the default partition of a table, unless it is `ref`."""
        for child in self._children.get(parent.identity, ()):
            if child != ref and is_default_partition(self._live[child]):
                yield child

    def _referenced_through(self, ref: Ref) -> Iterator[Ref]:
        """Yield tables to which foreign keys of a column, or of a table, refer.

        A partition has those of its parents. Foreign keys with a DROP of their own are gone before.
        """
        tables = {ref, *parents_of(self._live[ref])} if ref in self._live else {ref}
        places = {*tables, ref.on} if ref.on is not None else tables
        numbered = sorted(n for t in places for n in self._foreign_keys_on.get(t, {}).items())
        for _, foreign_key in numbered:
            if foreign_key in self._dropped:
                continue
            of_column = foreign_key.on == ref.on and ref in self._live.needs(foreign_key)
            if of_column or foreign_key.on in tables:
                yield self._foreign_keys[foreign_key]

    def _users(self, type_: Ref, seen: set[Ref]) -> Iterator[Ref]:
        """Yield the tables with columns of a type, or of a type that is made of it.

        No state lists the columns that child tables inherit.
        """
        for user in sorted(self._live.dependents.get(type_, ()), key=str):
            if user in seen:
                continue
            seen.add(user)
            if user.on is not None:
                if isinstance(self._live.get(user), RowExpressions):
                    yield from self._with_children(user.on)
            else:
                yield from self._users(user, seen)

    def _with_children(self, table: Ref) -> Iterator[Ref]:
        yield table
        for child in self._children.get(table.identity, ()):
            yield from self._with_children(child)

    @cached_property
    def _children(self) -> Mapping[str, list[Ref]]:
        found: dict[str, list[Ref]] = {}
        for obj in self._live.of(Inheriting):
            for parent in obj.parents:
                found.setdefault(parent.identity, []).append(obj.ref)
        return found

    @cached_property
    def _foreign_keys(self) -> Mapping[Ref, Ref]:
        tables = ((r, referenced_table(o)) for r, o in self._live.objects.items())
        return {ref: table for ref, table in tables if table is not None}

    @cached_property
    def _foreign_keys_on(self) -> Mapping[Ref, dict[int, Ref]]:
        """Number the foreign keys, by the tables that have them."""
        found: dict[Ref, dict[int, Ref]] = {}
        for number, ref in enumerate(self._foreign_keys):
            if ref.on is not None:
                found.setdefault(ref.on, {})[number] = ref
        return found

    @cached_property
    def _referenced_by(self) -> Mapping[Ref, set[Ref]]:
        found: dict[Ref, set[Ref]] = {}
        for ref, table in self._foreign_keys.items():
            if ref.on is not None:
                found.setdefault(ref.on, set()).add(table)
        return found

    @cached_property
    def _referencing(self) -> Mapping[Ref, set[Ref]]:
        found: dict[Ref, set[Ref]] = {}
        for ref, table in self._foreign_keys.items():
            if ref.on is not None:
                found.setdefault(table, set()).add(ref.on)
        return found


def strongest_of(locks: Sequence[Lock]) -> Lock | None:
    """Return the strongest of locks, the first of equal ones; None without any."""
    strongest = reduce(stronger, (lock.mode for lock in locks), "")
    return next((lock for lock in locks if lock.mode == strongest), None)
