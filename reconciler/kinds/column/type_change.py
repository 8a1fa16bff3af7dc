"""Changes of a column's type by ALTER COLUMN … TYPE: USING, table rewrites, loss of data.

Types are spelled as format_type prints them
(https://www.postgresql.org/docs/current/sql-altertable.html#SQL-ALTERTABLE-NOTES).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from psycopg import sql

from reconciler.model.ref import Ref
from reconciler.model.spelling import collation_sql
from reconciler.model.statement import Hazard, HazardKind
from reconciler.sql import compose, name, raw, text

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
# a name, qualified or not, that needs no quotes
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


@dataclass(frozen=True)
class TypeChange:
    """The change of a column of `relation` from type and collation `old` to `new`."""

    ref: Ref
    relation: str
    old: tuple[str, str | None]
    new: tuple[str, str | None]

    @property
    def is_costly(self) -> bool:
        """Whether table or indexes are rewritten."""
        return rewrites(self.old[0], self.new[0]) or self.old[1] != self.new[1]

    @property
    def value(self) -> sql.Composable:
        """The expression for a row's new value."""
        column = name(self.ref.name)
        return conversion(self.old[0], self.new[0], column) or column

    def action(self, using: sql.Composable | None) -> sql.Composable:
        """Return TYPE … for ALTER COLUMN, with a declared expression `using` or the default."""
        default = conversion(self.old[0], self.new[0], name(self.ref.name))
        return _type_action(self.new, using or default)

    def undo_action(self) -> sql.Composable:
        """Return TYPE … for ALTER COLUMN back to the old type."""
        return _type_action(self.old, conversion(self.new[0], self.old[0], name(self.ref.name)))

    def losses(self, *, using: bool) -> Iterator[Hazard]:
        """Yield the hazards of lost or shifted values, unless `using` converts them.

        A time zone is lost or added by way of the session's, which a declared expression avoids.
        """
        before, after = (parse_type(t[0]) for t in (self.old, self.new))
        times = {before.name, after.name} <= (_TIMESTAMPS | _TIMES) - {"interval"}
        if times and not using and (before.name in _ZONED) != (after.name in _ZONED):
            why = (
                f"the session's TimeZone decides the values of {self.ref} as {self.new[0]}: "
                "`using` with AT TIME ZONE names the zone"
            )
            yield Hazard(hazard=HazardKind.DATA_LOSS, reason=why)
        if loses(self.old[0], self.new[0]):
            why = f"values of {self.ref} are rounded or cut to {self.new[0]}"
            yield Hazard(hazard=HazardKind.DATA_LOSS, reason=why)

    @property
    def rewrites(self) -> bool:
        """Whether the table is rewritten."""
        return rewrites(self.old[0], self.new[0])

    def hazards(self, *, using: bool) -> Iterator[Hazard]:
        """Yield the hazards of rebuilt indexes and lost data; the rewrite has its own."""
        if not self.rewrites and self.old[1] != self.new[1]:
            why = (
                f"the indexes of {self.ref} are built anew "
                f"while nobody can read or write {self.relation}"
            )
            yield Hazard(hazard=HazardKind.BLOCKS_READS, reason=why)
        yield from self.losses(using=using)


def _type_action(type_: tuple[str, str | None], using: sql.Composable | None) -> sql.Composable:
    collation = raw("") if type_[1] is None else compose(" COLLATE {}", collation_sql(type_[1]))
    return compose(
        "TYPE {}{}{}",
        raw(type_[0]),
        collation,
        raw("") if using is None else compose(" USING {}", using),
    )


def spelled_collation(schema: str, own: str) -> str:
    """Return a collation as people write the name, unqualified for pg_catalog.

    The result is quoted if `collation_sql` would read the plain spelling as another name.
    """
    spelled, quoted = f"{schema}.{own}", name(schema, own)
    if schema == "pg_catalog":
        spelled, quoted = own, name(own)
    is_plain = text(collation_sql(spelled)) == text(quoted)
    return spelled if is_plain else text(name(schema, own))
