"""Functions and procedures: https://www.postgresql.org/docs/current/sql-createfunction.html"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal, Self, cast

from psycopg import sql
from pydantic import Field

from reconciler.model.access import DecidesAccess
from reconciler.model.catalog_sql import address, managed, object_grants, outside_system
from reconciler.model.clauses import (
    ARGUMENTS,
    NAME,
    RETURNED_TABLE,
    RETURNS,
    ROUTINE_BODY,
    TYPE,
    Clause,
    Fragment,
    fragments_in,
)
from reconciler.model.declared import Overloaded, split_arguments, with_arguments
from reconciler.model.native_code import SYMBOL_LANGUAGES, NativeCode
from reconciler.model.object import Object, PlanningContext
from reconciler.model.on_scratch import RunsBody
from reconciler.model.owned import Granted
from reconciler.model.privileges import PUBLIC
from reconciler.model.ref import Ref
from reconciler.model.reserved_names import is_fill_trigger, is_shadow_trigger
from reconciler.model.routine_settings import Settings, setting_value, without_quotes
from reconciler.model.signature import ARGUMENT_TYPES, read_signature, without_defaults
from reconciler.model.spelling import AnyCaseName, QualifiedName, Sql
from reconciler.model.statement import Hazard, HazardKind, Statement
from reconciler.model.type_spelling import TypeName
from reconciler.server.capabilities import Server
from reconciler.server.connection import Connection, Row
from reconciler.sql import compose, joined, literal, name, raw, text

_TABLE = re.compile(r"\s*table\b", re.I)
_OUT = re.compile(r"(?<![\w\"$])(IN)?OUT(?![\w\"$])", re.I)  # the mode of an argument
_PREFIXES = {"in": "", "out": "OUT ", "inout": "INOUT ", "variadic": "VARIADIC "}
_ATOMIC = re.compile(r"\s*(BEGIN\s+ATOMIC|RETURN)\b", re.I)
_NO_VALUE = re.compile(r"\s*(setof\b|table\s*\(|(pg_catalog\.)?(void|event_trigger)\s*$|$)", re.I)
_MODES = (
    "CASE u.m WHEN 'i' THEN 'in' WHEN 'o' THEN 'out' WHEN 'b' THEN 'inout'"
    " WHEN 'v' THEN 'variadic' ELSE 'table' END"
)
_COMMON_COLUMNS = f"""
    n.nspname AS schema, p.proname AS name, pg_get_userbyid(p.proowner)::text AS owner,
    ARRAY[{address("pg_proc", "p.oid")}] AS addresses,
    {ARGUMENT_TYPES} AS arguments_identity,
    pg_get_function_arguments(p.oid) AS arguments, p.pronargdefaults AS defaults,
    ARRAY(SELECT ARRAY[{_MODES}, coalesce(p.proargnames[u.o], ''), format_type(u.t, NULL)]
          FROM ROWS FROM (unnest(coalesce(p.proallargtypes, p.proargtypes::oid[])),
                          unnest(coalesce(p.proargmodes,
                                          array_fill('i'::"char", ARRAY[p.pronargs::int]))))
               WITH ORDINALITY AS u(t, m, o) ORDER BY u.o) AS parameters,
    l.lanname AS language, coalesce(pg_get_function_sqlbody(p.oid), p.prosrc) AS body,
    p.probin AS library,
    CASE WHEN p.prosecdef THEN 'definer' ELSE 'invoker' END AS security, p.proconfig AS set,
    ARRAY(SELECT format_type(t, NULL) FROM unnest(p.protrftypes) WITH ORDINALITY AS u(t, o)
          ORDER BY o) AS transform"""


class Routine(DecidesAccess, Overloaded, NativeCode, RunsBody, Granted):
    """A function or procedure; the YAML key is the name with the arguments."""

    shared_namespace: ClassVar[str] = "routine"
    other_keys: ClassVar[Mapping[str, str]] = {"as": "body"}
    wrong_keys: ClassVar[Mapping[str, str]] = {
        "security_definer": "security: definer declares it",
        **{v: f"volatility: {v} declares it" for v in ("immutable", "stable", "volatile")},
    }
    public_by_default: ClassVar[tuple[str, ...]] = ("execute",)
    access_fields: ClassVar[frozenset[str]] = frozenset({"security"})
    defining_field: ClassVar[str] = "body"
    sql_fields: ClassVar[tuple[str, ...]] = ("body",)
    sql_clauses: ClassVar[Mapping[str, Clause]] = {"arguments": ARGUMENTS, "transform": TYPE}

    parameters: tuple[tuple[str, str, str], ...] = Field(
        default=(), json_schema_extra={"derived": True}
    )
    defaults: int = Field(default=0, json_schema_extra={"derived": True})
    language: AnyCaseName = Field(default="sql", description="the procedural language")
    body: str = Field(
        default="",
        description="the source text, or SQL from BEGIN ATOMIC or RETURN on; in C the symbol",
    )
    library: str | None = Field(default=None, description="in C, the file of the shared library")
    security: Literal["invoker", "definer"] = Field(
        default="invoker", description="the role whose privileges apply: the caller or the owner"
    )
    transform: tuple[Sql, ...] = Field(
        default=(), description="types for which the language's transforms are used"
    )
    set: Settings = Field(default_factory=dict, description="settings in force during a call")

    def decides_access(self, field: str = "") -> bool:
        return self.security == "definer" or super().decides_access(field)

    @classmethod
    def from_row(cls, ref: Ref, row: Row) -> Self:
        settings = dict(s.split("=", 1) for s in row.pop("set") or ())
        return cls(ref=ref, set={k: without_quotes(k, v) for k, v in settings.items()}, **row)

    @classmethod
    def entry(cls, key: str, body: object) -> tuple[str, object]:
        parts = split_arguments(key)
        if parts is None:
            raise ValueError(f"a {cls.kind} is named with its arguments: {with_arguments(key)}")
        fields = cast("dict[str, Any]", body) if isinstance(body, dict) else {}
        return parts[0], fields | {"arguments": parts[1]}

    def identify(self, connection: Connection) -> Self:
        """Let an empty temporary routine print the arguments."""
        is_procedure = self.grant_class == "PROCEDURE"
        found = read_signature(connection, self.arguments, procedure=is_procedure)
        ref = self.ref._replace(arguments=found.identity)
        return self.model_copy(update={"ref": ref, "arguments": found.arguments or self.arguments})

    def signature_types(self) -> Iterable[str]:
        """Return the types of arguments and result."""
        return [*(p[-1] for p in self.parameters), self._result().removeprefix("RETURNS ")]

    def argument_forms(self) -> Iterator[str]:
        """Yield the arguments with or without names and OUT arguments, never with defaults."""
        yield from super().argument_forms()
        named = without_defaults(self.arguments)
        unnamed = [f"{_PREFIXES[m]}{type_}" for m, _, type_ in self.parameters if m in _PREFIXES]
        for form in (named, unnamed):
            yield ", ".join(form)
            yield ", ".join(a for a in form if not a.startswith("OUT "))

    def fragments(self) -> Iterator[Fragment]:
        yield from super().fragments()
        if self._is_sql_standard:
            yield Fragment("body", ROUTINE_BODY, self.body)

    @property
    def _is_sql_standard(self) -> bool:
        """Whether the body is SQL, not a string."""
        return self.library is None and self.language == "sql" and bool(_ATOMIC.match(self.body))

    def sql_name(self) -> sql.Composable:
        """Return the name with the arguments' types, without defaults of declared arguments."""
        arguments = ", ".join(without_defaults(self.ref.arguments or ""))
        return compose("{}({})", name(self.ref.schema, self.ref.name), raw(arguments))

    def define(self, context: PlanningContext, parts: Sequence[Object] = ()) -> Iterable[Statement]:
        yield self._statement("CREATE", self._security_hazards(None))

    def redefine(self, old: Self, context: PlanningContext) -> Iterable[Statement] | None:
        """Replace the routine, unless CREATE OR REPLACE refuses the change.

        https://www.postgresql.org/docs/current/sql-createfunction.html#SQL-CREATEFUNCTION-NOTES
        """
        if self._result() != old._result() or self.defaults < old.defaults:
            return None
        if len(self.parameters) != len(old.parameters):
            return None
        parameters = zip(old.parameters, self.parameters, strict=True)
        if not all(_can_replace(before, after) for before, after in parameters):
            return None
        return [self._statement("CREATE OR REPLACE", self._security_hazards(old))]

    def without_body(self) -> Self:
        """Keep compiled code, which base types and the like need when they are created."""
        return self if self.language in SYMBOL_LANGUAGES else self._empty()

    def literal_body(self) -> str | None:
        return None if self.language == "sql" and _ATOMIC.match(self.body) else self.body

    def looked_up(self) -> str | None:
        compiled = self.language in SYMBOL_LANGUAGES or self._is_sql_standard
        return None if "search_path" in self.set else "" if compiled else self.body

    def _empty(self) -> Self:
        """Return the routine with a body that does nothing, without what the language needs."""
        body = "BEGIN END"
        return self.model_copy(
            update={"language": "plpgsql", "body": body, "transform": (), "set": {}}
        )

    def _result(self) -> str:
        """Return the RETURNS clause, or an empty text."""
        return ""

    def _attributes(self) -> Iterable[str]:
        return ()

    def _security_hazards(self, old: Self | None) -> tuple[Hazard, ...]:
        is_open = _has_open_search_path(self)
        becomes_definer = old is not None and self.security == "definer" != old.security
        becomes_open = is_open and (old is None or not _has_open_search_path(old))
        for_all = self.is_definer_for_all and (old is None or not old.is_definer_for_all)
        if not (becomes_definer or becomes_open or for_all):
            return ()
        path = " and a search_path of its caller's choice" if is_open else ""
        callers = " for everybody: grants: {public: []} takes that away" if for_all else ""
        reason = f"{self.ref} runs with its owner's rights{path}{callers}"
        return (Hazard(hazard=HazardKind.WEAKENS_SECURITY, reason=reason),)

    @property
    def is_definer_for_all(self) -> bool:
        """Whether PUBLIC may execute a SECURITY DEFINER routine."""
        return self.security == "definer" and PUBLIC in (self.grants or {})

    def _statement(self, verb: str, hazards: tuple[Hazard, ...]) -> Statement:
        lines = [
            self._head(verb),
            *([raw(result)] if (result := self._result()) else []),
            compose("LANGUAGE {}", self.language),
            *self._transforms(),
            *map(raw, self._attributes()),
            *([raw("SECURITY DEFINER")] if self.security == "definer" else []),
            *self._settings(),
            self._source(),
        ]
        return Statement(sql=text(joined(lines, by="\n")), hazards=hazards)

    def _head(self, verb: str) -> sql.Composable:
        routine = name(self.ref.schema, self.ref.name)
        return compose(
            "{} {} {}({})", raw(verb), raw(self.grant_class), routine, raw(self.arguments)
        )

    def _transforms(self) -> Iterable[sql.Composable]:
        if self.transform:
            types = joined(compose("FOR TYPE {}", raw(t)) for t in self.transform)
            yield compose("TRANSFORM {}", types)

    def _settings(self) -> Iterable[sql.Composable]:
        for key, value in self.set.items():
            yield compose("SET {} TO {}", name(*key.split(".")), setting_value(key, value))

    def _source(self) -> sql.Composable:
        if self.library is not None:
            return compose("AS {}, {}", literal(self.library), literal(self.body or self.ref.name))
        if self._is_sql_standard:
            return raw(self.body)
        return compose("AS {}", quoted(self.body))


class Function(Routine):
    """A function; the YAML key is the name with the arguments."""

    kind: ClassVar[str] = "function"
    section: ClassVar[str] = "functions"
    oid_column: ClassVar[str] = "pg_proc.oid"
    own_rows: ClassVar[str] = f"prokind IN ('f', 'w') AND {outside_system('pronamespace')}"
    omitted_is_default: ClassVar[bool] = False
    grant_class: ClassVar[str] = "FUNCTION"
    sql_fields: ClassVar[tuple[str, ...]] = ("body", "returns")

    returns: TypeName | None = Field(
        default=None, description="the result type; left out if OUT arguments determine it"
    )
    window: bool = Field(default=False, description="a window function, which only C can be")
    volatility: Literal["immutable", "stable", "volatile"] = Field(
        default="volatile", description="whether equal arguments give equal results"
    )
    strict: bool = Field(
        default=False, description="returns null for any null argument, without a call"
    )
    leakproof: bool = Field(
        default=False, description="reveals nothing about arguments except by the result"
    )
    parallel: Literal["unsafe", "restricted", "safe"] = Field(
        default="unsafe", description="whether parallel queries may call the function"
    )
    cost: float | None = Field(
        default=None, description="estimated cost of a call, in units of cpu_operator_cost"
    )
    rows: float | None = Field(
        default=None, description="estimated number of rows of a set-returning function"
    )
    support: QualifiedName | None = Field(
        default=None, description="the planner support function: schema.name"
    )

    @classmethod
    def catalog(cls, server: Server) -> str:
        return f"""
            SELECT {_COMMON_COLUMNS}, pg_get_function_result(p.oid) AS returns,
                   p.prokind = 'w' AS window,
                   CASE p.provolatile WHEN 'i' THEN 'immutable' WHEN 's' THEN 'stable'
                        ELSE 'volatile' END AS volatility,
                   p.proisstrict AS strict, p.proleakproof AS leakproof,
                   CASE p.proparallel WHEN 's' THEN 'safe' WHEN 'r' THEN 'restricted'
                        ELSE 'unsafe' END AS parallel,
                   nullif(p.procost::text::float8,
                          CASE WHEN l.lanname IN ('c', 'internal') THEN 1 ELSE 100 END) AS cost,
                   nullif(p.prorows::text::float8,
                          CASE WHEN p.proretset THEN 1000 ELSE 0 END) AS rows,
                   nullif(p.prosupport, 0)::regproc::text AS support,
                   {object_grants("p.proacl", "f", "p.proowner")} AS grants
            FROM pg_proc AS p
            JOIN pg_namespace AS n ON n.oid = p.pronamespace
            JOIN pg_language AS l ON l.oid = p.prolang
            WHERE p.prokind IN ('f', 'w') AND {managed("pg_proc", "p.oid", "n.nspname")}
                  AND NOT EXISTS (SELECT FROM pg_depend AS i WHERE i.classid = 'pg_proc'::regclass
                                  AND i.objid = p.oid
                                         AND i.deptype = 'i' AND i.refclassid = 'pg_type'::regclass)
                  AND NOT EXISTS (SELECT FROM pg_trigger AS t
                                  WHERE t.tgfoid = p.oid AND ({is_fill_trigger("t", "p")}
                                                              OR {is_shadow_trigger("t", "p")}))
            ORDER BY n.nspname, p.proname, p.oid"""

    def fragments(self) -> Iterator[Fragment]:
        yield from super().fragments()
        yield from fragments_in("support", NAME, self.support)
        if table := _TABLE.match(self.returns or ""):
            yield Fragment("returns", RETURNED_TABLE, (self.returns or "")[table.end() :])
        else:
            yield from fragments_in("returns", RETURNS, self.returns)

    def _result(self) -> str:
        return "" if self.returns is None else f"RETURNS {self.returns}"

    def redefine(self, old: Self, context: PlanningContext) -> Iterable[Statement] | None:
        return super().redefine(old, context) if self.window == old.window else None

    def _empty(self) -> Self:
        """Return null, or no rows: a check of null is passed."""
        changed = {"leakproof": False, "support": None}  # these need a superuser
        if self.language == "sql":  # PostgreSQL may inline the body, and then judges that instead
            changed |= {"volatility": "immutable"}
        has_value = not _OUT.search(self.arguments) and not _NO_VALUE.match(self.returns or "")
        body = f"BEGIN RETURN{' NULL' if has_value else ''}; END"
        return super()._empty().model_copy(update={**changed, "body": body})

    def _attributes(self) -> Iterable[str]:
        if self.window:
            yield "WINDOW"
        if self.volatility != "volatile":
            yield self.volatility.upper()
        if self.strict:
            yield "STRICT"
        if self.leakproof:
            yield "LEAKPROOF"
        if self.parallel != "unsafe":
            yield f"PARALLEL {self.parallel.upper()}"
        if self.cost is not None:
            yield f"COST {_number(self.cost)}"
        if self.rows is not None:
            yield f"ROWS {_number(self.rows)}"
        if self.support is not None:
            yield f"SUPPORT {self.support}"


class Procedure(Routine):
    """A procedure; the YAML key is the name with the arguments."""

    kind: ClassVar[str] = "procedure"
    section: ClassVar[str] = "procedures"
    oid_column: ClassVar[str] = "pg_proc.oid"
    own_rows: ClassVar[str] = "prokind = 'p'"
    omitted_is_default: ClassVar[bool] = False
    grant_class: ClassVar[str] = "PROCEDURE"

    @classmethod
    def catalog(cls, server: Server) -> str:
        return f"""
            SELECT {_COMMON_COLUMNS}, {object_grants("p.proacl", "f", "p.proowner")} AS grants
            FROM pg_proc AS p
            JOIN pg_namespace AS n ON n.oid = p.pronamespace
            JOIN pg_language AS l ON l.oid = p.prolang
            WHERE p.prokind = 'p' AND {managed("pg_proc", "p.oid", "n.nspname")}
            ORDER BY n.nspname, p.proname, p.oid"""


def _has_open_search_path(routine: Routine) -> bool:
    """Return whether callers choose the search_path of a SECURITY DEFINER routine."""
    return routine.security == "definer" and "search_path" not in routine.set


def quoted(body: str) -> sql.Composable:
    """Quote a body by dollar quotes that do not occur in the body."""
    tag = "$function$"
    while tag in body + "$":
        tag = tag[:-1] + "_$"
    return sql.SQL("").join([sql.SQL(tag), sql.SQL(cast("Any", body)), sql.SQL(tag)])


def _number(value: float) -> str:
    """Return the shortest spelling of the same number: 100, 0.0025."""
    return repr(value).removesuffix(".0")


def _can_replace(before: tuple[str, str, str], after: tuple[str, str, str]) -> bool:
    """Return whether CREATE OR REPLACE accepts a parameter: mode, name and type."""
    mode, name_, type_ = after
    can_rename = not before[1] and mode in ("in", "variadic")
    return (mode, type_) == (before[0], before[2]) and (name_ == before[1] or can_rename)
