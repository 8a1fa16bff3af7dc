"""What a partitioned table has in pieces, one on each partition: indexes and keys, made without blocking anybody.

The whole is made on the partitioned table alone and counts for nothing until each partition has its piece attached, the
innermost first: https://www.postgresql.org/docs/current/ddl-partitioning.html#DDL-PARTITIONING-DECLARATIVE-MAINTENANCE
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from hashlib import sha256
from itertools import chain, count
from typing import ClassVar, Final, Self, TypeVar, cast

from pydantic import Field

from reconciler.model.context import PlanningContext
from reconciler.model.facts import PartitionCopy
from reconciler.model.object import Object
from reconciler.model.ref import Ref, parts_of
from reconciler.model.statement import Statement
from reconciler.sql import compose, literal, name, text

ASIDE = "^reconcile_[0-9a-f]{12}(_old)?$"  # the names under which replacements are built, and nothing else
NAMING = ("unique", "primary_key", "include")  # fields that may hold names of columns
CALLED: Final = """DO $reconcile$ DECLARE piece regclass; BEGIN
  SELECT i.indexrelid INTO piece FROM pg_partition_tree(to_regclass({0})) AS t JOIN pg_index AS i ON i.indexrelid = t.relid
  JOIN pg_class AS c ON c.oid = i.indexrelid WHERE i.indrelid = to_regclass({1}) AND c.relname <> {2};
  IF FOUND THEN EXECUTE format('ALTER INDEX %s RENAME TO %I', piece, {2}); END IF;
END $reconcile$"""
D = TypeVar("D", bound="PartitionedObject")
NOTHING: Mapping[Ref, PartitionCopy] = {}


class PartitionedObject(Object):
    """An index or a constraint; on a partitioned table it is `partitioned`."""

    has_partition_copies: ClassVar[bool] = True
    besides: ClassVar[frozenset[str]] = frozenset(
        {"comment", "partitioned", "pieces"}
    )  # in what pieces may differ

    partitioned: bool = Field(default=False, json_schema_extra={"derived": True})
    pieces: dict[str, str] = Field(
        default_factory=dict,
        description="partition → the name of its own index, where it is not what PostgreSQL would choose",
    )

    # -- what a kind says ------------------------------------------------------------------------------------------

    def alone(self) -> Statement:
        """Made on a partitioned table, and on none of its partitions."""
        raise NotImplementedError

    def entire(self, context: PlanningContext) -> Iterable[Statement]:
        """Made on a table that has no partitions, while others write to it."""
        raise NotImplementedError

    def plain(self) -> str:
        """Plain DDL."""
        raise NotImplementedError

    def gone(self) -> str:
        """Plain DDL that drops it, with all its pieces."""
        raise NotImplementedError

    def loosened(self, context: PlanningContext) -> Iterable[str]:
        """Plain DDL that takes back what its pieces have changed for good on their partitions."""
        del context
        return ()

    def default_on(self, child: Ref) -> str:
        """The name that PostgreSQL chooses for the piece on a partition, were it not taken."""
        del child
        return self.ref.name

    # -- what pieces are called --------------------------------------------------------------------------------------

    @property
    def named(self) -> Mapping[Ref, str]:
        """The names in `pieces` by their partitions; one without a schema is in the whole's."""
        found: dict[Ref, str] = {}
        for spelled, own in self.pieces.items():
            *parent_kinds, table = parts_of(spelled) or [""]
            found[
                Ref(
                    self.ref.on.kind if self.ref.on else "",
                    parent_kinds[0] if parent_kinds else self.ref.schema,
                    table,
                )
            ] = own
        return found

    def with_pieces(self, names: Mapping[Ref, str]) -> Self:
        """With those names of pieces, by their tables, that PostgreSQL would not choose."""
        others = {
            text(name(t.schema, t.name)): own
            for t, own in names.items()
            if not _as_chosen(own, self.default_on(t))
        }
        return self.model_copy(update={"pieces": dict(sorted(others.items()))})

    @classmethod
    def kept(cls) -> frozenset[str]:
        return super().kept() | {"pieces"}

    def inherited_by(self, child: Ref) -> Self:
        found = super().inherited_by(child).model_copy(update={"partitioned": False, "pieces": {}})
        return found.called(self.named.get(child) or self.default_on(child))

    def alter(self, old: Self, context: PlanningContext) -> list[Statement] | None:
        """Pieces of what is built anew have their names already."""
        if self.pieces == old.pieces or self.replaces_object(old):
            return super().alter(old, context)
        found = super(PartitionedObject, self.model_copy(update={"pieces": old.pieces})).alter(
            old, context
        )
        return None if found is None else [*found, *self._recalled(old, context)]

    def _recalled(self, old: Self, context: PlanningContext) -> Iterator[Statement]:
        """By way of names that nobody has, where one is to take the name of another."""
        there = context.partition_copies.get(self.ref, NOTHING)
        differ = (
            t
            for t in self._staying(context)
            if t in there and self.named.get(t) != old.named.get(t)
        )
        turns = [(t, there[t].name, piece_of(self, t, context).ref.name) for t in differ]
        if {was for _, was, _ in turns} & {becomes for *_, becomes in turns}:
            yield from (_renamed(t, was, aside_of(t)) for t, was, _ in turns)
            turns = [(t, aside_of(t), becomes) for t, _, becomes in turns]
        yield from (_renamed(*turn) for turn in turns)

    def calls(self, context: PlanningContext) -> Iterable[Statement]:
        """Give the pieces that come with the whole their names."""
        return (self._call(t) for t in self._staying(context) if t in self.named)

    def define_deferred(self, old: Self | None, context: PlanningContext) -> Iterable[Statement]:
        """Those on partitions that come later are called so when they are there."""
        staying = {*self._staying(context)}
        yield from (self._call(t) for t in self.named if t not in staying)

    def deferred_needs(self) -> frozenset[Ref]:
        return frozenset(self.named)

    def reference_errors(self, context: PlanningContext) -> Iterable[tuple[str, str]]:
        there = context.partition_copies.get(self.ref, NOTHING)
        yield from (
            ("pieces", f"{self.stands_on} has no partition {t.identity} with a piece of it")
            for t in self.named
            if t not in there
        )

    def _call(self, table: Ref) -> Statement:
        parent, partition = (
            literal(text(n)) for n in (self.sql_name(), name(table.schema, table.name))
        )
        words = compose(CALLED, parent, partition, literal(self.inherited_by(table).ref.name))
        return Statement(
            sql=text(words), lock="SHARE UPDATE EXCLUSIVE", relation=table.identity, undo=()
        )

    def _staying(self, context: PlanningContext) -> Iterator[Ref]:
        """The partitions that are there before and after."""
        return (
            (t for t in below(self.ref.on, context) if t not in context.created)
            if self.ref.on
            else iter(())
        )

    # -- what both have ----------------------------------------------------------------------------------------------

    def name_keys(self) -> frozenset[tuple[str, ...]]:
        """Of primary keys a table has but one, and of constraints one of that name."""
        sole = (
            {("primary key", str(self.ref.on))}
            if getattr(self, "primary_key", None)
            else set[tuple[str, str]]()
        )
        named = set[tuple[str, ...]]() if self.relation else {place_of(self.ref.on, self.ref.name)}
        return super().name_keys() | sole | named

    def called(self, own: str) -> Self:
        """The same under another name."""
        return self.model_copy(update={"ref": replace(self.ref, name=own)})

    def beside(self, context: PlanningContext) -> Self:
        """The same over the twins of the columns that it names."""
        shadows = context.exchanges(self.ref.on)
        named = {
            f: cast("tuple[str, ...]", v)
            for f in NAMING
            if isinstance(v := getattr(self, f, None), tuple)
        }
        return self.model_copy(
            update={f: tuple(shadows.get(c, c) for c in v) for f, v in named.items()}
        )

    def equals(self, other: Object) -> bool:
        """Whether that is the same, but for its name and what is said of it, wherever it stands."""
        same = {f: getattr(other, f) for f in self.besides | {"ref"} if hasattr(other, f)}
        return self.ref.kind == other.ref.kind and self.model_copy(update=same) == other

    def replay(self, pieces: Mapping[Ref, PartitionCopy]) -> Iterable[Statement]:
        yield self.alone() if self.partitioned else Statement(sql=self.plain())
        made: dict[Ref | None, Self] = {self.ref.on: self}
        for table, is_partition in sorted(pieces.items(), key=lambda p: p[1].depth):
            part = made[table] = self.inherited_by(table).called(is_partition.name)
            yield Statement(sql=part.plain()) if is_partition.leaf else part.alone()
            yield attached(part, made[is_partition.above])


def place_of(table: Ref | None, name: str) -> tuple[str, ...]:
    """What a constraint of that name has to itself."""
    return ("constraint name", table.schema, table.name, name) if table is not None else ()


def _as_chosen(own: str, usual: str) -> bool:
    """Whether PostgreSQL may have chosen the name: one that is taken gets a number."""
    stem = usual.encode()[:55].decode(errors="ignore")
    return own == usual or (own.startswith(stem) and own.removeprefix(usual).isdigit())


def _renamed(table: Ref, was: str, becomes: str) -> Statement:
    there, back = (
        text(compose("ALTER INDEX {} RENAME TO {}", name(table.schema, a), b))
        for a, b in ((was, becomes), (becomes, was))
    )
    return Statement(
        sql=there, lock="SHARE UPDATE EXCLUSIVE", relation=table.identity, undo=(back,)
    )


def aside_of(ref: Ref) -> str:
    """The name under which a replacement is built."""
    return "reconcile_" + sha256(str(ref).encode()).hexdigest()[:12]


def attached(part: PartitionedObject, parent: PartitionedObject) -> Statement:
    """Make it a piece of the whole."""
    words = compose("ALTER INDEX {} ATTACH PARTITION {}", parent.sql_name(), part.sql_name())
    return Statement(
        sql=text(words),
        lock="ACCESS EXCLUSIVE",
        relation=f"{part.ref.schema}.{part.ref.name}",
        transactional=True,
        own_transaction=True,
        undo=(),
    )


def piece_of(parent: D, partition: Ref, context: PlanningContext) -> D:
    """The piece on a partition, under the name that PostgreSQL would choose, were it not taken."""
    part = parent.inherited_by(partition)
    default_partition_names = context.default_partition_names.get(parent.ref, NOTHING).get(
        partition
    )
    part = part.called(default_partition_names.name) if default_partition_names else part
    stem = part.ref.name.encode()[:58].decode(errors="ignore")
    more = (part.called(f"{stem}{n}") for n in count(1))
    return next(p for p in chain([part], more) if _free(p, parent, context))


def below(table: Ref, context: PlanningContext) -> Iterator[Ref]:
    """All partitions of a table, and theirs."""
    for partition in context.partitions.get(table, ()):
        yield from (partition, *below(partition, context))


def leaves(table: Ref, context: PlanningContext) -> Iterator[Ref]:
    """The partitions below a table that have none themselves."""
    return (p for p in below(table, context) if p not in context.partitions)


def swallowed(parent: PartitionedObject, context: PlanningContext) -> Iterator[str]:
    """Plain DDL for what partitions have that becomes pieces of this one, and would go with it."""
    for table in below(parent.ref.on, context) if parent.ref.on else ():
        part = parent.inherited_by(table)
        for own in (
            o
            for o in context.partition_children.get(table, ())
            if o.ref == part.ref and part.equals(o)
        ):
            yield from (s.sql for s in own.create(context, online=False))


def _free(part: PartitionedObject, parent: PartitionedObject, context: PlanningContext) -> bool:
    """Whether nobody has the name, or only what it will be the name of, or what goes first."""
    own = {p.name for p in context.partition_copies.get(parent.ref, NOTHING).values()}
    living = (
        any(
            o.ref == part.ref and part.equals(o)
            for o in context.partition_children.get(part.ref.on, ())
        )
        if part.ref.on
        else False
    )
    taken = (part.ref.schema, part.ref.name) in context.relation_names
    return not taken or part.ref in context.leftovers or part.ref.name in own or living
