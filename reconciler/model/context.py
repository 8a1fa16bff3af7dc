"""What a plan must know of the server beside the two states: read in the same snapshot, handed over to what is pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field

from reconciler.model.facts import Leftover, Parents, PartitionCopies, PartitionCopy, Size
from reconciler.model.privileges import Grants
from reconciler.model.record import Record
from reconciler.model.ref import Ref
from reconciler.model.statement import Statement
from reconciler.server.capabilities import Server


@dataclass(frozen=True)
class PlanningContext:
    """What a kind may know of the server beside the two states, read in the same snapshot.

    `user` will own what is created. `sizes` is keyed by relation. `leftovers` is what an interrupted build left behind,
    `unwanted` is what of it a declaration that is complete leaves out,
    `owed` the objects to which something is still to be done.
    `initial` holds what roles may do with a new object of `user`, where default privileges were altered, by the words
    for its class in GRANT and its schema ("" is any). `declared` holds objects as people wrote them, with what no
    catalog stores (a column's backfill); `created` names what this very plan creates, and so is empty and unseen by
    anybody. `pieces` are those on the target, `chosen` those of a database made from nothing, `taken` the names of
    relations, `claimed` those that it gives to no constraint by itself;
    `partitions` are those of each table before and after the plan, `living` what lives on these and on those.
    `twins` names, for columns that are exchanged, what takes their place.
    `heirs` are, as they are to be, those that keep the parents that they have.
    `doubled` names, for a column of a partitioned table, the partitions that say NOT NULL once more for themselves.
    `ranks` tells in which order scratch could make what is desired, for where the order of names does not do.
    `lent` holds what is done before and after an heir goes from some parents (the first tuple) to others.
    """

    server: Server
    user: str = "postgres"
    sizes: Mapping[Ref, Size] = field(default_factory=dict[Ref, Size])
    leftovers: Mapping[Ref, Leftover] = field(default_factory=dict[Ref, Leftover])
    unwanted: Set[Ref] = frozenset()
    unfinished: Mapping[Ref, Record] = field(default_factory=dict[Ref, Record])
    initial: Mapping[tuple[str, str], Grants] = field(default_factory=dict[tuple[str, str], Grants])
    declared: Mapping[Ref, Record] = field(default_factory=dict[Ref, Record])
    created: Set[Ref] = frozenset()
    partition_copies: PartitionCopies = field(
        default_factory=dict[Ref, Mapping[Ref, PartitionCopy]]
    )
    default_partition_names: PartitionCopies = field(
        default_factory=dict[Ref, Mapping[Ref, PartitionCopy]]
    )
    relation_names: Set[tuple[str, str]] = frozenset()
    claimed: Set[tuple[str, str]] = frozenset()
    partitions: Mapping[Ref, Sequence[Ref]] = field(default_factory=dict[Ref, Sequence[Ref]])
    partition_children: Mapping[Ref, Sequence[Record]] = field(
        default_factory=dict[Ref, Sequence[Record]]
    )
    local_and_inherited_not_null: Mapping[tuple[Ref, str], Sequence[Ref]] = field(
        default_factory=dict[tuple[Ref, str], Sequence[Ref]]
    )
    shadows: Mapping[Ref, str] = field(default_factory=dict[Ref, str])
    staying_children: Mapping[Ref, Record] = field(default_factory=dict[Ref, Record])
    scratch_order: Mapping[Ref, int] = field(default_factory=dict[Ref, int])
    reparenting: Mapping[
        tuple[Ref, Parents, Parents], tuple[Sequence[Statement], Sequence[Statement]]
    ] = field(
        default_factory=dict[
            tuple[Ref, Parents, Parents], tuple[Sequence[Statement], Sequence[Statement]]
        ]
    )

    def size(self, ref: Ref) -> Size:
        """The size of a relation, unknown if it is not on the target."""
        return self.sizes.get(ref, Size())

    def exchanges(self, table: Ref | None) -> Mapping[str, str]:
        """The columns of the table that are exchanged, with the names of their twins."""
        return {r.name: shadow for r, shadow in self.shadows.items() if r.on == table}
