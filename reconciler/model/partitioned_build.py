"""Build an index or a key of a partitioned table partition by partition."""

from __future__ import annotations

from dataclasses import dataclass, field

from reconciler.model.context import Situation
from reconciler.model.object import Object
from reconciler.model.partitioned import NOTHING, Divided, aside_of, attached, piece_of
from reconciler.model.ref import Ref
from reconciler.model.statement import Statement


@dataclass
class Growth:
    """The whole with all its pieces, built beside `old` where it is to replace that: under other names, until it stands.

    `statements` make it, `adopted` are the objects and leftovers of which they make use, `names` the pairs of names that
    the pieces have and will have.
    """

    whole: Divided
    on: Situation
    old: Divided | None = None
    statements: list[Statement] = field(default_factory=list[Statement])
    adopted: list[Object] = field(default_factory=list[Object])
    names: list[tuple[Divided, str]] = field(default_factory=list[tuple[Divided, str]])

    def __post_init__(self) -> None:
        made = self._named(self.whole)
        self._grow(made, None)
        living = [o for o in self.adopted if o.ref not in self.on.leftovers]
        back = (
            made.gone(),
            *self.whole.loosened(self.on),
            *(s.sql for o in living for s in o.create(self.on, online=False)),
        )
        for n, statement in enumerate(self.statements):
            self.statements[n] = statement.model_copy(update={"undo": back if n == 0 else ()})

    def _named(self, final: Divided) -> Divided:
        made = final.called(aside_of(final.ref)) if self.old else final
        self.names.append((made, final.ref.name))
        return made

    def _grow(self, made: Divided, top: Ref | None) -> None:
        """`top` is the whole of which it is a piece already."""
        table = made.ref.on
        assert table is not None
        if top is None and self._resumes(made):
            top = made.ref
        elif top is None:
            self.statements.append(made.alone())
        there = self.on.pieces.get(top, NOTHING) if top else NOTHING
        for partition in self.on.partitions.get(table, ()):
            if partition not in there:
                part = self._piece(partition)
                self.statements.append(attached(part, made))
            else:
                part = self._final(partition).called(there[partition].name)
                self.names.append(
                    (part, self._final(partition).ref.name if self.old else part.ref.name)
                )
                if partition in self.on.partitions:
                    self._grow(part, top)

    def _resumes(self, made: Divided) -> bool:
        """Whether somebody began it; what is begun otherwise, or cannot be finished, is dropped."""
        left = self.on.leftovers.get(made.ref)
        if left is None:
            return False
        self.adopted.append(left.made)
        pieces = self.on.pieces.get(made.ref, NOTHING).values()
        if left.sound and made.equals(left.made) and all(p.valid for p in pieces if p.leaf):
            return True
        self.statements.append(
            Statement(sql=made.gone(), lock="ACCESS EXCLUSIVE", relation=made.stands_on, apart=True)
        )
        return False

    def _piece(self, partition: Ref) -> Divided:
        """What is to be attached on a partition: found, or made."""
        final = self._final(partition)
        made = self._named(final)
        ready = self._ready(made)
        if ready is not None:
            self.adopted.append(ready)
            if ready.ref.name != made.ref.name:
                self.statements.append(
                    ready.renamed_to(made.ref.name).model_copy(update={"apart": True})
                )
        elif partition in self.on.partitions:
            self._grow(made, None)
        else:
            self.statements += made.entire(self.on)
        return made

    def _ready(self, made: Divided) -> Object | None:
        table = made.ref.on
        left = self.on.leftovers.get(made.ref)
        if (
            left is not None
            and table not in self.on.partitions
            and left.sound
            and made.equals(left.made)
        ):
            return left.made
        living = self.on.living.get(table, ()) if table and not self.old else ()
        alike = [o for o in living if made.equals(o)]
        return next((o for o in alike if o.ref == made.ref), next(iter(alike), None))

    def _final(self, partition: Ref) -> Divided:
        return piece_of(self.whole, partition, self.on)
