"""Hold what rules read of a database; each kind of fact is read when a rule first asks for it."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from operator import attrgetter
from typing import Any, TypeVar

from reconciler.lint import catalog
from reconciler.lint.facts import (
    PUBLIC,
    Called,
    Column,
    Constraint,
    Extension,
    Index,
    OwnedSequence,
    Policy,
    PrivilegedRole,
    Relation,
    Routine,
    Size,
    Unused,
    quoted,
)
from reconciler.lint.tree import Node, parse
from reconciler.server.capabilities import Server
from reconciler.server.connection import Connection, Row, rows, server_of, tuples

_Fact = TypeVar("_Fact")
_Part = TypeVar("_Part", Constraint, Policy)
# the functions behind calls, operators and aggregates in a parsed form
_FUNCTION = re.compile(r":(?:funcid|opfuncid|aggfnoid) (\d+)")


@dataclass(frozen=True)
class Database:
    """The facts of a database, as a transaction of the connection sees them.

    `roles` are the names of the roles of requests from outside, `unfilled` the schemas, tables and
    names of columns that become NOT NULL: whether they are new, `unbound` the declared roles: the
    attributes by which no policy binds them. `known` are rows of `queries` that have been read
    already. The properties raise StatementFailed.
    """

    connection: Connection
    roles: Sequence[str] = ()
    unfilled: Mapping[tuple[str, str, str], bool] = field(
        default_factory=dict[tuple[str, str, str], bool]
    )
    unbound: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])
    known: dict[str, list[tuple[Any, ...]]] = field(
        default_factory=dict[str, list[tuple[Any, ...]]]
    )

    @staticmethod
    def queries(server: Server) -> Sequence[str]:
        """Return the queries of what nearly every database has, and nearly every rule reads."""
        return (
            catalog.RELATIONS,
            catalog.CONSTRAINTS,
            catalog.indexes(server),
            catalog.COLUMNS,
            catalog.POLICIES,
            catalog.ROUTINES,
            catalog.SEQUENCES,
            catalog.PINNED,
            catalog.READ,
        )

    def rows_of(self, query: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query that are `known`, else run the query."""
        return self.known.pop(query) if query in self.known else tuples(self.connection, query)

    def _read(self, make: Callable[[Iterable[Any]], _Fact], query: str) -> list[_Fact]:
        return [*map(make, self.rows_of(query))]

    def _in_order(self, parts: Iterable[_Part]) -> list[_Part]:
        """Sort parts of relations, which costs a server with another collation more."""
        keys = {oid: (r.schema, r.name) for oid, r in self.relations.items()}
        return sorted(parts, key=lambda part: (keys[part.relation], part.name))

    # -- the catalogs --------------------------------------------------------------------------

    @cached_property
    def relations(self) -> Mapping[int, Relation]:
        """The tables and views, by oid."""
        return {r.oid: r for r in self._read(Relation._make, catalog.RELATIONS)}

    @cached_property
    def columns(self) -> Mapping[tuple[int, int], Column]:
        """The columns of tables, by the table's oid and the number."""
        found = sorted(self.rows_of(catalog.COLUMNS))
        return {(c.relation, c.number): c for c in map(Column._make, found)}

    @cached_property
    def read_by(self) -> Mapping[int, set[int]]:
        """The relations in the query of each view."""
        found: dict[int, set[int]] = {}
        for reader, relation in self.rows_of(catalog.READ):
            found.setdefault(reader, set()).add(relation)
        return found

    @cached_property
    def groupings(self) -> Mapping[int, Node]:
        """The parsed queries of views with GROUP BY; others are not worth the parsing."""
        found = ((oid, parse(q)) for oid, q in self.rows_of(catalog.GROUPINGS))
        return {oid: trees[0] for oid, trees in found if trees[0].children("groupClause")}

    @cached_property
    def pinned(self) -> Mapping[tuple[int, int], bool]:
        """The columns of a fixed type: whether by a partition key."""
        return {(t, number): by for t, number, by in self.rows_of(catalog.PINNED)}

    @cached_property
    def indexes(self) -> Sequence[Index]:
        """The indexes."""
        found = self.rows_of(catalog.indexes(server_of(self.connection)))
        indexes = [Index._make((*row, self.relations[row[1]].schema)) for row in found]
        return sorted(indexes, key=lambda i: (i.schema, i.name))

    @cached_property
    def constraints(self) -> Sequence[Constraint]:
        """The checks, foreign keys, primary keys and unique constraints."""
        return self._in_order(self._read(Constraint._make, catalog.CONSTRAINTS))

    @cached_property
    def policies(self) -> Sequence[Policy]:
        """The policies of row level security."""
        return self._in_order(self._read(Policy._make, catalog.POLICIES))

    @cached_property
    def routines(self) -> Mapping[int, Routine]:
        """The functions and procedures of users, by oid."""
        return {r.oid: r for r in self._read(Routine._make, catalog.ROUTINES)}

    @cached_property
    def sequences(self) -> Sequence[OwnedSequence]:
        """The sequences that columns own."""
        return self._read(OwnedSequence._make, catalog.SEQUENCES)

    @cached_property
    def extensions(self) -> Sequence[Extension]:
        """The extensions."""
        return self._read(Extension._make, catalog.EXTENSIONS)

    @cached_property
    def called(self) -> Mapping[int, Called]:
        """The functions that policies, checks, indexes and SQL-standard bodies call."""
        trees = [tree for p in self.policies for tree in (p.visible, p.written)]
        trees += [check.condition for check in self.constraints]
        trees += [tree for index in self.indexes for tree in (index.expressions, index.predicate)]
        trees += [routine.tree for routine in self.routines.values()]
        different = {tree for tree in trees if tree}
        oids = {int(oid) for tree in different for oid in _FUNCTION.findall(tree)} - {0}
        if not oids:
            return {}
        found = rows(self.connection, catalog.CALLED, [sorted(oids)])
        return {row["oid"]: Called(**row) for row in found}

    @cached_property
    def privileged_roles(self) -> Sequence[PrivilegedRole]:
        """The roles that are declared, or that no policy binds."""
        found = rows(self.connection, catalog.PRIVILEGED_ROLES, [[*self.unbound]])
        return [PrivilegedRole(**row) for row in found]

    @cached_property
    def _facts(self) -> Row:
        return rows(self.connection, catalog.FACTS)[0]

    @cached_property
    def usage(self) -> Mapping[str, set[str]]:
        """The roles with USAGE on each schema; PUBLIC is ""."""
        found: dict[str, set[str]] = {}
        for granted in self._facts["usage"]:
            schema, _, role = granted.rpartition("=")
            found.setdefault(schema, set()).add(role)
        return found

    @cached_property
    def api_roles(self) -> Sequence[str]:
        """The roles of requests that exist."""
        return [role for role in self.roles if role in self._facts["roles"]]

    @property
    def major(self) -> int:
        """The major version of the server."""
        return server_of(self.connection).major

    # -- statistics, sizes and numbers used: only rules that are measured read them ----------------

    @cached_property
    def observed(self) -> float:
        """The seconds of statistics; 0 on a standby, which has others than the primary server."""
        return rows(self.connection, catalog.OBSERVED)[0]["observed"]

    @cached_property
    def unused(self) -> Sequence[Unused]:
        """The indexes without a scan."""
        return self._read(Unused._make, catalog.UNUSED)

    @cached_property
    def sizes(self) -> Sequence[Size]:
        """The tables of more than a megabyte."""
        return self._read(Size._make, catalog.SIZES)

    @cached_property
    def last(self) -> Mapping[int, int | None]:
        """The last number of each sequence that a column owns, by oid."""
        return dict(self.rows_of(catalog.LAST))

    # -- by table ------------------------------------------------------------------------------

    @property
    def tables(self) -> Iterator[Relation]:
        """Yield the ordinary and partitioned tables."""
        return (r for r in self.relations.values() if r.is_table)

    @cached_property
    def columns_of(self) -> Mapping[int, Sequence[Column]]:
        """The columns of each table, in order."""
        return _by_table(self.columns.values())

    @cached_property
    def indexes_of(self) -> Mapping[int, Sequence[Index]]:
        """The indexes of each table."""
        return _by_table(self.indexes)

    @cached_property
    def constraints_of(self) -> Mapping[int, Sequence[Constraint]]:
        """The constraints of each table."""
        return _by_table(self.constraints)

    @cached_property
    def policies_of(self) -> Mapping[int, Sequence[Policy]]:
        """The policies of each table."""
        return _by_table(self.policies)

    def names(self, relation: int, numbers: Collection[int]) -> list[str]:
        """Return names of columns, quoted as SQL needs."""
        return [quoted(self.columns[relation, n].name) for n in numbers]

    def exposed(self, roles: Collection[str], schema: str) -> list[str]:
        """Return the roles of requests with a privilege on the object and USAGE on the schema."""
        usage = self.usage.get(schema, set())
        reaching = [r for r in self.api_roles if PUBLIC in usage or r in usage]
        return [r for r in reaching if PUBLIC in roles or r in roles]


def _by_table(facts: Iterable[_Fact]) -> dict[int, list[_Fact]]:
    table: Any = attrgetter("relation")
    found: dict[int, list[_Fact]] = {}
    for fact in facts:
        found.setdefault(table(fact), []).append(fact)
    return found
