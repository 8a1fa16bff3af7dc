"""Test declarations of base types, and what uses them: scratch has stand-ins for their code."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

from reconciler import pipeline
from reconciler.declare.load import load
from reconciler.errors import ReconcileError, StatementFailed
from reconciler.model.state import Scope
from reconciler.pipeline import Job
from reconciler.server.capabilities import Server
from reconciler.server.connection import Connection, rows, run_sql
from reconciler.server.elevation import run_statement
from reconciler.server.locks import LockPolicy
from reconciler.server.scratch import scratches
from tests.conftest import Database
from tests.test_cases import quiet
from tests.test_locks import job_of

BASE = """
    CREATE TYPE public.base;
    CREATE FUNCTION public.base_in(cstring) RETURNS public.base
        LANGUAGE internal IMMUTABLE STRICT AS 'int4in';
    CREATE FUNCTION public.base_out(public.base) RETURNS cstring
        LANGUAGE internal IMMUTABLE STRICT AS 'int4out';
    CREATE TYPE public.base (INPUT = public.base_in, OUTPUT = public.base_out, LIKE = integer);
    CREATE TYPE public.pair AS (one public.base, two integer);
    CREATE TABLE public.t (id integer, b public.base DEFAULT '1', c public.base[])"""
DECLARED = """
types:
  pair: {comment: of two}
tables:
  t:
    columns:
      b: {type: base, not_null: true}
      d: {type: "base[]", default: "'{3}'"}
      e: {type: pair}
    indexes:
      t_id: {on: [id]}
views:
  v: SELECT b, e FROM t
"""
AS_IT_IS = "{input: base_in, output: base_out, internal_length: 4, passed_by_value: true"
UNUSED = """
types: {pair: {state: absent}}
tables: {t: {state: absent}}
"""
IN_A_LIBRARY = """
base_types:
  point3:
    input: point3_in
    output: point3_out
    typmod_in: point3_typmod_in
    internal_length: 24
    alignment: double
functions:
  point3_typmod_in(cstring[]): {returns: int, language: c, library: $libdir/none, body: p_typmod}
  point3_in(cstring): {returns: point3, language: c, library: $libdir/none, body: p_in}
  point3_out(point3): {returns: cstring, language: c, library: $libdir/none, body: p_out}
  length(point3):
    {returns: float8, language: c, library: $libdir/none, body: p_length, volatility: immutable}
tables:
  t:
    columns: {p: {type: point3(2), default: "'1 2 3'"}}
    indexes: {t_length: {on: ["length(p)"]}}
"""
REFUSED = {
    "its functions stay": (
        f"base_types: {{base: {{state: absent}}}}{UNUSED}functions:\n"
        "  base_in(cstring): {returns: base, language: internal, body: int4in}",
        "function public.base_in(cstring): type base does not exist\n",
    ),
    "it stays without a function": (
        "functions: {base_in(cstring): {state: absent}}",
        "base_type public.base cannot stay as it is next to the declared objects: function"
        " public.base_in(cstring) does not exist",
    ),
    "it stays with another function of the name": (
        f"base_types: {{base: {AS_IT_IS}}}}}\nfunctions:\n"
        "  base_in(cstring): {state: absent}\n"
        "  base_in(cstring, oid, int): {returns: base, language: internal, body: int4in}",
        "function public.base_in(cstring) belongs to base_type public.base, which stays",
    ),
    "it is replaced in use": (
        f"base_types: {{base: {AS_IT_IS}, category: X}}}}",
        "base_type public.base cannot be altered so while it is in use by public.pair, public.t.b,"
        " public.t.c: ",
    ),
    "it is dropped in use": (
        "base_types: {base: {state: absent}}",
        'table public.t cannot stay as it is next to the declared objects: type "public.base" does'
        " not exist",
    ),
    "its type is not declared": (
        "functions:\n  f(cstring): {returns: nosuch, language: internal, body: int4in}",
        "function public.f(cstring): type nosuch does not exist",
    ),
    "its function is not declared": (
        "base_types: {word: {input: word_in, output: word_out}}",
        "base_type public.word: function word_in(cstring) does not exist",
    ),
    "its code does not exist": (
        "base_types: {word: {input: word_in, output: word_out}}\nfunctions:\n"
        "  word_in(cstring): {returns: word, language: internal, body: nosuch}\n"
        "  word_out(word): {returns: cstring, language: internal, body: textout}",
        'function public.word_in(cstring): there is no built-in function named "nosuch"',
    ),
    "its code would run": (
        f"base_types: {{base: {AS_IT_IS}}}}}\nfunctions:\n"
        "  one(int): {returns: base, language: internal, body: int4abs, volatility: immutable}\n"
        "tables: {t: {indexes: {i: {on: [id], where: one(1) IS NULL}}}}",
        "it calls a function in C or internal over a base type, which does not run on scratch",
    ),
    "code of a missing library over other types": (
        "functions:\n  f(int): {returns: int, language: c, library: $libdir/none, body: f}",
        "function public.f(int): could not access file",
    ),
    "a shell type is renamed": (
        "base_types: {other: {shell: true, renamed_from: shell}}",
        'base_type public.other: it cannot be renamed: type "public.shell" is only a shell',
    ),
    "a shell type with a field": (
        "base_types: {other: {shell: true, category: X}}",
        "base_type public.other: shell means nothing beside category",
    ),
    "nothing": ("base_types: {other: {}}", "a base type has `input` and `output`, or else"),
    "no length by value": (
        "base_types: {base: {input: i, output: o, passed_by_value: true, alignment: char}}",
        "passed by value are values of internal_length and alignment 1 char, 2 int2, 4 int4, 8",
    ),
    "another length by value": (
        f"base_types: {{base: {AS_IT_IS}, alignment: double}}}}",
        "passed by value are values of internal_length and alignment 1 char, 2 int2, 4 int4, 8",
    ),
    "variable length and little alignment": (
        "base_types: {base: {input: base_in, output: base_out, alignment: char}}",
        "a type of variable length has the alignment int4 or double",
    ),
    "fixed length and long values": (
        "base_types: {base: {input: i, output: o, internal_length: 4, storage: main}}",
        "values of fixed internal_length have the storage plain",
    ),
    "elements without subscripts": (
        "base_types: {base: {input: base_in, output: base_out, element: int}}",
        "without `subscript`, elements need internal_length, and no passed_by_value",
    ),
    "subscripts of arrays": (
        "base_types: {base: {input: i, output: o, element: int, subscript:"
        " array_subscript_handler}}",
        "PostgreSQL keeps array_subscript_handler for its own array types",
    ),
}


def test_what_stands_on_a_base_type_is_planned_applied_and_undone(
    new_database: Callable[..., Database], each_major: int, tmp_path: Path
) -> None:
    database = new_database(BASE, each_major)
    before = database.dump()
    job = job_of(database, DECLARED, tmp_path)
    plan = pipeline.plan_changes(job)
    assert {c.identity for c in plan.changes} == {
        *("public.pair", "public.t.b", "public.t.d", "public.t.e", "public.t_id", "public.v"),
    }
    outcome = pipeline.apply_plan(plan, job, database.url, quiet(), LockPolicy(), ["all"])
    assert [o.error for o in outcome.steps if o.status == "failed"] == []
    assert database.value("SELECT obj_description('public.pair'::regtype)") == "of two"
    assert pipeline.plan_changes(job).in_sync
    for step in reversed(plan.steps):
        for command in step.undo or ():
            database.run(command)
    assert database.dump() == before


def test_a_type_of_a_library_that_scratch_has_not_is_planned(
    new_database: Callable[..., Database], each_major: int, tmp_path: Path
) -> None:
    plan = pipeline.plan_changes(job_of(new_database(major=each_major), IN_A_LIBRARY, tmp_path))
    created = [s.sql for s in plan.steps if s.kind == "function"]
    assert [sql.splitlines()[-1] for sql in created] == [
        "AS '$libdir/none', 'p_typmod'",
        "AS '$libdir/none', 'p_in'",
        "AS '$libdir/none', 'p_out'",
        "AS '$libdir/none', 'p_length'",
    ]
    assert "base type public.point3 reads and writes values: on scratch a stand-in stores text" in (
        plan.unproven
    )


@pytest.mark.parametrize("title", REFUSED)
def test_what_cannot_be_is_refused(
    title: str, new_database: Callable[..., Database], tmp_path: Path
) -> None:
    declared, message = REFUSED[title]
    database = new_database(f"{BASE}; CREATE TYPE public.shell", 18)
    with pytest.raises(ReconcileError) as refused:
        pipeline.plan_changes(job_of(database, declared, tmp_path))
    assert message in str(refused.value)


def test_functions_that_nobody_declares_go_with_their_type(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    database = new_database(BASE, 18)
    declared = f"base_types: {{base: {{state: absent}}}}{UNUSED}"
    plan = pipeline.plan_changes(job_of(database, declared, tmp_path))
    assert {(c.action, c.kind) for c in plan.changes} == {
        ("drop", k) for k in ("base_type", "function", "composite_type", "table", "column")
    }


def test_drop_takes_nothing_else_along(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    """A dependent that came after the plan, which no guard of the plan sees in time, stays."""
    database = new_database(BASE, 18)
    declared = f"base_types: {{base: {{state: absent}}}}{UNUSED}"
    plan = pipeline.plan_changes(job_of(database, declared, tmp_path))
    (drop,) = (s.sql for s in plan.steps if s.kind == "base_type")
    database.run("DROP TYPE public.pair; ALTER TABLE public.t DROP b")
    with pytest.raises(psycopg.Error, match=r"cannot drop type public\.base because column c of"):
        database.run(drop)
    database.run("ALTER TABLE public.t DROP c")
    database.run("CREATE VIEW public.w AS SELECT public.base_in('1') IS NULL AS n")
    with pytest.raises(psycopg.Error, match="because rule _RETURN on view w depends on it"):
        database.run(drop)
    database.run("DROP VIEW public.w")
    database.run(drop)
    assert database.value("SELECT count(*) FROM pg_proc WHERE proname LIKE 'base%'") == 0


# -- what native code may do on scratch ------------------------------------------------------------


@pytest.fixture(params=(18, 16), ids=lambda m: f"pg{m}")
def builder(request: pytest.FixtureRequest) -> Iterator[Connection]:
    """Return a connection to a scratch database, with a base type that is made of stand-ins."""
    server = Server(request.param * 10000)
    scratch = next(scratches("embedded", "", server, frozenset()))
    with scratch.database({"case_owner"}, "postgres") as connection:
        for command in (
            "CREATE SCHEMA s",
            "CREATE TYPE s.b",
            native("s.b_in(cstring)\nRETURNS s.b", "int4in"),
            native("s.b_out(s.b)\nRETURNS cstring", "int4out"),
            base_type("INTERNALLENGTH = 4,\n    PASSEDBYVALUE = true"),
        ):
            run_statement(connection, command)
        yield connection


def native(signature: str, symbol: str, settings: str = "") -> str:
    return (
        f"CREATE FUNCTION {signature}\nLANGUAGE internal\n{settings}AS $function${symbol}$function$"
    )


def base_type(options: str) -> str:
    return f"CREATE TYPE s.b (\n    INPUT = s.b_in,\n    OUTPUT = s.b_out,\n    {options}\n)"


def test_a_stand_in_stores_text_and_runs_no_code_of_the_type(builder: Connection) -> None:
    run_sql(builder, "CREATE TABLE s.t (b s.b DEFAULT 'any text', c s.b[])")
    run_sql(builder, "INSERT INTO s.t (c) VALUES ('{one,two}')")
    assert rows(builder, "SELECT b::text AS b, c[2]::text AS c FROM s.t") == [
        {"b": "any text", "c": "two"}
    ]
    found = rows(builder, "SELECT typlen, typbyval FROM pg_type WHERE oid = 's.b'::regtype")
    assert found == [{"typlen": -1, "typbyval": False}]


def test_native_code_over_a_base_type_fails_when_it_is_called(builder: Connection) -> None:
    run_statement(builder, native("s.plus(s.b, s.b)\nRETURNS s.b", "int4pl"))
    run_sql(builder, "CREATE VIEW s.v AS SELECT s.plus('1', '2')")
    with pytest.raises(StatementFailed, match="does not run on scratch"):
        run_statement(builder, "SELECT s.plus('1', '2')")


@pytest.mark.parametrize(
    "commands",
    [
        [native("s.reload()\nRETURNS boolean", "pg_reload_conf")],
        [native("s.length(s.b)\nRETURNS integer", "textlen", "SET pg_reconcile.original TO ''\n")],
        ["CREATE TYPE s.r", native("s.r(cstring)\nRETURNS s.r", "textin")],
        [native("s.of(integer)\nRETURNS text", "any_out")],
    ],
    ids=["not for everybody", "with the setting", "over a range to be", "over other types"],
)
def test_no_other_native_code_runs(commands: list[str], builder: Connection) -> None:
    for command in commands:
        with suppress(StatementFailed):
            run_statement(builder, command)
    found = rows(
        builder,
        "SELECT DISTINCT p.prosrc FROM pg_proc AS p WHERE p.pronamespace = 's'::regnamespace"
        " AND p.proname NOT IN ('b_in', 'b_out')",
    )
    assert found in ([], [{"prosrc": "any_out"}])


@pytest.mark.parametrize(
    "options",
    [
        "LIKE = integer",
        "internallength = 4",
        "INTERNALLENGTH= 4",
        'ELEMENT = integer, "subscript" = raw_array_subscript_handler, INTERNALLENGTH =\n 8',
        "DELIMITER = ',',\n    DEFAULT = 'x', ANALYZE = array_typanalyze",
    ],
)
def test_no_base_type_is_made_of_anything_but_text(options: str, builder: Connection) -> None:
    """Each of these would get past what leaves the options of stand-ins out."""
    run_sql(builder, "SET client_min_messages TO warning")
    for command in ("DROP TYPE s.b CASCADE", "CREATE TYPE s.b"):
        run_statement(builder, command)
    run_statement(builder, native("s.b_in(cstring)\nRETURNS s.b", "int4in"))
    run_statement(builder, native("s.b_out(s.b)\nRETURNS cstring", "int4out"))
    with pytest.raises(StatementFailed) as refused:
        run_statement(builder, base_type(options))
    assert refused.value.sqlstate in ("42501", "42P17", "42601")
    assert rows(builder, "SELECT FROM pg_type WHERE typname = 'b' AND typisdefined") == []


def test_no_cast_takes_the_text_of_a_stand_in_for_something_else(builder: Connection) -> None:
    run_statement(builder, "CREATE CAST (s.b AS pg_catalog.int4[]) WITHOUT FUNCTION AS ASSIGNMENT")
    found = rows(builder, "SELECT castmethod, castcontext FROM pg_cast WHERE oid >= 16384")
    assert found == [{"castmethod": "i", "castcontext": "a"}]
    with pytest.raises(StatementFailed, match="not physically compatible"):
        run_statement(builder, "CREATE CAST (integer AS bigint) WITHOUT FUNCTION")


# -- whole databases -------------------------------------------------------------------------------

ODD = """
    CREATE SCHEMA "o'$reconcile$";
    CREATE TYPE "o'$reconcile$"."ty""p e";
    COMMENT ON TYPE "o'$reconcile$"."ty""p e" IS 'odd';
    CREATE FUNCTION "o'$reconcile$"."i""n"(cstring, oid, integer)
        RETURNS "o'$reconcile$"."ty""p e" LANGUAGE internal IMMUTABLE STRICT AS 'bpcharin';
    CREATE FUNCTION "o'$reconcile$"."o.ut"("o'$reconcile$"."ty""p e") RETURNS cstring
        LANGUAGE internal IMMUTABLE STRICT AS 'bpcharout';
    CREATE FUNCTION public.modifiers(cstring[]) RETURNS integer
        LANGUAGE internal IMMUTABLE STRICT AS 'varchartypmodin';
    CREATE FUNCTION public.modifiers(integer) RETURNS cstring
        LANGUAGE internal IMMUTABLE STRICT AS 'varchartypmodout';
    CREATE TYPE "o'$reconcile$"."ty""p e" (
        INPUT = "o'$reconcile$"."i""n", OUTPUT = "o'$reconcile$"."o.ut",
        TYPMOD_IN = public.modifiers, TYPMOD_OUT = public.modifiers,
        DELIMITER = '''', DEFAULT = E'\\\\,\\n    ALIGNMENT = x'
    );
    CREATE TYPE public.words;
    CREATE FUNCTION public.words_in(cstring) RETURNS public.words
        LANGUAGE internal IMMUTABLE STRICT AS 'textin';
    CREATE FUNCTION public.words_out(public.words) RETURNS cstring
        LANGUAGE internal IMMUTABLE STRICT AS 'textout';
    CREATE TYPE public.words (
        INPUT = public.words_in, OUTPUT = public.words_out, TYPMOD_IN = public.modifiers,
        TYPMOD_OUT = public.modifiers
    );
    CREATE TYPE public.later;
    COMMENT ON TYPE public.later IS 'not there yet';
    CREATE FUNCTION public.later_in(cstring) RETURNS public.later
        LANGUAGE internal IMMUTABLE STRICT AS 'textin';
    ALTER TYPE public.later OWNER TO pg_monitor;
    CREATE TABLE public.odd (a "o'$reconcile$"."ty""p e"(3), b public.words(7)[])"""
EVERYTHING = Scope(frozenset({"*"}), prune=True, everything=True)


def test_an_export_makes_the_same_database(
    new_database: Callable[..., Database], each_major: int, tmp_path: Path
) -> None:
    database, other = new_database(ODD, each_major), new_database(major=each_major)
    pipeline.export_state(database.url, EVERYTHING, tmp_path)
    declaration = load(tmp_path)
    assert pipeline.plan_changes(Job(database.url, declaration, EVERYTHING)).in_sync
    job = Job(other.url, declaration, EVERYTHING)
    outcome = pipeline.apply_plan(
        pipeline.plan_changes(job), job, other.url, quiet(), LockPolicy(), ["all"]
    )
    assert [o.error for o in outcome.steps if o.status == "failed"] == []
    assert other.dump() == database.dump()


def test_everything_is_dropped_and_comes_back(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    database = new_database(ODD, 18)
    before = database.dump()
    (tmp_path / "state.yml").write_text("schemas: {public: {}}")
    job = Job(database.url, load(tmp_path / "state.yml"), EVERYTHING)
    plan = pipeline.plan_changes(job)
    outcome = pipeline.apply_plan(plan, job, database.url, quiet(), LockPolicy(), ["all"])
    assert [o.error for o in outcome.steps if o.status == "failed"] == []
    assert database.value("SELECT count(*) FROM pg_proc WHERE oid >= 16384") == 0
    for step in reversed(plan.steps):
        for command in step.undo or ():
            database.run(command)
    assert database.dump() == before


@pytest.mark.parametrize("value", ['["c", "other", "library"]', '[["c"], {}, 1]', "[1]", "{"])
def test_a_setting_of_a_stand_in_says_nothing_of_other_functions(
    value: str, new_database: Callable[..., Database], tmp_path: Path
) -> None:
    database = new_database(f"""
        CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql SET pg_reconcile.original = '{value}'
        AS 'BEGIN RETURN 1; END'""")
    for number in (1, 2):
        declared = f"""
functions:
  f():
    returns: int
    language: plpgsql
    set: {{pg_reconcile.original: '{value}'}}
    body: BEGIN RETURN {number}; END"""
        job = job_of(database, declared, tmp_path)
        plan = pipeline.plan_changes(job)
        pipeline.apply_plan(plan, job, job.target, quiet(), LockPolicy(), ["all"])
        assert (database.value("SELECT f()"), pipeline.plan_changes(job).in_sync) == (number, True)


def test_what_the_proof_leaves_open_is_said_once(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    database = new_database(BASE)
    declared = f"base_types: {{base: {AS_IT_IS}, comment: of one, owner: pg_database_owner}}}}"
    plan = pipeline.plan_changes(job_of(database, declared, tmp_path))
    assert len(plan.steps) > 1
    assert plan.unproven == (
        "base type public.base reads and writes values: on scratch a stand-in stores text",
    )
