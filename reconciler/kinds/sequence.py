"""Sequences: https://www.postgresql.org/docs/current/sql-createsequence.html"""

from __future__ import annotations

from collections import abc
from collections.abc import Iterable, Iterator, Mapping
from typing import ClassVar, Self

from pydantic import Field

from reconciler.model.catalog_sql import address, managed, object_grants
from reconciler.model.clauses import TYPE, Clause
from reconciler.model.deferred import Deferred
from reconciler.model.object import Object, PlanningContext
from reconciler.model.owned import Granted
from reconciler.model.ref import Ref, split_name
from reconciler.model.sequence_options import COLUMNS, SequenceOptions
from reconciler.model.statement import Hazard, HazardKind, Statement
from reconciler.server.capabilities import Server
from reconciler.sql import compose, name, raw, text

OWNERS = ("table", "foreign_table")


class Sequence(Deferred, Granted, SequenceOptions):
    """A sequence; the sequence of an identity column is part of the column."""

    kind: ClassVar[str] = "sequence"
    section: ClassVar[str] = "sequences"
    omitted_is_default: ClassVar[bool] = False
    oid_column: ClassVar[str] = "pg_sequence.seqrelid"
    grant_class: ClassVar[str] = "SEQUENCE"
    relation: ClassVar[bool] = True
    sql_fields: ClassVar[tuple[str, ...]] = ("type",)
    sql_clauses: ClassVar[Mapping[str, Clause]] = {"type": TYPE}
    first_version: ClassVar[Mapping[str, int]] = {"unlogged": 15}

    type: str = Field(default="bigint", description="the data type: smallint, integer or bigint")
    unlogged: bool = Field(
        default=False,
        description="not written to the write-ahead log; reset after a crash (PostgreSQL 15)",
    )
    owned_by: str | None = Field(
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
        command = text(compose("DROP SEQUENCE {}", self.sql_name()))
        yield Statement(
            sql=command, lock="ACCESS EXCLUSIVE", relation=self.ref.identity, hazards=(hazard,)
        )

    # -- OWNED BY ----------------------------------------------------------------------------------

    def define_deferred(self, old: Self | None, context: PlanningContext) -> Iterable[Statement]:
        if self.owning != (old.owning if old else None):
            yield self.owned()

    def deferred_needs(self) -> frozenset[Ref]:
        if self.owning is None:
            return frozenset()
        tables = [Ref(kind, self.ref.schema, self.owning[0]) for kind in OWNERS]
        return frozenset(
            [*tables, *(Ref("column", self.ref.schema, self.owning[1], t) for t in tables)]
        )

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
