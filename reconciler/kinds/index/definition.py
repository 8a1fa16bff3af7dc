"""Definitions of indexes, and statements to create, alter, rename and drop indexes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import ClassVar, Self

from psycopg import sql
from pydantic import Field

from reconciler.model.clauses import EXPRESSION, INDEX_KEY, Clause
from reconciler.model.inheritance import Inheriting
from reconciler.model.object import PlanningContext
from reconciler.model.partitioned import PartitionedObject, build_name
from reconciler.model.ref import Ref, default_name
from reconciler.model.spelling import AnyCaseName, IndexKey, Name, Parameter, Sql
from reconciler.model.statement import Hazard, HazardKind, Statement
from reconciler.model.type_change import FollowsTypeChange
from reconciler.sql import compose, joined, literal, name, parameters, raw, text

_NAME = r'(?:"(?:[^"]|"")+"|[a-z_][a-z0-9_$]*)'
_KEY = re.compile(  # a column, or the call of a function
    rf"({_NAME})(?![a-z0-9_$.(])|(?:{_NAME}\.)?({_NAME})\("
)
_COLUMN = re.compile(rf"^{_NAME}(?=\s|$)")  # at the start of a key that is a column
_ORDER = ("ASC", "DESC", "NULLS", "FIRST", "LAST")
ALTERABLE = ("options", "tablespace", "statistics")  # fields that ALTER INDEX can change


class IndexDefinition(FollowsTypeChange, PartitionedObject):
    """The fields of an index."""

    relation: ClassVar[bool] = True
    main_key: ClassVar[str] = "on"
    other_keys: ClassVar[Mapping[str, str]] = {
        "using": "method",
        "columns": "on",
        "with": "options",
    }
    sql_fields: ClassVar[tuple[str, ...]] = ("on", "where")
    sql_clauses: ClassVar[Mapping[str, Clause]] = {"on": INDEX_KEY, "where": EXPRESSION}
    not_compared: ClassVar[frozenset[str]] = frozenset({"comment", "partitioned", "statistics"})

    only_with: ClassVar[Mapping[str, tuple[str, ...]]] = {"nulls_not_distinct": ("unique",)}

    on: tuple[IndexKey, ...] = Field(
        default=(),
        description="the keys in order: columns or (expressions), with DESC, NULLS …, opclass",
    )
    method: AnyCaseName = Field(default="btree", description="the access method")
    unique: bool = Field(default=False, description="no two rows have equal keys")
    nulls_not_distinct: bool = Field(
        default=False, description="nulls count as equal (PostgreSQL 15)"
    )
    include: tuple[Name, ...] = Field(
        default=(), description="columns that the index carries without indexing them"
    )
    where: Sql | None = Field(default=None, description="the predicate of a partial index")
    options: dict[Parameter, str] = Field(
        default_factory=dict, description="storage parameters, such as fillfactor"
    )
    tablespace: Name | None = Field(
        default=None, description="where it is stored, where it is not the database's tablespace"
    )
    statistics: dict[str, int] = Field(
        default_factory=dict,
        description="number of an expression among the keys, quoted → its statistics target",
    )

    # -- keys --------------------------------------------------------------------------------------

    def default_on(self, child: Ref) -> str:
        keys = [
            (m[1] or m[2]).replace('""', '"').strip('"') if (m := _KEY.match(k)) else "expr"
            for k in (*self.on, *self.include)
        ]
        return default_name(child.name, "_".join(keys), "idx")

    def is_inherited_by(self, child: Inheriting) -> bool:
        return child.is_partition

    def inherited_by(self, child: Ref) -> Self:
        return super().inherited_by(child).model_copy(update={"statistics": {}})

    def indexed_expressions(self) -> Iterator[str]:
        """Yield the key expressions, and the predicate or ""."""
        yield from (k for k in self.on if not _COLUMN.match(k))
        yield self.where or ""

    def over_shadow(self, context: PlanningContext) -> Self:
        shadows = context.exchanges(self.ref.on)
        quoted = {text(name(c)): text(name(shadow)) for c, shadow in shadows.items()}
        keys = tuple(_COLUMN.sub(lambda m: quoted.get(m[0], m[0]), k, count=1) for k in self.on)
        include = tuple(shadows.get(c, c) for c in self.include)
        return self.model_copy(update={"on": keys, "include": include})

    def reparses_expressions(self, old: Self) -> bool:
        """Return whether a key or the predicate of `old` may not fit a column's new type.

        An operator class accepts one type, and a new type may have none for the access method.
        """
        if not self.replaces_object(old):
            return False
        return (
            any(old.indexed_expressions())
            or old.names_operator_class()
            or bool(old.key_columns() - self.key_columns())
            or self.method != old.method
        )

    def names_operator_class(self) -> bool:
        """Return whether a key has an operator class or a collation."""
        return any(w not in _ORDER for k in self.on for w in _COLUMN.sub("", k).split())

    def key_columns(self) -> set[str]:
        """Return the key columns, as SQL."""
        return {m[0] for k in self.on if (m := _COLUMN.match(k))}

    def replaces_object(self, old: Self) -> bool:
        alterable = ("statistics",) if self.partitioned else ALTERABLE
        same = {f: getattr(old, f) for f in ("comment", "pieces", *alterable)}
        return self.model_copy(update=same) != old

    # -- statements --------------------------------------------------------------------------------

    @property
    def temporary(self) -> Self:
        """The index under the temporary name of a replacement."""
        return self.with_name(build_name(self.ref))

    def build(self, index: str, *, concurrently: bool = False, only: bool = False) -> Statement:
        """Create an index of the definition under the name `index`."""
        drop = (self.drop_concurrently(index).sql,)
        return Statement(
            sql=text(joined(self._create_index(index, concurrently, only), by=" ")),
            lock="SHARE UPDATE EXCLUSIVE" if concurrently else "SHARE",
            relation=self.stands_on,
            recurses="" if only else "partitions",
            transactional=not concurrently,
            long=concurrently,
            index=text(name(self.ref.schema, index)),
            builds_index=True,
            needs_create_on="schema",
            cleanup=drop if concurrently else (),
            undo=drop if concurrently else None,
        )

    def _create_index(self, index: str, concurrently: bool, only: bool) -> Iterator[sql.Composable]:
        assert self.ref.on is not None
        yield raw("CREATE UNIQUE INDEX" if self.unique else "CREATE INDEX")
        if concurrently:
            yield raw("CONCURRENTLY")
        table = compose("ONLY {}" if only else "{}", name(self.ref.on.schema, self.ref.on.name))
        keys = joined(map(raw, self.on))
        yield compose("{} ON {} USING {} ({})", index, table, self.method, keys)
        yield from self._create_index_clauses()

    def _create_index_clauses(self) -> Iterator[sql.Composable]:
        if self.include:
            yield compose("INCLUDE ({})", joined(self.include))
        if self.nulls_not_distinct:
            yield raw("NULLS NOT DISTINCT")
        if self.options:
            yield compose("WITH ({})", parameters(self.options))
        if self.tablespace is not None:
            yield compose("TABLESPACE {}", self.tablespace)
        if self.where is not None:
            yield compose("WHERE {}", raw(self.where))

    def alter_in_place(self, old: Self, context: PlanningContext) -> Iterable[Statement]:
        """Alter storage parameters, tablespace and statistics targets."""
        added = {k: v for k, v in self.options.items() if old.options.get(k) != v}
        removed = [k for k in old.options if k not in self.options]
        if added:
            yield self._alter(self.ref.name, compose("SET ({})", parameters(added)))
        if removed:
            yield self._alter(self.ref.name, compose("RESET ({})", joined(removed)))
        if self.tablespace != old.tablespace:
            yield self._move(context.tablespaces.usual)
        yield from self.set_statistics(self.ref.name, old.statistics)

    def _move(self, usual: str) -> Statement:
        set_tablespace = compose("SET TABLESPACE {}", self.tablespace or usual)
        blocked = Hazard(
            hazard=HazardKind.BLOCKS_WRITES, reason=f"{self.ref} is copied while nobody can use it"
        )
        return self._alter(self.ref.name, set_tablespace).model_copy(
            update={"lock": "ACCESS EXCLUSIVE", "hazards": (blocked,)}
        )

    def set_statistics(self, index: str, old: Mapping[str, int]) -> Iterable[Statement]:
        """Set the statistics targets of expressions on the index named `index`."""
        for key in sorted({*old, *self.statistics}):
            target = self.statistics.get(key, -1)
            if target != old.get(key, -1):
                column, value = literal(int(key)), literal(target)
                yield self._alter(
                    index, compose("ALTER COLUMN {} SET STATISTICS {}", column, value)
                )

    def _alter(self, index: str, action: sql.Composable) -> Statement:
        return Statement(
            sql=text(compose("ALTER INDEX {} {}", name(self.ref.schema, index), action)),
            lock="SHARE UPDATE EXCLUSIVE",
            relation=self.stands_on,
        )

    def comment_sql(self, index: str) -> tuple[str, ...]:
        """Return the SQL to comment on the index named `index`, if a comment is declared."""
        if self.comment is None:
            return ()
        qualified = name(self.ref.schema, index)
        return (text(compose("COMMENT ON INDEX {} IS {}", qualified, literal(self.comment))),)

    def rename_sql(self, before: str, after: str) -> str:
        """Return the SQL to rename an index of the schema."""
        return text(compose("ALTER INDEX {} RENAME TO {}", name(self.ref.schema, before), after))

    def plain_drop_sql(self) -> str:
        """Return the plain DDL to drop the existing index."""
        return text(compose("DROP INDEX {}", self.sql_name()))

    def drop_leftover_parent(self) -> Statement:
        """Drop the unfinished index of a partitioned table."""
        return Statement(
            sql=self.drop_sql(),
            lock="ACCESS EXCLUSIVE",
            relation=self.stands_on,
            own_transaction=True,
            undo=(),
        )

    def drop_concurrent_leftover(self) -> Statement:
        """Drop an invalid index, which another session may build at the time."""
        drop = self.drop_concurrently(self.ref.name)
        return drop.model_copy(update={"drops_leftover": True})

    def drop_concurrently(self, index: str, undo: tuple[str, ...] = ()) -> Statement:
        """Drop an index of the table without blocking writes."""
        qualified = name(self.ref.schema, index)
        return Statement(
            sql=text(compose("DROP INDEX CONCURRENTLY IF EXISTS {}", qualified)),
            lock="SHARE UPDATE EXCLUSIVE",
            relation=self.stands_on,
            transactional=False,
            long=True,
            index=text(qualified),
            undo=undo,
        )

    # -- on partitions -----------------------------------------------------------------------------

    def create_on_parent_only(self) -> Statement:
        return self.build(self.ref.name, only=True)

    def create_on_leaf(self, context: PlanningContext) -> Iterable[Statement]:
        if self.ref in context.leftovers:
            yield self.drop_concurrent_leftover()
        yield self.build(self.ref.name, concurrently=True)

    def create_sql(self) -> str:
        return self.build(self.ref.name).sql

    def drop_sql(self) -> str:
        return text(compose("DROP INDEX IF EXISTS {}", self.sql_name()))
