"""Find routines, operators and casts by every spelling of their types that PostgreSQL reads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler import pipeline
from tests.conftest import Database
from tests.test_locks import job_of

BEFORE = """
CREATE TYPE public.pt AS (x int);
CREATE FUNCTION public.f(a integer, b character varying) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE PROCEDURE public.p(a integer) LANGUAGE plpgsql AS 'BEGIN END';
CREATE FUNCTION public.o(a integer, OUT b integer) LANGUAGE sql AS 'SELECT 1';
CREATE AGGREGATE public.s(integer) (SFUNC = int4pl, STYPE = integer);
CREATE AGGREGATE public.m(ORDER BY integer) (SFUNC = array_append, STYPE = integer[]);
CREATE FUNCTION public.pt_text(public.pt) RETURNS text LANGUAGE sql AS $$SELECT 'x'$$;
CREATE CAST (public.pt AS text) WITH FUNCTION public.pt_text(public.pt);
CREATE OPERATOR public.<%%> (LEFTARG = integer, RIGHTARG = integer, FUNCTION = int4pl);
"""
ABSENT = {
    "functions: {'f(int, varchar(3))': {state: absent}}": "function public.f",
    "functions: {'f(a int4, b varchar)': {state: absent}}": "function public.f",
    "functions: {'o(int, OUT int)': {state: absent}}": "function public.o",
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
