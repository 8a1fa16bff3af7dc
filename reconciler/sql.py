"""Compose SQL, and admit SQL that people or PostgreSQL wrote."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache, lru_cache
from string import Formatter
from typing import LiteralString, cast

from psycopg import sql

# Keywords that need quotes as some kind of name, on 18:
# SELECT word FROM pg_get_keywords() WHERE catcode <> 'U'
_KEYWORDS = """
    all analyse analyze and any array as asc asymmetric authorization between bigint binary bit
    boolean both case cast char character check coalesce collate collation column concurrently
    constraint create cross current_catalog current_date current_role current_schema
    current_time current_timestamp current_user dec decimal default deferrable desc distinct do
    else end except exists extract false fetch float for foreign freeze from full grant greatest
    group grouping having ilike in initially inner inout int integer intersect interval into is
    isnull join json json_array json_arrayagg json_exists json_object json_objectagg json_query
    json_scalar json_serialize json_table json_value lateral leading least left like limit
    localtime localtimestamp merge_action national natural nchar none normalize not notnull null
    nullif numeric offset on only or order out outer overlaps overlay placing position precision
    primary real references returning right row select session_user setof similar smallint some
    substring symmetric system_user table tablesample then time timestamp to trailing treat trim
    true union unique user using values varchar variadic verbose when where window with
    xmlattributes xmlconcat xmlelement xmlexists xmlforest xmlnamespaces xmlparse xmlpi xmlroot
    xmlserialize xmltable
"""
KEYWORDS = frozenset(_KEYWORDS.split())

_PLAIN = re.compile(r"[^\0-\x1f\x7f-\U0010ffff'\\]*\Z")  # printable ASCII without quotes
_BARE = re.compile(r"[a-z_][a-z0-9_$]*\Z")
_QUOTED = re.compile(r"""'(?:''|[^'])*'|"(?:""|[^"])*\"""")
_QUALIFIED = re.compile(r"""((?:"(?:[^"]|"")+"|[a-z_][a-z0-9_$]*)(?:\.|\Z)){1,2}\Z""")

Part = sql.Composable | str


def raw(text: str) -> sql.SQL:
    """Admit SQL that people or PostgreSQL wrote.

    Each kind lists such fields (`model.clauses`), and `canonicalise.fragments` lets PostgreSQL
    prove that each stands in its clause alone. A comment at the end is closed by a new line.
    """
    if "--" in text and "--" in _QUOTED.sub("", text).rpartition("\n")[2]:
        text += "\n"
    return sql.SQL(cast("LiteralString", text))


def name(*parts: str) -> sql.SQL:
    """Compose a dotted name, quoted only where PostgreSQL needs quotes."""
    return sql.SQL(cast("LiteralString", ".".join(map(_quoted, filter(None, parts)))))


@lru_cache(1 << 16)
def _quoted(part: str) -> str:
    """Quote a part of a name where PostgreSQL needs quotes; plans repeat the names of tables."""
    if _BARE.match(part) and part not in KEYWORDS:
        return part
    return '"' + part.replace('"', '""') + '"'


def spellings(relation: str, schema: str = "") -> list[str]:
    """Return the SQL for the name of a relation: a schema, a dot and the relation's own name.

    Both may contain dots: without a `schema` that begins the name, return every reading.
    """
    if schema and relation.startswith(schema + "."):
        return [text(name(schema, relation[len(schema) + 1 :]))]
    dots = [n for n, letter in enumerate(relation) if letter == "." and 0 < n < len(relation) - 1]
    readings = [text(name(relation[:n], relation[n + 1 :])) for n in dots]
    quoted = '"' in relation and _QUALIFIED.match(relation) is not None
    return ([relation] if quoted else []) + (readings or [text(name(relation))])


def literal(value: str | int | float | bool | None) -> sql.Composable:
    """Quote a value; the driver does so for all but plain text, of which plans hold much."""
    if isinstance(value, str) and _PLAIN.match(value):
        return sql.SQL(cast("LiteralString", f"'{value}'"))
    return sql.Literal(value)


def joined(parts: Iterable[Part], by: LiteralString = ", ") -> sql.SQL:
    """Join SQL; strings are names."""
    return sql.SQL(cast("LiteralString", by.join(map(_rendered, parts))))


def parameters(values: Mapping[str, str]) -> sql.SQL:
    """Compose storage parameters for SET and WITH."""
    return joined(compose("{} = {}", k, literal(v)) for k, v in values.items())


def compose(template: LiteralString, *args: Part, **kwargs: Part) -> sql.SQL:
    """Compose a template with `{}` placeholders; strings are names.

    The result is rendered at once, and not a tree as `sql.SQL.format` makes it: plans of large
    databases compose it into further SQL several times.
    """
    rendered = list[str]()
    for before, field in _placeholders(template):
        rendered.append(before)
        if field is not None:
            part = kwargs[field] if isinstance(field, str) else args[field]
            rendered.append(_rendered(part))
    return sql.SQL(cast("LiteralString", "".join(rendered)))


@cache
def _placeholders(template: str) -> Sequence[tuple[str, str | int | None]]:
    """Split a template into texts, each with the name or number of the placeholder after it."""
    found, counted = list[tuple[str, str | int | None]](), 0
    for before, field, _, _ in Formatter().parse(template):
        number = counted if field == "" else int(field) if field and field.isdigit() else None
        counted += field == ""
        found.append((before, field if number is None else number))
    return found


def _rendered(part: Part) -> str:
    if isinstance(part, str):
        return _quoted(part) if part else ""
    return part.as_string(None)


def text(part: sql.Composable) -> str:
    """Render SQL, independently of any connection."""
    return part.as_string(None)


_LEXEME = re.compile(r"""'(?:''|[^'])*'|"(?:""|[^"])*"|[(\[]|[)\]]|,|[^'"()\[\],]+""")


def split_commas(listed: str) -> list[str]:
    """Split SQL printed by PostgreSQL at the commas outside quotes and brackets."""
    parts, depth = [""], 0
    for lexeme in _LEXEME.findall(listed):
        depth += (lexeme in "([") - (lexeme in ")]")
        if lexeme == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += lexeme
    return [p.strip() for p in parts if p.strip()]


def mentions(sql_text: str, column: str) -> bool:
    """Return whether an expression may name the column; a whole-row reference names all."""
    quoted_name = re.escape(column.replace('"', '""'))
    return (
        ".*" in sql_text
        or re.search(rf'(?<![\w$"])"?{quoted_name}"?(?![\w$"])', sql_text) is not None
    )


# one part of SQL after another; an unknown character stands alone
_PARTS = re.compile(
    r"""(?P<comment>--[^\n]*)|/\*.*?\*/|\b[eE]'(?:\\.|''|[^'\\])*'|'(?:''|[^'])*'|"(?:""|[^"])*"
    |(?P<tag>\$(?:[^\W\d]\w*)?\$).*?(?P=tag)|[\w$]+|.""",
    re.DOTALL | re.VERBOSE,
)


def without_final_comment(sql_text: str) -> str:
    """Return SQL without comments `-- …` at the end, and without the space before them."""
    if "--" not in sql_text:
        return sql_text
    end, comment = 0, False
    for part in _PARTS.finditer(sql_text):
        if part["comment"] is not None:
            comment = True
        elif not part[0].isspace():
            end, comment = part.end(), False
    return sql_text[:end] if comment else sql_text


def index_of_word(sql_text: str, word: str) -> int:
    """Return the index of a word outside quotes, comments and brackets, or the length."""
    depth = 0
    for part in _PARTS.finditer(sql_text):
        depth += (part[0] in "([") - (part[0] in ")]")
        if depth == 0 and part[0].upper() == word:
            return part.start()
    return len(sql_text)


def closing(sql_text: str, opening: int) -> int:
    """Return the index of the bracket that closes the bracket at `opening`."""
    depth = 0
    for lexeme in _LEXEME.finditer(sql_text, opening):
        depth += (lexeme[0] in "([") - (lexeme[0] in ")]")
        if depth == 0:
            return lexeme.start()
    return len(sql_text)
