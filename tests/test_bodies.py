"""Run functions whose bodies name things without a schema, as psql would."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler import pipeline
from reconciler.declare.load import load
from reconciler.errors import DeclarationError, PlanError, PlanRefused
from reconciler.model.state import Scope
from reconciler.pipeline import Job
from reconciler.plan.plan import Plan
from reconciler.report import sql
from reconciler.server.locks import LockPolicy
from tests.conftest import Database
from tests.test_execute import RecordingWatcher
from tests.test_locks import job_of

# Nothing in these bodies has a schema, and none of the functions has a search_path.
COUNTRIES = """
    CREATE TABLE public.country (code text PRIMARY KEY, region int);
    INSERT INTO public.country VALUES ('ch', 1), ('no', 2);
    CREATE FUNCTION public.known(c text) RETURNS boolean LANGUAGE sql STABLE AS
        'SELECT EXISTS (SELECT FROM country WHERE code = c)';
    CREATE FUNCTION public.region_of(c text) RETURNS int LANGUAGE plpgsql STABLE AS
        'BEGIN RETURN (SELECT region FROM country WHERE code = c); END';
    CREATE FUNCTION public.indirect(c text) RETURNS int LANGUAGE sql STABLE
        BEGIN ATOMIC SELECT public.region_of(c); END;
    CREATE FUNCTION public.upper_of(c text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS
        'BEGIN RETURN pg_catalog.upper(c); END';
    CREATE FUNCTION public.noted() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN INSERT INTO log VALUES (NEW.id); RETURN NEW; END';
    CREATE TABLE public.log (id int);
    CREATE TABLE public.city (id int PRIMARY KEY, country text, code text, note text);
    INSERT INTO public.city SELECT g, 'ch', g::text, 'n' FROM generate_series(1, 20) AS g;
    CREATE TABLE public.town (id int PRIMARY KEY, country varchar(2) CHECK (public.known(country)));
    INSERT INTO public.town VALUES (1, 'ch');
    CREATE TRIGGER noted AFTER UPDATE ON public.city FOR EACH ROW EXECUTE FUNCTION public.noted();
    """
OWNED = """
    ALTER TABLE public.city OWNER TO pg_monitor;
    GRANT ALL ON public.log, public.country TO pg_monitor;"""
DECLARED = """
tables:
  city:
    columns:
      region: {type: int, not_null: true, backfill: {value: indirect(country), keep_filled: true}}
      code: {type: bigint, using: "region_of(country) + code::bigint", retype: online}
      kept: {type: text, not_null: true, backfill: note}
    constraints:
      city_known: {check: known(country)}
      city_region: {check: region_of(country) > 0}
      city_upper: {check: upper_of(country) <> country}
  town:
    columns:
      country: {type: text}
"""


def apply(plan: Plan, job: Job) -> None:
    watcher = RecordingWatcher()
    outcome = pipeline.apply_plan(plan, job, job.target, watcher, LockPolicy(), ["all"])
    assert (outcome.failed, outcome.skipped, outcome.left) == (0, 0, ()), outcome


def paths(plan: Plan) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for step in plan.steps:
        found.setdefault(f"{step.kind} {step.identity}", set()).add(step.search_path)
    return found


def test_bodies_find_what_they_name_on_the_default_search_path(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    database = new_database(COUNTRIES + OWNED)  # backfills run as the owner
    job = job_of(database, DECLARED, tmp_path)
    plan = pipeline.plan_changes(job)
    default = "pg_catalog, public, pg_temp"
    found = paths(plan)
    assert found["constraint city_known on public.city"] == {default}
    assert found["constraint city_upper on public.city"] == {""}
    assert default in found["column public.town.country"]
    apply(plan, job)
    assert database.value("SELECT count(*) FROM city WHERE region = 1 AND code = id + 1") == 20
    assert database.value("SELECT count(DISTINCT id) FROM log") == 20
    # the trigger of keep_filled
    database.run("INSERT INTO city (id, country, code, kept) VALUES (21, 'no', 5, 'n')")
    assert database.value("SELECT region FROM city WHERE id = 21") == 2

    again = new_database(COUNTRIES + OWNED)  # psql needs the same path
    done = again.psql(str(sql.plan(plan)))
    assert done.returncode == 0, done.stderr
    assert again.value("SELECT count(*) FROM city WHERE region = 1 AND code = id + 1") == 20


def test_others_must_not_decide_what_a_body_names(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    database = new_database(COUNTRIES + "GRANT CREATE ON SCHEMA public TO pg_monitor;")
    constraints = "tables: {city: {constraints: {%s}}}"
    job = job_of(database, constraints % "c: {check: region_of(country) > 0}", tmp_path)
    remedy = "ALTER FUNCTION public.region_of(text) SET search_path TO pg_catalog, public, pg_temp"
    with pytest.raises(PlanError) as refused:
        pipeline.plan_changes(job)
    assert "pg_monitor may create objects in schema public" in str(refused.value)
    assert str(refused.value).endswith(remedy)
    assert refused.value.position is not None
    # a body that is qualified, or names nothing of these schemas, needs no path
    other = job_of(database, constraints % "d: {check: upper_of(country) <> ''}", tmp_path)
    apply(pipeline.plan_changes(other), other)
    database.run(remedy)
    job = job_of(database, constraints % "c: {check: region_of(country) > 0}", tmp_path)
    apply(pipeline.plan_changes(job), job)


def test_a_path_that_was_opened_after_the_plan_was_made_is_refused(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    database = new_database(COUNTRIES)
    declared = "tables: {city: {constraints: {c: {check: known(country)}}}}"
    job = job_of(database, declared, tmp_path)
    plan = pipeline.plan_changes(job)
    database.run("GRANT CREATE ON SCHEMA public TO pg_monitor")
    with pytest.raises(PlanRefused, match="search_path"):
        apply(plan, job)


STALE = """
    CREATE TABLE public.parts (id bigint PRIMARY KEY, own_type int);
    CREATE FUNCTION public.parts_count() RETURNS bigint LANGUAGE sql STABLE AS
        'SELECT count(*) FROM parts';
    CREATE FUNCTION public.of_parts() RETURNS int LANGUAGE plpgsql AS
        'DECLARE p parts%ROWTYPE; BEGIN RETURN 1; END';
    CREATE FUNCTION public.sound() RETURNS int LANGUAGE sql AS 'SELECT 1';
    CREATE VIEW public.counted AS SELECT public.parts_count() AS n;
    DROP TABLE public.parts;"""


def test_bodies_that_compiled_neither_before_nor_now_are_created_with_a_warning(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    database, fresh = new_database(STALE), new_database()
    folder = tmp_path / "exported"
    scope = Scope(frozenset({"public"}))
    _, notes = pipeline.export_state(database.url, scope, folder)
    assert "function public.parts_count(): its body does not compile" in "\n".join(notes)
    written = "".join(f.read_text() for f in folder.rglob("*.yml"))
    assert written.count("check_body: false") == 2
    job = Job(fresh.url, load(folder), scope)
    plan = pipeline.plan_changes(job)
    warned = [n for n in plan.notes if "although its body does not compile" in n]
    assert len(warned) == 2, plan.notes
    assert 'relation "parts" does not exist' in "".join(warned)
    apply(plan, job)
    assert fresh.dump() == database.dump()

    # the body is as before: another property of the function can be changed
    declared = (
        "functions:\n  parts_count():\n    returns: bigint\n    volatility: %s\n    body: %s\n"
    )
    same = "SELECT count(*) FROM parts"
    job = job_of(database, declared % ("volatile", same), tmp_path)
    plan = pipeline.plan_changes(job)
    assert "although its body does not compile" in plan.notes[0]
    apply(plan, job)
    for body in ("SELECT count(*) FROM part", "SELECT nothing"):
        with pytest.raises(DeclarationError, match="does not exist"):
            pipeline.plan_changes(job_of(database, declared % ("stable", body), tmp_path))
