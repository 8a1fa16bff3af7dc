"""Test fingerprints: a saved plan is refused if and only if related objects have changed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler import pipeline
from reconciler.apply.guards import guards
from reconciler.declare.load import load
from reconciler.errors import PlanRefused
from reconciler.introspect.introspect import introspect
from reconciler.model.state import Scope
from reconciler.pipeline import Job
from reconciler.plan.plan import Plan
from reconciler.server.connection import connect
from reconciler.server.locks import LockPolicy
from tests.conftest import Database
from tests.test_cases import quiet

BEFORE = """
    CREATE FUNCTION public.inner_check(n int) RETURNS boolean LANGUAGE sql IMMUTABLE RETURN n > 0;
    CREATE FUNCTION public.may_see(n int) RETURNS boolean LANGUAGE sql IMMUTABLE RETURN
        public.inner_check(n);
    CREATE DOMAIN public.word AS text CHECK (VALUE <> '');
    CREATE TABLE public.t (id int PRIMARY KEY, n int, w public.word);
    CREATE TABLE public.other (id int);
    CREATE TABLE public.parted (id int, n int) PARTITION BY RANGE (id);
    CREATE TABLE public.part PARTITION OF public.parted FOR VALUES FROM (1) TO (9);
    CREATE VIEW public.v1 AS SELECT n FROM public.t;
    CREATE VIEW public.v2 AS SELECT n FROM public.v1;
    CREATE TABLE public.doomed (id int);
"""
INNER = "CREATE OR REPLACE FUNCTION inner_check(n int) RETURNS boolean LANGUAGE sql IMMUTABLE"
INDEX = "tables: {t: {indexes: {i: {on: n}}}}"
POLICY = "tables: {t: {policies: {p: {using: public.may_see(n)}}}}"
RETYPED = "tables: {t: {columns: {n: bigint}}}"
DROPPED = "tables: {doomed: {state: absent}}"
RENAMED = "tables: {renamed: {renamed_from: t, columns: {n: {default: 3}}}}"
IN_SYNC = """
tables: {doomed: {columns: {id: int}}}
functions:
  inner_check(n int): {returns: bool, language: sql, volatility: immutable, body: RETURN n > 0}
"""
INVALID = (
    "CREATE INDEX {0} ON {1} (id); UPDATE pg_index SET indisvalid = false WHERE indexrelid "
    "= '{0}'::regclass"
)
RELATED = [
    (INDEX, INVALID.format("i", "t")),
    (INDEX, INVALID.format("reconcile_aside", "t")),
    ("tables: {t: {constraints: {u: {unique: n}}}}", INVALID.format("u", "t")),
    (INDEX, "DROP VIEW v2, v1; ALTER TABLE t ALTER n TYPE bigint"),
    (INDEX, "ALTER TABLE t RENAME n TO m"),
    (INDEX, "CREATE INDEX i ON other (id)"),
    (
        "tables: {t: {indexes: {i: {on: may_see(n)}}}}",
        INNER + " RETURN n > 1",
    ),
    ("tables: {t: {indexes: {i: {on: w}}}}", "ALTER DOMAIN word ADD CHECK (VALUE <> 'x')"),
    (
        POLICY,
        (
            "CREATE OR REPLACE FUNCTION may_see(n int) RETURNS boolean LANGUAGE sql IMMUTABLE "
            "RETURN "
            "true"
        ),
    ),
    (
        POLICY,
        (
            "CREATE OR REPLACE FUNCTION inner_check(n int) RETURNS boolean LANGUAGE sql IMMUTABLE "
            "RETURN true"
        ),
    ),
    (POLICY, "ALTER TABLE t ENABLE ROW LEVEL SECURITY"),
    ("tables: {part: {indexes: {i: {on: n}}}}", "ALTER TABLE parted ALTER n TYPE bigint"),
    ("tables: {part: {indexes: {i: {on: n}}}}", "ALTER TABLE parted DETACH PARTITION part"),
    (
        "tables: {parted: {indexes: {i: {on: n}}}}",
        "CREATE TABLE more PARTITION OF parted FOR VALUES FROM (9) TO (19)",
    ),
    (RETYPED, "CREATE OR REPLACE VIEW v1 AS SELECT n, 1 AS more FROM t"),
    (RETYPED, "CREATE OR REPLACE VIEW v2 AS SELECT n, 1 AS more FROM v1"),
    (RETYPED, "CREATE VIEW v3 AS SELECT n FROM t"),
    (RETYPED, "CREATE VIEW v3 AS SELECT n FROM v2"),
    (DROPPED, "ALTER TABLE doomed ADD COLUMN precious int"),
    (DROPPED, "CREATE INDEX mine ON doomed (id)"),
    (RENAMED, "ALTER TABLE t ALTER n SET DEFAULT 4"),
    (RENAMED, "CREATE TABLE renamed ()"),
    (IN_SYNC, "DROP TABLE doomed"),
    (IN_SYNC, INNER + " RETURN n > 1"),
    (
        "views: {v2: {query: 'SELECT n, 2 AS two FROM v1'}}",
        "CREATE OR REPLACE VIEW v1 AS SELECT n + 0 AS n FROM t",
    ),
    (
        "tables: {t: {constraints: {c: {foreign_key: n, references: parted2(id)}}}}",
        "ALTER TABLE parted2 DROP CONSTRAINT parted2_pkey",
    ),
]
UNRELATED = [
    (INDEX, INVALID.format("theirs", "other")),
    (POLICY, INVALID.format("theirs", "t")),
    (
        INDEX,
        (
            "CREATE TABLE more (id int); ALTER TABLE other ADD COLUMN m int; "
            "COMMENT ON TABLE other IS 'x'"
        ),
    ),
    (INDEX, "INSERT INTO t VALUES (1, 2, 'x'); ANALYZE t"),
    (
        INDEX,
        (
            "CREATE OR REPLACE FUNCTION may_see(n int) RETURNS boolean LANGUAGE sql IMMUTABLE "
            "RETURN "
            "true"
        ),
    ),
    (INDEX, "GRANT USAGE ON SCHEMA public TO pg_monitor"),
    (INDEX, "CREATE OR REPLACE VIEW v2 AS SELECT n, 1 AS more FROM v1"),
    (POLICY, "GRANT pg_monitor TO pg_signal_backend"),
    (POLICY, "CREATE INDEX mine ON t (w)"),
    (RETYPED, "CREATE INDEX mine ON other (id)"),
    (DROPPED, "CREATE TABLE more (id int)"),
    (IN_SYNC, "CREATE TABLE more (id int)"),
]
Made = Callable[[str], tuple[Database, Plan]]


@pytest.fixture
def plan(new_database: Callable[..., Database], tmp_path: Path) -> Made:
    def make(declared: str) -> tuple[Database, Plan]:
        database = new_database(
            BEFORE
            + ("CREATE TABLE public.parted2 (id int PRIMARY KEY);" if "parted2" in declared else "")
        )
        file = tmp_path / "state.yml"
        file.write_text(declared)
        declaration = load(file)
        return database, pipeline.plan_changes(
            Job(database.url, declaration, Scope(declaration.schemas))
        )

    return make


@pytest.mark.parametrize(("declared", "by_hand"), RELATED)
def test_related_changes_make_a_plan_stale(plan: Made, declared: str, by_hand: str) -> None:
    database, made = plan(declared)
    assert made.in_sync == (declared == IN_SYNC)
    database.run(by_hand)
    with pytest.raises(PlanRefused, match="the target has moved"):
        pipeline.apply_plan(made, None, database.url, quiet(), LockPolicy(), ["all"])


@pytest.mark.parametrize(("declared", "by_hand"), UNRELATED)
def test_unrelated_changes_do_not_make_a_plan_stale(
    plan: Made, declared: str, by_hand: str
) -> None:
    database, made = plan(declared)
    database.run(by_hand)
    with connect(database.url) as connection:
        assert guards(made, introspect(connection)) == []
    database.run("REVOKE pg_monitor FROM pg_signal_backend")
    assert pipeline.apply_plan(made, None, database.url, quiet(), LockPolicy(), ["all"]).failed == 0
