"""Split a file of SQL into commands, as psql does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_TOKEN = re.compile(
    r"""(?P<comment>--[^\n]*|/\*)
    |(?P<quoted>[eE]'(?:[^'\\]|\\.|'')*+'|'(?:[^']|'')*+'|"(?:[^"]|"")*+")
    |(?P<dollar>\$(?:[^\W\d]\w*)?\$)
    |(?P<word>[^\W\d][\w$]*)
    |(?P<end>;) |(?P<open>[(\[]) |(?P<close>[)\]]) |(?P<command>\\[^\n]*) |(?P<open_quote>['"])
    |(?P<space>\s+) |(?P<other>[^\s])""",
    re.VERBOSE | re.DOTALL,
)
_COMMENT_MARKS = re.compile(r"/\*|\*/")
_COPY_DATA = re.compile(r"COPY\b.*\bFROM\s+STDIN\b", re.IGNORECASE | re.DOTALL)
_END_OF_DATA = re.compile(r"^\\\.[ \t\r]*$", re.MULTILINE)
_ROUTINES = frozenset({"FUNCTION", "PROCEDURE"})
_WORDS_OF_KIND = 4  # CREATE OR REPLACE FUNCTION


@dataclass(frozen=True)
class ScriptCommand:
    """A command of a file, without the semicolon, and the number of the first line.

    With `is_psql`, psql follows it, and PostgreSQL does not know it.
    """

    line: int
    sql: str
    is_psql: bool = False


@dataclass
class _Begun:
    """The state within a command: the first words, and the open brackets and bodies."""

    start: int | None = None
    words: list[str] = field(default_factory=list[str])
    brackets: int = 0
    bodies: int = 0

    def read_word(self, word: str) -> None:
        """Follow the BEGIN ATOMIC … END of a routine, with the END of each CASE."""
        word = word.upper()
        if len(self.words) < _WORDS_OF_KIND:
            self.words.append(word)
        if self.words[0] != "CREATE" or not _ROUTINES & {*self.words}:
            return
        if word == "BEGIN" or (word == "CASE" and self.bodies):
            self.bodies += 1
        elif word == "END" and self.bodies:
            self.bodies -= 1


def split_script(script: str) -> Iterator[ScriptCommand]:
    """Yield the commands; comments before a command are left out.

    The rows after COPY … FROM STDIN are left out as well.
    """
    begun, at = _Begun(), 0
    while found := _TOKEN.match(script, at):
        sort, at = found.lastgroup, _end_of(script, found)
        if sort in ("space", "comment"):
            continue
        if sort == "command":
            start = found.start() if begun.start is None else begun.start
            yield ScriptCommand(_line(script, start), script[start:at].strip(), is_psql=True)
            begun = _Begun()
            continue
        if sort == "end" and not begun.brackets and not begun.bodies:
            if begun.start is not None:
                sql = script[begun.start : found.start()].strip()
                yield ScriptCommand(_line(script, begun.start), sql)
                at = _after_rows(script, at, sql)
            begun = _Begun()
            continue
        begun.start = found.start() if begun.start is None else begun.start
        if sort == "word":
            begun.read_word(found[0])
        begun.brackets += (sort == "open") - (sort == "close" and begun.brackets > 0)
    if begun.start is not None:
        yield ScriptCommand(_line(script, begun.start), script[begun.start :].strip())


def _end_of(script: str, found: re.Match[str]) -> int:
    """Return the end of a token; an unclosed token ends with the script."""
    if found.lastgroup == "open_quote":
        return len(script)
    if found.lastgroup == "dollar":
        end = script.find(found[0], found.end())
        return len(script) if end < 0 else end + len(found[0])
    if found[0] != "/*":
        return found.end()
    depth, at = 1, found.end()
    while depth and (mark := _COMMENT_MARKS.search(script, at)):
        depth, at = depth + (1 if mark[0] == "/*" else -1), mark.end()
    return len(script) if depth else at


def _after_rows(script: str, at: int, sql: str) -> int:
    """Return the index after a command, and after the rows of COPY."""
    if not _COPY_DATA.match(sql):
        return at
    end = _END_OF_DATA.search(script, at)
    return len(script) if end is None else end.end()


def _line(script: str, at: int) -> int:
    return script.count("\n", 0, at) + 1
