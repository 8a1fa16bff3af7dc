"""Find noteworthy changes in the statistics after a run; docs/monitor.md lists the limits."""

from __future__ import annotations

from collections.abc import Iterator
from math import sqrt

from reconciler.counted import counted
from reconciler.monitor.observed import Observed, Times, duration
from reconciler.monitor.query_text import is_shown, normalised
from reconciler.monitor.result import Figure, Finding
from reconciler.monitor.statistics import DatabaseStatistics, IndexStatistics, TableStatistics

MIN_READS = 100  # of a table, until an index of it counts as unused
MIN_CALLS = 20  # of a statement, before and since
SLOWER = 1.5  # times the mean before, …
SLOWER_MS = 0.1  # … and so many milliseconds more, …
DEVIATIONS = 3.0  # … and so many standard errors
SHOWN_STATEMENTS = 10
SHOWN_TEXT = 160  # characters
MIN_BYTES = 10 << 20  # of bloat, or of dead rows
BLOAT = 0.2  # part of the relation
DEAD = 0.5  # dead rows to live ones
MIN_SCANS = 10  # sequential ones
BIG = 10_000  # rows of a sequential scan that count
MORE = 2.0  # times as much as before
MIN_TRANSACTIONS = 1000  # since the run, until a part of them says something
MIN_ROLLBACKS, ROLLED_BACK = 100, 0.01
LONG_WAIT = 10.0  # seconds


def findings(observed: Observed) -> Iterator[Finding]:
    """Yield the findings beside the promises."""
    for index in observed.now.indexes:
        yield from _index(observed, index)
        yield from _bloat(observed, index)
    for table in observed.now.tables:
        yield from _bloat(observed, table)
        yield from _dead_rows(observed, table)
        yield from _sequential_scans(observed, table)
    yield from _slower(observed)
    yield from _errors(observed)
    yield from _locks(observed)


def figures(observed: Observed) -> Iterator[Figure]:
    """Yield the figures of the touched tables, their indexes, and the database."""
    for index in observed.now.indexes:
        subject = f"index {index.identity}"
        yield Figure("index_scans", subject, observed.index_since(index))
        yield Figure("bloat_bytes", subject, bloat(observed, index))
    for table in observed.now.tables:
        subject, since = f"table {table.identity}", observed.table_since(table)
        yield Figure("sequential_scans", subject, since.scans if since else None)
        yield Figure("rows_per_read", subject, rows_per_read(since), _before(observed, table))
        yield Figure("bloat_bytes", subject, bloat(observed, table))
        then = observed.after and observed.after.statistics.table_by_oid.get(table.oid)
        dead = None if observed.now.standby else table.dead
        yield Figure("dead_rows", subject, dead, then.dead if then else None)
    since = observed.database_since()
    before = observed.before.statistics.database if observed.before else None
    yield Figure("rolled_back_ratio", "", _rolled_back(since), _rolled_back(before))
    yield Figure("deadlocks", "", since.deadlocks if since else None)
    if observed.now.standby and observed.now.database:
        yield Figure("conflicts", "", observed.now.database.conflicts)
    yield Figure("sessions_waiting", "", observed.present.waits)
    waits = [w.seconds or 0.0 for w in observed.present.waiting]
    yield Figure("longest_wait_seconds", "", max(waits, default=0.0))


def slower(observed: Observed) -> list[tuple[str, Times, Times]]:
    """List slower statements, with the times before and since, the worst first."""
    found: list[tuple[float, str, Times, Times]] = []
    for statement in observed.now.statement_by_id:
        before = observed.times_before([statement])
        since = observed.times_since([statement])
        if before is None or since is None or not _is_slower(before, since):
            continue
        shown = normalised(observed.present.texts.get(statement, ""))
        if is_shown(shown):
            lost = (since.mean - before.mean) * since.calls
            found.append((lost, shown, before, since))
    found.sort(key=lambda each: -each[0])
    return [(shown, before, since) for _, shown, before, since in found[:SHOWN_STATEMENTS]]


def bloat(observed: Observed, relation: TableStatistics | IndexStatistics) -> float | None:
    """Estimate the bytes beyond the relation's size, or the size of the rows, after the run."""
    if observed.after is None or relation.rows is None:
        return None
    then: TableStatistics | IndexStatistics | None
    if isinstance(relation, TableStatistics):
        then = observed.after.statistics.table_by_oid.get(relation.oid)
    else:
        then = observed.after.statistics.index_by_oid.get(relation.oid)
    if then is None or not then.rows:
        return None
    needed = max(float(then.pages), relation.rows * then.pages / then.rows)
    return max(relation.pages - needed, 0.0) * observed.now.block


def rows_per_read(table: TableStatistics | None) -> float | None:
    """Return the rows read by sequential scans for each read of a table."""
    return table.scanned / table.reads if table and table.reads else None


def _before(observed: Observed, table: TableStatistics) -> float | None:
    then = observed.before and observed.before.statistics.table_by_oid.get(table.oid)
    return rows_per_read(then) if then and then.reads >= MIN_READS else None


def _index(observed: Observed, index: IndexStatistics) -> Iterator[Finding]:
    """Find an invalid index, or an older index without use since the run."""
    subject = f"index {index.identity}"
    if not index.valid:
        yield Finding(
            "invalid-index",
            subject,
            "it is invalid: a build of it has failed, or is not finished",
            f"REINDEX INDEX CONCURRENTLY {index.sql_name};",
        )
    elif not (index.enforces or observed.is_new(index) or not_unused(observed, index)):
        online = "" if index.partitioned else "CONCURRENTLY "
        yield Finding(
            "unused-index",
            subject,
            f"nobody has used it in {duration(observed.seconds or 0)} since the run, and it costs"
            " with every write, unless a standby uses it: look there, too",
            f"DROP INDEX {online}{index.sql_name};",
        )


def not_unused(observed: Observed, index: IndexStatistics) -> str:
    """Return "" for an index without use since the run, else the reason against saying so."""
    scans = observed.index_since(index)
    if scans:
        return f"used {scans:,} time{'s' if scans != 1 else ''}"
    table = observed.now.table_by_oid.get(index.table)
    since = observed.table_since(table) if table else None
    if observed.incomparable or scans is None or since is None:
        return observed.incomparable or "its counters at the end of the run are not known"
    if observed.too_young:
        return observed.too_young
    if since.reads < MIN_READS:
        times = f"{since.reads} time{'s' if since.reads != 1 else ''}"
        return f"its table was read {times}; at least {MIN_READS} reads are needed to tell"
    return ""


def _bloat(observed: Observed, relation: TableStatistics | IndexStatistics) -> Iterator[Finding]:
    excess = bloat(observed, relation) or 0.0
    size = relation.pages * observed.now.block
    if excess < MIN_BYTES or excess < BLOAT * size:
        return
    subject, fix = f"table {relation.identity}", ""
    if isinstance(relation, IndexStatistics):
        subject = f"index {relation.identity}"
        fix = f"REINDEX INDEX CONCURRENTLY {relation.sql_name};"
    yield Finding(
        "bloat",
        subject,
        f"about {_bytes(excess)} of its {_bytes(size)} are more than its rows took at the end of"
        " the run: an estimate from the statistics of the last VACUUM or ANALYZE, which counts"
        " longer rows as bloat",
        fix,
    )


def _dead_rows(observed: Observed, table: TableStatistics) -> Iterator[Finding]:
    if observed.now.standby or not table.rows:
        return
    size = table.dead * table.pages * observed.now.block / table.rows
    if table.dead >= DEAD * table.live and size >= MIN_BYTES:
        yield Finding(
            "dead-rows",
            f"table {table.identity}",
            f"{table.dead:,} dead rows beside {table.live:,} live ones: autovacuum does not keep"
            " up, or an old transaction holds it back",
            f"VACUUM (ANALYZE) {table.sql_name};",
        )


def _sequential_scans(observed: Observed, table: TableStatistics) -> Iterator[Finding]:
    since, before = observed.table_since(table), _before(observed, table)
    rate = rows_per_read(since)
    if since is None or before is None or rate is None or since.scans < MIN_SCANS:
        return
    if since.scanned >= BIG * since.scans and rate >= MORE * before:
        yield Finding(
            "sequential-scans",
            f"table {table.identity}",
            f"{counted(since.scans, 'sequential scan')} since the run read"
            f" {counted(since.scanned, 'row')}: {rate:,.0f} for each read of the table,"
            f" before {before:,.0f}",
        )


def _is_slower(before: Times, since: Times) -> bool:
    if before.calls < MIN_CALLS or since.calls < MIN_CALLS:
        return False
    error = sqrt(before.squares / before.calls / before.calls + since.squares / since.calls**2)
    more = since.mean - before.mean
    return since.mean >= SLOWER * before.mean and more >= max(SLOWER_MS, DEVIATIONS * error)


def _slower(observed: Observed) -> Iterator[Finding]:
    for shown, before, since in slower(observed):
        yield Finding(
            "slower",
            f"query {shown if len(shown) <= SHOWN_TEXT else shown[:SHOWN_TEXT] + '…'}",
            f"{since.mean:,.2f} ms on average in {since.calls:,} executions since the run, before"
            f" {before.mean:,.2f} ms in {before.calls:,}",
        )


def _rolled_back(database: DatabaseStatistics | None) -> float | None:
    if database is None:
        return None
    every = database.commits + database.rollbacks
    return database.rollbacks / every if every else None


def _errors(observed: Observed) -> Iterator[Finding]:
    since = observed.database_since()
    before = observed.before.statistics.database if observed.before else None
    if since is None or before is None:
        return
    count = since.commits + since.rollbacks
    ratio, usual = _rolled_back(since) or 0.0, _rolled_back(before) or 0.0
    many = count >= MIN_TRANSACTIONS and since.rollbacks >= MIN_ROLLBACKS
    if many and ratio >= max(ROLLED_BACK, MORE * usual):
        yield Finding(
            "errors",
            "database",
            f"{ratio:.1%} of {count:,} transactions since the run were"
            f" rolled back, before {usual:.1%}",
        )
    every = before.commits + before.rollbacks
    expected = before.deadlocks / every * count if every else 0.0
    if since.deadlocks > MORE * expected:
        number = f"{since.deadlocks:,} deadlock{'s' if since.deadlocks != 1 else ''}"
        yield Finding(
            "errors",
            "database",
            f"{number} since the run; at the rate before it, {expected:,.1f} would be usual",
        )


def _locks(observed: Observed) -> Iterator[Finding]:
    for waiting in observed.present.waiting:
        if waiting.seconds is not None and waiting.seconds >= LONG_WAIT:
            on = f" on {waiting.relation}" if waiting.relation else ""
            by = ", ".join(map(str, waiting.blockers)) or "unknown"
            yield Finding(
                "locks",
                f"session {waiting.pid}",
                f"it has waited for {duration(waiting.seconds)} for a lock{on}; in the way: {by}",
            )


def _bytes(size: float) -> str:
    return f"{size / (1 << 30):.1f} GB" if size >= 1 << 30 else f"{size / (1 << 20):.0f} MB"
