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
_STRINGS = {"text", "character varying", "character", "bpchar", "name", '"char"'}
_INTEGERS = {"smallint", "integer", "bigint"}
_NUMBERS = _INTEGERS | {"numeric", "real", "double precision"}
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
# types without a date, to which a timestamp is cast by assignment
_WITHOUT_DATE = {"time without time zone", "time with time zone"}
# pairs with an explicit cast, for which a cast by text means another value or fails
_CAST = {
    ("boolean", "integer"),
    ("integer", "boolean"),
    ("integer", "bit"),
    ("bigint", "bit"),
    ("bit", "integer"),
    ("bit", "bigint"),
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
# pairs whose cast rounds or maps distinct values to one value
_ROUNDED = {
    ("double precision", "real"),
    ("numeric", "real"),
    ("numeric", "double precision"),
    ("integer", "real"),
    ("bigint", "real"),
    ("bigint", "double precision"),
    ("integer", "boolean"),
    ("integer", "bit"),
    ("bigint", "bit"),
    ("inet", "cidr"),
    ("json", "jsonb"),
}
_TRUNCATING = {"name", '"char"', "bit"}  # values too long are cut without an error
_LENGTHS = {"character varying", "bit varying"}
_PRECISE = {"timestamp without time zone", "timestamp with time zone", *_TIMES}
_DEFAULT_PRECISION = 6  # of times: microseconds


@dataclass(frozen=True)
class ParsedType:
    """A parsed type: `numeric(10,2)[]` is numeric, (10, 2), an array; and how it is spelled."""

    name: str
    modifiers: tuple[int, ...]
    array: bool
    spelled: str = ""

    @property
    def precision(self) -> int:
        """The digits of a time's seconds after the point."""
        return self.modifiers[0] if self.modifiers else _DEFAULT_PRECISION

    @property
    def scale(self) -> float:
        """The digits of a numeric after the point."""
        return self.modifiers[1] if self.modifiers else float("inf")


def parse_type(spelled: str) -> ParsedType:
    """Parse a type as format_type prints it."""
    found = _MODIFIERS.search(spelled)
    modifiers = tuple(map(int, found[1].split(","))) if found else ()
    bare = _MODIFIERS.sub("", spelled, count=1)
    return ParsedType(bare.removesuffix("[]"), modifiers, bare.endswith("[]"), spelled)


def is_text(type_: str) -> bool:
    """Return whether a type holds any text, however long."""
    return type_ in {"text", "character varying"}


def conversion(old: str, new: str, column: sql.Composable) -> sql.Composable | None:
    """Return the expression to convert a column; None for an assignment cast.

    A cast by text is the last resort.
    """
    before, after = parse_type(old), parse_type(new)
    if before.array == after.array and _is_assignable(before, after):
        return None
    if _has_explicit_cast(before, after):
        return compose("{}::{}", column, raw(new))
    array = raw("[]" if before.array and after.array else "")
    return compose("{}::text{}::{}", column, array, raw(new))


def _is_assignable(old: ParsedType, new: ParsedType) -> bool:
    """Return whether PostgreSQL casts by assignment between two types, or two types of arrays."""
    family = any({old.name, new.name} <= family for family in _FAMILIES)
    return old.name == new.name or family or (new.name in _STRINGS and not old.array)


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
    """Return whether values are rounded or cut without an error."""
    before, after = parse_type(old), parse_type(new)
    times = _TIMESTAMPS | _TIMES
    if before.name in times and after.name in times:
        return _loses_time(before, after)
    if {before.name, after.name} <= _NUMBERS and before.name not in _INTEGERS:
        is_rounded = (before.name, after.name) in _ROUNDED
        return after.name in _INTEGERS or _loses_scale(before, after) or is_rounded
    is_cut = before.name in _STRINGS - {after.name} and after.name in _TRUNCATING
    return (before.name, after.name) in _ROUNDED or is_cut


def _loses_time(old: ParsedType, new: ParsedType) -> bool:
    from_timestamp = old.name in _TIMESTAMPS - {"date"}
    if from_timestamp and new.name in {"date"} | _WITHOUT_DATE:
        return True
    both_precise = new.name in _PRECISE and old.name in _PRECISE
    return both_precise and new.precision < old.precision


def _loses_scale(old: ParsedType, new: ParsedType) -> bool:
    both_numeric = old.name == new.name == "numeric"
    return both_numeric and bool(new.modifiers) and new.scale < old.scale


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
