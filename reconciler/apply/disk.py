"""Compare the free space of each file system with what a plan may write to it."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from reconciler.model.statement import HazardKind
from reconciler.plan.plan import Plan
from reconciler.plan.step import Step
from reconciler.server.connection import Connection, rows
from reconciler.sql import spellings

INDEX, REWRITE, BACKFILL = "index", "rewrite", "backfill"

# An upper estimate: an index is rarely larger than its table, a rewrite writes table and indexes
# anew, and so does a backfill that reaches every row before VACUUM frees the old versions. A sort
# that maintenance_work_mem does not hold goes to temporary files.
_NEEDED = """
    WITH place AS (
        SELECT d.dattablespace AS usual,
               coalesce((SELECT t.oid FROM pg_tablespace AS t
                         WHERE t.spcname = current_setting('default_tablespace')),
                        d.dattablespace) AS of_indexes,
               coalesce((SELECT t.oid FROM pg_tablespace AS t
                         WHERE quote_ident(t.spcname) = split_part(
                             current_setting('temp_tablespaces'), ',', 1)),
                        d.dattablespace) AS of_files,
               pg_size_bytes(current_setting('maintenance_work_mem')) AS memory
        FROM pg_database AS d WHERE d.datname = current_database()
    ), written AS (
        SELECT c.oid, w.purpose,
               coalesce(named.oid, CASE WHEN w.purpose = 'index' THEN place.of_indexes
                                        ELSE nullif(c.reltablespace, 0) END,
                        place.usual) AS tablespace,
               CASE WHEN w.purpose = 'index' THEN pg_table_size(c.oid)
                    ELSE pg_total_relation_size(c.oid) END AS bytes,
               CASE w.purpose WHEN 'index' THEN pg_table_size(c.oid)
                              WHEN 'rewrite' THEN pg_indexes_size(c.oid) ELSE 0 END AS sorted
        FROM unnest(%(relations)s::text[], %(purposes)s::text[], %(tablespaces)s::text[])
             AS w(relation, purpose, tablespace)
        CROSS JOIN place
        CROSS JOIN LATERAL (
            SELECT to_regclass(w.relation)::oid
            UNION SELECT t.relid FROM pg_partition_tree(to_regclass(w.relation)) AS t) AS part(oid)
        JOIN pg_class AS c ON c.oid = part.oid AND c.relkind IN ('r', 'm')
        LEFT JOIN pg_tablespace AS named ON named.spcname = w.tablespace
    ), needed AS (
        SELECT tablespace, bytes FROM written
        UNION ALL
        SELECT of_files, sorted FROM written CROSS JOIN place WHERE sorted > memory
    )
    SELECT t.spcname::text AS tablespace, sum(n.bytes)::int8 AS bytes,
           coalesce(nullif(pg_tablespace_location(t.oid), ''),
                    (SELECT setting FROM pg_settings WHERE name = 'data_directory')) AS folder
    FROM needed AS n JOIN pg_tablespace AS t ON t.oid = n.tablespace
    WHERE inet_server_addr() IS NULL OR inet_server_addr() <<= '127.0.0.0/8'
          OR inet_server_addr() = '::1'
    GROUP BY t.oid, t.spcname ORDER BY t.spcname"""


@dataclass
class _Disk:
    """A file system, with what may be written to it."""

    free: int
    needed: int = 0
    places: list[str] = field(default_factory=list[str])


def space(plan: Plan, connection: Connection) -> Iterator[str]:
    """Yield a message for each file system that may be too small, if the server runs here."""
    entries = sorted({*_disk_use(plan)})
    if not entries:
        return
    values: dict[str, object] = {
        key: [entry[n] for entry in entries]
        for n, key in enumerate(("relations", "purposes", "tablespaces"))
    }
    disks: dict[int, _Disk] = {}
    for row in rows(connection, _NEEDED, values):
        folder = Path(row["folder"] or "/nowhere")
        device = _device(folder)
        if device is not None:
            disk = disks.setdefault(device, _Disk(shutil.disk_usage(folder).free))
            disk.needed += row["bytes"]
            disk.places.append(f"tablespace {row['tablespace']} ({folder})")
    for disk in disks.values():
        if disk.needed > disk.free:
            yield (
                f"up to {disk.needed:,} bytes may be written to the disk of"
                f" {' and '.join(disk.places)}, with {disk.free:,} left"
            )


def _disk_use(plan: Plan) -> Iterator[tuple[str, str, str]]:
    """Yield relation, purpose and declared tablespace, "" if none, of what is written."""
    declared = {(c.kind, c.identity): (c.after or {}).get("tablespace") for c in plan.changes}
    for step in plan.steps:
        for relation in spellings(step.relation, step.schema_name) if step.relation else ():
            for purpose in _purposes(step):
                place = "" if purpose == BACKFILL else declared.get((step.kind, step.identity))
                yield relation, purpose, place or ""


def _purposes(step: Step) -> Iterable[str]:
    if step.builds_index:
        yield INDEX
    if any(h.hazard is HazardKind.TABLE_REWRITE for h in step.hazards):
        yield REWRITE
    if step.fill is not None and step.fill.value is not None:
        yield BACKFILL


def _device(folder: Path) -> int | None:
    """Return the file system of a folder; None without a folder, or the right to look at it."""
    try:
        return folder.stat().st_dev if folder.is_dir() else None
    except OSError:
        return None
