"""Describe PostgreSQL's syntax errors by the text of the declaration alone.

PostgreSQL names the next word of the probe around a text that ends too early.
"""

from __future__ import annotations

import re
from collections.abc import Set

from reconciler.server.syntax import SyntaxFault

_LITERAL = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*""")
_TOKEN = re.compile(r"""'(?:[^']|'')*'?|"(?:[^"]|"")*"?|[^\W\d][\w$]*|[\w.]+|\S""")


def described(fault: SyntaxFault, sql: str, offset: int) -> str:
    """Describe a fault of a statement in which `sql` begins at the index `offset`."""
    bare = _LITERAL.sub("", sql)
    opened, closed = bare.count("("), bare.count(")")
    if opened != closed and not fault.message.startswith("unterminated"):
        return "a bracket is not closed" if opened > closed else "a bracket is closed too often"
    if fault.message.startswith("unterminated"):
        return fault.message.partition(" at or near")[0]
    if fault.index is None or not fault.message.startswith("syntax error"):
        return fault.message
    index = fault.index - offset
    if index >= len(sql.rstrip()):
        return f"something is missing after {_last_word(sql)}" if sql.strip() else "it is empty"
    if index < 0:
        return fault.message
    token = _TOKEN.match(sql, index)
    return f"syntax error at {token[0]}" if token else fault.message


def quoting_hint(fault: SyntaxFault, sql: str, offset: int, names: Set[str]) -> str:
    """Tell to quote a name that stands at a fault or before it, and is a word of SQL."""
    index = len(sql) if fault.index is None else fault.index - offset
    near = [m for m in _TOKEN.finditer(sql) if m.start() <= index][-2:]
    found = next((m[0] for m in reversed(near) if m[0].lower() in names), "")
    if not found:
        return ""
    return f'"{found.lower()}" is a word of SQL: as a name it is quoted, with double quotes'


def _last_word(sql: str) -> str:
    return [m[0] for m in _TOKEN.finditer(sql)][-1]
