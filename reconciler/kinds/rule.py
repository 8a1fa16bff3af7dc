"""Rewrite rules: https://www.postgresql.org/docs/current/sql-createrule.html"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
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
from reconciler.model.object import Object, PlanningContext
from reconciler.model.ref import Ref
from reconciler.model.statement import Statement
from reconciler.server.capabilities import Server
from reconciler.server.connection import Row
from reconciler.sql import compose, joined, name, raw, text

NOTHING = ("nothing",)
_T = r"""(?:'(?:''|[^'])*'|"(?:""|[^"])*"|[^'"])"""  # a quoted piece or one character, as PostgreSQL prints them
_DEFINITION = re.compile(
    rf"CREATE RULE {_T}+? TO {_T}+?(?:\s+WHERE (?P<where>{_T}+?))? DO(?: INSTEAD)?\s(?P<do>{_T}+);\Z",
    re.S,
)
_ACTION = re.compile(rf"({_T}+?);\n", re.S)


class Rule(Object):
    """A rule of a table or view, other than the one that makes a view a view."""

    kind: ClassVar[str] = "rule"
    section: ClassVar[str] = "rules"
    oid_column: ClassVar[str] = ""
    parent_kinds: ClassVar[tuple[str, ...]] = ("table", "view")
    omitted_is_default: ClassVar[bool] = True
    sql_fields: ClassVar[tuple[str, ...]] = ("where", "do")

    event: Literal["select", "insert", "update", "delete"] = Field(
        alias="on", description="the command that it rewrites"
    )
    where: str | None = Field(
        default=None, description="a condition on OLD and NEW without which it does nothing"
    )
    instead: bool = Field(
        default=False, description="what it does replaces the command (DO INSTEAD)"
    )
    do: tuple[str, ...] = Field(default=NOTHING, description="the commands, or `nothing`")
    enabled: Literal["origin", "disabled", "replica", "always"] = Field(
        default="origin", description="in which sessions it applies"
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
        """Replace it where it differs; a replaced rule stays enabled or disabled, as it was."""
        if self.model_copy(update={"enabled": old.enabled}) != old:
            yield self._statement("CREATE OR REPLACE")
        yield from self._enable(old.enabled)

    # -- pieces ----------------------------------------------------------------------------------------------------

    @property
    def _table(self) -> sql.Composable:
        assert self.ref.on is not None
        return name(self.ref.on.schema, self.ref.on.name)

    def _statement(self, verb: str) -> Statement:
        words: list[sql.Composable] = [
            compose(
                "{} RULE {} AS ON {} TO {}",
                raw(verb),
                self.ref.name,
                raw(self.event.upper()),
                self._table,
            )
        ]
        if self.where is not None:
            words.append(compose("WHERE {}", raw(self.where)))
        words.append(raw("DO INSTEAD" if self.instead else "DO ALSO"))
        commands = [raw(c.strip().rstrip(";")) for c in self.do]
        if len(commands) == 1:
            words.append(
                raw("NOTHING") if self.do[0].strip().lower() == NOTHING[0] else commands[0]
            )
        else:
            words.append(compose("(\n{}\n)", joined(commands, by=";\n")))
        return Statement(
            sql=text(joined(words, by=" ")), lock="ACCESS EXCLUSIVE", relation=self.stands_on
        )

    def _enable(self, before: str) -> Iterable[Statement]:
        if self.enabled != before:
            words = compose(
                "ALTER TABLE {} {} RULE {}",
                self._table,
                raw(FIRING_CLAUSES[self.enabled]),
                self.ref.name,
            )
            yield Statement(sql=text(words), lock="ACCESS EXCLUSIVE", relation=self.stands_on)


def _actions(printed: str) -> tuple[str, ...]:
    """The commands of a rule; several are printed in brackets, each on lines of its own."""
    if printed.startswith("(") and printed.endswith(";\n)"):
        return tuple(c.strip() for c in _ACTION.findall(printed[1:-1]))
    return NOTHING if printed.strip() == "NOTHING" else (printed.strip(),)
