"""Build an index or a key of a partitioned table partition by partition."""

from __future__ import annotations

from dataclasses import dataclass, field

from reconciler.model.context import PlanningContext
from reconciler.model.object import Object
from reconciler.model.partitioned import NOTHING, PartitionedObject, aside_of, attached, piece_of
from reconciler.model.ref import Ref
from reconciler.model.statement import Statement


@dataclass
class PartitionedBuild:
    """The whole with all its pieces, built beside `old` where it is to replace that: under other names, until it stands.

    `statements` make it, `adopted` are the objects and leftovers of which they make use, `names` the pairs of names that
    the pieces have and will have.
    """

    whole: PartitionedObject
    context: PlanningContext
    old: PartitionedObject | None = None
    statements: list[Statement] = field(default_factory=list[Statement])
    reused: list[Object] = field(default_factory=list[Object])
    names: list[tuple[PartitionedObject, str]] = field(
        default_factory=list[tuple[PartitionedObject, str]]
    )

    def __post_init__(self) -> None:
        made = self._named(self.whole)
        self._grow(made, None)
        living = [o for o in self.reused if o.ref not in self.context.leftovers]
        back = (
            made.gone(),
            *self.whole.loosened(self.context),
            *(s.sql for o in living for s in o.create(self.context, online=False)),
        )
        for n, statement in enumerate(self.statements):
            self.statements[n] = statement.model_copy(update={"undo": back if n == 0 else ()})

    def _named(self, final: PartitionedObject) -> PartitionedObject:
        made = final.called(aside_of(final.ref)) if self.old else final
        self.names.append((made, final.ref.name))
        return made

    def _grow(self, made: PartitionedObject, top: Ref | None) -> None:
        """`top` is the whole of which it is a piece already."""
        table = made.ref.on
        assert table is not None
        if top is None and self._resumes(made):
            top = made.ref
        elif top is None:
            self.statements.append(made.alone())
        there = self.context.partition_copies.get(top, NOTHING) if top else NOTHING
        for partition in self.context.partitions.get(table, ()):
            if partition not in there:
                part = self._piece(partition)
                self.statements.append(attached(part, made))
            else:
                part = self._final(partition).called(there[partition].name)
                self.names.append(
                    (part, self._final(partition).ref.name if self.old else part.ref.name)
                )
                if partition in self.context.partitions:
                    self._grow(part, top)

    def _resumes(self, made: PartitionedObject) -> bool:
        """Whether somebody began it; what is begun otherwise, or cannot be finished, is dropped."""
        left = self.context.leftovers.get(made.ref)
        if left is None:
            return False
        self.reused.append(left.made)
        pieces = self.context.partition_copies.get(made.ref, NOTHING).values()
        if left.resumable and made.equals(left.made) and all(p.valid for p in pieces if p.leaf):
            return True
        self.statements.append(
            Statement(
                sql=made.gone(),
                lock="ACCESS EXCLUSIVE",
                relation=made.stands_on,
                own_transaction=True,
            )
        )
        return False

    def _piece(self, partition: Ref) -> PartitionedObject:
        """What is to be attached on a partition: found, or made."""
        final = self._final(partition)
        made = self._named(final)
        ready = self._ready(made)
        if ready is not None:
            self.reused.append(ready)
            if ready.ref.name != made.ref.name:
                self.statements.append(
                    ready.renamed_to(made.ref.name).model_copy(update={"own_transaction": True})
                )
        elif partition in self.context.partitions:
            self._grow(made, None)
        else:
            self.statements += made.entire(self.context)
        return made

    def _ready(self, made: PartitionedObject) -> Object | None:
        table = made.ref.on
        left = self.context.leftovers.get(made.ref)
        if (
            left is not None
            and table not in self.context.partitions
            and left.resumable
            and made.equals(left.made)
        ):
            return left.made
        living = self.context.partition_children.get(table, ()) if table and not self.old else ()
        matches = [o for o in living if made.equals(o)]
        return next((o for o in matches if o.ref == made.ref), next(iter(matches), None))

    def _final(self, partition: Ref) -> PartitionedObject:
        return piece_of(self.whole, partition, self.context)
