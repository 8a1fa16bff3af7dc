"""Propose edits for shorter SQL; the meaning may change, and is checked elsewhere.

PostgreSQL decides on each of them; see `search`. Brackets that help a reader stay, such as those
of AND within OR.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import TypeAlias

from reconciler.model.type_spelling import TypeSql
from reconciler.sql import name, text
from reconciler.tidy.tokens import Edit, Sql

Proposals: TypeAlias = Callable[[Sql, str], Iterator[Edit]]  # of SQL in a file for a schema

MAX_WIDTH = 100  # characters of a line in a query
INDENT = "  "
_NUMBER = re.compile(r"'-?\d+(?:\.\d+)?'\Z")
_LIKE = {"~~": "LIKE", "!~~": "NOT LIKE", "~~*": "ILIKE", "!~~*": "NOT ILIKE"}
_LISTS = {("=", "ANY"): "IN", ("<>", "ALL"): "NOT IN"}
# https://www.postgresql.org/docs/current/sql-syntax-lexical.html#SQL-PRECEDENCE
OR, AND, NOT, IS, COMPARED, MATCHED, TIGHT = 1, 2, 3, 4, 5, 6, 20
_WORDS = {
    "OR": OR,
    "AND": AND,
    "NOT": NOT,
    **dict.fromkeys(("IS", "ISNULL", "NOTNULL"), IS),
    **dict.fromkeys(("LIKE", "ILIKE", "IN", "BETWEEN", "SIMILAR"), MATCHED),
    **dict.fromkeys(("COLLATE", "AT"), 11),
}
_SIGNS = {
    **dict.fromkeys(("<", ">", "=", "<=", ">=", "<>"), COMPARED),
    **dict.fromkeys(("+", "-"), 8),
    **dict.fromkeys(("*", "/", "%"), 9),
    "^": 10,
    **dict.fromkeys((".", ":", ","), 0),
}
_OTHER_SIGN = 7
_BEFORE = frozenset(
    {
        *("AS", "BY", "CASE", "DISTINCT", "ELSE", "HAVING", "ON", "RETURN", "SELECT", "THEN"),
        *("WHEN", "WHERE"),
    }
)
_NEVER_BARE = frozenset({"SELECT", "WITH", "VALUES", "ROW"})


def lists(sql: Sql, _: str) -> Iterator[Edit]:
    """Write `x = ANY (ARRAY[a, b])` as `x IN (a, b)`, without the casts of the operands."""
    for number, token in enumerate(sql.tokens):
        operator = sql.before(number)
        opened = sql.after(number)
        shown = _LISTS.get((sql[operator].text, token.text))
        if token.kind != "word" or not shown or sql[opened].text != "(":
            continue
        closed = sql.partner.get(opened, -1)
        array = next((n for n in range(opened, closed) if sql[n].text == "ARRAY"), None)
        if array is None or sql[array + 1].text != "[" or sql[operator - 1].kind != "space":
            continue
        first, last = array + 1, sql.partner.get(array + 1, -1)
        edit = {operator: shown, **dict.fromkeys(range(operator + 1, opened), "")}
        edit |= {opened: " (", **dict.fromkeys(range(opened + 1, first + 1), "")}
        edit |= dict.fromkeys(range(last, closed), "")
        for inner in sql.outermost(first + 1, last):
            edit |= sql.without_cast(inner) if sql[inner].kind == "colons" else {}
        left = sql.cast_that_ends(operator - 1)
        yield edit | (sql.without_cast(left) if left is not None else {})


def numbers(sql: Sql, _: str) -> Iterator[Edit]:
    """Write a number without quotes."""
    for number, token in enumerate(sql.tokens):
        if token.kind == "text" and _NUMBER.match(token.text) and sql[number + 1].kind == "colons":
            yield {number: token.text[1:-1], **sql.without_cast(number + 1)}


def casts(sql: Sql, _: str) -> Iterator[Edit]:
    """Leave casts out."""
    for number, token in enumerate(sql.tokens):
        if token.kind == "colons":
            yield sql.without_cast(number)


def types(sql: Sql, _: str) -> Iterator[Edit]:
    """Write the short names of built-in types in casts: timestamptz."""
    for number, token in enumerate(sql.tokens):
        if token.kind == "colons":
            start, end = number + 1, sql.end_of_cast(number)
            long = "".join([sql[n].text for n in range(start, end)])
            if (short := TypeSql().write(long)) != long:
                yield {**dict.fromkeys(range(start, end), ""), start: short}


def homes(sql: Sql, schema: str) -> Iterator[Edit]:
    """Leave the schema of the file out, in names and in texts of names."""
    shown = text(name(schema))
    for number, token in enumerate(sql.tokens):
        if token.text == shown and sql[number + 1].text == "." and sql[number - 1].text != ".":
            yield {number: "", number + 1: ""}
        elif token.kind == "text" and token.text.startswith(f"'{shown}."):
            yield {number: "'" + token.text[len(shown) + 2 :]}


def likes(sql: Sql, _: str) -> Iterator[Edit]:
    """Write LIKE for its operator."""
    for number, token in enumerate(sql.tokens):
        if token.text in _LIKE:
            yield {number: _LIKE[token.text]}


def brackets(sql: Sql, _: str) -> Iterator[Edit]:
    """Leave out brackets around content of tighter binding than the operators outside."""
    for opened, closed in sql.partner.items():
        if sql[opened].text != "(" or closed < opened:
            continue
        own, before = _tightness(sql, opened + 1, closed), sql.before(opened)
        left, right = _before(sql, before), _around(sql, sql.after(closed))
        is_chained = own == left == AND and right <= AND
        if is_chained or (own > left and own >= right and not _helps(own, left, right)):
            yield {opened: "", closed: ""}


def spaces(sql: Sql, _: str) -> Iterator[Edit]:
    """Leave spaces out at the beginning of brackets."""
    for number, token in enumerate(sql.tokens):
        if token.text == " " and sql[number - 1].text == "(":
            yield {number: ""}


def lines(sql: Sql, _: str) -> Iterator[Edit]:
    """Begin a line at the outermost AND and OR of a long line of a query."""
    starts = [0, *(n for n, t in enumerate(sql.tokens) if "\n" in t.text), len(sql)]
    for start, end in pairwise(starts):
        width = sum(len(sql[n].text) for n in range(start, end))
        indent = sql[start].text.rpartition("\n")[2] if sql[start].kind == "space" else ""
        found = _outermost_words(sql, start, end)
        if found and len(starts) > 2 and width > MAX_WIDTH:
            yield {n - 1: f"\n{indent}{INDENT}" for n in found}


def _outermost_words(sql: Sql, start: int, end: int) -> Sequence[int]:
    """Return the numbers of AND and OR in the outermost brackets with AND or OR."""
    found, depth = dict[int, list[int]](), 0
    for number in range(start, end):
        token = sql[number]
        depth += (token.kind == "open") - (token.kind == "close")
        if token.text in ("AND", "OR") and sql[number - 1].text == " ":
            found.setdefault(depth, []).append(number)
    return found[min(found)] if found else []


def _tightness(sql: Sql, start: int, end: int) -> int:
    """Return the precedence of the loosest operator; 0 for content in need of brackets."""
    start = sql.after(start - 1)
    if sql[start].text.upper() in _NEVER_BARE or start >= end:
        return 0
    if sql[start].text == "(" and sql.partner.get(start) == end - 1:
        return _tightness(sql, start + 1, end - 1)
    found, cases = TIGHT, 0
    for number in sql.outermost(start, end):
        token = sql[number]
        cases += (token.text == "CASE") - (token.text == "END")
        if token.text == ",":
            return 0
        if not cases and token.kind in ("word", "sign"):
            found = min(found, _operator(token.kind, token.text) or TIGHT)
    return found


def _operator(kind: str, shown: str) -> int:
    """Return how tightly an operator binds; 0 for another token."""
    if kind == "word":
        return _WORDS.get(shown, 0)
    return _SIGNS.get(shown, _OTHER_SIGN) if kind == "sign" else 0


def _before(sql: Sql, number: int) -> int:
    """Return the precedence of the token before brackets, highest for a name."""
    token = sql[number]
    if token.kind == "word":
        if token.text == "FROM":
            return IS if sql[sql.before(number)].text == "DISTINCT" else 0
        known: Mapping[str, int] = {**_WORDS, **dict.fromkeys(_BEFORE, 0)}
        return TIGHT if token.text == "IN" else known.get(token.text, TIGHT)
    if token.kind in ("name", "text", "number", "close", "colons"):
        return TIGHT
    return _operator(token.kind, token.text)


def _around(sql: Sql, number: int) -> int:
    """Return how tightly the token after brackets binds."""
    token = sql[number]
    if token.text in (".", "["):
        return TIGHT + 1
    if token.kind == "colons":
        return TIGHT
    return _operator(token.kind, token.text)


def _helps(own: int, left: int, right: int) -> bool:
    """Tell whether brackets help the reader: AND within OR, a comparison within NOT or IS."""
    around = (left, right)
    if own == AND:
        return OR in around
    return (IS in around or left == NOT) and own in (IS, COMPARED, MATCHED)


OF_EXPRESSIONS: Sequence[Proposals] = (
    lists,
    numbers,
    casts,
    types,
    homes,
    likes,
    brackets,
    spaces,
)
OF_QUERIES: Sequence[Proposals] = (*OF_EXPRESSIONS, lines)
