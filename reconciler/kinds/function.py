"""Functions: https://www.postgresql.org/docs/current/sql-createfunction.html"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Literal, Self, cast

from psycopg import sql
from pydantic import Field, field_validator

from reconciler.catalog import address, granted, ours
from reconciler.connection import Connection, Row, Server, rows, run
from reconciler.ref import Ref
from reconciler.state import Granted, Object, Situation
from reconciler.statement import Danger, Hazard, Statement, compose, joined, name, raw, split_commas, text

# Settings whose value is a list of names, each quoted by itself: GUC_LIST_QUOTE in PostgreSQL's guc_tables.c.
LISTS = frozenset({"search_path", "temp_tablespaces", "session_preload_libraries", "shared_preload_libraries", "local_preload_libraries"})
_ATOMIC = re.compile(r"\s*(BEGIN\s+ATOMIC|RETURN)\b", re.I)


class Function(Granted):
    """A function; its YAML key is its name with its arguments."""

    kind: ClassVar[str] = "function"
    section: ClassVar[str] = "functions"
    grant_class: ClassVar[str] = "FUNCTION"
    public_by_default: ClassVar[tuple[str, ...]] = ("execute",)
    written: ClassVar[tuple[str, ...]] = ("body", "returns")

    arguments: str = Field(default="", json_schema_extra={"derived": True})
    returns: str | None = Field(default=None, description="the result type; none where OUT arguments say it")
    language: str = "sql"
    body: str = Field(default="", description="the text, or SQL that begins with BEGIN ATOMIC or RETURN")
    volatility: Literal["immutable", "stable", "volatile"] = "volatile"
    security: Literal["invoker", "definer"] = Field(default="invoker", description="whose rights it runs with")
    strict: bool = Field(default=False, description="null for any null argument, without a call")
    leakproof: bool = False
    parallel: Literal["unsafe", "restricted", "safe"] = "unsafe"
    cost: float | None = Field(default=None, description="of one call, in units of cpu_operator_cost")
    rows: float | None = Field(default=None, description="expected of a set-returning function")
    set: dict[str, str] = Field(default_factory=dict, description="settings in force while it runs")

    @field_validator("set", mode="before")
    @classmethod
    def _as_text(cls, value: object) -> object:
        if not isinstance(value, Mapping):
            return value
        words = {True: "on", False: "off"}
        given = cast("Mapping[object, object]", value)
        return {k: words[v] if isinstance(v, bool) else str(v) if isinstance(v, int | float) else v for k, v in given.items()}

    @classmethod
    def catalog(cls, server: Server) -> str:
        return f"""
            SELECT n.nspname AS schema, p.proname AS name, ARRAY[{address("pg_proc", "p.oid")}] AS addresses,
                   array_to_string(ARRAY(SELECT format_type(t, NULL) FROM unnest(p.proargtypes) WITH ORDINALITY AS u(t, o)
                                         ORDER BY o), ', ') AS arguments_identity,
                   pg_get_function_arguments(p.oid) AS arguments, pg_get_function_result(p.oid) AS returns,
                   l.lanname AS language, coalesce(pg_get_function_sqlbody(p.oid), p.prosrc) AS body,
                   CASE p.provolatile WHEN 'i' THEN 'immutable' WHEN 's' THEN 'stable' ELSE 'volatile' END AS volatility,
                   CASE WHEN p.prosecdef THEN 'definer' ELSE 'invoker' END AS security,
                   p.proisstrict AS strict, p.proleakproof AS leakproof,
                   CASE p.proparallel WHEN 's' THEN 'safe' WHEN 'r' THEN 'restricted' ELSE 'unsafe' END AS parallel,
                   nullif(p.procost, CASE WHEN l.lanname IN ('c', 'internal') THEN 1 ELSE 100 END) AS cost,
                   nullif(nullif(p.prorows, 0), 1000) AS rows, p.proconfig AS set,
                   {granted("p.proacl", "f", "p.proowner")} AS grants
            FROM pg_proc AS p
            JOIN pg_namespace AS n ON n.oid = p.pronamespace
            JOIN pg_language AS l ON l.oid = p.prolang
            WHERE p.prokind = 'f' AND l.lanname NOT IN ('c', 'internal') AND {ours("pg_proc", "p.oid", "n.nspname")}
            ORDER BY n.nspname, p.proname, p.oid"""

    @classmethod
    def from_row(cls, ref: Ref, row: Row) -> Self:
        settings = dict(s.split("=", 1) for s in row.pop("set") or ())
        return cls(ref=ref, set={k: _plain(k, v) for k, v in settings.items()}, **row)

    @classmethod
    def entry(cls, key: str, body: object) -> tuple[str, object]:
        own, bracket, arguments = key.partition("(")
        if not bracket or not key.endswith(")"):
            raise ValueError(f"a function is named with its arguments: {key}()")
        fields = cast("dict[str, Any]", body) if isinstance(body, dict) else {}
        return own.strip(), fields | {"arguments": arguments[:-1].strip()}

    def identify(self, connection: Connection) -> Ref:
        """Let PostgreSQL read the arguments: make an empty function of them where nobody sees it."""
        probe = f'pg_temp."{self.ref.name.replace(chr(34), chr(34) * 2)}"'
        returns = f"RETURNS {self.returns}" if self.returns else ""
        run(connection, f"CREATE FUNCTION {probe}({self.arguments}) {returns} LANGUAGE plpgsql AS ''")
        found = rows(
            connection,
            """SELECT p.oid::regprocedure::text AS probe, array_to_string(ARRAY(
                   SELECT format_type(t, NULL) FROM unnest(p.proargtypes) WITH ORDINALITY AS u(t, o) ORDER BY o), ', ') AS arguments
               FROM pg_proc AS p WHERE p.proname = %s AND p.pronamespace = pg_my_temp_schema()""",
            [self.ref.name],
        )
        run(connection, f"DROP FUNCTION {found[0]['probe']}")
        return Ref(self.kind, self.ref.schema, self.ref.name, None, found[0]["arguments"])

    def sql_name(self) -> sql.Composable:
        return compose("{}({})", name(self.ref.schema, self.ref.name), raw(self.ref.arguments or ""))

    def define(self, on: Situation, parts: Sequence[Object] = ()) -> Iterable[Statement]:
        exposed = self.security == "definer" and "search_path" not in self.set
        why = f"{self.ref} runs with its owner's rights and a search_path of its caller's choice"
        yield self._statement("CREATE FUNCTION", (Danger(hazard=Hazard.WEAKENS_SECURITY, reason=why),) if exposed else ())

    def redefine(self, old: Self, on: Situation) -> Iterable[Statement] | None:
        if (self.returns, self.arguments) != (old.returns, old.arguments):
            return None
        turned = self.security == "definer" and old.security != "definer"
        definer = turned or (self.security == "definer" and "search_path" in old.set and "search_path" not in self.set)
        path = "" if "search_path" in self.set else " and a search_path of its caller's choice"
        why = f"{self.ref} will run with its owner's rights{path}"
        return [self._statement("CREATE OR REPLACE FUNCTION", (Danger(hazard=Hazard.WEAKENS_SECURITY, reason=why),) if definer else ())]

    def _statement(self, verb: str, dangers: tuple[Danger, ...]) -> Statement:
        words: list[sql.Composable] = [compose("{} {}({})", raw(verb), name(self.ref.schema, self.ref.name), raw(self.arguments))]
        if self.returns is not None:
            words.append(compose("RETURNS {}", raw(self.returns)))
        words.append(compose("LANGUAGE {}", self.language))
        words += [raw(w) for w in self._attributes()]
        words += [compose("SET {} TO {}", name(*k.split(".")), _setting(k, v)) for k, v in self.set.items()]
        words.append(raw(self.body) if self.language == "sql" and _ATOMIC.match(self.body) else compose("AS {}", quoted(self.body)))
        return Statement(sql=text(joined(words, by="\n")), dangers=dangers)

    def _attributes(self) -> Iterable[str]:
        if self.volatility != "volatile":
            yield self.volatility.upper()
        if self.strict:
            yield "STRICT"
        if self.leakproof:
            yield "LEAKPROOF"
        if self.security == "definer":
            yield "SECURITY DEFINER"
        if self.parallel != "unsafe":
            yield f"PARALLEL {self.parallel.upper()}"
        if self.cost is not None:
            yield f"COST {self.cost:g}"
        if self.rows is not None:
            yield f"ROWS {self.rows:g}"


def quoted(body: str) -> sql.Composable:
    """A body between dollar quotes that it does not contain."""
    tag = "$function$"
    while tag in body + "$":
        tag = tag[:-1] + "_$"
    return sql.SQL("").join([sql.SQL(tag), sql.SQL(cast("Any", body)), sql.SQL(tag)])


def _plain(setting: str, value: str) -> str:
    """A stored setting as a person would write it: the list `""` is the empty one."""
    return "" if setting in LISTS and value == '""' else value


def _setting(setting: str, value: str) -> sql.Composable:
    if setting not in LISTS:
        return sql.Literal(value)
    names = [n[1:-1].replace('""', '"') if n.startswith('"') else n for n in split_commas(value)]
    return joined(sql.Literal(n) for n in names or [""])
