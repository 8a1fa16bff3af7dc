"""Ask the target's rows whether a plan can run, before its first step."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from psycopg import conninfo

from reconciler import pipeline
from reconciler.errors import PlanError, PlanRefused, StatementFailed
from reconciler.pipeline import Job
from reconciler.plan.plan import Plan
from reconciler.plan.questions import NO_VIEWS, ask
from reconciler.report import markdown, text
from reconciler.server.connection import connect, run_sql
from reconciler.server.locks import LockPolicy
from tests.conftest import Database
from tests.test_execute import RecordingWatcher
from tests.test_locks import job_of

ROWS = """
    CREATE TABLE public.parent (id int PRIMARY KEY);
    CREATE TABLE public.t (id int PRIMARY KEY, parent int, code text, spare text);
    INSERT INTO public.parent VALUES (1);
    INSERT INTO public.t VALUES (1, 1, 'a', NULL), (2, 9, 'a', NULL);"""


def answers(plan: Plan) -> list[tuple[bool, str]]:
    return [(a.refuses, a.message) for a in plan.answers]


def apply(plan: Plan, job: Job) -> None:
    pipeline.apply_plan(plan, job, job.target, RecordingWatcher(), LockPolicy(), ["all"])


@pytest.mark.parametrize(
    ("declared", "words"),
    [
        (
            "constraints: {t_code: {unique: [code]}}",
            "constraint t_code on public.t: rows of public.t have another's value (id=1; id=2)",
        ),
        (
            "constraints: {t_parent: {foreign_key: [parent], references: parent(id)}}",
            "constraint t_parent on public.t: rows of public.t refer to rows that public.parent "
            "does not have (id=2)",
        ),
        (
            "columns: {spare: {type: text, not_null: true}}",
            "column public.t.spare: rows of public.t have no value in spare (id=1; id=2); "
            "declare a backfill",
        ),
    ],
)
def test_rows_in_the_way_are_shown_and_refuse_the_run(
    declared: str, words: str, new_database: Callable[..., Database], tmp_path: Path
) -> None:
    job = job_of(new_database(ROWS), f"tables: {{t: {{{declared}}}}}", tmp_path)
    plan = pipeline.plan_changes(job)
    assert answers(plan) == [(True, words)]
    assert words in text.plan(plan)
    assert words in markdown.plan(plan)
    with pytest.raises(PlanRefused) as refused:
        apply(plan, job)
    assert words in str(refused.value)


def test_values_are_shown_as_postgresql_writes_them(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    """Values are no objects of Python, and no cast of a user is run."""
    made = """
        CREATE TYPE mood AS ENUM ('sad');
        CREATE FUNCTION f(mood) RETURNS text LANGUAGE plpgsql AS
            $$ BEGIN RAISE 'a cast was run'; END $$;
        CREATE CAST (mood AS text) WITH FUNCTION f(mood) AS IMPLICIT;
        CREATE TABLE t (i int, m mood, b bool, a text[], y bytea);
        INSERT INTO t VALUES (NULL, 'sad', true, '{x,NULL}', '\\x00ff'),
                             (NULL, 'sad', true, '{x,NULL}', '\\x00ff');"""
    declared = "tables: {t: {columns: {i: {not_null: true}}, constraints: {u: {%s}}}}"
    job = job_of(new_database(made), declared % "unique: [b, a, y]", tmp_path)
    plan = pipeline.plan_changes(job)
    row = r"b=t, a={x,NULL}, y=\x00ff"
    assert {m.split(": ", 1)[1] for _, m in answers(plan)} == {
        "rows of public.t have no value in i (i=NULL; i=NULL); declare a backfill",
        f"rows of public.t have another's value ({row}; {row})",
    }
    job = job_of(new_database(made), declared % "primary_key: m", tmp_path)
    plan = pipeline.plan_changes(job)
    assert any("m=sad" in m for _, m in answers(plan)), answers(plan)


def test_a_reference_to_a_new_table_is_to_rows_that_are_not_there(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    declared = """
tables:
  other: {columns: {id: {type: int, primary_key: true}}}
  t: {constraints: {t_other: {foreign_key: [parent], references: other(id)}}}"""
    plan = pipeline.plan_changes(job_of(new_database(ROWS), declared, tmp_path))
    assert [refuses for refuses, _ in answers(plan)] == [True]


def test_a_column_that_nothing_fills_is_refused_at_its_line(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    declared = "tables:\n  t:\n    columns:\n      region: {type: text, not_null: true}\n"
    database = new_database(ROWS)
    with pytest.raises(PlanError, match="declare a default or a backfill") as refused:
        pipeline.plan_changes(job_of(database, declared, tmp_path))
    assert refused.value.position is not None
    assert refused.value.position.line == 4
    with psycopg.connect(database.url) as holder:
        holder.execute("LOCK TABLE public.t")
        with pytest.raises(PlanError, match="could not be looked at in time"):
            pipeline.plan_changes(job_of(database, declared, tmp_path))
    database.run("CREATE ROLE blind LOGIN; GRANT CREATE, USAGE ON SCHEMA public TO blind")
    try:
        blind = job_of(database, declared, tmp_path)
        blind = Job(
            conninfo.make_conninfo(database.url, user="blind"), blind.declaration, blind.scope
        )
        with pytest.raises(PlanError, match="the role may not read the table"):
            pipeline.plan_changes(blind)
    finally:
        database.run("DROP OWNED BY blind; DROP ROLE blind")
    database.run("TRUNCATE public.t")
    job = job_of(database, declared, tmp_path)
    apply(pipeline.plan_changes(job), job)


def test_rows_without_a_primary_key_are_in_the_way_too(database: Database, tmp_path: Path) -> None:
    database.run("CREATE TABLE t (i int); INSERT INTO t VALUES (1)")
    declared = "tables: {t: {columns: {k: {type: int, not_null: true}}}}"
    with pytest.raises(PlanError, match="t has rows, and nothing fills this NOT NULL column"):
        pipeline.plan_changes(job_of(database, declared, tmp_path))


SPY = """
    CREATE TYPE public.pair AS (a int, b int);
    CREATE TYPE public.level AS ENUM ('1', '9');
    CREATE FUNCTION public.spy(public.pair) RETURNS text LANGUAGE plpgsql AS
        'BEGIN RAISE EXCEPTION ''a cast was run''; END';
    CREATE FUNCTION public.spy(public.level) RETURNS int LANGUAGE plpgsql AS
        'BEGIN RAISE EXCEPTION ''a cast was run''; END';
    CREATE CAST (public.pair AS text) WITH FUNCTION public.spy(public.pair) AS IMPLICIT;
    CREATE CAST (public.level AS int) WITH FUNCTION public.spy(public.level) AS IMPLICIT;
    ALTER TABLE public.t ADD COLUMN p public.pair, ADD COLUMN e public.level;
    UPDATE public.t SET p = ROW(1, 1), e = '9';"""


def test_values_are_compared_without_the_code_of_a_user(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    declared = """
tables:
  t:
    constraints:
      t_e: {foreign_key: [e], references: parent(id)}
      t_p: {unique: [p]}"""
    plan = pipeline.plan_changes(job_of(new_database(ROWS + SPY), declared, tmp_path))
    (_, of_e), (refuses, of_p) = sorted(answers(plan))
    assert (refuses, "another's value (id=1; id=2)" in of_p) == (True, True)
    assert "is not known: cannot compare dissimilar column types" in of_e


def test_what_takes_the_place_of_a_table_is_not_read(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    database = new_database(
        ROWS
        + """CREATE FUNCTION public.spy() RETURNS text LANGUAGE plpgsql AS
            'BEGIN RAISE EXCEPTION ''a view was read''; END';
        CREATE VIEW public.v AS SELECT public.spy() AS code, 1 AS id;"""
    )
    declared = "tables: {t: {constraints: {t_code: {unique: [code]}}}}"
    plan = pipeline.plan_changes(job_of(database, declared, tmp_path))
    steps = tuple(
        s.model_copy(update={"question": s.question.model_copy(update={"relation": "public.v"})})
        for s in plan.steps
        if s.question
    )
    with connect(database.url) as connection:
        (answer,) = ask(plan.model_copy(update={"steps": steps}), connection)
        assert "it is no table with rows of its own" in answer.message
        run_sql(connection, f"SET {NO_VIEWS} = 'view, foreign-table'")
        with pytest.raises(StatementFailed, match="access to non-system view"):
            run_sql(connection, "SELECT * FROM public.v")


def test_rows_of_child_tables_do_not_count_for_a_parents_key(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    database = new_database(
        """CREATE TABLE public.k (id int PRIMARY KEY); INSERT INTO public.k VALUES (1);
        CREATE TABLE public.p (id int, r int); CREATE TABLE public.c () INHERITS (public.p);
        INSERT INTO public.p VALUES (1, 1); INSERT INTO public.c VALUES (1, 1), (2, 99);"""
    )
    declared = """
tables:
  p: {constraints: {p_id: {unique: [id]}, p_r: {foreign_key: [r], references: k(id)}}}"""
    job = job_of(database, declared, tmp_path)
    plan = pipeline.plan_changes(job)
    assert not plan.answers
    apply(plan, job)


def test_nothing_is_asked_on_request_or_where_the_plan_makes_the_rows(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    database = new_database(ROWS)
    declared = "tables: {t: {constraints: {t_code: {unique: [code]}}}}"
    asked = job_of(database, declared, tmp_path)
    silent = Job(asked.target, asked.declaration, asked.scope, questions=False)
    plan = pipeline.plan_changes(silent)
    assert not plan.answers
    outcome = pipeline.apply_plan(
        plan, silent, silent.target, RecordingWatcher(), LockPolicy(total=0), ["all"]
    )
    assert outcome.failed == 1
    declared = """
tables:
  t:
    columns: {region: {type: int, not_null: true, backfill: t.id}}
    constraints: {t_region: {foreign_key: [region], references: parent(id)}}
  new: {columns: {id: {type: int, primary_key: true}}}"""
    assert not pipeline.plan_changes(job_of(database, declared, tmp_path)).answers


NARROWED = """
    CREATE TYPE public.mood AS ENUM ('sad', 'ok', 'happy');
    CREATE FUNCTION public.spy(public.mood) RETURNS text LANGUAGE plpgsql AS
        'BEGIN RAISE EXCEPTION ''a cast was run''; END';
    CREATE CAST (public.mood AS text) WITH FUNCTION public.spy(public.mood) AS IMPLICIT;
    CREATE TABLE public.w (
        id int PRIMARY KEY, fits varchar(9), long text, padded char(9), price numeric(9, 3),
        whole bigint, big bigint, real float8, number text, other text,
        feels public.mood);
    INSERT INTO public.w VALUES
        (1, 'abc   ', 'abc', 'abc', 9.994, 1, 32767, 1.5, '7', '1', 'ok'),
        (2, NULL, 'abcd', 'abcd', 9.995, 10, 32768, 3e9, 'x', '2', 'sad'),
        (3, NULL, NULL, NULL, 'NaN', NULL, NULL, NULL, NULL, NULL, NULL);
"""
NARROWER = {
    "fits": "varchar(3)",
    "long": "varchar(3)",
    "padded": "char(3)",
    "price": "numeric(3,2)",
    "whole": "numeric(3,2)",
    "big": "smallint",
    "real": "int",
    "number": "int",
}


def test_values_that_do_not_fit_a_new_type_are_shown(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    database = new_database(NARROWED)
    types = ", ".join(f"{c}: {{type: '{t}', retype: online}}" for c, t in NARROWER.items())
    declared = f"tables: {{w: {{columns: {{{types}}}}}}}"
    plan = pipeline.plan_changes(job_of(database, declared, tmp_path))
    found = {m.split(":")[0].split(".")[-1]: m for refuses, m in answers(plan) if refuses}
    assert found.keys() == NARROWER.keys() - {"fits"}
    assert all("do not fit" in m and "(id=2)" in m for m in found.values()), found

    # in one ALTER TABLE, and under a type that loses a value; the code of `using` is not run
    types = ", ".join(f"{c}: {{type: '{t}'}}" for c, t in {**NARROWER, "feels": "mood"}.items())
    declared = f"""
enums: {{mood: [ok, happy]}}
tables: {{w: {{columns: {{{types}, other: {{type: int, using: other::int}}}}}}}}"""
    job = job_of(database, declared, tmp_path)
    plan = pipeline.plan_changes(job)
    refusing = [m for refuses, m in answers(plan) if refuses]
    assert len([m for m in refusing if "do not fit" in m]) == len(NARROWER) - 1
    assert any("have a value in feels that is dropped: sad (id=2)" in m for m in refusing)
    (unasked,) = (m for refuses, m in answers(plan) if not refuses)
    assert "for which `using` fails was not asked: it would run your code" in unasked
    database.run("DELETE FROM public.w WHERE id = 2")
    apply(plan, job)


def test_values_that_do_not_fit_a_domain_are_shown(database: Database, tmp_path: Path) -> None:
    """A cast to the domain would cut the text without an error."""
    database.run("""
        CREATE DOMAIN public.code AS text; CREATE DOMAIN public.amount AS numeric;
        CREATE TABLE public.t (id int PRIMARY KEY, code public.code, owed public.amount);
        INSERT INTO public.t VALUES (1, 'abc', 1.75), (2, 'abcd', 3e9)""")
    job = job_of(database, "domains: {code: varchar(3), amount: int}", tmp_path)
    plan = pipeline.plan_changes(job)
    assert {m.split(":")[0]: "(id=2)" in m for refuses, m in answers(plan) if refuses} == {
        "column public.t.code": True,
        "column public.t.owed": True,
    }
    losses = {h.reason for s in plan.steps for h in s.hazards if h.hazard == "data-loss"}
    assert losses == {
        "values of public.t.code are cut to character varying(3)",
        "values of public.t.owed are rounded or cut to integer",
    }
    database.run("DELETE FROM public.t WHERE id = 2")
    apply(pipeline.plan_changes(job), job)
    assert database.rows("SELECT code, owed FROM public.t") == [("abc", 2)]


def test_a_key_that_contains_a_key_is_not_asked_about(database: Database, tmp_path: Path) -> None:
    """Rows that agree in more columns than those of a key do not exist, however many rows do."""
    database.run(
        "CREATE TABLE t (id int PRIMARY KEY, code int);"
        "INSERT INTO t SELECT g, g FROM generate_series(1, 60000) AS g; ANALYZE t"
    )
    declared = "tables: {t: {constraints: {more: {unique: [code, id]}}}}"
    assert answers(pipeline.plan_changes(job_of(database, declared, tmp_path))) == []


def test_a_key_and_a_reference_of_many_rows_are_asked_about(
    database: Database, tmp_path: Path
) -> None:
    database.run("""
        CREATE TABLE parent (id int PRIMARY KEY);
        INSERT INTO parent SELECT generate_series(1, 60000);
        CREATE TABLE t (id int PRIMARY KEY, parent int, code int);
        INSERT INTO t SELECT g, g, g FROM generate_series(1, 60000) AS g;
        UPDATE t SET parent = 60001, code = 60000 WHERE id = 59999""")
    declared = """
tables:
  t:
    constraints:
      code: {unique: [code]}
      parent: {foreign_key: [parent], references: parent(id)}"""
    found = answers(pipeline.plan_changes(job_of(database, declared, tmp_path)))
    assert [(refuses, {*re.findall(r"id=(\d+)", message)}) for refuses, message in found] == [
        (True, {"59999", "60000"}),
        (True, {"59999"}),
    ]


RENAMED = """
    CREATE TABLE public.w (id int PRIMARY KEY, gone int, n numeric(10,2), code text);
    ALTER TABLE public.w DROP COLUMN gone;
    INSERT INTO public.w VALUES (1, 12345678.5, 'a'), (2, 99999999.9, 'a');"""


@pytest.mark.parametrize(
    ("declared", "words"),
    [
        (
            "w: {columns: {m: {renamed_from: n, type: 'numeric(8,0)'}}}",
            "column public.w.m: rows of public.w have values in m that do not fit numeric(8,0) "
            "(id=2)",
        ),
        (
            "v: {renamed_from: w, columns: {key: {renamed_from: id},"
            " code: {renamed_from: n, type: 'numeric(8,0)'}, c: {renamed_from: code}}}",
            "column public.v.code: rows of public.v have values in code that do not fit "
            "numeric(8,0) (key=2)",
        ),
        (
            "w: {columns: {m: {renamed_from: code}}, constraints: {u: {unique: m}}}",
            "constraint u on public.w: rows of public.w have another's value (id=1; id=2)",
        ),
        (
            "v: {renamed_from: w, columns: {m: {renamed_from: code, type: text, not_null: true}},"
            " constraints: {u: {unique: m}}}",
            "constraint u on public.v: rows of public.v have another's value (id=1; id=2)",
        ),
    ],
)
def test_renamed_tables_and_columns_are_asked(
    declared: str, words: str, new_database: Callable[..., Database], tmp_path: Path
) -> None:
    job = job_of(new_database(RENAMED), f"tables: {{{declared}}}", tmp_path)
    found = [m for refuses, m in answers(pipeline.plan_changes(job)) if refuses]
    assert len(found) == 1
    assert found[0].startswith(words)


OTHERS = "values that own refuses in dd (dd=1)"


@pytest.mark.parametrize(
    ("declared", "words"),
    [
        ("constraints: {pos: VALUE > 1}", "values that pos refuses in dd (dd=0; dd=1)"),
        (
            "constraints: {\"to\": \"VALUE <> 1 AND 'VALUE.a' > ''\"}",
            "values that to refuses in dd (dd=1)",
        ),
        ("not_null: true", "no value in dd (dd=NULL)"),
        ("constraints: {pos: VALUE >= 0.0}", ""),
        ("constraints: {own: f(VALUE)}", ""),
        ("constraints: {own: VALUE > 7 OR pg_sleep(99) IS NOT NULL}", ""),
        ("constraints: {own: \"length(repeat('x', VALUE)) > 9\"}", ""),
        ("constraints: {own: \"VALUE > 9 AND CURRENT_USER > ''\"}", ""),
        ('constraints: {own: "VALUE IN (5, 0) OR VALUE IS NULL"}', OTHERS),
    ],
)
def test_values_that_a_domain_would_refuse_are_in_the_way(
    declared: str, words: str, database: Database, tmp_path: Path
) -> None:
    database.run(
        """
        CREATE FUNCTION f(int) RETURNS bool LANGUAGE plpgsql AS
            $$ BEGIN RAISE 'code of a user was run'; END $$;
        CREATE DOMAIN dn AS int; CREATE DOMAIN above AS dn;
        CREATE TABLE t (dd dn, i int DEFAULT 7::dn); INSERT INTO t VALUES (0), (NULL);
        CREATE TABLE child () INHERITS (t); INSERT INTO child VALUES (1), (5);
        CREATE TABLE over (dd above, retyped dn); INSERT INTO over VALUES (0, 0);
        """
    )
    folder = tmp_path / "state"
    folder.mkdir()
    retyped = "tables: {over: {columns: {retyped: int}}}"
    written = f"domains: {{dn: {{type: int, {declared}}}}}\n{retyped}"
    plan = pipeline.plan_changes(job_of(database, written, folder))
    expected = [(True, f"domain public.dn: rows of public.t have {words}")] if words else []
    assert answers(plan) == expected


CHECKED = """
    CREATE FUNCTION own(int) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1 > 0';
    CREATE TABLE public.c (id int PRIMARY KEY, n int, d date, w varchar(9), j jsonb);
    CREATE TABLE public.below () INHERITS (public.c);
    INSERT INTO public.c VALUES (1, 1, '2024-01-01', 'a', '1'), (2, -1, NULL, 'BAD', '[]'),
                                (3, NULL, NULL, NULL, NULL);"""


@pytest.mark.parametrize(
    ("declared", "refuses"),
    [
        ("k: {check: n > 0}", True),
        ("k: {check: n > -9 AND d IS DISTINCT FROM '2023-01-01'}", None),
        ("k: {check: \"w IN ('a', 'b')\"}", True),
        ("k: {check: \"jsonb_typeof(j) = 'number'\"}", True),
        (
            "k: {check: \"CASE WHEN n < 0 THEN lower(w) <> 'bad' ELSE coalesce(n > 0, true) END\"}",
            True,
        ),
        ("k: {check: own(n)}", False),
        ('k: {check: "length(w) < 3"}', True),
        ('k: {check: "length(repeat(w, 1000000000)) > 0"}', False),
        ("k: {check: \"overlay(w placing 'x' from 1) <> 'x'\"}", False),
        ("k: {check: d < now()}", False),
        ("k: {check: \"n::text <> '-1'\"}", False),
        ("k: {check: n > 0, not_valid: true}", None),
    ],
)
def test_rows_that_a_check_refuses(
    declared: str, refuses: bool | None, new_database: Callable[..., Database], tmp_path: Path
) -> None:
    declared = f"tables: {{c: {{constraints: {{{declared}}}}}}}"
    plan = pipeline.plan_changes(job_of(new_database(CHECKED), declared, tmp_path))
    found = answers(plan)
    assert [r for r, _ in found] == ([] if refuses is None else [refuses])
    words = "do not satisfy it (id=2)" if refuses else "was not asked: it may run your code"
    assert all(words in message for _, message in found)


def test_rows_of_child_tables_do_not_count_for_a_check_without_inheritance(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    database = new_database(CHECKED + "DELETE FROM c; INSERT INTO below VALUES (4, -4);")
    for declared, words in (("n > 0, no_inherit: true", ""), ("n > 0", "do not satisfy it (id=4)")):
        file = f"tables: {{c: {{constraints: {{k: {{check: {declared}}}}}}}}}"
        found = answers(pipeline.plan_changes(job_of(database, file, tmp_path)))
        assert [words in message for _, message in found] == [True] * bool(words)


def test_a_check_on_a_column_that_changes_is_not_asked(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    declared = "tables: {c: {columns: {n: bigint}, constraints: {k: {check: n > 0}}}}"
    plan = pipeline.plan_changes(job_of(new_database(CHECKED), declared, tmp_path))
    assert ["its columns change" in m for _, m in answers(plan)] == [True]
