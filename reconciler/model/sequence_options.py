"""Options of sequences and identity columns.

https://www.postgresql.org/docs/current/sql-createsequence.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar

from psycopg import sql
from pydantic import BaseModel, ConfigDict, Field

from reconciler.model.statement import Statement
from reconciler.sql import compose, joined, literal, raw, text

_HIGHEST = (
    "(CASE q.seqtypid WHEN 21 THEN 32767 WHEN 23 THEN 2147483647 ELSE 9223372036854775807 END)"
)
# Columns of a catalog query over pg_sequence AS q. A value is null if it is the default, which
# PostgreSQL derives from the type and the sign of the increment.
COLUMNS = {
    "increment": "q.seqincrement",
    "start": "nullif(q.seqstart, CASE WHEN q.seqincrement > 0 THEN q.seqmin ELSE q.seqmax END)",
    "minvalue": f"nullif(q.seqmin, CASE WHEN q.seqincrement > 0 THEN 1 ELSE -{_HIGHEST} - 1 END)",
    "maxvalue": f"nullif(q.seqmax, CASE WHEN q.seqincrement > 0 THEN {_HIGHEST} ELSE -1 END)",
    "cache": "q.seqcache",
    "cycle": "q.seqcycle",
}
MAXIMA = {"smallint": 2**15 - 1, "integer": 2**31 - 1, "bigint": 2**63 - 1}


class SequenceOptions(BaseModel):
    """Options of a sequence.

    The current position is data and not declared.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)
    other_keys: ClassVar[Mapping[str, str]] = {"increment_by": "increment", "start_with": "start"}

    increment: int = Field(
        default=1,
        description="the step from one value to the next; negative: the sequence descends",
    )
    start: int | None = Field(
        default=None,
        description="the first value; left out: minvalue, or maxvalue of a descending sequence",
    )
    minvalue: int | None = Field(
        default=None,
        description="the lowest value; left out: 1, or the type's lowest if it descends",
    )
    maxvalue: int | None = Field(
        default=None,
        description="the highest value; left out: the type's highest, or -1 if it descends",
    )
    cache: int = Field(default=1, description="how many values a session preallocates")
    cycle: bool = Field(
        default=False, description="after the last value, start again instead of failing"
    )

    def bounds(self, type_: str) -> tuple[int, int]:
        """Return the lowest and the highest value for a data type."""
        maximum = MAXIMA.get(type_, MAXIMA["bigint"])
        low, high = (1, maximum) if self.increment > 0 else (-maximum - 1, -1)
        return (
            low if self.minvalue is None else self.minvalue,
            high if self.maxvalue is None else self.maxvalue,
        )

    def first(self, type_: str) -> int:
        """Return the first value for a data type."""
        return self.bounds(type_)[self.increment < 0] if self.start is None else self.start

    def clauses(self) -> sql.Composable:
        """Return non-default options for CREATE SEQUENCE, with a leading space."""
        options = [
            ("INCREMENT BY", self.increment if self.increment != 1 else None),
            ("MINVALUE", self.minvalue),
            ("MAXVALUE", self.maxvalue),
            ("START WITH", self.start),
            ("CACHE", self.cache if self.cache != 1 else None),
        ]
        clauses = [compose(" {} {}", raw(k), literal(v)) for k, v in options if v is not None]
        return joined([*clauses, *([raw(" CYCLE")] if self.cycle else [])], by="")

    def altered(
        self, old: SequenceOptions, sequence: sql.Composable, types: tuple[str, str]
    ) -> Iterable[Statement]:
        """Alter a sequence from the options `old`; `types` are the old and the new type."""
        options = list(self._option_changes(old, types))
        if not options:
            return
        (low, high), (old_low, old_high) = self.bounds(types[1]), old.bounds(types[0])
        if low > old_low or high < old_high:
            if low > old_high or high < old_low:
                yield from self._widened(old, sequence, types)
            yield self._reset_position(sequence, types[1])
        yield self._statement(sequence, options)

    def _widened(
        self, old: SequenceOptions, sequence: sql.Composable, types: tuple[str, str]
    ) -> Iterable[Statement]:
        """Extend the bounds over the old and the new bounds, to let the position move."""
        (low, high), (old_low, old_high) = self.bounds(types[1]), old.bounds(types[0])
        # the new bounds may exceed the range of the old type
        if MAXIMA.get(types[1], 0) > MAXIMA.get(types[0], 0):
            yield self._statement(sequence, [compose("AS {}", raw(types[1]))])
        yield self._statement(sequence, [compose("MINVALUE {}", literal(min(low, old_low)))])
        yield self._statement(sequence, [compose("MAXVALUE {}", literal(max(high, old_high)))])

    def _option_changes(
        self, old: SequenceOptions, types: tuple[str, str]
    ) -> Iterable[sql.Composable]:
        if types[0] != types[1]:
            yield compose("AS {}", raw(types[1]))
        if self.increment != old.increment:
            yield compose("INCREMENT BY {}", literal(self.increment))
        yield from self._bound_changes(old, types)
        if self.first(types[1]) != old.first(types[0]):
            yield compose("START WITH {}", literal(self.first(types[1])))
        if self.cache != old.cache:
            yield compose("CACHE {}", literal(self.cache))
        if self.cycle != old.cycle:
            yield raw("CYCLE" if self.cycle else "NO CYCLE")

    def _bound_changes(
        self, old: SequenceOptions, types: tuple[str, str]
    ) -> Iterable[sql.Composable]:
        same_type = types[0] == types[1]
        (low, high), (old_low, old_high) = self.bounds(types[1]), old.bounds(types[0])
        if (low, self.minvalue) != (old_low, old.minvalue) or not (
            same_type or self.minvalue is None
        ):
            resets = same_type or self.increment < 0
            yield _bound("MINVALUE", self.minvalue, low, resets=resets)
        if (high, self.maxvalue) != (old_high, old.maxvalue) or not (
            same_type or self.maxvalue is None
        ):
            resets = same_type or self.increment > 0
            yield _bound("MAXVALUE", self.maxvalue, high, resets=resets)

    def _statement(self, sequence: sql.Composable, options: Iterable[sql.Composable]) -> Statement:
        command = compose("ALTER SEQUENCE {} {}", sequence, joined(options, by=" "))
        return Statement(sql=text(command), lock="SHARE ROW EXCLUSIVE", relation=text(sequence))

    def _reset_position(self, sequence: sql.Composable, type_: str) -> Statement:
        """Restart at the first value, if the position is unused or lies before the bounds.

        A position behind the bounds stays, and PostgreSQL refuses the bounds: a restart would
        repeat values.
        """
        low, high = self.bounds(type_)
        before = (
            compose("last_value < {}", literal(low))
            if self.increment > 0
            else compose("last_value > {}", literal(high))
        )
        command = compose(
            "SELECT setval({}, {}, false) FROM {}"
            " WHERE {} OR (NOT is_called AND last_value NOT BETWEEN {} AND {})",
            literal(text(sequence)),
            literal(self.first(type_)),
            sequence,
            before,
            literal(low),
            literal(high),
        )
        return Statement(sql=text(command), lock="ROW EXCLUSIVE", relation=text(sequence))


def _bound(keyword: str, declared: int | None, bound: int, *, resets: bool) -> sql.Composable:
    """Set a bound; by NO MINVALUE or NO MAXVALUE if undeclared and `resets`.

    If AS changes the type of a sequence with the old type's bound, PostgreSQL sets the new type's
    bound, even where NO MINVALUE or NO MAXVALUE would mean 1 or -1.
    """
    if declared is None and resets:
        return compose("NO {}", raw(keyword))
    return compose("{} {}", raw(keyword), literal(bound))
