"""Sequences: https://www.postgresql.org/docs/current/sql-createsequence.html"""

from __future__ import annotations

from collections import abc
from collections.abc import Iterable, Iterator, Mapping
from typing import ClassVar, Self

from pydantic import Field

from reconciler.model.catalog_sql import address, managed, object_grants
from reconciler.model.clauses import TYPE, Clause
from reconciler.model.companion import Companion, Objects
from reconciler.model.deferred import Deferred
from reconciler.model.object import Object, PlanningContext
from reconciler.model.owned import Granted
from reconciler.model.ref import Ref, split_name
from reconciler.model.sequence_options import COLUMNS, MAXIMA, SequenceOptions
from reconciler.model.spelling import QualifiedColumn
from reconciler.model.statement import Hazard, HazardKind, Statement
from reconciler.model.type_spelling import TypeName
from reconciler.server.capabilities import Server
from reconciler.sql import compose, name, raw, text

OWNERS = ("table", "foreign_table")


class Sequence(Deferred, Companion, Granted, SequenceOptions):
    """A sequence; the sequence of an identity column is part of the column."""

    kind: ClassVar[str] = "sequence"
    other_keys: ClassVar[Mapping[str, str]] = {"as": "type"}
    section: ClassVar[str] = "sequences"
    omitted_is_default: ClassVar[bool] = False
    oid_column: ClassVar[str] = "pg_sequence.seqrelid"
    grant_class: ClassVar[str] = "SEQUENCE"
    relation: ClassVar[bool] = True
    sql_fields: ClassVar[tuple[str, ...]] = ("type",)
    sql_clauses: ClassVar[Mapping[str, Clause]] = {"type": TYPE}
    first_version: ClassVar[Mapping[str, int]] = {"unlogged": 15}

    type: TypeName = Field(
        default="bigint", description="the data type: smallint, integer or bigint"
    )
    unlogged: bool = Field(
        default=False,
        description="not written to the write-ahead log; reset after a crash (PostgreSQL 15)",
    )
    owned_by: QualifiedColumn | None = Field(
        default=None, description="table.column with which the sequence is dropped"
    )

    @classmethod
    def catalog(cls, server: Server) -> str:
        options = ", ".join(f"{value} AS {key}" for key, value in COLUMNS.items())
        return f"""
            SELECT n.nspname AS schema, c.relname AS name,
                   pg_get_userbyid(c.relowner)::text AS owner,
                   ARRAY[{address("pg_class", "c.oid")}] AS addresses,
                   format_type(q.seqtypid, NULL) AS type, {options},
                   c.relpersistence = 'u' AS unlogged,
                   (SELECT format('%I.%I', o.relname, a.attname) FROM pg_depend AS d
                    JOIN pg_class AS o ON o.oid = d.refobjid
                    JOIN pg_attribute AS a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
                    WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
                          AND d.refclassid = 'pg_class'::regclass
                          AND d.deptype = 'a') AS owned_by,
                   {object_grants("c.relacl", "s", "c.relowner")} AS grants
            FROM pg_sequence AS q
            JOIN pg_class AS c ON c.oid = q.seqrelid
            JOIN pg_namespace AS n ON n.oid = c.relnamespace
            WHERE {managed("pg_class", "c.oid", "n.nspname")}
                  AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.classid = 'pg_class'::regclass
                                  AND d.objid = c.oid
                                  AND d.deptype = 'i')
            ORDER BY n.nspname, c.relname"""

    def define(
        self, context: PlanningContext, parts: abc.Sequence[Object] = ()
    ) -> Iterable[Statement]:
        command = compose(
            "CREATE {}SEQUENCE {}{}{}",
            raw("UNLOGGED " if self.unlogged else ""),
            self.sql_name(),
            raw("" if self.type == "bigint" else f" AS {self.type}"),
            self.clauses(),
        )
        yield Statement(sql=text(command))

    def moves_with(self) -> frozenset[Ref]:
        return frozenset(c.on for c in self._owning_columns() if c.on is not None)

    def redefine(self, old: Self, context: PlanningContext) -> Iterable[Statement] | None:
        if self.unlogged != old.unlogged:
            command = compose(
                "ALTER SEQUENCE {} SET {}",
                self.sql_name(),
                raw("UNLOGGED" if self.unlogged else "LOGGED"),
            )
            yield Statement(sql=text(command), lock="ACCESS EXCLUSIVE", relation=self.ref.identity)
        yield from self.altered(old, self.sql_name(), (old.type, self.type))

    def remove(self, context: PlanningContext) -> Iterable[Statement]:
        hazard = Hazard(
            hazard=HazardKind.DATA_LOSS,
            reason=f"{self.ref} is dropped, and how far it has counted is forgotten",
        )
        counts_on = any(
            getattr(context.declared.get(c), "identity", None) for c in self._owning_columns()
        )
        command = text(compose("DROP SEQUENCE {}", self.sql_name()))
        yield Statement(
            sql=command,
            lock="ACCESS EXCLUSIVE",
            relation=self.ref.identity,
            hazards=() if counts_on else (hazard,),
        )

    # -- OWNED BY ----------------------------------------------------------------------------------

    def define_deferred(self, old: Self | None, context: PlanningContext) -> Iterable[Statement]:
        if self.owning != (old.owning if old else None):
            yield self.owned()

    def deferred_needs(self) -> frozenset[Ref]:
        if self.owning is None:
            return frozenset()
        columns = self._owning_columns()
        return frozenset([*columns, *(c.on for c in columns if c.on is not None)])

    def remove_deferred(self, context: PlanningContext) -> Iterable[Statement]:
        if self.owning is not None:
            without_owner = self.model_copy(update={"owned_by": None})
            yield without_owner.owned(undo=self.owned().sql)

    def _own(self, old: Self | None, context: PlanningContext) -> Iterator[Statement]:
        """Leave the owner of a column's sequence to PostgreSQL, which sets the table's owner."""
        if old is not None and old.owning is not None and old.owning == self.owning:
            old = old.model_copy(update={"owner": self.owner})
        yield from super()._own(old, context)

    @property
    def owning(self) -> tuple[str, str] | None:
        """Return the owning table and column; the table has the sequence's schema."""
        names = split_name(self.owned_by or "")
        return (names[-2], names[-1]) if len(names) > 1 else None

    def _owning_columns(self) -> list[Ref]:
        """Return the owning column as one of each kind of table."""
        if self.owning is None:
            return []
        table, column = self.owning
        tables = (Ref(kind, self.ref.schema, table) for kind in OWNERS)
        return [Ref("column", self.ref.schema, column, table) for table in tables]

    # -- the sequence of a serial column, where only the column is declared ------------------------

    def goes_along(self, live: Objects, desired: Objects) -> bool:
        """Go with the column, or when an identity takes its place."""
        owner = next((c for c in self._owning_columns() if c in live), None)
        if owner is None:
            return False
        identity = getattr(desired.get(owner), "identity", None)
        return owner not in desired or (
            identity is not None and getattr(live[owner], "identity", None) is None
        )

    def following(self, live: Objects, desired: Objects) -> Self:
        """Get the wider type of the column, if both had one type before."""
        owner = next((c for c in self._owning_columns() if c in live and c in desired), None)
        if owner is None:
            return self
        old, new = (getattr(state[owner], "type", "") for state in (live, desired))
        wider = MAXIMA.get(new, 0) > MAXIMA.get(old, 0)
        return self.model_copy(update={"type": new}) if wider and self.type == old else self

    def shortfall(self, desired: Objects) -> str | None:
        """Tell of a sequence that ends at the highest value of a type narrower than the column's.

        Any other end is meant.
        """
        owner = next((c for c in self._owning_columns() if c in desired), None)
        type_ = getattr(desired[owner], "type", "") if owner else ""
        _, end = self.bounds(self.type)
        if self.cycle or end not in MAXIMA.values() or end >= MAXIMA.get(type_, 0):
            return None
        without = "" if self.maxvalue is None else ", and without its maxvalue"
        return (
            f"{self.ref} ends at {end:,}, though {owner} is {type_}: new rows fail from there on; "
            f"declare the sequence with `type: {type_}`{without}"
        )

    def owned(self, undo: str | None = None) -> Statement:
        """Set the owning column."""
        owner = raw("NONE") if self.owning is None else name(self.ref.schema, *self.owning)
        command = compose("ALTER SEQUENCE {} OWNED BY {}", self.sql_name(), owner)
        return Statement(
            sql=text(command),
            lock="SHARE ROW EXCLUSIVE",
            relation=self.ref.identity,
            undo=None if undo is None else (undo,),
        )
