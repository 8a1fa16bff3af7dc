"""Measure changes of a table under load: `python -m tests.online [--rows N] [--target URL]`.

Each change is made twice under the same load: by `reconcile`, and by hand as people write it. The
table shows how long the change took, how long the application's statements took meanwhile (p50,
p99, the longest), and how many of them failed. The application counts its writes, so that lost or
changed rows are found. For a change by `reconcile` the table also shows the most dead rows, the
growth of the table and the memory of this process.

`--only backfill --rows 10000000 --tidy` makes only that change, and not by hand. `--conversations
SCALE` applies the plan of examples/conversations instead (100.04: 200,000 conversations and 600,000
messages).
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import reduce
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Event
from pathlib import Path
from threading import Thread
from typing import Any, Protocol, cast

import psycopg

from reconciler import pipeline
from reconciler.declare.load import load
from reconciler.model.state import Scope
from reconciler.pipeline import Job
from reconciler.report.progress import Lines
from reconciler.server.connection import Connection, connect
from reconciler.server.kept import start_embedded
from reconciler.server.locks import LockPolicy
from tests.conftest import as_application
from tests.yaml_text import as_yaml

WRITERS, READERS, THINK = (
    8,
    4,
    0.005,
)  # sessions, and the seconds between two statements of a session
ACCOUNTS = 1000
AT_WORK = (
    "SELECT count(*) AS n FROM pg_stat_activity WHERE application_name = 'application' AND "
    "datname = current_database()"
)
READS = (
    "SELECT id, account_id, counter FROM shop.event WHERE id = %s",
    "SELECT id, account_id, counter FROM shop.busy WHERE id = %s",
)
SETUP = """
    CREATE SCHEMA shop;
    CREATE TABLE shop.account (id int PRIMARY KEY, region text NOT NULL);
    CREATE TABLE shop.event (
        id bigint PRIMARY KEY, account_id int NOT NULL, kind text NOT NULL, external_id bigint NOT
            NULL, counter int NOT NULL DEFAULT 0,
        region text, created_at timestamptz NOT NULL DEFAULT now());
    INSERT INTO shop.account SELECT g, 'region ' || g % 7 FROM generate_series(0, {accounts} - 1)
        AS g;
    INSERT INTO shop.event (id, account_id, kind, external_id)
        SELECT g, g % {accounts}, 'kind ' || g % 20, g FROM generate_series(1, {rows}) AS g;
    CREATE INDEX event_kind ON shop.event (kind);
    CREATE VIEW shop.busy AS SELECT e.id, e.account_id, e.counter FROM shop.event AS e WHERE
        e.counter > 0;
    ALTER TABLE shop.event ENABLE ROW LEVEL SECURITY;
    CREATE POLICY visible ON shop.event USING (account_id < {accounts});
    DO $$ BEGIN CREATE ROLE application;
    EXCEPTION WHEN duplicate_object OR unique_violation THEN END $$;
    GRANT USAGE ON SCHEMA shop TO application;
    GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA shop TO application;
    ANALYZE shop.account, shop.event;"""


@dataclass(frozen=True)
class Change:
    """A declared change of shop.event or shop.busy, the same change by hand, and its reversal."""

    name: str
    declared: dict[str, Any]
    by_hand: Sequence[str]
    reversal: str


def _event(**parts: Any) -> dict[str, Any]:
    return {"schema": "shop", "tables": {"event": parts}}


REGION = "(SELECT a.region FROM shop.account AS a WHERE a.id = event.account_id)"
BUSY = "SELECT e.id, e.account_id, e.counter, e.kind FROM shop.event AS e WHERE e.counter > 0"
VISIBLE = f"account_id < (SELECT {ACCOUNTS})"
CHANGES = (
    Change(
        "index",
        _event(indexes={"event_account": {"on": ["account_id", "created_at"]}}),
        ["CREATE INDEX event_account ON shop.event (account_id, created_at)"],
        "DROP INDEX shop.event_account",
    ),
    Change(
        "index replaced",
        _event(indexes={"event_kind": {"on": ["kind", "created_at"]}}),
        ["DROP INDEX shop.event_kind", "CREATE INDEX event_kind ON shop.event (kind, created_at)"],
        "DROP INDEX shop.event_kind; CREATE INDEX event_kind ON shop.event (kind)",
    ),
    Change(
        "foreign key",
        _event(
            constraints={
                "event_account_fk": {
                    "foreign_key": ["account_id"],
                    "references": "shop.account(id)",
                }
            }
        ),
        [
            (
                "ALTER TABLE shop.event ADD CONSTRAINT event_account_fk FOREIGN KEY (account_id) "
                "REFERENCES shop.account (id)"
            )
        ],
        "ALTER TABLE shop.event DROP CONSTRAINT event_account_fk",
    ),
    Change(
        "check",
        _event(constraints={"counted": {"check": "counter >= 0"}}),
        ["ALTER TABLE shop.event ADD CONSTRAINT counted CHECK (counter >= 0)"],
        "ALTER TABLE shop.event DROP CONSTRAINT counted",
    ),
    Change(
        "unique",
        _event(constraints={"event_external": {"unique": ["external_id"]}}),
        ["ALTER TABLE shop.event ADD CONSTRAINT event_external UNIQUE (external_id)"],
        "ALTER TABLE shop.event DROP CONSTRAINT event_external",
    ),
    Change(
        "backfill, not null",
        _event(
            columns={"region": {"type": "text", "not_null": True, "backfill": {"value": REGION}}}
        ),
        [
            f"UPDATE shop.event SET region = {REGION} WHERE region IS NULL",
            "ALTER TABLE shop.event ALTER COLUMN region SET NOT NULL",
        ],
        "ALTER TABLE shop.event ALTER COLUMN region DROP NOT NULL; "
        "ALTER TABLE shop.event DROP COLUMN region;"
        "ALTER TABLE shop.event ADD COLUMN region text",
    ),
    Change(
        "policy",
        _event(policies={"visible": {"using": VISIBLE}}),
        [
            "DROP POLICY visible ON shop.event",
            f"CREATE POLICY visible ON shop.event USING ({VISIBLE})",
        ],
        f"ALTER POLICY visible ON shop.event USING (account_id < {ACCOUNTS})",
    ),
    Change(
        "view",
        {"schema": "shop", "views": {"busy": {"query": BUSY}}},
        [
            "DROP VIEW shop.busy",
            f"CREATE VIEW shop.busy AS {BUSY}",
            "GRANT SELECT ON shop.busy TO application",
        ],
        "DROP VIEW shop.busy; CREATE VIEW shop.busy AS SELECT e.id, e.account_id, e.counter FROM "
        "shop.event AS e WHERE e.counter > 0;"
        "GRANT SELECT ON shop.busy TO application",
    ),
    Change(
        "type",
        _event(columns={"counter": {"type": "bigint", "retype": "online"}}),
        [
            "DROP VIEW shop.busy",
            "ALTER TABLE shop.event ALTER COLUMN counter TYPE bigint",
            (
                "CREATE VIEW shop.busy AS SELECT e.id, e.account_id, e.counter FROM shop.event "
                "AS e "
                "WHERE e.counter > 0"
            ),
            "GRANT SELECT ON shop.busy TO application",
        ],
        "DROP VIEW shop.busy; ALTER TABLE shop.event ALTER COLUMN counter TYPE int;"
        "CREATE VIEW shop.busy AS SELECT e.id, e.account_id, e.counter FROM shop.event AS e "
        "WHERE e.counter > 0;"
        "GRANT SELECT ON shop.busy TO application",
    ),
    Change(
        "volatile default",
        _event(
            columns={"token": {"type": "uuid", "not_null": True, "default": "gen_random_uuid()"}}
        ),
        ["ALTER TABLE shop.event ADD COLUMN token uuid NOT NULL DEFAULT gen_random_uuid()"],
        "ALTER TABLE shop.event DROP COLUMN token",
    ),
)


@dataclass
class LoadStatistics:
    """Statistics of sessions: seconds of each statement, errors, and the number of writes."""

    seconds: list[float] = field(default_factory=list[float])
    errors: list[str] = field(default_factory=list[str])
    counted: int = 0
    inserted: int = 0

    def plus(self, other: LoadStatistics) -> LoadStatistics:
        """Return the statistics of both."""
        counted, inserted = self.counted + other.counted, self.inserted + other.inserted
        return LoadStatistics(
            self.seconds + other.seconds, self.errors + other.errors, counted, inserted
        )

    def summary(self) -> str:
        """Return p50, p99 and the longest in milliseconds, and the number of failures."""
        if len(self.seconds) < 2:
            return "-"
        cuts = statistics.quantiles(self.seconds, n=100)
        p50, p99, longest = (s * 1000 for s in (cuts[49], cuts[98], max(self.seconds)))
        return f"{p50:8.1f} {p99:8.1f} {longest:9.1f} {len(self.errors):7}"


Statement = tuple[str, Sequence[object]]


class Client(Protocol):
    """The statements of one session; those that begin with INSERT or UPDATE count as writes."""

    def session_setup(self, number: int) -> Sequence[str]: ...
    def next_statement(self, number: int, dice: random.Random) -> Statement: ...


@dataclass(frozen=True)
class Shop:
    """Sessions that update, insert and read events.

    A writer updates only ids that equal its number modulo WRITERS.
    """

    rows: int

    def session_setup(self, number: int) -> Sequence[str]:
        return ["SET ROLE application"]

    def next_statement(self, number: int, dice: random.Random) -> Statement:
        one = dice.randrange(1, self.rows + 1)
        if number >= WRITERS:
            sql = dice.choice(READS)
        elif dice.random() < 0.2:
            one = dice.randrange(10_000_000_000, 1 << 62)
            sql = (
                "INSERT INTO shop.event (id, account_id, kind, external_id, region) VALUES "
                "(%s, 1, 'new', %s, 'somewhere')"
            )
        else:
            one = max(one - one % WRITERS + number, 1)
            sql = "UPDATE shop.event SET counter = counter + 1 WHERE id = %s"
        return sql, [one] * sql.count("%s")


def session(url: str, number: int, client: Client, seen: LoadStatistics, stop: Event) -> None:
    """Run one session of the application."""
    dice = random.Random(time.time_ns() + number)  # noqa: S311 - not a secret
    # Prepared statements fail when a change gives their result another type, however it is made.
    with psycopg.connect(
        url, autocommit=True, application_name="application", prepare_threshold=None
    ) as connection:
        for sql in client.session_setup(number):
            connection.execute(sql.encode())
        while not stop.is_set():
            sql, values = client.next_statement(number, dice)
            began = time.perf_counter()
            try:
                done = connection.execute(sql.encode(), values)
                seen.counted += done.rowcount if sql.startswith("UPDATE") else 0
                seen.inserted += done.rowcount if sql.startswith("INSERT") else 0
            except psycopg.Error as e:
                seen.errors.append(str(e))
            seen.seconds.append(time.perf_counter() - began)
            time.sleep(THINK)


def application(url: str, client: Client, stop: Event, results: Queue[LoadStatistics]) -> None:
    """Run all sessions; this is the main function of a separate process."""
    each = [LoadStatistics() for _ in range(WRITERS + READERS)]
    threads = [
        Thread(target=session, args=(url, number, client, seen, stop))
        for number, seen in enumerate(each)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    results.put(reduce(LoadStatistics.plus, each))


@contextmanager
def load_on(url: str, client: Client) -> Generator[list[LoadStatistics]]:
    """Run the application in the block; append its statistics to the list at the end."""
    context, found = multiprocessing.get_context("spawn"), list[LoadStatistics]()
    stop, results = context.Event(), cast("Queue[LoadStatistics]", context.Queue())
    running = context.Process(target=application, args=(url, client, stop, results), daemon=True)
    running.start()
    with connect(url) as connection:  # wait for all sessions
        while connection.execute(AT_WORK).fetchall()[0]["n"] < WRITERS + READERS:
            time.sleep(0.05)
    try:
        yield found
    finally:
        stop.set()
        found.append(results.get(timeout=60))
        running.join(10)


@dataclass
class Weight:
    """Measurements of a change: dead rows, bytes of the relation, bytes of this process."""

    relation: str
    dead: int = 0
    size: list[int] = field(default_factory=list[int])
    memory: list[int] = field(default_factory=list[int])

    def measure(self, connection: Connection) -> None:
        """Take one measurement."""
        row = connection.execute(
            (
                "SELECT n_dead_tup AS dead, pg_total_relation_size(relid) AS size FROM "
                "pg_stat_user_tables WHERE relid = %s::regclass"
            ),
            [self.relation],
        ).fetchall()[0]
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        self.dead = max(self.dead, row["dead"])
        self.size.append(row["size"])
        self.memory.append(pages * os.sysconf("SC_PAGE_SIZE"))

    def summary(self) -> str:
        """Return a sentence about the measurements."""
        mega = [
            f"{n / 1e6:,.0f}"
            for n in (self.size[0], max(self.size), self.memory[0], max(self.memory))
        ]
        return (
            f"at most {self.dead:,} dead rows; {self.relation} {mega[0]} to {mega[1]} MB; "
            f"our memory {mega[2]} to {mega[3]} MB"
        )


def weighed(url: str, weight: Weight, work: Callable[[], None]) -> Callable[[], None]:
    """Return a function that does the work and measures every half second."""

    def measure(stop: threading.Event) -> None:
        with connect(url) as connection:
            weight.measure(connection)
            while not stop.wait(0.5):
                weight.measure(connection)

    def measured_work() -> None:
        stop = threading.Event()
        thread = Thread(target=measure, args=(stop,))
        thread.start()
        try:
            work()
        finally:
            stop.set()
            thread.join()

    return measured_work


def reconciled(url: str, change: Change, folder: Path) -> Callable[[], None]:
    """Plan the change; return a function that runs it as `reconcile apply --allow all` does."""
    file = folder / "state.yml"
    file.write_text(as_yaml(change.declared))
    job = Job(url, load(file), Scope(frozenset({"shop"})))
    plan = pipeline.plan_changes(job)

    def apply() -> None:
        outcome = pipeline.apply_plan(plan, job, url, Lines(lambda _: None), LockPolicy(), ())
        assert (outcome.failed, outcome.skipped, outcome.left) == (0, 0, ()), outcome

    return apply


def by_hand(url: str, change: Change) -> Callable[[], None]:
    """Return a function that runs the statements of the change by hand."""

    def run() -> None:
        with as_application(url) as connection:
            for statement in change.by_hand:
                connection.execute(statement.encode())

    return run


def measured(
    url: str, client: Client, work: Callable[[], None], sums: Callable[[str], tuple[int, int]]
) -> tuple[float, LoadStatistics]:
    """Do the work under load; return its seconds and the application's statistics.

    Raises AssertionError if a row was lost or changed.
    """
    before = sums(url)
    with load_on(url, client) as found:
        time.sleep(0.5)
        began = time.perf_counter()
        work()
        took = time.perf_counter() - began
        time.sleep(0.5)
    (seen,), (count, counters) = found, sums(url)
    assert (count - before[0], counters - before[1]) == (seen.inserted, seen.counted), (
        "rows were lost or changed"
    )
    return took, seen


def _sums(url: str) -> tuple[int, int]:
    with connect(url) as connection:
        row = connection.execute(
            "SELECT count(*) AS n, sum(counter) AS counters FROM shop.event"
        ).fetchall()[0]
    return row["n"], row["counters"]


def compared(
    url: str, rows: int, change: Change, *, naive: bool = True, weight: Weight | None = None
) -> Generator[tuple[str, float, LoadStatistics]]:
    """Make the change with reconcile and by hand, each under load, and reverse it.

    The first run is measured by `weight`.
    """
    with tempfile.TemporaryDirectory() as folder:
        work = reconciled(url, change, Path(folder))
        yield (
            "reconcile",
            *measured(url, Shop(rows), weighed(url, weight, work) if weight else work, _sums),
        )
    _reverse(url, change)
    if naive:
        yield ("by hand", *measured(url, Shop(rows), by_hand(url, change), _sums))
        _reverse(url, change)


def _reverse(url: str, change: Change) -> None:
    with as_application(url) as connection:
        for statement in change.reversal.split(";"):
            connection.execute(statement.encode())


def prepare(url: str, rows: int) -> None:
    """Create the tables of the starting point."""
    with as_application(url) as connection:
        connection.execute("DROP SCHEMA IF EXISTS shop CASCADE")
        connection.execute(SETUP.format(rows=rows, accounts=ACCOUNTS).encode())
        connection.execute("VACUUM ANALYZE shop.event")


def row(name: str, who: str, took: float, seen: LoadStatistics) -> None:
    """Print one line, and the errors of failed statements."""
    print(f"{name:20} {who:10} {took:8.1f} {seen.summary()}", flush=True)
    for error in sorted({e.splitlines()[0] for e in seen.errors})[:2]:
        print(f"{'':31} {error}")


def own_server() -> str:
    """Start an embedded server with ordinary durability and autovacuum; return its URL."""
    server = start_embedded("online")
    with connect(server.url) as connection:
        asked = (
            "SELECT string_agg(name || ' ' || setting, ', ' ORDER BY name) AS it FROM "
            "pg_settings WHERE name = ANY(%s)"
        )
        settings_row = connection.execute(
            asked,
            [["autovacuum", "fsync", "full_page_writes", "shared_buffers", "synchronous_commit"]],
        )
        print(settings_row.fetchall()[0]["it"])
    return server.database("online")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument(
        "--target", default="", help="a database for the tables; default: one on an embedded server"
    )
    parser.add_argument("--only", default="", help="only changes with this text in their name")
    parser.add_argument("--tidy", action="store_true", help="skip the changes by hand")
    parser.add_argument(
        "--conversations",
        type=float,
        metavar="SCALE",
        help="the plan of examples/conversations instead",
    )
    arguments = parser.parse_args()
    url = arguments.target or own_server()
    print(
        f"{WRITERS} writers and {READERS} readers, each resting {THINK * 1000:.0f} ms between "
        "statements"
    )
    head = (
        f"{'change':20} {'made by':10} {'seconds':>8} {'p50 ms':>8} {'p99 ms':>8} "
        f"{'longest':>9} {'failed':>7}"
    )
    if arguments.conversations:
        from tests import conversations  # noqa: PLC0415 - imports this module

        conversations.prepare(url, arguments.conversations)
        print(head)
        row("none", "", *conversations.idle(url, 10))
        weight = Weight("public.messages")
        row("whole plan", "reconcile", *conversations.applied(url, weight))
        print(weight.summary())
        return
    prepare(url, arguments.rows)
    print(f"{arguments.rows:,} rows\n{head}")
    row("none", "", *measured(url, Shop(arguments.rows), lambda: time.sleep(5), _sums))
    for change in (c for c in CHANGES if arguments.only in c.name):
        weight = Weight("shop.event")
        for who, took, seen in compared(
            url, arguments.rows, change, naive=not arguments.tidy, weight=weight
        ):
            row(change.name, who, took, seen)
            if who == "reconcile":
                print(f"{'':31} {weight.summary()}", flush=True)


if __name__ == "__main__":
    main()
