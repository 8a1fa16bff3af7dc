"""Names as people write them: `name`, `schema.name`, or any part in double quotes."""

from __future__ import annotations

import re

MAX_NAME_BYTES = 63  # NAMEDATALEN - 1: PostgreSQL truncates longer names

_PART = re.compile(r'"((?:[^"]|"")+)"|([^".]+)')
_QUOTED = re.compile(r'"((?:[^"]|"")+)"')


def split_dotted(dotted: str) -> list[str] | None:
    """Split a name at the dots outside quotes, and remove the quotes; None if it is no name."""
    if '"' not in dotted:
        plain = dotted.split(".")
        return plain if all(plain) else None
    parts, position = list[str](), 0
    while match := _PART.match(dotted, position):
        parts.append(_unescaped(match[1] or "") or match[2])
        position = match.end()
        if position == len(dotted):
            return parts
        if dotted[position] != ".":
            break
        position += 1
    return None


def split_qualified(name: str) -> tuple[str, str] | None:
    """Split `schema.name` into schema, or "", and name; None where the text is neither."""
    match split_dotted(name):
        case [own]:
            return "", own
        case [schema, own]:
            return schema, own
        case _:
            return None


def unquoted(name: str) -> str:
    """Remove the double quotes of a name."""
    match = _QUOTED.fullmatch(name) if '"' in name else None
    return _unescaped(match[1]) if match else name


def quoted(name: str) -> str:
    """Put a name in double quotes."""
    return '"' + name.replace('"', '""') + '"'


def _unescaped(quoted_part: str) -> str:
    return quoted_part.replace('""', '"')
