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

from reconciler.model.context import Situation
from reconciler.model.facts import Piece
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
D = TypeVar("D", bound="Divided")
NOTHING: Mapping[Ref, Piece] = {}


class Divided(Object):
    """An index or a constraint; on a partitioned table it is `partitioned`."""

    spreads: ClassVar[bool] = True
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

    def entire(self, on: Situation) -> Iterable[Statement]:
        """Made on a table that has no partitions, while others write to it."""
        raise NotImplementedError

    def plain(self) -> str:
        """Plain DDL."""
        raise NotImplementedError

    def gone(self) -> str:
        """Plain DDL that drops it, with all its pieces."""
        raise NotImplementedError

    def loosened(self, on: Situation) -> Iterable[str]:
        """Plain DDL that takes back what its pieces have changed for good on their partitions."""
        del on
        return ()

    def usual_on(self, heir: Ref) -> str:
        """The name that PostgreSQL chooses for the piece on a partition, were it not taken."""
        del heir
        return self.ref.name

    # -- what pieces are called --------------------------------------------------------------------------------------

    @property
    def named(self) -> Mapping[Ref, str]:
        """The names in `pieces` by their partitions; one without a schema is in the whole's."""
        found: dict[Ref, str] = {}
        for spelled, own in self.pieces.items():
            *within, table = parts_of(spelled) or [""]
            found[
                Ref(
                    self.ref.on.kind if self.ref.on else "",
                    within[0] if within else self.ref.schema,
                    table,
                )
            ] = own
        return found

    def with_pieces(self, names: Mapping[Ref, str]) -> Self:
        """With those names of pieces, by their tables, that PostgreSQL would not choose."""
        others = {
            text(name(t.schema, t.name)): own
            for t, own in names.items()
            if not _as_chosen(own, self.usual_on(t))
        }
        return self.model_copy(update={"pieces": dict(sorted(others.items()))})

    @classmethod
    def kept(cls) -> frozenset[str]:
        return super().kept() | {"pieces"}

    def inherited_by(self, heir: Ref) -> Self:
        found = super().inherited_by(heir).model_copy(update={"partitioned": False, "pieces": {}})
        return found.called(self.named.get(heir) or self.usual_on(heir))

    def alter(self, old: Self, on: Situation) -> list[Statement] | None:
        """Pieces of what is built anew have their names already."""
        if self.pieces == old.pieces or self.renews(old):
            return super().alter(old, on)
        found = super(Divided, self.model_copy(update={"pieces": old.pieces})).alter(old, on)
        return None if found is None else [*found, *self._recalled(old, on)]

    def _recalled(self, old: Self, on: Situation) -> Iterator[Statement]:
        """By way of names that nobody has, where one is to take the name of another."""
        there = on.pieces.get(self.ref, NOTHING)
        differ = (
            t for t in self._staying(on) if t in there and self.named.get(t) != old.named.get(t)
        )
        turns = [(t, there[t].name, piece_of(self, t, on).ref.name) for t in differ]
        if {was for _, was, _ in turns} & {becomes for *_, becomes in turns}:
            yield from (_renamed(t, was, aside_of(t)) for t, was, _ in turns)
            turns = [(t, aside_of(t), becomes) for t, _, becomes in turns]
        yield from (_renamed(*turn) for turn in turns)

    def calls(self, on: Situation) -> Iterable[Statement]:
        """Give the pieces that come with the whole their names."""
        return (self._call(t) for t in self._staying(on) if t in self.named)

    def finish(self, old: Self | None, on: Situation) -> Iterable[Statement]:
        """Those on partitions that come later are called so when they are there."""
        staying = {*self._staying(on)}
        yield from (self._call(t) for t in self.named if t not in staying)

    def finish_needs(self) -> frozenset[Ref]:
        return frozenset(self.named)

    def mistaken(self, on: Situation) -> Iterable[tuple[str, str]]:
        there = on.pieces.get(self.ref, NOTHING)
        yield from (
            ("pieces", f"{self.stands_on} has no partition {t.identity} with a piece of it")
            for t in self.named
            if t not in there
        )

    def _call(self, table: Ref) -> Statement:
        whole, partition = (
            literal(text(n)) for n in (self.sql_name(), name(table.schema, table.name))
        )
        words = compose(CALLED, whole, partition, literal(self.inherited_by(table).ref.name))
        return Statement(
            sql=text(words), lock="SHARE UPDATE EXCLUSIVE", relation=table.identity, undo=()
        )

    def _staying(self, on: Situation) -> Iterator[Ref]:
        """The partitions that are there before and after."""
        return (
            (t for t in below(self.ref.on, on) if t not in on.created) if self.ref.on else iter(())
        )

    # -- what both have ----------------------------------------------------------------------------------------------

    def occupies(self) -> frozenset[tuple[str, ...]]:
        """Of primary keys a table has but one, and of constraints one of that name."""
        sole = (
            {("primary key", str(self.ref.on))}
            if getattr(self, "primary_key", None)
            else set[tuple[str, str]]()
        )
        named = set[tuple[str, ...]]() if self.relation else {place_of(self.ref.on, self.ref.name)}
        return super().occupies() | sole | named

    def called(self, own: str) -> Self:
        """The same under another name."""
        return self.model_copy(update={"ref": replace(self.ref, name=own)})

    def beside(self, on: Situation) -> Self:
        """The same over the twins of the columns that it names."""
        twins = on.exchanges(self.ref.on)
        named = {
            f: cast("tuple[str, ...]", v)
            for f in NAMING
            if isinstance(v := getattr(self, f, None), tuple)
        }
        return self.model_copy(
            update={f: tuple(twins.get(c, c) for c in v) for f, v in named.items()}
        )

    def equals(self, other: Object) -> bool:
        """Whether that is the same, but for its name and what is said of it, wherever it stands."""
        same = {f: getattr(other, f) for f in self.besides | {"ref"} if hasattr(other, f)}
        return self.ref.kind == other.ref.kind and self.model_copy(update=same) == other

    def halfway(self, pieces: Mapping[Ref, Piece]) -> Iterable[Statement]:
        yield self.alone() if self.partitioned else Statement(sql=self.plain())
        made: dict[Ref | None, Self] = {self.ref.on: self}
        for table, piece in sorted(pieces.items(), key=lambda p: p[1].depth):
            part = made[table] = self.inherited_by(table).called(piece.name)
            yield Statement(sql=part.plain()) if piece.leaf else part.alone()
            yield attached(part, made[piece.above])


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


def attached(part: Divided, whole: Divided) -> Statement:
    """Make it a piece of the whole."""
    words = compose("ALTER INDEX {} ATTACH PARTITION {}", whole.sql_name(), part.sql_name())
    return Statement(
        sql=text(words),
        lock="ACCESS EXCLUSIVE",
        relation=f"{part.ref.schema}.{part.ref.name}",
        transactional=True,
        apart=True,
        undo=(),
    )


def piece_of(whole: D, partition: Ref, on: Situation) -> D:
    """The piece on a partition, under the name that PostgreSQL would choose, were it not taken."""
    part = whole.inherited_by(partition)
    chosen = on.chosen.get(whole.ref, NOTHING).get(partition)
    part = part.called(chosen.name) if chosen else part
    stem = part.ref.name.encode()[:58].decode(errors="ignore")
    more = (part.called(f"{stem}{n}") for n in count(1))
    return next(p for p in chain([part], more) if _free(p, whole, on))


def below(table: Ref, on: Situation) -> Iterator[Ref]:
    """All partitions of a table, and theirs."""
    for partition in on.partitions.get(table, ()):
        yield from (partition, *below(partition, on))


def leaves(table: Ref, on: Situation) -> Iterator[Ref]:
    """The partitions below a table that have none themselves."""
    return (p for p in below(table, on) if p not in on.partitions)


def swallowed(whole: Divided, on: Situation) -> Iterator[str]:
    """Plain DDL for what partitions have that becomes pieces of this one, and would go with it."""
    for table in below(whole.ref.on, on) if whole.ref.on else ():
        part = whole.inherited_by(table)
        for own in (o for o in on.living.get(table, ()) if o.ref == part.ref and part.equals(o)):
            yield from (s.sql for s in own.create(on, online=False))


def _free(part: Divided, whole: Divided, on: Situation) -> bool:
    """Whether nobody has the name, or only what it will be the name of, or what goes first."""
    own = {p.name for p in on.pieces.get(whole.ref, NOTHING).values()}
    living = (
        any(o.ref == part.ref and part.equals(o) for o in on.living.get(part.ref.on, ()))
        if part.ref.on
        else False
    )
    taken = (part.ref.schema, part.ref.name) in on.taken
    return not taken or part.ref in on.leftovers or part.ref.name in own or living
