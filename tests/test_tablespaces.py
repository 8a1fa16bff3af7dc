"""Plan, apply and undo moves between tablespaces of the target, which scratch does not have."""

from __future__ import annotations

import os
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path

import pytest
from psycopg import conninfo

from reconciler import pipeline
from reconciler.declare.load import load
from reconciler.errors import DeclarationError, ScratchError
from reconciler.journal.ownership import Place
from reconciler.model.state import Scope
from reconciler.pipeline import Job
from reconciler.plan.plan import Plan
from reconciler.server.connection import connect, run_sql
from reconciler.server.kept import start_embedded
from reconciler.server.locks import LockPolicy
from tests.conftest import Database
from tests.test_cases import quiet

FAST, SLOW = f"fast_{os.getpid()}", f"slow_{os.getpid()}"
ACTUAL = f"""
    CREATE TABLE moved (id int CONSTRAINT k PRIMARY KEY USING INDEX TABLESPACE {SLOW}, n int)
        TABLESPACE {SLOW};
    CREATE INDEX i ON moved (n) TABLESPACE {SLOW};
    CREATE MATERIALIZED VIEW v TABLESPACE {SLOW} AS SELECT id FROM moved;
    CREATE TABLE leaves (id int) TABLESPACE {SLOW};
    CREATE TABLE undeclared (id int) TABLESPACE {SLOW}"""
DECLARED = f"""
tables:
  moved:
    tablespace: {FAST}
    constraints: {{k: {{primary_key: id, tablespace: {FAST}}}}}
    indexes: {{i: {{on: n, tablespace: {FAST}}}}}
  leaves: {{tablespace: null}}
  fresh:
    columns: {{id: int}}
    tablespace: {FAST}
    constraints:
      fresh_x: {{exclude: USING btree (id WITH =) WHERE (id > 0), tablespace: {SLOW}}}
    indexes: {{fresh_i: {{on: id, tablespace: {SLOW}}}}}
materialized_views:
  v: {{tablespace: {FAST}}}
"""


@pytest.fixture
def with_tablespaces(database: Database) -> Generator[Database]:
    """Make two tablespaces on the target; drop them after the test."""
    administrator = conninfo.make_conninfo(database.url, dbname="postgres")
    with connect(administrator) as connection:
        run_sql(connection, "SET allow_in_place_tablespaces = on")
        for own in (FAST, SLOW):
            run_sql(connection, f"CREATE TABLESPACE {own} LOCATION ''")
        yield database
        run_sql(connection, f"DROP DATABASE {name_of(database)} WITH (FORCE)")
        for own in (FAST, SLOW):
            run_sql(connection, f"DROP TABLESPACE IF EXISTS {own}")


def name_of(database: Database) -> str:
    return str(conninfo.conninfo_to_dict(database.url)["dbname"])


def run_sql_on_server(database: Database, command: str) -> None:
    with connect(conninfo.make_conninfo(database.url, dbname="postgres")) as connection:
        run_sql(connection, command)


def job_of(database: Database, declared: str, folder: Path) -> Job:
    file = folder / "state.yml"
    file.write_text(declared)
    declaration = load(file)
    return Job(database.url, declaration, Scope(declaration.schemas))


def apply(plan: Plan, job: Job) -> None:
    outcome = pipeline.apply_plan(plan, job, job.target, quiet(), LockPolicy(), ["all"])
    assert (outcome.failed, outcome.skipped, outcome.left) == (0, 0, ())


def in_slow_and_fast(database: Database) -> tuple[str, str]:
    """Return the names of the relations in both tablespaces, those of the database left out."""
    found = database.rows(
        "SELECT spcname::text, string_agg(relname, ' ' ORDER BY relname)"
        " FROM pg_class AS c JOIN pg_tablespace AS s ON s.oid = c.reltablespace"
        " WHERE relnamespace = 'public'::regnamespace GROUP BY 1"
    )
    names = {str(place): str(names) for place, names in found}
    return names.get(SLOW, ""), names.get(FAST, "")


def test_relations_move_between_tablespaces(with_tablespaces: Database, tmp_path: Path) -> None:
    """They do so also where the database has another usual tablespace than pg_default."""
    database = with_tablespaces
    database.run(ACTUAL)
    job = job_of(database, DECLARED, tmp_path)
    before = in_slow_and_fast(database)
    assert before == ("i k leaves moved undeclared v", "")
    apply(pipeline.plan_changes(job), job)
    assert in_slow_and_fast(database) == ("fresh_i fresh_x undeclared", "fresh i k moved v")
    assert pipeline.plan_changes(job).in_sync
    apply(*pipeline.plan_rollback(database.url, Place(), None))
    assert in_slow_and_fast(database) == before

    run_sql_on_server(database, f"ALTER DATABASE {name_of(database)} SET TABLESPACE {FAST}")
    assert in_slow_and_fast(database) == before
    plan = pipeline.plan_changes(job)
    assert f"ALTER TABLE public.leaves SET TABLESPACE {FAST}" in [s.sql for s in plan.steps]
    apply(plan, job)
    assert in_slow_and_fast(database) == ("fresh_i fresh_x undeclared", "")
    assert pipeline.plan_changes(job).in_sync


def test_a_tablespace_that_is_missing_is_named(with_tablespaces: Database, tmp_path: Path) -> None:
    database = with_tablespaces
    declared = f"tables:\n  t:\n    columns: {{id: int}}\n    tablespace: {SLOW}"
    job = job_of(database, declared, tmp_path)
    assert pipeline.plan_changes(job).steps
    other = start_embedded("without-tablespaces").database("scratch")
    with pytest.raises(ScratchError, match=f"lacks tablespace {SLOW}, .* needs: create it there"):
        pipeline.plan_changes(replace(job, scratch=other))
    run_sql_on_server(database, f"DROP TABLESPACE {SLOW}")
    with pytest.raises(DeclarationError, match=f'tablespace "{SLOW}" does not exist') as told:
        pipeline.plan_changes(job)
    assert "state.yml:4" in str(told.value)
