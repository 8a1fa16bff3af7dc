"""Find routines, operators and casts by every spelling of their types that PostgreSQL reads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler import pipeline
from reconciler.errors import DeclarationError
from tests.conftest import Database
from tests.test_locks import job_of

BEFORE = """
CREATE TYPE public.pt AS (x int);
CREATE TABLE public.t (a int);
CREATE FUNCTION public.f(a integer, b character varying) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE PROCEDURE public.p(a integer) LANGUAGE plpgsql AS 'BEGIN END';
CREATE FUNCTION public.o(a integer, OUT b integer) LANGUAGE sql AS 'SELECT 1';
CREATE AGGREGATE public.s(integer) (SFUNC = int4pl, STYPE = integer);
CREATE AGGREGATE public.m(ORDER BY integer) (SFUNC = array_append, STYPE = integer[]);
CREATE FUNCTION public.pt_text(public.pt) RETURNS text LANGUAGE sql AS $$SELECT 'x'$$;
CREATE CAST (public.pt AS text) WITH FUNCTION public.pt_text(public.pt);
CREATE OPERATOR public.<%%> (LEFTARG = integer, RIGHTARG = integer, FUNCTION = int4pl);
"""
NAMED = """
CREATE TABLE public.t (a int);
CREATE FUNCTION public.f(a integer, b text DEFAULT 'x') RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION public.o(a integer, OUT b integer) LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION public.v(VARIADIC a integer[]) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE PROCEDURE public.p(a integer) LANGUAGE plpgsql AS 'BEGIN END';
CREATE AGGREGATE public.s(a integer) (SFUNC = int4pl, STYPE = integer);
CREATE AGGREGATE public.m(integer ORDER BY x text) (SFUNC = array_append, STYPE = text[]);
CREATE AGGREGATE public.h(VARIADIC "any" ORDER BY VARIADIC "any") (
    SFUNC = ordered_set_transition_multi, STYPE = internal, FINALFUNC = rank_final,
    FINALFUNC_EXTRA, HYPOTHETICAL);
CREATE CAST (integer AS circle) WITH INOUT;
"""
PARTIAL = """
functions:
  {0}: {{comment: x}}
  {1}: {{comment: x}}
  v(int[]): {{comment: x}}
procedures: {{p(int): {{comment: x}}}}
aggregates:
  s(int4): {{comment: x}}
  m(int4 ORDER BY text): {{comment: x}}
  h(VARIADIC "any" ORDER BY VARIADIC "any"): {{comment: x}}
"""
ABSENT = {
    "functions: {'f(int, varchar(3))': {state: absent}}": "function public.f",
    "functions: {'f(a int4, b varchar)': {state: absent}}": "function public.f",
    "functions: {'o(int, OUT int)': {state: absent}}": "function public.o",
    "functions: {'o(t.a%TYPE)': {state: absent}}": "function public.o",
    "procedures: {'p(int)': {state: absent}}": "procedure public.p",
    "aggregates: {'s(int)': {state: absent}}": "aggregate public.s",
    "aggregates: {'m(ORDER BY int4)': {state: absent}}": "aggregate public.m",
    "casts: {pt AS varchar: {state: absent}, pt as text: {state: absent}}": "cast public.pt AS",
    "operators: {'<%%>(int, int4)': {state: absent}}": "operator public.<%%>",
}


@pytest.mark.parametrize("declared", ABSENT)
def test_what_is_absent_is_dropped_under_any_spelling(
    declared: str, new_database: Callable[..., Database], tmp_path: Path
) -> None:
    plan = pipeline.plan_changes(job_of(new_database(BEFORE), declared, tmp_path))
    found = [f"{c.action} {c.kind} {c.identity}" for c in plan.changes]
    assert len(found) == 1, found
    assert found[0].startswith(f"drop {ABSENT[declared]}")


def test_grants_need_no_result(new_database: Callable[..., Database], tmp_path: Path) -> None:
    declared = "functions: {'f(a int, b varchar)': {grants: {public: []}}}"
    plan = pipeline.plan_changes(job_of(new_database(BEFORE), declared, tmp_path))
    assert [s.sql for s in plan.steps] == [
        "REVOKE ALL ON FUNCTION public.f(integer, character varying) FROM PUBLIC"
    ]


@pytest.mark.parametrize(
    "functions",
    [("f(integer, text)", "o(integer)"), ("f(a int, b text)", "o(int, OUT int)")],
    ids=["types", "names"],
)
def test_a_part_of_a_routine_is_declared_without_names_and_defaults(
    functions: tuple[str, str], new_database: Callable[..., Database], tmp_path: Path
) -> None:
    job = job_of(new_database(NAMED), PARTIAL.format(*functions), tmp_path)
    sql = [s.sql for s in pipeline.plan_changes(job).steps]
    assert len(sql) == len(PARTIAL.split("comment")) - 1
    assert all(s.startswith("COMMENT ON") for s in sql), sql


def test_a_definition_without_names_takes_them_away(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    declared = "functions: {'f(int, text)': {returns: int, body: SELECT 2}}"
    plan = pipeline.plan_changes(job_of(new_database(NAMED), declared, tmp_path))
    assert "CREATE FUNCTION public.f(integer, text)" in plan.steps[1].sql


REFUSED = {
    "functions: {'f(u.a%TYPE, text)': {state: absent}}": 'relation "u"',
    "functions: {'f(VARIADIC int[], text)': {state: absent}}": "VARIADIC",
    "casts: {integer x AS circle: {state: absent}}": "integer x",
    "casts: {circle: {state: absent}}": "source AS target",
}


@pytest.mark.parametrize("declared", REFUSED)
def test_a_name_that_postgres_cannot_read_is_an_error(
    declared: str, new_database: Callable[..., Database], tmp_path: Path
) -> None:
    with pytest.raises(DeclarationError) as refused:
        pipeline.plan_changes(job_of(new_database(NAMED), declared, tmp_path))
    assert REFUSED[declared] in str(refused.value)
    assert all(p.position for p in refused.value.problems)
