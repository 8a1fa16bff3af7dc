"""The names and values of variables, which a declaration takes from its target."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches

NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
MAX_VALUE = 1_000  # characters
MAX_INTEGER = (1 << 63) - 1
MAX_VARIABLES = 200  # of a target
Value = str | int | bool
Values = Mapping[str, Value]
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def fault_of(name: str, value: object) -> str:
    """Return what is wrong with a variable, or ""."""
    if NAME.fullmatch(name) is None:
        return "the name of a variable has lower-case letters, digits and underscores"
    if not isinstance(value, str | int):
        return f"variable {name}: expected text, a number without a fraction, true or false"
    if isinstance(value, str) and _CONTROL.search(value):
        return f"variable {name}: the value holds a control character"
    if isinstance(value, str) and len(value) > MAX_VALUE:
        return f"variable {name}: the value is longer than {MAX_VALUE:,} characters"
    if isinstance(value, int) and abs(value) > MAX_INTEGER:
        return f"variable {name}: the number is larger than {MAX_INTEGER}"
    return ""


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a question for a misspelt variable, `did you mean X? `, or ""."""
    found = get_close_matches(name.lower(), known, 1)
    return f"did you mean '{found[0]}'? " if found else ""
