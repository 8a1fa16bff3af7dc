"""Collations: https://www.postgresql.org/docs/current/sql-createcollation.html"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar, Literal, Self

from psycopg import sql
from pydantic import Field, model_validator

from reconciler.model.catalog_sql import address, managed
from reconciler.model.datatype import COLLATE_PREFIX, Replaceable
from reconciler.model.markers import PlatformDependent
from reconciler.model.object import Object, PlanningContext
from reconciler.model.owned import Owned
from reconciler.model.statement import Statement, TypeConversion
from reconciler.server.capabilities import Server
from reconciler.sql import compose, joined, literal, raw, text


class Collation(PlatformDependent, Owned, Replaceable):
    """An order of text; PostgreSQL cannot alter one, so that any change makes another."""

    kind: ClassVar[str] = "collation"
    section: ClassVar[str] = "collations"
    oid_column: ClassVar[str] = "pg_collation.oid"
    omitted_is_default: ClassVar[bool] = True
    first_version: ClassVar[Mapping[str, int]] = {"rules": 16}
    rename_keyword: ClassVar[str] = "COLLATION"

    provider: Literal["libc", "icu", "builtin", "default"] = "libc"
    locale: str | None = Field(
        default=None, description="where lc_collate and lc_ctype are the same, and always for icu"
    )
    lc_collate: str | None = None
    lc_ctype: str | None = None
    deterministic: bool = Field(
        default=True, description="false: text that differs in its bytes may be equal"
    )
    rules: str | None = Field(
        default=None, description="what icu is to do differently (PostgreSQL 16)"
    )

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.locale is not None and (self.lc_collate is not None or self.lc_ctype is not None):
            raise ValueError("a collation has either a locale or lc_collate and lc_ctype")
        return self

    @classmethod
    def catalog(cls, server: Server) -> str:
        same = "CASE WHEN c.collcollate = c.collctype THEN c.collcollate END"
        locale = f"coalesce({server.collation_locale}, {same})" if server.collation_locale else same
        rules = "c.collicurules" if server.has_collation_rules else "NULL"
        split = "c.collcollate <> c.collctype"
        return f"""
            SELECT n.nspname AS schema, c.collname AS name,
                   pg_get_userbyid(c.collowner)::text AS owner,
                   ARRAY[{address("pg_collation", "c.oid")}] AS addresses,
                   CASE c.collprovider WHEN 'i' THEN 'icu' WHEN 'b' THEN 'builtin'
                        WHEN 'd' THEN 'default' ELSE 'libc' END AS provider,
                   {locale} AS locale, c.collisdeterministic AS deterministic, {rules} AS rules,
                   CASE WHEN {split} THEN c.collcollate END AS lc_collate,
                   CASE WHEN {split} THEN c.collctype END AS lc_ctype
            FROM pg_collation AS c JOIN pg_namespace AS n ON n.oid = c.collnamespace
            WHERE {managed("pg_collation", "c.oid", "n.nspname")}
            ORDER BY n.nspname, c.collname"""

    def define(self, context: PlanningContext, parts: Sequence[Object] = ()) -> Iterable[Statement]:
        given: list[sql.Composable] = [compose("provider = {}", raw(self.provider))]
        given += [
            compose("{} = {}", raw(f), literal(value))
            for f in ("locale", "lc_collate", "lc_ctype", "rules")
            for value in [getattr(self, f)]
            if value is not None
        ]
        if not self.deterministic:
            given.append(raw("deterministic = false"))
        yield Statement(
            sql=text(compose("CREATE COLLATION {} ({})", self.sql_name(), joined(given)))
        )

    def conversions(self, old: Self, other: Self) -> Mapping[str, TypeConversion]:
        """Values stay what they are."""
        return {
            f"{COLLATE_PREFIX}{own}": TypeConversion(own, there, lambda v: v, lambda v: v)
            for own, there in old.old_names().items()
        }
