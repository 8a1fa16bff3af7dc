"""Names in YAML keys: `name`, `schema.name`, or either part in double quotes."""

from __future__ import annotations

import re

MAX_NAME_BYTES = 63  # NAMEDATALEN - 1: PostgreSQL truncates longer names

_PART = r'"((?:[^"]|"")+)"|([^".]+)'
_QUALIFIED = re.compile(rf"(?:(?:{_PART})\.)?(?:{_PART})")
_QUOTED = re.compile(r'"((?:[^"]|"")+)"')


def split_qualified(name: str) -> tuple[str, str] | None:
    """Split `schema.name` into schema, or "", and name; None where the text is neither."""
    match = _QUALIFIED.fullmatch(name)
    if match is None:
        return None
    quoted_schema, schema, quoted_name, own_name = match.groups(default="")
    return _unescaped(quoted_schema) or schema, _unescaped(quoted_name) or own_name


def unquoted(name: str) -> str:
    """Remove the double quotes of a name."""
    match = _QUOTED.fullmatch(name)
    return _unescaped(match[1]) if match else name


def quoted(name: str) -> str:
    """Put a name in double quotes."""
    return '"' + name.replace('"', '""') + '"'


def _unescaped(quoted_part: str) -> str:
    return quoted_part.replace('""', '"')
