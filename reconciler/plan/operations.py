"""Operations: the actions of a plan on objects, before ordering."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from enum import IntEnum
from functools import cached_property, lru_cache

from reconciler.diff.diff import Action, Change
from reconciler.model.deferred import deferred_needs
from reconciler.model.object import Object, PlanningContext
from reconciler.model.ref import Ref
from reconciler.model.state import State
from reconciler.model.statement import Statement
from reconciler.plan.recreate import Recreation

KEPT = 1 << 17  # operations that are not made again


class Phase(IntEnum):
    """A kind of work on an object; the values sort operations not ordered by any rule."""

    REWRITE = -1  # rewrite a table for several of its columns
    CREATE = 0  # or alter, or restore a suspended object
    POST_CREATE = 1  # define the deferred part, which needs further objects: pg_dump's post-data
    DROP = 2  # or suspend, or rename to free the name
    PRE_DROP = 3  # remove the deferred part


@dataclass(frozen=True, order=True)
class Operation:
    """An action on an object in a phase."""

    phase: Phase
    order: tuple[str, ...]
    ref: Ref = field(compare=False)
    hashed: int = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Compute the hash once: operations are keys that every rule looks up for every object."""
        object.__setattr__(self, "hashed", hash((self.phase, self.order)))

    def __hash__(self) -> int:
        return self.hashed

    @classmethod
    def create(cls, ref: Ref) -> Operation:
        """Return the operation to create or alter the object."""
        return _operation(Phase.CREATE, ref)

    @classmethod
    def post_create(cls, ref: Ref) -> Operation:
        """Return the operation to define the object's deferred part."""
        return _operation(Phase.POST_CREATE, ref)

    @classmethod
    def drop(cls, ref: Ref) -> Operation:
        """Return the operation to drop, suspend or rename the object."""
        return _operation(Phase.DROP, ref)

    @classmethod
    def pre_drop(cls, ref: Ref) -> Operation:
        """Return the operation to remove the object's deferred part."""
        return _operation(Phase.PRE_DROP, ref)

    @property
    def drops(self) -> bool:
        """Whether the operation removes the object or the object's deferred part."""
        return self.phase in (Phase.DROP, Phase.PRE_DROP)

    def __str__(self) -> str:
        return f"{self.phase.name.lower()} {self.ref}"


@lru_cache(maxsize=KEPT)
def _operation(phase: Phase, ref: Ref) -> Operation:
    return Operation(phase, ref.order, ref)


@dataclass(frozen=True)
class Rebinding:
    """A suspended object, and the SQL to suspend and restore the object around an undo.

    When it is restored, the object depends on a new object. `suspension` is the operation that
    suspends it in the plan; the undo of the new object runs `suspend` first and `restore` last.
    """

    suspension: Operation
    suspend: tuple[str, ...]
    restore: tuple[str, ...]


@dataclass
class Operations:
    """All operations of a plan, with the SQL of each.

    `part_of` maps an operation to the one that includes it: CREATE TABLE creates columns too.
    Operations with the same value in `units` commit in one transaction, and so do the operations of
    two units that are a pair in `joined`. `created` and `dropped` include recreated objects.
    `reused` objects become part of another object. `dropped_alone` objects have a DROP of their own
    although their table is dropped too. `exchanged` maps dropped indexes to new constraints of
    their names, and the reverse. `one_way` are alterations such as ALTER TYPE … ADD VALUE, which
    only DROP and CREATE undo. `rebindings` maps the operation that creates a new object to the
    objects that are restored on it. `origins` lists, for an operation of several objects, the
    operation that each statement comes from.
    """

    live: State
    desired: State
    context: PlanningContext
    changes: Sequence[Change] = ()
    statements: dict[Operation, list[Statement]] = field(
        default_factory=dict[Operation, list[Statement]]
    )
    actions: dict[Operation, Action] = field(default_factory=dict[Operation, Action])
    part_of: dict[Operation, Operation] = field(default_factory=dict[Operation, Operation])
    units: dict[Operation, Ref] = field(default_factory=dict[Operation, Ref])
    joined: set[tuple[Ref, Ref]] = field(default_factory=set[tuple[Ref, Ref]])
    one_way: set[Operation] = field(default_factory=set[Operation])
    recreation: Recreation = field(default_factory=Recreation)
    origins: dict[Operation, list[Operation]] = field(
        default_factory=dict[Operation, list[Operation]]
    )
    created: Set[Ref] = field(default_factory=frozenset[Ref])
    reused: Set[Ref] = field(default_factory=frozenset[Ref])
    dropped: Set[Ref] = field(default_factory=frozenset[Ref])
    dropped_alone: Set[Ref] = field(default_factory=frozenset[Ref])
    exchanged: dict[Ref, Ref] = field(default_factory=dict[Ref, Ref])
    rebindings: dict[Operation, list[Rebinding]] = field(
        default_factory=dict[Operation, list[Rebinding]]
    )

    def add(
        self,
        operation: Operation,
        action: Action,
        statements: list[Statement],
        unit: Ref | None = None,
    ) -> None:
        """Add an operation, to be committed with all operations of the same `unit`."""
        self.statements[operation] = statements
        self.actions[operation] = action
        if unit is not None:
            self.units[operation] = unit

    def extend_undo(self, operation: Operation, sql: Sequence[str]) -> None:
        """Append SQL to the undo of an operation's first statement, undone last."""
        first, *others = self.statements[operation]
        undo = (*(first.undo or ()), *sql)
        self.statements[operation] = [first.model_copy(update={"undo": undo}), *others]

    def find(self, operation: Operation) -> Operation | None:
        """Return the operation, or the operation found by `part_of`; None if not planned."""
        while operation in self.part_of:
            operation = self.part_of[operation]
        return operation if operation in self.statements else None

    def create_of(self, ref: Ref) -> Operation | None:
        """Return the operation to create, alter or restore the object."""
        return self.find(Operation.create(ref))

    def drop_of(self, ref: Ref) -> Operation | None:
        """Return the operation to drop, suspend or rename the object."""
        return self.find(Operation.drop(ref))

    def only(self, ref: Ref) -> Operation | None:
        """Return the only operation on the object; None for both drop and create."""
        drop, create = self.drop_of(ref), self.create_of(ref)
        return None if drop and create else drop or create

    @cached_property
    def affected(self) -> Set[Ref]:
        """The objects with an operation, once all operations are there: rules ask for it."""
        return {o.ref for o in (*self.statements, *self.part_of)}

    def in_phase(self, phase: Phase) -> Iterator[Operation]:
        """Yield the operations of a phase."""
        return (o for o in self.statements if o.phase == phase)

    @cached_property
    def _owners_of_copies(self) -> Mapping[Ref, Ref]:
        """Map the index of each partition to the index or constraint of the partitioned table."""
        return {
            Ref(owner.kind, table.schema, copy.name, table): owner
            for owner, copies in self.context.partition_copies.items()
            for table, copy in copies.items()
        }

    def deferred_needs(self, obj: Object) -> Mapping[Ref, Ref]:
        """Map what a deferred part refers to, to the object on whose operations that depends."""
        return {n: self._owners_of_copies.get(n, n) for n in deferred_needs(obj)}

    def reuses_name_of(self, ref: Ref) -> Ref | None:
        """Return the dropped object whose name the new object takes in one transaction, if any."""
        return next((old for old, new in self.exchanged.items() if new == ref), None)

    def swaps_names(self, ref: Ref) -> bool:
        """Tell whether a new object takes the name of the old one in a transaction of its own."""
        return any(s.swaps_names for s in self.statements.get(Operation.create(ref), ()))

    @property
    def without_dependents(self) -> Set[Ref]:
        """The objects to be altered only while no object depends on the altered object.

        The callers of a dropped routine, which will call an overload, are dropped before that.
        """
        found = self.recreation
        roots = {*found.recreated.values(), *found.suspended.values(), *found.disturbed}
        gone = [r for r in roots if r.arguments is not None and r not in self.desired]
        changed = (o.ref for o in self.statements if not o.drops) if gone else ()
        return roots | {r for r in changed if any(map(r.is_overload_of, gone))}
