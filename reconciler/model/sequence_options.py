"""What counts: the options that a sequence and an identity column share (https://www.postgresql.org/docs/current/sql-createsequence.html)."""

from __future__ import annotations

from collections.abc import Iterable

from psycopg import sql
from pydantic import BaseModel, ConfigDict, Field

from reconciler.model.statement import Statement
from reconciler.sql import compose, joined, literal, raw, text

_HIGHEST = (
    "(CASE q.seqtypid WHEN 21 THEN 32767 WHEN 23 THEN 2147483647 ELSE 9223372036854775807 END)"
)
# the columns of a catalog query over pg_sequence AS q: null where PostgreSQL chooses the value by type and direction
COLUMNS = {
    "increment": "q.seqincrement",
    "start": "nullif(q.seqstart, CASE WHEN q.seqincrement > 0 THEN q.seqmin ELSE q.seqmax END)",
    "minvalue": f"nullif(q.seqmin, CASE WHEN q.seqincrement > 0 THEN 1 ELSE -{_HIGHEST} - 1 END)",
    "maxvalue": f"nullif(q.seqmax, CASE WHEN q.seqincrement > 0 THEN {_HIGHEST} ELSE -1 END)",
    "cache": "q.seqcache",
    "cycle": "q.seqcycle",
}
HIGHEST = {"smallint": 2**15 - 1, "integer": 2**31 - 1, "bigint": 2**63 - 1}


class SequenceOptions(BaseModel):
    """Where counting starts, how it goes on and where it ends; how far it has come is data, and nobody's declaration."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    increment: int = Field(default=1, description="negative: it counts down")
    start: int | None = Field(
        default=None,
        description="left out: the lowest value, or the highest of one that counts down",
    )
    minvalue: int | None = Field(default=None, description="left out: 1, or the lowest of its type")
    maxvalue: int | None = Field(
        default=None, description="left out: the highest of its type, or -1"
    )
    cache: int = Field(default=1, description="how many values a session takes at once")
    cycle: bool = Field(default=False, description="begins anew at the end")

    def bounds(self, type_: str) -> tuple[int, int]:
        """The lowest and the highest value."""
        highest = HIGHEST.get(type_, HIGHEST["bigint"])
        low, high = (1, highest) if self.increment > 0 else (-highest - 1, -1)
        return (
            low if self.minvalue is None else self.minvalue,
            high if self.maxvalue is None else self.maxvalue,
        )

    def first(self, type_: str) -> int:
        """Where it starts."""
        return self.bounds(type_)[self.increment < 0] if self.start is None else self.start

    def clauses(self) -> sql.Composable:
        """The options as CREATE SEQUENCE and GENERATED … AS IDENTITY take them, usual ones left out; begins with a space."""
        given = [
            ("INCREMENT BY", self.increment if self.increment != 1 else None),
            ("MINVALUE", self.minvalue),
            ("MAXVALUE", self.maxvalue),
            ("START WITH", self.start),
            ("CACHE", self.cache if self.cache != 1 else None),
        ]
        words = [compose(" {} {}", raw(k), literal(v)) for k, v in given if v is not None]
        return joined([*words, *([raw(" CYCLE")] if self.cycle else [])], by="")

    def altered(
        self, old: SequenceOptions, sequence: sql.Composable, types: tuple[str, str]
    ) -> Iterable[Statement]:
        """ALTER SEQUENCE from `old` to this, of `types` before and after; see `_moved` for its position."""
        options = list(self._differing(old, types))
        if not options:
            return
        (low, high), (was_low, was_high) = self.bounds(types[1]), old.bounds(types[0])
        if low > was_low or high < was_high:
            if low > was_high or high < was_low:
                if HIGHEST.get(types[1], 0) > HIGHEST.get(
                    types[0], 0
                ):  # the new bounds may be out of the old type's range
                    yield self._statement(sequence, [compose("AS {}", raw(types[1]))])
                yield self._statement(
                    sequence, [compose("MINVALUE {}", literal(min(low, was_low)))]
                )
                yield self._statement(
                    sequence, [compose("MAXVALUE {}", literal(max(high, was_high)))]
                )
            yield self._moved(sequence, types[1])
        yield self._statement(sequence, options)

    def _differing(self, old: SequenceOptions, types: tuple[str, str]) -> Iterable[sql.Composable]:
        if types[0] != types[1]:
            yield compose("AS {}", raw(types[1]))
        if self.increment != old.increment:
            yield compose("INCREMENT BY {}", literal(self.increment))
        yield from self._bounded(old, types)
        if self.first(types[1]) != old.first(types[0]):
            yield compose("START WITH {}", literal(self.first(types[1])))
        if self.cache != old.cache:
            yield compose("CACHE {}", literal(self.cache))
        if self.cycle != old.cycle:
            yield raw("CYCLE" if self.cycle else "NO CYCLE")

    def _bounded(self, old: SequenceOptions, types: tuple[str, str]) -> Iterable[sql.Composable]:
        """With another type, PostgreSQL takes a bound that was the old one's for the new one's, whatever NO MINVALUE means."""
        (low, high), was, same = self.bounds(types[1]), old.bounds(types[0]), types[0] == types[1]
        if low != was[0] or self.minvalue != old.minvalue or not (same or self.minvalue is None):
            usual = self.minvalue is None and (same or self.increment < 0)
            yield raw("NO MINVALUE") if usual else compose("MINVALUE {}", literal(low))
        if high != was[1] or self.maxvalue != old.maxvalue or not (same or self.maxvalue is None):
            usual = self.maxvalue is None and (same or self.increment > 0)
            yield raw("NO MAXVALUE") if usual else compose("MAXVALUE {}", literal(high))

    def _statement(self, sequence: sql.Composable, options: Iterable[sql.Composable]) -> Statement:
        words = compose("ALTER SEQUENCE {} {}", sequence, joined(options, by=" "))
        return Statement(sql=text(words), lock="SHARE ROW EXCLUSIVE", relation=text(sequence))

    def _moved(self, sequence: sql.Composable, type_: str) -> Statement:
        """Bring into the new bounds a position that was never used, or that lies before them.

        One that lies behind them stays, and PostgreSQL refuses: counting from the start again would give values twice.
        """
        low, high = self.bounds(type_)
        before = (
            compose("last_value < {}", literal(low))
            if self.increment > 0
            else compose("last_value > {}", literal(high))
        )
        words = compose(
            "SELECT setval({}, {}, false) FROM {} WHERE {} OR (NOT is_called AND last_value NOT BETWEEN {} AND {})",
            literal(text(sequence)),
            literal(self.first(type_)),
            sequence,
            before,
            literal(low),
            literal(high),
        )
        return Statement(sql=text(words), lock="ROW EXCLUSIVE", relation=text(sequence))
