"""Test that a backfill runs the code of a table's owner as the owner, and as nobody else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner

from reconciler.apply.backfill import fill, refusals
from reconciler.apply.backfill.batch import Done
from reconciler.cli import main
from reconciler.errors import StatementFailed
from reconciler.model.statement import Fill, ThrottleSettings
from reconciler.server.connection import connect, run_sql
from tests.conftest import Database

ROLE = """
    DO $$BEGIN CREATE ROLE fill_mallory LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END$$;
    DO $$BEGIN CREATE ROLE fill_member LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END$$;
"""
# Each attack swallows the error, so that the backfill goes on and the rows are filled.
ATTACK = """
    CREATE TABLE public.seen (who text, what text);
    CREATE FUNCTION public.attack() RETURNS void LANGUAGE plpgsql AS $f$
    DECLARE attempt text;
    BEGIN
      FOREACH attempt IN ARRAY ARRAY[
          'RESET ROLE', 'SET ROLE postgres', 'RESET SESSION AUTHORIZATION',
          'SET SESSION AUTHORIZATION postgres', 'ALTER ROLE fill_mallory SUPERUSER',
          'SET search_path = public', 'SET statement_timeout = 12345',
          'CREATE TEMP TABLE pg_class (relname text)', 'INSERT INTO public.later VALUES (1)',
          'DECLARE held CURSOR WITH HOLD FOR SELECT public.escalate()',
          'PREPARE later AS SELECT public.escalate()'] LOOP
        BEGIN
          EXECUTE attempt;
        EXCEPTION WHEN OTHERS THEN NULL;
        END;
        BEGIN
          ALTER ROLE fill_mallory SUPERUSER;
        EXCEPTION WHEN OTHERS THEN NULL;
        END;
      END LOOP;
      INSERT INTO public.seen VALUES (current_user, 'attack');
    END $f$;
    CREATE FUNCTION public.escalate() RETURNS int LANGUAGE plpgsql AS $f$
    BEGIN
      BEGIN
        ALTER ROLE fill_mallory SUPERUSER;
      EXCEPTION WHEN OTHERS THEN NULL;
      END;
      INSERT INTO public.seen VALUES (current_user, 'escalate');
      RETURN 1;
    END $f$;
    CREATE FUNCTION public.attack_row() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN IF NEW.id % 500 = 1 THEN PERFORM public.attack(); END IF; RETURN NEW; END';
    CREATE FUNCTION public.attack_later() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN PERFORM public.escalate(); RETURN NULL; END';
    CREATE FUNCTION public.generate(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS
        'BEGIN IF $1 % 500 = 2 THEN PERFORM public.attack(); END IF; RETURN $1; END';
    CREATE FUNCTION public.value(int) RETURNS int LANGUAGE plpgsql AS
        'BEGIN IF $1 % 500 = 3 THEN PERFORM public.attack(); END IF; RETURN $1 * 2; END';
    CREATE TYPE public.key AS (id int);
    CREATE FUNCTION public.key_text(public.key) RETURNS text LANGUAGE plpgsql AS
        'BEGIN PERFORM public.escalate(); RETURN ($1).id::text; END';
    CREATE TABLE public.later (i int);
    CREATE CONSTRAINT TRIGGER later AFTER INSERT ON public.later DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION public.attack_later();
    CREATE TABLE public.t (
        id int PRIMARY KEY, n int, g int GENERATED ALWAYS AS (public.generate(id)) STORED);
    INSERT INTO public.t (id) SELECT i FROM generate_series(1, 2000) AS i;
    CREATE TRIGGER attack_row BEFORE UPDATE ON public.t
        FOR EACH ROW EXECUTE FUNCTION public.attack_row();
    CREATE CONSTRAINT TRIGGER attack_later AFTER UPDATE ON public.t DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW WHEN (NEW.id % 500 = 4) EXECUTE FUNCTION public.attack_later();
"""
FILL = Fill(relation="public.t", column="n", value="public.value(t.id)")


def as_mallory(database: Database) -> Database:
    """Return the database for a session of mallory's own."""
    return replace(database, url=database.url.replace("user=postgres", "user=fill_mallory"))


@pytest.fixture
def attacked(each_major: int, new_database: Callable[..., Database]) -> Iterator[Database]:
    """Return a database with a table of mallory's, and take away what mallory may have got."""
    database = new_database(ROLE + "GRANT CREATE ON SCHEMA public TO fill_mallory", each_major)
    as_mallory(database).run(ATTACK)
    database.run("TRUNCATE seen, later")
    yield database
    database.run("ALTER ROLE fill_mallory NOSUPERUSER")


def run(work: Callable[[], Done]) -> Done:
    return work()


def test_code_of_the_owner_cannot_use_the_rights_of_the_applier(attacked: Database) -> None:
    with connect(attacked.url) as connection:
        run_sql(connection, "SELECT set_config('search_path', '', false)")
        assert fill(connection, FILL, run, lambda _: None) == 2000
        state = connection.execute(
            "SELECT current_user AS role, current_setting('search_path') AS path,"
            " current_setting('statement_timeout') AS timeout,"
            " to_regclass('pg_temp.pg_class') IS NULL AS clean,"
            " (SELECT count(*) FROM pg_cursors) AS cursors,"
            " (SELECT count(*) FROM pg_prepared_statements WHERE name = 'later') AS prepared"
        ).fetchall()[0]
    assert state == {
        "role": "postgres",
        "path": "",
        "timeout": "0",
        "clean": True,
        "cursors": 0,
        "prepared": 0,
    }
    assert attacked.value("SELECT count(*) FROM t WHERE n = id * 2") == 2000
    who = attacked.rows("SELECT DISTINCT who, what FROM seen ORDER BY 2")
    assert who == [("fill_mallory", "attack"), ("fill_mallory", "escalate")]
    assert attacked.value("SELECT rolsuper FROM pg_roles WHERE rolname = 'fill_mallory'") is False
    left = "SELECT count(*) FROM pg_class WHERE relname LIKE 'reconcile%'"
    assert attacked.value(left) == 0


def test_a_trigger_that_defers_itself_stops_the_backfill(attacked: Database) -> None:
    """Before 18, a deferred trigger fires at COMMIT as the role of the session."""
    as_mallory(attacked).run(
        "CREATE OR REPLACE FUNCTION public.attack() RETURNS void LANGUAGE plpgsql AS"
        " 'BEGIN SET CONSTRAINTS ALL DEFERRED; END'"
    )
    with connect(attacked.url) as connection, pytest.raises(StatementFailed, match="deferred"):
        fill(connection, FILL, run, lambda _: None)
    assert attacked.value("SELECT count(*) FROM seen") == 0


def test_a_key_with_a_cast_of_the_owner_is_read_as_the_owner(database: Database) -> None:
    database.run(ROLE + "GRANT CREATE ON SCHEMA public TO fill_mallory")
    as_mallory(database).run(
        """CREATE TABLE public.seen (who text);
           CREATE TYPE public.colour AS ENUM ('red', 'blue');
           CREATE FUNCTION public.as_text(public.colour) RETURNS text LANGUAGE plpgsql AS
               'BEGIN INSERT INTO public.seen VALUES (current_user); RETURN enum_out($1); END';
           CREATE CAST (public.colour AS text) WITH FUNCTION public.as_text(public.colour);
           CREATE TABLE public.t (id public.colour PRIMARY KEY, n int);
           INSERT INTO public.t VALUES ('red'), ('blue')"""
    )
    with connect(database.url) as connection:
        assert fill(connection, FILL.model_copy(update={"value": "1"}), run, lambda _: None) == 2
    assert database.rows("SELECT DISTINCT who FROM seen") == [("fill_mallory",)]


PLAIN = """
    CREATE TABLE public.t (id int PRIMARY KEY, n int);
    INSERT INTO public.t SELECT g FROM generate_series(1, 2000) AS g;
"""


@pytest.fixture
def plain(database: Database) -> Database:
    """Return a database with a table of mallory's."""
    database.run(ROLE + PLAIN + "ALTER TABLE public.t OWNER TO fill_mallory")
    return database


def test_a_killed_backfill_of_another_owner_resumes(plain: Database) -> None:
    plain.run("CREATE SCHEMA reconcile")
    spec = FILL.model_copy(update={"value": "t.id", "throttle": ThrottleSettings(rows=100)})
    batches = iter(range(5))

    def stop(work: Callable[[], Done]) -> Done:
        next(batches)
        return work()

    with connect(plain.url) as connection, pytest.raises(StopIteration):
        fill(connection, spec, stop, lambda _: None, journal="reconcile")
    assert plain.value("SELECT count(n) FROM t") == 500
    looked: list[int] = []

    def watch(work: Callable[[], Done]) -> Done:
        done = work()
        looked.append(done.looked)
        return done

    with connect(plain.url) as connection:
        assert fill(connection, spec, watch, lambda _: None, journal="reconcile") == 1500
    assert sum(looked) == 1500 + 100
    assert plain.value("SELECT count(*) FROM t WHERE n = id") == 2000


def test_a_locked_row_of_another_owner_is_waited_for(plain: Database) -> None:
    spec = FILL.model_copy(update={"value": "t.id"})
    with psycopg.connect(plain.url) as holder, connect(plain.url) as connection:
        holder.execute("UPDATE t SET id = -id WHERE id = 7")

        def release(work: Callable[[], Done]) -> Done:
            done = work()
            holder.commit()
            return done

        assert fill(connection, spec, release, lambda _: None) == 2000
    assert plain.value("SELECT count(*) FROM t WHERE n = id") == 2000


REFUSED = {
    "row security": (
        "ALTER TABLE public.t ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;"
        "CREATE POLICY p ON public.t USING (id = 1)",
        "t.id",
        "row-level security policy",
    ),
    "row security of another table": (
        "CREATE TABLE public.d (id int); ALTER TABLE public.d ENABLE ROW LEVEL SECURITY;"
        "GRANT SELECT ON public.d TO fill_mallory; CREATE POLICY p ON public.d USING (false)",
        "(SELECT max(d.id) FROM public.d)",
        "row-level security policy",
    ),
    "no SELECT": ("CREATE TABLE public.d (id int)", "(SELECT max(d.id) FROM public.d)", "denied"),
    "no EXECUTE": (
        "CREATE FUNCTION public.f() RETURNS int RETURN 1;"
        "REVOKE EXECUTE ON FUNCTION public.f() FROM PUBLIC",
        "public.f()",
        "denied",
    ),
    "no UPDATE": ("REVOKE UPDATE ON public.t FROM fill_mallory", "t.id", "denied"),
}


def test_what_the_owner_may_not_do_or_see_is_refused_before(plain: Database) -> None:
    with connect(plain.url) as connection:
        assert refusals(connection, FILL.model_copy(update={"value": "t.id"})) == []
        later = FILL.model_copy(update={"value": "t.column_that_an_earlier_step_adds"})
        assert refusals(connection, later) == []
        for why, (script, value, words) in REFUSED.items():
            connection.execute("BEGIN")
            connection.execute(script.encode())
            found = refusals(connection, FILL.model_copy(update={"value": value}))
            assert (why, [words in f for f in found]) == (why, [True])
            assert "runs as fill_mallory, the owner of public.t" in found[0]
            connection.execute("ROLLBACK")


def test_a_member_of_the_owner_fills_where_both_may_create(plain: Database) -> None:
    spec = FILL.model_copy(update={"value": "t.id"})
    member = plain.url.replace("user=postgres", "user=fill_member")
    with connect(member) as connection:
        (found,) = refusals(connection, spec)
        assert "membership in fill_mallory" in found
    plain.run("GRANT fill_mallory TO fill_member; GRANT CREATE ON SCHEMA public TO fill_mallory")
    try:
        with connect(member) as connection:
            assert refusals(connection, spec) == []
            assert fill(connection, spec, run, lambda _: None) == 2000
    finally:
        plain.run("REVOKE fill_mallory FROM fill_member")


def test_apply_refuses_before_the_first_step(plain: Database, tmp_path: Path) -> None:
    plain.run(REFUSED["row security"][0])
    (tmp_path / "state.yml").write_text(
        "tables: {t: {comment: one, columns: {n: {type: int, not_null: true, backfill: t.id},"
        " m: {type: int, not_null: true, backfill: t.id}}}}"
    )
    arguments = ["apply", "-t", plain.url, "-s", str(tmp_path / "state.yml"), "--yes"]
    result = CliRunner().invoke(main, [*arguments, "--allow", "all"], catch_exceptions=False)
    assert result.exit_code == 1
    assert "the backfills of public.t.m, public.t.n: it runs as" in result.stderr
    assert result.stderr.count("NO FORCE ROW LEVEL SECURITY") == 1
    assert plain.value("SELECT obj_description('t'::regclass)") is None
    plain.run("ALTER TABLE t NO FORCE ROW LEVEL SECURITY")
    result = CliRunner().invoke(main, [*arguments, "--allow", "all"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert plain.value("SELECT count(*) FROM t WHERE n = id") == 2000


def test_a_retyped_column_is_converted_as_the_owner(database: Database, tmp_path: Path) -> None:
    """The trigger that keeps the column in sync is SECURITY DEFINER."""
    database.run(ROLE + "GRANT CREATE ON SCHEMA public TO fill_mallory")
    as_mallory(database).run(
        """CREATE TABLE public.seen (who text);
           CREATE FUNCTION public.converted(int) RETURNS bigint LANGUAGE plpgsql AS
               'BEGIN INSERT INTO public.seen VALUES (current_user); RETURN $1; END';
           CREATE TABLE public.t (id int PRIMARY KEY, n int);
           INSERT INTO public.t SELECT g, g FROM generate_series(1, 100) AS g"""
    )
    (tmp_path / "state.yml").write_text(
        "tables: {t: {columns: {n: {type: bigint, retype: online, using: public.converted(n),"
        " depends_on: [function converted(integer)]}}}}"
    )
    arguments = ["apply", "-t", database.url, "-s", str(tmp_path / "state.yml"), "--yes"]
    result = CliRunner().invoke(main, [*arguments, "--allow", "all"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert database.rows("SELECT who, count(*) >= 200 FROM seen GROUP BY 1") == [
        ("fill_mallory", True)
    ]
