"""Facts about the target beside its state: sizes, unfinished objects, indexes of partitions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from reconciler.model.record import Record
from reconciler.model.ref import Ref

READ_RATE = 50_000_000  # bytes a second, for estimates: a modest disk under load


@dataclass(frozen=True)
class Size:
    """How big a relation is on the target: `rows` as estimated by its statistics (-1: unknown), `bytes` with indexes."""

    rows: int = -1
    bytes: int = 0

    @property
    def tiny(self) -> bool:
        """Whether a rewrite is over before anybody notices."""
        return 0 <= self.rows <= 1000 and self.bytes <= 1 << 20

    @property
    def words(self) -> str:
        """Bytes, rows and how long reading them may take, for people to read."""
        rows = f", about {self.rows:,} rows" if self.rows >= 0 else ""
        seconds = self.bytes / READ_RATE
        time = f"{seconds / 60:.0f} min" if seconds >= 120 else f"{max(seconds, 1):.0f} s"
        return f"{self.bytes:,} bytes{rows}: about {time}, if {READ_RATE // 1_000_000} MB are read a second"


@dataclass(frozen=True)
class Leftover:
    """What work that was broken off left, as the object that it was to be.

    `sound` says whether it can be finished: a valid index under a name of ours, one that waits for its partitions'.
    """

    made: Record
    resumable: bool = False


@dataclass(frozen=True)
class PartitionCopy:
    """What stands on a partition for an index or a constraint of a partitioned table.

    `above` is the table whose piece, or whole, it is attached to; a `leaf` has none attached itself.
    """

    name: str
    above: Ref
    depth: int = 1
    leaf: bool = True
    valid: bool = True


Parents = tuple[Ref, ...]


PartitionCopies = Mapping[
    Ref, Mapping[Ref, PartitionCopy]
]  # of an index or a constraint, by the partition
