"""Indexes and constraints of partitioned tables, with a copy on each partition.

The object is created on the partitioned table alone and stays invalid until a copy on every
partition is attached, the innermost first:
https://www.postgresql.org/docs/current/ddl-partitioning.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from itertools import chain, count
from typing import ClassVar, Final, Self, TypeGuard, TypeVar

from pydantic import Field

from reconciler.model.companion import GoesWithColumns
from reconciler.model.context import PlanningContext
from reconciler.model.deferred import Deferred
from reconciler.model.facts import PartitionCopy
from reconciler.model.inheritance import Inheritable
from reconciler.model.object import Object
from reconciler.model.online_recipe import OnlineRecipe
from reconciler.model.record import Record
from reconciler.model.ref import Ref, split_name
from reconciler.model.reserved_names import BUILD_PREFIX
from reconciler.model.resumption import LeavesLeftovers
from reconciler.model.statement import Statement
from reconciler.sql import compose, literal, name, text

# PostgreSQL may have chosen the name for the copy on another partition: that one gets a number.
_RENAME_COPY: Final = (
    "DO $reconcile$ DECLARE piece regclass; other regclass; schema oid; n int := 1; BEGIN\n"
    "  SELECT i.indexrelid, c.relnamespace INTO piece, schema"
    " FROM pg_partition_tree(to_regclass({0})) AS t JOIN pg_index AS i ON i.indexrelid = t.relid\n"
    "  JOIN pg_class AS c ON c.oid = i.indexrelid"
    " WHERE i.indrelid = to_regclass({1}) AND c.relname <> {2};\n"
    "  IF NOT FOUND THEN RETURN; END IF;\n"
    "  SELECT c.oid INTO other FROM pg_partition_tree(to_regclass({0})) AS t"
    " JOIN pg_class AS c ON c.oid = t.relid WHERE c.relname = {2} AND c.relnamespace = schema;\n"
    "  IF FOUND THEN\n"
    "    WHILE EXISTS (SELECT FROM pg_class AS c WHERE c.relnamespace = schema"
    " AND c.relname = {3} || n) LOOP n := n + 1; END LOOP;\n"
    "    EXECUTE format('ALTER INDEX %s RENAME TO %I', other, {3} || n);\n"
    "  END IF;\n"
    "  EXECUTE format('ALTER INDEX %s RENAME TO %I', piece, {2});\n"
    "END $reconcile$"
)
P = TypeVar("P", bound="PartitionedObject")
NO_COPIES: Mapping[Ref, PartitionCopy] = {}


class PartitionedObject(OnlineRecipe, Deferred, Inheritable, LeavesLeftovers, GoesWithColumns):
    """An index or a constraint; `partitioned` on a partitioned table."""

    not_compared: ClassVar[frozenset[str]] = frozenset(  # fields that `equals` leaves out
        {"comment", "partitioned", "pieces"}
    )

    adjusted: ClassVar[frozenset[str]] = frozenset({"pieces"})

    partitioned: bool = Field(default=False, json_schema_extra={"derived": True})
    pieces: dict[str, str] = Field(
        default_factory=dict,
        description="partition → the name of its own index, "
        "where it is not what PostgreSQL would choose",
    )

    # -- DDL that each kind writes -----------------------------------------------------------------

    def create_on_parent_only(self) -> Statement:
        """Create the object on a partitioned table alone."""
        raise NotImplementedError

    def create_on_leaf(self, context: PlanningContext) -> Iterable[Statement]:
        """Create the object on a table without partitions, without blocking writes."""
        raise NotImplementedError

    def create_sql(self) -> str:
        """Return the plain DDL to create the object."""
        raise NotImplementedError

    def drop_sql(self) -> str:
        """Return the plain DDL to drop the object with all partition copies, if present."""
        raise NotImplementedError

    def undo_on_partitions(self, context: PlanningContext) -> Iterable[str]:
        """Yield the plain DDL to revert changes of partitions after a drop of the object."""
        del context
        return ()

    def over_shadow(self, context: PlanningContext) -> Self:
        """Return the object over shadow columns."""
        raise NotImplementedError

    def default_on(self, child: Ref) -> str:
        """Return the name chosen by PostgreSQL for the copy on a partition, if free."""
        del child
        return self.ref.name

    # -- names of partition copies -----------------------------------------------------------------

    @property
    def partition_names(self) -> Mapping[Ref, str]:
        """The declared names of copies by partition; the default schema is the object's."""
        found: dict[Ref, str] = {}
        for spelled, own in self.pieces.items():
            *schema, table = split_name(spelled) or [""]
            kind = self.ref.on.kind if self.ref.on else ""
            found[Ref(kind, schema[0] if schema else self.ref.schema, table)] = own
        return found

    def with_partition_names(self, names: Mapping[Ref, str]) -> Self:
        """Return the object with the names, by partition, not chosen by PostgreSQL."""
        declared = {
            text(name(t.schema, t.name)): own
            for t, own in names.items()
            if not _is_default(own, self.default_on(t))
        }
        return self.model_copy(update={"pieces": dict(sorted(declared.items()))})

    @classmethod
    def kept(cls) -> frozenset[str]:
        return super().kept() | {"pieces"}

    def inherited_by(self, child: Ref) -> Self:
        found = super().inherited_by(child).model_copy(update={"partitioned": False, "pieces": {}})
        return found.with_name(self.partition_names.get(child) or self.default_on(child))

    def alter(self, old: Self, context: PlanningContext) -> list[Statement] | None:
        """Rename the copies as well, unless the object is replaced: new copies have new names."""
        if self.pieces == old.pieces or self.replaces_object(old):
            return super().alter(old, context)
        same_names = self.model_copy(update={"pieces": old.pieces})
        found = super(PartitionedObject, same_names).alter(old, context)
        return None if found is None else [*found, *self._rename_copies_from(old, context)]

    def _rename_copies_from(self, old: Self, context: PlanningContext) -> Iterator[Statement]:
        """Rename the existing copies, by way of temporary names if copies exchange names."""
        copies = context.partition_copies.get(self.ref, NO_COPIES)
        renames = [
            (t, copies[t].name, copy_on(t, self, context).ref.name)
            for t in self._existing_partitions(context)
            if t in copies and self.partition_names.get(t) != old.partition_names.get(t)
        ]
        if {before for _, before, _ in renames} & {after for *_, after in renames}:
            yield from (_rename_copy(t, before, build_name(t)) for t, before, _ in renames)
            renames = [(t, build_name(t), after) for t, _, after in renames]
        yield from (_rename_copy(*rename) for rename in renames)

    def name_partition_copies(self, context: PlanningContext) -> Iterable[Statement]:
        """Give declared names to the copies created together with the object."""
        named = self.partition_names
        return (self._name_copy(t) for t in self._existing_partitions(context) if t in named)

    def define_deferred(self, old: Self | None, context: PlanningContext) -> Iterable[Statement]:
        """Name the copies on partitions created by the plan."""
        existing = {*self._existing_partitions(context)}
        yield from (self._name_copy(t) for t in self.partition_names if t not in existing)

    def deferred_needs(self) -> frozenset[Ref]:
        return frozenset(self.partition_names)

    def reference_errors(self, context: PlanningContext) -> Iterable[tuple[str, str]]:
        copies = context.partition_copies.get(self.ref, NO_COPIES)
        yield from (
            ("pieces", f"{self.stands_on} has no partition {t.identity} with a piece of it")
            for t in self.partition_names
            if t not in copies
        )

    def _name_copy(self, table: Ref) -> Statement:
        parent, partition = self.sql_name(), name(table.schema, table.name)
        own = self.inherited_by(table).ref.name
        names = (text(parent), text(partition), own, _stem(own))
        rename = compose(_RENAME_COPY, *map(literal, names))
        return Statement(
            sql=text(rename), lock="SHARE UPDATE EXCLUSIVE", relation=table.identity, undo=()
        )

    def _existing_partitions(self, context: PlanningContext) -> Iterator[Ref]:
        """Yield the partitions not created by the plan."""
        return (t for t in partitions_below(self.ref.on, context) if t not in context.created)

    # -- names and comparison ----------------------------------------------------------------------

    def name_keys(self) -> frozenset[tuple[str, ...]]:
        """Return the keys of the base class, and a constraint's name within the table."""
        keys = super().name_keys()
        return keys if self.relation else keys | {constraint_name_key(self.ref.on, self.ref.name)}

    def with_name(self, own: str) -> Self:
        """Return the object under another name in the same schema."""
        return self.model_copy(update={"ref": self.ref._replace(name=own)})

    def equals(self, other: Record) -> TypeGuard[PartitionedObject]:
        """Return whether the definitions are equal, on whatever table and under whatever name."""
        if not isinstance(other, type(self)):
            return False
        ignored = {f: getattr(other, f) for f in self.not_compared | {"ref"}}
        return self.model_copy(update=ignored) == other

    def replay(self, copies: Mapping[Ref, PartitionCopy]) -> Iterable[Statement]:
        create = Statement(sql=self.create_sql())
        yield self.create_on_parent_only() if self.partitioned else create
        created: dict[Ref | None, Self] = {self.ref.on: self}
        for table, found in sorted(copies.items(), key=lambda c: c[1].depth):
            copy = created[table] = self.inherited_by(table).with_name(found.name)
            create = Statement(sql=copy.create_sql())
            yield create if found.leaf else copy.create_on_parent_only()
            yield attach_copy(copy, created[found.above])


def constraint_name_key(table: Ref | None, name: str) -> tuple[str, ...]:
    """Return the key of a constraint's name among `name_keys`: unique within the table."""
    return ("constraint name", table.schema, table.name, name) if table is not None else ()


def _is_default(own: str, default: str) -> bool:
    """Return whether PostgreSQL may have chosen the name: default, or default with a number."""
    stem = default.encode()[:55].decode(errors="ignore")
    return own == default or (own.startswith(stem) and own.removeprefix(default).isdigit())


def _stem(own: str) -> str:
    """Return a name with room for a number."""
    return own.encode()[:58].decode(errors="ignore")


def _rename_copy(table: Ref, before: str, after: str) -> Statement:
    rename, undo = (
        text(compose("ALTER INDEX {} RENAME TO {}", name(table.schema, a), b))
        for a, b in ((before, after), (after, before))
    )
    return Statement(
        sql=rename, lock="SHARE UPDATE EXCLUSIVE", relation=table.identity, undo=(undo,)
    )


def build_name(ref: Ref) -> str:
    """Return the temporary name of a replacement."""
    return BUILD_PREFIX + sha256(str(ref).encode()).hexdigest()[:12]


def attach_copy(copy: PartitionedObject, parent: PartitionedObject) -> Statement:
    """Attach the index of a partition to the index of the parent table."""
    attach = compose("ALTER INDEX {} ATTACH PARTITION {}", parent.sql_name(), copy.sql_name())
    return Statement(
        sql=text(attach),
        lock="ACCESS EXCLUSIVE",
        relation=f"{copy.ref.schema}.{copy.ref.name}",
        transactional=True,
        own_transaction=True,
        index=text(copy.sql_name()),
        undo=(),
    )


def copy_on(partition: Ref, parent: P, context: PlanningContext) -> P:
    """Return the copy on a partition, under the default name, numbered if in use."""
    copy = parent.inherited_by(partition)
    default = context.default_partition_names.get(parent.ref, NO_COPIES).get(partition)
    copy = copy.with_name(default.name) if default else copy
    numbered = (copy.with_name(f"{_stem(copy.ref.name)}{n}") for n in count(1))
    return next(c for c in chain([copy], numbered) if _is_free(c, parent, context))


def copies_on_leaves(parent: P, context: PlanningContext) -> list[P]:
    """Return the copies on leaf partitions, or `[parent]` if the table is not partitioned."""
    if not parent.partitioned or parent.ref.on is None:
        return [parent]
    return [copy_on(t, parent, context) for t in leaf_partitions(parent.ref.on, context)]


def partitions_below(table: Ref | None, context: PlanningContext) -> Iterator[Ref]:
    """Yield all partitions of a table, on all levels."""
    for partition in context.partitions.get(table, ()) if table else ():
        yield from (partition, *partitions_below(partition, context))


def default_names(obj: Object, partitions: Iterable[Ref]) -> Iterator[tuple[str, str]]:
    """Yield schema and name that PostgreSQL would choose for the copies of any object."""
    if isinstance(obj, PartitionedObject) and obj.relation_name is not None:
        yield from ((table.schema, obj.default_on(table)) for table in partitions)


def leaf_partitions(table: Ref | None, context: PlanningContext) -> Iterator[Ref]:
    """Yield the leaf partitions below a table."""
    return (p for p in partitions_below(table, context) if p not in context.partitions)


def outgoing_namesake(obj: Object, context: PlanningContext) -> PartitionedObject | None:
    """Return the index or constraint that the plan drops and that excludes the object.

    Both have an index of the same name, or are primary keys of one table.
    """
    if not isinstance(obj, PartitionedObject) or obj.relation_name is None:
        return None
    on_table = (o for r, o in context.dropped.items() if r.on == obj.ref.on and r != obj.ref)
    similar = (o for o in on_table if isinstance(o, PartitionedObject))
    return next((o for o in similar if o.name_keys() & obj.name_keys()), None)


def recreate_absorbed(parent: PartitionedObject, context: PlanningContext) -> Iterator[str]:
    """Yield the plain DDL of partitions' own objects to become copies of `parent`.

    Undoing the creation of `parent` would drop them.
    """
    for table in partitions_below(parent.ref.on, context):
        copy = parent.inherited_by(table)
        if (own := _same_on_partition(copy, context)) is not None:
            yield from (s.sql for s in own.create(context, online=False))


def _same_on_partition(
    copy: PartitionedObject, context: PlanningContext
) -> PartitionedObject | None:
    """Return the partition's own object of the same name and definition, if any."""
    own = context.partition_children.get(copy.ref.on, ()) if copy.ref.on else ()
    return next((o for o in own if o.ref == copy.ref and copy.equals(o)), None)


def _is_free(copy: PartitionedObject, parent: PartitionedObject, context: PlanningContext) -> bool:
    """Return whether the name of a copy is free after the plan.

    An object that becomes the copy, or is dropped first, leaves the name free.
    """
    if (copy.ref.schema, copy.ref.name) not in context.relation_names:
        return True
    existing = {p.name for p in context.partition_copies.get(parent.ref, NO_COPIES).values()}
    return (
        copy.ref in context.leftovers
        or copy.ref.name in existing
        or _same_on_partition(copy, context) is not None
    )


def reference_errors(obj: Object, context: PlanningContext) -> Iterable[tuple[str, str]]:
    """Return field and message for each reference of any object to a missing partition."""
    return obj.reference_errors(context) if isinstance(obj, PartitionedObject) else ()
