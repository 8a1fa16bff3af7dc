"""Test exports: the plan of an export is empty, and a database built from one is equal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler import pipeline
from reconciler.cli.group import main
from reconciler.declare.load import load
from reconciler.errors import SettingsError
from reconciler.introspect.catalogs import CATALOGS
from reconciler.model.ref import Ref
from reconciler.model.state import Scope
from reconciler.pipeline import ExportStyle, Job
from reconciler.report.progress import Lines
from reconciler.server.connection import connect, rows
from reconciler.server.locks import LockPolicy
from tests.conftest import MAJORS, Database, starting_point
from tests.installations import installed
from tests.test_cases import FIRST, FOUND, flagged, needs, scratch_for

EVERYTHING = Scope(frozenset({"*"}), prune=True, everything=True)


def round_trip(database: Database, fresh: Database, folder: Path, scratch: str = "auto") -> None:
    pipeline.export_state(database.url, EVERYTHING, folder)
    declaration = load(folder)
    assert pipeline.plan_changes(Job(database.url, declaration, EVERYTHING, scratch)).in_sync
    job = Job(fresh.url, declaration, EVERYTHING, scratch)
    outcome = pipeline.apply_plan(
        pipeline.plan_changes(job), job, fresh.url, Lines(lambda _: None), LockPolicy(), ["all"]
    )
    assert (outcome.failed, outcome.skipped, outcome.left) == (0, 0, ())
    assert fresh.dump() == [
        line for line in database.dump() if not line.strip().startswith(("password ", "api_key "))
    ]  # secrets are not exported


SOUND = [c for c in FOUND if not flagged(c, "partial-undo") and not flagged(c, "respelled")]


@pytest.mark.parametrize("case", SOUND, ids=lambda c: f"{c.parent.name}/{c.name}")
def test_every_case_round_trips(
    case: Path, new_database: Callable[..., Database], tmp_path: Path
) -> None:
    if not installed() and case not in FIRST:
        pytest.skip(
            "the first case of each kind is enough here; with RECONCILE_TEST_POSTGRES all run"
        )
    needs(case, MAJORS[0])
    database = new_database((case / "actual.sql").read_text())
    scratch = scratch_for(["labels"] if flagged(case, "labels") else [], database)
    round_trip(database, new_database(), tmp_path / "state", scratch)


def test_the_example_round_trips(new_database: Callable[..., Database], tmp_path: Path) -> None:
    database, fresh = new_database(starting_point(0.01)), new_database()
    round_trip(database, fresh, tmp_path / "state")


def test_export_refuses_a_folder_with_other_files(database: Database, tmp_path: Path) -> None:
    (tmp_path / "mine.yml").write_text("schema: public\n")
    with pytest.raises(SettingsError, match=r"no export: .*mine\.yml; .* declared twice"):
        pipeline.export_state(database.url, EVERYTHING, tmp_path)


def test_export_replaces_an_earlier_one(database: Database, tmp_path: Path) -> None:
    folder, elsewhere = tmp_path / "state", tmp_path / "elsewhere.yml"
    database.run("CREATE TABLE t (a int); CREATE SCHEMA app; CREATE TABLE app.u (a int)")
    pipeline.export_state(database.url, EVERYTHING, folder)
    (folder / "app" / "notes.txt").write_text("mine")
    database.run("ALTER TABLE t ADD b int; DROP TABLE app.u; CREATE VIEW v AS SELECT 1 AS a")
    files, _ = pipeline.export_state(
        database.url, EVERYTHING, folder, style=ExportStyle(per_table=True)
    )
    assert [str(f.relative_to(folder)) for f in files] == [
        *("public/tables/t.yml", "public/views/v.yml", "schemas.yml")
    ]
    assert sorted(p.name for p in folder.rglob("*.*")) == [
        *("notes.txt", "schemas.yml", "t.yml", "v.yml")
    ]
    assert pipeline.plan_changes(Job(database.url, load(folder), EVERYTHING)).in_sync
    elsewhere.write_bytes((folder / "schemas.yml").read_bytes())
    (folder / "schemas.yml").unlink()
    (folder / "schemas.yml").symlink_to(elsewhere)
    with pytest.raises(SettingsError, match=r"no export: .*schemas\.yml"):
        pipeline.export_state(database.url, EVERYTHING, folder)
    assert elsewhere.exists()


def test_export_names_the_json_schema_beside_the_files(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    database.run("CREATE TABLE t (a int)")
    arguments = ["-t", database.url, "--out", "state", "--layout", "table", "--json-schema"]
    for _ in range(2):
        with pytest.raises(SystemExit) as ended:
            main(["export", *arguments])
        assert ended.value.code == 0
    table = Path("state", "public", "tables", "t.yml")
    line = "# yaml-language-server: $schema=../../reconcile.schema.json"
    assert table.read_text().splitlines()[1] == line
    assert (table.parent / "../../reconcile.schema.json").is_file()


def test_long_conditions_are_folded_at_and_and_or(database: Database, tmp_path: Path) -> None:
    database.run("""CREATE TABLE t (a int, b text, CHECK (
        a > 0 AND b <> ' AND ( it''s' AND (a < 1000 OR a IS NULL OR b = 'a long text' OR a = 7)
        AND length(b) < 1000))""")
    pipeline.export_state(database.url, EVERYTHING, tmp_path)
    written = (tmp_path / "public" / "tables.yml").read_text()
    assert (
        """check: >-
          ((a > 0)
          AND (b <> ' AND ( it''s'::text)
          AND ((a < 1000) OR (a IS NULL) OR (b = 'a long text'::text) OR (a = 7))
          AND (length(b) < 1000))
"""
        in written
    )
    assert pipeline.plan_changes(Job(database.url, load(tmp_path), EVERYTHING)).in_sync


WHOLE = {
    "a table created with LIKE has constraints of the same names": """
        CREATE TABLE job (id integer NOT NULL, job text NOT NULL);
        CREATE TABLE archived (LIKE job);
        CREATE TABLE before (id integer CONSTRAINT runs_id_not_null NOT NULL);
        CREATE TABLE runs (CHECK (id > 0)) INHERITS (job);""",
    "a body depends on the caller's search_path": """
        CREATE TYPE public.box_of_two AS (a integer, b integer);
        CREATE SCHEMA app;
        SET search_path TO app, public;
        CREATE FUNCTION app.both(a integer) RETURNS integer
            LANGUAGE sql AS 'SELECT (ROW(a, a)::box_of_two).b';""",
    "a view reads only inherited columns of a child table": """
        CREATE TABLE note (id integer, words text);
        CREATE TABLE zz_note () INHERITS (note);
        CREATE VIEW a_note AS SELECT words FROM zz_note;""",
    "an index calls a function whose body names another function": """
        CREATE COLLATION zz_order (locale = 'C');
        CREATE FUNCTION key_of(words text) RETURNS text
            LANGUAGE sql IMMUTABLE AS 'SELECT words COLLATE public.zz_order';
        CREATE TABLE area (words text);
        CREATE INDEX area_words ON area (public.key_of(words));""",
    "an operator is created together with its operands' type": """
        CREATE TYPE complex AS (r float8, i float8);
        CREATE FUNCTION added(complex, complex) RETURNS complex
            LANGUAGE sql IMMUTABLE AS 'SELECT $1';
        CREATE OPERATOR @+ (LEFTARG = complex, RIGHTARG = complex, FUNCTION = added, COMMUTATOR =
            OPERATOR(public.@+));
        COMMENT ON OPERATOR @+ (complex, complex) IS 'sum';
        CREATE VIEW sums AS SELECT ROW(1, 2)::complex @+ ROW(1, 2)::complex AS s;""",
    "a foreign key that is not validated, on a table that its own default reads": """
        CREATE TABLE a (id integer PRIMARY KEY, b_id integer);
        CREATE TABLE b (id integer PRIMARY KEY);
        ALTER TABLE a ADD FOREIGN KEY (b_id) REFERENCES b NOT VALID;
        CREATE FUNCTION next_number() RETURNS integer
            LANGUAGE sql AS 'SELECT coalesce(max(id), 0) + 1 FROM a';
        ALTER TABLE a ALTER id SET DEFAULT next_number();""",
    "default privileges with an event trigger": """
        ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO pg_monitor;
        CREATE FUNCTION told() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN NOTIFY told; END';
        CREATE EVENT TRIGGER tell ON ddl_command_end EXECUTE FUNCTION told();
        CREATE TABLE seen (id integer);""",
}


@pytest.mark.parametrize("script", WHOLE.values(), ids=WHOLE)
def test_objects_of_real_databases_round_trip(
    script: str, matrix_major: int, new_database: Callable[..., Database], tmp_path: Path
) -> None:
    database, fresh = new_database(script, matrix_major), new_database(major=matrix_major)
    round_trip(database, fresh, tmp_path / "state")


def test_bodies_are_written_as_blocks(database: Database, tmp_path: Path) -> None:
    bodies = [
        "\nBEGIN\n\tRETURN 1; \nEND;\n",
        "\n    BEGIN\n  RETURN 1;\n END  ",
        "BEGIN\n\n   \n\t-- '\" #: |\nRETURN 1; END\n\n\n",
        "  BEGIN\nRETURN 1;\nEND",
    ]
    for n, body in enumerate(bodies):
        database.run(f"CREATE FUNCTION f{n}() RETURNS integer LANGUAGE plpgsql AS $${body}$$")
    pipeline.export_state(database.url, EVERYTHING, tmp_path)
    written = (tmp_path / "public" / "functions.yml").read_text()
    assert written.count("body: |") == len(bodies)
    assert [
        load(tmp_path).objects[Ref("function", "public", f"f{n}", None, "")].fields()["body"]
        for n in range(len(bodies))
    ] == bodies


def test_short_values_stay_on_one_line(database: Database, tmp_path: Path) -> None:
    database.run("""
        CREATE TABLE t (id integer PRIMARY KEY, a boolean DEFAULT false, n bigint DEFAULT 12, w
            text DEFAULT 'x', d numeric DEFAULT 012.5);
        CREATE TABLE u (t integer REFERENCES t ON DELETE CASCADE);
        CREATE INDEX u_t ON u USING hash (t);
        GRANT SELECT ON u TO pg_read_all_data, pg_monitor;""")
    pipeline.export_state(database.url, EVERYTHING, tmp_path)
    written = (tmp_path / "public" / "tables.yml").read_text()
    for line in (
        "a: {type: boolean, default: false}",
        "n: {type: bigint, default: 12}",
        """w: {type: text, default: "'x'::text"}""",
        "u_t_fkey: {foreign_key: [t], references: t(id), on_delete: cascade}",
        "indexes:\n      u_t: {columns: [t], method: hash}",
        "grants: {pg_monitor: [select], pg_read_all_data: [select]}",
    ):
        assert line in written
    assert pipeline.plan_changes(Job(database.url, load(tmp_path), EVERYTHING)).in_sync


def test_privileges_taken_from_everybody_stay_taken(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    database, other = (
        new_database(
            "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE FUNCTION g()"
            " RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE TYPE m AS ENUM ('a'); REVOKE ALL ON"
            " FUNCTION f(), g() FROM PUBLIC; REVOKE USAGE ON TYPE m FROM PUBLIC;"
            " GRANT EXECUTE ON FUNCTION g() TO pg_monitor"
        ),
        new_database(),
    )
    pipeline.export_state(database.url, EVERYTHING, tmp_path)
    job = Job(other.url, load(tmp_path), EVERYTHING)
    plan = pipeline.plan_changes(job)
    policy = LockPolicy()
    pipeline.apply_plan(plan, job, other.url, Lines(lambda _: None), policy, ["all"])
    assert sorted(other.dump()) == sorted(database.dump())


def test_members_of_extensions_are_not_reported(database: Database, tmp_path: Path) -> None:
    database.run(
        "CREATE DOMAIN earth AS integer CONSTRAINT on_surface CHECK (VALUE > 0); "
        "ALTER EXTENSION plpgsql ADD DOMAIN earth"
    )
    assert pipeline.export_state(database.url, EVERYTHING, tmp_path)[1] == []


PART_CATALOGS = {  # rows are parts of other objects; an extension is always managed
    "pg_amop",
    "pg_amproc",
    "pg_attrdef",
    "pg_enum",
    "pg_extension",
    "pg_publication_namespace",
    "pg_publication_rel",
    "pg_user_mapping",
}


def test_every_catalog_is_searched_for_unmanaged_objects(database: Database) -> None:
    with connect(database.url) as connection:
        catalogs = rows(
            connection,
            """
            SELECT c.relname::text AS name FROM pg_class AS c
            JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attname = 'oid'
            WHERE c.relnamespace = 'pg_catalog'::regnamespace AND c.relkind = 'r'
                  AND (NOT c.relisshared OR c.relname = 'pg_subscription')""",
        )
    assert {row["name"] for row in catalogs} == {*CATALOGS, *PART_CATALOGS}


def test_unmanaged_objects_are_named(database: Database, tmp_path: Path) -> None:
    """Export, plan and drift name objects of unknown kinds and unfinished undeclared indexes."""
    database.run("""
        SELECT lo_create(1234567);
        GRANT SELECT ON LARGE OBJECT 1234567 TO PUBLIC;
        CREATE TABLE whole (id integer) PARTITION BY RANGE (id);
        CREATE TABLE part PARTITION OF whole FOR VALUES FROM (0) TO (9);
        CREATE INDEX begun ON ONLY whole (id);
        CREATE INDEX declared ON ONLY whole (id);""")
    unmanaged, half = (
        ["1 large object is not managed: 1234567"],
        "in no declaration, to be dropped by `--prune`",
    )
    _, notes = pipeline.export_state(database.url, EVERYTHING, tmp_path)
    assert notes == [*unmanaged, f"2 unfinished indexes are {half}: public.begun, public.declared"]
    keeping = Scope(frozenset({"*"}), everything=True)
    plan = pipeline.plan_changes(Job(database.url, load(tmp_path), keeping))
    assert (plan.in_sync, list(plan.notes)) == (True, notes)
    (tmp_path / "more.yml").write_text("tables: {whole: {indexes: {declared: {on: id}}}}")
    plan = pipeline.plan_changes(Job(database.url, load(tmp_path), keeping))
    assert list(plan.notes) == [*unmanaged, f"1 unfinished index is {half}: public.begun"]
    plan = pipeline.plan_changes(Job(database.url, load(tmp_path), EVERYTHING))
    assert {*unmanaged} <= {*plan.notes}
    assert [c.action for c in plan.changes if c.identity == "public.begun"] == ["drop"]


def test_names_that_postgres_chose_are_left_out(database: Database, tmp_path: Path) -> None:
    database.run(
        """CREATE TABLE box_part (id int NOT NULL, lid int CONSTRAINT own NOT NULL);
        CREATE TABLE box (part_id int NOT NULL);
        CREATE DOMAIN box_part_id AS int NOT NULL"""
    )
    pipeline.export_state(database.url, EVERYTHING, tmp_path)
    exported = "".join(file.read_text() for file in tmp_path.rglob("*.yml"))
    assert "not_null1" not in exported
    assert "own" in exported
    assert pipeline.plan_changes(Job(database.url, load(tmp_path), EVERYTHING)).in_sync
