"""Triggers: https://www.postgresql.org/docs/current/sql-createtrigger.html"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
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
from reconciler.model.inheritance import Overriding
from reconciler.model.object import Object, PlanningContext
from reconciler.model.ref import Ref
from reconciler.model.reserved_names import is_fill_trigger, is_shadow_trigger
from reconciler.model.statement import Statement
from reconciler.server.capabilities import Server
from reconciler.server.connection import Row
from reconciler.sql import closing, compose, joined, name, raw, text

TIMINGS = ("before", "after", "instead_of")
EVENTS = ("insert", "update", "delete", "truncate")
_UPDATE_OF = re.compile(r"update\s+of\s", re.I)


class Referencing(BaseModel):
    """What the function calls the sets of rows before and after the statement."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    old_table: str | None = None
    new_table: str | None = None


class Trigger(Overriding):
    """A trigger; exactly one of `before`, `after` and `instead_of` lists its events.

    A partition has the triggers of its parent; it lists one only where that fires in other sessions than the parent's.
    """

    kind: ClassVar[str] = "trigger"
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

    constraint: bool = Field(
        default=False, description="a constraint trigger, which can be deferred"
    )
    before: tuple[str, ...] = Field(
        default=(), description="events: insert, update, update of a, b, delete, truncate"
    )
    after: tuple[str, ...] = Field(default=(), description="events")
    instead_of: tuple[str, ...] = Field(default=(), description="events, of a view")
    from_table: str | None = Field(
        default=None, alias="from", description="the other table of a constraint trigger"
    )
    deferrable: Literal["immediate", "deferred"] | None = Field(
        default=None,
        description="a constraint trigger fires at the end of the transaction: initially …",
    )
    referencing: Referencing | None = Field(
        default=None, description="names of the transition tables"
    )
    for_each: Literal["row", "statement"] = "statement"
    when: str | None = Field(
        default=None, description="a condition on OLD and NEW without which it does not fire"
    )
    execute: str = Field(default="", description="the function with its arguments: f() or f('a')")
    enabled: Literal["origin", "disabled", "replica", "always"] = Field(
        default="origin", description="for which sessions it fires"
    )
    inherited: bool = Field(
        default=False, description="it is the parent's, and only `enabled` is the partition's own"
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
                   t.tgtype::int AS type, CASE WHEN t.tgtype & 1 <> 0 THEN 'row'
                                               ELSE 'statement' END AS for_each,
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
        row[row.pop("timing")] = [
            w
            for bit, w in ((4, "insert"), (8, "delete"), (16, update), (32, "truncate"))
            if bits & bit
        ]
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
        """`[update of a, b]` is one event to people, and two items to YAML."""
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
            yield self._fires(self.enabled)
            return
        yield self._statement("CREATE")
        yield from self._enable("origin")

    def redefine(self, old: Self, context: PlanningContext) -> Iterable[Statement] | None:
        """Replace it; a replaced trigger is enabled again, and a constraint trigger cannot be replaced."""
        if self.inherited != old.inherited:
            return None
        if self.inherited:
            return [self._fires(self.enabled)]
        if self.model_copy(update={"enabled": old.enabled}) == old:
            return self._enable(old.enabled)
        if self.constraint or old.constraint:
            return None
        return [self._statement("CREATE OR REPLACE"), *self._enable("origin")]

    def remove(self, context: PlanningContext) -> Iterable[Statement]:
        return [self._fires(self.parents_enabled)] if self.inherited else super().remove(context)

    @property
    def overrides(self) -> bool:
        return self.inherited

    def restate_overrides(
        self, changed: Object, old: Object, context: PlanningContext
    ) -> Iterable[Statement]:
        """What the parent's trigger becomes, those of the partitions become too."""
        if isinstance(changed, Trigger):
            yield self._fires(self.enabled)

    # -- pieces ----------------------------------------------------------------------------------------------------

    @property
    def _table(self) -> sql.Composable:
        assert self.ref.on is not None
        return name(self.ref.on.schema, self.ref.on.name)

    def _statement(self, verb: str) -> Statement:
        timing = next(t for t in TIMINGS if getattr(self, t))
        events: tuple[str, ...] = getattr(self, timing)
        words: list[sql.Composable] = [
            compose(
                "{}{} TRIGGER {}",
                raw(verb),
                raw(" CONSTRAINT" if self.constraint else ""),
                self.ref.name,
            ),
            compose(
                "{} {}",
                raw(timing.replace("_", " ").upper()),
                joined((raw(_keywords(e)) for e in events), by=" OR "),
            ),
            compose("ON {}", self._table),
        ]
        if self.from_table:
            words.append(compose("FROM {}", raw(self.from_table)))
        if self.deferrable:
            words.append(raw(f"DEFERRABLE INITIALLY {self.deferrable.upper()}"))
        if self.referencing:
            tables = (("OLD", self.referencing.old_table), ("NEW", self.referencing.new_table))
            words.append(
                compose(
                    "REFERENCING {}",
                    joined((compose("{} TABLE AS {}", raw(w), t) for w, t in tables if t), by=" "),
                )
            )
        words.append(raw(f"FOR EACH {self.for_each.upper()}"))
        if self.when is not None:
            words.append(compose("WHEN ({})", raw(self.when)))
        words.append(compose("EXECUTE FUNCTION {}", raw(self.execute)))
        return Statement(
            sql=text(joined(words, by=" ")),
            lock="SHARE ROW EXCLUSIVE",
            relation=self.stands_on,
            privilege="TRIGGER",
        )

    def _enable(self, before: str) -> Iterable[Statement]:
        if self.enabled != before:
            words = compose(
                "ALTER TABLE {} {} TRIGGER {}",
                self._table,
                raw(FIRING_CLAUSES[self.enabled]),
                self.ref.name,
            )
            yield Statement(sql=text(words), lock="SHARE ROW EXCLUSIVE", relation=self.stands_on)

    def _fires(self, when: str) -> Statement:
        """Enable or disable it on this partition alone."""
        words = compose(
            "ALTER TABLE ONLY {} {} TRIGGER {}",
            self._table,
            raw(FIRING_CLAUSES[when]),
            self.ref.name,
        )
        return Statement(sql=text(words), lock="SHARE ROW EXCLUSIVE", relation=self.stands_on)


def _events(listed: Sequence[str]) -> tuple[str, ...]:
    """What follows `update of a` and is no event is one more column of it."""
    found: list[str] = []
    for item in listed:
        if (
            found
            and _UPDATE_OF.match(found[-1])
            and item.lower() not in EVENTS
            and not _UPDATE_OF.match(item)
        ):
            found[-1] += f", {item}"
        else:
            found.append(item)
    return tuple(found)


def _keywords(event: str) -> str:
    """An event as SQL, its keywords in capitals."""
    match = _UPDATE_OF.match(event)
    return f"UPDATE OF {event[match.end() :]}" if match else event.upper()


def _bare(condition: str) -> str:
    """A condition without the brackets around all of it."""
    while condition.startswith("(") and closing(condition, 0) == len(condition) - 1:
        condition = condition[1:-1]
    return condition
