"""Test `import`: what a file of SQL changes is declared, and what cannot be run is named."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from reconciler import pipeline
from reconciler.cli.group import main
from reconciler.declare.load import load
from reconciler.errors import DeclarationError
from reconciler.importing import Imported, import_script
from reconciler.model.state import Scope
from reconciler.pipeline import Job
from reconciler.report.progress import Lines
from reconciler.server.locks import LockPolicy
from reconciler.server.script import ScriptCommand, split_script
from tests.conftest import Database, starting_point

ORIGINAL = Path(__file__).parent / "imports" / "original.sql"


def applied(imported: Imported, database: Database, folder: Path) -> None:
    """Apply the YAML of an import."""
    (folder / "imported.yml").write_text(imported.document)
    job = Job(database.url, load(folder), Scope(frozenset({"public", "my app"})))
    plan = pipeline.plan_changes(job)
    outcome = pipeline.apply_plan(
        plan, job, database.url, Lines(lambda _: None), LockPolicy(), ["all"]
    )
    assert (outcome.failed, outcome.skipped, outcome.left) == (0, 0, ())


def test_a_migration_that_cannot_run_whole(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    database, other = new_database(starting_point(0.01)), new_database(starting_point(0.01))
    for each in (database, other):  # no test here of what fills the column
        each.run(
            "UPDATE conversations c SET organization_id = d.organization_id FROM domains d"
            " WHERE d.id = c.domain_id"
        )
    assert other.psql(ORIGINAL.read_text()).returncode != 0
    imported = import_script(ORIGINAL.read_text(), database.url, "auto")
    assert [line for line, _ in imported.left_out] == [2, 11, 19, 21, 37]
    reasons = [reason for _, reason in imported.left_out]
    assert reasons[0].startswith("a command of psql")
    assert 'column "nobody" does not exist' in reasons[2]
    assert "missing FROM-clause entry for table" in reasons[3]
    applied(imported, database, tmp_path)
    left_out = {line for line, _ in imported.left_out}
    for command in split_script(ORIGINAL.read_text()):
        if command.line not in left_out and command.sql not in ("BEGIN", "COMMIT"):
            other.run(command.sql)
    assert database.dump() == other.dump()


CHANGES = {
    "what has its default again": (
        "CREATE TABLE t (a int NOT NULL DEFAULT 1, b text); ALTER TABLE t ENABLE ROW LEVEL"
        " SECURITY; COMMENT ON TABLE t IS 'x'",
        "ALTER TABLE t ALTER a DROP NOT NULL; ALTER TABLE t ALTER a DROP DEFAULT;"
        " ALTER TABLE t DISABLE ROW LEVEL SECURITY; COMMENT ON TABLE t IS NULL",
    ),
    "names that change, and what is on them": (
        "CREATE TABLE a (id int PRIMARY KEY, b int); CREATE TYPE mood AS ENUM ('x');"
        " CREATE INDEX i ON a (b); CREATE VIEW v AS SELECT 1 AS c",
        "ALTER TABLE a RENAME TO z; ALTER TABLE z RENAME b TO y; ALTER INDEX i RENAME TO j;"
        " ALTER TYPE mood RENAME TO moods; ALTER TABLE z ADD m moods",
    ),
    "other schemas, and names that need quotes": (
        'CREATE SCHEMA "my app"; CREATE TABLE "my app"."a.b" (id int)',
        'SET search_path TO "my app"; CREATE TABLE "C" (id serial PRIMARY KEY);'
        ' ALTER TABLE "a.b" ADD "x y" varchar(3); CREATE FUNCTION f(a int) RETURNS int'
        " LANGUAGE sql AS 'SELECT 1'",
    ),
    "what is dropped": (
        "CREATE TABLE a (id int PRIMARY KEY, b int CHECK (b > 0)); CREATE TABLE c (id int);"
        " CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "DROP FUNCTION f(int); DROP TABLE c; ALTER TABLE a DROP b; ALTER TABLE a DROP"
        " CONSTRAINT a_pkey",
    ),
    "privileges that are revoked": (
        'CREATE TABLE t (a int, b int); CREATE SEQUENCE s; CREATE SCHEMA "my app"; CREATE VIEW v'
        " AS SELECT 1 AS a; CREATE TABLE i (a int GENERATED ALWAYS AS IDENTITY);"
        " GRANT SELECT ON t, s, v TO pg_monitor, pg_read_all_data; GRANT USAGE ON SCHEMA"
        ' "my app" TO pg_monitor; GRANT UPDATE (a, b) ON t TO pg_monitor; GRANT INSERT (b) ON t'
        " TO pg_read_all_data; GRANT USAGE ON SEQUENCE i_a_seq TO pg_monitor; CREATE TYPE c AS"
        " (a int); CREATE DOMAIN d AS int; CREATE AGGREGATE g(int) (sfunc = int4pl, stype = int)",
        "REVOKE ALL ON t, s, v FROM pg_monitor; REVOKE SELECT ON s FROM pg_read_all_data;"
        ' REVOKE USAGE ON SCHEMA "my app" FROM pg_monitor; REVOKE UPDATE (a, b) ON t FROM'
        " pg_monitor; REVOKE ALL ON SEQUENCE i_a_seq FROM pg_monitor; REVOKE USAGE ON TYPE c FROM"
        " PUBLIC; REVOKE USAGE ON DOMAIN d FROM PUBLIC; REVOKE ALL ON FUNCTION g(int) FROM PUBLIC",
    ),
    "privileges of owners, and of new objects": (
        "CREATE TABLE a (i int); CREATE TABLE b (i int); REVOKE ALL ON b FROM CURRENT_USER;"
        " ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO pg_monitor; CREATE TABLE o (i int);"
        " ALTER TABLE o OWNER TO pg_monitor",
        "REVOKE ALL ON a FROM CURRENT_USER; GRANT ALL ON b TO CURRENT_USER; CREATE FUNCTION f()"
        " RETURNS int LANGUAGE sql AS 'SELECT 1'; REVOKE ALL ON FUNCTION f() FROM PUBLIC;"
        " CREATE TABLE c (i int); REVOKE ALL ON c FROM pg_monitor; ALTER TABLE o OWNER TO"
        " CURRENT_USER",
    ),
    "what partitions have of their own": (
        "CREATE TABLE p (a int, b int DEFAULT 3) PARTITION BY RANGE (a); CREATE TABLE p1 PARTITION"
        " OF p FOR VALUES FROM (1) TO (2); CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (2) TO"
        " (3); GRANT SELECT (a) ON p1 TO pg_monitor; ALTER TABLE p1 ALTER b SET DEFAULT 4;"
        " CREATE TABLE p3 (a int, b int)",
        "ALTER TABLE p1 RENAME TO q1; REVOKE SELECT (a) ON q1 FROM pg_monitor; ALTER TABLE q1"
        " ALTER b SET DEFAULT 3; ALTER TABLE p2 ALTER b SET DEFAULT 5; GRANT SELECT (a) ON p2 TO"
        " pg_monitor; ALTER TABLE p ATTACH PARTITION p3 FOR VALUES FROM (3) TO (4)",
    ),
    "values that are renamed, and types that are replaced": (
        "CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE TABLE t (m mood);"
        " CREATE TYPE a AS ENUM ('x')",
        "ALTER TYPE mood RENAME VALUE 'sad' TO 'blue'; ALTER TYPE mood ADD VALUE 'new';"
        " ALTER TYPE mood RENAME VALUE 'new' TO 'good'; ALTER TYPE mood RENAME TO moods;"
        " DROP TYPE a; CREATE TYPE a AS ENUM ('y')",
    ),
    "attributes that are renamed": (
        "CREATE TYPE pair AS (a text, b text); CREATE TABLE t (p pair)",
        "ALTER TYPE pair RENAME ATTRIBUTE a TO aa; ALTER TYPE pair ADD ATTRIBUTE c int;"
        " ALTER TYPE pair RENAME TO triple",
    ),
    "a session that changes its settings": (
        "CREATE TABLE t (a int)",
        "SET DateStyle TO 'SQL, DMY'; SET quote_all_identifiers TO on; SET LOCAL x.y TO 1;"
        " ALTER TABLE t ADD b date DEFAULT '2020-12-01' CHECK (b > '2019-12-31')",
    ),
}


@pytest.mark.parametrize(("before", "script"), CHANGES.values(), ids=CHANGES)
def test_changes_are_declared(
    before: str, script: str, new_database: Callable[..., Database], tmp_path: Path
) -> None:
    database, other = new_database(before), new_database(f"{before}; {script}")
    imported = import_script(script, database.url, "auto")
    assert (imported.left_out, imported.notes) == ([], [])
    applied(imported, database, tmp_path)
    assert database.dump() == other.dump()


def test_what_has_not_changed_is_left_out(database: Database) -> None:
    database.run(
        "CREATE TABLE t (a int NOT NULL DEFAULT 1, b int UNIQUE); ALTER TABLE t ENABLE ROW LEVEL"
        " SECURITY; GRANT SELECT ON t TO pg_monitor, pg_read_all_data; CREATE TYPE mood AS"
        " ENUM ('sad', 'ok'); CREATE FUNCTION f() RETURNS int LANGUAGE sql SECURITY DEFINER SET"
        " search_path = '' AS 'SELECT 1'; CREATE TABLE k (a int NOT NULL)"
    )
    script = """
        REVOKE ALL ON t FROM pg_monitor;
        REVOKE EXECUTE ON FUNCTION f() FROM PUBLIC;
        ALTER TYPE mood RENAME VALUE 'sad' TO 'blue';
        ALTER TABLE t ALTER a SET DEFAULT 2;
        ALTER TABLE k ADD PRIMARY KEY (a), ALTER a SET DEFAULT 3;
        CREATE TABLE n (i int)"""
    assert yaml.safe_load(import_script(script, database.url, "auto").document) == {
        "tables": {
            "t": {"grants": {"pg_monitor": []}, "columns": {"a": {"default": 2}}},
            "k": {"columns": {"a": {"default": 3, "primary_key": True}}},
            "n": {"columns": {"i": "int"}},
        },
        "functions": {"f()": {"grants": {"public": []}}},
        "enums": {"mood": {"values": [{"name": "blue", "renamed_from": "sad"}, "ok"]}},
    }


def test_the_file_runs_as_an_ordinary_role(database: Database) -> None:
    hostile = (
        "SELECT pg_read_file('/etc/passwd')",
        "COPY (SELECT 1) TO PROGRAM 'true'",
        "ALTER ROLE CURRENT_USER SUPERUSER",
        "CREATE FUNCTION f() RETURNS int LANGUAGE c AS 'x', 'y'",
        "CREATE FOREIGN DATA WRAPPER w\tVALIDATOR postgresql_fdw_validator",
        "SELECT pg_reconcile.open('', '{}')",
        "CREATE EXTENSION nothing_of_that_name",
        "DO $$ BEGIN EXECUTE 'CREATE ROLE other_superuser SUPERUSER'; END $$",
        "SELECT 'never closed",
    )
    imported = import_script(";\n".join(hostile), database.url, "auto")
    assert [line for line, _ in imported.left_out] == [*range(1, len(hostile) + 1)]
    assert imported.document == "{}\n"


def test_the_command_writes_a_file_and_lints_it(
    database: Database, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    database.run("CREATE TABLE a (id int PRIMARY KEY)")
    migration, out = tmp_path / "m\x1b.sql", tmp_path / "m.yml"
    migration.write_text("CREATE TABLE b (a int REFERENCES a);\nSELECT \x1b[0m;\n")
    arguments = ["import", str(migration), "-t", database.url, "--out", str(out)]
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    shown = capfd.readouterr()
    assert ended.value.code == 2
    assert "\x1b" not in shown.out + shown.err + out.read_text()
    assert re.search(r"sql:2: left out: syntax error", shown.err)
    assert "2 findings" in shown.out
    assert "b:\n" in out.read_text()
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 1
    assert "exists already" in capfd.readouterr().err


def test_what_no_file_declares_is_named(database: Database) -> None:
    database.run(
        "CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY, restart int); CREATE SEQUENCE s"
    )
    named = {
        "SELECT setval('s', 100)": "value of a sequence",
        "SELECT pg_catalog.setval('s', 100, true)": "value of a sequence",
        "ALTER SEQUENCE s INCREMENT 2 RESTART WITH 5": "value of a sequence",
        "ALTER TABLE t ALTER id SET INCREMENT 2 RESTART": "value of a sequence",
        "WITH d AS (DELETE FROM t RETURNING id) SELECT id FROM d": "rows",
        "DO $$ BEGIN PERFORM 1; UPDATE t SET restart = 1; END $$": "rows",
        "CREATE TYPE later": "ordinary role",
    }
    declared = (
        "SELECT set_config('search_path', 'public', false)",
        "ALTER TABLE t ALTER restart SET NOT NULL, ADD restarts int DEFAULT nextval('s')",
        "DO $$ BEGIN ALTER TABLE t ADD r int REFERENCES k ON DELETE CASCADE; END $$",
        "CREATE FUNCTION f() RETURNS bigint LANGUAGE sql AS $$ SELECT setval('s', 1) $$",
    )
    script = ";\n".join((*named, "CREATE TABLE k (i int PRIMARY KEY)", *declared))
    imported = import_script(script, database.url, "auto")
    assert [line for line, _ in imported.left_out] == [*range(1, len(named) + 1)]
    for (_, reason), words in zip(imported.left_out, named.values(), strict=True):
        assert words in reason
    assert "increment: 2" in imported.document


def test_a_function_that_the_file_closes_is_no_finding(
    database: Database, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    database.run(
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql SECURITY DEFINER SET search_path = ''"
        " AS 'SELECT 1'"
    )
    migration, out = tmp_path / "m.sql", tmp_path / "m.yml"
    migration.write_text("REVOKE EXECUTE ON FUNCTION f() FROM PUBLIC")
    with pytest.raises(SystemExit) as ended:
        main(["import", str(migration), "-t", database.url, "--out", str(out)])
    assert ended.value.code == 0
    assert "definer-executable-by-public" not in capfd.readouterr().out


def test_what_is_declared_already_is_named(
    database: Database,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    database.run(
        "CREATE TYPE mood AS ENUM ('sad'); CREATE TYPE old AS ENUM ('x'); CREATE TABLE u (a int);"
        " CREATE TABLE t (a int PRIMARY KEY, b int, c int); COMMENT ON TABLE t IS 'x'"
    )
    pipeline.export_state(database.url, Scope(frozenset({"public"})), Path("desired_state"))
    Path("m.sql").write_text(
        "ALTER TYPE mood RENAME VALUE 'sad' TO 'blue'; ALTER TYPE old RENAME TO new; DROP TABLE u;"
        " COMMENT ON TABLE t IS 'y'; ALTER TABLE t ADD d int, ALTER b SET DEFAULT 1, DROP c;"
        " CREATE INDEX i ON t (b); CREATE TYPE other AS ENUM ('y')"
    )
    with pytest.raises(SystemExit):
        main(["import", "m.sql", "-t", database.url, "--out", "desired_state/new.yml"])
    named = re.findall(
        r"note: (.*) is already declared at desired_state/pub", capfd.readouterr()[1]
    )
    refused = {"enum public.mood", "comment of table public.t", "column public.t.b"}
    dropped = {"table public.u", "column public.t.c"}
    assert {*named} == {*refused, *dropped, "enum public.old"}
    assert len(named) == 6
    with pytest.raises(DeclarationError) as faults:
        load(Path("desired_state"))
    assert {p.message.partition(" is ")[0] for p in faults.value.problems} == refused | dropped


def test_scripts_are_split_as_psql_does() -> None:
    script = """-- a; comment
SELECT 'a;''b', E'\\';', ";", $$;$$, $x$ $$; $x$ /* ; /* ; */ ; */; ;
CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2);
\\d t; x
CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN a THEN 1 END; SELECT 2; END;
SELECT 1 AS begin; SELECT 2 \\gexec
COPY t FROM stdin;
1;'
\\.
END"""
    assert [*split_script(script)] == [
        ScriptCommand(2, script.splitlines()[1].removesuffix("; ;")),
        ScriptCommand(3, "CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2)"),
        ScriptCommand(4, "\\d t; x", is_psql=True),
        ScriptCommand(5, script.splitlines()[4].removesuffix(";")),
        ScriptCommand(6, "SELECT 1 AS begin"),
        ScriptCommand(6, "SELECT 2 \\gexec", is_psql=True),
        ScriptCommand(7, "COPY t FROM stdin"),
        ScriptCommand(10, "END"),
    ]
