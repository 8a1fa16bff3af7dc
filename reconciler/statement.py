"""Statement: one SQL command with what there is to know of it; and the one door for SQL that people wrote."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import LiteralString, cast

from psycopg import sql
from pydantic import BaseModel, ConfigDict

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


class Hazard(StrEnum):
    """What may go wrong although the statement succeeds; `--allow` takes these names."""

    DATA_LOSS = "data-loss"
    TABLE_REWRITE = "table-rewrite"
    BLOCKS_WRITES = "blocks-writes"
    BLOCKS_READS = "blocks-reads"
    LONG_SCAN = "long-scan"
    WEAKENS_SECURITY = "weakens-security"
    IRREVERSIBLE = "irreversible"


class Danger(BaseModel, frozen=True, extra="forbid"):
    """A hazard and why this statement has it, in words that end no sentence."""

    hazard: Hazard
    reason: str


class Pace(BaseModel):
    """How fast a backfill may go; times are seconds.

    A batch is to take `target` and fills no more than `rows`; after it comes a `pause`, or one of that `share` of its
    time. It waits while a standby is further behind than `max_lag` or `max_lag_bytes`, or more than `max_active`
    sessions of others are at work. Without `triggers` none fires for it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    target: float = 0.2
    rows: int | None = None
    pause: float = 0.0
    share: float = 0.0
    max_lag: float | None = None
    max_lag_bytes: int | None = None
    max_active: int | None = None
    triggers: bool = True


class Fill(BaseModel):
    """A backfill: `column` of `relation` becomes `value` in every row where it is null.

    The three are SQL text, qualified. It fails, and names some of them, if rows are left that get no value; or, as
    the `sweep` after nulls were forbidden or without a `value`, if any row is null at all. A `sure` value is never
    null, and evaluated once for each row: a default that counts. A `partial` one leaves null where the value is.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    relation: str
    column: str
    value: str | None = None
    sweep: bool = False
    sure: bool = False
    partial: bool = False
    pace: Pace = Pace()

    @property
    def unfilled(self) -> str:
        """SQL that is true of a row that is null, and not merely of one that holds a row of nulls."""
        return f"{self.column} IS NOT DISTINCT FROM NULL" if self.partial else f"{self.column} IS NULL"

    @property
    def fillable(self) -> str:
        """SQL that is true of a row that is null and gets a value."""
        found = f"({self.value}) IS DISTINCT FROM NULL" if self.partial else f"({self.value}) IS NOT NULL"
        return self.unfilled if self.sure else f"{self.unfilled} AND {found}"


class Statement(BaseModel):
    """One SQL command as it will run.

    `lock` is the strongest table lock it takes, on `relation`, in the manual's words
    (https://www.postgresql.org/docs/current/explicit-locking.html). `transactional` is false for what PostgreSQL
    refuses inside a transaction block; `apart` asks for a transaction of its own, `ahead` that it stand before
    the one in which something is replaced. `long` marks what may wait or
    run for hours without blocking anybody, so that no `lock_timeout` cuts it short. `mend` clears away what a failed
    try leaves behind. `undo` is the SQL that takes
    the effect back, or None where the change as a whole knows how.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    sql: str
    lock: str = ""
    relation: str = ""
    transactional: bool = True
    apart: bool = False
    ahead: bool = False
    long: bool = False
    dangers: tuple[Danger, ...] = ()
    mend: tuple[str, ...] = ()
    undo: tuple[str, ...] | None = None
    fill: Fill | None = None


def undoable(statements: Iterable[Statement], back: Callable[[], Iterable[Statement]]) -> list[Statement]:
    """Give statements that do not say how they are undone the way `back`, all of it with the first of them."""
    found = list(statements)
    if found and all(s.undo is None for s in found):
        found[0] = found[0].model_copy(update={"undo": tuple(s.sql for s in back())})
    return [s if s.undo is not None else s.model_copy(update={"undo": ()}) for s in found]


@dataclass(frozen=True)
class Turn:
    """How the values of a replaced data type become those of the new one, and back again.

    `type` is its name as format_type prints it, `aside` what the old one is called meanwhile.
    """

    type: str
    aside: str
    forth: Callable[[sql.Composable], sql.Composable]
    back: Callable[[sql.Composable], sql.Composable]


Part = sql.Composable | str


def raw(text: str) -> sql.SQL:
    """Admit SQL that people or PostgreSQL wrote.

    Nothing is checked here: the extended query protocol, by which every statement runs, refuses a second command,
    and the scratch server says whether it parses.
    """
    return sql.SQL(cast("LiteralString", text))


def name(*parts: str) -> sql.SQL:
    """Quote a dotted name, and only where PostgreSQL needs the quotes."""
    return raw(".".join(p if _BARE.match(p) and p not in KEYWORDS else '"' + p.replace('"', '""') + '"' for p in parts if p))


def spellings(relation: str, schema: str = "") -> list[str]:
    """The SQL for what a statement's `relation` names: a schema, a dot, and the rest.

    Either may have dots of its own; where it is not in the given schema, every way to read it is told.
    """
    if schema and relation.startswith(schema + "."):
        return [text(name(schema, relation[len(schema) + 1 :]))]
    dots = [n for n, letter in enumerate(relation) if letter == "." and 0 < n < len(relation) - 1]
    asis = [relation] if '"' in relation and _QUALIFIED.match(relation) else []
    return asis + ([text(name(relation[:n], relation[n + 1 :])) for n in dots] or [text(name(relation))])


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

    return sql.SQL(template).format(*map(composable, args), **{k: composable(v) for k, v in kwargs.items()})


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
    return ".*" in sql_text or re.search(rf'(?<![\w$"])"?{quoted_name}"?(?![\w$"])', sql_text) is not None


def closing(sql_text: str, opening: int) -> int:
    """The index of the bracket that closes the one at `opening`, in SQL that PostgreSQL printed."""
    depth = 0
    for piece in _PIECE.finditer(sql_text, opening):
        depth += (piece[0] in "([") - (piece[0] in ")]")
        if depth == 0:
            return piece.start()
    return len(sql_text)
