"""Tell what a declared expression `using` does to the old values of a column.

Only casts of the column and AT TIME ZONE are understood, as PostgreSQL prints them: of any other
expression only the declared code knows what it keeps.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from reconciler.model.casts import is_text, losses_by_assignment, losses_by_cast

_CAST = re.compile(r"\((.*)\)::([^:']+)", re.S)
_AT_TIME_ZONE = re.compile(r"\((.*) AT TIME ZONE '[^']*'::text\)", re.S)
_WITHOUT, _WITH = " without time zone", " with time zone"


class _Unknown(Exception):
    """The expression is none of those that keep values, or a cast is the code of users."""


def losses_by_using(using: str, column: str, old: str, new: str) -> tuple[str, ...] | None:
    """Return what `using` does to values of type `old` without an error; None if that is unknown.

    `using` and the types are spelled as PostgreSQL prints them, `column` as in SQL.
    """
    try:
        last, *losses = _followed(using, column, old)
        return tuple(dict.fromkeys((*losses, *_losses(last, new, assigned=True))))
    except _Unknown:
        return None


def _followed(expression: str, column: str, old: str) -> list[str]:
    """Return the type of an expression, and what it does to values of the column.

    Raises _Unknown.
    """
    if expression == column:
        return [old]
    if found := _CAST.fullmatch(expression):
        before, *losses = _followed(found[1], column, old)
        return [found[2], *losses, *_losses(before, found[2])]
    if found := _AT_TIME_ZONE.fullmatch(expression):
        before, *losses = _followed(found[1], column, old)
        if before.startswith("timestamp"):
            zone, other = (_WITHOUT, _WITH) if before.endswith(_WITHOUT) else (_WITH, _WITHOUT)
            return [before.replace(zone, other), *losses]
    raise _Unknown


def _losses(old: str, new: str, *, assigned: bool = False) -> Iterator[str]:
    """Yield what a cast does to values; raise _Unknown if somebody may have defined the cast.

    Nobody can define a cast between types of PostgreSQL. A type of users is read from a string, and
    written to one.
    """
    if old == new:
        return
    own = [t for t in (old, new) if "." not in t]
    if (len(own) == 1 and not is_text(own[0])) or not own:
        raise _Unknown
    if len(own) == 2:
        yield from losses_by_assignment(old, new) if assigned else losses_by_cast(old, new)
