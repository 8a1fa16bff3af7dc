"""Operators: https://www.postgresql.org/docs/current/sql-createoperator.html"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Self, cast

from psycopg import sql
from pydantic import Field

from reconciler.model.catalog_sql import address, managed
from reconciler.model.clauses import NAME, OPERANDS, OPERATOR_NAME, Clause, Fragment
from reconciler.model.declared import Overloaded
from reconciler.model.object import Object, PlanningContext
from reconciler.model.owned import Owned
from reconciler.model.spelling import QualifiedName, Sql
from reconciler.model.statement import Statement
from reconciler.server.capabilities import Server
from reconciler.server.connection import Connection, rows, run_sql
from reconciler.sql import compose, joined, name, raw, text


class Operator(Overloaded, Owned):
    """An operator; the YAML key is the name with the operands.

    Examples: `===(integer, integer)`, `!!(NONE, integer)`. If the commutator or negator does not
    exist yet, PostgreSQL creates a shell operator, which is defined later.
    """

    kind: ClassVar[str] = "operator"
    main_key: ClassVar[str] = "function"
    other_keys: ClassVar[Mapping[str, str]] = {"procedure": "function"}
    section: ClassVar[str] = "operators"
    oid_column: ClassVar[str] = "pg_operator.oid"
    only_moved: ClassVar[bool] = True
    omitted_is_default: ClassVar[bool] = True
    sql_fields: ClassVar[tuple[str, ...]] = ("function",)
    sql_clauses: ClassVar[Mapping[str, Clause]] = {
        "arguments": OPERANDS,
        "function": NAME,
        "commutator": OPERATOR_NAME,
        "negator": OPERATOR_NAME,
        "restrict": NAME,
        "join": NAME,
    }

    function: QualifiedName = Field(default="", description="the function that computes the result")
    commutator: Sql | None = Field(
        default=None, description="schema.operator that gives the same result for swapped operands"
    )
    negator: Sql | None = Field(
        default=None, description="schema.operator that gives the negated result"
    )
    restrict: QualifiedName | None = Field(
        default=None, description="the restriction selectivity estimator: a function"
    )
    join: QualifiedName | None = Field(
        default=None, description="the join selectivity estimator: a function"
    )
    hashes: bool = Field(default=False, description="supports hash joins")
    merges: bool = Field(default=False, description="supports merge joins")

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
        name_, bracket, arguments = key.partition("(")
        if not bracket or not key.endswith(")") or "," not in arguments:
            raise ValueError(f"an operator is named with its operands: {key}(integer, integer)")
        fields = cast("dict[str, Any]", body) if isinstance(body, dict) else {}
        return name_.strip(), fields | {"arguments": arguments[:-1].strip()}

    def fragments(self) -> Iterator[Fragment]:
        yield from super().fragments()
        yield Fragment("", OPERATOR_NAME, self.ref.name)

    def identify(self, connection: Connection) -> Self:
        """Let PostgreSQL read the operands' types; raise StatementFailed for unknown types."""
        operands = [o.strip() for o in self.arguments.split(",", 1)]
        types = rows(
            connection,
            "SELECT CASE WHEN upper(t) <> 'NONE' THEN t::regtype::oid::int8 END AS type"
            " FROM unnest(%s::text[]) AS t",
            [operands],
        )
        run_sql(connection, "SET search_path TO ''")
        found = rows(
            connection,
            "SELECT string_agg(coalesce(format_type(t::oid, NULL), 'NONE'), ', ' ORDER BY o)"
            " AS arguments FROM unnest(%s::int8[]) WITH ORDINALITY AS u(t, o)",
            [[r["type"] for r in types]],
        )
        return self.model_copy(update={"ref": self.ref._replace(arguments=found[0]["arguments"])})

    def sql_name(self) -> sql.Composable:
        return compose("{} ({})", self._bare, raw(self.ref.arguments or self.arguments))

    def define(self, context: PlanningContext, parts: Sequence[Object] = ()) -> Iterable[Statement]:
        values = {
            "FUNCTION": self.function,
            **self._operands(),
            "COMMUTATOR": f"OPERATOR({self.commutator})" if self.commutator else None,
            "NEGATOR": f"OPERATOR({self.negator})" if self.negator else None,
            "RESTRICT": self.restrict,
            "JOIN": self.join,
        }
        options = [compose("{} = {}", raw(k), raw(v)) for k, v in values.items() if v]
        options += [raw(k) for k, v in (("HASHES", self.hashes), ("MERGES", self.merges)) if v]
        yield Statement(sql=text(compose("CREATE OPERATOR {} ({})", self._bare, joined(options))))

    def _operands(self) -> Mapping[str, str]:
        if not self.arguments:
            return {}
        left, right = (self.ref.arguments or self.arguments).split(", ", 1)
        return {k: v for k, v in (("LEFTARG", left), ("RIGHTARG", right)) if v != "NONE"}

    def redefine(self, old: Self, context: PlanningContext) -> Iterable[Statement] | None:
        """Change the selectivity estimators; ALTER OPERATOR sets nothing else."""
        alterable = ("restrict", "join", "comment", "owner")
        if old.model_copy(update={f: getattr(self, f) for f in alterable}) != self:
            return None
        options = [
            compose("{} = {}", raw(k.upper()), raw(getattr(self, k) or "NONE"))
            for k in ("restrict", "join")
        ]
        command = compose("ALTER OPERATOR {} SET ({})", self.sql_name(), joined(options))
        return [Statement(sql=text(command))]

    @property
    def _bare(self) -> sql.Composable:
        """Return the qualified name; the operator is never quoted."""
        return compose("{}.{}", name(self.ref.schema), raw(self.ref.name))
