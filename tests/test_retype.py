"""Change types of columns while an application writes: no failures, no lost rows, no leftovers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from reconciler import pipeline
from reconciler.declare.exported_files import MARK
from reconciler.declare.load import load
from reconciler.errors import PlanError, PlanRefused, ReconcileError
from reconciler.model.state import Scope
from reconciler.model.statement import HazardKind
from reconciler.pipeline import Job
from reconciler.plan.plan import Plan
from reconciler.report.progress import Lines
from reconciler.server.connection import connect
from reconciler.server.locks import LockPolicy
from reconciler.sql import mentions
from tests.conftest import Database, version
from tests.test_keep_filled import ROWS, apply, writing
from tests.test_recipes import LEFTOVERS, run_until

TABLE = f"""
    CREATE TABLE public.t (id int PRIMARY KEY, a int NOT NULL, note text);
    INSERT INTO public.t SELECT g, g, g FROM generate_series(1, {ROWS}) AS g;
    CREATE INDEX t_a ON public.t (a);"""
SLOWLY = "retype: {batch: {target: 20ms, rows: 1000}, pause: 10ms}"
WIDER = f"tables: {{t: {{columns: {{a: {{type: bigint, {SLOWLY}}}}}}}}}"
SHADOW_PREFIX = (
    "SELECT attname FROM pg_attribute WHERE attrelid = 't'::regclass AND attname LIKE 'reconcile%'"
)
SEQUENCES = (
    "FROM pg_sequence AS s JOIN pg_class AS c ON c.oid = s.seqrelid WHERE c.relnamespace "
    "= 'public'::regnamespace"
)
NUMBER = "SELECT attnum FROM pg_attribute WHERE attrelid = 't'::regclass AND attname = 'a'"


def planned(database: Database, folder: Path, declared: str) -> Plan:
    file = folder / "state.yml"
    file.write_text(declared)
    declaration = load(file)
    return pipeline.plan_changes(Job(database.url, declaration, Scope(declaration.schemas)))


def test_writes_do_not_fail_and_rows_are_kept(
    matrix_major: int, new_database: Callable[..., Database], tmp_path: Path
) -> None:
    database = new_database(TABLE, matrix_major)
    before = database.value("SELECT pg_relation_filenode('t')")
    writes = (
        "UPDATE t SET a = a + 1 WHERE id = %(row)s",
        "INSERT INTO t (id, a) VALUES (%(own)s, 0)",
        "DELETE FROM t WHERE id = %(own)s - 50 AND a = 0",
    )
    with (
        writing(database, *writes) as failed,
        writing(database, "UPDATE t SET note = a WHERE id = %(row)s") as others,
    ):
        apply(database, tmp_path, WIDER)
        changed = database.value(f"SELECT sum(a - id)::int FROM t WHERE id <= {ROWS}")
    assert [*failed, *others] == []
    assert isinstance(changed, int)
    assert changed > 100
    assert database.value("SELECT count(*) FROM t WHERE a < id AND a <> 0 OR a IS NULL") == 0
    assert database.value(
        "SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = "
        "'t'::regclass AND attname = 'a'"
    )
    assert (
        database.value("SELECT pg_relation_filenode('t')") == before
    )  # the table was not rewritten
    assert database.rows(LEFTOVERS) == []


def test_the_shadow_column_follows_every_write(database: Database, tmp_path: Path) -> None:
    """Other triggers, replication and roles with privileges on one column make no difference."""
    database.run(
        TABLE
        + """
        CREATE FUNCTION public.doubled() RETURNS trigger LANGUAGE plpgsql
            AS 'BEGIN NEW.a := NEW.a * 2; RETURN NEW; END';
        CREATE TRIGGER zzz BEFORE INSERT OR UPDATE OF a ON public.t FOR EACH ROW EXECUTE FUNCTION
            public.doubled();
        CREATE SCHEMA hidden; CREATE FUNCTION hidden.wide(int) RETURNS bigint LANGUAGE sql AS
            'SELECT $1::bigint + 1000';
        DO $$ BEGIN CREATE ROLE application;
        EXCEPTION WHEN duplicate_object OR unique_violation THEN END $$;
        GRANT INSERT (id, a), SELECT, UPDATE (a) ON public.t TO application;"""
    )
    declared = (
        "tables: {t: {columns: {a: {type: bigint, using: hidden.wide(a), depends_on: "
        "[function hidden.wide(integer)], retype: online}}}}"
    )
    run_until(database, plan := planned(database, tmp_path, declared), 1)
    shadow = database.value(SHADOW_PREFIX)
    for session in (
        "SET ROLE application",
        "SET session_replication_role = replica",
        "SET search_path = nowhere",
    ):
        database.run(
            f"{session}; INSERT INTO public.t (id, a) VALUES (0, 5); "
            "UPDATE public.t SET a = 6 WHERE id = 0"
        )
        assert database.value(f"SELECT a + 1000 = {shadow} FROM t WHERE id = 0"), session
        database.run("DELETE FROM public.t WHERE id = 0")
    assert database.value(f"SELECT count(*) FROM t WHERE {shadow} IS NOT NULL") == 0
    assert len(plan.transactions()) > 1


def test_an_existing_shadow_column_is_reused(database: Database, tmp_path: Path) -> None:
    database.run(TABLE)
    run_until(database, planned(database, tmp_path, WIDER), 1)
    database.run(f"UPDATE t SET {database.value(SHADOW_PREFIX)} = a WHERE id <= 5000")
    database.run("INSERT INTO t VALUES (0, 5); UPDATE t SET a = -1 WHERE id = 1")
    filled = "SELECT id, xmin::text FROM t WHERE id <= 5000 ORDER BY id"
    before, shadow = (
        database.rows(filled),
        database.rows(
            "SELECT attnum FROM pg_attribute WHERE attrelid = 't'::regclass AND attname LIKE "
            "'reconcile%'"
        ),
    )
    second_plan = planned(database, tmp_path, WIDER)
    assert not any("ADD COLUMN" in s.sql for s in second_plan.steps)
    apply(database, tmp_path, WIDER)
    assert (database.rows(NUMBER), database.rows(filled)) == (
        shadow,
        before,
    )  # no row is filled twice
    assert database.rows("SELECT id, a FROM t WHERE id < 3 ORDER BY id") == [
        (0, 5),
        (1, -1),
        (2, 2),
    ]


MEDDLING = (
    'ALTER TABLE t DISABLE TRIGGER "~{0}"',
    'ALTER TABLE t ENABLE TRIGGER "~{0}"',
    'DROP TRIGGER "~{0}" ON t',
    "CREATE OR REPLACE FUNCTION {0}() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
)


@pytest.mark.parametrize("meddling", MEDDLING)
def test_an_altered_shadow_column_is_recreated(
    meddling: str, database: Database, tmp_path: Path
) -> None:
    database.run(TABLE)
    plan = planned(database, tmp_path, WIDER)
    run_until(database, plan, len(plan.transactions()) - 1)  # the index of the shadow column exists
    database.run(meddling.format(database.value(SHADOW_PREFIX)))
    database.run("SET session_replication_role = replica; UPDATE t SET a = -1 WHERE id = 1")
    database.run(f"UPDATE t SET {database.value(SHADOW_PREFIX)} = 7 WHERE id = 2")
    apply(database, tmp_path, WIDER)
    assert database.rows("SELECT id, a FROM t WHERE id < 4 ORDER BY id") == [
        (1, -1),
        (2, 2),
        (3, 3),
    ]
    assert database.rows(LEFTOVERS) == []


@pytest.mark.parametrize(
    "declared",
    [
        "tables: {t: {comment: not declared any more}}",
        "tables: {t: {columns: {a: {type: integer, retype: online}}}}",
        "tables: {t: {columns: {a: bigint}}}",
        "tables: {t: {columns: {a: {type: numeric, retype: online}}}}",
        "tables: {t: {columns: {a: {type: bigint, using: a + 1, retype: online}}}}",
    ],
)
def test_an_undeclared_shadow_column_is_dropped(
    declared: str, database: Database, tmp_path: Path
) -> None:
    database.run(TABLE)
    plan = planned(database, tmp_path, WIDER)
    run_until(database, plan, len(plan.transactions()) - 1)
    assert database.rows(LEFTOVERS)
    apply(database, tmp_path, declared)
    assert database.rows(LEFTOVERS) == []
    assert (
        database.value("SELECT sum(a) FROM t")
        == sum(range(1, ROWS + 1)) + ("a + 1" in declared) * ROWS
    )
    assert planned(database, tmp_path, declared).in_sync


def test_a_shadow_column_is_not_exported(database: Database, tmp_path: Path) -> None:
    database.run(TABLE)
    run_until(database, planned(database, tmp_path, WIDER), 2)
    pipeline.export_state(database.url, Scope(frozenset({"public"})), tmp_path / "out")
    exported = "".join(f.read_text() for f in (tmp_path / "out").rglob("*.yml"))
    assert "note" in exported
    assert "reconcile" not in exported.replace(MARK, "")


def test_retype_may_stay_in_the_file(database: Database, tmp_path: Path) -> None:
    database.run(TABLE)
    apply(database, tmp_path, WIDER)
    assert planned(database, tmp_path, WIDER).in_sync
    plan = planned(database, tmp_path, WIDER.replace("bigint,", "bigint, comment: wide,"))
    assert [s.sql for s in plan.steps] == ["COMMENT ON COLUMN public.t.a IS 'wide'"]


def test_a_change_without_rewrite_needs_no_shadow_column(
    database: Database, tmp_path: Path
) -> None:
    database.run("CREATE TABLE public.t (a varchar(10))")
    plan = planned(database, tmp_path, "tables: {t: {columns: {a: {type: text, retype: online}}}}")
    assert [s.sql for s in plan.steps] == ["ALTER TABLE public.t ALTER COLUMN a TYPE text"]


def test_a_using_expression_may_return_null(database: Database, tmp_path: Path) -> None:
    database.run(
        TABLE + "ALTER TABLE public.t ALTER a DROP NOT NULL; INSERT INTO public.t VALUES (0, NULL)"
    )
    apply(
        database,
        tmp_path,
        f"tables: {{t: {{columns: {{a: {{type: bigint, using: 'nullif(a, 3)', {SLOWLY}}}}}}}}}",
    )
    assert database.rows("SELECT id FROM t WHERE a IS NULL ORDER BY id") == [(0,), (3,)]


def test_a_using_expression_applies_to_nulls(database: Database, tmp_path: Path) -> None:
    database.run(
        TABLE + "ALTER TABLE public.t ALTER a DROP NOT NULL; INSERT INTO public.t VALUES (0, NULL)"
    )
    apply(
        database,
        tmp_path,
        (
            f"tables: {{t: {{columns: {{a: {{type: text, using: 'coalesce(a::text, note, "
            "id::text)', "
            f"{SLOWLY}}}}}}}}}"
        ),
    )
    assert database.value("SELECT a FROM t WHERE id = 0") == "0"


def test_nulls_in_a_not_null_column_stop_the_fill(database: Database, tmp_path: Path) -> None:
    database.run(TABLE)
    file = tmp_path / "state.yml"
    file.write_text(
        "tables: {t: {columns: {a: {type: bigint, using: 'nullif(a, 3)', retype: online}}}}"
    )
    job = Job(database.url, load(file), Scope(frozenset({"public"})))
    outcome = pipeline.apply_plan(
        pipeline.plan_changes(job), job, job.target, Lines(lambda _: None), LockPolicy(), ["all"]
    )
    failed = [s for s in outcome.steps if s.status == "failed"]
    assert len(failed) == 1
    assert "1 row of public.t still has no" in failed[0].error
    database.run("UPDATE t SET note = 'x' WHERE id = 3; INSERT INTO t VALUES (0, 3)")
    assert (
        database.value(
            "SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = "
            "'t'::regclass AND attname = 'a'"
        )
        == "integer"
    )


def test_sequences_continue(
    matrix_major: int, new_database: Callable[..., Database], tmp_path: Path
) -> None:
    script = """
        CREATE TABLE public.t (id int GENERATED ALWAYS AS IDENTITY (START 5 INCREMENT 3) PRIMARY
            KEY, s serial, n int);
        INSERT INTO public.t (n) SELECT 1 FROM generate_series(1, 10);
        DELETE FROM public.t WHERE id > 8; GRANT USAGE ON SEQUENCE public.t_id_seq TO pg_monitor"""
    database = new_database(script, matrix_major)
    apply(
        database,
        tmp_path,
        (
            "tables: {t: {columns: {id: {type: bigint, retype: online}, s: {type: bigserial, "
            "retype: "
            "online}}}}"
        ),
    )
    assert database.rows("INSERT INTO t (n) VALUES (1) RETURNING id, s") == [(35, 11)]
    assert database.value("SELECT has_sequence_privilege('pg_monitor', 't_id_seq', 'usage')")
    assert database.rows(f"SELECT seqtypid::regtype::text {SEQUENCES}") == [
        ("bigint",),
        ("bigint",),
    ]
    database.run("DROP TABLE t")
    assert database.value(f"SELECT count(*) {SEQUENCES}") == 0


def test_dependents_of_the_column_are_recreated(
    matrix_major: int, new_database: Callable[..., Database], tmp_path: Path
) -> None:
    """Fill trigger and replica identity stay; some objects are built under lock."""
    script = """
        CREATE TABLE public.t (id int NOT NULL, n int, a int CONSTRAINT odd CHECK (a > 0), EXCLUDE
            USING btree (a WITH =));
        INSERT INTO public.t SELECT g, g, g FROM generate_series(1, 100) AS g;
        CREATE UNIQUE INDEX t_id ON public.t (id);
        ALTER TABLE public.t REPLICA IDENTITY USING INDEX t_id;
        CREATE MATERIALIZED VIEW public.m AS SELECT id, n FROM public.t;
        CREATE INDEX t_sum ON public.t ((id + n));
        CREATE INDEX t_part ON public.t (n, id) WHERE id > 3;
        CREATE FUNCTION public.f(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1';
        CREATE INDEX t_f ON public.t (public.f(a));"""
    online = "{type: bigint, retype: online}"
    wider = f"tables: {{t: {{columns: {{id: {online}}}}}}}"
    database = new_database(script, matrix_major)
    before = database.dump()
    kept = (
        "tables: {t: {columns: {n: {type: bigint, retype: online, backfill: {value: t.a, "
        "keep_filled: true}}}}}"
    )
    apply(database, tmp_path, kept)
    database.run("UPDATE t SET n = NULL")
    assert database.value("SELECT count(*) FROM t WHERE n = a") == 100
    plan = planned(database, tmp_path, wider)
    assert {h: len(why) for h, why in plan.hazards().items()} == {
        HazardKind.BLOCKS_READS: 3,
        HazardKind.LONG_SCAN: 1,
    }
    apply(database, tmp_path, wider)
    after = [line for line in database.dump() if "reconcile_fill" not in line]
    assert [
        line
        for line in before
        if line.startswith(("CREATE INDEX", "CREATE UNIQUE", "ALTER TABLE ONLY public.t REPLICA"))
    ] == [
        line
        for line in after
        if line.startswith(("CREATE INDEX", "CREATE UNIQUE", "ALTER TABLE ONLY public.t REPLICA"))
    ]


def test_a_deferred_key_is_not_enforced_early(database: Database, tmp_path: Path) -> None:
    """An index built in advance would refuse values that a deferred key accepts."""
    database.run(
        TABLE + "ALTER TABLE public.t ADD CONSTRAINT once UNIQUE (a) DEFERRABLE INITIALLY DEFERRED"
    )
    plan = planned(database, tmp_path, WIDER)
    assert list(plan.hazards()) == [HazardKind.BLOCKS_READS]
    swaps = (
        "BEGIN; UPDATE public.t SET a = 2 WHERE id = 1; "
        "UPDATE public.t SET a = 1 WHERE id = 2; COMMIT"
    )
    run_until(
        database,
        plan,
        next(
            n for n, g in enumerate(plan.transactions()) if any("DROP COLUMN" in s.sql for s in g)
        ),
    )
    database.run(swaps)
    apply(database, tmp_path, WIDER)
    assert database.rows("SELECT id, a FROM t WHERE id < 3 ORDER BY id") == [(1, 2), (2, 1)]


def test_a_serial_column_may_become_an_identity_in_one_plan(
    database: Database, tmp_path: Path
) -> None:
    database.run(
        "CREATE TABLE public.t (id serial PRIMARY KEY, n int); "
        "INSERT INTO public.t (n) SELECT 1 FROM generate_series(1, 10)"
    )
    declared = """{tables: {t: {columns: {id: {type: bigint, identity: always, default: null,
            retype: online}}}},
        sequences: {t_id_seq: {state: absent}}}"""
    apply(database, tmp_path, declared)
    assert database.rows("INSERT INTO t (n) VALUES (1) RETURNING id") == [(11,)]


REFUSED = {
    "CREATE TABLE t (a int, b int) PARTITION BY LIST (b);"
    "CREATE TABLE t1 PARTITION OF t DEFAULT": "has parents or child tables",
    "CREATE TABLE p (a int); CREATE TABLE t () INHERITS (p); ALTER TABLE p RENAME TO q; "
    "ALTER TABLE t NO INHERIT q;"
    "CREATE TABLE h () INHERITS (t)": "has parents or child tables",
    "CREATE TABLE t (a int, b int GENERATED ALWAYS AS (a + 1) STORED)": "generated from it",
    "CREATE TABLE t (b int, a int GENERATED ALWAYS AS (b + 1) STORED)": "it is generated",
}


@pytest.mark.parametrize("script", REFUSED)
def test_unsupported_columns_are_refused(script: str, database: Database, tmp_path: Path) -> None:
    database.run(f"SET search_path = public; {script}")
    with pytest.raises(PlanError, match=f"{REFUSED[script]}.*leave `retype` out"):
        planned(database, tmp_path, "tables: {t: {columns: {a: {type: bigint, retype: online}}}}")


def test_a_table_published_with_all_columns_is_refused(
    matrix_major: int, new_database: Callable[..., Database], tmp_path: Path
) -> None:
    database = new_database(TABLE + "CREATE PUBLICATION p FOR ALL TABLES", matrix_major)
    with pytest.raises(
        PlanRefused, match=r"publication p sends whole rows of public\.t.*leave `retype` out"
    ):
        apply(database, tmp_path, WIDER)
    if version(database) > 14:
        database.run(
            "DROP PUBLICATION p; CREATE PUBLICATION p FOR TABLE t (id, a) WITH (publish = 'insert')"
        )
        apply(database, tmp_path, WIDER)
        assert database.rows("SELECT attnames::text FROM pg_publication_tables") == [("{id,a}",)]


def test_a_domain_with_constraints_is_refused(database: Database, tmp_path: Path) -> None:
    database.run(
        "CREATE DOMAIN public.small AS int CHECK (VALUE < 10); CREATE TABLE public.t (a bigint)"
    )
    with pytest.raises(PlanError, match="small has constraints"):
        planned(database, tmp_path, "tables: {t: {columns: {a: {type: small, retype: online}}}}")


def test_accepted_values_of_retype(tmp_path: Path) -> None:
    file = tmp_path / "state.yml"
    for accepted in ("online", "{}", "{pause: 1s, triggers: false}"):
        file.write_text(f"tables: {{t: {{columns: {{a: {{type: int, retype: {accepted}}}}}}}}}")
        load(file)
    for rejected in ("offline", "true", "{value: a}", "{pause: 3}"):
        file.write_text(f"tables: {{t: {{columns: {{a: {{type: int, retype: {rejected}}}}}}}}}")
        with pytest.raises(ReconcileError):
            load(file)


@pytest.mark.parametrize(
    ("expression", "named"),
    [
        ("lower(a)", True),
        ("(a + b)", True),
        ('"a" > 1', True),
        ("ab > 1", False),
        ("t.*", True),
        ("(a1 || 'b')", False),
        ("b.a", True),
    ],
)
def test_mentions_of_a_column(expression: str, named: bool) -> None:
    assert mentions(expression, "a") == named


def test_the_swap_is_one_transaction_without_a_scan(database: Database, tmp_path: Path) -> None:
    """The swap is one transaction and reads no row."""
    database.run(TABLE)
    plan = planned(database, tmp_path, WIDER)
    swap = next(g for g in plan.transactions() if any("DROP COLUMN" in s.sql for s in g))
    run_until(database, plan, plan.transactions().index(swap))
    database.run("ANALYZE t")
    with connect(database.url) as connection:
        connection.execute("SET search_path TO ''")
        with connection.transaction():
            scanned = "SELECT pg_stat_get_xact_tuples_returned('public.t'::regclass) AS n"
            before = connection.execute(scanned).fetchall()[0]["n"]
            for step in swap:
                connection.execute(step.sql.encode())
            assert connection.execute(scanned).fetchall()[0]["n"] == before
    assert not plan.hazards()
    with psycopg.connect(database.url) as fresh:
        assert fresh.execute("SELECT sum(a) FROM t").fetchall() == [(sum(range(1, ROWS + 1)),)]
