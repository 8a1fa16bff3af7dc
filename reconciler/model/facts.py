"""Hold facts about the target besides the state: sizes, leftovers, copies on partitions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from reconciler.counted import counted
from reconciler.model.record import Record
from reconciler.model.ref import Ref

READ_RATE = 50_000_000  # bytes a second, for estimates: a modest disk under load


@dataclass(frozen=True)
class Size:
    """The size of a relation: estimated rows, bytes with indexes and TOAST; -1 where unknown."""

    rows: int = -1
    bytes: int = -1

    @property
    def tiny(self) -> bool:
        """Whether a rewrite takes no noticeable time; False for an unknown size."""
        return 0 <= self.rows <= 1000 and 0 <= self.bytes <= 1 << 20

    @property
    def empty(self) -> bool:
        """Whether there are no rows; False for an unknown size."""
        return self.rows == 0

    @property
    def quickly_read(self) -> bool:
        """Whether reading takes no noticeable time; False for an unknown size."""
        return 0 <= self.bytes <= 1 << 20

    @property
    def in_bytes(self) -> str:
        """The bytes, for messages."""
        return f"{self.bytes:,} bytes" if self.bytes >= 0 else "size unknown"

    @property
    def description(self) -> str:
        """Describe bytes, rows and estimated reading time, for messages."""
        if self.bytes < 0:
            return self.in_bytes
        rows = f", about {counted(self.rows, 'row')}" if self.rows >= 0 else ""
        seconds = self.bytes / READ_RATE
        time = f"{seconds / 60:.0f} min" if seconds >= 120 else f"{max(seconds, 1):.0f} s"
        rate = f"{READ_RATE // 1_000_000} MB are read a second"
        return f"{self.in_bytes}{rows}: about {time}, if {rate}"


@dataclass(frozen=True)
class Leftover:
    """An object left behind by an interrupted run, under a name of ours or incomplete.

    `resumable` tells whether the next run can complete it: a valid index, or an index of a
    partitioned table that still lacks partitions.
    """

    made: Record
    resumable: bool = False


@dataclass(frozen=True)
class PartitionCopy:
    """The copy on a partition of an index or a constraint of a partitioned table.

    `above` is the table of the object to which the copy is attached; a `leaf` has no copies
    attached to it.
    """

    name: str
    above: Ref
    depth: int = 1
    leaf: bool = True
    valid: bool = True


@dataclass(frozen=True)
class Removal:
    """What goes, or stays in the way, when an object of the whole cluster is dropped.

    databases   those in which objects belong to it or name it; `here` is the one of the plan
    owning      those in which objects belong to it, "" for databases and tablespaces
    members     the objects that lose it
    heir        who gets what belongs to it, "" if nobody is named
    """

    here: str = ""
    databases: tuple[str, ...] = ()
    owning: tuple[str, ...] = ()
    members: tuple[str, ...] = ()
    heir: str = ""


Parents = tuple[Ref, ...]
PartitionCopies = Mapping[Ref, Mapping[Ref, PartitionCopy]]  # index or constraint → partition →
