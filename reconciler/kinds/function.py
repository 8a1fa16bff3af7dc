"""Functions and procedures: https://www.postgresql.org/docs/current/sql-createfunction.html"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Literal, Self, cast

from psycopg import sql
from pydantic import Field, field_validator

from reconciler.model.catalog_sql import address, managed, object_grants
from reconciler.model.declared import Overloaded
from reconciler.model.object import Object, PlanningContext
from reconciler.model.owned import Granted
from reconciler.model.ref import Ref
from reconciler.model.reserved_names import is_fill_trigger, is_shadow_trigger
from reconciler.model.statement import Hazard, HazardKind, Statement
from reconciler.server.capabilities import Server
from reconciler.server.connection import Connection, Row, rows, run_sql
from reconciler.sql import compose, joined, literal, name, raw, split_commas, text

# Settings whose value is a list of names, each quoted by itself: GUC_LIST_QUOTE in PostgreSQL's guc_tables.c.
LISTS = frozenset(
    {
        "search_path",
        "temp_tablespaces",
        "session_preload_libraries",
        "shared_preload_libraries",
        "local_preload_libraries",
    }
)
FOREIGN = frozenset({"c", "internal"})  # languages whose body is a symbol
_DEFAULT = re.compile(r"""((?:"(?:""|[^"])*"|[^"'=])*?)(?:\s+default\b|\s*:?=).*""", re.I | re.S)
_ATOMIC = re.compile(r"\s*(BEGIN\s+ATOMIC|RETURN)\b", re.I)
_MODES = "CASE u.m WHEN 'i' THEN 'in' WHEN 'o' THEN 'out' WHEN 'b' THEN 'inout' WHEN 'v' THEN 'variadic' ELSE 'table' END"
_SHARED = f"""
    n.nspname AS schema, p.proname AS name, pg_get_userbyid(p.proowner)::text AS owner,
    ARRAY[{address("pg_proc", "p.oid")}] AS addresses,
    array_to_string(ARRAY(SELECT format_type(t, NULL)
                          FROM unnest(p.proargtypes) WITH ORDINALITY AS u(t, o) ORDER BY o), ', ')
        AS arguments_identity,
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


class Routine(Overloaded, Granted):
    """What functions and procedures share; the YAML key is the name with the arguments."""

    shared_namespace: ClassVar[str] = "routine"
    public_by_default: ClassVar[tuple[str, ...]] = ("execute",)
    sql_fields: ClassVar[tuple[str, ...]] = ("body",)

    parameters: tuple[tuple[str, str, str], ...] = Field(
        default=(), json_schema_extra={"derived": True}
    )
    defaults: int = Field(default=0, json_schema_extra={"derived": True})
    language: str = "sql"
    body: str = Field(
        default="",
        description="the text, or SQL that begins with BEGIN ATOMIC or RETURN; in C the symbol",
    )
    library: str | None = Field(default=None, description="the file that holds it, in C")
    security: Literal["invoker", "definer"] = Field(
        default="invoker", description="whose rights it runs with"
    )
    transform: tuple[str, ...] = Field(
        default=(), description="types that the language's transforms hand over"
    )
    set: dict[str, str] = Field(default_factory=dict, description="settings in force while it runs")

    @field_validator("set", mode="before")
    @classmethod
    def _as_text(cls, value: object) -> object:
        if not isinstance(value, Mapping):
            return value
        words = {True: "on", False: "off"}
        given = cast("Mapping[object, object]", value)
        return {
            k: words[v] if isinstance(v, bool) else str(v) if isinstance(v, int | float) else v
            for k, v in given.items()
        }

    @classmethod
    def from_row(cls, ref: Ref, row: Row) -> Self:
        settings = dict(s.split("=", 1) for s in row.pop("set") or ())
        return cls(ref=ref, set={k: _plain(k, v) for k, v in settings.items()}, **row)

    @classmethod
    def entry(cls, key: str, body: object) -> tuple[str, object]:
        own, bracket, arguments = key.partition("(")
        if not bracket or not key.endswith(")"):
            raise ValueError(f"a {cls.kind} is named with its arguments: {key}()")
        fields = cast("dict[str, Any]", body) if isinstance(body, dict) else {}
        return own.strip(), fields | {"arguments": arguments[:-1].strip()}

    def identify(self, connection: Connection) -> Ref:
        """Let PostgreSQL read the arguments: make an empty routine of them where nobody sees it."""
        probe = f'pg_temp."{self.ref.name.replace(chr(34), chr(34) * 2)}"'
        body = (
            "LANGUAGE internal AS 'now'" if self.language in FOREIGN else "LANGUAGE plpgsql AS ''"
        )
        run_sql(
            connection,
            f"CREATE {self.grant_class} {probe}({self.arguments}) {self._result()} {body}",
        )
        run_sql(connection, "SET search_path TO ''")
        found = rows(
            connection,
            """SELECT p.oid::regprocedure::text AS probe, array_to_string(ARRAY(
                   SELECT format_type(t, NULL) FROM unnest(p.proargtypes) WITH ORDINALITY AS u(t, o)
                   ORDER BY o), ', ') AS arguments
               FROM pg_proc AS p WHERE p.proname = %s AND p.pronamespace = pg_my_temp_schema()""",
            [self.ref.name],
        )
        run_sql(connection, f"DROP ROUTINE {found[0]['probe']}")
        return Ref(self.kind, self.ref.schema, self.ref.name, None, found[0]["arguments"])

    def sql_name(self) -> sql.Composable:
        """Until PostgreSQL has read them, the arguments are as people wrote them, with defaults that no name has."""
        listed = (_DEFAULT.sub(r"\1", a) for a in split_commas(self.ref.arguments or ""))
        return compose("{}({})", name(self.ref.schema, self.ref.name), raw(", ".join(listed)))

    def define(self, context: PlanningContext, parts: Sequence[Object] = ()) -> Iterable[Statement]:
        yield self._statement("CREATE", self._exposed(None))

    def redefine(self, old: Self, context: PlanningContext) -> Iterable[Statement] | None:
        """Replace it, unless a caller would notice: https://www.postgresql.org/docs/current/sql-createfunction.html#SQL-CREATEFUNCTION-NOTES"""
        if (
            self._result() != old._result()
            or self.defaults < old.defaults
            or len(self.parameters) != len(old.parameters)
        ):
            return None
        for (mode, own, kind), before in zip(self.parameters, old.parameters, strict=True):
            named = own == before[1] or (not before[1] and mode in ("in", "variadic"))
            if (mode, kind) != (before[0], before[2]) or not named:
                return None
        return [self._statement("CREATE OR REPLACE", self._exposed(old))]

    # -- pieces ----------------------------------------------------------------------------------------------------

    def _result(self) -> str:
        """The RETURNS clause."""
        return ""

    def _attributes(self) -> Iterable[str]:
        return ()

    def _exposed(self, old: Self | None) -> tuple[Hazard, ...]:
        def open_to_all(routine: Self) -> bool:
            return routine.security == "definer" and "search_path" not in routine.set

        turned = old is not None and self.security == "definer" and old.security != "definer"
        widened = open_to_all(self) and (old is None or not open_to_all(old))
        path = " and a search_path of its caller's choice" if open_to_all(self) else ""
        why = f"{self.ref} runs with its owner's rights{path}"
        return (
            (Hazard(hazard=HazardKind.WEAKENS_SECURITY, reason=why),) if turned or widened else ()
        )

    def _statement(self, verb: str, hazards: tuple[Hazard, ...]) -> Statement:
        own = name(self.ref.schema, self.ref.name)
        words: list[sql.Composable] = [
            compose("{} {} {}({})", raw(verb), raw(self.grant_class), own, raw(self.arguments))
        ]
        if result := self._result():
            words.append(raw(result))
        words.append(compose("LANGUAGE {}", self.language))
        if self.transform:
            words.append(
                compose(
                    "TRANSFORM {}", joined(compose("FOR TYPE {}", raw(t)) for t in self.transform)
                )
            )
        words += [raw(w) for w in self._attributes()]
        if self.security == "definer":
            words.append(raw("SECURITY DEFINER"))
        words += [
            compose("SET {} TO {}", name(*k.split(".")), _setting(k, v))
            for k, v in self.set.items()
        ]
        words.append(self._source())
        return Statement(sql=text(joined(words, by="\n")), hazards=hazards)

    def _source(self) -> sql.Composable:
        if self.library is not None:
            return compose("AS {}, {}", literal(self.library), literal(self.body or self.ref.name))
        if self.language == "sql" and _ATOMIC.match(self.body):
            return raw(self.body)
        return compose("AS {}", quoted(self.body))


class Function(Routine):
    """A function; its YAML key is its name with its arguments."""

    kind: ClassVar[str] = "function"
    section: ClassVar[str] = "functions"
    oid_column: ClassVar[str] = ""
    omitted_is_default: ClassVar[bool] = False
    grant_class: ClassVar[str] = "FUNCTION"
    sql_fields: ClassVar[tuple[str, ...]] = ("body", "returns")

    returns: str | None = Field(
        default=None, description="the result type; none where OUT arguments say it"
    )
    window: bool = Field(default=False, description="a window function, in C")
    volatility: Literal["immutable", "stable", "volatile"] = "volatile"
    strict: bool = Field(default=False, description="null for any null argument, without a call")
    leakproof: bool = False
    parallel: Literal["unsafe", "restricted", "safe"] = "unsafe"
    cost: float | None = Field(
        default=None, description="of one call, in units of cpu_operator_cost"
    )
    rows: float | None = Field(default=None, description="expected of a set-returning function")
    support: str | None = Field(default=None, description="the function that advises the planner")

    @classmethod
    def catalog(cls, server: Server) -> str:
        return f"""
            SELECT {_SHARED}, pg_get_function_result(p.oid) AS returns, p.prokind = 'w' AS window,
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

    def _result(self) -> str:
        return "" if self.returns is None else f"RETURNS {self.returns}"

    def redefine(self, old: Self, context: PlanningContext) -> Iterable[Statement] | None:
        return super().redefine(old, context) if self.window == old.window else None

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
    """A procedure; its YAML key is its name with its arguments."""

    kind: ClassVar[str] = "procedure"
    section: ClassVar[str] = "procedures"
    oid_column: ClassVar[str] = ""
    omitted_is_default: ClassVar[bool] = False
    grant_class: ClassVar[str] = "PROCEDURE"

    @classmethod
    def catalog(cls, server: Server) -> str:
        return f"""
            SELECT {_SHARED}, {object_grants("p.proacl", "f", "p.proowner")} AS grants
            FROM pg_proc AS p
            JOIN pg_namespace AS n ON n.oid = p.pronamespace
            JOIN pg_language AS l ON l.oid = p.prolang
            WHERE p.prokind = 'p' AND {managed("pg_proc", "p.oid", "n.nspname")}
            ORDER BY n.nspname, p.proname, p.oid"""


def quoted(body: str) -> sql.Composable:
    """A body between dollar quotes that it does not contain."""
    tag = "$function$"
    while tag in body + "$":
        tag = tag[:-1] + "_$"
    return sql.SQL("").join([sql.SQL(tag), sql.SQL(cast("Any", body)), sql.SQL(tag)])


def _number(value: float) -> str:
    """As short as it reads back: 100, 0.0025."""
    return repr(value).removesuffix(".0")


def _plain(setting: str, value: str) -> str:
    """A stored setting as a person would write it: the list `""` is the empty one."""
    return "" if setting in LISTS and value == '""' else value


def _setting(setting: str, value: str) -> sql.Composable:
    if setting not in LISTS:
        return sql.Literal(value)
    names = [n[1:-1].replace('""', '"') if n.startswith('"') else n for n in split_commas(value)]
    return joined(sql.Literal(n) for n in names or [""])
