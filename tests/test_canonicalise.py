"""Test errors of declared SQL: all are reported with positions; the target is not changed."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from psycopg.conninfo import make_conninfo

from reconciler import pipeline
from reconciler.cli import main
from reconciler.declare.load import load
from reconciler.errors import DeclarationError
from reconciler.introspect.introspect import introspect
from reconciler.model.state import Scope
from reconciler.pipeline import Job
from reconciler.server.connection import connect
from tests.conftest import Database

TABLE = "CREATE TABLE public.t (id int PRIMARY KEY, n int, s varchar(10));"


def reconcile(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments], catch_exceptions=False)


def declare(folder: Path, text: str) -> Path:
    file = folder / "state.yml"
    file.write_text(text)
    return file


@pytest.mark.parametrize(
    ("declared", "place", "message"),
    [
        ("tables:\n  t:\n    constraints:\n      c: {check: n >}\n", "4:11", "missing after >"),
        (
            "tables:\n  t:\n    constraints:\n      c: {check: x > 0}\n",
            "4:11",
            'column "x" does not exist',
        ),
        (
            "tables:\n  t:\n    indexes:\n      i: {on: missing}\n",
            "4:11",
            'column "missing" does not exist',
        ),
        (
            "tables:\n  t:\n    indexes:\n      i: {on: \"date_trunc('hour', now())\"}\n",
            "4:11",
            "IMMUTABLE",
        ),
        (
            "tables:\n  t:\n    columns:\n      n: {default: \"'x'\"}\n",
            "4:11",
            "invalid input syntax",
        ),
        (
            "tables:\n  t:\n    columns:\n      m: nosuchtype\n",
            "4:10",
            'type "nosuchtype" does not exist',
        ),
        (
            "tables:\n  t:\n    columns:\n      n: {not_null: true, backfill: {value: nope}}\n",
            "4:27",
            'column "nope" does not exist',
        ),
        (
            "tables:\n  t:\n    policies:\n      p: {using: nofunction(n)}\n",
            "4:11",
            "function nofunction(integer) does not exist",
        ),
        (
            "views:\n  v: {query: SELECT * FROM missing}\n",
            "2:7",
            'relation "missing" does not exist',
        ),
        (
            "functions:\n  f():\n    returns: int\n    body: SELECT nope\n",
            "4:5",
            'column "nope" does not exist',
        ),
        (
            (
                "functions:\n  f():\n    returns: int\n    language: plpgsql\n    body: BEGIN oops "
                "END\n"
            ),
            "5:5",
            "unexpected end of function definition",
        ),
        (
            "tables:\n  missing:\n    indexes:\n      i: {on: a}\n",
            "2:3",
            "table public.missing does not exist",
        ),
        (
            "tables:\n  t:\n    constraints:\n      f: {foreign_key: n, references: nowhere(id)}\n",
            "4:27",
            'relation "nowhere" does not exist',
        ),
        (
            "tables:\n  t:\n    policies:\n      p: {to: nobody_here, using: n > 0}\n",
            "4:11",
            "role nobody_here does not exist",
        ),
        (
            "extensions:\n  nosuch: {}\n",
            "2:3",
            "extension nosuch: the server does not have its files",
        ),
        (
            "tables:\n  t:\n    indexes:\n      i: {on: n, pieces: {t: j}}\n",
            "4:18",
            "public.t has no partition public.t with a piece",
        ),
        (
            "schema: nowhere\nviews:\n  v: {query: SELECT 1}\n",
            "3:3",
            "schema nowhere does not exist",
        ),
    ],
)
def test_sql_errors_have_a_position(
    new_database: Callable[..., Database],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    declared: str,
    place: str,
    message: str,
) -> None:
    database = new_database(TABLE)
    before = database.dump()
    monkeypatch.chdir(tmp_path)
    done = reconcile(
        "apply", "--target", database.url, "--state", declare(tmp_path, declared), "--yes"
    )
    assert done.exit_code == 1
    assert done.stdout == ""
    assert f"state.yml:{place}:" in done.stderr, done.stderr
    assert message in done.stderr
    assert database.dump() == before
    assert database.value("SELECT to_regnamespace('reconcile')") is None


def _problems(database: Database, folder: Path, **files: str) -> set[str]:
    """Plan the files; return each problem as `line:column message; hint`, without the file."""
    state = folder / "state"
    state.mkdir()
    for title, content in files.items():
        (state / f"{title}.yml").write_text(content)
    with pytest.raises(DeclarationError) as raised:
        pipeline.plan_changes(
            Job(database.url, load(state), Scope(frozenset({"public"})), questions=False)
        )
    return {
        f"{p.position.line if p.position else '?'} {p.message}; {p.hint}"
        for p in raised.value.problems
    }


def _assert_found(problems: set[str], *expected: tuple[str, str]) -> None:
    """Require one problem for each pair of beginning and hint, and no other."""
    for start, hint in expected:
        assert [p for p in problems if p.startswith(start) and hint in p], (start, problems)
    assert len(problems) == len(expected), problems


BESIDE_LIVE_COLUMNS = """
CREATE DOMAIN tax AS numeric;
CREATE TABLE inv (id int, tax tax, amount int, twice int GENERATED ALWAYS AS (amount * 2) STORED);
"""


@pytest.mark.parametrize(
    ("generated", "message"),
    [
        ("tax + amount, virtual: true", "generation expression uses user-defined type"),
        ("twice + 1", 'cannot use generated column "twice" in column generation expression'),
    ],
)
def test_a_column_refused_beside_live_ones_is_at_fault_itself(
    generated: str, message: str, database: Database, tmp_path: Path
) -> None:
    database.run(BESIDE_LIVE_COLUMNS)
    columns = f"before: int\n      total: {{type: numeric, generated: {generated}}}"
    found = _problems(
        database,
        tmp_path,
        state=f"tables:\n  inv:\n    columns:\n      {columns}\n      after: int\n",
    )
    _assert_found(found, (f"5 column public.inv.total: {message}", ""))


NAMED = """
CREATE TABLE t (id int, "order" int, "userId" int, price int, url text);
CREATE SCHEMA app; CREATE TABLE app.stuff (id int);
CREATE FUNCTION compute(a text) RETURNS int LANGUAGE sql AS 'SELECT 1';
"""


def test_what_does_not_exist_gets_the_nearest_names(database: Database, tmp_path: Path) -> None:
    database.run(NAMED)
    found = _problems(
        database,
        tmp_path,
        a="""tables:
  t:
    columns:
      cost: {type: int, renamed_from: price}
      word: {type: text, default: active}
      size:
        default: "1"
        type: integr
    indexes:
      i: {on: urll}
    constraints:
      c: {check: userId > 0}
views:
  v: {query: SELECT price FROM t}
  w: {query: SELECT comput(1)}
  x: {query: SELECT compute(1)}
  y: {query: SELECT * FROM stuff}
  z: {query: SELECT opne(1)}
""",
    )
    assert "pg_reconcile" not in "".join(found)  # open() is ours, on scratch
    _assert_found(
        found,
        ("5 column public.t.word: cannot use column reference", """did you mean "'active'"?"""),
        ('8 column public.t.size: type "integr"', "did you mean integer"),
        ('10 index public.i: column "urll"', "did you mean url?"),
        ('12 constraint c on public.t: column "userid"', 'is quoted: "userId"'),
        ("14 view public.v: column", "column public.t.price is renamed to cost"),
        ("15 view public.w: function comput(integer)", "did you mean compute"),
        ("16 view public.x: function compute(integer)", "there is public.compute(a text)"),
        ("17 view public.y: relation", "there is app.stuff"),
        ("18 view public.z: function opne(integer)", "No function matches"),
    )


def test_faults_hide_no_others_and_what_follows_is_left_out(
    database: Database, tmp_path: Path
) -> None:
    database.run("CREATE TABLE kept (id int);")
    found = _problems(
        database,
        tmp_path,
        a="""tables:
  parted:
    partition_by: range (id)
    columns:
      a: int
      id: {type: int, default: "1"}
      b: {type: int, generated: a + 1}
      c: texxt
    constraints: {follows: {check: c > ''}}
  kept:
    cluster_on: nothing
    columns: {id: int}
    indexes: {i: {on: id}}
""",
        b="""tables:
  granted:
    columns: {id: int}
    grants:
      postgre: [select]
views:
  v: {query: SELECT c FROM parted}
  w: {query: SELECT id FROM v}
  x: {query: SELECT * FROM nowhere}
""",
        c="""tables:
  other:
    columns: {id: int}
    grants: {public: [slect]}
    constraints: {c: {check: id >}, d: {check: (id > 0}, e: {check: order > 0}}
    triggers: {t: {before: insert, execute: f}}
  named:
    columns: {order: int}
""",
    )
    _assert_found(
        found,
        ('8 column public.parted.c: type "texxt"', "did you mean text?"),
        ('11 table public.kept: index "nothing" for table', ""),
        ("5 table public.granted: role postgre does not exist", "did you mean postgres?"),
        ('9 view public.x: relation "nowhere" does not exist', ""),
        ('4 table public.other: unrecognized privilege type "slect"', ""),
        ("5 constraint c on public.other: check: something is missing after >", ""),
        ("5 constraint d on public.other: check: a bracket is not closed", ""),
        ("5 constraint e on public.other: check: syntax error at order", '"order" is a word'),
        ("6 trigger t on public.other: execute: something is missing after f", "f()"),
    )


NEWER = """
tables:
  t:
    columns:
      n: {type: int, not_null: {name: filled}}
      v: {type: int, generated: n * 2, virtual: true}
    constraints:
      c: {check: n > 0, not_enforced: true}
      u: {unique: [n], nulls_not_distinct: true}
"""


def test_features_of_newer_servers_are_refused_first(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    database = new_database(TABLE, 16)
    done = reconcile("plan", "--target", database.url, "--state", declare(tmp_path, NEWER))
    assert done.exit_code == 1
    messages = [line.strip() for line in done.stderr.splitlines() if "needs PostgreSQL" in line]
    assert len(messages) == 3, done.stderr
    for place, message in (
        ("5:22", "column public.t.n: not_null needs PostgreSQL 18; this server is 16"),
        ("6:40", "column public.t.v: virtual needs PostgreSQL 18; this server is 16"),
        ("8:25", "constraint c on public.t: not_enforced needs PostgreSQL 18; this server is 16"),
    ):
        assert any(f"state.yml:{place}:" in line and message in line for line in messages), messages


def test_every_error_of_sql_is_collected(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    database = new_database(TABLE)
    declared = (
        "tables: {t: {constraints: {a: {check: x > 0}, b: {check: n > 0}, c: {check: f(n"
        ") > 0}}}}\nviews: {v: {query: SELECT nope}}\n"
    )
    with pytest.raises(DeclarationError) as raised:
        pipeline.plan_changes(
            Job(database.url, load(declare(tmp_path, declared)), Scope(frozenset({"public"})))
        )
    assert len(raised.value.problems) == 3
    assert all(p.position is not None for p in raised.value.problems)


def test_a_schema_that_is_not_empty_goes_with_prune(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    database = new_database(
        "CREATE SCHEMA s; CREATE TABLE s.t (id int PRIMARY KEY); CREATE VIEW s.v AS TABLE s.t;"
        "CREATE FUNCTION s.f() RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE TABLE public.t ()"
    )
    state = declare(tmp_path, "schemas: {s: {state: absent}}")
    options = ["--target", database.url, "--state", state]
    done = reconcile("plan", *options)
    assert done.exit_code == 1
    assert "--prune --schema s drops with the schema all that is in it" in done.stderr
    done = reconcile("apply", *options, "--prune", "--schema", "s", "--yes", "--allow", "all")
    assert done.exit_code == 0, done.stderr
    assert database.value("SELECT count(*) FROM pg_namespace WHERE nspname = 's'") == 0
    assert database.value("SELECT count(*) FROM pg_class WHERE relname = 't'") == 1


def test_the_holder_of_a_name_is_said_once(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    database = new_database(
        "CREATE TABLE public.t (id int PRIMARY KEY); CREATE INDEX i ON public.t (id)"
    )
    declared = """
tables:
  t_old: {renamed_from: t}
  t: {columns: {id: {type: bigint, primary_key: true}}, indexes: {i: {on: id}}}
"""
    with pytest.raises(DeclarationError) as raised:
        pipeline.plan_changes(
            Job(database.url, load(declare(tmp_path, declared)), Scope(frozenset({"public"})))
        )
    told = {p.message.partition("is taken by ")[2] for p in raised.value.problems}
    assert told == {"constraint t_pkey on public.t_old", "index public.i on public.t_old"}


def test_undeclared_dependents_are_named_and_kept(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    database = new_database(TABLE + "CREATE VIEW public.v AS SELECT n FROM public.t;")
    done = reconcile(
        "plan",
        "--target",
        database.url,
        "--state",
        declare(tmp_path, "tables: {t: {columns: {n: {state: absent}}}}"),
    )
    assert done.exit_code == 1
    assert "view public.v cannot stay as it is" in done.stderr


def test_spelling_makes_no_difference(
    new_database: Callable[..., Database], tmp_path: Path, each_major: int
) -> None:
    script = """
        CREATE TABLE public.s (a varchar(20) DEFAULT 'x', b timestamptz, c numeric(4), d int4[],
            CHECK (a IN ('x', 'y')));
        CREATE VIEW public.w AS SELECT a, count(*) n FROM public.s
            WHERE b > now() - interval '1 day' GROUP BY 1;
        CREATE INDEX i ON public.s (lower(a), (b AT TIME ZONE 'UTC')) WHERE c BETWEEN 1 AND 5;
        ALTER TABLE public.s ENABLE ROW LEVEL SECURITY;
        CREATE POLICY p ON public.s USING (a = current_user::text OR EXISTS (SELECT FROM public.s
            AS o WHERE o.c > s.c));
        CREATE FUNCTION public.f(x int, y varchar = 'z') RETURNS SETOF int4 LANGUAGE sql
            AS 'SELECT 1';
    """
    declared = """
tables:
  s:
    row_level_security: true
    columns:
      a: {type: "character varying( 20 )", default: "'x'::varchar"}
      b: timestamp with time zone
      c: decimal(4, 0)
      d: integer ARRAY
    constraints:
      s_a_check: {check: "a = 'x' OR a IN ('y')"}
    indexes:
      i: {on: [LOWER(a), "(b at time zone 'UTC')"], where: c >= 1 AND c <= 5}
    policies:
      p: {using: "a = CURRENT_USER::text OR EXISTS (SELECT FROM s AS o WHERE o.c > s.c)"}
views:
  w: {query: "SELECT a, count(*) AS n FROM s WHERE b > now() - '1 day'::interval GROUP BY a"}
functions:
  "f(x integer, y character varying DEFAULT 'z')": {returns: setof integer, body: SELECT 1}
"""
    database = new_database(script, each_major)
    made = pipeline.plan_changes(
        Job(database.url, load(declare(tmp_path, declared)), Scope(frozenset({"public"})))
    )
    # only the check differs for PostgreSQL
    assert [c.identity for c in made.changes] == ["s_a_check on public.s"]


def test_only_dependencies_of_a_change_are_built(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    script = TABLE + "".join(
        (
            f"CREATE TABLE public.far_{n} (id int PRIMARY KEY, t int REFERENCES "
            f"public.far_{max(n - 1, 0)});"
        )
        for n in range(20)
    )
    database = new_database(
        script.replace(
            "t int REFERENCES public.far_0);CREATE TABLE public.far_1",
            "t int);CREATE TABLE public.far_1",
        )
    )
    declaration = load(declare(tmp_path, "tables: {t: {indexes: {t_n: {on: n}}}}"))
    with connect(database.url) as connection:
        everything = len(introspect(connection).state)
    plan = pipeline.plan_changes(Job(database.url, declaration, Scope(frozenset({"public"}))))
    assert [c.identity for c in plan.changes] == ["public.t_n"]
    assert len(plan.fingerprint) < everything / 4


@pytest.mark.parametrize("scratch", ["embedded", "target", "URL"])
def test_every_scratch_server_gives_the_same_plan(
    new_database: Callable[..., Database], tmp_path: Path, scratch: str
) -> None:
    database = new_database(TABLE)
    file = declare(tmp_path, "tables: {t: {columns: {s: text}, indexes: {t_n: {on: n}}}}")
    role = f"planner_{os.getpid()}_{scratch}".lower()  # --scratch target is refused for a superuser
    database.run(f"CREATE ROLE {role} LOGIN CREATEDB; GRANT ALL ON SCHEMA public TO {role}")
    database.run(f"ALTER TABLE t OWNER TO {role}")
    url = make_conninfo(database.url, user=role)
    target = ("--target", url, "--state", file)
    shown = reconcile("plan", *target, "--scratch", url if scratch == "URL" else scratch)
    assert ("embedded" in shown.stdout) == (scratch == "embedded")
    steps = [line for line in shown.stdout.splitlines() if line.startswith("      ")]
    usual = [
        line for line in reconcile("plan", *target).stdout.splitlines() if line.startswith("      ")
    ]
    assert steps == usual
    left = f"SELECT count(*) FROM pg_database WHERE datdba = '{role}'::regrole"
    assert database.value(left) == 0


def test_a_routine_with_another_spelling_is_matched_on_each_try(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    script = TABLE + (
        "CREATE FUNCTION public.f(x int) RETURNS text LANGUAGE sql AS 'SELECT s FROM public.t "
        "WHERE id = x';"
    )
    database = new_database(script)
    file = declare(
        tmp_path,
        (
            "functions: {'f(x int)': {returns: text, body: 'SELECT s || s FROM public.t WHERE id = "
            "x'}}"
        ),
    )
    plan = pipeline.plan_changes(Job(database.url, load(file), Scope(frozenset({"public"}))))
    assert [(c.action, c.identity) for c in plan.changes] == [("alter", "public.f(integer)")]


def test_a_quoted_table_s_backfill_is_qualified(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    database = new_database(
        'CREATE TABLE public."My Table" (id int, n int); CREATE TABLE public.other (n int);'
    )
    declared = (
        "tables: {My Table: {columns: {n: {not_null: true, backfill: {value: (SELECT "
        "max(n) FROM other)}}}}}"
    )
    plan = pipeline.plan_changes(
        Job(database.url, load(declare(tmp_path, declared)), Scope(frozenset({"public"})))
    )
    assert "public.other" in plan.steps[0].sql


def test_the_datestyle_of_the_target_changes_no_dates(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    database = new_database(
        TABLE + "CREATE VIEW public.v AS SELECT id, date '2024-04-03' AS x FROM public.t;"
    )
    database.run(
        "DO $$BEGIN EXECUTE format('ALTER DATABASE %I SET datestyle = ''SQL, DMY''', "
        "current_database()); END$$"
    )
    target = (
        "--target",
        database.url,
        "--state",
        declare(tmp_path, "tables: {t: {columns: {id: bigint}}}"),
    )
    done = reconcile("apply", *target, "--yes", "--allow", "all")
    assert done.exit_code == 0, done.output
    assert database.value("SELECT pg_get_viewdef('v'::regclass) LIKE '%2024-04-03%'")


def test_schemas_of_declared_objects_are_not_pruned(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    database = new_database(TABLE)
    file = declare(
        tmp_path,
        (
            "tables: {t: {columns: {id: {type: int, not_null: true}, n: int, s: varchar(10)}, "
            "constraints: {t_pkey: {primary_key: id}}}}"
        ),
    )
    shown = reconcile(
        "plan",
        "--target",
        database.url,
        "--state",
        file,
        "--schema",
        "*",
        "--prune",
        "--format",
        "json",
    )
    assert shown.exit_code in (0, 2), shown.output
    assert '"action": "drop"' not in shown.stdout
