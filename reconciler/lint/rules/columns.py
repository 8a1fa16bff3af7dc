"""Rules about types of columns, sequences and space."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.lint.database import Database
from reconciler.lint.facts import Column, quoted
from reconciler.lint.rule import Found, rule

_TIMESTAMPS = {1114: "timestamptz", 1115: "timestamptz[]"}
_LIMITS = {"smallint": 2**15 - 1, "integer": 2**31 - 1, "bigint": 2**63 - 1}
NEAR = 0.5  # of the numbers
BLOCK = 8192
ROW_HEADER = 28  # bytes, with the line pointer
WASTED_BYTES, WASTED_SHARE = 10 << 20, 0.5


@rule(
    "timestamp-without-time-zone",
    "note",
    """It holds a reading of a clock, not a moment: sessions in different time zones mean different
    moments by it. With TimeZone = UTC the change to timestamptz rewrites nothing.""",
)
def timestamp_without_time_zone(db: Database) -> Iterator[Found]:
    """Find a timestamp without time zone."""
    for column in db.columns.values():
        relation = db.relations[column.relation]
        if column.type in _TIMESTAMPS and relation.is_table and not relation.is_partition:
            yield Found(
                ("pg_class", column.relation, column.number),
                f"is {column.type_name}: a reading of a clock, not a moment",
                _with_time_zone(db, column),
                "type",
            )


def _with_time_zone(db: Database, column: Column) -> str:
    """Return SQL, or where another object fixes the type of the column what `apply` needs."""
    table, name = db.relations[column.relation].sql, quoted(column.name)
    better = column.type_name.replace("without time zone", "with time zone")
    by_key = db.pinned.get((column.relation, column.number))
    if by_key:
        return f"-- {name} is in the partition key of {table}: only another table can have {better}"
    if by_key is not None:
        return f"# in the entry of {name}; `apply` makes the views and the like on it again:\n" + (
            f"type: {better}"
        )
    return f"SET TimeZone = 'UTC';\nALTER TABLE {table} ALTER COLUMN {name} TYPE {better};"


@rule(
    "not-null-without-backfill",
    "warning",
    """The table is there already, and perhaps has rows: nothing says what they hold in this column,
    so `apply` refuses as soon as it finds one. `backfill` fills them in small batches first.""",
)
def not_null_without_backfill(db: Database) -> Iterator[Found]:
    """Find a column that becomes NOT NULL without a value for the rows that are there."""
    for column in db.columns.values():
        relation = db.relations[column.relation]
        is_new = db.unfilled.get((relation.schema, relation.name, column.name))
        if is_new is None or (is_new and column.has_default):
            continue
        yield Found(
            ("pg_class", column.relation, column.number),
            "becomes NOT NULL, and nothing fills the rows that are there",
            f"# in the entry of {quoted(column.name)}:\nbackfill: {{value: …}}",
            "not_null",
        )


@rule(
    "sequence-near-end",
    "error",
    """More than half of the numbers are used. At the end every INSERT fails, and changing the type
    then takes as long as rewriting the table; `retype: online` does it before, without a lock.""",
    is_measured=True,
)
def sequence_near_end(db: Database) -> Iterator[Found]:
    """Find a serial or identity column that runs out of numbers."""
    for sequence in db.sequences:
        end = min(sequence.greatest, _LIMITS.get(sequence.column_type, sequence.greatest))
        last = db.last.get(sequence.oid)
        if last is None or sequence.step < 1 or sequence.cycles:
            continue
        used = last / end
        if used > NEAR and (sequence.relation, sequence.number) in db.columns:
            column = db.columns[sequence.relation, sequence.number]
            table = db.relations[sequence.relation]
            yield Found(
                ("pg_class", sequence.relation, sequence.number),
                f"{used:.0%} of the numbers up to {end:,} are used",
                f"ALTER TABLE {table.sql} ALTER COLUMN {quoted(column.name)} TYPE bigint;\n"
                f"ALTER SEQUENCE {sequence.sql} AS bigint;",
                "type",
            )


@rule(
    "sequence-narrower-than-column",
    "warning",
    """ALTER TABLE … TYPE bigint leaves the sequence of a serial column an integer: it still ends at
    2,147,483,647.""",
)
def sequence_narrower_than_column(db: Database) -> Iterator[Found]:
    """Find a sequence that ends before its column does."""
    for sequence in db.sequences:
        limit = _LIMITS.get(sequence.column_type)
        if limit is None or (sequence.relation, sequence.number) not in db.columns:
            continue
        if sequence.greatest == _LIMITS.get(sequence.type) and sequence.greatest < limit:
            yield Found(
                ("pg_class", sequence.relation, sequence.number),
                f"{sequence.sql} ends at {sequence.greatest:,}, the column at {limit:,}",
                f"ALTER SEQUENCE {sequence.sql} AS {sequence.column_type};",
            )


@rule(
    "table-bloat",
    "note",
    """More than half of the pages, and 10 MB, hold no rows, by the statistics of the last ANALYZE:
    scans and caches pay for them.""",
    "0020 table_bloat",
    is_measured=True,
)
def table_bloat(db: Database) -> Iterator[Found]:
    """Find a table that is much larger than its rows."""
    for table in db.sizes:
        if table.width is None:
            continue
        used = table.rows * (table.width + ROW_HEADER)
        wasted = table.pages * BLOCK - used
        if wasted > WASTED_BYTES and wasted > WASTED_SHARE * table.pages * BLOCK:
            yield Found(
                ("pg_class", table.oid, 0),
                f"{wasted / 2**20:,.0f} of {table.pages * BLOCK / 2**20:,.0f} MB are empty",
                f"VACUUM (FULL, ANALYZE) {table.sql};",
            )
