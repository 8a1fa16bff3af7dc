"""Text search: https://www.postgresql.org/docs/current/textsearch-configuration.html

Configurations, the dictionaries that they map tokens to, and the templates and parsers that both stand on.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Self

from psycopg import sql
from pydantic import Field

from reconciler.model.catalog_sql import address, managed
from reconciler.model.object import Object, PlanningContext
from reconciler.model.owned import Owned
from reconciler.model.ref import Ref
from reconciler.model.statement import Statement
from reconciler.server.capabilities import Server
from reconciler.server.connection import Row
from reconciler.sql import compose, joined, literal, name, raw, split_commas, text

_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")


class TextSearchConfiguration(Owned):
    """Which dictionaries read which tokens of a text."""

    kind: ClassVar[str] = "text_search_configuration"
    section: ClassVar[str] = "text_search_configurations"
    omitted_is_default: ClassVar[bool] = False
    oid_column: ClassVar[str] = "pg_ts_config.oid"
    sql_fields: ClassVar[tuple[str, ...]] = ("parser", "mappings")

    parser: str = Field(default="default", description="what splits a text into tokens")
    mappings: dict[str, tuple[str, ...]] = Field(
        default_factory=dict, description="sort of token → dictionaries, asked in that order"
    )

    @classmethod
    def catalog(cls, server: Server) -> str:
        return f"""
            SELECT n.nspname AS schema, c.cfgname AS name,
                   pg_get_userbyid(c.cfgowner)::text AS owner,
                   ARRAY[{address("pg_ts_config", "c.oid")}] AS addresses,
                   {_name("pg_ts_parser", "prs", "c.cfgparser")} AS parser,
                   (SELECT coalesce(jsonb_object_agg(m.alias, m.dictionaries), '{{}}')
                    FROM (SELECT t.alias, jsonb_agg(m.mapdict::regdictionary::text
                                                    ORDER BY m.mapseqno) AS dictionaries
                          FROM pg_ts_config_map AS m
                          JOIN ts_token_type(c.cfgparser) AS t ON t.tokid = m.maptokentype
                          WHERE m.mapcfg = c.oid GROUP BY t.alias) AS m) AS mappings
            FROM pg_ts_config AS c JOIN pg_namespace AS n ON n.oid = c.cfgnamespace
            WHERE {managed("pg_ts_config", "c.oid", "n.nspname")}
            ORDER BY n.nspname, c.cfgname"""

    def define(self, context: PlanningContext, parts: Sequence[Object] = ()) -> Iterable[Statement]:
        parser = raw('"default"' if self.parser == "default" else self.parser)
        yield Statement(sql=text(compose("CREATE {} (PARSER = {})", self.designation(), parser)))
        yield from self._mapped({})

    def redefine(self, old: Self, context: PlanningContext) -> Iterable[Statement] | None:
        return self._mapped(old.mappings) if self.parser == old.parser else None

    def _mapped(self, before: dict[str, tuple[str, ...]]) -> Iterable[Statement]:
        for dictionaries, tokens in _by_value(before, self.mappings):
            if not dictionaries:
                yield self._alter("DROP MAPPING FOR {}", joined(tokens))
        for verb, changes in (
            ("ADD", {t: d for t, d in self.mappings.items() if t not in before}),
            ("ALTER", {t: d for t, d in self.mappings.items() if t in before and before[t] != d}),
        ):
            for dictionaries, tokens in _by_value({}, changes):
                what = compose(
                    "{} MAPPING FOR {} WITH {}",
                    raw(verb),
                    joined(tokens),
                    joined(map(raw, dictionaries)),
                )
                yield self._alter("{}", what)

    def _alter(self, template: Any, what: sql.Composable) -> Statement:
        return Statement(
            sql=text(compose("ALTER {} {}", self.designation(), compose(template, what)))
        )


class TextSearchDictionary(Owned):
    """What turns a token into lexemes."""

    kind: ClassVar[str] = "text_search_dictionary"
    section: ClassVar[str] = "text_search_dictionaries"
    omitted_is_default: ClassVar[bool] = False
    oid_column: ClassVar[str] = "pg_ts_dict.oid"
    sql_fields: ClassVar[tuple[str, ...]] = ("template",)

    template: str = Field(
        default="simple", description="what it is an instance of: simple, snowball, synonym, …"
    )
    options: dict[str, str | int | float] = Field(
        default_factory=dict, description="what the template takes, such as stopwords"
    )

    @classmethod
    def catalog(cls, server: Server) -> str:
        return f"""
            SELECT n.nspname AS schema, d.dictname AS name,
                   pg_get_userbyid(d.dictowner)::text AS owner,
                   ARRAY[{address("pg_ts_dict", "d.oid")}] AS addresses,
                   {_name("pg_ts_template", "tmpl", "d.dicttemplate")} AS template,
                   d.dictinitoption AS options
            FROM pg_ts_dict AS d JOIN pg_namespace AS n ON n.oid = d.dictnamespace
            WHERE {managed("pg_ts_dict", "d.oid", "n.nspname")}
            ORDER BY n.nspname, d.dictname"""

    @classmethod
    def from_row(cls, ref: Ref, row: Row) -> Self:
        listed = (o.partition(" = ") for o in split_commas(row.pop("options") or ""))
        return cls(ref=ref, options={_unquoted(k, '"'): _value(v) for k, _, v in listed}, **row)

    def define(self, context: PlanningContext, parts: Sequence[Object] = ()) -> Iterable[Statement]:
        given = [compose("TEMPLATE = {}", raw(self.template)), *_options(self.options)]
        yield Statement(sql=text(compose("CREATE {} ({})", self.designation(), joined(given))))

    def redefine(self, old: Self, context: PlanningContext) -> Iterable[Statement] | None:
        if self.template != old.template:
            return None
        gone = [name(k) for k in old.options if k not in self.options]
        new = _options({k: v for k, v in self.options.items() if old.options.get(k) != v})
        return [
            Statement(sql=text(compose("ALTER {} ({})", self.designation(), joined([*gone, *new]))))
        ]


class TextSearchParser(Object):
    """The functions that split a text into tokens."""

    kind: ClassVar[str] = "text_search_parser"
    section: ClassVar[str] = "text_search_parsers"
    omitted_is_default: ClassVar[bool] = False
    oid_column: ClassVar[str] = "pg_ts_parser.oid"
    sql_fields: ClassVar[tuple[str, ...]] = ("start", "gettoken", "end", "lextypes", "headline")

    start: str = Field(default="", description="the function that begins")
    gettoken: str = Field(default="", description="the function that finds the next token")
    end: str = Field(default="", description="the function that ends")
    lextypes: str = Field(default="", description="the function that lists the sorts of token")
    headline: str | None = Field(default=None, description="the function that makes headlines")

    @classmethod
    def catalog(cls, server: Server) -> str:
        return f"""
            SELECT n.nspname AS schema, p.prsname AS name,
                   ARRAY[{address("pg_ts_parser", "p.oid")}] AS addresses,
                   p.prsstart::text AS start, p.prstoken::text AS gettoken, p.prsend::text AS end,
                   p.prslextype::text AS lextypes,
                   nullif(p.prsheadline, 0)::regproc::text AS headline
            FROM pg_ts_parser AS p JOIN pg_namespace AS n ON n.oid = p.prsnamespace
            WHERE {managed("pg_ts_parser", "p.oid", "n.nspname")}
            ORDER BY n.nspname, p.prsname"""

    def define(self, context: PlanningContext, parts: Sequence[Object] = ()) -> Iterable[Statement]:
        yield _of_functions(self, ("start", "gettoken", "end", "lextypes", "headline"))


class TextSearchTemplate(Object):
    """The functions of a sort of dictionary."""

    kind: ClassVar[str] = "text_search_template"
    section: ClassVar[str] = "text_search_templates"
    omitted_is_default: ClassVar[bool] = False
    oid_column: ClassVar[str] = "pg_ts_template.oid"
    sql_fields: ClassVar[tuple[str, ...]] = ("init", "lexize")

    init: str | None = Field(
        default=None, description="the function that reads a dictionary's options"
    )
    lexize: str = Field(default="", description="the function that turns a token into lexemes")

    @classmethod
    def catalog(cls, server: Server) -> str:
        return f"""
            SELECT n.nspname AS schema, t.tmplname AS name,
                   ARRAY[{address("pg_ts_template", "t.oid")}] AS addresses,
                   nullif(t.tmplinit, 0)::regproc::text AS init, t.tmpllexize::text AS lexize
            FROM pg_ts_template AS t JOIN pg_namespace AS n ON n.oid = t.tmplnamespace
            WHERE {managed("pg_ts_template", "t.oid", "n.nspname")}
            ORDER BY n.nspname, t.tmplname"""

    def define(self, context: PlanningContext, parts: Sequence[Object] = ()) -> Iterable[Statement]:
        yield _of_functions(self, ("init", "lexize"))


def _name(catalog: str, prefix: str, oid: str) -> str:
    """SQL for a name that is qualified where it must be; there is no reg… type for these."""
    return f"""(SELECT CASE x.nspname WHEN 'pg_catalog' THEN quote_ident(o.{prefix}name)
                            ELSE format('%I.%I', x.nspname, o.{prefix}name) END
                FROM {catalog} AS o JOIN pg_namespace AS x ON x.oid = o.{prefix}namespace
                WHERE o.oid = {oid})"""


def _of_functions(obj: Object, roles: Sequence[str]) -> Statement:
    named = ((r, getattr(obj, r)) for r in roles)
    given = joined(compose("{} = {}", raw(r.upper()), raw(f)) for r, f in named if f is not None)
    return Statement(sql=text(compose("CREATE {} ({})", obj.designation(), given)))


def _by_value(
    before: dict[str, tuple[str, ...]], after: dict[str, tuple[str, ...]]
) -> list[tuple[tuple[str, ...], list[str]]]:
    """The tokens that share dictionaries; those that are gone share none."""
    found: dict[tuple[str, ...], list[str]] = {}
    for token in [*after, *(t for t in before if t not in after)]:
        found.setdefault(after.get(token, ()), []).append(token)
    return list(found.items())


def _options(options: dict[str, str | int | float]) -> list[sql.Composable]:
    return [compose("{} = {}", k, literal(v)) for k, v in options.items()]


def _value(printed: str) -> str | int | float:
    """A value as pg_ts_dict holds it: bare where it is a number."""
    if _NUMBER.fullmatch(printed):
        return float(printed) if "." in printed else int(printed)
    quoted = printed.removeprefix("E")
    return _unquoted(quoted.replace("\\\\", "\\") if quoted != printed else quoted, "'")


def _unquoted(printed: str, quote: str) -> str:
    return printed[1:-1].replace(quote * 2, quote) if printed.startswith(quote) else printed
