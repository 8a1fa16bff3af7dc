"""Event triggers: https://www.postgresql.org/docs/current/sql-createeventtrigger.html"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar, Literal, Self

from psycopg import sql
from pydantic import Field

from reconciler.model.catalog_sql import FIRING_CLAUSES, NOT_MANAGED, address, firing_mode
from reconciler.model.clauses import CALL, Clause
from reconciler.model.markers import FiresOnDdl
from reconciler.model.object import Object, PlanningContext
from reconciler.model.owned import Owned
from reconciler.model.spelling import Call
from reconciler.model.statement import Statement
from reconciler.server.capabilities import Server
from reconciler.sql import compose, joined, literal, name, raw, text


class EventTrigger(FiresOnDdl, Owned):
    """An event trigger, fired by DDL commands or a login."""

    kind: ClassVar[str] = "event_trigger"
    other_keys: ClassVar[Mapping[str, str]] = {
        "execute_function": "execute",
        "execute_procedure": "execute",
    }
    section: ClassVar[str] = "event_triggers"
    oid_column: ClassVar[str] = "pg_event_trigger.oid"
    schemaless: ClassVar[bool] = True
    omitted_is_default: ClassVar[bool] = True
    sql_fields: ClassVar[tuple[str, ...]] = ("execute",)
    sql_clauses: ClassVar[Mapping[str, Clause]] = {"execute": CALL}

    event: Literal["ddl_command_start", "ddl_command_end", "sql_drop", "table_rewrite", "login"] = (
        Field(
            alias="on", description="the event that fires the trigger; `login` since PostgreSQL 17"
        )
    )
    tags: tuple[str, ...] = Field(
        default=(), description="the command tags that fire the trigger (WHEN TAG IN); none: all"
    )
    execute: Call = Field(description="the function to execute: f()")
    enabled: Literal["origin", "disabled", "replica", "always"] = Field(
        default="origin",
        description="by session_replication_role, the sessions in which the trigger fires",
    )

    @classmethod
    def catalog(cls, server: Server) -> str:
        return f"""
            SELECT t.evtname AS name, pg_get_userbyid(t.evtowner)::text AS owner,
                   ARRAY[{address("pg_event_trigger", "t.oid")}] AS addresses, t.evtevent AS on,
                   coalesce(t.evttags, '{{}}') AS tags,
                   format('%I.%I()', n.nspname, p.proname) AS execute,
                   {firing_mode("t.evtenabled")} AS enabled
            FROM pg_event_trigger AS t
            JOIN pg_proc AS p ON p.oid = t.evtfoid
            JOIN pg_namespace AS n ON n.oid = p.pronamespace
            WHERE n.nspname NOT IN ({NOT_MANAGED}) AND NOT EXISTS (
                SELECT FROM pg_depend AS e
                WHERE e.classid = 'pg_event_trigger'::regclass AND e.objid = t.oid
                      AND e.deptype = 'e')
            ORDER BY t.evtname"""

    def sql_name(self) -> sql.Composable:
        return name(self.ref.name)

    def required_versions(self) -> Mapping[str, int]:
        return {"on": 17} if self.event == "login" else {}

    def define(self, context: PlanningContext, parts: Sequence[Object] = ()) -> Iterable[Statement]:
        tags = joined(literal(t.upper()) for t in self.tags)
        command = compose(
            "CREATE EVENT TRIGGER {} ON {}{} EXECUTE FUNCTION {}",
            self.ref.name,
            self.event,
            compose(" WHEN TAG IN ({})", tags) if self.tags else raw(""),
            raw(self.execute),
        )
        yield Statement(sql=text(command))
        yield from self._enable("origin")

    def redefine(self, old: Self, context: PlanningContext) -> Iterable[Statement] | None:
        if self.model_copy(update={"enabled": old.enabled}) != old:
            return None
        return self._enable(old.enabled)

    def _enable(self, before: str) -> Iterable[Statement]:
        if self.enabled != before:
            clause = raw(FIRING_CLAUSES[self.enabled])
            yield Statement(sql=text(compose("ALTER EVENT TRIGGER {} {}", self.ref.name, clause)))
