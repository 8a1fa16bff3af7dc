"""Code that runs on scratch does not reach the plan: bodies are not run, changes are refused."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from reconciler import pipeline
from reconciler.declare.load import load
from reconciler.errors import (
    DeclarationError,
    Problem,
    ProofError,
    ScratchError,
    SettingsError,
    TamperedWith,
)
from reconciler.model.object import Object
from reconciler.model.state import Scope
from reconciler.pipeline import Job
from reconciler.plan.plan import Plan
from reconciler.report import json, markdown, text
from reconciler.server.time_limit import time_limit_of_environment
from tests.conftest import Database

VICTIMS = """
CREATE TABLE public.t (id int PRIMARY KEY, n int DEFAULT 1);
ALTER TABLE public.t ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON public.t USING (n = 0);
CREATE FUNCTION public.g() RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE VIEW public.v AS SELECT n FROM public.t;
CREATE VIEW public.v2 AS SELECT n FROM public.t;
"""
# what the attack does, and what the guard names
ATTACKS = {
    "COMMENT ON FUNCTION public.g() IS ''evil''": "function public.g()",
    "CREATE FUNCTION public.e() RETURNS int LANGUAGE sql AS ''SELECT 1''": "function public.e()",
    "GRANT ALL ON public.t TO PUBLIC": "table public.t",
    "COMMENT ON VIEW public.v IS ''evil''": "view public.v",
    "DROP POLICY own ON public.t": "policy own on public.t",
    "ALTER TABLE public.t ALTER id SET DEFAULT 666": "column public.t.id",
    "DROP VIEW public.v2": "view public.v2",
}
ATTACK = "\n".join(f"BEGIN EXECUTE '{sql}'; EXCEPTION WHEN OTHERS THEN END;" for sql in ATTACKS)
BODY = f"BEGIN\n{ATTACK}\nRETURN 1;\nEND"
FUNCTIONS = """
schema: public
functions:
  h():
    returns: integer
    language: plpgsql
    volatility: immutable
    body: |
      BEGIN
        RETURN public.h_writes();
      END
  h_writes():  # PostgreSQL lets an immutable function write only by way of a volatile one
    returns: integer
    language: plpgsql
    body: |
{body}
"""
PLACES = {
    "materialized view": "materialized_views:\n  m: {query: SELECT public.h() AS n}\n",
    "generated column": "tables:\n  d:\n    columns:\n      a: integer\n"
    "      b: {type: integer, generated: public.h()}\n",
    "index": "tables:\n  d:\n    columns: {a: integer}\n"
    "    indexes:\n      i: {on: (a + public.h()), where: public.h() > 0}\n",
    "domain": "domains:\n  w: {type: integer, constraints: {c: value > public.h()}}\n"
    "tables:\n  d:\n    columns:\n      a: {type: public.w, default: 5::public.w}\n"
    "      b: {type: integer, generated: 7::public.w::integer}\n",
}
BOUND = """
tables:
  t: {columns: {n: bigint}}
  d: {columns: {a: integer}, partition_by: RANGE (a)}
  d1: {partition_of: d, values: "FOR VALUES FROM (0) TO (10 + coalesce(public.h(), 0))"}
"""
FIRED = """
schema: public
functions:
  fires():
    returns: event_trigger
    language: plpgsql
    body: |
{body}
event_triggers:
  fired: {{on: ddl_command_end, execute: public.fires(), enabled: always}}
"""
VALIDATED = """
schema: public
functions:
  validate(text[], oid):
    returns: void
    language: plpgsql
    body: |
{body}
foreign_data_wrappers:
  checked: {{validator: public.validate}}
"""


def indented(body: str) -> str:
    return "\n".join("      " + line for line in body.splitlines())


def planned(folder: Path, database: Database, declared: str) -> Plan:
    (folder / "state.yml").write_text(declared)
    declaration = load(folder)
    return pipeline.plan_changes(Job(database.url, declaration, Scope(declaration.schemas)))


def hostile(place: str, body: str = BODY) -> str:
    return FUNCTIONS.format(body=indented(body)) + PLACES[place]


def is_own(identity: str) -> bool:
    """Tell whether a plan's object is declared by the tests."""
    declared = ("public.h", "public.m", "public.d", "public.i", "public.w")
    return identity.startswith((*declared, "public.fires", "fired", "checked", "public.validate"))


@pytest.fixture
def victims(new_database: Callable[..., Database]) -> Database:
    return new_database(VICTIMS)


def changed_others(folder: Path, database: Database, declared: str) -> set[str]:
    """Return the objects of a plan that are not declared; none, if the proof refuses the plan."""
    with suppress(ProofError):
        plan = planned(folder, database, declared)
        return {c.identity for c in plan.changes if not is_own(c.identity)}
    return set()


@pytest.mark.parametrize("place", PLACES)
def test_a_declared_function_adds_nothing_to_the_plan(
    place: str, victims: Database, tmp_path: Path
) -> None:
    assert changed_others(tmp_path, victims, hostile(place)) == set()


def test_an_event_trigger_changes_no_plan(victims: Database, tmp_path: Path) -> None:
    plan = planned(tmp_path, victims, FIRED.format(body=indented(f"BEGIN\n{ATTACK}\nEND")))
    assert {c.identity for c in plan.changes if not is_own(c.identity)} == set()


def test_a_declared_validator_does_not_run(victims: Database, tmp_path: Path) -> None:
    """Only a superuser may create what runs it."""
    declared = VALIDATED.format(body=indented(f"BEGIN\n{ATTACK}\nEND"))
    with pytest.raises(DeclarationError, match="permission denied"):
        planned(tmp_path, victims, declared)


def test_a_partition_bound_calls_no_function_of_the_declaration(
    victims: Database, tmp_path: Path
) -> None:
    with pytest.raises(DeclarationError, match=r"state.yml:\d+:\d+: .*h\(\) does not run"):
        planned(tmp_path, victims, FUNCTIONS.format(body=indented(BODY)) + BOUND)


def test_code_of_the_database_changes_no_plan(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    """A database user's functions run in a generated column, a materialized view and an index."""
    late = BODY.replace("BEGIN\n", "BEGIN IF current_database() LIKE 'reconcile%' THEN\n", 1)
    late = late.replace("RETURN 1", "END IF; RETURN 1")
    database = new_database(f"""
        {VICTIMS}
        CREATE FUNCTION public.w() RETURNS int LANGUAGE plpgsql AS $body${late}$body$;
        CREATE FUNCTION public.h() RETURNS int IMMUTABLE LANGUAGE plpgsql
            AS 'BEGIN RETURN public.w(); END';
        CREATE TABLE public.k (a int, b int GENERATED ALWAYS AS (public.h()) STORED);
        CREATE INDEX i ON public.k ((a + public.h()));
        CREATE TABLE public.l (a int);
        CREATE MATERIALIZED VIEW public.m AS SELECT a, public.h() FROM public.l;""")
    declared = """
schema: public
tables:
  k: {columns: {c: {type: integer}}}
  l: {columns: {a: {type: bigint}}}
"""
    plan = planned(tmp_path, database, declared)
    assert {c.identity for c in plan.changes} == {"public.k.c", "public.l.a", "public.m"}


def _keep_body(obj: Object) -> Object:
    return obj


def _no_problem(*_: object) -> list[Problem]:
    return []


@pytest.fixture
def unprotected(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the bodies in, and let a partition bound call them: attacks succeed."""
    monkeypatch.setattr("reconciler.canonicalise.build.without_body", _keep_body)
    monkeypatch.setattr("reconciler.canonicalise.overlay.unmet_preconditions", _no_problem)


@pytest.mark.usefixtures("unprotected")
def test_every_change_of_what_is_not_declared_is_refused(victims: Database, tmp_path: Path) -> None:
    with pytest.raises(TamperedWith) as refused:
        planned(tmp_path, victims, FUNCTIONS.format(body=indented(BODY)) + BOUND)
    assert {*ATTACKS.values()} <= {*refused.value.objects}


@pytest.mark.usefixtures("unprotected")
def test_a_replaced_body_reaches_no_plan(victims: Database, tmp_path: Path) -> None:
    """Routines are defined once more after all else, as they were put in."""
    attack = "CREATE OR REPLACE FUNCTION public.g() RETURNS int LANGUAGE sql AS ''SELECT 666''"
    body = indented(f"BEGIN\nEXECUTE '{attack}';\nRETURN 1;\nEND")
    bound = BOUND.replace("(10 +", "(10 * public.g() +")
    steps = planned(tmp_path, victims, FUNCTIONS.format(body=body) + bound).steps
    assert [s for s in steps if s.identity == "public.g()"] == []


DECLARED_VICTIM = """
  u:
    columns: {a: integer}
    row_level_security: true
    comment: harmless
"""
DECLARED_ATTACKS = {
    "GRANT ALL ON public.u TO PUBLIC": "grants",
    "COMMENT ON TABLE public.u IS ''evil''": "comment",
    "ALTER TABLE public.u DISABLE ROW LEVEL SECURITY": "row_level_security",
}


@pytest.mark.usefixtures("unprotected")
def test_declared_objects_come_back_as_declared(victims: Database, tmp_path: Path) -> None:
    attack = "\n".join(
        f"BEGIN EXECUTE '{sql}'; EXCEPTION WHEN OTHERS THEN END;" for sql in DECLARED_ATTACKS
    )
    body = indented(f"BEGIN\n{attack}\nRETURN 1;\nEND")
    tables = BOUND.replace("tables:", f"tables:{DECLARED_VICTIM.rstrip()}")
    with pytest.raises(TamperedWith) as refused:
        planned(tmp_path, victims, FUNCTIONS.format(body=body) + tables)
    for field in DECLARED_ATTACKS.values():
        assert field in str(refused.value)
    assert refused.value.position is not None


ATTACHED = """
  w1: {partition_of: w, values: "FOR VALUES FROM (0) TO (10)"}
"""


@pytest.mark.usefixtures("unprotected")
def test_a_table_that_joins_a_parent_is_guarded_too(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    """Its columns become overrides: nothing else of them may change."""
    database = new_database("""
        CREATE TABLE public.w (id int NOT NULL, n int) PARTITION BY RANGE (n);
        CREATE TABLE public.w1 (id int NOT NULL, n int);""")
    attack = "ALTER TABLE public.w1 ALTER id SET DEFAULT 666"
    body = indented(f"BEGIN\nEXECUTE '{attack}';\nRETURN 1;\nEND")
    bound = BOUND.replace("  t: {columns: {n: bigint}}", ATTACHED.strip("\n"))
    bound = bound.replace("d1: {", "d1: {depends_on: [table public.w1], ")
    with pytest.raises(TamperedWith, match=r"column public\.w1\.id: default\n"):
        planned(tmp_path, database, FUNCTIONS.format(body=body) + bound)


FILLED = """
schema: public
functions:
  ran(): {returns: integer, language: plpgsql, body: "BEGIN PERFORM pg_sleep(60); RETURN 1; END"}
materialized_views:
  m: {query: SELECT public.ran() AS n}
"""


def test_a_materialized_view_is_not_filled_and_the_plan_says_so(
    database: Database, tmp_path: Path
) -> None:
    plan = planned(tmp_path, database, FILLED)
    (created,) = [s.sql for s in plan.steps if s.kind == "materialized_view"]
    assert "NO DATA" not in created
    said = "materialized view public.m is filled: on scratch it stays empty"
    assert plan.unproven == (said,)
    for render in (text.plan, markdown.plan, json.plan):
        assert said in str(render(plan))


def test_a_fill_that_reads_a_materialized_view_is_left_to_the_target(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    database = new_database("""
        CREATE TABLE public.t (id int PRIMARY KEY);
        CREATE MATERIALIZED VIEW public.m AS SELECT 7 AS n;""")
    declared = """
schema: public
tables:
  t:
    columns:
      n: {type: integer, not_null: true, backfill: {value: (SELECT m.n FROM public.m)}}
"""
    plan = planned(tmp_path, database, declared)
    assert any("reads a materialized view" in each for each in plan.unproven)


def test_scratch_by_url_is_not_confined_and_the_plan_says_so(
    database: Database, tmp_path: Path
) -> None:
    (tmp_path / "state.yml").write_text("schema: public\ntables:\n  t: {columns: {a: integer}}\n")
    declaration = load(tmp_path)
    job = Job(database.url, declaration, Scope(declaration.schemas), scratch=database.url)
    (said,) = pipeline.plan_changes(job).unproven
    assert "superuser" in said


def test_the_work_on_scratch_has_a_time_limit(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Code catches a cancelled statement and goes on; the end of its session it cannot catch."""
    monkeypatch.setenv("RECONCILE_SCRATCH_SECONDS", "2")
    body = """
    BEGIN
      LOOP
        BEGIN PERFORM pg_sleep(60); EXCEPTION WHEN query_canceled THEN END;
      END LOOP;
    END"""
    declared = hostile("index", body)
    with pytest.raises(ScratchError, match="took longer than 2 seconds"):
        planned(tmp_path, database, declared)


@pytest.mark.parametrize("value", ["0", "soon", "nan", "1e9"])
def test_a_time_limit_is_a_number_of_seconds(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECONCILE_SCRATCH_SECONDS", value)
    with pytest.raises(SettingsError, match="RECONCILE_SCRATCH_SECONDS"):
        time_limit_of_environment()
