"""Which routine `renamed_from` means, PostgreSQL says by the types of the arguments."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler import pipeline
from reconciler.declare.load import load
from reconciler.errors import DeclarationError
from reconciler.model.state import Scope
from reconciler.pipeline import Job
from reconciler.plan.plan import Plan
from tests.conftest import Database

LIVE = """
CREATE SCHEMA s;
CREATE TYPE t AS (a int);
CREATE TYPE s.t AS (b int);
CREATE FUNCTION old(integer) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION old_of_t(t) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION new_of_t(s.t) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION new(text) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE AGGREGATE summed(bigint) (sfunc = int8pl, stype = bigint);
"""
BODY = "returns: int, language: sql, body: SELECT 1"
RENAMED = {
    f"new(b int): {{renamed_from: old, {BODY}}}": "public.old(integer) RENAME TO new",
    f"new(int4): {{renamed_from: old, {BODY}}}": "public.old(integer) RENAME TO new",
    f"next(int DEFAULT 1): {{renamed_from: old, {BODY}}}": "public.old(integer) RENAME TO next",
    f"new_of_t(public . t): {{renamed_from: old_of_t, {BODY}}}": "old_of_t(public.t) RENAME",
}
OTHERS = {
    f"new(varchar): {{renamed_from: old, {BODY}}}": "new(character varying)",
    f"next(text): {{renamed_from: old, {BODY}}}": "next(text)",
    f'new_of_t(x "t"[]): {{renamed_from: old_of_t, {BODY}}}': "new_of_t(public.t[])",
    f"new_of_t(s . t): {{renamed_from: old_of_t, {BODY}}}": "",
    f"new(pg_catalog.text): {{renamed_from: old, {BODY}}}": "",
}


def _plan(database: Database, folder: Path, declared: str) -> Plan:
    (folder / "state.yml").write_text(declared)
    job = Job(database.url, load(folder), Scope(frozenset({"public"})), questions=False)
    return pipeline.plan_changes(job)


@pytest.mark.parametrize("declared", RENAMED)
def test_other_spellings_of_the_types_are_the_same_routine(
    declared: str, database: Database, tmp_path: Path
) -> None:
    database.run(LIVE)
    plan = _plan(database, tmp_path, f"functions:\n  {declared}\n")
    assert RENAMED[declared] in plan.steps[0].sql, [s.sql for s in plan.steps]
    assert not any("CREATE FUNCTION" in s.sql for s in plan.steps)


@pytest.mark.parametrize("declared", OTHERS)
def test_other_types_are_another_routine(declared: str, database: Database, tmp_path: Path) -> None:
    database.run(LIVE)
    plan = _plan(database, tmp_path, f"functions:\n  {declared}\n")
    assert not any("RENAME" in s.sql for s in plan.steps)
    created = [c.identity for c in plan.changes if c.action == "create"]
    assert created == [f"public.{OTHERS[declared]}"] if OTHERS[declared] else not created


def test_aggregates_are_told_apart_too(database: Database, tmp_path: Path) -> None:
    database.run(LIVE)
    plan = _plan(
        database,
        tmp_path,
        "aggregates: {total(int8): {renamed_from: summed, sfunc: int8pl, stype: int8}}",
    )
    assert [s.sql for s in plan.steps] == ["ALTER AGGREGATE public.summed(bigint) RENAME TO total"]


def test_arguments_that_postgresql_refuses_are_an_error(database: Database, tmp_path: Path) -> None:
    database.run(LIVE)
    with pytest.raises(DeclarationError) as refused:
        _plan(
            database, tmp_path, f"functions: {{'new(int int int)': {{renamed_from: old, {BODY}}}}}"
        )
    assert "syntax error" in refused.value.problems[0].message
    assert refused.value.problems[0].position
