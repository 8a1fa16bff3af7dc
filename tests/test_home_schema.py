"""Test names without the schema of the file: each means the same object with a schema."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from reconciler import pipeline
from reconciler.declare.home_schema import ROUTINES, TYPES
from reconciler.declare.load import load
from reconciler.model.ref import Ref
from reconciler.pipeline import Job
from tests.conftest import Database
from tests.test_export import EVERYTHING

OBJECTS = """
    CREATE SCHEMA app;
    CREATE TYPE mood AS ENUM ('good');
    CREATE TYPE "Mood" AS ENUM ('good');
    CREATE TYPE point AS (x integer);
    CREATE TYPE app.mood AS ENUM ('bad');
    CREATE TABLE users (id integer PRIMARY KEY, a mood, b mood[], c "Mood", d public.point,
        e app.mood);
    CREATE TABLE app.notes (id integer REFERENCES users, m mood, n app.mood);
    CREATE TABLE notes (id integer REFERENCES users);
    CREATE TABLE kinds (of integer) PARTITION BY LIST (of);
    CREATE TABLE kind PARTITION OF kinds FOR VALUES IN (1);
    CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
    CREATE FUNCTION now() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
    CREATE FUNCTION moods() RETURNS SETOF mood LANGUAGE sql AS $$SELECT 'good'::public.mood$$;
    CREATE TRIGGER touch BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION touch('public.x');
    CREATE TRIGGER now BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION public.now();
"""
WRITTEN = (
    *("a: mood", "b: mood[]", "c: '\"Mood\"'", "d: public.point", "e: app.mood"),
    *("references: users(id)", "partition_of: kinds", "execute: touch('public.x')"),
    *("execute: public.now()", "returns: SETOF mood"),
)
IN_APP = ("references: public.users(id)", "m: public.mood", "n: mood")


def test_an_export_leaves_out_the_schema_of_the_file(
    each_major: int, new_database: Callable[..., Database], tmp_path: Path
) -> None:
    database = new_database(OBJECTS, each_major)
    pipeline.export_state(database.url, EVERYTHING, tmp_path)
    for folder, lines in {"public": WRITTEN, "app": IN_APP}.items():
        written = "".join(f.read_text() for f in (tmp_path / folder).iterdir())
        assert [line for line in lines if line not in written] == []
    assert pipeline.plan_changes(Job(database.url, load(tmp_path), EVERYTHING)).in_sync


def test_a_name_that_nobody_declares_is_left_to_postgres(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text("tables: {t: {columns: {a: mood, b: {references: u(id)}}}}")
    objects = load(tmp_path).objects
    table = Ref("table", "public", "t")
    assert objects[Ref("column", "public", "a", table)].fields()["type"] == "mood"


def test_the_names_of_pg_catalog_are_known(
    each_major: int, new_database: Callable[..., Database]
) -> None:
    database = new_database("", each_major)
    types = database.rows("""
        SELECT typname FROM pg_type WHERE typnamespace = 'pg_catalog'::regnamespace
        AND typname !~ '^(pg_|_)'""")
    routines = database.rows("""
        SELECT proname FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace
        AND pronargs = 0 AND proname !~ '^(pg_|RI_FKey_)'""")
    relations = database.rows("""
        SELECT relname FROM pg_class WHERE relnamespace = 'pg_catalog'::regnamespace
        AND relname !~ '^pg_'""")
    assert {str(n) for (n,) in types} <= TYPES
    assert {str(n) for (n,) in routines} <= ROUTINES
    assert relations == []
