"""Make columns NOT NULL and keep them filled while an application writes: no write fails."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from reconciler import pipeline
from reconciler.apply.execute import LockPolicy
from reconciler.apply.outcome import Outcome
from reconciler.declare.load import load
from reconciler.kinds.column.backfill_spec import Backfill
from reconciler.kinds.column.column import Column
from reconciler.kinds.column.fill_trigger import FillTrigger
from reconciler.kinds.column.target import Target
from reconciler.model.object import PlanningContext
from reconciler.model.ref import Ref
from reconciler.model.state import Scope
from reconciler.model.statement import HazardKind
from reconciler.pipeline import Job
from reconciler.report.progress import Lines
from reconciler.server.capabilities import Server
from tests.conftest import Database

ROWS = 20_000
TABLE = (
    "CREATE TABLE public.t (id int PRIMARY KEY, a int, n int); "
    f"INSERT INTO public.t SELECT g, g FROM generate_series(1, {ROWS}) AS g;"
)
SLOWLY = "batch: {target: 20ms, rows: 1000}, pause: 10ms"


def apply(database: Database, folder: Path, declared: str) -> Outcome:
    file = folder / "state.yml"
    file.write_text(declared)
    declaration = load(file)
    job = Job(database.url, declaration, Scope(declaration.schemas))
    outcome = pipeline.apply_plan(
        pipeline.plan_changes(job),
        job,
        job.target,
        Lines(lambda _: None),
        LockPolicy(lock=0.5, total=30),
        ["all"],
    )
    assert (outcome.failed, outcome.left) == (0, ()), outcome.steps
    return outcome


@contextmanager
def writing(database: Database, *statements: str) -> Generator[list[str]]:
    """Run the statements repeatedly in a thread; yield the list of errors.

    `row` is the id of an existing row, `own` an id that nobody else uses.
    """
    failed, stop, done = list[str](), threading.Event(), itertools.count()

    def write() -> None:
        with psycopg.connect(database.url, autocommit=True) as application:
            for own in itertools.count(ROWS + 1):
                if stop.is_set():
                    return
                for statement in statements:
                    try:
                        application.execute(
                            statement.encode(), {"row": own * 7919 % ROWS + 1, "own": own}
                        )
                    except psycopg.Error as e:
                        failed.append(f"{statement}: {e}")
                next(done)
                time.sleep(0.002)  # leaves processor time to the run

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield failed
    finally:
        stop.set()
        thread.join()
    assert next(done) > 100


def test_writes_do_not_fail_with_a_default(
    matrix_major: int, new_database: Callable[..., Database], tmp_path: Path
) -> None:
    database = new_database(TABLE, matrix_major)
    declared = (
        f"tables: {{t: {{columns: {{n: {{default: 7, not_null: true, backfill: {{value: "
        f"t.a * 2, {SLOWLY}}}}}}}}}}}"
    )
    with writing(
        database,
        "UPDATE t SET a = a WHERE id = %(row)s",
        "INSERT INTO t (id, a) VALUES (%(own)s, 1)",
    ) as failed:
        apply(database, tmp_path, declared)
    assert failed == []
    assert database.value(f"SELECT count(*) FROM t WHERE n = a * 2 AND id <= {ROWS}") == ROWS
    assert (
        database.value(f"SELECT count(*) FROM t WHERE n NOT IN (2, 7) AND id > {ROWS}") == 0
    )  # 2: inserted before the default was set


def test_writes_do_not_fail_with_a_volatile_default(
    matrix_major: int, new_database: Callable[..., Database], tmp_path: Path
) -> None:
    database = new_database(TABLE, matrix_major)
    before = database.value("SELECT pg_relation_filenode('t')")
    with writing(
        database,
        "UPDATE t SET a = a WHERE id = %(row)s",
        "INSERT INTO t (id, a) VALUES (%(own)s, 1)",
    ) as failed:
        apply(
            database,
            tmp_path,
            "tables: {t: {columns: {u: {type: uuid, default: gen_random_uuid(), not_null: true}}}}",
        )
    assert failed == []
    assert database.value("SELECT count(*) - count(DISTINCT u) FROM t") == 0
    assert database.value("SELECT pg_relation_filenode('t')") == before


def test_keep_filled_accepts_nulls_from_applications(
    matrix_major: int, new_database: Callable[..., Database], tmp_path: Path
) -> None:
    database = new_database(TABLE, matrix_major)
    value = f"value: t.a * 2, keep_filled: true, {SLOWLY}"
    writes = (
        "UPDATE t SET a = -a, n = NULL WHERE id = %(row)s",
        "INSERT INTO t (id, a) VALUES (%(own)s, 1)",
    )
    with writing(database, *writes) as failed:
        apply(
            database,
            tmp_path,
            f"tables: {{t: {{columns: {{n: {{not_null: true, backfill: {{{value}}}}}}}}}}}",
        )
    assert failed == []
    assert database.value("SELECT count(*) FROM t WHERE n = a * 2") == database.value(
        "SELECT count(*) FROM t"
    )

    apply(database, tmp_path, "tables: {t: {columns: {n: {not_null: true, backfill: t.a * 2}}}}")
    assert database.value("SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'reconcile%'") == 0
    assert database.value("SELECT count(*) FROM pg_proc WHERE proname LIKE 'reconcile%'") == 0
    with pytest.raises(psycopg.errors.NotNullViolation):
        database.run("INSERT INTO t (id, a) VALUES (0, 1)")


def test_an_altered_fill_trigger_is_recreated(database: Database, tmp_path: Path) -> None:
    declared = "tables: {t: {columns: {n: {backfill: {value: t.a * 2, keep_filled: true}}}}}"
    database.run(TABLE)
    apply(database, tmp_path, declared)
    assert apply(database, tmp_path, declared).steps == ()
    for meddling in (
        "ALTER TABLE t DISABLE TRIGGER reconcile_fill_n",
        (
            "CREATE OR REPLACE FUNCTION reconcile_fill_t_n() RETURNS trigger LANGUAGE plpgsql AS "
            "'BEGIN RETURN NEW; END'"
        ),
        "DROP TRIGGER reconcile_fill_n ON t",
    ):
        database.run(meddling)
        apply(database, tmp_path, declared)
        database.run("INSERT INTO t VALUES (0, 4)")
        assert database.value("DELETE FROM t WHERE id = 0 RETURNING n") == 8
        assert apply(database, tmp_path, declared).steps == ()


def test_a_renamed_column_gets_a_renamed_fill_trigger(database: Database, tmp_path: Path) -> None:
    database.run(TABLE)
    apply(
        database,
        tmp_path,
        "tables: {t: {columns: {n: {backfill: {value: t.a * 2, keep_filled: true}}}}}",
    )
    renamed = (
        "tables: {u: {renamed_from: t, columns: {m: {renamed_from: n, backfill: {value: "
        "u.a * 3, keep_filled: true}}}}}"
    )
    apply(database, tmp_path, renamed)
    database.run("INSERT INTO u VALUES (0, 4)")
    assert database.value("SELECT m FROM u WHERE id = 0") == 12
    assert database.value(
        "SELECT string_agg(tgname || ' ' || tgfoid::regproc, ',') FROM pg_trigger WHERE NOT "
        "tgisinternal"
    ) == ("reconcile_fill_m reconcile_fill_u_m")
    assert database.value("SELECT count(*) FROM pg_proc WHERE proname LIKE 'reconcile_fill%'") == 1


def test_an_undeclared_fill_trigger_is_kept(database: Database, tmp_path: Path) -> None:
    database.run(TABLE)
    apply(
        database,
        tmp_path,
        "tables: {t: {columns: {n: {backfill: {value: t.a * 2, keep_filled: true}}}}}",
    )
    apply(database, tmp_path, "tables: {t: {comment: x, columns: {a: {comment: y}}}}")
    assert database.value("SELECT count(*) FROM pg_trigger WHERE tgname = 'reconcile_fill_n'") == 1


def test_a_fill_trigger_is_exported(database: Database, tmp_path: Path) -> None:
    database.run(TABLE)
    apply(
        database,
        tmp_path,
        "tables: {t: {columns: {n: {backfill: {value: t.a * 2, keep_filled: true}}}}}",
    )
    pipeline.export_state(database.url, Scope(frozenset({"public"})), tmp_path / "out")
    exported = (tmp_path / "out" / "public" / "tables.yml").read_text()
    assert "keep_filled: true" in exported
    assert apply(database, tmp_path, exported).steps == ()


def test_a_fill_trigger_is_restored_from_the_state_alone() -> None:
    """A rollback has no declaration: the recorded column is enough to fill its nulls."""
    table = Ref("table", "public", "t")
    bare = Column(ref=Ref("column", "public", "n", table), type="integer")
    backfill = Backfill(value="t.a * 2", keep_filled=True)
    kept = bare.model_copy(update={"fill_trigger": FillTrigger.of(Target(table, "n"), backfill)})
    statements = kept.alter(bare, PlanningContext(Server(180000)))
    assert statements
    *made, last = statements
    assert [s.sql.split("public")[0] for s in made] == [
        "CREATE OR REPLACE FUNCTION ",
        "ALTER FUNCTION ",
        "CREATE OR REPLACE TRIGGER reconcile_fill_n BEFORE INSERT OR UPDATE ON ",
    ]
    assert last.fill is not None
    assert last.fill.value == "t.a * 2"


COMPUTED = (
    "tables: {{t: {{columns: {{n: {{type: int, backfill: {{value: {}, keep_filled: {}}}}}}}}}}}"
)
STALE = "SELECT count(*) FROM t WHERE n IS DISTINCT FROM a * {}"


def test_a_computed_column_follows_every_write(
    matrix_major: int, new_database: Callable[..., Database], tmp_path: Path
) -> None:
    """Values that applications give do not count, nor what a trigger of theirs does before."""
    database = new_database(TABLE.replace(", n int", "").replace(", g FROM", " FROM"), matrix_major)
    database.run("""
        CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql AS
            'BEGIN NEW.a := NEW.a + 1; RETURN NEW; END';
        CREATE TRIGGER z_late BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION late();
        UPDATE t SET a = CASE WHEN id % 3 > 0 THEN id END""")
    declared = COMPUTED.format("t.a * 2", f"always, {SLOWLY}")
    writes = (
        "UPDATE t SET a = a + 3 WHERE id = %(row)s",
        "INSERT INTO t (id, a) VALUES (%(own)s, 1)",
    )
    with writing(database, *writes) as failed:
        apply(database, tmp_path, declared)
    assert failed == []
    assert database.value(STALE.format(2)) == 0
    assert database.value("SELECT count(*) FROM t WHERE n IS NULL") != 0
    database.run("INSERT INTO t VALUES (0, 4, 77); UPDATE t SET n = 5 WHERE id = 1")
    assert database.value(STALE.format(2)) == 0
    assert apply(database, tmp_path, declared).steps == ()

    # another expression, a trigger that was off, and a column of its own again
    apply(database, tmp_path, COMPUTED.format("t.a * 3", "always"))
    assert database.value(STALE.format(3)) == 0
    database.run('ALTER TABLE t DISABLE TRIGGER "~reconcile_fill_n"; UPDATE t SET a = 7')
    apply(database, tmp_path, COMPUTED.format("t.a * 3", "always"))
    assert database.value(STALE.format(3)) == 0
    apply(database, tmp_path, COMPUTED.format("t.a * 4", "true"))
    database.run("UPDATE t SET n = 5 WHERE id = 1; UPDATE t SET n = NULL WHERE id = 2")
    # before the other trigger
    either = "SELECT count(*) FROM t WHERE id IN (1, 2) AND n IN (5, (a - 1) * 4)"
    assert database.value(either) == 2
    triggers = "SELECT tgname FROM pg_trigger WHERE tgname ~ 'reconcile'"
    assert database.rows(triggers) == [("reconcile_fill_n",)]
    apply(database, tmp_path, COMPUTED.format("t.a", "false"))
    assert database.rows(triggers) == []
    database.run("ALTER TABLE t DROP COLUMN n")


def test_a_column_that_becomes_computed_loses_values(database: Database, tmp_path: Path) -> None:
    database.run(
        "CREATE TABLE t (id int PRIMARY KEY, a int, n int); INSERT INTO t VALUES (1, 1, 9)"
    )
    file = tmp_path / "state.yml"
    file.write_text(COMPUTED.format("t.a * 2", "always"))
    job = Job(database.url, load(file), Scope(frozenset({"public"})))
    plan = pipeline.plan_changes(job)
    assert [h.hazard for s in plan.steps for h in s.hazards] == [HazardKind.DATA_LOSS]
    apply(database, tmp_path, COMPUTED.format("t.a * 2", "always"))
    assert database.rows("SELECT n FROM t") == [(2,)]
    pipeline.export_state(database.url, Scope(frozenset({"public"})), tmp_path / "out")
    exported = (tmp_path / "out" / "public" / "tables.yml").read_text()
    assert "keep_filled: always" in exported
    assert apply(database, tmp_path, exported).steps == ()


def test_an_interrupted_computation_is_finished(database: Database, tmp_path: Path) -> None:
    """The trigger is in force, the comment says that rows are to follow."""
    database.run("CREATE TABLE t (id int PRIMARY KEY, a int); INSERT INTO t VALUES (1, 5), (2, 0)")
    file = tmp_path / "state.yml"
    for values in ("100 / t.a", "200 / t.a"):
        file.write_text(COMPUTED.format(values, "always"))
        job = Job(database.url, load(file), Scope(frozenset({"public"})))
        plan = pipeline.plan_changes(job)
        outcome = pipeline.apply_plan(
            plan, job, job.target, Lines(lambda _: None), LockPolicy(), ["all"]
        )
        assert outcome.failed == 1
        database.run("DELETE FROM t WHERE a = 0")
        apply(database, tmp_path, COMPUTED.format(values, "always"))
        assert database.value(f"SELECT count(*) FROM t WHERE n IS DISTINCT FROM {values}") == 0
        assert database.value("SELECT col_description('t'::regclass, 3)") is None
        database.run(
            "ALTER TABLE t DISABLE TRIGGER USER; INSERT INTO t (id, a) VALUES (2, 0); "
            "ALTER TABLE t ENABLE TRIGGER USER"
        )
