"""Walk through the parts of a table, batch by batch, until no null row could get a value."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from reconciler.apply.backfill.batch import Batch, Done, Place, Query, block_of, run_batch
from reconciler.apply.backfill.cursor import Cursor, cursor_of
from reconciler.apply.backfill.owner import Owner, assert_owner_can_fill, table_owner
from reconciler.apply.backfill.parts import Part, blocks_of, estimate, last_of, parts_of
from reconciler.apply.backfill.progress import Meter, Progress
from reconciler.apply.backfill.throttle import Throttle, assert_visible
from reconciler.apply.backfill.triggers_off import DISABLE_TRIGGERS, assert_triggers_can_be_disabled
from reconciler.errors import StatementFailed
from reconciler.model.statement import Fill
from reconciler.server.connection import Connection, rows, run_sql, translated
from reconciler.sql import name, text

SAMPLE = 5  # keys shown of rows that stay null
PASSES = 5  # walks through the table while others go on writing nulls into it
Attempt = Callable[[Callable[[], Done]], Done]


def fill(
    connection: Connection,
    spec: Fill,
    attempt: Attempt,
    watch: Callable[[Progress], None],
    *,
    journal: str | None = None,
) -> int:
    """Fill null rows with a non-null new value, and return the number of rows filled.

    `attempt` runs one batch, a transaction, with retries. `journal` is the schema in which the
    position is kept for a run after an interruption; without it, or without the privilege to write
    there, the backfill begins at the beginning. Raises StatementFailed, with the keys of some rows,
    if rows remain without a value.
    """
    filled, owner = 0, table_owner(connection, spec.relation)
    if owner is None:
        raise StatementFailed(f"there is no table {spec.relation}")
    if spec.value is not None:
        cursor = cursor_of(connection, spec, journal)
        if _any_left(owner, spec):
            assert_visible(connection, spec.throttle)
            assert_triggers_can_be_disabled(connection, spec)
            filled = _Walk(connection, spec, owner, attempt, watch, cursor).all()
        if cursor is not None:
            cursor.forget()
    _assert_none_left(owner, spec)
    return filled


def refusals(connection: Connection, spec: Fill) -> list[str]:
    """Return why the role could not run the backfill, as far as can be known before."""
    found: list[str] = []
    for check in (
        lambda: assert_visible(connection, spec.throttle),
        lambda: assert_triggers_can_be_disabled(connection, spec),
        lambda: assert_owner_can_fill(connection, spec),
    ):
        try:
            check()
        except StatementFailed as e:
            found.append(f"{e.message}; {e.hint}")
    return found


@dataclass
class _Walk:
    connection: Connection
    spec: Fill
    owner: Owner
    attempt: Attempt
    watch: Callable[[Progress], None]
    cursor: Cursor | None

    def all(self) -> int:
        """Fill unlocked rows first; then wait for locked rows, and rows added since."""
        self._parts = parts_of(self.connection, self.spec)
        # The value may name the table, so every batch has the table's own name as alias.
        self._alias = text(name(self.owner.table))
        self._throttle = Throttle(self.connection, self.spec.throttle)
        meter = Meter(estimate(self.connection, self.spec))
        filled = self._through(meter, waiting=False)
        for _ in range(PASSES):
            if not _any_left(self.owner, self.spec):
                break
            meter.repeat()
            more = self._through(meter, waiting=True)
            filled += more
            if more == 0:
                break
        self.watch(meter.reading(ended=True))
        return filled

    def _through(self, meter: Meter, *, waiting: bool) -> int:
        filled = 0
        cursor = None if waiting else self.cursor
        start, place = cursor.place(self._parts) if cursor is not None else (0, None)
        for part in self._parts[start:]:
            filled += self._part(part, place, cursor, meter, waiting=waiting)
            place = None
        return filled

    def _part(
        self, part: Part, place: Place | None, cursor: Cursor | None, meter: Meter, *, waiting: bool
    ) -> int:
        filled, throttle = 0, self._throttle
        # Rows added beyond the end are left for the next pass, which keeps this one finite.
        owner = self._owner(part)
        end, upto = blocks_of(self.connection, part), last_of(owner, part)
        while True:
            batch = Batch(
                self.spec,
                part,
                self._alias,
                place,
                throttle.rows,
                throttle.looked,
                strict=waiting,
                upto=upto,
            )
            began = time.monotonic()
            done = self.attempt(lambda b=batch: self._run(owner, b, cursor))
            took = time.monotonic() - began
            filled += done.filled
            if waiting and done.nulls > done.filled:
                filled += self._one_by_one(owner, replace(batch, rows=1, upto=done.last))
            meter.advance(done.looked)
            self.watch(meter.reading())
            place = self._next(batch, done, end)
            if place is None:
                return filled
            throttle.learn(done.looked, done.filled, took)
            throttle.rest(took, lambda why: self.watch(meter.reading(why)))

    def _owner(self, part: Part) -> Owner:
        """Return the owner of a part; raises StatementFailed if the part was dropped."""
        owner = table_owner(self.connection, part.relation)
        if owner is None:
            raise StatementFailed(f"{part.relation} was dropped while it was filled")
        return owner

    def _one_by_one(self, owner: Owner, batch: Batch) -> int:
        """Fill each locked row in a transaction: a single row lock cannot cause deadlocks."""
        filled, place = 0, batch.after
        while True:
            done = self.attempt(
                lambda p=place: self._run(owner, replace(batch, after=p), None, waiting=True)
            )
            filled += done.filled
            place = done.last
            if place is None:
                return filled

    def _run(
        self, owner: Owner, batch: Batch, cursor: Cursor | None, *, waiting: bool = False
    ) -> Done:
        """Run a batch, and store the position from which it started."""
        before: list[Query] = []
        if not self.spec.throttle.triggers:
            before.append((DISABLE_TRIGGERS, None))
        if cursor is not None and batch.after is not None:
            before.append(cursor.move(batch.part, batch.after))
        return run_batch(owner, batch, before, waiting=waiting)

    def _next(self, batch: Batch, done: Done, end: int) -> Place | None:
        """Return the key to continue after, None at the end."""
        if batch.part.whole or not batch.part.key.physical:
            return done.last
        place = done.last or (f"({batch.end},0)",)
        return place if block_of(place) < end else None


def _any_left(owner: Owner, spec: Fill) -> bool:
    """Return whether rows remain to be filled: a scan of any duration, without waits for locks."""
    with translated(), owner.connection.transaction():
        run_sql(owner.connection, "SELECT set_config('statement_timeout', '0', true)")
        null = spec.fillable if spec.partial else spec.unfilled
        query = f"SELECT EXISTS (SELECT FROM {spec.relation} WHERE {null}) AS left"
        return owner.rows(query)[0]["left"]


def _assert_none_left(owner: Owner, spec: Fill) -> None:
    key = rows(
        owner.connection,
        """SELECT a.attname::text
           FROM pg_index AS i CROSS JOIN unnest(i.indkey) WITH ORDINALITY AS k(n, o)
           JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.n
           WHERE i.indrelid = %s::regclass AND i.indisprimary ORDER BY k.o""",
        [spec.relation],
    )
    columns = ", ".join(text(name(r["attname"])) for r in key) or "ctid"
    with translated(), owner.connection.transaction():
        run_sql(owner.connection, "SELECT set_config('statement_timeout', '0', true)")
        sample = owner.rows(
            f"""SELECT ROW({columns})::text AS key, count(*) OVER () AS n
                FROM {spec.relation} WHERE {stuck(spec)} ORDER BY {columns} LIMIT {SAMPLE}"""
        )
    if not sample:
        return
    left = sample[0]["n"]
    keys = ", ".join(r["key"].strip("()") if len(key) < 2 else r["key"] for r in sample)
    what = "another" if spec.computed and spec.partial else "no"
    raise StatementFailed(
        f"{left} row{'s' if left > 1 else ''} of {spec.relation} "
        f"still {'have' if left > 1 else 'has'} {what} {spec.column}",
        detail=f"{columns}: {keys}" + (", …" if left > len(sample) else ""),
        hint=_hint(spec),
    )


def _hint(spec: Fill) -> str:
    if spec.partial:
        return "others kept writing to these rows; run again"
    return (
        "give these rows a value, or delete them, and run again"
        if spec.value
        else "declare a backfill, or fill these rows, and run again"
    )


def stuck(spec: Fill) -> str:
    """Return SQL true of rows for which the backfill fails.

    Before the column is NOT NULL these are rows without a value to get; afterwards (`sweep`), all
    null rows. A partial backfill fails only at rows that should have been filled.
    """
    if spec.computed:
        return spec.unfilled if spec.partial else f"({spec.unfilled} OR {spec.column} IS NULL)"
    if spec.partial:
        return spec.fillable
    if spec.sweep or spec.value is None:
        return spec.unfilled
    return "false" if spec.sure else f"{spec.unfilled} AND ({spec.value}) IS NULL"
