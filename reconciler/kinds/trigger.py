"""Triggers: https://www.postgresql.org/docs/current/sql-createtrigger.html"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Literal, Self, cast

from psycopg import sql
from pydantic import BaseModel, ConfigDict, Field, model_validator

from reconciler.model.catalog_sql import (
    FIRING_CLAUSES,
    RELATION_KIND,
    address,
    firing_mode,
    managed,
)
from reconciler.model.clauses import CALL, EVENT, EXPRESSION, NAME, Clause
from reconciler.model.inheritance import Overriding
from reconciler.model.names import unquoted
from reconciler.model.object import Object, PlanningContext
from reconciler.model.ref import Ref
from reconciler.model.reserved_names import is_fill_trigger, is_shadow_trigger
from reconciler.model.spelling import Call, Event, EventText, Name, QualifiedName, Sql
from reconciler.model.statement import Statement
from reconciler.model.successor import FollowsName
from reconciler.server.capabilities import Server
from reconciler.server.connection import Row
from reconciler.sql import closing, compose, joined, name, raw, text

TIMINGS = ("before", "after", "instead_of")
EVENTS = ("insert", "update", "delete", "truncate")
_OR = re.compile(r"""\s+or\s+(?=(?:insert|update|delete|truncate)\b)""", re.I)
_UPDATE_OF = re.compile(r"update\s+of\s", re.I)


class Referencing(BaseModel):
    """Names of the transition tables: all rows before and after the statement."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    old_table: Name | None = Field(default=None, description="rows before the statement")
    new_table: Name | None = Field(default=None, description="rows after the statement")


class Trigger(Overriding, FollowsName):
    """A trigger; exactly one of `before`, `after` and `instead_of` lists the events.

    A partition inherits the parent's triggers, and lists a trigger only if enabled differently.
    """

    kind: ClassVar[str] = "trigger"
    other_keys: ClassVar[Mapping[str, str]] = {
        "execute_function": "execute",
        "execute_procedure": "execute",
    }
    adjusted: ClassVar[frozenset[str]] = frozenset({"inherited"})
    section: ClassVar[str] = "triggers"
    oid_column: ClassVar[str] = "pg_trigger.oid"
    parent_kinds: ClassVar[tuple[str, ...]] = ("table", "view", "foreign_table")
    omitted_is_default: ClassVar[bool] = True
    sql_fields: ClassVar[tuple[str, ...]] = (
        "when",
        "execute",
        "before",
        "after",
        "instead_of",
        "from_table",
    )
    sql_clauses: ClassVar[Mapping[str, Clause]] = {
        "before": EVENT,
        "after": EVENT,
        "instead_of": EVENT,
        "from_table": NAME,
        "when": EXPRESSION,
        "execute": CALL,
    }

    exactly_one: ClassVar[tuple[tuple[str, ...], ...]] = (
        (*TIMINGS, "inherited"),
        ("execute", "inherited"),
    )
    not_with: ClassVar[Mapping[str, tuple[str, ...]]] = dict.fromkeys(
        (*TIMINGS, "constraint", "from_table", "deferrable", "referencing", "for_each", "when"),
        ("inherited",),
    )

    constraint: bool = Field(
        default=False, description="a constraint trigger, which can be deferred"
    )
    before: tuple[Event, ...] = Field(
        default=(), description="events: insert, update, update of a, b, delete, truncate"
    )
    after: tuple[Event, ...] = Field(default=(), description="events, as of `before`")
    instead_of: tuple[Event, ...] = Field(
        default=(), description="events, as of `before`; for views"
    )
    from_table: QualifiedName | None = Field(
        default=None, alias="from", description="the referenced table of a constraint trigger"
    )
    deferrable: Literal["immediate", "deferred"] | None = Field(
        default=None,
        description="a constraint trigger can fire at the end of the transaction: initially …",
    )
    referencing: Referencing | None = Field(
        default=None, description="names of the transition tables"
    )
    for_each: Literal["row", "statement"] = Field(
        default="statement", description="fires once for each row or once for each statement"
    )
    when: Sql | None = Field(
        default=None, description="a condition on OLD and NEW for the trigger to fire"
    )
    execute: Call = Field(default="", description="the function with its arguments: f() or f('a')")
    enabled: Literal["origin", "disabled", "replica", "always"] = Field(
        default="origin",
        description="by session_replication_role, the sessions in which the trigger fires",
    )
    inherited: bool = Field(
        default=False, description="the trigger is the parent's; the partition sets only `enabled`"
    )
    parents_enabled: str = Field(default="origin", json_schema_extra={"derived": True})

    @model_validator(mode="after")
    def _one_timing(self) -> Self:
        if not self.inherited and sum(bool(getattr(self, t)) for t in TIMINGS) != 1:
            raise ValueError(
                "a trigger has exactly one of: before, after, instead_of; it lists the events"
            )
        if self.inherited == bool(self.execute):
            raise ValueError("a trigger executes a function, unless it is inherited")
        return self

    @classmethod
    def catalog(cls, server: Server) -> str:
        return f"""
            SELECT n.nspname AS schema, t.tgname AS name, {RELATION_KIND} AS on_kind,
                   c.relname AS on_name,
                   ARRAY[{address("pg_trigger", "t.oid")},
                         {address("pg_constraint", "t.tgconstraint")}] AS addresses,
                   pg_get_triggerdef(t.oid) AS definition, t.tgconstraint <> 0 AS constraint,
                   CASE WHEN t.tgtype & 2 <> 0 THEN 'before'
                        WHEN t.tgtype & 64 <> 0 THEN 'instead_of' ELSE 'after' END AS timing,
                   t.tgtype::int AS type,
                   CASE WHEN t.tgtype & 1 <> 0 THEN 'row' ELSE 'statement' END AS for_each,
                   ARRAY(SELECT quote_ident(a.attname)
                         FROM unnest(t.tgattr::int2[]) WITH ORDINALITY AS u(n, o)
                         JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = u.n
                         ORDER BY u.o) AS columns,
                   (SELECT format('%I.%I', fn.nspname, f.relname) FROM pg_class AS f
                    JOIN pg_namespace AS fn ON fn.oid = f.relnamespace
                    WHERE f.oid = t.tgconstrrelid) AS from,
                   CASE WHEN t.tginitdeferred THEN 'deferred'
                        WHEN t.tgdeferrable THEN 'immediate' END AS deferrable,
                   t.tgoldtable AS old_table, t.tgnewtable AS new_table,
                   t.tgqual IS NOT NULL AS conditional,
                   {firing_mode("t.tgenabled")} AS enabled, t.tgparentid <> 0 AS inherited,
                   {firing_mode("p.tgenabled")} AS parents_enabled
            FROM pg_trigger AS t
            JOIN pg_class AS c ON c.oid = t.tgrelid
            JOIN pg_namespace AS n ON n.oid = c.relnamespace
            JOIN pg_proc AS u ON u.oid = t.tgfoid
            LEFT JOIN pg_trigger AS p ON p.oid = t.tgparentid
            LEFT JOIN pg_constraint AS q ON q.oid = t.tgconstraint
            WHERE NOT (t.tgisinternal
                       AND (t.tgparentid = 0 OR t.tgconstraint <> 0 AND q.contype <> 't'))
                  AND NOT {is_fill_trigger("t", "u")} AND NOT {is_shadow_trigger("t", "u")}
                  AND (t.tgparentid = 0 OR t.tgenabled <> p.tgenabled)
                  AND {managed("pg_class", "c.oid", "n.nspname")}
            ORDER BY n.nspname, c.relname, t.tgname"""

    @classmethod
    def from_row(cls, ref: Ref, row: Row) -> Self:
        if row["inherited"]:
            kept = ("enabled", "inherited", "parents_enabled", "comment")
            return cls(ref=ref, **{k: row[k] for k in kept})
        definition, bits, columns = row.pop("definition"), row.pop("type"), row.pop("columns")
        update = f"update of {', '.join(columns)}" if columns else "update"
        events = ((4, "insert"), (8, "delete"), (16, update), (32, "truncate"))
        row[row.pop("timing")] = [event for bit, event in events if bits & bit]
        old, new = row.pop("old_table"), row.pop("new_table")
        if old or new:
            row["referencing"] = Referencing(old_table=old, new_table=new)
        if row.pop("conditional"):
            opening = definition.index(" WHEN (", definition.index(" FOR EACH ")) + 6
            end = closing(definition, opening)
            row["when"], definition = _bare(definition[opening : end + 1]), definition[end + 1 :]
        row["execute"] = definition.split(" EXECUTE FUNCTION ", 1)[1]
        return cls(ref=ref, **row)

    @classmethod
    def entry(cls, key: str, body: object) -> tuple[str, object]:
        """Join `[update of a, b]`, a YAML list of two items, into one event."""
        if not isinstance(body, dict):
            return key, body
        fields = cast("dict[str, Any]", body)
        return key, fields | {
            t: _events(fields[t]) for t in TIMINGS if isinstance(fields.get(t), tuple)
        }

    @classmethod
    def short_form(cls, body: dict[str, Any]) -> object:
        return {k: v[0] if k in TIMINGS and len(v) == 1 else v for k, v in body.items()}

    def define(self, context: PlanningContext, parts: Sequence[Object] = ()) -> Iterable[Statement]:
        if self.inherited:
            yield self._enable_only(self.enabled)
            return
        yield self._statement("CREATE")
        yield from self._enable("origin")

    def redefine(self, old: Self, context: PlanningContext) -> Iterable[Statement] | None:
        """Replace the trigger, which enables a disabled trigger.

        PostgreSQL cannot replace constraint triggers.
        """
        if self.inherited != old.inherited:
            return None
        if self.inherited:
            return [self._enable_only(self.enabled)]
        if self.model_copy(update={"enabled": old.enabled}) == old:
            return self._enable(old.enabled)
        if self.constraint or old.constraint:
            return None
        return [self._statement("CREATE OR REPLACE"), *self._enable("origin")]

    def remove(self, context: PlanningContext) -> Iterable[Statement]:
        if self.inherited:
            return [self._enable_only(self.parents_enabled)]
        dropped = super().remove(context)
        return [s.model_copy(update={"recurses": "partitions"}) for s in dropped]

    @property
    def overrides(self) -> bool:
        return self.inherited

    def following_name(self, old: Ref, new: Ref) -> Self | None:
        return None if self.inherited else super().following_name(old, new)

    @property
    def stays_on_partition(self) -> bool:
        """Whether the trigger stays: PostgreSQL copies triggers for each row to partitions."""
        return self.for_each == "statement"

    def restate_overrides(
        self, changed: Object, old: Object, context: PlanningContext
    ) -> Iterable[Statement]:
        """Enable or disable again: a change of the parent's trigger changes the partitions'."""
        if isinstance(changed, Trigger):
            yield self._enable_only(self.enabled)

    @property
    def _table(self) -> sql.Composable:
        assert self.ref.on is not None
        return name(self.ref.on.schema, self.ref.on.name)

    def _statement(self, verb: str) -> Statement:
        timing = next(t for t in TIMINGS if getattr(self, t))
        events: tuple[str, ...] = getattr(self, timing)
        constraint = raw(" CONSTRAINT" if self.constraint else "")
        clauses: list[sql.Composable] = [
            compose("{}{} TRIGGER {}", raw(verb), constraint, self.ref.name),
            raw(timing.replace("_", " ").upper()),
            joined((raw(_keywords(e)) for e in events), by=" OR "),
            compose("ON {}", self._table),
            *self._options(),
            raw(f"FOR EACH {self.for_each.upper()}"),
        ]
        if self.when is not None:
            clauses.append(compose("WHEN ({})", raw(self.when)))
        clauses.append(compose("EXECUTE FUNCTION {}", raw(self.execute)))
        return Statement(
            sql=text(joined(clauses, by=" ")),
            lock="SHARE ROW EXCLUSIVE",
            relation=self.stands_on,
            recurses="partitions",
            privilege="TRIGGER",
        )

    def _options(self) -> Iterable[sql.Composable]:
        if self.from_table:
            yield compose("FROM {}", raw(self.from_table))
        if self.deferrable:
            yield raw(f"DEFERRABLE INITIALLY {self.deferrable.upper()}")
        if self.referencing:
            tables = {"OLD": self.referencing.old_table, "NEW": self.referencing.new_table}
            names = (compose("{} TABLE AS {}", raw(k), t) for k, t in tables.items() if t)
            yield compose("REFERENCING {}", joined(names, by=" "))

    def _enable(self, before: str) -> Iterable[Statement]:
        if self.enabled != before:
            command = compose(
                "ALTER TABLE {} {} TRIGGER {}",
                self._table,
                raw(FIRING_CLAUSES[self.enabled]),
                self.ref.name,
            )
            yield Statement(
                sql=text(command),
                lock="SHARE ROW EXCLUSIVE",
                relation=self.stands_on,
                recurses="partitions",
            )

    def _enable_only(self, when: str) -> Statement:
        """Enable or disable the trigger on the partition only."""
        command = compose(
            "ALTER TABLE ONLY {} {} TRIGGER {}",
            self._table,
            raw(FIRING_CLAUSES[when]),
            self.ref.name,
        )
        return Statement(sql=text(command), lock="SHARE ROW EXCLUSIVE", relation=self.stands_on)


def _events(listed: Sequence[str]) -> tuple[str, ...]:
    """Split `insert or update`, and append columns to the preceding `update of a`.

    A list item that is no event is a column.
    """
    events: list[str] = []
    for item in [EventText().read(i) for several in listed for i in _OR.split(several)]:
        is_event = item in EVENTS or _UPDATE_OF.match(item)
        if events and _UPDATE_OF.match(events[-1]) and not is_event:
            events[-1] += f", {text(name(unquoted(item)))}"
        else:
            events.append(item)
    return tuple(events)


def _keywords(event: str) -> str:
    """Spell an event in SQL, with keywords in capitals."""
    match = _UPDATE_OF.match(event)
    return f"UPDATE OF {event[match.end() :]}" if match else event.upper()


def _bare(condition: str) -> str:
    """Remove parentheses around a whole condition."""
    while condition.startswith("(") and closing(condition, 0) == len(condition) - 1:
        condition = condition[1:-1]
    return condition
