"""Divide SQL that PostgreSQL has printed into tokens, and put it together with edits.

https://www.postgresql.org/docs/current/sql-syntax-lexical.html. Comments and dollar quotes do not
occur there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple, TypeAlias

_TOKEN = re.compile(
    r"""(?P<text>[a-zA-Z]?'(?:[^']|'')*')
    |(?P<word>[^\W\d][\w$]*)
    |(?P<name>"(?:[^"]|"")*")
    |(?P<number>\d[\w.]*)
    |(?P<space>\s+)
    |(?P<colons>::)
    |(?P<open>[(\[])
    |(?P<close>[)\]])
    |(?P<sign>[-+*/<>=~!@\#%^&|`?]+|.)""",
    re.VERBOSE | re.DOTALL,
)
# The words that may follow the first word of a type, as format_type() prints types
_TYPES: Mapping[str, frozenset[str]] = {
    "character": frozenset({"varying"}),
    "bit": frozenset({"varying"}),
    "double": frozenset({"precision"}),
    "time": frozenset({"with", "without", "time", "zone"}),
    "timestamp": frozenset({"with", "without", "time", "zone"}),
    "interval": frozenset({"year", "month", "day", "hour", "minute", "second", "to"}),
}

Edit: TypeAlias = dict[int, str]  # the texts in place of tokens, by number; "" removes a token


class Token(NamedTuple):
    """A token; `kind` is a group of the pattern."""

    kind: str
    text: str


class Sql:
    """The tokens of an expression or query; `partner` maps each bracket to the other one."""

    def __init__(self, sql: str) -> None:
        self.tokens = [Token(str(m.lastgroup), m[0]) for m in _TOKEN.finditer(sql)]
        self.partner: dict[int, int] = {}
        opened: list[int] = []
        for number, token in enumerate(self.tokens):
            if token.kind == "open":
                opened.append(number)
            elif token.kind == "close" and opened:
                start = opened.pop()
                self.partner |= {start: number, number: start}

    def __getitem__(self, number: int) -> Token:
        return self.tokens[number] if 0 <= number < len(self.tokens) else Token("end", "")

    def __len__(self) -> int:
        return len(self.tokens)

    def before(self, number: int) -> int:
        """Return the number of the token before one, spaces left out; -1 at the beginning."""
        number -= 1
        return number - (self[number].kind == "space")

    def after(self, number: int) -> int:
        """Return the number of the token after one, spaces left out; the length at the end."""
        number += 1
        return number + (self[number].kind == "space")

    def outermost(self, start: int, end: int) -> Iterable[int]:
        """Yield the brackets between two numbers, and the tokens outside them."""
        number = start
        while number < end:
            yield number
            is_open = self[number].kind == "open" and number in self.partner
            number = self.partner[number] if is_open else number + 1

    def end_of_cast(self, number: int) -> int:
        """Return the number after the type of the cast that stands at a number."""
        at = number + 1
        while self[at + 1].text == ".":
            at += 2
        further = _TYPES.get(self[at].text.lower(), frozenset())
        while True:
            following = self.after(at)
            if self[following].text in further:
                at = following
            elif self[at + 1].kind == "open" and at + 1 in self.partner:
                at = self.partner[at + 1]
            else:
                return at + 1

    def cast_that_ends(self, end: int) -> int | None:
        """Return the number of the cast whose type ends before a number; None without one."""
        for number in range(end - 1, -1, -1):
            if self[number].kind == "colons":
                return number if self.end_of_cast(number) == end else None
        return None

    def without_cast(self, number: int) -> Edit:
        """Return the edit that removes the cast at a number."""
        return dict.fromkeys(range(number, self.end_of_cast(number)), "")

    def edited(self, edits: Iterable[Edit]) -> str:
        """Return the SQL after edits."""
        changed = {number: text for edit in edits for number, text in edit.items()}
        return "".join([changed.get(n, token.text) for n, token in enumerate(self.tokens)])
