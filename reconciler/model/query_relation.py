"""Views and materialized views: a query, and comments and privileges of columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import ClassVar, Self

from psycopg import sql
from pydantic import BaseModel, ConfigDict, Field, model_validator

from reconciler.model.catalog_sql import acl_grants
from reconciler.model.clauses import QUERY, Fragment, fragments_in
from reconciler.model.object import PlanningContext
from reconciler.model.owned import Granted, column_access
from reconciler.model.privileges import (
    PUBLIC,
    Grants,
    grantors,
    privilege_fragments,
)
from reconciler.model.spelling import Comment, Name, Privileges, Sql
from reconciler.model.statement import Statement
from reconciler.sql import compose, joined, literal, name, raw, text

# for json_build_object, over pg_attribute AS a of pg_class AS c
_GRANTS = acl_grants("a.attacl", "'{}'::aclitem[]", "'{}'::aclitem[]", "c.relowner")
COLUMN_DETAILS = f"""'comment', col_description(c.oid, a.attnum),
              'grants', CASE WHEN a.attacl IS NOT NULL
                   THEN {_GRANTS} END"""
HAS_DETAILS = "(col_description(c.oid, a.attnum) IS NOT NULL OR a.attacl IS NOT NULL)"


class QueryColumn(BaseModel):
    """Declared properties of a column of a query."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    comment: Comment | None = Field(default=None, description="COMMENT ON COLUMN")
    grants: Privileges | None = Field(
        default=None, description="role (or `public`) → privileges on this column only"
    )


class QueryRelation(Granted):
    """A relation defined by a query."""

    relation: ClassVar[bool] = True
    main_key: ClassVar[str] = "query"
    other_keys: ClassVar[Mapping[str, str]] = {"as": "query"}
    sql_fields: ClassVar[tuple[str, ...]] = ("query",)

    query: Sql = Field(default="", description="the SELECT command of the view")
    only_with: ClassVar[Mapping[str, tuple[str, ...]]] = {"column_names": ("query",)}

    column_names: tuple[Name, ...] = Field(
        default=(), description="the names of the columns, instead of those in the query"
    )
    shape: tuple[tuple[str, str, str, str], ...] = Field(
        default=(), json_schema_extra={"derived": True}
    )

    def fragments(self) -> Iterator[Fragment]:
        yield from super().fragments()
        yield from fragments_in("query", QUERY, self.select)
        for column in self.described_columns.values():
            yield from privilege_fragments(column.grants, "columns")

    @model_validator(mode="after")
    def _names_what_is_queried(self) -> Self:
        if self.column_names and not self.query:
            raise ValueError("column_names: the query is declared too")
        return self

    def column_list(self) -> sql.Composable:
        """Return the names of the columns in brackets, if any are declared."""
        names = joined(self.column_names)
        return compose(" ({})", names) if self.column_names else raw("")

    @property
    def select(self) -> str:
        """The SELECT command without a semicolon at the end."""
        return self.query.strip().rstrip(";")

    @property
    def described_columns(self) -> Mapping[str, QueryColumn]:
        """Return the columns with declared properties, by name."""
        raise NotImplementedError

    def over(self, live: Self | None, *, with_defaults: bool = False) -> Self:
        full = super().over(live, with_defaults=with_defaults)
        if live is None or with_defaults:
            return full
        return full.model_copy(
            update={"columns": {**live.described_columns, **full.described_columns}}
        )

    def every_grants(self) -> Iterator[Grants | None]:
        yield from super().every_grants()
        yield from (column.grants for column in self.described_columns.values())

    def roles(self) -> frozenset[str]:
        grants = [c.grants or {} for c in self.described_columns.values()]
        named = frozenset[str]().union(*grants, *map(grantors, grants))
        return super().roles() | (named - {PUBLIC})

    def column_comments(self, before: Mapping[str, QueryColumn]) -> Iterable[Statement]:
        """Comment on columns whose comment differs from `before`."""
        for column in {**before, **self.described_columns}:
            comment = self._column(column).comment
            if comment != before.get(column, QueryColumn()).comment:
                column_name = name(self.ref.schema, self.ref.name, column)
                command = compose("COMMENT ON COLUMN {} IS {}", column_name, literal(comment))
                yield Statement(
                    sql=text(command), lock="SHARE UPDATE EXCLUSIVE", relation=self.ref.identity
                )

    def _column(self, column: str) -> QueryColumn:
        return self.described_columns.get(column, QueryColumn())

    def _own(self, old: Self | None, context: PlanningContext) -> Iterator[Statement]:
        """Grant columns' privileges anew after a change of the relation's own.

        REVOKE of a privilege on a table revokes the privilege on all columns too.
        """
        yield from super()._own(old, context)
        relation_changed = old is not None and old.grants != self.grants
        old_columns: Mapping[str, QueryColumn] = old.described_columns if old else {}
        statements: list[Statement] = []
        for column in {**old_columns, **self.described_columns}:
            before = old_columns.get(column, QueryColumn()).grants or {}
            after = self._column(column).grants or {}
            statements += self._on_column(column, before, after, context)
            if relation_changed:
                statements += self._on_column(column, {}, after, context)
        yield from {s.sql: s for s in statements}.values()

    def _on_column(
        self, column: str, before: Grants, after: Grants, context: PlanningContext
    ) -> Iterable[Statement]:
        access = column_access(self.ref, column, f"{self.ref}.{column}", context)
        return access.changes(before, after)
