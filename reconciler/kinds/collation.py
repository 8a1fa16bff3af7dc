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
from reconciler.model.ref import Ref, split_name
from reconciler.model.spelling import Collation as CollationName
from reconciler.model.statement import Statement, TypeConversion
from reconciler.server.capabilities import Server
from reconciler.sql import compose, joined, literal, raw, text

_COPIED = ("provider", "locale", "lc_collate", "lc_ctype", "deterministic", "rules")


class Collation(PlatformDependent, Owned, Replaceable):
    """A collation; replaced if changed, since PostgreSQL has no command to alter the definition."""

    kind: ClassVar[str] = "collation"
    main_key: ClassVar[str] = "locale"
    section: ClassVar[str] = "collations"
    oid_column: ClassVar[str] = "pg_collation.oid"
    adjusted: ClassVar[frozenset[str]] = frozenset({"provider", "deterministic"})  # as copied
    omitted_is_default: ClassVar[bool] = True
    first_version: ClassVar[Mapping[str, int]] = {"rules": 16}
    rename_keyword: ClassVar[str] = "COLLATION"

    not_with: ClassVar[Mapping[str, tuple[str, ...]]] = {
        **dict.fromkeys(_COPIED, ("copied",)),
        "locale": ("lc_collate", "lc_ctype", "copied"),
    }

    provider: Literal["libc", "icu", "builtin", "default"] = Field(
        default="libc", description="the library that compares text"
    )
    locale: str | None = Field(
        default=None, description="the locale; instead of lc_collate and lc_ctype, and for icu"
    )
    lc_collate: str | None = Field(default=None, description="the locale for the sort order")
    lc_ctype: str | None = Field(
        default=None, description="the locale for the classes of characters"
    )
    deterministic: bool = Field(
        default=True, description="false: texts with different bytes may be equal"
    )
    rules: str | None = Field(default=None, description="additional rules for icu (PostgreSQL 16)")

    copied: CollationName | None = Field(
        default=None, alias="from", description="the collation to copy, instead of all else"
    )

    @model_validator(mode="after")
    def _copied_alone(self) -> Self:
        own = {*_COPIED} & self.model_fields_set
        if self.copied is not None and own:
            raise ValueError(f"from: a copy has the {min(own)} of the collation that it copies")
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
        if self.copied is not None:
            copy = compose("CREATE COLLATION {} FROM {}", self.sql_name(), raw(self.copied))
            yield Statement(sql=text(copy))
            return
        options: list[sql.Composable] = [compose("provider = {}", raw(self.provider))]
        values = {f: getattr(self, f) for f in ("locale", "lc_collate", "lc_ctype", "rules")}
        options += [
            compose("{} = {}", raw(f), literal(v)) for f, v in values.items() if v is not None
        ]
        if not self.deterministic:
            options.append(raw("deterministic = false"))
        yield Statement(
            sql=text(compose("CREATE COLLATION {} ({})", self.sql_name(), joined(options)))
        )

    def needs(self) -> frozenset[Ref]:
        *schema, own = split_name(self.copied or "") or [""]
        copied = Ref(self.kind, schema[0] if schema else self.ref.schema, own)
        return super().needs() | ({copied} if own else frozenset[Ref]())

    def conversions(self, old: Self, renamed: Self) -> Mapping[str, TypeConversion]:
        """Keep all values: a collation determines only the order."""
        return {
            f"{COLLATE_PREFIX}{new_name}": TypeConversion(
                new_name, old_name, lambda v: v, lambda v: v
            )
            for new_name, old_name in old.old_names().items()
        }
