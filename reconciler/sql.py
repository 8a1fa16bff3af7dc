"""Compose SQL text, and admit SQL that people or PostgreSQL wrote."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import LiteralString, cast

from psycopg import sql

# Words that cannot stand bare as every sort of name: SELECT word FROM pg_get_keywords() WHERE catcode <> 'U' on 18.
_KEYWORDS = """
    all analyse analyze and any array as asc asymmetric authorization between bigint binary bit boolean both case
    cast char character check coalesce collate collation column concurrently constraint create cross
    current_catalog current_date current_role current_schema current_time current_timestamp current_user dec
    decimal default deferrable desc distinct do else end except exists extract false fetch float for foreign
    freeze from full grant greatest group grouping having ilike in initially inner inout int integer intersect
    interval into is isnull join json json_array json_arrayagg json_exists json_object json_objectagg json_query
    json_scalar json_serialize json_table json_value lateral leading least left like limit localtime
    localtimestamp merge_action national natural nchar none normalize not notnull null nullif numeric offset on
    only or order out outer overlaps overlay placing position precision primary real references returning right
    row select session_user setof similar smallint some substring symmetric system_user table tablesample then
    time timestamp to trailing treat trim true union unique user using values varchar variadic verbose when where
    window with xmlattributes xmlconcat xmlelement xmlexists xmlforest xmlnamespaces xmlparse xmlpi xmlroot
    xmlserialize xmltable
"""


KEYWORDS = frozenset(_KEYWORDS.split())


_BARE = re.compile(r"[a-z_][a-z0-9_$]*\Z")


_QUALIFIED = re.compile(r"""((?:"(?:[^"]|"")+"|[a-z_][a-z0-9_$]*)(?:\.|\Z)){1,2}\Z""")


Part = sql.Composable | str


def raw(text: str) -> sql.SQL:
    """Admit SQL that people or PostgreSQL wrote.

    Nothing is checked here: the extended query protocol, by which every statement runs, refuses a second command,
    and the scratch server says whether it parses.
    """
    return sql.SQL(cast("LiteralString", text))


def name(*parts: str) -> sql.SQL:
    """Quote a dotted name, and only where PostgreSQL needs the quotes."""
    return raw(
        ".".join(
            p if _BARE.match(p) and p not in KEYWORDS else '"' + p.replace('"', '""') + '"'
            for p in parts
            if p
        )
    )


def spellings(relation: str, schema: str = "") -> list[str]:
    """The SQL for what a statement's `relation` names: a schema, a dot, and the rest.

    Either may have dots of its own; where it is not in the given schema, every way to read it is told.
    """
    if schema and relation.startswith(schema + "."):
        return [text(name(schema, relation[len(schema) + 1 :]))]
    dots = [n for n, letter in enumerate(relation) if letter == "." and 0 < n < len(relation) - 1]
    asis = [relation] if '"' in relation and _QUALIFIED.match(relation) else []
    return asis + (
        [text(name(relation[:n], relation[n + 1 :])) for n in dots] or [text(name(relation))]
    )


def literal(value: str | int | float | bool | None) -> sql.Composable:
    """Quote a value."""
    return sql.Literal(value)


def joined(parts: Iterable[Part], by: LiteralString = ", ") -> sql.Composed:
    """Join pieces of SQL; a string among them is a name."""
    return sql.SQL(by).join([p if isinstance(p, sql.Composable) else name(p) for p in parts])


def parameters(values: Mapping[str, str]) -> sql.Composed:
    """Storage parameters as SET and WITH take them."""
    return joined(compose("{} = {}", k, literal(v)) for k, v in values.items())


def compose(template: LiteralString, *args: Part, **kwargs: Part) -> sql.Composed:
    """Fill a template's `{}`; strings are names and are quoted as such."""

    def composable(part: Part) -> sql.Composable:
        return name(part) if isinstance(part, str) else part

    return sql.SQL(template).format(
        *map(composable, args), **{k: composable(v) for k, v in kwargs.items()}
    )


def text(part: sql.Composable) -> str:
    """Render a piece of SQL; the result depends on no connection."""
    return part.as_string(None)


_PIECE = re.compile(r"""'(?:''|[^'])*'|"(?:""|[^"])*"|[(\[]|[)\]]|,|[^'"()\[\],]+""")


def split_commas(listed: str) -> list[str]:
    """Split SQL that PostgreSQL printed at the commas outside quotes and brackets."""
    parts, depth = [""], 0
    for piece in _PIECE.findall(listed):
        depth += (piece in "([") - (piece in ")]")
        if piece == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += piece
    return [p.strip() for p in parts if p.strip()]


def mentions(sql_text: str, column: str) -> bool:
    """Whether SQL over a row may name the column; whoever takes whole rows names all."""
    quoted_name = re.escape(column.replace('"', '""'))
    return (
        ".*" in sql_text
        or re.search(rf'(?<![\w$"])"?{quoted_name}"?(?![\w$"])', sql_text) is not None
    )


def closing(sql_text: str, opening: int) -> int:
    """The index of the bracket that closes the one at `opening`, in SQL that PostgreSQL printed."""
    depth = 0
    for piece in _PIECE.finditer(sql_text, opening):
        depth += (piece[0] in "([") - (piece[0] in ")]")
        if depth == 0:
            return piece.start()
    return len(sql_text)
