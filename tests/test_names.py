"""Test names with dots, quotes and capitals next to similar ones: recipes, locks and rollback."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from psycopg import conninfo, sql

from reconciler import pipeline
from reconciler.journal.ownership import Place
from reconciler.pipeline import Job
from reconciler.server.connection import connect
from reconciler.server.locks import LockPolicy, holders
from reconciler.sql import spellings
from tests.conftest import Database
from tests.test_execute import RecordingWatcher
from tests.test_locks import applying, job_of, wait_until

BEFORE = """
    CREATE SCHEMA {schema}; CREATE SCHEMA a; CREATE TABLE a."b.c.d" (id int PRIMARY KEY);
    CREATE TABLE {schema}."c.d" ("i.d" int PRIMARY KEY, n int, "M" text);
    INSERT INTO {schema}."c.d" SELECT g, g % 10, g FROM generate_series(1, 100) AS g;
    CREATE TABLE {schema}."p""q" (id int PRIMARY KEY);
    INSERT INTO {schema}."p""q" SELECT generate_series(0, 9);
    CREATE INDEX "old.x" ON {schema}."c.d" (n);
    CREATE VIEW {schema}."v.w" AS SELECT n FROM {schema}."c.d";"""
DECLARED = """
schema: '{schema}'
tables:
  '"c.d"':
    comment: odd
    row_level_security: true
    columns:
      n: {{not_null: true, default: 3}}
      '"new.n"': {{type: int, not_null: true, backfill: {{value: n + 1}}}}
      '"token.t"': {{type: uuid, not_null: true, default: gen_random_uuid()}}
      '"se.q"': {{type: bigint, identity: {{generated: always, cache: 5}}}}
    constraints:
      '"un.ique"': {{unique: [M]}}
      '"che.ck"': {{check: n >= 0}}
      '"f.k"': {{foreign_key: n, references: '{schema}."p""q"(id)'}}
    indexes:
      '"old.x"': {{on: [n, '"M"']}}
      '"new.x"': {{on: ['"M"']}}
    policies: {{'"po.l"': {{using: n > 1}}}}
views:
  '"v.w"': {{query: 'SELECT n, "M" FROM {schema}."c.d"'}}
"""
ODD = ['"a.b"', '"A""b."']


def prepared(
    schema: str, new_database: Callable[..., Database], folder: Path
) -> tuple[Database, Job]:
    database = new_database(BEFORE.format(schema=schema))
    return database, job_of(database, DECLARED.format(schema=schema), folder)


@pytest.mark.parametrize("schema", ODD)
def test_every_recipe_and_its_rollback(
    schema: str, new_database: Callable[..., Database], tmp_path: Path
) -> None:
    database, job = prepared(schema, new_database, tmp_path)
    before = database.dump()
    with applying(job, RecordingWatcher(), LockPolicy()) as outcomes:
        pass
    assert [s.error for s in outcomes[0].steps if s.error] == []
    assert (outcomes[0].failed, outcomes[0].skipped, outcomes[0].left) == (0, 0, ())
    assert database.value(f'SELECT count(*) FROM {schema}."c.d" WHERE "new.n" = n + 1') == 100
    back, way = pipeline.plan_rollback(database.url, Place(), None)
    assert (
        pipeline.apply_plan(
            back, way, database.url, RecordingWatcher(), LockPolicy(), ["all"]
        ).failed
        == 0
    )
    assert database.dump() == before


@pytest.mark.parametrize("schema", ODD)
def test_locks_on_quoted_names_are_waited_for(
    schema: str, new_database: Callable[..., Database], tmp_path: Path
) -> None:
    database, _ = prepared(schema, new_database, tmp_path)
    job, notes = (
        job_of(
            database,
            f"schema: '{schema}'\ntables: {{'\"c.d\"': {{columns: {{n: {{default: 4}}}}}}}}",
            tmp_path,
        ),
        RecordingWatcher(),
    )
    with psycopg.connect(database.url) as idle:
        pid = idle.info.backend_pid
        idle.execute(sql.SQL(f'SELECT FROM {schema}."c.d"'))  # pyright: ignore[reportArgumentType]
        time.sleep(0.5)
        with applying(job, notes, LockPolicy()) as outcomes:
            wait_until(lambda: notes.waits)
            idle.rollback()
    assert outcomes[0].failed == 0
    assert outcomes[0].steps[0].attempts == 1  # no lock was requested
    assert f"pid {pid} " in notes.waits[0]


@pytest.mark.parametrize("schema", ODD)
def test_a_role_that_owns_the_changed_objects_may_apply(
    schema: str, new_database: Callable[..., Database], tmp_path: Path
) -> None:
    database, made = prepared(schema, new_database, tmp_path)
    database.run(f"""DO $$ BEGIN CREATE ROLE odd LOGIN;
        EXCEPTION WHEN duplicate_object OR unique_violation THEN END $$;
        ALTER SCHEMA {schema} OWNER TO odd; ALTER TABLE {schema}."c.d" OWNER TO odd;
        ALTER TABLE {schema}."p""q" OWNER TO odd;
        ALTER VIEW {schema}."v.w" OWNER TO odd;""")
    job = Job(conninfo.make_conninfo(database.url, user="odd"), made.declaration, made.scope)
    with applying(job, RecordingWatcher(), LockPolicy()) as outcomes:
        pass
    assert (outcomes[0].failed, outcomes[0].skipped, outcomes[0].left) == (0, 0, ())


def test_dotted_names_are_resolved() -> None:
    assert spellings("public.t") == ["public.t"]
    assert spellings("a.b.c", "a") == ['a."b.c"']
    assert spellings("a.b.c", "a.b") == ['"a.b".c']
    assert spellings("a.b.c") == ['a."b.c"', '"a.b".c']
    assert '"a.b"."c.d"' in spellings('"a.b"."c.d"')
    assert spellings("t") == ["t"]


def test_quoted_names_are_found_in_pg_locks(new_database: Callable[..., Database]) -> None:
    database = new_database(BEFORE.format(schema='"a.b"'))
    with psycopg.connect(database.url) as idle, connect(database.url) as own:
        idle.execute('SELECT FROM "a.b"."c.d"')
        for spelled in ("a.b.c.d", '"a.b"."c.d"'):
            assert [b.pid for b in holders(own, {spelled: "ACCESS EXCLUSIVE"})] == [
                idle.info.backend_pid
            ]
        assert holders(own, {'a."b.c.d"': "ACCESS EXCLUSIVE"}) == []
