"""What ALTER COLUMN … TYPE does to a column: whether it needs USING, rewrites the table, or loses something.

Types are spelled as format_type prints them (https://www.postgresql.org/docs/current/sql-altertable.html#SQL-ALTERTABLE-NOTES).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from psycopg import sql

from reconciler.model.ref import Ref
from reconciler.model.statement import Hazard, HazardKind
from reconciler.sql import compose, name, raw, text

_MODIFIERS = re.compile(r"\((-?\d+(?:,-?\d+)*)\)")
_STRINGS = {"text", "character varying", "character", "bpchar", "name", '"char"'}
_INTEGERS = {"smallint", "integer", "bigint"}
_NUMBERS = _INTEGERS | {"numeric", "real", "double precision"}
_MOMENTS = {"date", "timestamp without time zone", "timestamp with time zone"}
_TIMES = {"time without time zone", "time with time zone", "interval"}
_ALIKE = (
    _STRINGS,
    _NUMBERS,
    _MOMENTS,
    _TIMES,
    {"json", "jsonb"},
    {"inet", "cidr"},
    {"bit", "bit varying"},
)
_COARSER = {"time without time zone", "time with time zone"}  # what a moment becomes by assignment
# pairs that an explicit cast knows, where the way by text is another or none
_CAST = {
    ("boolean", "integer"),
    ("integer", "boolean"),
    ("integer", "bit"),
    ("bigint", "bit"),
    ("bit", "integer"),
    ("bit", "bigint"),
    *(("jsonb", t) for t in _NUMBERS | {"boolean"}),
}
# the same bytes: no rewrite, as long as the new type has no length of its own
_SAME = {
    ("text", "character varying"),
    ("character varying", "text"),
    ("cidr", "inet"),
    ("xml", "text"),
    ("bit", "bit varying"),
}
# a value and its neighbour become the same
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
_SHORT = {"name", '"char"', "bit"}  # what is too long for them is cut, not refused
_LENGTHS = {"character varying", "bit varying"}
_PRECISE = {"timestamp without time zone", "timestamp with time zone", *_TIMES}
_PLAIN = re.compile(
    r"[a-z_][a-z0-9_$]*(\.[a-z_][a-z0-9_$]*)?\Z"
)  # a name, qualified or not, that needs no quotes
MICROSECONDS = 6  # the precision of a time that names none


@dataclass(frozen=True)
class _Type:
    """A type taken apart: `numeric(10,2)[]` is numeric, (10, 2), an array."""

    name: str
    modifiers: tuple[int, ...]
    array: bool


def _taken_apart(spelled: str) -> _Type:
    found = _MODIFIERS.search(spelled)
    modifiers = tuple(map(int, found[1].split(","))) if found else ()
    bare = _MODIFIERS.sub("", spelled, count=1)
    return _Type(bare.removesuffix("[]"), modifiers, bare.endswith("[]"))


def using(old: str, new: str, column: sql.Composable) -> sql.Composable | None:
    """The expression that converts a column; None where assignment does, and refuses what does not fit."""
    one, other = _taken_apart(old), _taken_apart(new)
    if one.array == other.array:
        matches = any({one.name, other.name} <= family for family in _ALIKE)
        if one.name == other.name or matches or (other.name in _STRINGS and not one.array):
            return None
        if one.name in _STRINGS or (one.name, other.name) in _CAST:
            return compose("{}::{}", column, raw(new))
    elif one.name in _STRINGS and not one.array:
        return compose("{}::{}", column, raw(new))
    return compose(
        "{}::text{}::{}", column, raw("[]" if one.array and other.array else ""), raw(new)
    )


def rewrites(old: str, new: str) -> bool:
    """Whether every row is written anew; of types that we do not know it is said that they are."""
    one, other = _taken_apart(old), _taken_apart(new)
    if one.array or other.array:
        return old != new
    if one.name != other.name:
        return (one.name, other.name) not in _SAME or bool(other.modifiers)
    if one.name in _LENGTHS:
        return bool(other.modifiers) and not (one.modifiers and one.modifiers <= other.modifiers)
    if one.name == "numeric":
        return bool(other.modifiers) and (
            not one.modifiers
            or one.modifiers[1:] != other.modifiers[1:]
            or one.modifiers > other.modifiers
        )
    return old != new and (one.name not in _PRECISE or _precision(other) < _precision(one))


def loses(old: str, new: str) -> bool:
    """Whether values are rounded or cut without a word; what does not fit at all is refused, and so not lost."""
    one, other = _taken_apart(old), _taken_apart(new)
    if one.name in _MOMENTS | _TIMES and other.name in _MOMENTS | _TIMES:
        coarser = one.name in _MOMENTS - {"date"} and other.name in {"date"} | _COARSER
        return coarser or (
            other.name in _PRECISE and one.name in _PRECISE and _precision(other) < _precision(one)
        )
    if {one.name, other.name} <= _NUMBERS and one.name not in _INTEGERS:
        fewer = (
            one.name == other.name == "numeric"
            and bool(other.modifiers)
            and _scale(other) < _scale(one)
        )
        return other.name in _INTEGERS or fewer or (one.name, other.name) in _ROUNDED
    return (one.name, other.name) in _ROUNDED or (
        one.name in _STRINGS - {other.name} and other.name in _SHORT
    )


def _precision(type_: _Type) -> int:
    return type_.modifiers[0] if type_.modifiers else MICROSECONDS


def _scale(type_: _Type) -> float:
    return type_.modifiers[1] if type_.modifiers else float("inf")


@dataclass(frozen=True)
class Retyping:
    """A column of `relation` whose type and collation go from `old` to `new`."""

    ref: Ref
    relation: str
    old: tuple[str, str | None]
    new: tuple[str, str | None]

    @property
    def costly(self) -> bool:
        """Whether rows or indexes are written anew."""
        return rewrites(self.old[0], self.new[0]) or self.old[1] != self.new[1]

    @property
    def value(self) -> sql.Composable:
        """What a row's new value is."""
        own = name(self.ref.name)
        return using(self.old[0], self.new[0], own) or own

    def forth(self, said: sql.Composable | None) -> sql.Composable:
        """TYPE … as ALTER COLUMN takes it, with what people `said` that the value is."""
        return _typed(self.new, said or using(self.old[0], self.new[0], name(self.ref.name)))

    def back(self) -> sql.Composable:
        """The same for the way back."""
        return _typed(self.old, using(self.new[0], self.old[0], name(self.ref.name)))

    def losses(self) -> Iterator[Hazard]:
        """What it does to the values."""
        if loses(self.old[0], self.new[0]):
            yield Hazard(
                hazard=HazardKind.DATA_LOSS,
                reason=f"values of {self.ref} are rounded or cut to {self.new[0]}",
            )

    def hazards(self, rewrite: Hazard) -> Iterator[Hazard]:
        """What it does to the table, of which `rewrite` is the worst, and to the values."""
        if rewrites(self.old[0], self.new[0]):
            yield rewrite
        elif self.old[1] != self.new[1]:
            why = f"the indexes of {self.ref} are built anew while nobody can read or write {self.relation}"
            yield Hazard(hazard=HazardKind.BLOCKS_READS, reason=why)
        yield from self.losses()


def _typed(type_: tuple[str, str | None], value: sql.Composable | None) -> sql.Composable:
    collated = compose(" COLLATE {}", collate(type_[1])) if type_[1] is not None else raw("")
    return compose(
        "TYPE {}{}{}",
        raw(type_[0]),
        collated,
        compose(" USING {}", value) if value is not None else raw(""),
    )


def spelled_collation(schema: str, own: str) -> str:
    """A collation as people write it: bare where it is the system's, unless that would be read as something else."""
    spelled, quoted = (
        (own, name(own)) if schema == "pg_catalog" else (f"{schema}.{own}", name(schema, own))
    )
    return spelled if text(collate(spelled)) == text(quoted) else text(name(schema, own))


def collate(spelled: str) -> sql.Composable:
    """Read it: SQL where it is plain or quoted, else a name: `C`, `en_US.utf8`."""
    return raw(spelled) if '"' in spelled or _PLAIN.match(spelled) else name(spelled)
