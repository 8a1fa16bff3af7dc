"""Aggregates: https://www.postgresql.org/docs/current/sql-createaggregate.html"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal, Self, cast

from psycopg import sql
from pydantic import Field

from reconciler.model.catalog_sql import address, managed, object_grants
from reconciler.model.clauses import AGGREGATE_ARGUMENTS, NAME, OPERATOR_NAME, TYPE, Clause
from reconciler.model.declared import Overloaded, split_arguments, with_arguments
from reconciler.model.object import Object, PlanningContext
from reconciler.model.owned import Granted
from reconciler.model.signature import ARGUMENT_TYPES, read_signature
from reconciler.model.spelling import QualifiedName, Sql
from reconciler.model.statement import Statement
from reconciler.server.capabilities import Server
from reconciler.server.connection import Connection
from reconciler.sql import compose, literal, name, raw, split_commas, text

Modify = Literal["read_only", "shareable", "read_write"]
_MODIFY = (  # null for the default
    "nullif(CASE a.{} WHEN 'r' THEN 'read_only' WHEN 's' THEN 'shareable' ELSE 'read_write' END,"
    " CASE WHEN a.aggkind = 'n' THEN 'read_only' ELSE 'read_write' END)"
)


_ORDER_BY = re.compile(r"\bORDER\s+BY\b", re.IGNORECASE)
_OPTIONS = (
    *("sfunc", "stype", "sspace", "finalfunc", "combinefunc", "serialfunc", "deserialfunc"),
    *("initcond", "msfunc", "minvfunc", "mstype", "msspace", "mfinalfunc", "minitcond"),
    *("finalfunc_modify", "mfinalfunc_modify"),
)
_FLAGS = ("finalfunc_extra", "mfinalfunc_extra", "hypothetical")


def _function(column: str) -> str:
    return f"nullif(a.{column}, 0)::regproc::text"


def _split_order(arguments: str) -> tuple[str, str]:
    """Split arguments into direct and aggregated ones, all direct without ORDER BY."""
    direct, *aggregated = _ORDER_BY.split(arguments, 1)
    return direct.strip(" ,*"), "".join(aggregated).strip()


def _ordered(printed: str, like: str) -> str:
    """Put ORDER BY into a list of arguments, before as many as after it in `like`."""
    if not _ORDER_BY.search(like):
        return printed
    direct = len(split_commas(_split_order(like)[0]))
    listed = split_commas(printed)
    return f"{', '.join(listed[:direct])} ORDER BY {', '.join(listed[direct:])}".strip()


class Aggregate(Overloaded, Granted):
    """An aggregate; the YAML key is the name with the arguments.

    Examples: `total(integer)`, `median(ORDER BY integer)`.
    """

    kind: ClassVar[str] = "aggregate"
    section: ClassVar[str] = "aggregates"
    omitted_is_default: ClassVar[bool] = False
    oid_column: ClassVar[str] = "pg_aggregate.aggfnoid"
    shared_namespace: ClassVar[str] = "routine"
    grant_class: ClassVar[str] = "FUNCTION"
    public_by_default: ClassVar[tuple[str, ...]] = ("execute",)
    defining_field: ClassVar[str] = "sfunc"
    sql_fields: ClassVar[tuple[str, ...]] = ("sfunc", "stype", "finalfunc")
    sql_clauses: ClassVar[Mapping[str, Clause]] = {
        "arguments": AGGREGATE_ARGUMENTS,
        "sfunc": NAME,
        "finalfunc": NAME,
        "combinefunc": NAME,
        "serialfunc": NAME,
        "deserialfunc": NAME,
        "msfunc": NAME,
        "minvfunc": NAME,
        "mfinalfunc": NAME,
        "stype": TYPE,
        "mstype": TYPE,
        "sortop": OPERATOR_NAME,
    }

    result: str = Field(default="", json_schema_extra={"derived": True})
    sfunc: QualifiedName = Field(
        default="", description="the function that adds a row to the state"
    )
    stype: Sql = Field(default="", description="the data type of the state")
    sspace: int = Field(
        default=0, description="the approximate size of the state in bytes; 0: a default estimate"
    )
    finalfunc: QualifiedName | None = Field(
        default=None, description="the function that computes the result from the state"
    )
    finalfunc_extra: bool = Field(
        default=False, description="finalfunc takes the aggregate's arguments too, as null"
    )
    finalfunc_modify: Modify | None = Field(
        default=None, description="whether finalfunc changes the state; left out: the default"
    )
    combinefunc: QualifiedName | None = Field(
        default=None, description="the function that combines two states, for parallel queries"
    )
    serialfunc: QualifiedName | None = Field(
        default=None, description="the function that serializes a state of type internal"
    )
    deserialfunc: QualifiedName | None = Field(
        default=None, description="the function that deserializes such a state"
    )
    initcond: str | None = Field(
        default=None, description="the initial state, as text; left out: null"
    )
    msfunc: QualifiedName | None = Field(
        default=None, description="sfunc of the moving-aggregate mode, for window frames"
    )
    minvfunc: QualifiedName | None = Field(
        default=None, description="the function that removes a row from the moving state"
    )
    mstype: Sql | None = Field(default=None, description="stype of the moving-aggregate mode")
    msspace: int = Field(default=0, description="sspace of the moving-aggregate mode")
    mfinalfunc: QualifiedName | None = Field(
        default=None, description="finalfunc of the moving-aggregate mode"
    )
    mfinalfunc_extra: bool = Field(
        default=False, description="finalfunc_extra of the moving-aggregate mode"
    )
    mfinalfunc_modify: Modify | None = Field(
        default=None, description="finalfunc_modify of the moving-aggregate mode"
    )
    minitcond: str | None = Field(default=None, description="initcond of the moving-aggregate mode")
    sortop: Sql | None = Field(
        default=None, description="the sort operator of a min or max, to use an index"
    )
    parallel: Literal["unsafe", "restricted", "safe"] = Field(
        default="unsafe", description="whether parallel queries may use the aggregate"
    )
    hypothetical: bool = Field(default=False, description="a hypothetical-set aggregate")

    @classmethod
    def catalog(cls, server: Server) -> str:
        return f"""
            SELECT n.nspname AS schema, p.proname AS name,
                   pg_get_userbyid(p.proowner)::text AS owner,
                   ARRAY[{address("pg_proc", "p.oid")}] AS addresses,
                   {ARGUMENT_TYPES} AS arguments_identity,
                   coalesce(nullif(pg_get_function_arguments(p.oid), ''), '*') AS arguments,
                   format_type(p.prorettype, NULL) AS result, a.aggtransfn::regproc::text AS sfunc,
                   format_type(a.aggtranstype, NULL) AS stype, a.aggtransspace AS sspace,
                   {_function("aggfinalfn")} AS finalfunc, a.aggfinalextra AS finalfunc_extra,
                   {_MODIFY.format("aggfinalmodify")} AS finalfunc_modify,
                   {_function("aggcombinefn")} AS combinefunc,
                   {_function("aggserialfn")} AS serialfunc,
                   {_function("aggdeserialfn")} AS deserialfunc, a.agginitval AS initcond,
                   {_function("aggmtransfn")} AS msfunc, {_function("aggminvtransfn")} AS minvfunc,
                   CASE WHEN a.aggmtranstype <> 0
                        THEN format_type(a.aggmtranstype, NULL) END AS mstype,
                   a.aggmtransspace AS msspace, {_function("aggmfinalfn")} AS mfinalfunc,
                   a.aggmfinalextra AS mfinalfunc_extra,
                   CASE WHEN a.aggmtransfn <> 0
                        THEN {_MODIFY.format("aggmfinalmodify")} END AS mfinalfunc_modify,
                   a.aggminitval AS minitcond,
                   CASE WHEN a.aggsortop <> 0 THEN (
                       SELECT format('%I.%s', s.nspname, o.oprname) FROM pg_operator AS o
                       JOIN pg_namespace AS s ON s.oid = o.oprnamespace
                       WHERE o.oid = a.aggsortop) END AS sortop,
                   CASE p.proparallel WHEN 's' THEN 'safe' WHEN 'r' THEN 'restricted'
                        ELSE 'unsafe' END AS parallel,
                   a.aggkind = 'h' AS hypothetical,
                   {object_grants("p.proacl", "f", "p.proowner")} AS grants
            FROM pg_aggregate AS a
            JOIN pg_proc AS p ON p.oid = a.aggfnoid
            JOIN pg_namespace AS n ON n.oid = p.pronamespace
            WHERE {managed("pg_proc", "p.oid", "n.nspname")}
            ORDER BY n.nspname, p.proname, p.oid"""

    @classmethod
    def entry(cls, key: str, body: object) -> tuple[str, object]:
        parts = split_arguments(key)
        if parts is None:
            written = with_arguments(key, "integer")
            raise ValueError(f"an aggregate is named with its arguments: {written}")
        fields = cast("dict[str, Any]", body) if isinstance(body, dict) else {}
        return parts[0], fields | {"arguments": parts[1] or "*"}

    def identify(self, connection: Connection) -> Self:
        """Let an empty temporary function print the arguments."""
        direct, aggregated = _split_order(self.arguments)
        is_one = direct == aggregated and direct.upper().startswith("VARIADIC")
        found = read_signature(connection, direct if is_one else ", ".join([direct, aggregated]))
        printed = "" if is_one else _ordered(found.arguments or "", self.arguments)
        ref = self.ref._replace(arguments=found.identity)
        return self.model_copy(update={"ref": ref, "arguments": printed or self.arguments})

    def signature_types(self) -> Iterable[str]:
        """Return the types of arguments, states and result."""
        types = (self.result, self.stype, self.mstype)
        return [*super().signature_types(), *filter(None, types)]

    def argument_forms(self) -> Iterator[str]:
        """Yield the arguments with and without names."""
        yield from super().argument_forms()
        yield self.arguments
        yield _ordered(self.ref.arguments or "", self.arguments)

    def designation(self) -> sql.Composable:
        return compose(
            "AGGREGATE {}({})", name(self.ref.schema, self.ref.name), raw(self.arguments)
        )

    def sql_name(self) -> sql.Composable:
        return compose(
            "{}({})", name(self.ref.schema, self.ref.name), raw(self.ref.arguments or "")
        )

    def define(self, context: PlanningContext, parts: Sequence[Object] = ()) -> Iterable[Statement]:
        yield self._statement("CREATE")

    def redefine(self, old: Self, context: PlanningContext) -> Iterable[Statement] | None:
        def signature(aggregate: Self) -> tuple[str, str, bool]:
            return aggregate.arguments, aggregate.result, aggregate.hypothetical

        if signature(self) != signature(old):
            return None
        return [self._statement("CREATE OR REPLACE")]

    def _statement(self, verb: str) -> Statement:
        options = [o for field in _OPTIONS for o in self._option(field)]
        options += [raw(f.upper()) for f in _FLAGS if getattr(self, f)]
        if self.sortop is not None:
            options.append(compose("SORTOP = OPERATOR({})", raw(self.sortop)))
        if self.parallel != "unsafe":
            options.append(raw(f"PARALLEL = {self.parallel}"))
        command = compose(
            "{} AGGREGATE {}({}) ({}\n)",
            raw(verb),
            name(self.ref.schema, self.ref.name),
            raw(self.arguments),
            sql.SQL(",").join(compose("\n    {}", o) for o in options),
        )
        return Statement(sql=text(command))

    def _option(self, field: str) -> Iterable[sql.Composable]:
        value: str | int | None = getattr(self, field)
        if value is not None and value != 0:
            is_text = field.endswith("initcond")
            yield compose(
                "{} = {}", raw(field.upper()), literal(value) if is_text else raw(str(value))
            )
