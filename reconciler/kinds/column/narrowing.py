"""Ask for values that do not fit the new type of a column.

The conditions are built from the column and functions of pg_catalog alone, for types that come with
PostgreSQL: what a declared expression says of a value only the declared code knows.
"""

from __future__ import annotations

from psycopg import sql

from reconciler.model.casts import ParsedType, parse_type
from reconciler.model.statement import Question
from reconciler.server.capabilities import Server
from reconciler.sql import compose, joined, literal, raw, text

_RANGES = {
    "smallint": (-(1 << 15), (1 << 15) - 1),
    "integer": (-(1 << 31), (1 << 31) - 1),
    "bigint": (-(1 << 63), (1 << 63) - 1),
}
_FLOATS = {"real", "double precision"}
_STRINGS = {"text", "character varying", "character", "bpchar"}
_BITS = {"bit", "bit varying"}
_READ_FROM_TEXT = {
    *(*_RANGES, *_FLOATS, "numeric", "boolean", "uuid", "date", "inet", "cidr", "json", "jsonb"),
    *("timestamp without time zone", "timestamp with time zone", "interval"),
    *("time without time zone", "time with time zone"),
}
REMEDY = "change the rows, or say by `using` what becomes of such values"


def question_of_narrowing(
    old: str, new: str, column: str, table: sql.Composable, relation: str, server: Server
) -> Question | None:
    """Return the question about values of `column` that fail; None if all values fit."""
    condition = _unfit(parse_type(old), parse_type(new), compose("asked.{}", column), server)
    if condition is None:
        return None
    return Question(
        relation=text(table),
        columns=(column,),
        condition=text(condition),
        built_in=(column,),
        meaning=f"rows of {relation} have values in {column} that do not fit {new}",
        remedy=REMEDY,
    )


def question_of_using(column: str, table: sql.Composable, relation: str) -> Question:
    """Return a question that is not asked: whether a declared expression fails."""
    return Question(
        relation=text(table),
        columns=(column,),
        meaning=f"rows of {relation} have values in {column} for which `using` fails",
        unasked="it would run your code",
    )


def question_of_lost_values(
    values: tuple[str, ...], column: str, table: sql.Composable, relation: str, *, array: bool
) -> Question | None:
    """Ask for rows with a value that their enumerated type is to lose.

    Neither enum_out nor textin is a cast, which the owner of the type could define.
    """
    if not values:
        return None
    listed = joined(literal(v) for v in values)
    test = "pg_catalog.textin(pg_catalog.enum_out({})) IN ({})"
    of_column = compose("asked.{}", column)
    condition = compose(test, of_column, listed)
    if array:
        condition = compose(
            "EXISTS (SELECT FROM pg_catalog.unnest({}) AS u (value) WHERE {})",
            of_column,
            compose(test, raw("u.value"), listed),
        )
    return Question(
        relation=text(table),
        columns=(column,),
        condition=text(condition),
        meaning=f"rows of {relation} have a value in {column} that is dropped: "
        + ", ".join(values),
        remedy="change the rows first",
    )


def _unfit(
    old: ParsedType, new: ParsedType, value: sql.Composable, server: Server
) -> sql.Composable | None:
    """Return SQL true of values that PostgreSQL cannot convert, None if there are none."""
    if old.array or new.array:
        return None
    if old.name in _STRINGS:
        return _unfit_text(old, new, value, server)
    if old.name in _BITS and new.name in _BITS and new.modifiers:
        operator = raw("<>" if new.name == "bit" else ">")
        fits = new.name == "bit varying" and bool(old.modifiers) and old.modifiers <= new.modifiers
        length = compose("pg_catalog.length({}) {} {}", value, operator, raw(str(new.modifiers[0])))
        return None if fits or old == new else length
    if old.name not in {*_RANGES, *_FLOATS, "numeric"}:
        return None
    if new.name in _RANGES:
        return _out_of_range(old, new, value)
    return _too_many_digits(old, new, value) if new.name == "numeric" else None


def _unfit_text(
    old: ParsedType, new: ParsedType, value: sql.Composable, server: Server
) -> sql.Composable | None:
    """Compare lengths as an assignment does: spaces at the end are cut without an error."""
    if new.name in {"character varying", "character"} and new.modifiers:
        if old.modifiers and old.modifiers <= new.modifiers:
            return None
        trimmed = compose("pg_catalog.rtrim({})", value)
        return compose("pg_catalog.length({}) > {}", trimmed, raw(str(new.modifiers[0])))
    if new.name in _READ_FROM_TEXT and server.has_input_check:
        return compose("NOT pg_catalog.pg_input_is_valid({}, {})", value, literal(new.spelled))
    return None


def _out_of_range(old: ParsedType, new: ParsedType, value: sql.Composable) -> sql.Composable | None:
    low, high = _RANGES[new.name]
    if old.name in _RANGES and low <= _RANGES[old.name][0]:
        return None
    if old.name in _FLOATS:  # a double has no 2^63 - 1, but 2^63
        value = compose("CAST({} AS double precision)", value)
    rounded = value if old.name in _RANGES else compose("pg_catalog.round({})", value)
    return compose("({0} < {1} OR {0} >= {2})", rounded, raw(str(low)), raw(str(high + 1)))


def _too_many_digits(
    old: ParsedType, new: ParsedType, value: sql.Composable
) -> sql.Composable | None:
    """Compare with the first power of ten that has too many digits; NaN fits."""
    if not new.modifiers:
        return None
    precision, scale = (*new.modifiers, 0)[:2]
    if old.name == "numeric" and old.modifiers:
        old_precision, old_scale = (*old.modifiers, 0)[:2]
        if old_scale <= scale and old_precision - old_scale <= precision - scale:
            return None
    if old.name in _RANGES and len(str(_RANGES[old.name][1])) <= precision - scale:
        return None
    number = compose("CAST({} AS numeric)", value)
    limit = raw(f"CAST('1e{precision - scale}' AS numeric)")
    return compose(
        "({0} <> 'NaN' AND pg_catalog.abs(pg_catalog.round({0}, {1})) >= {2})",
        number,
        raw(str(scale)),
        limit,
    )
