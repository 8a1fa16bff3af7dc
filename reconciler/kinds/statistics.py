"""Extended statistics: https://www.postgresql.org/docs/current/sql-createstatistics.html"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar, Literal, Self

from pydantic import Field

from reconciler.model.catalog_sql import address, managed
from reconciler.model.object import Object, PlanningContext
from reconciler.model.owned import Owned
from reconciler.model.ref import Ref
from reconciler.model.statement import Statement
from reconciler.server.capabilities import Server
from reconciler.server.connection import Row
from reconciler.sql import compose, joined, literal, raw, split_commas, text

Sort = Literal["ndistinct", "dependencies", "mcv"]


class Statistics(Owned):
    """What the planner is to know of several columns or of expressions together; filled by ANALYZE."""

    kind: ClassVar[str] = "statistics"
    section: ClassVar[str] = "statistics"
    omitted_is_default: ClassVar[bool] = False
    oid_column: ClassVar[str] = "pg_statistic_ext.oid"
    sql_fields: ClassVar[tuple[str, ...]] = ("on", "table")

    on: tuple[str, ...] = Field(default=(), description="columns, or (expressions)")
    table: str = Field(alias="from", description="the table or materialized view")
    kinds: tuple[Sort, ...] = Field(
        default=(), description="of ndistinct, dependencies, mcv; none named: all"
    )
    target: int | None = Field(
        default=None, description="how many values are sampled (SET STATISTICS)"
    )

    @classmethod
    def catalog(cls, server: Server) -> str:
        return f"""
            SELECT n.nspname AS schema, s.stxname AS name,
                   pg_get_userbyid(s.stxowner)::text AS owner,
                   ARRAY[{address("pg_statistic_ext", "s.oid")}] AS addresses,
                   pg_get_statisticsobjdef_columns(s.oid) AS listed,
                   cardinality(s.stxkeys::int2[]) AS columns,
                   format('%I.%I', cn.nspname, c.relname) AS from,
                   nullif(s.stxstattarget::int, -1) AS target,
                   array_to_string(s.stxkind, '') AS letters
            FROM pg_statistic_ext AS s
            JOIN pg_namespace AS n ON n.oid = s.stxnamespace
            JOIN pg_class AS c ON c.oid = s.stxrelid
            JOIN pg_namespace AS cn ON cn.oid = c.relnamespace
            WHERE {managed("pg_statistic_ext", "s.oid", "n.nspname")}
            ORDER BY n.nspname, s.stxname"""

    @classmethod
    def from_row(cls, ref: Ref, row: Row) -> Self:
        """The columns come in the order of their numbers, which tells nothing."""
        listed, columns, letters = (
            split_commas(row.pop("listed")),
            row.pop("columns"),
            row.pop("letters"),
        )
        named = [
            k
            for letter, k in (("d", "ndistinct"), ("f", "dependencies"), ("m", "mcv"))
            if letter in letters
        ]
        row["kinds"] = named if len(named) < 3 else []
        return cls(ref=ref, on=(*sorted(listed[:columns]), *listed[columns:]), **row)

    def define(self, context: PlanningContext, parts: Sequence[Object] = ()) -> Iterable[Statement]:
        kinds = compose(" ({})", joined(self.kinds)) if self.kinds else raw("")
        words = compose(
            "CREATE STATISTICS {}{} ON {} FROM {}",
            self.sql_name(),
            kinds,
            joined(map(raw, self.on)),
            raw(self.table),
        )
        yield Statement(sql=text(words), lock="SHARE UPDATE EXCLUSIVE", relation=self.table)
        yield from self._aim(None)

    def redefine(self, old: Self, context: PlanningContext) -> Iterable[Statement] | None:
        return (
            self._aim(old.target) if self.model_copy(update={"target": old.target}) == old else None
        )

    def remove(self, context: PlanningContext) -> Iterable[Statement]:
        yield Statement(
            sql=text(compose("DROP STATISTICS {}", self.sql_name())),
            lock="SHARE UPDATE EXCLUSIVE",
            relation=self.table,
        )

    def _aim(self, before: int | None) -> Iterable[Statement]:
        if self.target != before:
            wanted = literal(-1 if self.target is None else self.target)
            yield Statement(
                sql=text(compose("ALTER STATISTICS {} SET STATISTICS {}", self.sql_name(), wanted))
            )
