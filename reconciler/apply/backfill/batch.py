"""Fill a batch: scan rows along the key, lock unlocked null rows, and fill the locked rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reconciler.apply.backfill.owner import Owner
from reconciler.apply.backfill.parts import Part
from reconciler.model.statement import Fill
from reconciler.server.connection import rows_at_once

Place = tuple[str, ...]
Query = tuple[str, dict[str, object] | None]  # with its parameters
DENSITY = (
    50  # rows in a block of 8 kB, at least: how many blocks a batch of a table without a key reads
)


def block_of(place: Place) -> int:
    """Return the block of a ctid, `(block,line)`."""
    return int(place[0].strip("()").split(",")[0])


@dataclass(frozen=True)
class Batch:
    """A batch of rows with keys after `after`, and up to `upto`.

    looked   the most rows to scan
    rows     the most rows to fill
    strict   count as null only rows that have a value to get; the remaining null rows are those
             that other sessions hold
    """

    spec: Fill
    part: Part
    alias: str
    after: Place | None
    rows: int
    looked: int
    strict: bool = False
    upto: Place | None = None

    def _span(self) -> str:
        """Return the CTE of the scanned rows; PostgreSQL reads no row beyond the batch."""
        key, null = (
            self.part.key,
            self.spec.fillable if self.strict or self.spec.partial else self.spec.unfilled,
        )
        found = key.expressions()
        named = ", ".join(f"{e} AS reconcile_key{n}" for n, e in enumerate(found))
        order = ", ".join(f"reconcile_key{n}" for n in range(len(found)))
        bounds = [
            key.compare(operator, place)
            for operator, place in ((">", self.after), ("<=", self.upto))
            if place is not None
        ]
        if key.physical:
            bounds += [f"ctid < '({self.end},0)'::tid"]
        where = f" WHERE {' AND '.join(bounds)}" if bounds else ""
        return f"""reconcile_span AS MATERIALIZED (
    SELECT * FROM (
        SELECT *, count(*) FILTER (WHERE reconcile_null)
                  OVER (ORDER BY {order} ROWS UNBOUNDED PRECEDING) AS reconcile_nulls
        FROM (
            SELECT ctid AS reconcile_place, {null} AS reconcile_null, {named}
            FROM ONLY {self.part.relation} AS {self.alias}{where}
            ORDER BY {", ".join(found)} LIMIT {self.looked}) AS looked) AS counted
    WHERE reconcile_nulls <= {self.rows})"""

    def _locked(self, clause: str = "") -> str:
        """Return a query to lock the null rows."""
        return (
            f"SELECT ctid FROM ONLY {self.part.relation} AS {self.alias} "
            "WHERE ctid = ANY (ARRAY("
            "SELECT reconcile_place FROM reconcile_span WHERE reconcile_null)) "
            f"AND {self.spec.unfilled} FOR NO KEY UPDATE{clause}"
        )

    def fill(self) -> str:
        """Return the statement to fill null rows with a non-null new value."""
        if self.part.whole:
            return self._fill_whole()
        spec, last = (
            self.spec,
            [f"reconcile_key{n}" for n in range(len(self.part.key.expressions()))],
        )
        texts, order = ", ".join(f"{k}::text" for k in last), ", ".join(f"{k} DESC" for k in last)
        return f"""WITH {self._span()},
reconcile_filled AS (
    UPDATE ONLY {self.part.relation} AS {self.alias} SET {spec.column} = {spec.value}
    WHERE ctid = ANY (ARRAY({self._locked(" SKIP LOCKED")})) AND {spec.fillable}
    RETURNING 1)
SELECT (SELECT count(*) FROM reconcile_span) AS looked,
       (SELECT count(*) FROM reconcile_span WHERE reconcile_null) AS nulls,
       (SELECT count(*) FROM reconcile_filled) AS filled,
       (SELECT ARRAY[{texts}] FROM reconcile_span ORDER BY {order} LIMIT 1) AS last"""

    def _fill_whole(self) -> str:
        spec = self.spec
        only = "" if self.part.relation == spec.relation else "ONLY "
        return f"""WITH reconcile_filled AS (
    UPDATE {only}{self.part.relation} AS {self.alias} SET {spec.column} = {spec.value}
    WHERE {spec.fillable} RETURNING 1)
SELECT count(*) AS looked, count(*) AS nulls, count(*) AS filled, NULL AS last
FROM reconcile_filled"""

    def wait(self) -> str:
        """Return the statement to wait for sessions with locks on the null rows."""
        return f"WITH {self._span()} SELECT count(*) FROM ({self._locked()}) AS taken"

    @property
    def end(self) -> int:
        """The first block after the batch, in a table without a key."""
        return (block_of(self.after) if self.after else 0) + 1 + self.looked // DENSITY


@dataclass(frozen=True)
class Done:
    """The result of a batch: numbers of rows, and the last key; None at the end of the table."""

    looked: int
    nulls: int
    filled: int
    last: Place | None


def run_batch(owner: Owner, batch: Batch, before: Sequence[Query], *, waiting: bool) -> Done:
    """Run the queries `before` and a batch in one transaction; after waiting, read the rows anew.

    Raises StatementFailed.
    """
    queries = [batch.wait(), batch.fill()] if waiting and not batch.part.whole else [batch.fill()]
    commands: list[Query] = [(c, None) for query in queries for c in owner.commands(query)]
    found = owner.result(rows_at_once(owner.connection, [*before, *commands])[-1])[0]
    return Done(
        found["looked"],
        found["nulls"],
        found["filled"],
        tuple(found["last"]) if found["last"] else None,
    )
