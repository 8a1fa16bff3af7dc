"""Map PostgreSQL's condition names to SQLSTATEs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches

from psycopg import errors


def _conditions() -> dict[str, frozenset[str]]:
    """Return the SQLSTATEs of every condition.

    psycopg's exceptions are named after the conditions, with the suffix `Ext` on a second exception
    of the same name. https://www.postgresql.org/docs/current/errcodes-appendix.html
    """
    codes: dict[str, set[str]] = {}
    for class_name, value in vars(errors).items():
        code = getattr(value, "sqlstate", None)
        if isinstance(value, type) and isinstance(code, str):
            codes.setdefault(_snake_case(class_name), set()).add(code)
    return {condition: frozenset(found) for condition, found in codes.items()}


def _snake_case(class_name: str) -> str:
    bare = class_name.rstrip("_").removesuffix("Ext")
    return re.sub(r"(?<!^)(?=[A-Z])", "_", bare).lower()


CONDITIONS: Mapping[str, frozenset[str]] = _conditions()
_SQLSTATE = re.compile(r"[0-9A-Z]{5}")


def assert_known(condition: str) -> None:
    """Raise ValueError unless the text is a condition's name or has the form of a SQLSTATE."""
    if condition in CONDITIONS or _SQLSTATE.fullmatch(condition):
        return
    near = "".join(f"; did you mean {n}?" for n in get_close_matches(condition, CONDITIONS, 1))
    raise ValueError(
        f"{condition!r} is neither a condition of PostgreSQL"
        f" nor a SQLSTATE of five characters{near}"
    )


def matches(sqlstate: str, conditions: Iterable[str]) -> bool:
    """Compare the SQLSTATE of an error with conditions.

    The condition of a whole class, such as 23000, matches every error of the class.
    """
    codes = frozenset[str]().union(*(CONDITIONS.get(c, frozenset({c})) for c in conditions))
    return sqlstate != "" and bool(codes & {sqlstate, sqlstate[:2] + "000"})
