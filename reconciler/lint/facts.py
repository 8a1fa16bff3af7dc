"""Define the facts of the catalogs that rules read, with parsed expressions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from functools import cache, lru_cache
from typing import NamedTuple

from reconciler.lint.tree import Node, parse
from reconciler.sql import compose, name, raw, text

SUPERUSER, BYPASSRLS = "superuser", "bypassrls"
PUBLIC = ""  # the role in `grants` and `roles`
VIEW, MATERIALIZED, TABLES = "v", "m", ("r", "p")
_TRUE = {"on", "1", "t", "tr", "tru", "true", "y", "ye", "yes"}  # of parse_bool() in PostgreSQL


class Relation(NamedTuple):
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
    partition_keys: Sequence[int] | None  # numbers of columns, 0 for an expression
    grants: Sequence[str]

    @property
    def sql(self) -> str:
        """The qualified name in SQL."""
        return text(name(self.schema, self.name))

    @property
    def is_table(self) -> bool:
        """Whether it is an ordinary or a partitioned table."""
        return self.kind in TABLES

    @property
    def runs_as_invoker(self) -> bool:
        """Whether a view has security_invoker, in any spelling of true."""
        values = dict(option.lower().split("=", 1) for option in self.options)
        return values.get("security_invoker", "off") in _TRUE

    @property
    def grantees(self) -> Set[str]:
        """The roles with a privilege; PUBLIC is ""."""
        return {role for roles in _by_privilege(tuple(self.grants)).values() for role in roles}

    def granted(self, privilege: str) -> Set[str]:
        """Return the roles with a privilege; PUBLIC is ""."""
        return _by_privilege(tuple(self.grants)).get(privilege, frozenset())


@lru_cache
def _by_privilege(grants: Sequence[str]) -> Mapping[str, Set[str]]:
    """Return the roles with each privilege; tables share a few lists of privileges."""
    found: dict[str, set[str]] = {}
    for grant in grants:
        role, _, privilege = grant.rpartition("=")
        found.setdefault(privilege, set()).add(role)
    return found


class PrivilegedRole(NamedTuple):
    """A role that is declared, or has `attributes` by which no policy binds it."""

    oid: int
    name: str
    attributes: Sequence[str]
    may_log_in: bool
    is_owner: bool


class Column(NamedTuple):
    """A column of a table."""

    relation: int
    number: int
    name: str
    type: int
    type_name: str
    not_null: bool
    has_default: bool
    json_default: str | None


class Index(NamedTuple):
    """An index; a key of 0 is an expression.

    Only an index of expressions or of some rows has a `definition`, the former also `types`. One
    that `is_chosen` is the replica identity, or that of CLUSTER.
    """

    oid: int
    relation: int
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
    is_chosen: bool
    is_immediate: bool
    nulls_are_equal: bool
    schema: str

    @property
    def sql(self) -> str:
        """The qualified name in SQL."""
        return text(name(self.schema, self.name))

    @property
    def purpose(self) -> tuple[object, ...]:
        """The method, the keys and the condition: indexes that share these serve one purpose."""
        conditions = (self.shown_expressions, self.shown_predicate)
        return self.keys, self.method, self.classes, self.collations, self.options, conditions

    @property
    def trees(self) -> Sequence[Node]:
        """The parsed expressions among the keys."""
        return parse(self.expressions)

    @property
    def predicates(self) -> Sequence[Node]:
        """The parsed predicate; several are joined by AND."""
        return parse(self.predicate)


class Constraint(NamedTuple):
    """A check, foreign key, primary key or unique constraint.

    `index` is the oid of the index that serves it, on the referenced table for a foreign key.
    """

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
    index: int

    @property
    def tree(self) -> Sequence[Node]:
        """The parsed condition of a check."""
        return parse(self.condition)


class Policy(NamedTuple):
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

    @property
    def using(self) -> Sequence[Node]:
        """The parsed USING condition."""
        return parse(self.visible)

    @property
    def check(self) -> Sequence[Node]:
        """The parsed WITH CHECK condition."""
        return parse(self.written)

    @property
    def conditions(self) -> Iterator[tuple[str, Node]]:
        """Yield YAML key and tree of each condition."""
        yield from (("using", tree) for tree in self.using)
        yield from (("check", tree) for tree in self.check)


class Routine(NamedTuple):
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

    @property
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

    @property
    def trees(self) -> Sequence[Node]:
        """The parsed body, if it is SQL-standard."""
        return parse(self.tree)


class Called(NamedTuple):
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


class OwnedSequence(NamedTuple):
    """A sequence that a column owns."""

    oid: int
    schema: str
    name: str
    type: str
    greatest: int
    step: int
    relation: int
    number: int
    column_type: str
    cycles: bool

    @property
    def sql(self) -> str:
        """The qualified name in SQL."""
        return text(name(self.schema, self.name))


class Extension(NamedTuple):
    """An extension."""

    oid: int
    name: str
    schema: str
    is_relocatable: bool


class Unused(NamedTuple):
    """An index without a scan in the statistics, which no constraint needs."""

    oid: int
    sql: str
    bytes: int


class Size(NamedTuple):
    """A table's size; `width` is the average bytes of a row, None before ANALYZE."""

    oid: int
    sql: str
    rows: float
    pages: int
    width: float | None


@cache
def quoted(identifier: str) -> str:
    """Return a name quoted as SQL needs."""
    return text(name(identifier))
