"""Test that objects once found equal need no scratch server, until what they depend on changes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler import pipeline
from reconciler.cache import Cache
from reconciler.canonicalise import canonicalise
from reconciler.canonicalise.known_forms import Forms
from reconciler.declare.load import load
from reconciler.model.state import Scope
from reconciler.pipeline import Job
from reconciler.plan.plan import Plan
from tests.conftest import Database
from tests.test_cases import CASES, FIRST, quiet

START = """
    CREATE SCHEMA other;
    CREATE TYPE public.mood AS ENUM ('sad', 'ok');
    CREATE TABLE public.t (a varchar(20) DEFAULT 'x', b integer CHECK (b > 0), m public.mood);
    CREATE FUNCTION public.twice(n integer) RETURNS integer LANGUAGE sql IMMUTABLE
        AS 'SELECT $1 * 2';
    CREATE VIEW public.v AS SELECT a, public.twice(b) AS c FROM public.t WHERE m = 'ok';
    CREATE INDEX i ON public.t (lower(a::text)) WHERE b > 1;
    CREATE POLICY p ON public.t USING (public.twice(b) > 2 AND (a)::text = 'x');
    CREATE TABLE public.apart (a varchar(3), b varchar(4));
"""
DECLARED = """
tables:
  t:
    columns:
      a: {type: varchar (20), default: "('x')"}
      b: int
      m: mood
    constraints: {t_b_check: {check: "(b)>0"}}
    indexes: {i: {on: [LOWER(a)], where: b>1}}
    policies: {p: {using: "twice(b) > 2 and a = 'x'"}}
  apart: {columns: {a: varchar (3), b: varchar (4)}}
views:
  v: {query: "select a, twice(b) c from t where m = 'ok'"}
functions:
  twice(n integer): {returns: int, language: sql, volatility: immutable, body: SELECT $1 * 2}
"""
# What makes the plan look again, and what takes it back.
CHANGES = {
    "an object itself": (
        "DROP INDEX public.i; CREATE INDEX i ON public.t (upper(a)) WHERE b > 1",
        "DROP INDEX public.i; CREATE INDEX i ON public.t (lower(a)) WHERE b > 1",
    ),
    "an overload that it would call": (
        """CREATE FUNCTION public.twice(n bigint) RETURNS integer LANGUAGE sql IMMUTABLE
           AS 'SELECT 1'""",
        "DROP FUNCTION public.twice(bigint)",
    ),
    "an operator": (
        """CREATE FUNCTION public.gt(integer, bigint) RETURNS boolean LANGUAGE sql IMMUTABLE
           AS 'SELECT true'; CREATE OPERATOR public.> (FUNCTION = public.gt, LEFTARG = integer,
           RIGHTARG = bigint)""",
        "DROP OPERATOR public.> (integer, bigint); DROP FUNCTION public.gt(integer, bigint)",
    ),
    "a type of its column": (
        "ALTER TYPE public.mood RENAME VALUE 'sad' TO 'low'",
        "ALTER TYPE public.mood RENAME VALUE 'low' TO 'sad'",
    ),
    "a column beside it": ("ALTER TABLE public.t ADD z integer", "ALTER TABLE public.t DROP z"),
    "the schema": ("CREATE SCHEMA third", "DROP SCHEMA third"),
}
EVERYTHING = Scope(frozenset({"public"}))


@pytest.fixture
def servers(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Record the plans for which scratch was used."""
    used: list[str] = []
    builder = canonicalise.ScratchBuilder

    def counted(*arguments: object, **more: object) -> object:
        used.append("scratch")
        return builder(*arguments, **more)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(canonicalise, "ScratchBuilder", counted)
    return used


def planned(database: Database, path: Path, forms: Forms | None, scope: Scope) -> Plan:
    return pipeline.plan_changes(Job(database.url, load(path), scope, forms=forms))


def outcome(plan: Plan) -> object:
    """Return what a plan does, and says; not where it was tried out, nor what is compared."""
    left_out = {"digest", "fingerprint", *({"scratch", "spelled_by"} if plan.in_sync else ())}
    return plan.model_dump(exclude=left_out)


def test_what_was_found_equal_needs_no_scratch(
    database: Database, servers: list[str], tmp_path: Path
) -> None:
    (tmp_path / "all.yml").write_text(DECLARED)
    database.run(START)
    forms = Forms(Cache(tmp_path / "cache"), "auto")

    def plan(given: Forms | None) -> tuple[object, bool]:
        servers.clear()
        found = planned(database, tmp_path / "all.yml", given, EVERYTHING)
        return outcome(found), bool(servers)

    first, _ = plan(forms)
    assert plan(forms) == (first, False)
    assert plan(None) == (first, True)
    database.run("CREATE TABLE public.unrelated (a integer); CREATE INDEX ON public.unrelated (a)")
    assert plan(forms)[1] is False
    for what, (change, back) in CHANGES.items():
        database.run(change)
        found, used = plan(forms)
        assert used, what
        assert found == plan(None)[0], what
        database.run(back)
        plan(forms)
        assert plan(forms) == (first, False), what


def test_a_changed_declaration_is_looked_at(
    database: Database, servers: list[str], tmp_path: Path
) -> None:
    database.run(START)
    forms = Forms(Cache(tmp_path / "cache"), "auto")
    file = tmp_path / "all.yml"
    for text in (DECLARED, DECLARED.replace("b>1", "b>2"), DECLARED.replace("varchar (3)", "text")):
        file.write_text(text)
        servers.clear()
        warm = planned(database, file, forms, EVERYTHING)
        assert servers
        assert outcome(warm) == outcome(planned(database, file, None, EVERYTHING))
        assert warm.in_sync == (text == DECLARED)


WITH_SQL = ("column", "constraint", "domain", "function", "index", "policy", "trigger", "view")
SOME = sorted(c for c in FIRST if c.parent.name in WITH_SQL and not (c / "flags").exists())


@pytest.mark.parametrize("case", SOME, ids=lambda c: str(c.relative_to(CASES)))
def test_plans_are_the_same_with_what_is_known(
    case: Path, new_database: Callable[..., Database], tmp_path: Path
) -> None:
    database = new_database((case / "actual.sql").read_text())
    forms = Forms(Cache(tmp_path / "cache"), "auto")
    declaration = load(case / "desired.yml")
    job = Job(database.url, declaration, Scope(declaration.schemas), forms=forms)
    cold, warm = pipeline.plan_changes(job), pipeline.plan_changes(job)
    assert outcome(warm) == outcome(cold)
    if cold.steps:
        pipeline.apply_plan(cold, None, database.url, quiet(), pipeline.LockPolicy(), ["all"])
    cold, warm = pipeline.plan_changes(job), pipeline.plan_changes(job)
    assert cold.in_sync
    assert outcome(warm) == outcome(cold)
