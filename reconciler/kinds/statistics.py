"""Extended statistics: https://www.postgresql.org/docs/current/sql-createstatistics.html"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar, Literal, Self

from pydantic import Field

from reconciler.model.catalog_sql import address, managed
from reconciler.model.clauses import NAME, STATISTIC, Clause
from reconciler.model.companion import GoesWithColumns
from reconciler.model.object import Object, PlanningContext
from reconciler.model.owned import Owned
from reconciler.model.ref import Ref
from reconciler.model.spelling import IndexKey, QualifiedName
from reconciler.model.statement import Statement
from reconciler.server.capabilities import Server
from reconciler.server.connection import Row
from reconciler.sql import compose, joined, literal, raw, split_commas, text

Sort = Literal["ndistinct", "dependencies", "mcv"]


class Statistics(GoesWithColumns, Owned):
    """Extended statistics for the planner on several columns or on expressions."""

    kind: ClassVar[str] = "statistics"
    section: ClassVar[str] = "statistics"
    omitted_is_default: ClassVar[bool] = False
    oid_column: ClassVar[str] = "pg_statistic_ext.oid"
    sql_fields: ClassVar[tuple[str, ...]] = ("on", "table")
    sql_clauses: ClassVar[Mapping[str, Clause]] = {"on": STATISTIC, "table": NAME}

    on: tuple[IndexKey, ...] = Field(
        default=(), description="columns, or expressions in parentheses"
    )
    table: QualifiedName = Field(alias="from", description="the table or materialized view")
    kinds: tuple[Sort, ...] = Field(
        default=(), description="ndistinct, dependencies, mcv; none: all"
    )
    target: int | None = Field(
        default=None, description="the statistics target (SET STATISTICS); left out: the columns'"
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
        """Sort the columns, which PostgreSQL stores in the order of numbers."""
        listed, columns = split_commas(row.pop("listed")), row.pop("columns")
        letters = row.pop("letters")
        names = (("d", "ndistinct"), ("f", "dependencies"), ("m", "mcv"))
        kinds = [name for letter, name in names if letter in letters]
        row["kinds"] = kinds if len(kinds) < len(names) else []
        return cls(ref=ref, on=(*sorted(listed[:columns]), *listed[columns:]), **row)

    def define(self, context: PlanningContext, parts: Sequence[Object] = ()) -> Iterable[Statement]:
        kinds = compose(" ({})", joined(self.kinds)) if self.kinds else raw("")
        command = compose(
            "CREATE STATISTICS {}{} ON {} FROM {}",
            self.sql_name(),
            kinds,
            joined(map(raw, self.on)),
            raw(self.table),
        )
        yield Statement(sql=text(command), lock="SHARE UPDATE EXCLUSIVE", relation=self.table)
        yield from self._set_target(None)

    def redefine(self, old: Self, context: PlanningContext) -> Iterable[Statement] | None:
        if self.model_copy(update={"target": old.target}) != old:
            return None
        return self._set_target(old.target)

    def remove(self, context: PlanningContext) -> Iterable[Statement]:
        yield Statement(
            sql=text(compose("DROP STATISTICS {}", self.sql_name())),
            lock="SHARE UPDATE EXCLUSIVE",
            relation=self.table,
        )

    def _set_target(self, before: int | None) -> Iterable[Statement]:
        if self.target != before:
            target = literal(-1 if self.target is None else self.target)
            command = compose("ALTER STATISTICS {} SET STATISTICS {}", self.sql_name(), target)
            yield Statement(sql=text(command))
