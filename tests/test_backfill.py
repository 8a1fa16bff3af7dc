"""Test backfills: batches along a key, locked rows, concurrent writers, kills and resumption."""

from __future__ import annotations

import contextlib
import itertools
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager

import psycopg
import pytest

from reconciler.apply.backfill import Progress, fill, refusals
from reconciler.apply.backfill.batch import Batch, Done
from reconciler.apply.backfill.lag import Lag
from reconciler.apply.backfill.parts import Key, Part, parts_of
from reconciler.errors import StatementFailed
from reconciler.model.statement import Fill, ThrottleSettings
from reconciler.server.connection import Connection, connect, run_sql
from tests.conftest import Database

TABLE = (
    "CREATE TABLE public.t (id int PRIMARY KEY, n int); "
    "INSERT INTO public.t SELECT g FROM generate_series(1, {0}) AS g;"
)
ROWS = 30_000
FILL = Fill(relation="public.t", column="n", value="(t.id * 2)")
LOCKED = "55P03"
JOURNAL = "CREATE SCHEMA reconcile;"


class Killed(Exception):
    """Stands for a kill in the middle of a fill."""


@contextmanager
def connected(database: Database) -> Generator[Connection]:
    with connect(database.url) as connection:
        run_sql(connection, "SELECT set_config('search_path', '', false)")
        run_sql(connection, "SELECT set_config('lock_timeout', '100ms', false)")
        yield connection


def without_retry(work: Callable[[], Done]) -> Done:
    return work()


def retry_on_lock(work: Callable[[], Done]) -> Done:
    while True:
        try:
            return work()
        except StatementFailed as e:
            if e.sqlstate != LOCKED:
                raise


def ignore_progress(_: Progress) -> None:
    pass


def filled(database: Database, spec: Fill = FILL, *, journal: str | None = None) -> int:
    with connected(database) as connection:
        return fill(connection, spec, retry_on_lock, ignore_progress, journal=journal)


def test_rows_that_have_a_value_are_never_touched(database: Database) -> None:
    database.run(TABLE.format(ROWS))
    database.run(
        "UPDATE t SET n = -1 WHERE id % 3 = 0; CREATE TABLE seen AS SELECT id, xmin::text AS x "
        "FROM t WHERE n IS NOT NULL"
    )
    assert filled(database) == ROWS - ROWS // 3
    assert database.value("SELECT count(*) FROM t WHERE n = id * 2") == ROWS - ROWS // 3
    assert (
        database.value(
            "SELECT count(*) FROM t JOIN seen USING (id) WHERE t.xmin::text = x AND n = -1"
        )
        == ROWS // 3
    )


KEYS = {
    "composite": 'CREATE TABLE public.t (a text COLLATE "C", id int, n int, PRIMARY KEY (a, id));'
    "INSERT INTO public.t SELECT 'x' || g % 7, g FROM generate_series(1, 30000) AS g",
    "unique": "CREATE TABLE public.t (id bigint NOT NULL UNIQUE, n int);"
    "INSERT INTO public.t SELECT g FROM generate_series(30000, 1, -1) AS g",
    "none": (
        "CREATE TABLE public.t (id int, n int); INSERT INTO public.t SELECT g FROM "
        "generate_series(1, 30000) AS g"
    ),
    "of a quoted type": "CREATE TYPE public.\"Colour\" AS ENUM ('red', 'blue');"
    'CREATE TABLE public.t (c public."Colour", "Id" uuid DEFAULT gen_random_uuid(), id int, n '
    'int, PRIMARY KEY (c, "Id"));'
    "INSERT INTO public.t (c, id) SELECT 'red', g FROM generate_series(1, 30000) AS g",
    "of partitions": "CREATE TABLE public.t (id int, n int) PARTITION BY RANGE (id);"
    "CREATE TABLE public.t1 PARTITION OF public.t FOR VALUES FROM (0) TO (10000) PARTITION BY "
    "LIST (id);"
    "CREATE TABLE public.t1d PARTITION OF public.t1 DEFAULT;"
    "CREATE TABLE public.t2 (n int, id int PRIMARY KEY);"
    "ALTER TABLE public.t ATTACH PARTITION public.t2 FOR VALUES FROM (10000) TO (40000);"
    "INSERT INTO public.t SELECT g FROM generate_series(1, 30000) AS g",
    "of child tables": "CREATE TABLE public.t (id int PRIMARY KEY, n int); "
    "CREATE TABLE public.u (extra text) INHERITS (public.t);"
    "INSERT INTO public.t SELECT g FROM generate_series(1, 10000) AS g;"
    "INSERT INTO public.u SELECT g FROM generate_series(10001, 30000) AS g",
}


@pytest.mark.parametrize("key", KEYS)
def test_every_row_is_filled_with_any_key(
    key: str, each_major: int, new_database: Callable[..., Database]
) -> None:
    database = new_database(KEYS[key], each_major)
    batches = itertools.count()

    def counted(work: Callable[[], Done]) -> Done:
        next(batches)
        return work()

    with connected(database) as connection:
        assert (
            fill(
                connection,
                FILL.model_copy(update={"throttle": ThrottleSettings(rows=1000)}),
                counted,
                ignore_progress,
            )
            == 30_000
        )
    assert database.value("SELECT count(*) FROM t WHERE n = id * 2") == 30_000
    assert next(batches) >= 30


UNFIT = {
    "partial": (
        "CREATE TABLE public.t (id int NOT NULL, n int); "
        "CREATE UNIQUE INDEX ON public.t (id) WHERE id > 5"
    ),
    "descending": (
        "CREATE TABLE public.t (id int NOT NULL, n int); CREATE UNIQUE INDEX ON public.t (id DESC)"
    ),
    "nullable": "CREATE TABLE public.t (id int UNIQUE, n int)",
    "another order": (
        "CREATE TABLE public.t (id text NOT NULL, n int); "
        "CREATE UNIQUE INDEX ON public.t (id text_pattern_ops)"
    ),
    "another collation": (
        'CREATE TABLE public.t (id text COLLATE "C" NOT NULL, n int);CREATE '
        'UNIQUE INDEX ON public.t (id COLLATE "POSIX")'
    ),
    "an expression": (
        "CREATE TABLE public.t (id int NOT NULL, n int); CREATE UNIQUE INDEX ON public.t (abs(id))"
    ),
    "perhaps null": (
        "CREATE TABLE public.t (id int UNIQUE, n int); "
        "ALTER TABLE public.t ADD CONSTRAINT x NOT NULL id NOT VALID"
    ),
}


@pytest.mark.parametrize("why", UNFIT)
def test_unsuitable_indexes_are_not_used_as_key(why: str, database: Database) -> None:
    database.run(UNFIT[why])
    with connected(database) as connection:
        assert [p.key for p in parts_of(connection, FILL)] == [Key()]


def test_a_batch_uses_only_the_index_of_the_key(database: Database) -> None:
    """With a composite key whose first column has few values, the planner misjudges ranges."""
    database.run(
        "CREATE TABLE public.t (tenant int, id int, n int, PRIMARY KEY (tenant, id));"
        "INSERT INTO public.t SELECT g % 3, g FROM generate_series(1, 200000) AS g"
    )
    database.run("VACUUM ANALYZE public.t")
    part = Part("public.t", Key(("tenant", "id"), ("integer", "integer")))
    batch = Batch(FILL, part, "t", ("1", "100000"), 1000, 1000)
    with connected(database) as connection:
        plan = "\n".join(
            str(r["QUERY PLAN"])
            for r in connection.execute(("EXPLAIN (ANALYZE, BUFFERS OFF) " + batch.fill()).encode())
        )
    assert "Index Scan using t_pkey" in plan
    assert "Seq Scan" not in plan
    assert "rows=200000" not in plan


def test_a_table_without_a_key_is_read_by_ctid_range(database: Database) -> None:
    database.run(
        "CREATE TABLE public.t (id int, n int); INSERT INTO public.t SELECT g FROM "
        "generate_series(1, 200000) AS g"
    )
    batch = Batch(FILL, Part("public.t", Key()), "t", ("(300,0)",), 1000, 1000)
    with connected(database) as connection:
        plan = "\n".join(
            str(r["QUERY PLAN"]) for r in connection.execute(("EXPLAIN " + batch.fill()).encode())
        )
    assert "Tid Range Scan" in plan
    assert "Seq Scan" not in plan


def test_a_locked_row_delays_no_other_row(database: Database) -> None:
    """The fill skips the row and returns to it at the end."""
    database.run(TABLE.format(ROWS))
    order: list[int] = []
    suspend = threading.Event()
    with (
        psycopg.connect(database.url) as holder,
        psycopg.connect(database.url, autocommit=True) as other,
    ):
        holder.execute("UPDATE t SET id = id WHERE id = 7")

        def watch(_: Progress) -> None:
            order.append(other.execute("SELECT count(*) FROM t WHERE n IS NULL").fetchall()[0][0])
            if order[-1] == 1 and not suspend.is_set():
                suspend.set()
                threading.Timer(0.5, holder.commit).start()

        with connected(database) as connection:
            assert fill(connection, FILL, retry_on_lock, watch) == ROWS
    assert suspend.is_set()
    assert database.value("SELECT count(*) FROM t WHERE n = id * 2") == ROWS


def test_a_row_updated_by_its_lock_holder_is_filled(database: Database) -> None:
    """The new version of the row has another ctid."""
    database.run(
        "CREATE TABLE public.t (id int, n int, pad text); "
        "INSERT INTO public.t SELECT g FROM generate_series(1, 1000) AS g"
    )
    with psycopg.connect(database.url) as holder, connected(database) as connection:
        holder.execute("UPDATE t SET pad = repeat('x', 1000)")
        threading.Timer(0.5, holder.commit).start()
        assert fill(connection, FILL, retry_on_lock, ignore_progress) == 1000
    assert database.value("SELECT count(*) FROM t WHERE n = id * 2 AND length(pad) = 1000") == 1000


def test_writers_are_neither_delayed_nor_overwritten(database: Database) -> None:
    """Values that are written during the fill stay; rows that are left null are filled."""
    database.run(TABLE.format(ROWS))
    stop, slowest = threading.Event(), [0.0]
    written: set[int] = set()

    def write() -> None:
        with psycopg.connect(database.url, autocommit=True) as application:
            for step in itertools.count(1):
                if stop.is_set():
                    return
                began = time.monotonic()
                row = step * 7919 % ROWS + 1
                application.execute("UPDATE t SET n = -id WHERE id = %s", [row])
                application.execute("INSERT INTO t (id) VALUES (%s)", [-step])
                slowest[0] = max(slowest[0], time.monotonic() - began)
                written.add(row)

    thread = threading.Thread(target=write)
    thread.start()
    with connected(database) as connection:
        fill(
            connection,
            FILL.model_copy(update={"throttle": ThrottleSettings(pause=0.02, rows=500)}),
            retry_on_lock,
            ignore_progress,
        )
        stop.set()
        thread.join()
        fill(connection, FILL, retry_on_lock, ignore_progress)
    assert database.value("SELECT count(*) FROM t WHERE n IS NULL") == 0
    assert len(written) > 50
    kept = database.value("SELECT count(*) FROM t WHERE n = -id AND id > 0")
    assert kept == len(written)
    assert slowest[0] < 1.0


@pytest.mark.parametrize("table", [TABLE, TABLE.replace(" PRIMARY KEY", "")], ids=["key", "no key"])
def test_a_fill_ends_while_rows_keep_coming(table: str, database: Database) -> None:
    """After each batch more rows are inserted than were filled."""
    database.run(table.format(100))
    batches, fresh = itertools.count(1), itertools.count(1000)

    def insert_more(work: Callable[[], Done]) -> Done:
        done = work()
        assert next(batches) < 500, "the fill follows inserted rows for ever"
        database.run(
            f"INSERT INTO t SELECT {next(fresh)} * 1000 + g FROM generate_series(1, 60) AS g"
        )
        return done

    with connected(database) as connection:
        fill(
            connection,
            FILL.model_copy(update={"throttle": ThrottleSettings(rows=50)}),
            insert_more,
            ignore_progress,
        )
    assert database.value("SELECT count(*) FROM t WHERE n IS NULL AND id <= 100") == 0


@pytest.mark.parametrize("table", ["primary key", "none", "of partitions"])
def test_a_killed_run_resumes_from_its_position(table: str, database: Database) -> None:
    database.run(JOURNAL + (KEYS[table] if table in KEYS else TABLE.format(ROWS)))
    batches = itertools.count()

    def stop_after_12(work: Callable[[], Done]) -> Done:
        if next(batches) == 12:
            raise Killed
        return work()

    spec = FILL.model_copy(update={"throttle": ThrottleSettings(rows=1000)})
    with connected(database) as connection, contextlib.suppress(Killed):
        fill(connection, spec, stop_after_12, ignore_progress, journal="reconcile")
    done = database.value("SELECT count(*) FROM t WHERE n IS NOT NULL")
    assert isinstance(done, int)
    assert 5_000 < done < ROWS - 5_000

    looked: list[int] = []

    def counted(work: Callable[[], Done]) -> Done:
        result = work()
        looked.append(result.looked)
        return result

    with connected(database) as connection:
        assert fill(connection, spec, counted, ignore_progress, journal="reconcile") == ROWS - done
    assert looked[0] == 1000  # the resumed run reads again no filled rows but the last batch
    assert table != "primary key" or sum(looked) == ROWS - done + 1000
    assert database.value("SELECT count(*) FROM reconcile.backfill") == 0


def test_a_changed_value_starts_again(database: Database) -> None:
    database.run(JOURNAL + TABLE.format(ROWS))
    with connected(database) as connection, contextlib.suppress(Killed):
        fill(
            connection,
            FILL.model_copy(update={"throttle": ThrottleSettings(rows=1000)}),
            kill_after(5),
            ignore_progress,
            journal="reconcile",
        )
    database.run("UPDATE t SET n = NULL")
    assert (
        filled(database, FILL.model_copy(update={"value": "(t.id * 3)"}), journal="reconcile")
        == ROWS
    )


def test_rows_before_the_recorded_position_are_filled(database: Database) -> None:
    database.run(JOURNAL + TABLE.format(ROWS))
    with connected(database) as connection, contextlib.suppress(Killed):
        fill(
            connection,
            FILL.model_copy(update={"throttle": ThrottleSettings(rows=1000)}),
            kill_after(5),
            ignore_progress,
            journal="reconcile",
        )
    database.run("UPDATE t SET n = NULL WHERE id < 100")
    filled(database, journal="reconcile")
    assert database.value("SELECT count(*) FROM t WHERE n IS NULL") == 0


def kill_after(count: int) -> Callable[[Callable[[], Done]], Done]:
    batches = itertools.count()

    def attempt(work: Callable[[], Done]) -> Done:
        if next(batches) == count:
            raise Killed
        return work()

    return attempt


def test_without_a_writable_journal_a_fill_starts_again(database: Database) -> None:
    database.run(TABLE.format(1000))
    assert filled(database, journal="reconcile") == 1000
    database.run(
        "UPDATE t SET n = NULL; CREATE SCHEMA reconcile; CREATE TABLE reconcile.backfill ()"
    )
    database.run(
        "DO $$BEGIN CREATE ROLE plain_filler LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; "
        "END$$;"
        "GRANT USAGE ON SCHEMA public, reconcile TO plain_filler; "
        "ALTER TABLE t OWNER TO plain_filler"
    )
    with connect(database.url.replace("user=postgres", "user=plain_filler")) as connection:
        assert fill(connection, FILL, without_retry, ignore_progress, journal="reconcile") == 1000


def test_batch_sizes_adapt_to_the_target_time(database: Database) -> None:
    """The default of a thousand rows would take a second for each batch."""
    database.run(TABLE.format(3000))
    spec = FILL.model_copy(
        update={
            "value": "CASE WHEN pg_sleep(0.0005)::text = '' THEN t.id END",
            "throttle": ThrottleSettings(target=0.1),
        }
    )
    took: list[float] = []

    def timed(work: Callable[[], Done]) -> Done:
        began = time.monotonic()
        done = work()
        took.append(time.monotonic() - began)
        return done

    with connected(database) as connection:
        assert fill(connection, spec, timed, ignore_progress) == 3000
    late = sorted(took[4:-1])
    assert 0.03 < late[len(late) // 2] < 0.3


def test_rows_that_get_no_value_are_named_by_key(database: Database) -> None:
    database.run(TABLE.format(2000))
    with (
        connected(database) as connection,
        pytest.raises(StatementFailed, match="still have no n") as caught,
    ):
        fill(
            connection,
            FILL.model_copy(update={"value": "nullif(t.id % 500, 0)"}),
            without_retry,
            ignore_progress,
        )
    assert caught.value.detail == "id: 500, 1000, 1500, 2000"
    assert database.value("SELECT count(*) FROM t WHERE n IS NOT NULL") == 1996


def test_triggers_fire_unless_disabled(database: Database) -> None:
    database.run(
        "CREATE TABLE public.t (id int PRIMARY KEY, n int, touched bool); "
        "INSERT INTO public.t SELECT g FROM generate_series(1, 10) AS g;"
        "CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.touched := true; "
        "RETURN NEW; END';"
        "CREATE TRIGGER touch BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION touch()"
    )
    silent = FILL.model_copy(update={"throttle": ThrottleSettings(triggers=False)})
    assert filled(database, silent) == 10
    assert database.value("SELECT count(touched) FROM t") == 0
    database.run(
        "ALTER TABLE t DISABLE TRIGGER touch; UPDATE t SET n = NULL; "
        "ALTER TABLE t ENABLE TRIGGER touch"
    )
    assert filled(database) == 10
    assert database.value("SELECT count(touched) FROM t") == 10


def test_missing_privileges_for_throttling_are_errors(database: Database) -> None:
    database.run(
        TABLE.format(1)
        + "DO $$BEGIN CREATE ROLE plain_filler LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; "
        "END$$;"
        "ALTER TABLE t OWNER TO plain_filler"
    )
    silent = FILL.model_copy(update={"throttle": ThrottleSettings(triggers=False)})
    with connect(database.url.replace("user=postgres", "user=plain_filler")) as connection:
        with pytest.raises(StatementFailed, match=r"triggers: false needs .*plain_filler may not"):
            fill(connection, silent, without_retry, ignore_progress)
        with pytest.raises(StatementFailed, match="max_active cannot be kept"):
            fill(
                connection,
                FILL.model_copy(update={"throttle": ThrottleSettings(max_active=3)}),
                without_retry,
                ignore_progress,
            )


def test_disabling_triggers_is_refused_on_foreign_keys(database: Database) -> None:
    database.run(
        TABLE.format(10)
        + "ALTER TABLE public.t ADD CONSTRAINT up FOREIGN KEY (n) REFERENCES public.t"
    )
    with pytest.raises(StatementFailed, match="unchecked by the foreign key up"):
        filled(database, FILL.model_copy(update={"throttle": ThrottleSettings(triggers=False)}))


def test_a_fill_waits_while_many_sessions_are_active(database: Database) -> None:
    database.run(TABLE.format(5000))
    waits: list[str] = []
    with psycopg.connect(database.url, autocommit=True) as other, connected(database) as connection:
        busy = threading.Thread(target=lambda: other.execute("SELECT pg_sleep(2)"))
        busy.start()
        time.sleep(0.2)
        began = time.monotonic()
        fill(
            connection,
            FILL.model_copy(update={"throttle": ThrottleSettings(max_active=0)}),
            without_retry,
            lambda p: waits.append(p.waits),
        )
        assert time.monotonic() - began > 1
        busy.join()
    # other tests' sessions are at work on the server as well
    assert any(re.fullmatch(r"\d+ sessions? (is|are) at work, more than 0", w) for w in waits)


def test_progress_reports_rows_and_time_left(database: Database) -> None:
    database.run(TABLE.format(ROWS) + "ANALYZE public.t")
    seen: list[Progress] = []
    with connected(database) as connection:
        fill(connection, FILL, without_retry, seen.append)
    assert (seen[-1].done, seen[-1].total, seen[-1].unit) == (ROWS, ROWS, "rows")
    first = seen[0]
    assert first.total == ROWS
    assert first.rate is not None
    assert first.left == pytest.approx((ROWS - first.done) / first.rate)


def test_a_value_may_refer_to_the_table_by_name(database: Database) -> None:
    database.run(
        'CREATE TABLE public."My T" (id int PRIMARY KEY, n int); '
        'INSERT INTO public."My T" SELECT generate_series(1, 10);'
    )
    spec = Fill(
        relation='public."My T"',
        column="n",
        value='(SELECT max(x.id) FROM public."My T" x WHERE x.id <= "My T".id)',
    )
    assert filled(database, spec) == 10


def test_keep_filled_a_partition_key_moves_rows(database: Database) -> None:
    database.run(
        "CREATE TABLE public.t (id int, n int) PARTITION BY LIST (n); "
        "CREATE TABLE public.t2 PARTITION OF public.t FOR VALUES IN (2);"
        "CREATE TABLE public.td PARTITION OF public.t DEFAULT; "
        "INSERT INTO public.t VALUES (1), (2), (3)"
    )
    assert filled(database) == 3
    assert database.value("SELECT count(*) FROM t2") == 1


def test_a_sequence_default_is_evaluated_once_for_each_row(database: Database) -> None:
    database.run(TABLE.format(1000) + "CREATE SEQUENCE public.s")
    spec = FILL.model_copy(update={"value": "nextval('public.s'::regclass)", "sure": True})
    assert filled(database, spec) == 1000
    assert filled(database, spec.model_copy(update={"sweep": True})) == 0
    assert database.value("SELECT max(n) FROM t") == 1000


FILLING = """
import sys
from reconciler.apply.backfill import fill
from reconciler.model.statement import Fill, ThrottleSettings
from reconciler.server.connection import connect
spec = Fill(relation="public.t", column="n", value="(t.id * 2)", throttle=ThrottleSettings(rows=500,
    pause=0.02))
with connect(sys.argv[1]) as connection:
    fill(connection, spec, lambda work: work(), lambda _: None, journal="reconcile")
"""


def test_a_killed_client_loses_no_rows(database: Database) -> None:
    """Send SIGKILL to a client in the middle of a fill."""
    database.run(JOURNAL + TABLE.format(ROWS))
    client = subprocess.Popen([sys.executable, "-c", FILLING, database.url])
    while database.value("SELECT count(*) FROM t WHERE n IS NOT NULL") == 0:
        time.sleep(0.05)
    time.sleep(0.2)
    client.kill()
    client.wait()
    while (
        database.value("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
        != 1
    ):
        time.sleep(0.05)
    done = database.value("SELECT count(*) FROM t WHERE n IS NOT NULL")
    assert isinstance(done, int)
    assert 0 < done < ROWS
    place = database.value("SELECT place[1]::int FROM reconcile.backfill")
    assert isinstance(place, int)
    assert 0 < place < done  # the start of the last batch, committed with it
    assert filled(database, FILL, journal="reconcile") == ROWS - done
    assert database.value("SELECT count(*) FROM t WHERE n = id * 2") == ROWS


def test_refusals_are_known_before_the_fill(database: Database) -> None:
    database.run(
        TABLE.format(1)
        + "DO $$BEGIN CREATE ROLE plain_filler LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; "
        "END$$;"
        "ALTER TABLE t OWNER TO plain_filler"
    )
    spec = FILL.model_copy(update={"throttle": ThrottleSettings(max_lag=1, triggers=False)})
    with connect(database.url) as connection:
        assert refusals(connection, spec) == []
        assert (
            refusals(connection, spec.model_copy(update={"relation": "public.not_there_yet"})) == []
        )
    with connect(database.url.replace("user=postgres", "user=plain_filler")) as connection:
        assert [r.split(",")[0] for r in refusals(connection, spec)] == [
            "role plain_filler sees neither replication lag nor what other sessions do",
            "triggers: false needs a superuser",
        ]


def test_lag_of_a_stopped_standby_grows() -> None:
    lag = Lag()
    lag.learn(0.0, head=100, replayed=100, reported=0.0)
    assert (lag.seconds, lag.bytes) == (0.0, 0)
    lag.learn(1.0, head=200, replayed=100, reported=0.0)
    lag.learn(4.0, head=300, replayed=100, reported=0.0)
    assert (lag.seconds, lag.bytes) == (3.0, 200)
    lag.learn(5.0, head=300, replayed=250, reported=0.0)
    assert (lag.seconds, lag.bytes) == (1.0, 50)
    lag.learn(6.0, head=300, replayed=290, reported=7.0)
    assert (lag.seconds, lag.bytes) == (7.0, 10)
    lag.learn(6.5, head=300, replayed=300, reported=7.0)
    assert (lag.seconds, lag.bytes) == (0.0, 0)
    lag.learn(7.0, head=400, replayed=None, reported=0.0)
    assert (lag.seconds, lag.bytes) == (0.0, 0)


def test_a_waiting_fill_holds_no_row_locks(database: Database) -> None:
    """A session that locks one row can lock any other, so the fill causes no deadlock."""
    database.run(TABLE.format(3000))
    waited = threading.Event()
    with psycopg.connect(database.url) as holder:
        holder.execute("UPDATE t SET id = id WHERE id IN (1000, 2000)")

        def lock_more_rows() -> None:
            waited.wait(10)
            for row in (1, 999, 1001, 1999, 2001, 3000):
                holder.execute("SELECT FROM t WHERE id = %s FOR UPDATE NOWAIT", [row])
            time.sleep(0.3)
            holder.execute("UPDATE t SET id = id")
            holder.commit()

        def attempt(work: Callable[[], Done]) -> Done:
            try:
                return work()
            except StatementFailed as e:
                if e.sqlstate != LOCKED:
                    raise
                waited.set()
                return retry_on_lock(work)

        other = threading.Thread(target=lock_more_rows)
        other.start()
        with connected(database) as connection:
            assert fill(connection, FILL, attempt, ignore_progress) == 3000
        other.join()
    assert waited.is_set()
    assert database.value("SELECT count(*) FROM t WHERE n = id * 2") == 3000
