"""Hold what rules read: facts of the catalogs, and parsed expressions."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import TypeVar

from reconciler.lint import catalog
from reconciler.lint.tree import Node, parse
from reconciler.server.connection import Connection, rows, server_of
from reconciler.sql import compose, name, raw, text

PUBLIC = ""  # the role in `grants` and `roles`
VIEW, MATERIALIZED, TABLES = "v", "m", ("r", "p")
_TRUE = {"on", "1", "t", "tr", "tru", "true", "y", "ye", "yes"}  # of parse_bool() in PostgreSQL
_Fact = TypeVar("_Fact")


@dataclass(frozen=True)
class Relation:
    """A table, partitioned table, view, materialized view or foreign table."""

    oid: int
    schema: str
    name: str
    kind: str
    secured: bool
    persistence: str
    is_partition: bool
    options: Sequence[str]
    row_type: int
    rows: float
    pages: int
    partition_keys: Sequence[int] | None  # numbers of columns, 0 for an expression
    grants: Sequence[str]
    query: str | None

    @cached_property
    def sql(self) -> str:
        """The qualified name in SQL."""
        return text(name(self.schema, self.name))

    @property
    def is_table(self) -> bool:
        """Whether it is an ordinary or a partitioned table."""
        return self.kind in TABLES

    @cached_property
    def grouping(self) -> Node | None:
        """The parsed query of a view with GROUP BY; other queries are not worth the parsing."""
        parsed = parse(self.query) if ":groupClause (" in (self.query or "") else []
        return parsed[0] if parsed and parsed[0].children("groupClause") else None

    @property
    def runs_as_invoker(self) -> bool:
        """Whether a view has security_invoker, in any spelling of true."""
        values = dict(option.lower().split("=", 1) for option in self.options)
        return values.get("security_invoker", "off") in _TRUE

    def granted(self, privilege: str) -> set[str]:
        """Return the roles with a privilege; PUBLIC is ""."""
        pairs = (g.rsplit("=", 1) for g in self.grants)
        return {role for role, granted in pairs if granted == privilege}


@dataclass(frozen=True)
class Column:
    """A column of a table."""

    relation: int
    number: int
    name: str
    type: int
    type_name: str
    not_null: bool
    has_default: bool
    json_default: str | None


@dataclass(frozen=True)
class Index:
    """An index; a key of 0 is an expression."""

    oid: int
    relation: int
    schema: str
    name: str
    is_unique: bool
    is_primary: bool
    is_valid: bool
    method: int
    keys: Sequence[int]
    included: Sequence[int]
    classes: Sequence[int]
    collations: Sequence[int]
    options: Sequence[int]
    has_usual_classes: bool
    expressions: str | None
    predicate: str | None
    shown_expressions: str | None
    shown_predicate: str | None
    definition: str
    types: Sequence[str]
    is_needed: bool
    is_partition: bool
    scans: int
    bytes: int

    @cached_property
    def sql(self) -> str:
        """The qualified name in SQL."""
        return text(name(self.schema, self.name))

    @cached_property
    def trees(self) -> Sequence[Node]:
        """The parsed expressions among the keys."""
        return parse(self.expressions)

    @cached_property
    def predicates(self) -> Sequence[Node]:
        """The parsed predicate; several are joined by AND."""
        return parse(self.predicate)


@dataclass(frozen=True)
class Constraint:
    """A check, foreign key, primary key or unique constraint."""

    oid: int
    relation: int
    name: str
    type: str
    keys: Sequence[int]
    referenced: int
    referenced_keys: Sequence[int]
    condition: str | None
    shown: str | None
    is_inherited: bool

    @cached_property
    def tree(self) -> Sequence[Node]:
        """The parsed condition of a check."""
        return parse(self.condition)


@dataclass(frozen=True)
class Policy:
    """A row security policy; `command` is pg_policy.polcmd."""

    oid: int
    relation: int
    name: str
    command: str
    is_permissive: bool
    roles: Sequence[str]
    visible: str | None
    written: str | None
    shown_visible: str | None
    shown_written: str | None

    @cached_property
    def using(self) -> Sequence[Node]:
        """The parsed USING condition."""
        return parse(self.visible)

    @cached_property
    def check(self) -> Sequence[Node]:
        """The parsed WITH CHECK condition."""
        return parse(self.written)

    @property
    def conditions(self) -> Iterator[tuple[str, Node]]:
        """Yield YAML key and tree of each condition."""
        yield from (("using", tree) for tree in self.using)
        yield from (("check", tree) for tree in self.check)


@dataclass(frozen=True)
class Routine:
    """A function or procedure of users."""

    oid: int
    schema: str
    name: str
    arguments: str
    kind: str
    language: str
    is_definer: bool
    settings: Sequence[str]
    returns_set: bool
    rows: float
    volatility: str
    returns: int
    types: Sequence[int]
    names: Sequence[str]
    body: str
    tree: str | None
    takes_only: bool
    grants: Sequence[str]

    @cached_property
    def sql(self) -> str:
        """The routine in ALTER and GRANT: `FUNCTION public.f(n integer)`."""
        word = "PROCEDURE" if self.kind == "p" else "FUNCTION"
        named = compose("{} {}({})", raw(word), name(self.schema, self.name), raw(self.arguments))
        return text(named)

    @property
    def callers(self) -> set[str]:
        """The roles with the privilege to execute it, without the owner; PUBLIC is ""."""
        return {g.rsplit("=", 1)[0] for g in self.grants}

    @property
    def fixes_search_path(self) -> bool:
        """Whether SET search_path belongs to it."""
        return any(s.startswith("search_path=") for s in self.settings)

    @cached_property
    def trees(self) -> Sequence[Node]:
        """The parsed body, if it is SQL-standard."""
        return parse(self.tree)


@dataclass(frozen=True)
class Called:
    """A function that a parsed form names, perhaps of the system."""

    oid: int
    schema: str
    name: str
    volatility: str
    is_leakproof: bool
    parallel: str
    is_strict: bool
    returns_set: bool
    arguments: int

    @property
    def is_system(self) -> bool:
        """Whether it belongs to PostgreSQL."""
        return self.schema == "pg_catalog"

    def __str__(self) -> str:
        return text(name(self.schema, self.name)) + "()"


@dataclass(frozen=True)
class OwnedSequence:
    """A sequence that a column owns."""

    oid: int
    schema: str
    name: str
    type: str
    greatest: int
    step: int
    last: int | None
    relation: int
    number: int
    column_type: str
    cycles: bool

    @cached_property
    def sql(self) -> str:
        """The qualified name in SQL."""
        return text(name(self.schema, self.name))


@dataclass(frozen=True)
class Extension:
    """An extension."""

    oid: int
    name: str
    schema: str
    is_relocatable: bool


@dataclass(frozen=True)
class Database:
    """The facts of a database; `api_roles` are those of requests from outside."""

    relations: Mapping[int, Relation]
    columns: Mapping[tuple[int, int], Column]
    read_by: Mapping[int, set[int]]  # view: relations in its query
    pinned: Mapping[tuple[int, int], bool]  # columns of a fixed type: whether by a partition key
    indexes: Sequence[Index]
    constraints: Sequence[Constraint]
    policies: Sequence[Policy]
    routines: Mapping[int, Routine]
    sequences: Sequence[OwnedSequence]
    extensions: Sequence[Extension]
    widths: Mapping[int, float]
    usage: Mapping[str, set[str]]
    observed: float  # seconds of statistics
    major: int
    api_roles: Sequence[str] = ()
    called: dict[int, Called] = field(default_factory=dict[int, Called])
    unfilled: Mapping[tuple[str, str, str], bool] = field(
        default_factory=dict[tuple[str, str, str], bool]
    )  # schema, table and name of columns that become NOT NULL: whether they are new

    @property
    def tables(self) -> Iterator[Relation]:
        """Yield the ordinary and partitioned tables."""
        return (r for r in self.relations.values() if r.is_table)

    @cached_property
    def columns_of(self) -> Mapping[int, Sequence[Column]]:
        """The columns of each table, in order."""
        return _grouped(self.columns.values(), "relation")

    @cached_property
    def indexes_of(self) -> Mapping[int, Sequence[Index]]:
        """The indexes of each table."""
        return _grouped(self.indexes, "relation")

    @cached_property
    def constraints_of(self) -> Mapping[int, Sequence[Constraint]]:
        """The constraints of each table."""
        return _grouped(self.constraints, "relation")

    @cached_property
    def policies_of(self) -> Mapping[int, Sequence[Policy]]:
        """The policies of each table."""
        return _grouped(self.policies, "relation")

    def names(self, relation: int, numbers: Collection[int]) -> list[str]:
        """Return names of columns, quoted as SQL needs."""
        return [quoted(self.columns[relation, n].name) for n in numbers]

    def exposed(self, roles: Collection[str], schema: str) -> list[str]:
        """Return the roles of requests with a privilege on the object and USAGE on the schema."""
        usage = self.usage.get(schema, set())
        reaching = [r for r in self.api_roles if PUBLIC in usage or r in usage]
        return [r for r in reaching if PUBLIC in roles or r in roles]


@cache
def quoted(identifier: str) -> str:
    """Return a name quoted as SQL needs."""
    return text(name(identifier))


def _grouped(facts: Collection[_Fact], key: str) -> dict[int, list[_Fact]]:
    found: dict[int, list[_Fact]] = {}
    for fact in facts:
        found.setdefault(vars(fact)[key], []).append(fact)
    return found


def read_database(connection: Connection, api_roles: Sequence[str]) -> Database:
    """Read the facts of a database; raises StatementFailed."""

    def read(fact: type[_Fact], query: str) -> list[_Fact]:
        return [fact(**row) for row in rows(connection, query)]

    facts = rows(connection, catalog.FACTS)[0]
    usage: dict[str, set[str]] = {}
    for granted in facts["usage"]:
        schema, _, role = granted.rpartition("=")
        usage.setdefault(schema, set()).add(role)
    read_by: dict[int, set[int]] = {}
    for row in rows(connection, catalog.READ):
        read_by.setdefault(row["reader"], set()).add(row["relation"])
    database = Database(
        relations={r.oid: r for r in read(Relation, catalog.RELATIONS)},
        columns={(c.relation, c.number): c for c in read(Column, catalog.COLUMNS)},
        read_by=read_by,
        pinned={
            (r["relation"], r["number"]): r["by_key"] for r in rows(connection, catalog.PINNED)
        },
        indexes=read(Index, catalog.INDEXES),
        constraints=read(Constraint, catalog.CONSTRAINTS),
        policies=read(Policy, catalog.POLICIES),
        routines={r.oid: r for r in read(Routine, catalog.ROUTINES)},
        sequences=read(OwnedSequence, catalog.SEQUENCES),
        extensions=read(Extension, catalog.EXTENSIONS),
        widths={r["oid"]: r["width"] for r in rows(connection, catalog.WIDTHS)},
        usage=usage,
        observed=0.0 if facts["standby"] else facts["observed"],
        major=server_of(connection).major,
        api_roles=[r for r in api_roles if r in facts["roles"]],
    )
    named = rows(connection, catalog.CALLED, [sorted(_named(database))])
    database.called.update({row["oid"]: Called(**row) for row in named})
    return database


def _named(database: Database) -> set[int]:
    """Return the oids of the functions that policies, checks and indexes call."""
    trees = [tree for policy in database.policies for _, tree in policy.conditions]
    trees += [tree for check in database.constraints for tree in check.tree]
    trees += [t for index in database.indexes for t in (*index.trees, *index.predicates)]
    trees += [tree for routine in database.routines.values() for tree in routine.trees]
    return {node.function for tree in trees for node in tree.walk()} - {0}
