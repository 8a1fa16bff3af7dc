"""Build an index or a key of a partitioned table partition by partition."""

from __future__ import annotations

from dataclasses import dataclass, field

from reconciler.model.context import PlanningContext
from reconciler.model.partitioned import (
    NO_COPIES,
    PartitionedObject,
    attach_copy,
    build_name,
    copy_on,
)
from reconciler.model.ref import Ref
from reconciler.model.statement import Statement


@dataclass
class PartitionedBuild:
    """The creation of `parent` with a copy on every partition.

    If `old` exists, all are built under temporary names. `statements` create them, `reused` are
    existing objects and leftovers that become copies, `renames` pairs each object with its
    final name.
    """

    parent: PartitionedObject
    context: PlanningContext
    old: PartitionedObject | None = None
    statements: list[Statement] = field(default_factory=list[Statement])
    reused: list[PartitionedObject] = field(default_factory=list[PartitionedObject])
    renames: list[tuple[PartitionedObject, str]] = field(
        default_factory=list[tuple[PartitionedObject, str]]
    )

    def __post_init__(self) -> None:
        built = self._under_build_name(self.parent)
        self._build_below(built, None)
        undo = tuple(self._undo(built))
        for n, statement in enumerate(self.statements):
            self.statements[n] = statement.model_copy(update={"undo": undo if n == 0 else ()})

    def _undo(self, built: PartitionedObject) -> list[str]:
        """Return the SQL to drop the object and recreate the reused objects of partitions."""
        existing = [o for o in self.reused if o.ref not in self.context.leftovers]
        return [
            built.drop_sql(),
            *self.parent.undo_on_partitions(self.context),
            *(s.sql for o in existing for s in o.create(self.context, online=False)),
        ]

    def _under_build_name(self, final: PartitionedObject) -> PartitionedObject:
        built = final.with_name(build_name(final.ref)) if self.old else final
        self.renames.append((built, final.ref.name))
        return built

    def _build_below(self, built: PartitionedObject, attached_to: Ref | None) -> None:
        """Create `built` and the copies on the table's partitions, and attach the copies.

        `attached_to` is the topmost object if `built` is attached to it already.
        """
        table = built.ref.on
        assert table is not None
        if attached_to is None and self._resumes(built):
            attached_to = built.ref
        elif attached_to is None:
            self.statements.append(built.create_on_parent_only())
        attached = (
            self.context.partition_copies.get(attached_to, NO_COPIES) if attached_to else NO_COPIES
        )
        for partition in self.context.partitions.get(table, ()):
            if partition not in attached:
                self.statements.append(attach_copy(self._copy(partition), built))
                continue
            final = copy_on(partition, self.parent, self.context)
            copy = final.with_name(attached[partition].name)
            self.renames.append((copy, final.ref.name if self.old else copy.ref.name))
            if partition in self.context.partitions:
                self._build_below(copy, attached_to)

    def _resumes(self, built: PartitionedObject) -> bool:
        """Return whether an interrupted run began the object; drop a leftover of no use."""
        left = self.context.leftovers.get(built.ref)
        if left is None or not isinstance(left.made, PartitionedObject):
            return False
        self.reused.append(left.made)
        copies = self.context.partition_copies.get(built.ref, NO_COPIES).values()
        valid = all(c.valid for c in copies if c.leaf)
        if left.resumable and built.equals(left.made) and valid:
            return True
        self.statements.append(
            Statement(
                sql=built.drop_sql(),
                lock="ACCESS EXCLUSIVE",
                relation=built.stands_on,
                own_transaction=True,
            )
        )
        return False

    def _copy(self, partition: Ref) -> PartitionedObject:
        """Create the copy on a partition, or reuse an existing object, and return the copy."""
        copy = self._under_build_name(copy_on(partition, self.parent, self.context))
        existing = self._reusable(copy)
        if existing is not None:
            self.reused.append(existing)
            if existing.ref.name != copy.ref.name:
                rename = existing.renamed_to(copy.ref.name)
                self.statements.append(rename.model_copy(update={"own_transaction": True}))
        elif partition in self.context.partitions:
            self._build_below(copy, None)
        else:
            self.statements += copy.create_on_leaf(self.context)
        return copy

    def _reusable(self, copy: PartitionedObject) -> PartitionedObject | None:
        """Return a leftover or an object of the partition with the copy's definition, if any."""
        table = copy.ref.on
        left = self.context.leftovers.get(copy.ref)
        is_leaf = table not in self.context.partitions
        if left is not None and is_leaf and left.resumable and copy.equals(left.made):
            return left.made
        existing = self.context.partition_children.get(table, ()) if table and not self.old else ()
        same = [o for o in existing if copy.equals(o)]
        return next((o for o in same if o.ref == copy.ref), next(iter(same), None))
