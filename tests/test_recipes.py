"""Test online recipes on tables with rows: locks, results, and resumption after any step."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.errors import UniqueViolation

from reconciler import pipeline, planning
from reconciler.apply.execute import LockPolicy
from reconciler.declare.load import load
from reconciler.model.state import Scope
from reconciler.model.statement import HazardKind
from reconciler.pipeline import Job
from reconciler.plan.plan import Plan
from reconciler.plan.prove import prove_plan
from reconciler.report.progress import Lines
from reconciler.server.connection import connect
from tests.conftest import MAJORS, Database, as_application
from tests.installations import installed
from tests.test_cases import CASES, job_of, undo

EVERY_CUT = "RECONCILE_TEST_EVERY_CUT" in os.environ  # else after three of the steps
POLICY = LockPolicy(lock=1, total=5)
NEWEST, OLDEST = MAJORS[0], min({*MAJORS, *installed()})
LEFTOVERS = """
    SELECT x.relname::text FROM pg_index AS i JOIN pg_class AS x ON x.oid = i.indexrelid
    WHERE x.relname LIKE 'reconcile%' OR x.relname ~ '_cc(new|old)' OR NOT (i.indisvalid AND
        i.indisready)
    UNION ALL SELECT conname::text FROM pg_constraint WHERE conparentid = 0 AND (NOT convalidated
        OR conname LIKE 'reconcile%')
    UNION ALL SELECT a.attname::text FROM pg_attribute AS a JOIN pg_class AS c ON c.oid =
        a.attrelid AND c.relkind = 'r'
    WHERE a.attname LIKE 'reconcile%'
    UNION ALL SELECT tgname::text FROM pg_trigger WHERE tgname LIKE '%reconcile%'
    UNION ALL SELECT proname::text FROM pg_proc WHERE proname LIKE 'reconcile%'
    UNION ALL SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhdetachpending"""
PARTITIONED = """
    CREATE TABLE events (id int NOT NULL, at int NOT NULL, who int NOT NULL, note text) PARTITION
        BY RANGE (at);
    CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM (0) TO (100);
    CREATE TABLE events_2 PARTITION OF events FOR VALUES FROM (100) TO (200) PARTITION BY LIST
        (who);
    CREATE TABLE events_2_a PARTITION OF events_2 FOR VALUES IN (0, 1);
    CREATE TABLE events_2_b PARTITION OF events_2 DEFAULT;
    CREATE TABLE events_3 PARTITION OF events DEFAULT;
    INSERT INTO events SELECT n, n, n % 4, n FROM generate_series(1, 300) AS n;
"""
OLD = PARTITIONED + "CREATE INDEX events_who ON events (who, at);"
INDEX = "tables: {events: {indexes: {events_who: {on: [who, at], unique: true}}}}"
REPLACED = (
    "tables: {events: {indexes: {events_who: {on: [who, at DESC], options: {fillfactor: 70}}}}}"
)
Made = Callable[..., tuple[Database, Job]]


@pytest.fixture
def job(new_database: Callable[..., Database], tmp_path: Path) -> Made:
    def make(declared: str, script: str, major: int = NEWEST) -> tuple[Database, Job]:
        database = new_database(script, major)
        file = tmp_path / "state.yml"
        file.write_text(declared)
        declaration = load(file)
        return database, Job(database.url, declaration, Scope(declaration.schemas))

    return make


def apply(job: Job, plan: Plan | None = None) -> None:
    """Apply and expect success."""
    plan = plan or pipeline.plan_changes(job)
    outcome = pipeline.apply_plan(plan, job, job.target, Lines(lambda _: None), POLICY, ["all"])
    assert (outcome.failed, outcome.skipped, outcome.left) == (0, 0, ()), [
        s.error for s in outcome.steps
    ]


def run_until(database: Database, plan: Plan, transactions: int) -> None:
    """Run the first transactions of a plan, as if the run was killed after them."""
    with connect(database.url) as connection:
        connection.execute("SET search_path TO ''")
        for group in plan.transactions()[:transactions]:
            with connection.transaction() if group[0].transaction else contextlib.nullcontext():
                for step in group:
                    connection.execute(step.sql.encode())


def indexes(database: Database) -> list[object]:
    """Return the oids of all indexes; a rebuilt index gets another one."""
    return [
        r[0]
        for r in database.rows(
            "SELECT indexrelid::int8 FROM pg_index WHERE indrelid >= 16384 ORDER BY 1"
        )
    ]


@pytest.fixture(params=sorted({NEWEST, OLDEST}), ids=lambda m: f"pg{m}")
def major(request: pytest.FixtureRequest) -> int:
    """Return the newest version, with RECONCILE_TEST_POSTGRES also the oldest available one."""
    if request.param != NEWEST and not installed():
        pytest.skip("the newest is enough here; with RECONCILE_TEST_POSTGRES also the oldest")
    return request.param


KEYED = (
    "CREATE TABLE t (id int NOT NULL, code text, n int); "
    "INSERT INTO t SELECT g, g, g FROM generate_series(1, 300) AS g;"
)
REFERRED = (
    KEYED
    + """
    ALTER TABLE t ADD CONSTRAINT t_pkey PRIMARY KEY (id);
    CREATE TABLE c (id int REFERENCES t ON DELETE CASCADE);
    INSERT INTO c SELECT generate_series(1, 300);
    COMMENT ON CONSTRAINT c_id_fkey ON c IS 'whose';"""
)
COUNTED = """
    CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, code text, n int NOT NULL
        DEFAULT 7 CHECK (n >= 0),
                    parent int REFERENCES t);
    INSERT INTO t (code, n, parent) SELECT g, g, nullif(g / 2, 0) FROM generate_series(1, 300) AS g;
    CREATE INDEX t_n ON t (n DESC) INCLUDE (code) WHERE code <> '';
    CREATE TABLE c (id int REFERENCES t ON DELETE CASCADE);
    INSERT INTO c SELECT generate_series(1, 300);
    CREATE VIEW v AS SELECT t.id, t.n FROM t WHERE n > 0;
    GRANT SELECT ON v TO PUBLIC;"""
RETYPED = "{type: bigint, retype: online}"
WIDER = (
    f"tables: {{t: {{columns: {{id: {RETYPED}, n: {RETYPED}, parent: {RETYPED}}}}}, c: "
    f"{{columns: {{id: {RETYPED}}}}}}}"
)
REFERRING = (
    PARTITIONED
    + "CREATE TABLE people (id int PRIMARY KEY); INSERT INTO people SELECT generate_series(0, 3);"
)
RANDOM = "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 12000);"
RECIPES = {
    "a column with another value in each row": (
        RANDOM,
        (
            "tables: {t: {columns: {token: {type: uuid, default: gen_random_uuid(), comment: for "
            "each its own}}}}"
        ),
        (
            "ALTER TABLE t ADD COLUMN token uuid DEFAULT gen_random_uuid(); "
            "COMMENT ON COLUMN t.token IS 'for each its own'"
        ),
    ),
    "the same without nulls": (
        RANDOM,
        "tables: {t: {columns: {token: {type: uuid, default: gen_random_uuid(), not_null: true}}}}",
        "ALTER TABLE t ADD COLUMN token uuid NOT NULL DEFAULT gen_random_uuid()",
    ),
    "a column that may be null is filled": (
        RANDOM,
        "tables: {t: {columns: {twice: {type: int, backfill: id * 2}}}}",
        "ALTER TABLE t ADD COLUMN twice int",
    ),
    "index of a partitioned table": (
        PARTITIONED,
        INDEX,
        "CREATE UNIQUE INDEX events_who ON events (who, at)",
    ),
    "another one in its place": (
        OLD,
        REPLACED,
        (
            "DROP INDEX events_who; CREATE INDEX events_who ON events (who, at DESC) WITH "
            "(fillfactor = 70)"
        ),
    ),
    "primary key of a partitioned table": (
        PARTITIONED,
        "tables: {events: {constraints: {events_pkey: {primary_key: [who, at]}}}}",
        "ALTER TABLE events ADD PRIMARY KEY (who, at)",
    ),
    "unique constraint of a partitioned table in the place of another": (
        PARTITIONED + "ALTER TABLE events ADD CONSTRAINT once UNIQUE (who, at)",
        "tables: {events: {constraints: {once: {unique: [who, at, id], deferrable: deferred}}}}",
        (
            "ALTER TABLE events DROP CONSTRAINT once, ADD CONSTRAINT once UNIQUE (who, at, id) "
            "DEFERRABLE INITIALLY DEFERRED"
        ),
    ),
    "primary key in the place of another": (
        REFERRED,
        "tables: {t: {constraints: {t_pkey: {primary_key: id, include: [code]}}}}",
        """ALTER TABLE c DROP CONSTRAINT c_id_fkey;
        ALTER TABLE t DROP CONSTRAINT t_pkey, ADD PRIMARY KEY (id) INCLUDE (code);
        ALTER TABLE c ADD FOREIGN KEY (id) REFERENCES t ON DELETE CASCADE;
        COMMENT ON CONSTRAINT c_id_fkey ON c IS 'whose'""",
    ),
    "other types of a key and of what refers to it": (
        COUNTED,
        WIDER,
        """DROP VIEW v;
        ALTER TABLE t ALTER id TYPE bigint, ALTER n TYPE bigint, ALTER parent TYPE bigint;
        ALTER TABLE c ALTER id TYPE bigint;
        CREATE VIEW v AS SELECT t.id, t.n FROM t WHERE n > 0;
        GRANT SELECT ON v TO PUBLIC""",
    ),
    "foreign key of a partitioned table": (
        REFERRING,
        (
            "tables: {events: {constraints: {events_who_fkey: {foreign_key: who, references: "
            "people}}}}"
        ),
        "ALTER TABLE events ADD FOREIGN KEY (who) REFERENCES people",
    ),
}

FILLED = {
    "a column with another value in each row": "token",
    "the same without nulls": "token",
    "a column that may be null is filled": "twice",
}


@pytest.mark.parametrize("recipe", RECIPES)
def test_an_online_recipe_equals_plain_ddl(
    job: Made, new_database: Callable[..., Database], recipe: str, major: int
) -> None:
    script, declared, ddl = RECIPES[recipe]
    database, made = job(declared, script, major)
    before = database.dump()
    plan = pipeline.plan_changes(made)
    assert not plan.hazards()
    apply(made, plan)
    assert database.dump() == new_database(f"{script};{ddl}", major).dump()
    assert database.rows(LEFTOVERS) == []
    undo(plan, database)
    assert database.dump() == before
    table = "events" if PARTITIONED in script else "t"
    assert database.value(f"SELECT count(*) FROM {table}") == new_database(script, major).value(
        f"SELECT count(*) FROM {table}"
    )


@pytest.mark.parametrize("recipe", RECIPES)
def test_an_online_recipe_resumes_after_any_step(
    job: Made, new_database: Callable[..., Database], recipe: str, major: int
) -> None:
    script, declared, ddl = RECIPES[recipe]
    after = new_database(f"{script};{ddl}", major).dump()
    database, made = job(declared, script, major)
    plan = pipeline.plan_changes(made)
    last = len(plan.transactions()) - 1
    for done in range(1, last + 1) if EVERY_CUT else sorted({1, (last + 1) // 2, last}):
        database, new_job = job(declared, script, major)
        started = indexes(database)
        run_until(database, plan, done)
        there = indexes(database)
        apply(new_job)
        assert set(database.dump()) ^ set(after) == set(), done
        assert database.rows(LEFTOVERS) == []
        lost = set(there) - set(started) - set(indexes(database))
        assert not lost, f"built again after {done}: {lost}"
        if filled := FILLED.get(recipe):
            assert database.value(f"SELECT count(*) FROM t WHERE {filled} IS NULL") == 0


def test_partition_indexes_are_built_concurrently(job: Made, major: int) -> None:
    _, made = job(INDEX, PARTITIONED, major)
    plan = pipeline.plan_changes(made)
    for step in plan.steps:
        if step.transactional:
            assert "ON ONLY" in step.sql or "ATTACH PARTITION" in step.sql
        else:
            assert "CONCURRENTLY" in step.sql


DECLARED = (
    "tables: {t: {indexes: {t_n: {on: n}}, constraints: {small: {check: n < 1000}, "
    "t_code: {unique: code}}}}"
)
BUSY = (
    "CREATE TABLE t (id int NOT NULL, code text, n int); "
    "INSERT INTO t SELECT g, g, g FROM generate_series(1, 300) AS g;"
)


def run_until_lock_timeout(database: Database, sql: str) -> None:
    """Run a command behind a transaction that writes to the table, until `lock_timeout`."""
    with psycopg.connect(database.url) as holder, as_application(database.url) as connection:
        holder.execute("LOCK TABLE t IN ROW EXCLUSIVE MODE")
        connection.execute("SET lock_timeout = '200ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            connection.execute(sql.encode())


def cancelled_build(database: Database) -> None:
    run_until_lock_timeout(database, "CREATE INDEX CONCURRENTLY t_n ON t (n)")


def build_that_found_duplicates(database: Database) -> None:
    """Leave the indexes of a failed build and of a failed REINDEX."""
    database.run("UPDATE t SET n = 1 WHERE id < 3")
    with as_application(database.url) as connection:
        for sql in (
            b"CREATE UNIQUE INDEX CONCURRENTLY t_n ON t (n)",
            b"REINDEX INDEX CONCURRENTLY t_n",
            b"REINDEX INDEX CONCURRENTLY t_n",
        ):
            with pytest.raises(psycopg.errors.UniqueViolation):
                connection.execute(sql)


def cancelled_reindex(database: Database) -> None:
    database.run("CREATE INDEX t_n ON t (n)")
    run_until_lock_timeout(database, "REINDEX INDEX CONCURRENTLY t_n")
    run_until_lock_timeout(database, "REINDEX INDEX CONCURRENTLY t_n")


def cancelled_drop(database: Database) -> None:
    database.run("CREATE INDEX t_n ON t (n)")
    run_until_lock_timeout(database, "DROP INDEX CONCURRENTLY t_n")


def constraint_not_validated(database: Database) -> None:
    database.run("ALTER TABLE t ADD CONSTRAINT small CHECK (n < 1000) NOT VALID")


def key_index_not_attached(database: Database) -> None:
    """Leave the built index of a key, and an invalid one."""
    database.run("CREATE UNIQUE INDEX reconcile_8ca1d0ec7d9e ON t (id)")
    run_until_lock_timeout(
        database, "CREATE UNIQUE INDEX CONCURRENTLY reconcile_0123456789ab ON t (code)"
    )


LEFTOVERS_OF = (
    cancelled_build,
    build_that_found_duplicates,
    cancelled_reindex,
    cancelled_drop,
    constraint_not_validated,
    key_index_not_attached,
)


@pytest.mark.parametrize("leave", LEFTOVERS_OF, ids=lambda f: f.__name__)
def test_one_apply_finishes_the_work_of_others(
    job: Made, leave: Callable[[Database], None], major: int
) -> None:
    clean, made = job(DECLARED, BUSY, major)
    apply(made)
    database, made = job(DECLARED, BUSY, major)
    leave(database)
    assert database.rows(LEFTOVERS)
    apply(made)
    assert database.rows(LEFTOVERS) == []
    assert database.dump() == clean.dump()
    assert pipeline.plan_changes(made).in_sync


def test_an_interrupted_detach_is_finished(
    job: Made, new_database: Callable[..., Database], major: int
) -> None:
    script = (
        PARTITIONED.replace(" PARTITION OF events DEFAULT", " (LIKE events)").replace("300", "199")
        + """
        ALTER TABLE events ADD PRIMARY KEY (who, at);
        ALTER TABLE events ALTER note SET DEFAULT 'none', ADD CHECK (id > 0);
        CREATE INDEX ON events (note);"""
    )
    database, made = job("tables: {events: {comment: what happened}}", script, major)
    with psycopg.connect(database.url) as holder, as_application(database.url) as connection:
        holder.execute("SELECT count(*) FROM events")
        connection.execute("SET lock_timeout = '200ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            connection.execute("ALTER TABLE events DETACH PARTITION events_1 CONCURRENTLY")
    assert database.rows(LEFTOVERS) == [("events_1",)]
    apply(made)
    other = new_database(script + "; COMMENT ON TABLE events IS 'what happened'", major)
    with as_application(other.url) as connection:
        connection.execute("ALTER TABLE events DETACH PARTITION events_1 CONCURRENTLY")
    assert set(database.dump()) ^ set(other.dump()) == set()
    assert database.rows(LEFTOVERS) == []
    assert pipeline.plan_changes(made).in_sync


TREE = """
    CREATE TABLE events (id int, at int NOT NULL) PARTITION BY RANGE (at);
    CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM (0) TO (100);
    CREATE TABLE events_2 PARTITION OF events FOR VALUES FROM (100) TO (200);
    INSERT INTO events SELECT n, n FROM generate_series(1, 199) AS n;
"""
PARTITIONS = """
tables:
  events:
    constraints: {once: {unique: [id, at]}}
    indexes: {events_id: {on: id}, events_even: {on: id, where: id % 2 = 0}}
  events_1: {state: absent}
  events_4: {partition_of: public.events, values: FOR VALUES FROM (400) TO (500)}
"""


def test_partitions_change_together_with_a_shared_index(
    job: Made, new_database: Callable[..., Database], major: int
) -> None:
    database, made = job(PARTITIONS, TREE, major)
    apply(made)
    ddl = """
        DROP TABLE events_1;
        ALTER TABLE events ADD CONSTRAINT once UNIQUE (id, at);
        CREATE INDEX events_id ON events (id);
        CREATE INDEX events_even ON events (id) WHERE id % 2 = 0;
        CREATE TABLE events_4 PARTITION OF events FOR VALUES FROM (400) TO (500)"""
    assert database.rows(LEFTOVERS) == []
    assert len(database.dump()) == len(new_database(TREE + ddl, major).dump())
    assert pipeline.plan_changes(made).in_sync


NULLABLE = TREE.replace("at int NOT NULL", "at int")


@pytest.mark.parametrize("columns", ["", "columns: {id: {not_null: true}, at: {not_null: true}}, "])
def test_a_primary_key_on_nullable_columns(job: Made, columns: str, major: int) -> None:
    database, made = job(
        f"tables: {{events: {{{columns}constraints: {{events_pkey: {{primary_key: [id, at]}}}}}}}}",
        NULLABLE,
        major,
    )
    plan = pipeline.plan_changes(made)
    assert not plan.hazards()
    apply(made, plan)
    assert database.rows(LEFTOVERS) == []
    assert (
        database.value(
            "SELECT count(*) FROM pg_constraint WHERE contype = 'p' AND connamespace = "
            "'public'::regnamespace"
        )
        == 3
    )


def test_matching_indexes_of_others_are_reused(
    job: Made, new_database: Callable[..., Database], major: int
) -> None:
    """An index with another name, a failed one, and an unfinished key exist."""
    begun = """
        CREATE INDEX somebodys ON events_1 (id);
        ALTER TABLE ONLY events ADD CONSTRAINT once UNIQUE (id, at);
        ALTER TABLE events_1 ADD CONSTRAINT events_1_id_at_key UNIQUE (id, at);
        ALTER INDEX once ATTACH PARTITION events_1_id_at_key;"""
    declared = (
        "tables: {events: {constraints: {once: {unique: [id, at]}}, indexes: {events_id: "
        "{on: id}}}}"
    )
    database, made = job(declared, TREE + begun, major)
    with as_application(database.url) as connection, contextlib.suppress(UniqueViolation):
        connection.execute("INSERT INTO events VALUES (101, 102)")
        connection.execute("CREATE UNIQUE INDEX CONCURRENTLY events_2_id_idx ON events_2 (id)")
    there = indexes(database)
    before = database.dump()
    plan = pipeline.plan_changes(made)
    apply(made, plan)
    # PostgreSQL attaches the existing index under its own name.
    ddl = "CREATE INDEX somebodys ON events_1 (id);"
    ddl += (
        "ALTER TABLE events ADD CONSTRAINT once UNIQUE (id, at); "
        "CREATE INDEX events_id ON events (id)"
    )
    assert set(database.dump()) ^ set(new_database(TREE + ddl, major).dump()) == set()
    assert len(set(there) - set(indexes(database))) == 1
    assert database.rows(LEFTOVERS) == []
    undo(plan, database)
    assert any("somebodys" in line for line in database.dump() if line in before)


def test_referencing_foreign_keys_are_validated_after_the_swap(job: Made, major: int) -> None:
    """Foreign keys are added NOT VALID with the swap: no row is read under lock."""
    _, made = job(RECIPES["primary key in the place of another"][1], REFERRED, major)
    plan = pipeline.plan_changes(made)
    together = next(g for g in plan.transactions() if len(g) > 1)
    assert [
        s.sql.split(" ADD CONSTRAINT ")[-1].split()[0] for s in together if " ADD " in s.sql
    ] == ["t_pkey", "c_id_fkey"]
    assert all("USING INDEX" in s.sql or "NOT VALID" in s.sql for s in together if " ADD " in s.sql)


def test_an_exclusion_constraint_estimates_its_lock_time(job: Made) -> None:
    script = BUSY + "INSERT INTO t SELECT g, g, g FROM generate_series(301, 60000) AS g; ANALYZE t;"
    _, made = job("tables: {t: {constraints: {apart: {exclude: USING btree (id WITH =)}}}}", script)
    reasons = pipeline.plan_changes(made).hazards()[HazardKind.BLOCKS_READS]
    assert len(reasons) == 1
    assert "about 60,000 rows: about 1 s, if 50 MB are read a second" in reasons[0]


def test_foreign_partitions_are_left_without_index(
    job: Made, new_database: Callable[..., Database], major: int
) -> None:
    script = (
        TREE
        + """
        CREATE FOREIGN DATA WRAPPER nowhere; CREATE SERVER far FOREIGN DATA WRAPPER nowhere;
        CREATE FOREIGN TABLE events_far PARTITION OF events DEFAULT SERVER far;"""
    )
    database, made = job("tables: {events: {indexes: {events_id: {on: id}}}}", script, major)
    plan = pipeline.plan_changes(made)
    assert not plan.hazards()
    apply(made, plan)
    assert (
        set(database.dump())
        ^ set(new_database(script + "CREATE INDEX events_id ON events (id)", major).dump())
        == set()
    )
    assert database.rows(LEFTOVERS) == []
    undo(plan, database)
    assert database.dump() == new_database(script, major).dump()


def test_referenced_keys_of_partitioned_tables(
    job: Made, new_database: Callable[..., Database], major: int
) -> None:
    script = (
        TREE
        + """
        ALTER TABLE events ADD PRIMARY KEY (id, at);
        CREATE TABLE c (id int, at int, FOREIGN KEY (id, at) REFERENCES events);
        INSERT INTO c SELECT n, n FROM generate_series(1, 199) AS n;"""
    )
    database, made = job(
        (
            "tables: {events: {constraints: {events_pkey: {primary_key: [id, at], options: "
            "{fillfactor: 70}}}}}"
        ),
        script,
        major,
    )
    plan = pipeline.plan_changes(made)
    assert not plan.hazards()
    apply(made, plan)
    assert database.rows(LEFTOVERS) == []
    assert pipeline.plan_changes(made).in_sync
    undo(plan, database)
    assert set(database.dump()) ^ set(new_database(script, major).dump()) == set()


def test_exclusive_drops_an_unfinished_undeclared_index(job: Made, major: int) -> None:
    half = """
        CREATE INDEX lost ON ONLY events (id);
        CREATE INDEX events_1_lost ON events_1 (id);
        ALTER INDEX lost ATTACH PARTITION events_1_lost;"""
    database, made = job(
        "tables: {events: {exclusive: indexes, indexes: {events_id: {on: at}}}}", TREE + half, major
    )
    with as_application(database.url) as connection, contextlib.suppress(UniqueViolation):
        connection.execute("INSERT INTO events VALUES (101, 102)")
        connection.execute("CREATE UNIQUE INDEX CONCURRENTLY failed ON events_2 (id)")
    apply(made)
    assert database.value(
        "SELECT to_regclass('lost') IS NULL AND to_regclass('failed') IS NOT NULL"
    )


def test_an_enum_with_changed_triggers_is_proven_at_the_first_try(
    new_database: Callable[..., Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    case, tries = CASES / "enum" / "value_added_with_changed_triggers", list[Plan]()

    def counted(plan: Plan, *rest: Any) -> Any:
        tries.append(plan)
        return prove_plan(plan, *rest)

    monkeypatch.setattr(planning, "prove_plan", counted)
    database = new_database((case / "actual.sql").read_text())
    pipeline.plan_changes(job_of(case, database))
    assert len(tries) == 1
