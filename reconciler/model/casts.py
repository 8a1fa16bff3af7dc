"""Tell what PostgreSQL's casts between its own types do to values.

Types are spelled as format_type prints them
(https://www.postgresql.org/docs/current/sql-altertable.html#SQL-ALTERTABLE-NOTES).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from psycopg import sql

from reconciler.sql import compose, raw

_MODIFIERS = re.compile(r"\((-?\d+(?:,-?\d+)*)\)")
_FIELDS = (
    "year",
    "month",
    "day",
    "hour",
    "minute",
    "second",
)  # of an interval, in PostgreSQL's order
_INTERVAL = re.compile(rf"interval (?:\w+ to )?({'|'.join(_FIELDS)})")
_STRINGS = {"text", "character varying", "character", "bpchar", "name", '"char"'}
_INTEGERS = {"smallint": 5, "integer": 10, "bigint": 19}  # with the most digits
_EXACT_DIGITS = {"real": 6, "double precision": 15}  # that every number keeps
_NUMBERS = {*_INTEGERS, *_EXACT_DIGITS, "numeric"}
_TIMESTAMPS = {"date", "timestamp without time zone", "timestamp with time zone"}
_ZONED = {"timestamp with time zone", "time with time zone"}
_TIMES = {"time without time zone", "time with time zone", "interval"}
_FAMILIES = (
    _STRINGS,
    _NUMBERS,
    _TIMESTAMPS,
    _TIMES,
    {"json", "jsonb"},
    {"inet", "cidr"},
    {"bit", "bit varying"},
)
# further pairs with a cast by assignment, for which a cast by text means another value or fails
_ASSIGNED = {
    *((t, "oid") for t in _INTEGERS),
    ("oid", "integer"),
    ("oid", "bigint"),
    ("integer", "money"),
    ("bigint", "money"),
    ("numeric", "money"),
    ("money", "numeric"),
    ("point", "box"),
    ("box", "polygon"),
    ("path", "polygon"),
    ("polygon", "path"),
    ("macaddr", "macaddr8"),
    ("macaddr8", "macaddr"),
}
# pairs with an explicit cast, for which the same holds
_CAST = {
    ("boolean", "integer"),
    ("integer", "boolean"),
    ("integer", "bit"),
    ("bigint", "bit"),
    ("bit", "integer"),
    ("bit", "bigint"),
    ("box", "point"),
    ("polygon", "box"),
    *(("jsonb", t) for t in _NUMBERS | {"boolean"}),
}
# binary coercible: no rewrite if the new type has no length
_BINARY_COERCIBLE = {
    ("text", "character varying"),
    ("character varying", "text"),
    ("cidr", "inet"),
    ("xml", "text"),
    ("bit", "bit varying"),
}
# pairs whose cast maps distinct values to one value
_MAPPED = {
    ("integer", "boolean"),
    ("integer", "bit"),
    ("bigint", "bit"),
    ("inet", "cidr"),
    ("json", "jsonb"),
    ("box", "point"),
    ("polygon", "box"),
}
# types that round what is read from text, or leave out parts of it: the time of day for a date
_READ_INEXACTLY = {*_EXACT_DIGITS, *_TIMESTAMPS, *_TIMES, "money", "jsonb"}
_WITH_NUMBERS = {*_NUMBERS, *_STRINGS, "json", "jsonb", "money"}
_CUTTING = {"name", '"char"'}  # values too long are cut without an error
_SHORT = {*_NUMBERS - {"numeric"}, *_TIMESTAMPS, *_TIMES, '"char"', "boolean", "uuid", "oid"}
_LENGTHS = {"character varying", "bit varying"}
_PRECISE = {"timestamp without time zone", "timestamp with time zone", *_TIMES}
_DEFAULT_PRECISION = 6  # of times: microseconds


@dataclass(frozen=True)
class ParsedType:
    """A parsed type: `numeric(10,2)[]` is numeric, (10, 2), an array; and how it is spelled.

    `field` is the last field that an interval keeps: `interval year to month` is interval, month.
    """

    name: str
    modifiers: tuple[int, ...]
    array: bool
    spelled: str = ""
    field: str = _FIELDS[-1]

    @property
    def precision(self) -> tuple[int, int]:
        """The last field of a time, and the digits of its seconds after the point."""
        if self.field != _FIELDS[-1]:
            return _FIELDS.index(self.field), 0
        return len(_FIELDS), self.modifiers[0] if self.modifiers else _DEFAULT_PRECISION

    @property
    def scale(self) -> float:
        """The digits of a number after the point."""
        if self.name == "numeric" and self.modifiers:
            return self.modifiers[1]
        return 0 if self.name in _INTEGERS else float("inf")

    @property
    def digits(self) -> float:
        """The digits of a number; the zeros of a negative scale are digits as well."""
        if self.name == "numeric" and self.modifiers:
            return self.modifiers[0] - min(0, self.scale)
        return _INTEGERS.get(self.name, float("inf"))


def parse_type(spelled: str) -> ParsedType:
    """Parse a type as format_type prints it."""
    found = _MODIFIERS.search(spelled)
    modifiers = tuple(map(int, found[1].split(","))) if found else ()
    bare = _MODIFIERS.sub("", spelled, count=1)
    own, array = bare.removesuffix("[]"), bare.endswith("[]")
    if interval := _INTERVAL.fullmatch(own):
        return ParsedType("interval", modifiers, array, spelled, interval[1])
    return ParsedType(own, modifiers, array, spelled)


def is_text(type_: str) -> bool:
    """Return whether a type holds any text, however long."""
    return type_ in {"text", "character varying"}


def conversion(old: str, new: str, column: sql.Composable) -> sql.Composable | None:
    """Return the expression to convert a column; None for an assignment cast.

    A cast by text is the last resort.
    """
    before, after = parse_type(old), parse_type(new)
    if _is_assignable(before, after):
        return None
    if _has_explicit_cast(before, after):
        return compose("{}::{}", column, raw(new))
    array = raw("[]" if before.array and after.array else "")
    return compose("{}::text{}::{}", column, array, raw(new))


def _is_assignable(old: ParsedType, new: ParsedType) -> bool:
    """Return whether PostgreSQL casts by assignment between two types, or two types of arrays."""
    if old.array != new.array:
        return False
    family = any({old.name, new.name} <= family for family in _FAMILIES)
    is_written = new.name in _STRINGS and not old.array
    return old.name == new.name or family or is_written or (old.name, new.name) in _ASSIGNED


def _has_explicit_cast(old: ParsedType, new: ParsedType) -> bool:
    if old.array != new.array:
        return old.name in _STRINGS and not old.array
    return old.name in _STRINGS or (old.name, new.name) in _CAST


def rewrites(old: str, new: str) -> bool:
    """Return whether ALTER COLUMN … TYPE rewrites the table; True for unknown types."""
    before, after = parse_type(old), parse_type(new)
    if before.array or after.array:
        return old != new
    if before.name != after.name:
        return (before.name, after.name) not in _BINARY_COERCIBLE or bool(after.modifiers)
    if before.name in _LENGTHS:
        return bool(after.modifiers) and not (
            before.modifiers and before.modifiers <= after.modifiers
        )
    if before.name == "numeric":
        return bool(after.modifiers) and not _fits_numeric(before, after)
    return old != new and (before.name not in _PRECISE or after.precision < before.precision)


def _fits_numeric(old: ParsedType, new: ParsedType) -> bool:
    """Return whether a numeric keeps the scale and gets no smaller."""
    same_scale = bool(old.modifiers) and old.modifiers[1:] == new.modifiers[1:]
    return same_scale and old.modifiers <= new.modifiers


def loses(old: str, new: str) -> bool:
    """Return whether the conversion rounds or cuts values without an error.

    Spaces at the end of a string do not count.
    """
    before, after = parse_type(old), parse_type(new)
    if (before.name, after.name) in _MAPPED or _is_cut(before, after):
        return True
    if before.name in _STRINGS | {"json"} and after.name in _READ_INEXACTLY:
        return True
    if before.name in _PRECISE and after.name in _TIMESTAMPS | _TIMES:
        return _loses_time(before, after)
    return before.name in _WITH_NUMBERS and _loses_number(before, after)


def _is_cut(old: ParsedType, new: ParsedType) -> bool:
    if not _is_assignable(old, new) and _is_shortened(old, new):
        return True
    short = old.name in _SHORT and not old.array
    return new.name in _CUTTING and old.name != new.name and not short


def _loses_time(old: ParsedType, new: ParsedType) -> bool:
    """Return whether a cast drops the date, the days of an interval, the time, or digits of it."""
    if new.name == "date" or new.precision < old.precision:
        return True
    return old.name in {*_TIMESTAMPS, "interval"} and new.name in _TIMES - {"interval"}


def _loses_number(old: ParsedType, new: ParsedType) -> bool:
    """Return whether a cast rounds numbers; lc_monetary decides the scale of money."""
    if new.name in _EXACT_DIGITS:
        return old.name not in {new.name, "real"} and old.digits > _EXACT_DIGITS[new.name]
    if new.name == "numeric":
        return old.name in _EXACT_DIGITS or (bool(new.modifiers) and new.scale < old.scale)
    rounded = old.name in {*_EXACT_DIGITS, "numeric", "jsonb"}
    return rounded and (new.name == "money" or (new.name in _INTEGERS and old.scale > 0))


def shifts_time(old: str, new: str) -> bool:
    """Return whether the session's TimeZone decides the new values."""
    before, after = parse_type(old), parse_type(new)
    times = {before.name, after.name} <= (_TIMESTAMPS | _TIMES) - {"interval"}
    return times and (before.name in _ZONED) != (after.name in _ZONED)


def losses_by_assignment(old: str, new: str) -> Iterator[str]:
    """Yield what an assignment does to values without an error: `rounded or cut to integer`."""
    if shifts_time(old, new):
        yield f"shifted by the session's TimeZone to {new}"
    if loses(old, new):
        yield f"rounded or cut to {new}"


def losses_by_cast(old: str, new: str) -> Iterator[str]:
    """Yield what an explicit cast does to values without an error: `cut to character(3)`.

    An assignment refuses text that is too long; an explicit cast cuts it.
    """
    yield from losses_by_assignment(old, new)
    if not loses(old, new) and _is_shortened(parse_type(old), parse_type(new)):
        yield f"cut to {new}"


def _is_shortened(old: ParsedType, new: ParsedType) -> bool:
    """Return whether an explicit cast cuts values longer than the new type."""
    families = ({"character varying", "character"}, {"bit", "bit varying"})
    if not new.modifiers or not any(new.name in family for family in families):
        return False
    fits = any({old.name, new.name} <= family for family in families)
    return not (fits and old.modifiers and old.modifiers <= new.modifiers)
