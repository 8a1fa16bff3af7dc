"""Rewrite rules: https://www.postgresql.org/docs/current/sql-createrule.html"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal, Self

from psycopg import sql
from pydantic import Field

from reconciler.model.catalog_sql import (
    FIRING_CLAUSES,
    RELATION_KIND,
    address,
    firing_mode,
    managed,
)
from reconciler.model.clauses import EXPRESSION, RULE_ACTION, Clause, Fragment
from reconciler.model.object import Object, PlanningContext
from reconciler.model.ref import Ref
from reconciler.model.spelling import Sql
from reconciler.model.statement import Statement
from reconciler.server.capabilities import Server
from reconciler.server.connection import Row
from reconciler.sql import compose, joined, name, raw, text

NOTHING = ("nothing",)
# a quoted text or one character, as PostgreSQL prints rules
_T = r"""(?:'(?:''|[^'])*'|"(?:""|[^"])*"|[^'"])"""
_DEFINITION = re.compile(
    rf"CREATE RULE {_T}+? TO {_T}+?(?:\s+WHERE (?P<where>{_T}+?))?"
    rf" DO(?: INSTEAD)?\s(?P<do>{_T}+);\Z",
    re.S,
)
_ACTION = re.compile(rf"({_T}+?);\n", re.S)


class Rule(Object):
    """A rewrite rule of a table or view, other than a view's `_RETURN`."""

    kind: ClassVar[str] = "rule"
    section: ClassVar[str] = "rules"
    oid_column: ClassVar[str] = "pg_rewrite.oid"
    own_rows: ClassVar[str] = "rulename <> '_RETURN'"
    parent_kinds: ClassVar[tuple[str, ...]] = ("table", "view")
    omitted_is_default: ClassVar[bool] = True
    sql_fields: ClassVar[tuple[str, ...]] = ("where", "do")
    sql_clauses: ClassVar[Mapping[str, Clause]] = {"where": EXPRESSION}

    event: Literal["select", "insert", "update", "delete"] = Field(
        alias="on", description="the rewritten command"
    )
    where: Sql | None = Field(
        default=None, description="a condition on OLD and NEW for the rule to apply"
    )
    instead: bool = Field(
        default=False, description="true: the commands replace the original one (DO INSTEAD)"
    )
    do: tuple[Sql, ...] = Field(default=NOTHING, description="the commands to run, or `nothing`")
    enabled: Literal["origin", "disabled", "replica", "always"] = Field(
        default="origin",
        description="by session_replication_role, the sessions in which the rule applies",
    )

    @classmethod
    def catalog(cls, server: Server) -> str:
        return f"""
            SELECT n.nspname AS schema, r.rulename AS name, {RELATION_KIND} AS on_kind,
                   c.relname AS on_name,
                   ARRAY[{address("pg_rewrite", "r.oid")}] AS addresses,
                   pg_get_ruledef(r.oid) AS definition,
                   CASE r.ev_type WHEN '1' THEN 'select' WHEN '2' THEN 'update'
                        WHEN '3' THEN 'insert' ELSE 'delete' END AS on,
                   r.is_instead AS instead,
                   {firing_mode("r.ev_enabled")} AS enabled
            FROM pg_rewrite AS r
            JOIN pg_class AS c ON c.oid = r.ev_class
            JOIN pg_namespace AS n ON n.oid = c.relnamespace
            WHERE r.rulename <> '_RETURN' AND {managed("pg_class", "c.oid", "n.nspname")}
            ORDER BY n.nspname, c.relname, r.rulename"""

    @classmethod
    def from_row(cls, ref: Ref, row: Row) -> Self:
        match = _DEFINITION.match(row.pop("definition"))
        assert match is not None
        return cls(ref=ref, where=match["where"], do=_actions(match["do"]), **row)

    @classmethod
    def short_form(cls, body: dict[str, Any]) -> object:
        return {k: v[0] if k == "do" and len(v) == 1 else v for k, v in body.items()}

    def define(self, context: PlanningContext, parts: Sequence[Object] = ()) -> Iterable[Statement]:
        yield self._statement("CREATE")
        yield from self._enable("origin")

    def redefine(self, old: Self, context: PlanningContext) -> Iterable[Statement] | None:
        """Replace the rule if changed; the replaced rule stays enabled or disabled."""
        if self.model_copy(update={"enabled": old.enabled}) != old:
            yield self._statement("CREATE OR REPLACE")
        yield from self._enable(old.enabled)

    def fragments(self) -> Iterator[Fragment]:
        yield from super().fragments()
        yield from (
            Fragment("do", RULE_ACTION, c) for c in self._actions() if not self._does_nothing
        )

    @property
    def _does_nothing(self) -> bool:
        return len(self.do) == 1 and self.do[0].strip().lower() == NOTHING[0]

    def _actions(self) -> list[str]:
        return [c.strip().rstrip(";") for c in self.do]

    @property
    def _table(self) -> sql.Composable:
        assert self.ref.on is not None
        return name(self.ref.on.schema, self.ref.on.name)

    def _statement(self, verb: str) -> Statement:
        event = raw(self.event.upper())
        clauses: list[sql.Composable] = [
            compose("{} RULE {} AS ON {} TO {}", raw(verb), self.ref.name, event, self._table)
        ]
        if self.where is not None:
            clauses.append(compose("WHERE {}", raw(self.where)))
        clauses.append(raw("DO INSTEAD" if self.instead else "DO ALSO"))
        clauses.append(self._commands())
        return Statement(
            sql=text(joined(clauses, by=" ")), lock="ACCESS EXCLUSIVE", relation=self.stands_on
        )

    def _commands(self) -> sql.Composable:
        commands = [raw(c) for c in self._actions()]
        if len(commands) != 1:
            return compose("(\n{}\n)", joined(commands, by=";\n"))
        return raw("NOTHING") if self._does_nothing else commands[0]

    def _enable(self, before: str) -> Iterable[Statement]:
        if self.enabled != before:
            command = compose(
                "ALTER TABLE {} {} RULE {}",
                self._table,
                raw(FIRING_CLAUSES[self.enabled]),
                self.ref.name,
            )
            yield Statement(sql=text(command), lock="ACCESS EXCLUSIVE", relation=self.stands_on)


def _actions(printed: str) -> tuple[str, ...]:
    """Split the commands of a printed rule; several stand in parentheses, on lines of their own."""
    if printed.startswith("(") and printed.endswith(";\n)"):
        return tuple(c.strip() for c in _ACTION.findall(printed[1:-1]))
    return NOTHING if printed.strip() == "NOTHING" else (printed.strip(),)
