"""Operator classes and families: https://www.postgresql.org/docs/current/xindex.html

The members are a mapping: `OPERATOR 1 (integer, integer)` → the operator, `FUNCTION 1 (integer,
integer)` → the function. The types are the operand types by which ALTER OPERATOR FAMILY … DROP
names members.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Self, cast

from psycopg import sql
from pydantic import Field

from reconciler.model.catalog_sql import address, managed
from reconciler.model.clauses import (
    CLASS_FUNCTION,
    FAMILY_FUNCTION,
    FAMILY_OPERANDS,
    FAMILY_OPERATOR,
    FUNCTION_SIGNATURE,
    NAME,
    OPERATOR_NAME,
    OPERATOR_SIGNATURE,
    TYPE,
    Clause,
    Fragment,
    fragments_in,
)
from reconciler.model.declared import DividesMembers
from reconciler.model.object import Object, PlanningContext
from reconciler.model.on_scratch import Companion
from reconciler.model.owned import Owned
from reconciler.model.ref import Ref, split_name
from reconciler.model.signature import PROBE
from reconciler.model.spelling import QualifiedName, Sql, SystemName
from reconciler.model.statement import Statement
from reconciler.server.capabilities import Server
from reconciler.server.connection import Connection, rows
from reconciler.server.elevation import run_statement
from reconciler.sql import compose, name, raw, text


def _members(catalog: str, oid: str) -> str:
    """Return SQL for the operators and functions that depend on one class or family."""
    belongs = "SELECT FROM pg_depend AS d WHERE d.classid = '{}'::regclass AND d.objid = {}.oid"
    belongs += f" AND d.refclassid = '{catalog}'::regclass AND d.refobjid = {oid}"
    return f"""
        (SELECT coalesce(jsonb_object_agg(m.key, m.value), '{{}}') FROM (
            SELECT format('OPERATOR %s (%s, %s)', x.amopstrategy, format_type(x.amoplefttype, NULL),
                          format_type(x.amoprighttype, NULL)),
                   x.amopopr::regoperator::text || CASE WHEN x.amoppurpose = 'o' THEN (
                       SELECT format(' FOR ORDER BY %I.%I', s.nspname, f.opfname)
                       FROM pg_opfamily AS f JOIN pg_namespace AS s ON s.oid = f.opfnamespace
                       WHERE f.oid = x.amopsortfamily) ELSE '' END
            FROM pg_amop AS x WHERE EXISTS ({belongs.format("pg_amop", "x")})
            UNION ALL
            SELECT format('FUNCTION %s (%s, %s)', y.amprocnum, format_type(y.amproclefttype, NULL),
                          format_type(y.amprocrighttype, NULL)),
                   y.amproc::regprocedure::text
            FROM pg_amproc AS y
            WHERE EXISTS ({belongs.format("pg_amproc", "y")})) AS m(key, value))"""


_DIVIDED = f"""
    SELECT {_members("pg_opclass", "c.oid")} AS own, {_members("pg_opfamily", "f.oid")} AS of_family
    FROM pg_opclass AS c JOIN pg_opfamily AS f ON f.oid = c.opcfamily
    WHERE c.opcname = '{PROBE}' AND c.opcnamespace = pg_my_temp_schema()"""


def _addresses(catalog: str, oid: str) -> str:
    """Return SQL for the addresses of a class or family and of the members.

    In pg_depend, members depend on the functions and operators.
    """
    return f"""
        ARRAY[{address(catalog, oid)}] || (
            SELECT array_agg(ARRAY[d.classid::int8, d.objid::int8, 0]) FROM pg_depend AS d
            WHERE d.classid IN ('pg_amop'::regclass, 'pg_amproc'::regclass)
                  AND d.refclassid = '{catalog}'::regclass AND d.refobjid = {oid})"""


def _of_method(kind: str, key: str, body: object) -> tuple[str, object]:
    name_, bracket, method = key.partition("(")
    if not bracket or not key.endswith(")"):
        raise ValueError(f"an {kind} is named with its index method: {key}(btree)")
    fields = cast("dict[str, Any]", body) if isinstance(body, dict) else {}
    return name_.strip(), fields | {"arguments": SystemName().read(method[:-1].strip())}


def _added(key: str, value: str) -> sql.Composable:
    """Spell a member for CREATE OPERATOR CLASS and ALTER OPERATOR FAMILY … ADD."""
    if key.startswith("OPERATOR"):
        return compose("{} {}", raw(key.partition(" (")[0]), raw(value))
    return compose("{} {}", raw(key), raw(value))


def _member_fragments(key: str, value: str, *, in_class: bool) -> Iterator[Fragment]:
    """Yield the parts of a member, each of which is one of its sort by itself.

    In a class, PostgreSQL chooses the operand types of a function that names none.
    """
    if not key.startswith("OPERATOR"):
        clause = FAMILY_FUNCTION if "(" in key or not in_class else CLASS_FUNCTION
        yield Fragment("members", clause, key)
        yield Fragment("members", FUNCTION_SIGNATURE, value)
        return
    number, bracket, operands = key.partition(" (")
    yield Fragment("members", FAMILY_OPERATOR, number)
    yield from fragments_in("members", FAMILY_OPERANDS, bracket + operands)
    operator, _, purpose = value.partition(" FOR ")
    yield Fragment("members", OPERATOR_SIGNATURE if "(" in operator else OPERATOR_NAME, operator)
    if purpose not in ("", "SEARCH"):
        yield Fragment("members", NAME, purpose.removeprefix("ORDER BY "))


class _Indexed(Owned):
    """An operator class or family; the YAML key names the index method: `my_ops(btree)`."""

    arguments: str = Field(default="", json_schema_extra={"derived": True})
    members: dict[Sql, Sql] = Field(
        default_factory=dict,
        description="`OPERATOR 1 (integer, integer)` → the operator; FUNCTION likewise",
    )

    def fragments(self) -> Iterator[Fragment]:
        yield from super().fragments()
        for key, value in self.members.items():
            yield from _member_fragments(key, value, in_class=isinstance(self, OperatorClass))

    def sql_name(self) -> sql.Composable:
        return compose("{} USING {}", name(self.ref.schema, self.ref.name), self.arguments)


class OperatorFamily(_Indexed):
    """An operator family: compatible operators and functions for several types."""

    kind: ClassVar[str] = "operator_family"
    section: ClassVar[str] = "operator_families"
    omitted_is_default: ClassVar[bool] = False
    oid_column: ClassVar[str] = "pg_opfamily.oid"
    sql_fields: ClassVar[tuple[str, ...]] = ("members",)

    @classmethod
    def catalog(cls, server: Server) -> str:
        return f"""
            SELECT n.nspname AS schema, f.opfname AS name,
                   pg_get_userbyid(f.opfowner)::text AS owner,
                   a.amname AS arguments_identity, a.amname AS arguments,
                   {_addresses("pg_opfamily", "f.oid")} AS addresses,
                   {_members("pg_opfamily", "f.oid")} AS members
            FROM pg_opfamily AS f
            JOIN pg_namespace AS n ON n.oid = f.opfnamespace
            JOIN pg_am AS a ON a.oid = f.opfmethod
            WHERE {managed("pg_opfamily", "f.oid", "n.nspname")}
            ORDER BY n.nspname, f.opfname, a.amname"""

    @classmethod
    def entry(cls, key: str, body: object) -> tuple[str, object]:
        return _of_method("operator family", key, body)

    def define(self, context: PlanningContext, parts: Sequence[Object] = ()) -> Iterable[Statement]:
        yield Statement(sql=text(compose("CREATE OPERATOR FAMILY {}", self.sql_name())))
        yield from self._alter_members({}, self.members)

    def redefine(self, old: Self, context: PlanningContext) -> Iterable[Statement] | None:
        return self._alter_members(old.members, self.members)

    def _alter_members(self, before: dict[str, str], after: dict[str, str]) -> Iterable[Statement]:
        removed = [raw(k) for k in before if before[k] != after.get(k)]
        added = [_added(k, v) for k, v in after.items() if v != before.get(k)]
        for verb, members in (("DROP", removed), ("ADD", added)):
            if members:
                lines = sql.SQL(",").join(compose("\n    {}", m) for m in members)
                command = compose(
                    "ALTER OPERATOR FAMILY {} {}{}", self.sql_name(), raw(verb), lines
                )
                yield Statement(sql=text(command))


class OperatorClass(Companion, DividesMembers, _Indexed):
    """An operator class; replaced if changed, since PostgreSQL cannot alter members."""

    kind: ClassVar[str] = "operator_class"
    section: ClassVar[str] = "operator_classes"
    oid_column: ClassVar[str] = "pg_opclass.oid"
    omitted_is_default: ClassVar[bool] = True
    sql_fields: ClassVar[tuple[str, ...]] = ("members", "type")
    sql_clauses: ClassVar[Mapping[str, Clause]] = {"type": TYPE, "family": NAME, "storage": TYPE}

    type: Sql = Field(default="", description="the data type of indexed columns")
    default: bool = Field(default=False, description="used for indexes on the type by default")
    family: QualifiedName | None = Field(
        default=None, description="the operator family; left out: the family of the same name"
    )
    storage: Sql | None = Field(
        default=None, description="the data type stored in the index; left out: the column's"
    )

    @classmethod
    def catalog(cls, server: Server) -> str:
        return f"""
            SELECT n.nspname AS schema, c.opcname AS name,
                   pg_get_userbyid(c.opcowner)::text AS owner,
                   a.amname AS arguments_identity, a.amname AS arguments,
                   {_addresses("pg_opclass", "c.oid")} AS addresses,
                   format_type(c.opcintype, NULL) AS type, c.opcdefault AS default,
                   CASE WHEN f.opfname <> c.opcname OR f.opfnamespace <> c.opcnamespace
                        THEN format('%I.%I', fn.nspname, f.opfname) END AS family,
                   CASE WHEN c.opckeytype <> 0 THEN format_type(c.opckeytype, NULL) END AS storage,
                   {_members("pg_opclass", "c.oid")} AS members
            FROM pg_opclass AS c
            JOIN pg_namespace AS n ON n.oid = c.opcnamespace
            JOIN pg_am AS a ON a.oid = c.opcmethod
            JOIN pg_opfamily AS f ON f.oid = c.opcfamily
            JOIN pg_namespace AS fn ON fn.oid = f.opfnamespace
            WHERE {managed("pg_opclass", "c.oid", "n.nspname")}
            ORDER BY n.nspname, c.opcname, a.amname"""

    @classmethod
    def entry(cls, key: str, body: object) -> tuple[str, object]:
        return _of_method("operator class", key, body)

    def needs(self) -> frozenset[Ref]:
        """Add the family; otherwise, PostgreSQL creates a family of the class's name."""
        return super().needs() | self.brings()

    def brings(self) -> frozenset[Ref]:
        return frozenset({self.whole})

    @property
    def whole(self) -> Ref:
        *schema, family = split_name(self.family or "") or [self.ref.name]
        family_schema = schema[0] if schema else self.ref.schema
        return Ref("operator_family", family_schema, family, None, self.arguments)

    def divided(self, whole: Object, connection: Connection) -> tuple[Self, Object]:
        """Let a temporary class and family tell which members PostgreSQL gives to the family.

        https://www.postgresql.org/docs/current/index-functions.html (amadjustmembers)
        """
        assert isinstance(whole, OperatorFamily)
        family = name("pg_temp", PROBE)
        run_statement(
            connection, text(compose("CREATE OPERATOR FAMILY {} USING {}", family, self.arguments))
        )
        try:
            run_statement(connection, text(self._creation(family, family)))
            found = rows(connection, _DIVIDED)[0]
        finally:
            drop = compose("DROP OPERATOR FAMILY {} USING {} CASCADE", family, self.arguments)
            run_statement(connection, text(drop))
        members = {**whole.members, **found["of_family"]}
        own = self.model_copy(update={"members": found["own"]})
        return own, whole.model_copy(update={"members": members})

    def define(self, context: PlanningContext, parts: Sequence[Object] = ()) -> Iterable[Statement]:
        own = name(self.ref.schema, self.ref.name)
        default = raw(" DEFAULT" if self.default else "")
        family = raw(self.family) if self.family else None
        yield Statement(sql=text(self._creation(compose("{}{}", own, default), family)))

    def _creation(self, class_: sql.Composable, family: sql.Composable | None) -> sql.Composable:
        head = compose(
            "CREATE OPERATOR CLASS {} FOR TYPE {} USING {}{} AS",
            class_,
            raw(self.type),
            self.arguments,
            compose(" FAMILY {}", family) if family else raw(""),
        )
        members = [_added(k, v) for k, v in self.members.items()]
        if self.storage is not None or not members:
            members.append(compose("STORAGE {}", raw(self.storage or self.type)))
        lines = sql.SQL(",").join(compose("\n    {}", m) for m in members)
        return compose("{}{}", head, lines)
