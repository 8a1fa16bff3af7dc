"""Write SQL to fill tables with rows by the statistics of a database.

Every value is a function of the row's number, so that a foreign key knows the key of any row to
which it refers, and every run makes the same rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from zlib import crc32

from reconciler.bench.statistics import ColumnStatistics, ForeignKey, TableStatistics
from reconciler.sql import compose, joined, literal, name, raw, text

_INTEGERS = {"smallint", "integer", "bigint", "numeric", "real", "double precision"}
_TIMES = {"timestamp with time zone", "timestamp without time zone", "date"}
_TEXTS = {"text", "character varying", "character", "citext", "bytea", "name"}
_EMPTY = {"jsonb": "{}", "json": "{}", "boolean": "false", "interval": "0", "inet": "::1"}
MAX_DEPTH = 5  # foreign keys that refer to foreign keys
MANY = 20  # rows that are made for one that meets the CHECK constraints, at most
MOSTLY_DISTINCT = -0.5  # n_distinct of a column whose values are different in half of the rows


@dataclass(frozen=True)
class Generator:
    """The SQL to fill the tables of a database, at a scale."""

    tables: Mapping[int, TableStatistics]
    scale: float

    def statements(self) -> Iterator[tuple[str, str]]:
        """Yield the name of each table with rows, and the statement that fills it."""
        for oid, table in self.tables.items():
            if number := self._rows(table):
                yield f"{table.schema}.{table.name}", self._insert(oid, table, number)

    def _rows(self, table: TableStatistics) -> int:
        return round(table.rows * self.scale)

    def _insert(self, oid: int, table: TableStatistics, number: int) -> str:
        values = {c: self._value(oid, c, "n") for c in table.columns if self._is_filled(oid, c)}
        if not values:
            return text(compose("INSERT INTO {} DEFAULT VALUES", name(table.schema, table.name)))
        columns = joined([name(column) for column in values])
        checks = [raw(c.condition) for c in table.checks if set(c.columns) <= values.keys()]
        return text(
            compose(
                "INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE SELECT {} FROM (SELECT {}"
                " FROM pg_catalog.generate_series(1, {}) AS n) AS made ({}) WHERE {} LIMIT {}"
                " ON CONFLICT DO NOTHING",
                name(table.schema, table.name),
                columns,
                columns,
                joined([raw(value) for value in values.values()]),
                raw(str(number * (MANY if checks else 1))),
                columns,
                joined([compose("({}) IS NOT FALSE", c) for c in checks or [raw("true")]], " AND "),
                raw(str(number)),
            )
        )

    def _is_filled(self, oid: int, column: str) -> bool:
        """Leave out a column of which nothing is known, where the table can do without it."""
        table = self.tables[oid]
        found = table.columns[column]
        known = found.common or found.bounds or column in table.unique or self._key(oid, column)
        return bool(known) or (found.not_null and not found.has_default)

    def _key(self, oid: int, column: str) -> tuple[ForeignKey, str] | None:
        """Return the foreign key with the column, and the column to which it refers."""
        for key in self.tables[oid].foreign_keys:
            if column in key.columns and self._rows(self.tables[key.referenced]):
                return key, key.referenced_columns[list(key.columns).index(column)]
        return None

    def _value(self, oid: int, column: str, number: str, depth: int = 0) -> str:
        """Return the value of a column in the row of a number, as SQL of its type."""
        found = self.tables[oid].columns[column]
        value = self._unbounded(oid, found, number, depth)
        if found.null_fraction and not found.not_null:
            chance = _chance(self.tables[oid], f"null {column}", number)
            value = f"CASE WHEN {chance} >= {found.null_fraction:.6f} THEN {value} END"
        return f"({value})::{found.type}"

    def _unbounded(self, oid: int, found: ColumnStatistics, number: str, depth: int) -> str:
        table = self.tables[oid]
        key = self._key(oid, found.name)
        if key is not None and depth < MAX_DEPTH and not (found.name in table.unique and depth):
            return self._referenced(oid, key, found, number, depth)
        if found.name in table.unique or _is_mostly_distinct(found):
            return _distinct(found, number)
        chance = _chance(table, found.name, number)
        if found.common and sum(found.frequencies) > 0:
            return _chosen(found, chance, number)
        if found.bounds:
            return _between(found, chance)
        return _plain(found, number)

    def _referenced(
        self,
        oid: int,
        key: tuple[ForeignKey, str],
        found: ColumnStatistics,
        number: str,
        depth: int,
    ) -> str:
        """Return the key of another row; the most frequent ones are those of the first rows."""
        foreign, column = key
        parents = self._rows(self.tables[foreign.referenced])
        if found.name in self.tables[oid].unique:
            row = f"(1 + ({number} - 1) % {parents})"
        else:
            chance = _chance(self.tables[oid], " ".join(foreign.columns), number)
            row = _row(found, chance, parents)
        return self._value(foreign.referenced, column, row, depth + 1)


def _is_mostly_distinct(found: ColumnStatistics) -> bool:
    """Return whether most values differ, and none can be taken from between two bounds."""
    between = found.bounds and found.base in _INTEGERS | _TIMES
    return found.distinct_values <= MOSTLY_DISTINCT and not between


def _chance(table: TableStatistics, what: str, number: str) -> str:
    """Return a number from 0 to 1 that is hashed from the row's number."""
    salt = crc32(f"{table.schema}.{table.name} {what}".encode())
    hashed = f"pg_catalog.hashint8extended(({number})::bigint, {salt})"
    return f"(({hashed} & 2147483647) / float8 '2147483648')"


def _row(found: ColumnStatistics, chance: str, parents: int) -> str:
    """Return the number of a row of another table, as often as the values of a column differ."""
    frequencies = found.frequencies[:parents]
    rest = f"1 + pg_catalog.floor({chance} * {parents})::bigint"
    if not frequencies:
        return f"({rest})"
    bucket = f"pg_catalog.width_bucket({chance}, {_thresholds(frequencies)})"
    return f"(CASE WHEN {chance} < {sum(frequencies):.6f} THEN 1 + {bucket} ELSE {rest} END)"


def _thresholds(frequencies: Sequence[float]) -> str:
    """Return the sums of the frequencies but the last, as an array for width_bucket."""
    sums = ", ".join(f"{each:.6f}" for each in list(accumulate(frequencies))[:-1])
    return f"ARRAY[{sums}]::float8[]"


def _chosen(found: ColumnStatistics, chance: str, number: str) -> str:
    """Return a common value, by its frequency, else a value of the histogram."""
    bucket = f"1 + pg_catalog.width_bucket({chance}, {_thresholds(found.frequencies)})"
    common = f"({_array(found.common)})[{bucket}]"
    total = sum(found.frequencies)
    other = _between(found, chance) if found.bounds else ""
    if not other and found.base in _INTEGERS | _TEXTS and total < 0.99:
        other = _distinct(found, number)
    if not other:
        return f"{common}::{found.type}"
    return (
        f"CASE WHEN {chance} < {total:.6f} THEN {common}::{found.type}"
        f" ELSE ({other})::{found.type} END"
    )


def _between(found: ColumnStatistics, chance: str) -> str:
    """Return a value of the histogram; numbers and times are taken from between two bounds."""
    bounds, gaps = f"({_array(found.bounds)})", len(found.bounds) - 1
    if gaps < 1 or found.base not in _INTEGERS | _TIMES:
        place = f"1 + pg_catalog.floor({chance} * {len(found.bounds)})::int"
        return f"{bounds}[{place}]"
    place = f"pg_catalog.floor({chance} * {gaps})::int"
    low, high = (f"{bounds}[{place} + {step}]::{found.base}" for step in (1, 2))
    part = f"({chance} * {gaps} - {place})"
    if found.base == "date":
        return f"{low} + (({high} - {low}) * {part})::int"
    if found.base in _TIMES:
        return f"{low} + ({high} - {low}) * {part}"
    return f"{low} + (({high})::numeric - {low}) * {part}::numeric"


def _array(values: Sequence[str]) -> str:
    """Return texts as an array."""
    return f"ARRAY[{', '.join(text(literal(value)) for value in values)}]::text[]"


def _distinct(found: ColumnStatistics, number: str) -> str:
    """Return a distinct value for each row, where the type has enough values."""
    if found.base in _INTEGERS:
        return number
    if found.base == "uuid":
        return f"pg_catalog.md5('{crc32(found.name.encode())} ' || {number})"
    if found.base in _TIMES:
        return f"timestamptz '2024-01-01 00:00+00' + {number} * interval '1 minute'"
    if found.base in _TEXTS:
        return f"pg_catalog.rpad(({number})::text, {max(found.width, 1)}, ' value')"
    return _plain(found, number)


def _plain(found: ColumnStatistics, number: str) -> str:
    """Return a value of a type of which nothing else is known."""
    if found.labels:
        place = f"1 + ({number}) % {len(found.labels)}"
        return f"({_array(found.labels)})[{place}]"
    if found.base in _EMPTY:
        return text(literal(_EMPTY[found.base]))
    if found.base.endswith("[]"):
        return "'{}'"
    if found.base in _INTEGERS | _TIMES | _TEXTS | {"uuid"}:
        return _distinct(found, number)
    return "NULL"
