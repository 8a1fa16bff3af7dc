"""Test the notes about functions of other roles that a plan runs as the role that applies it."""

from __future__ import annotations

from pathlib import Path

from reconciler import pipeline
from reconciler.declare.load import load
from reconciler.model.state import Scope
from reconciler.pipeline import Job
from tests.conftest import Database

SCRIPT = """
    DO $$BEGIN CREATE ROLE evaluated_mallory; EXCEPTION WHEN duplicate_object THEN NULL; END$$;
    CREATE FUNCTION public.f(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN 1; END';
    CREATE FUNCTION public.h(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN 1; END';
    CREATE DOMAIN public.checked AS int CHECK (public.f(VALUE) = 1);
    CREATE TABLE public.t (id int PRIMARY KEY, s int,
                           g int GENERATED ALWAYS AS (public.f(id)) STORED);
    CREATE TABLE public.mine (id int PRIMARY KEY);
    ALTER FUNCTION public.f(int) OWNER TO evaluated_mallory;
"""
DECLARED = """
tables:
  t:
    columns:
      d: {type: checked}
    constraints:
      c: {check: public.f(id) > 0}
      own: {check: public.h(id) > 0}
      plain: {check: id > 0}
    indexes:
      i: {on: (public.f(id))}
  mine:
    columns:
      v: {type: int, default: public.f(1)}
  new:
    columns: {id: {type: int, default: public.f(1)}}
"""


def notes(database: Database, file: Path, declared: str) -> list[str]:
    file.write_text(declared)
    declaration = load(file)
    job = Job(database.url, declaration, Scope(declaration.schemas))
    return [n.split(":")[0] for n in pipeline.plan_changes(job).notes if "evaluates" in n]


def test_functions_of_others_that_a_plan_evaluates_are_named(
    database: Database, tmp_path: Path
) -> None:
    database.run(SCRIPT)
    file = tmp_path / "state.yml"
    code = "evaluates function public.f(integer), a function of evaluated_mallory, as postgres"
    assert sorted(notes(database, file, DECLARED)) == [
        f"column public.mine.v {code}, who applies the plan",
        f"column public.t.d {code}, who applies the plan",
        f"column public.t.g {code}, who applies the plan",  # a column with a CHECK: a rewrite
        f"constraint c on public.t {code}, who applies the plan",
    ]
    rewritten = "tables: {t: {columns: {s: bigint}}}"
    assert notes(database, file, rewritten) == [f"column public.t.g {code}, who applies the plan"]
    assert notes(database, file, "tables: {t: {comment: one}}") == []


def test_functions_that_fill_a_materialized_view_are_named(
    database: Database, tmp_path: Path
) -> None:
    """CREATE fills before OWNER TO; REFRESH runs as the owner. A column's default is not read."""
    database.run(
        SCRIPT
        + """
        GRANT CREATE ON SCHEMA public TO evaluated_mallory;
        ALTER TABLE public.mine ADD COLUMN d int DEFAULT public.f(1);
        CREATE VIEW public.through AS SELECT public.f(id) AS n FROM public.mine;
        CREATE MATERIALIZED VIEW public.late AS SELECT public.f(1) AS n WITH NO DATA;
        CREATE MATERIALIZED VIEW public.own AS SELECT public.f(1) AS n WITH NO DATA;
        ALTER MATERIALIZED VIEW public.late OWNER TO evaluated_mallory;"""
    )
    declared = """
materialized_views:
  direct: {query: SELECT public.f(id) AS n FROM public.mine}
  empty: {query: SELECT public.f(id) AS n FROM public.mine, with_data: false}
  given: {query: SELECT n FROM public.through, owner: evaluated_mallory}
  late: {query: SELECT public.f(1) AS n, with_data: true}
  own: {query: SELECT public.f(1) AS n, with_data: true}
  plain: {query: SELECT d FROM public.mine}
"""
    code = "evaluates function public.f(integer), a function of evaluated_mallory, as postgres"
    assert sorted(notes(database, tmp_path / "state.yml", declared)) == [
        f"materialized_view public.{name} {code}, who applies the plan"
        for name in ("direct", "given", "own")
    ]
