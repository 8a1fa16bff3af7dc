"""What views and materialized views share: a query, and columns that may be spoken of and granted one by one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field

from reconciler.model.catalog_sql import acl_grants
from reconciler.model.object import PlanningContext
from reconciler.model.owned import Granted
from reconciler.model.privileges import PUBLIC, Access, Grants, all_privileges, grantors
from reconciler.model.statement import Statement
from reconciler.sql import compose, literal, name, text

# for json_build_object, over pg_attribute AS a of pg_class AS c
COLUMN_DETAILS = f"""'comment', col_description(c.oid, a.attnum), 'grants', CASE WHEN a.attacl IS NOT NULL
                   THEN {acl_grants("a.attacl", "'{}'::aclitem[]", "'{}'::aclitem[]", "c.relowner")} END"""
HAS_DETAILS = "(col_description(c.oid, a.attnum) IS NOT NULL OR a.attacl IS NOT NULL)"


class QueryColumn(BaseModel):
    """What a column has beside what the query gives it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    comment: str | None = Field(default=None, description="COMMENT ON COLUMN")
    grants: dict[str, tuple[str, ...]] | None = Field(
        default=None, description="role (or `public`) → privileges on this column alone"
    )


class QueryRelation(Granted):
    """A relation that a query makes."""

    relation: ClassVar[bool] = True
    sql_fields: ClassVar[tuple[str, ...]] = ("query",)

    query: str = Field(default="", description="the SELECT")
    shape: tuple[tuple[str, str, str, str], ...] = Field(
        default=(), json_schema_extra={"derived": True}
    )

    @property
    def described_columns(self) -> Mapping[str, QueryColumn]:
        """What is said of its columns."""
        raise NotImplementedError

    def over(self, live: Self | None, *, complete: bool = False) -> Self:
        full = super().over(live, complete=complete)
        if live is None or complete:
            return full
        return full.model_copy(
            update={"columns": {**live.described_columns, **full.described_columns}}
        )

    def roles(self) -> frozenset[str]:
        given = [c.grants or {} for c in self.described_columns.values()]
        return super().roles() | (frozenset[str]().union(*given, *map(grantors, given)) - {PUBLIC})

    def column_comments(self, before: Mapping[str, QueryColumn]) -> Iterable[Statement]:
        """Comments on the columns."""
        for column in {**before, **self.described_columns}:
            was, wanted = (
                before.get(column, QueryColumn()),
                self.described_columns.get(column, QueryColumn()),
            )
            if wanted.comment != was.comment:
                words = compose(
                    "COMMENT ON COLUMN {} IS {}",
                    name(self.ref.schema, self.ref.name, column),
                    literal(wanted.comment),
                )
                yield Statement(
                    sql=text(words), lock="SHARE UPDATE EXCLUSIVE", relation=self.ref.identity
                )

    def _own(self, old: Self | None, context: PlanningContext) -> Iterator[Statement]:
        """A privilege revoked on all of it goes from the columns too, and is granted on those anew."""
        yield from super()._own(old, context)
        changed = old is not None and old.grants != self.grants
        columns: Mapping[str, QueryColumn] = old.described_columns if old else {}
        found: list[Statement] = []
        for column in {**columns, **self.described_columns}:
            had, wanted = (
                columns.get(column, QueryColumn()).grants or {},
                self.described_columns.get(column, QueryColumn()).grants or {},
            )
            found += self._on_column(column, had, wanted, context)
            found += self._on_column(column, {}, wanted, context) if changed else ()
        yield from {s.sql: s for s in found}.values()

    def _on_column(
        self, column: str, had: Grants, wanted: Grants, context: PlanningContext
    ) -> Iterable[Statement]:
        part, table = text(compose(" ({})", column)), compose("TABLE {}", self.sql_name())
        return Access(
            table,
            f"{self.ref}.{column}",
            all_privileges("COLUMN", context.server),
            "",
            context.user,
            part=part,
        ).changes(had, wanted)
