"""Test declarations beside base types, which are not managed: scratch imitates them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from reconciler import pipeline
from reconciler.server.locks import LockPolicy
from tests.conftest import Database
from tests.test_cases import quiet
from tests.test_locks import job_of

BASE = """
    CREATE TYPE public.base;
    CREATE FUNCTION public.base_in(cstring) RETURNS public.base
        LANGUAGE internal IMMUTABLE STRICT AS 'int4in';
    CREATE FUNCTION public.base_out(public.base) RETURNS cstring
        LANGUAGE internal IMMUTABLE STRICT AS 'int4out';
    CREATE TYPE public.base (INPUT = public.base_in, OUTPUT = public.base_out, LIKE = integer);
    CREATE TYPE public.pair AS (one public.base, two integer);
    CREATE TABLE public.t (id integer, b public.base DEFAULT '1', c public.base[])"""
DECLARED = """
types:
  pair: {comment: of two}
tables:
  t:
    columns:
      b: {type: base, not_null: true}
      d: {type: "base[]", default: "'{3}'"}
      e: {type: pair}
    indexes:
      t_id: {on: [id]}
views:
  v: SELECT b, e FROM t
"""


def test_what_stands_on_a_base_type_is_planned_applied_and_undone(
    new_database: Callable[..., Database], each_major: int, tmp_path: Path
) -> None:
    database = new_database(BASE, each_major)
    before = database.dump()
    job = job_of(database, DECLARED, tmp_path)
    plan = pipeline.plan_changes(job)
    assert {c.identity for c in plan.changes} == {
        *("public.pair", "public.t.b", "public.t.d", "public.t.e", "public.t_id", "public.v"),
    }
    outcome = pipeline.apply_plan(plan, job, database.url, quiet(), LockPolicy(), ["all"])
    assert [o.error for o in outcome.steps if o.status == "failed"] == []
    assert database.value("SELECT obj_description('public.pair'::regtype)") == "of two"
    assert pipeline.plan_changes(job).in_sync
    for step in reversed(plan.steps):
        for command in step.undo or ():
            database.run(command)
    assert database.dump() == before
