r"""Escape text from outside: only these functions make documents to print.

Names, bodies, comments, options and messages of servers are written by others. A terminal obeys
control characters in them, the log of a workflow obeys lines that begin with `::`, a page may be
read in another order than it is written. Documents are built of lines, and `document` shows every
such character as an escape that PostgreSQL's E'' strings know: `\n`, `\x1b`, `\u202e`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import NewType

Document = NewType("Document", str)  # escaped text of whole lines, to be printed as it stands

MAX_LINE = 8_000  # characters of a line that are shown to people

# General categories Cc, Cf, Zl, Zp and Cs without the tab, letters that show as nothing, and two
# noncharacters that XML and YAML forbid.
_HIDDEN = re.compile(
    "[\x00-\x08\x0a-\x1f\x7f-\x9f\xad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2"
    "\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff"
    "\uffa0\ufff0-\ufffb\ufffe\uffff\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff\ud800-\udfff]"
)
_NAMED = {"\n": r"\n", "\r": r"\r", "\b": r"\b", "\f": r"\f"}

# Commands in the logs of GitHub Actions (`::error::`, and anywhere in a line `##[error]`), Azure
# Pipelines (`##vso[`) and TeamCity (`##teamcity[`).
_COMMAND = re.compile(r"^(\s*):(?=:)|#(?=#\w*\[)")


def has_hidden(text: str) -> bool:
    """Tell whether a text holds invisible characters other than line breaks and tabs."""
    return any(found[0] != "\n" for found in _HIDDEN.finditer(text))


def one_line(text: str) -> str:
    """Return text as one line without commands to a terminal or a workflow's log."""
    return _COMMAND.sub(_command_escape, _HIDDEN.sub(_escape, text))


def document(lines: Iterable[str], *, longest: int | None = None) -> Document:
    """Join lines; escape line breaks within lines, and all other invisible characters.

    The rest of a line beyond `longest` characters is left out, and the line says so.
    """
    shown = (one_line(line) for line in lines)
    if longest is not None:
        shown = (clipped(line, longest) for line in shown)
    return Document("".join(f"{line}\n" for line in shown))


def clipped(line: str, longest: int = MAX_LINE) -> str:
    """Return a line, or the beginning of a long line and the number of characters left out."""
    if len(line) <= longest:
        return line
    return f"{line[:longest]} … ({len(line) - longest:,} more characters: --format json shows all)"


def stored_document(text: str) -> Document:
    """Return a document from the cache, with hidden characters escaped again."""
    return document(text.removesuffix("\n").split("\n") if text else ())


def json_document(content: object) -> Document:
    """Return a JSON document in which hidden characters are escaped as JSON does."""
    text = json.dumps(content, indent=2, ensure_ascii=False)
    commandless = _COMMAND.sub(r"\\u0023", text)  # `#` stands in strings only
    return Document(_HIDDEN.sub(_json_escape, commandless) + "\n")


def json_line(content: object) -> Document:
    """Return JSON on a line, as `json_document` escapes it."""
    commandless = _COMMAND.sub(r"\\u0023", json.dumps(content, ensure_ascii=False))
    return Document(_HIDDEN.sub(_json_escape, commandless) + "\n")


def html_document(page: str) -> Document:
    """Return an HTML page with visible escapes for invisible characters, and no workflow command.

    Markup is no concern of this function: the templates of `report.html` escape every value.
    """
    lines = (_HIDDEN.sub(_escape, line) for line in page.rstrip("\n").split("\n"))
    shown = (_COMMAND.sub(_html_escape, line) for line in lines)
    return Document("".join(f"{line}\n" for line in shown))


def workflow_document(commands: Iterable[tuple[str, Mapping[str, str], str]]) -> Document:
    """Return workflow commands of GitHub Actions, each of a name, properties and a message.

    Nothing from outside ends a command or begins another: line breaks, and in properties colons
    and commas, are encoded as GitHub says.
    """
    lines: list[str] = []
    for name, properties, message in commands:
        encoded = (f"{k}={_encoded(v, ':,')}" for k, v in properties.items() if v)
        lines.append(f"::{name} {','.join(encoded)}::{_encoded(message, '')}\n")
    return Document("".join(lines))


def _encoded(text: str, also: str) -> str:
    """Percent-encode the delimiters of a workflow command; escape hidden characters."""
    lines = (_HIDDEN.sub(_escape, line) for line in text.replace("%", "%25").split("\n"))
    encoded = "%0A".join(lines)
    for character in also:
        encoded = encoded.replace(character, f"%{ord(character):02X}")
    return encoded


def _escape(found: re.Match[str]) -> str:
    character = found[0]
    code = ord(character)
    if code < 0x80:
        return _NAMED.get(character, f"\\x{code:02x}")
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _command_escape(found: re.Match[str]) -> str:
    return r"\x23" if found[0] == "#" else rf"{found[1]}\x3a"


def _html_escape(found: re.Match[str]) -> str:
    return "&#35;" if found[0] == "#" else f"{found[1]}&#58;"


def _json_escape(found: re.Match[str]) -> str:
    return found[0] if found[0] == "\n" else json.dumps(found[0])[1:-1]
