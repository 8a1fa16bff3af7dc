"""Text search: https://www.postgresql.org/docs/current/textsearch-configuration.html

Configurations map tokens to dictionaries; both depend on templates and parsers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, ClassVar, Self

from psycopg import sql
from pydantic import Field, model_validator

from reconciler.model.catalog_sql import address, managed
from reconciler.model.clauses import NAME, Clause, Fragment
from reconciler.model.names import unquoted
from reconciler.model.object import Object, PlanningContext
from reconciler.model.owned import Owned
from reconciler.model.ref import Ref, split_name
from reconciler.model.spelling import Name, QualifiedName, SqlName
from reconciler.model.statement import Statement
from reconciler.server.capabilities import Server
from reconciler.server.connection import Row
from reconciler.sql import compose, joined, literal, name, raw, split_commas, text

_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")


class ParserName(SqlName):
    """The name of a parser; PostgreSQL's own is `default`, a reserved word."""

    title: ClassVar[str] = "a parser"

    def read(self, written: str) -> str:
        return "default" if unquoted(written) == "default" else super().read(written)


class TextSearchConfiguration(Owned):
    """A text search configuration: a parser, and dictionaries for each token type."""

    kind: ClassVar[str] = "text_search_configuration"
    section: ClassVar[str] = "text_search_configurations"
    omitted_is_default: ClassVar[bool] = False
    oid_column: ClassVar[str] = "pg_ts_config.oid"
    sql_fields: ClassVar[tuple[str, ...]] = ("parser", "mappings")
    sql_clauses: ClassVar[Mapping[str, Clause]] = {"mappings": NAME, "copied": NAME}

    not_with: ClassVar[Mapping[str, tuple[str, ...]]] = {"parser": ("copied",)}

    parser: Annotated[str, ParserName()] = Field(
        default="default", description="the parser that splits text into tokens"
    )
    mappings: dict[Name, tuple[QualifiedName, ...]] = Field(
        default_factory=dict, description="token type → dictionaries, in the order of lookup"
    )

    copied: QualifiedName | None = Field(
        default=None,
        alias="copy",
        description="the configuration to copy; `mappings` then lists only what differs",
    )

    @model_validator(mode="after")
    def _copied_parser(self) -> Self:
        if self.copied is not None and "parser" in self.model_fields_set:
            raise ValueError("copy: a copy has the parser of the configuration that it copies")
        return self

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

    def over(self, live: Self | None, *, with_defaults: bool = False) -> Self:
        """Copy anew: undeclared fields are as in the copied configuration."""
        full = super().over(live, with_defaults=with_defaults)
        if self.copied is None:
            return full
        return full.model_copy(update={"parser": "default", "mappings": self.mappings})

    def needs(self) -> frozenset[Ref]:
        *schema, own = split_name(self.copied or "") or [""]
        copied = Ref(self.kind, schema[0] if schema else self.ref.schema, own)
        return super().needs() | ({copied} if own else frozenset[Ref]())

    def fragments(self) -> Iterator[Fragment]:
        yield from super().fragments()
        if self.parser != "default":
            yield Fragment("parser", NAME, self.parser)

    def define(self, context: PlanningContext, parts: Sequence[Object] = ()) -> Iterable[Statement]:
        if self.copied is not None:
            copy = compose("CREATE {} (COPY = {})", self.designation(), raw(self.copied))
            yield Statement(sql=text(copy))
            yield from self._map("ALTER", self.mappings)
            return
        parser = raw('"default"' if self.parser == "default" else self.parser)
        yield Statement(sql=text(compose("CREATE {} (PARSER = {})", self.designation(), parser)))
        yield from self._alter_mappings({})

    def redefine(self, old: Self, context: PlanningContext) -> Iterable[Statement] | None:
        return self._alter_mappings(old.mappings) if self.parser == old.parser else None

    def _alter_mappings(self, before: dict[str, tuple[str, ...]]) -> Iterable[Statement]:
        for dictionaries, tokens in _by_dictionaries(before, self.mappings):
            if not dictionaries:
                yield self._alter(compose("DROP MAPPING FOR {}", joined(tokens)))
        changed = {t: d for t, d in self.mappings.items() if before.get(t) != d}
        yield from self._map("ADD", {t: d for t, d in changed.items() if t not in before})
        yield from self._map("ALTER", {t: d for t, d in changed.items() if t in before})

    def _map(self, verb: str, mappings: dict[str, tuple[str, ...]]) -> Iterable[Statement]:
        for dictionaries, tokens in _by_dictionaries({}, mappings):
            with_ = joined(map(raw, dictionaries))
            yield self._alter(
                compose("{} MAPPING FOR {} WITH {}", raw(verb), joined(tokens), with_)
            )

    def _alter(self, action: sql.Composable) -> Statement:
        return Statement(sql=text(compose("ALTER {} {}", self.designation(), action)))


class TextSearchDictionary(Owned):
    """A text search dictionary, which turns tokens into lexemes."""

    kind: ClassVar[str] = "text_search_dictionary"
    main_key: ClassVar[str] = "template"
    section: ClassVar[str] = "text_search_dictionaries"
    omitted_is_default: ClassVar[bool] = False
    oid_column: ClassVar[str] = "pg_ts_dict.oid"
    sql_fields: ClassVar[tuple[str, ...]] = ("template",)
    sql_clauses: ClassVar[Mapping[str, Clause]] = {"template": NAME}

    template: QualifiedName = Field(
        default="simple", description="the template: simple, snowball, synonym, …"
    )
    options: dict[str, str | int | float] = Field(
        default_factory=dict, description="options of the template, such as stopwords"
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
        options = [compose("TEMPLATE = {}", raw(self.template)), *_options(self.options)]
        yield Statement(sql=text(compose("CREATE {} ({})", self.designation(), joined(options))))

    def redefine(self, old: Self, context: PlanningContext) -> Iterable[Statement] | None:
        if self.template != old.template:
            return None
        removed = [name(k) for k in old.options if k not in self.options]
        changed = _options({k: v for k, v in self.options.items() if old.options.get(k) != v})
        return [
            Statement(
                sql=text(compose("ALTER {} ({})", self.designation(), joined([*removed, *changed])))
            )
        ]


class TextSearchParser(Object):
    """A text search parser: functions that split text into tokens."""

    kind: ClassVar[str] = "text_search_parser"
    section: ClassVar[str] = "text_search_parsers"
    omitted_is_default: ClassVar[bool] = False
    oid_column: ClassVar[str] = "pg_ts_parser.oid"
    sql_fields: ClassVar[tuple[str, ...]] = ("start", "gettoken", "end", "lextypes", "headline")
    sql_clauses: ClassVar[Mapping[str, Clause]] = {
        "start": NAME,
        "gettoken": NAME,
        "end": NAME,
        "lextypes": NAME,
        "headline": NAME,
    }

    start: QualifiedName = Field(default="", description="the function that starts the parser")
    gettoken: QualifiedName = Field(
        default="", description="the function that returns the next token"
    )
    end: QualifiedName = Field(default="", description="the function that ends the parser")
    lextypes: QualifiedName = Field(
        default="", description="the function that lists the token types"
    )
    headline: QualifiedName | None = Field(
        default=None, description="the function that extracts headlines"
    )

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
    """A text search template: the functions of dictionaries."""

    kind: ClassVar[str] = "text_search_template"
    section: ClassVar[str] = "text_search_templates"
    omitted_is_default: ClassVar[bool] = False
    oid_column: ClassVar[str] = "pg_ts_template.oid"
    sql_fields: ClassVar[tuple[str, ...]] = ("init", "lexize")
    sql_clauses: ClassVar[Mapping[str, Clause]] = {"init": NAME, "lexize": NAME}

    init: QualifiedName | None = Field(
        default=None, description="the function that initializes a dictionary with options"
    )
    lexize: QualifiedName = Field(
        default="", description="the function that turns a token into lexemes"
    )

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
    """Return SQL for a name, qualified outside pg_catalog, as reg… types print names."""
    return f"""(SELECT CASE x.nspname WHEN 'pg_catalog' THEN quote_ident(o.{prefix}name)
                            ELSE format('%I.%I', x.nspname, o.{prefix}name) END
                FROM {catalog} AS o JOIN pg_namespace AS x ON x.oid = o.{prefix}namespace
                WHERE o.oid = {oid})"""


def _of_functions(obj: Object, roles: Sequence[str]) -> Statement:
    functions = ((r, getattr(obj, r)) for r in roles)
    options = (compose("{} = {}", raw(r.upper()), raw(f)) for r, f in functions if f is not None)
    return Statement(sql=text(compose("CREATE {} ({})", obj.designation(), joined(options))))


def _by_dictionaries(
    before: dict[str, tuple[str, ...]], after: dict[str, tuple[str, ...]]
) -> list[tuple[tuple[str, ...], list[str]]]:
    """Group token types by dictionaries; removed token types have none."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for token in [*after, *(t for t in before if t not in after)]:
        groups.setdefault(after.get(token, ()), []).append(token)
    return list(groups.items())


def _options(options: dict[str, str | int | float]) -> list[sql.Composable]:
    return [compose("{} = {}", k, literal(v)) for k, v in options.items()]


def _value(printed: str) -> str | int | float:
    """Parse a value of pg_ts_dict, which stores numbers without quotes."""
    if _NUMBER.fullmatch(printed):
        return float(printed) if "." in printed else int(printed)
    quoted = printed.removeprefix("E")
    return _unquoted(quoted.replace("\\\\", "\\") if quoted != printed else quoted, "'")


def _unquoted(printed: str, quote: str) -> str:
    return printed[1:-1].replace(quote * 2, quote) if printed.startswith(quote) else printed
