"""Operators: https://www.postgresql.org/docs/current/sql-createoperator.html"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Self, cast

from psycopg import sql
from pydantic import Field

from reconciler.model.catalog_sql import address, managed
from reconciler.model.declared import Overloaded
from reconciler.model.object import Object, PlanningContext
from reconciler.model.owned import Owned
from reconciler.model.ref import Ref
from reconciler.model.statement import Statement
from reconciler.server.capabilities import Server
from reconciler.server.connection import Connection, rows, run_sql
from reconciler.sql import compose, joined, name, raw, text


class Operator(Overloaded, Owned):
    """An operator; its YAML key holds its operands: `===(integer, integer)`, `!!(NONE, integer)`.

    Naming a commutator or negator that is still to come makes a shell of it, which its own definition fills.
    """

    kind: ClassVar[str] = "operator"
    section: ClassVar[str] = "operators"
    oid_column: ClassVar[str] = "pg_operator.oid"
    renamable: ClassVar[bool] = False
    omitted_is_default: ClassVar[bool] = True
    sql_fields: ClassVar[tuple[str, ...]] = ("function",)

    function: str = ""
    commutator: str | None = Field(
        default=None, description="schema.operator that does the same with the operands swapped"
    )
    negator: str | None = Field(default=None, description="schema.operator that says the contrary")
    restrict: str | None = Field(default=None, description="estimates how many rows it leaves")
    join: str | None = Field(
        default=None, description="estimates how many rows a join by it leaves"
    )
    hashes: bool = False
    merges: bool = False

    @classmethod
    def catalog(cls, server: Server) -> str:
        def other(column: str) -> str:
            return f"""(SELECT format('%I.%s', s.nspname, x.oprname) FROM pg_operator AS x
                        JOIN pg_namespace AS s ON s.oid = x.oprnamespace
                        WHERE x.oid = o.{column})"""

        operand = "CASE WHEN o.{0} = 0 THEN 'NONE' ELSE format_type(o.{0}, NULL) END"
        operands = f"{operand.format('oprleft')} || ', ' || {operand.format('oprright')}"
        return f"""
            SELECT n.nspname AS schema, o.oprname AS name,
                   pg_get_userbyid(o.oprowner)::text AS owner,
                   ARRAY[{address("pg_operator", "o.oid")}] AS addresses,
                   {operands} AS arguments_identity, {operands} AS arguments,
                   o.oprcode::regproc::text AS function, {other("oprcom")} AS commutator,
                   {other("oprnegate")} AS negator,
                   nullif(o.oprrest, 0)::regproc::text AS restrict,
                   nullif(o.oprjoin, 0)::regproc::text AS join,
                   o.oprcanhash AS hashes, o.oprcanmerge AS merges
            FROM pg_operator AS o JOIN pg_namespace AS n ON n.oid = o.oprnamespace
            WHERE o.oprcode <> 0 AND {managed("pg_operator", "o.oid", "n.nspname")}
            ORDER BY n.nspname, o.oprname, o.oid"""

    @classmethod
    def entry(cls, key: str, body: object) -> tuple[str, object]:
        own, bracket, arguments = key.partition("(")
        if not bracket or not key.endswith(")") or "," not in arguments:
            raise ValueError(f"an operator is named with its operands: {key}(integer, integer)")
        fields = cast("dict[str, Any]", body) if isinstance(body, dict) else {}
        return own.strip(), fields | {"arguments": arguments[:-1].strip()}

    def identify(self, connection: Connection) -> Ref:
        """Let PostgreSQL read the operands; it refuses a type that is still to be made."""
        operands = [o.strip() for o in self.arguments.split(",", 1)]
        read = "SELECT CASE WHEN upper(t) <> 'NONE' THEN t::regtype::oid::int8 END AS type FROM unnest(%s::text[]) AS t"
        types = rows(connection, read, [operands])
        run_sql(connection, "SET search_path TO ''")
        found = rows(
            connection,
            "SELECT string_agg(coalesce(format_type(t::oid, NULL), 'NONE'), ', ' ORDER BY o) AS arguments"
            " FROM unnest(%s::int8[]) WITH ORDINALITY AS u(t, o)",
            [[r["type"] for r in types]],
        )
        return Ref(self.kind, self.ref.schema, self.ref.name, None, found[0]["arguments"])

    def sql_name(self) -> sql.Composable:
        return compose("{} ({})", self._bare, raw(self.ref.arguments or self.arguments))

    def define(self, context: PlanningContext, parts: Sequence[Object] = ()) -> Iterable[Statement]:
        left, right = (
            ((self.ref.arguments or self.arguments).split(", ", 1))
            if self.arguments
            else ("NONE", "NONE")
        )
        given = [
            ("FUNCTION", self.function),
            *((k, v) for k, v in (("LEFTARG", left), ("RIGHTARG", right)) if v != "NONE"),
        ]
        given += [
            (k, f"OPERATOR({v})")
            for k, v in (("COMMUTATOR", self.commutator), ("NEGATOR", self.negator))
            if v
        ]
        given += [(k, v) for k, v in (("RESTRICT", self.restrict), ("JOIN", self.join)) if v]
        words = [compose("{} = {}", raw(k), raw(v)) for k, v in given]
        words += [raw(k) for k, v in (("HASHES", self.hashes), ("MERGES", self.merges)) if v]
        yield Statement(sql=text(compose("CREATE OPERATOR {} ({})", self._bare, joined(words))))

    def redefine(self, old: Self, context: PlanningContext) -> Iterable[Statement] | None:
        """The estimators alone can change."""
        if (
            old.model_copy(
                update={
                    "restrict": self.restrict,
                    "join": self.join,
                    "comment": self.comment,
                    "owner": self.owner,
                }
            )
            != self
        ):
            return None
        settings = [
            compose("{} = {}", raw(k.upper()), raw(getattr(self, k) or "NONE"))
            for k in ("restrict", "join")
        ]
        return [
            Statement(
                sql=text(compose("ALTER OPERATOR {} SET ({})", self.sql_name(), joined(settings)))
            )
        ]

    @property
    def _bare(self) -> sql.Composable:
        """The qualified name, in which the operator itself is never quoted."""
        return compose("{}.{}", name(self.ref.schema), raw(self.ref.name))
