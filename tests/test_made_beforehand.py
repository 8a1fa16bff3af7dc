"""Test functions that another role made beforehand under the names of the trigger functions."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from tests.conftest import Database
from tests.test_keep_filled import apply
from tests.test_recipes import run_until
from tests.test_retype import planned

SCRIPT = """
    DO $$ BEGIN CREATE ROLE beforehand;
    EXCEPTION WHEN duplicate_object OR unique_violation THEN END $$;
    DO $$ BEGIN CREATE ROLE beforehand_owner;
    EXCEPTION WHEN duplicate_object OR unique_violation THEN END $$;
    GRANT CREATE ON SCHEMA public TO beforehand, beforehand_owner;
    CREATE TABLE public.t (id int PRIMARY KEY, a int, n int);
    CREATE TABLE public.ran (who text);
    GRANT INSERT ON public.ran TO PUBLIC;
    INSERT INTO public.t SELECT g, g FROM generate_series(1, 10) AS g;"""
KEPT = "tables: {t: {columns: {n: {backfill: {value: t.id * 2, keep_filled: true}}}}}"
RETYPED = "tables: {t: {columns: {a: {type: bigint, retype: online}}}}"
HOSTILE = """
    SET ROLE beforehand;
    CREATE OR REPLACE FUNCTION public.%s() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN INSERT INTO public.ran VALUES (current_user); RETURN NEW; END'"""
NAMES = (
    "SELECT proname::text, pg_get_userbyid(proowner)::text FROM pg_proc "
    "WHERE proname LIKE 'reconcile\\_%' ORDER BY proname"
)


def assert_owned(database: Database, *owners: str) -> None:
    """Assert the owners, and that the other role cannot replace what is not its own."""
    found = database.rows(NAMES)
    assert tuple(owner for _, owner in found) == owners
    for function in (function for function, owner in found if owner != "beforehand"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="must be owner"):
            database.run(HOSTILE % function)


def made_beforehand(database: Database, folder: Path, declared: str) -> str:
    """Make the function of the plan as the other role, and return the name."""
    steps = planned(database, folder, declared).steps
    (create,) = (s.sql for s in steps if s.sql.startswith("CREATE OR REPLACE FUNCTION"))
    function = create.split("public.")[1].split("(")[0]
    database.run(HOSTILE % function)
    return function


@pytest.mark.parametrize("owner", ["postgres", "beforehand_owner"])
def test_functions_made_beforehand_are_taken_over(
    owner: str, database: Database, tmp_path: Path
) -> None:
    """The function of a shadow column belongs to the owner of the table; so it does on resuming."""
    database.run(SCRIPT + f"ALTER TABLE public.t OWNER TO {owner}")
    functions = [made_beforehand(database, tmp_path, d) for d in (KEPT, RETYPED)]
    apply(database, tmp_path, KEPT)
    assert_owned(database, "postgres", "beforehand")
    run_until(database, planned(database, tmp_path, RETYPED), 1)
    assert_owned(database, "postgres", owner)

    database.run(f"ALTER FUNCTION public.{functions[1]}() OWNER TO beforehand")
    resumed = planned(database, tmp_path, RETYPED)
    database.run(HOSTILE % functions[1])
    run_until(database, resumed, 1)
    assert_owned(database, "postgres", owner)
    apply(database, tmp_path, RETYPED)
    assert_owned(database, "postgres")
    database.run("INSERT INTO public.t (id, a) VALUES (11, 1); UPDATE public.t SET a = 0")
    assert database.value("SELECT count(*) FROM public.t WHERE n = id * 2") == 11
    assert database.rows("SELECT * FROM public.ran") == []


def test_functions_that_undo_creates_again_are_taken_over(
    database: Database, tmp_path: Path
) -> None:
    database.run(SCRIPT)
    apply(database, tmp_path, KEPT)
    without = "tables: {t: {columns: {n: {backfill: t.id}}}}"
    (statement,) = (
        s for s in planned(database, tmp_path, without).steps if s.sql.startswith("DROP FUNCTION")
    )
    assert statement.undo is not None
    function = "reconcile_fill_t_n"
    database.run("DROP TRIGGER reconcile_fill_n ON public.t; " + statement.sql)
    database.run(HOSTILE % function)
    database.run("; ".join(statement.undo))
    assert_owned(database, "postgres")
