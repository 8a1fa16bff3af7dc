"""Fill a column in batches: short transactions over ranges of the table, and only rows that are null.

The ranges are of physical place (ctid), which every table has; what is updated moves, but it is filled by then.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from reconciler.connection import Connection, rows, translated
from reconciler.errors import StatementFailed
from reconciler.statement import Fill, literal, name, text

BATCH = 128  # blocks of 8 kB: some ten thousand rows
SAMPLE = 5  # keys shown of rows that stay null
# how many blocks the table, or the largest of its partitions, has
BLOCKS = """(SELECT coalesce(max(pg_relation_size(p.relid)), pg_relation_size(%(relation)s::regclass)) / current_setting('block_size')::int8
    FROM pg_partition_tree(%(relation)s::regclass) AS p)"""


@dataclass(frozen=True)
class Progress:
    """How far a long step is: `done` of `total` in `unit`s."""

    done: int
    total: int
    unit: str


def fill(connection: Connection, spec: Fill, attempt: Callable[[Callable[[], int]], int], watch: Callable[[Progress], None]) -> int:
    """Fill what can be filled; returns how many rows that was.

    `attempt` runs one batch and runs it again when it had to wait too long for a row. Raises StatementFailed, with
    the keys of some, if rows are left without a value.
    """
    filled = 0
    if spec.value is not None:
        start, blocks = 0, _blocks(connection, spec)
        while start < blocks:
            statement = batch(spec, f"'({start},0)'", f"'({start + BATCH},0)'")
            filled += attempt(lambda sql=statement: _rows_of(connection, sql))
            start += BATCH
            blocks = max(blocks, _blocks(connection, spec)) if start >= blocks else blocks  # it may have grown meanwhile
            watch(Progress(min(start, blocks), blocks, "blocks"))
    _assert_none_left(connection, spec)
    return filled


def _blocks(connection: Connection, spec: Fill) -> int:
    return rows(connection, f"SELECT {BLOCKS} AS blocks", {"relation": spec.relation})[0]["blocks"]


def _rows_of(connection: Connection, statement: str) -> int:
    with translated(statement):
        return connection.execute(statement.encode(), binary=True).rowcount


def batch(spec: Fill, first: str, last: str) -> str:
    """The UPDATE of the rows between two places, the second left out; a row that has no value to get is not touched."""
    return (
        f"UPDATE {spec.relation} SET {spec.column} = {spec.value} WHERE ctid >= {first}::tid AND ctid < {last}::tid "
        f"AND {spec.column} IS NULL AND ({spec.value}) IS NOT NULL"
    )


def script(spec: Fill) -> str:
    """The same for psql, as one DO block that commits after every batch."""
    relation = text(literal(spec.relation))
    refusal = text(literal(f"rows of {spec.relation} have no {spec.column}, and no value was found for them"))
    update = ""
    if spec.value is not None:
        update = f"""
  reconcile_blocks := {BLOCKS.replace("%(relation)s", relation)};
  WHILE reconcile_first < reconcile_blocks LOOP
    {batch(spec, "format('(%s,0)', reconcile_first)", f"format('(%s,0)', reconcile_first + {BATCH})")};
    COMMIT;
    reconcile_first := reconcile_first + {BATCH};
  END LOOP;"""
    tag = "$reconcile$"
    while tag in update:
        tag = tag[:-1] + "_$"
    return f"""DO {tag}
DECLARE reconcile_first int8 := 0; reconcile_blocks int8;
BEGIN{update}
  IF EXISTS (SELECT FROM {spec.relation} WHERE {_stuck(spec)}) THEN
    RAISE EXCEPTION USING MESSAGE = {refusal};
  END IF;
END {tag}"""


def _assert_none_left(connection: Connection, spec: Fill) -> None:
    key = rows(
        connection,
        """SELECT a.attname::text FROM pg_index AS i CROSS JOIN unnest(i.indkey) WITH ORDINALITY AS k(n, o)
           JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.n
           WHERE i.indrelid = %s::regclass AND i.indisprimary ORDER BY k.o""",
        [spec.relation],
    )
    columns = ", ".join(text(name(r["attname"])) for r in key) or "ctid"
    sample = rows(
        connection,
        f"""SELECT ROW({columns})::text AS key, count(*) OVER () AS n
            FROM {spec.relation} WHERE {_stuck(spec)} ORDER BY {columns} LIMIT {SAMPLE}""",
    )
    if not sample:
        return
    left = sample[0]["n"]
    keys = ", ".join(r["key"].strip("()") if len(key) < 2 else r["key"] for r in sample)
    raise StatementFailed(
        f"{left} row{'s' if left > 1 else ''} of {spec.relation} still {'have' if left > 1 else 'has'} no {spec.column}",
        detail=f"{columns}: {keys}" + (", …" if left > len(sample) else ""),
        hint="give these rows a value, or delete them, and run again"
        if spec.value
        else "declare a backfill, or fill these rows, and run again",
    )


def _stuck(spec: Fill) -> str:
    """The rows that stop us: until nulls are forbidden, those that get no value; afterwards, all that have none."""
    null = f"{spec.column} IS NULL"
    return null if spec.sweep or spec.value is None else f"{null} AND ({spec.value}) IS NULL"
