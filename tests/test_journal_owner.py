"""Test that a journal that others may have written is refused, and mended as the refusal says."""

from __future__ import annotations

import re
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner, Result

from reconciler.cli import main
from reconciler.errors import PlanRefused
from reconciler.journal.journal import StepRecord, begin
from reconciler.journal.ownership import Place, lock_and_check, untrusted
from reconciler.plan.plan import Plan
from reconciler.server.connection import connect
from tests.conftest import Database

PLAN = Plan(target="", in_sync=True)

ROLES = """
    DO $$BEGIN CREATE ROLE journal_mallory LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END$$;
    DO $$BEGIN CREATE ROLE journal_deployer LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END$$;
"""
EVIL = """
    CREATE TABLE public.fired (who text);
    CREATE FUNCTION public.evil() RETURNS text LANGUAGE plpgsql AS
        'BEGIN INSERT INTO public.fired VALUES (current_user); RETURN ''x''; END';
    CREATE FUNCTION public.evil_trigger() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN INSERT INTO public.fired VALUES (current_user); RETURN NEW; END';
    ALTER TABLE public.fired OWNER TO journal_mallory;
    ALTER FUNCTION public.evil() OWNER TO journal_mallory;
    ALTER FUNCTION public.evil_trigger() OWNER TO journal_mallory;
    CREATE EXTENSION postgres_fdw;
    CREATE SERVER elsewhere FOREIGN DATA WRAPPER postgres_fdw;
"""
FAULTS = {  # what is prepared in a journal, and words of the refusal
    "trigger": (
        "CREATE TRIGGER t BEFORE INSERT ON reconcile.run"
        " FOR EACH ROW EXECUTE FUNCTION public.evil_trigger()",
        "run has a trigger",
    ),
    "trigger of the positions": (
        "CREATE TABLE reconcile.backfill (relation text NOT NULL, column_name text NOT NULL,"
        " digest text NOT NULL, part text NOT NULL, key text[] NOT NULL, place text[] NOT NULL,"
        " moved_at timestamptz NOT NULL DEFAULT clock_timestamp(),"
        " PRIMARY KEY (relation, column_name, digest));"
        "CREATE TRIGGER t BEFORE INSERT ON reconcile.backfill"
        " FOR EACH ROW EXECUTE FUNCTION public.evil_trigger()",
        "backfill has a trigger",
    ),
    "rule": (
        "CREATE RULE r AS ON INSERT TO reconcile.step DO ALSO SELECT public.evil()",
        "step has a rule",
    ),
    "policy": (
        "CREATE POLICY p ON reconcile.run USING (public.evil() = 'x');"
        "ALTER TABLE reconcile.run ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
        "run has row level security",
    ),
    "default": (
        "ALTER TABLE reconcile.run ALTER COLUMN role_name SET DEFAULT public.evil()",
        "role_name of run has another default",
    ),
    "default of pg_catalog": (  # needs no function of one's own
        "ALTER TABLE reconcile.run ALTER COLUMN role_name"
        " SET DEFAULT query_to_xml('SELECT public.evil()', true, true, '')::text",
        "role_name of run has another default",
    ),
    "default where none is": (
        "ALTER TABLE reconcile.run ALTER COLUMN git_commit SET DEFAULT public.evil()",
        "git_commit of run has another default",
    ),
    "check": (
        "ALTER TABLE reconcile.run ADD CHECK (public.evil() = 'x') NOT VALID",
        "run has another constraint",
    ),
    "foreign key": (
        "CREATE TABLE public.mine (id bigint REFERENCES reconcile.run ON DELETE CASCADE);"
        "ALTER TABLE public.mine OWNER TO journal_mallory",
        "a foreign key of public.mine refers to the journal",
    ),
    "index": (
        "CREATE FUNCTION public.still() RETURNS text IMMUTABLE RETURN 'x';"
        "CREATE INDEX i ON reconcile.touched ((public.still()))",
        "touched has a further index",
    ),
    "unique constraint": (
        "ALTER TABLE reconcile.run ADD UNIQUE (status)",
        "run has another constraint",
    ),
    "child table": (
        "CREATE TABLE public.child () INHERITS (reconcile.run);"
        "ALTER TABLE public.child OWNER TO journal_mallory",
        "run has a child table",
    ),
    "grant": ("GRANT INSERT ON reconcile.step TO journal_mallory", "journal_mallory may write"),
    "grant to everybody": ("GRANT UPDATE ON reconcile.run TO PUBLIC", "everybody may write to run"),
    "grant of a column": (
        "GRANT UPDATE (before) ON reconcile.touched TO journal_mallory",
        "journal_mallory may write to touched",
    ),
    "grant of the schema": (
        "GRANT CREATE ON SCHEMA reconcile TO journal_mallory",
        "journal_mallory may create objects",
    ),
    "owner of a table": (
        "ALTER TABLE reconcile.touched OWNER TO journal_mallory",
        "touched belongs to journal_mallory",
    ),
    "owner of the schema": (
        "ALTER SCHEMA reconcile OWNER TO journal_mallory",
        "the schema belongs to journal_mallory",
    ),
    "view": (
        "ALTER TABLE reconcile.run RENAME TO hidden; CREATE VIEW reconcile.run AS"
        " SELECT h.*, public.evil() AS e FROM reconcile.hidden AS h",
        "run: not as reconcile makes it",
    ),
    "foreign table": (
        "DROP TABLE reconcile.step;"
        "CREATE FOREIGN TABLE reconcile.step (run_id bigint) SERVER elsewhere",
        "step: not as reconcile makes it",
    ),
    "further column": (
        "ALTER TABLE reconcile.run ADD COLUMN e text DEFAULT public.evil()",
        "run: not as reconcile makes it",
    ),
    "generated column": (
        "ALTER TABLE reconcile.run DROP COLUMN git_commit, ADD COLUMN git_commit text"
        " GENERATED ALWAYS AS (lower(status)) STORED",
        "run: not as reconcile makes it",
    ),
    "column of another type": (
        "CREATE DOMAIN public.trap AS text CHECK (public.evil() = 'x');"
        "ALTER TABLE reconcile.run DROP COLUMN git_commit, ADD COLUMN git_commit public.trap",
        "run: not as reconcile makes it",
    ),
}


def invoke(url: str, command: str, *options: object) -> Result:
    arguments = [command, "-t", url, *map(str, options)]
    return CliRunner().invoke(main, arguments, catch_exceptions=False)


def mended(refused: str) -> list[str]:
    """Return the statements of a refusal."""
    return re.findall(r"^ +(.*);  -- ", refused, re.MULTILINE)


@pytest.fixture
def journalled(database: Database) -> Database:
    """Return a database with a journal that holds nothing yet, and a function of mallory's."""
    database.run(ROLES + EVIL)
    with connect(database.url) as connection:
        begin(connection, Place(), PLAN, {})
    return database


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Return a file that declares a comment."""
    file = tmp_path / "state.yml"
    file.write_text("tables: {t: {comment: one}}")
    return file


def test_every_fault_is_refused_and_mended_as_the_refusal_says(journalled: Database) -> None:
    """The faults are tried one after the other; only what a trusted role did would fire."""
    with connect(journalled.url) as connection:
        assert untrusted(connection, Place()) == ""
        for fault, (script, words) in FAULTS.items():
            connection.execute("BEGIN")
            connection.execute(script.encode())
            connection.execute("DELETE FROM public.fired")
            with pytest.raises(PlanRefused, match=re.escape(words)) as caught:
                begin(connection, Place(), PLAN, {})
            assert connection.execute("SELECT * FROM public.fired").fetchall() == [], fault
            for statement in mended(str(caught.value)):
                connection.execute(statement.encode())
            assert untrusted(connection, Place()) == "", fault
            run = begin(connection, Place(), PLAN, {})
            assert (run.complaints, fault) == ([], fault)
            assert connection.execute("SELECT * FROM public.fired").fetchall() == [], fault
            connection.execute("ROLLBACK")


def test_a_schema_that_others_made_is_refused_until_it_is_mended(
    database: Database, state: Path
) -> None:
    """No table is there yet: its owner could add triggers to tables that a superuser makes."""
    database.run(
        ROLES + "CREATE TABLE public.t (id int); CREATE SCHEMA reconcile"
        " AUTHORIZATION journal_mallory; GRANT CREATE ON SCHEMA reconcile TO PUBLIC"
    )
    apply = ("apply", "-s", state, "--yes")
    refused = invoke(database.url, *apply)
    assert refused.exit_code == 1
    assert "the schema belongs to journal_mallory" in refused.stderr
    assert database.value("SELECT obj_description('t'::regclass)") is None
    statements = mended(refused.stderr)
    assert statements == [
        "ALTER SCHEMA reconcile OWNER TO postgres",
        "REVOKE CREATE ON SCHEMA reconcile FROM PUBLIC CASCADE",
    ]
    for statement in statements:
        database.run(statement)
    assert invoke(database.url, *apply).exit_code == 0
    assert database.rows("SELECT status FROM reconcile.run") == [("done",)]


def test_nobody_reads_a_journal_that_others_may_write(journalled: Database) -> None:
    journalled.run("GRANT INSERT ON reconcile.run TO journal_mallory")
    for command in (("history",), ("history", 1), ("rollback", 1, "--yes")):
        refused = invoke(journalled.url, *map(str, command))
        assert refused.exit_code == 1
        assert "REVOKE INSERT ON TABLE reconcile.run FROM journal_mallory" in refused.stderr
    for statement in mended(invoke(journalled.url, "history").stderr):
        journalled.run(statement)
    assert invoke(journalled.url, "history").exit_code == 0


def test_a_flag_or_the_environment_names_a_further_owner(
    journalled: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journalled.run(
        "ALTER SCHEMA reconcile OWNER TO journal_deployer;"
        "ALTER TABLE reconcile.run OWNER TO journal_deployer;"
        "ALTER TABLE reconcile.step OWNER TO journal_deployer;"
        "ALTER TABLE reconcile.touched OWNER TO journal_deployer"
    )
    refused = invoke(journalled.url, "history")
    assert refused.exit_code == 1
    advice = "It belongs to journal_deployer. If that is the role that applies plans, trust it: "
    assert f"{advice}--journal-owner journal_deployer (or RECONCILE_JOURNAL_OW" in refused.stderr
    assert "DROP CONSTRAINT" not in refused.stderr, "the foreign keys are the journal's own"
    assert invoke(journalled.url, "history", "--journal-owner", "journal_mallory").exit_code == 1
    assert invoke(journalled.url, "history", "--journal-owner", "journal_deployer").exit_code == 0
    own = journalled.url.replace("user=postgres", "user=journal_deployer")
    assert invoke(own, "history").exit_code == 0
    monkeypatch.setenv("RECONCILE_JOURNAL_OWNER", "journal_deployer")
    assert invoke(journalled.url, "history").exit_code == 0
    monkeypatch.delenv("RECONCILE_JOURNAL_OWNER")
    monkeypatch.chdir(tmp_path)  # a pull request may hold reconcile.yml
    (tmp_path / "reconcile.yml").write_text("journal_owner: journal_deployer")
    assert "journal_owner" in invoke(journalled.url, "history").stderr


def test_nothing_changes_between_check_and_use(journalled: Database) -> None:
    trigger = (
        "CREATE TRIGGER t BEFORE INSERT ON reconcile.step"
        " FOR EACH ROW EXECUTE FUNCTION public.evil_trigger()"
    )
    with connect(journalled.url) as connection:
        with connection.transaction():
            lock_and_check(connection, Place())
            with (
                psycopg.connect(journalled.url, options="-c lock_timeout=50ms") as other,
                pytest.raises(psycopg.errors.LockNotAvailable),
            ):
                other.execute(trigger)
        run = begin(connection, Place(), PLAN, {})
        journalled.run(trigger)
        run.steps(connection, [StepRecord("1", "done", 0.1, 1, None)])
    assert "step has a trigger" in run.complaints[0]
    assert journalled.rows("SELECT * FROM fired") == []
    assert journalled.rows("SELECT * FROM reconcile.step") == []


def test_a_newline_in_a_name_stays_on_its_line(database: Database) -> None:
    """The refusal is made to be pasted into psql."""
    database.run(
        'CREATE ROLE "journal\n\\! touch x" LOGIN;'
        ' CREATE SCHEMA reconcile AUTHORIZATION "journal\n\\! touch x"'
    )
    try:
        refused = invoke(database.url, "history").stderr
        assert not [line for line in refused.splitlines() if line.startswith("\\")]
        database.run(mended(refused)[0])
        assert invoke(database.url, "history").exit_code == 0
    finally:
        database.run('DROP ROLE "journal\n\\! touch x"')


def test_a_journal_is_made_under_altered_default_privileges(
    database: Database, state: Path
) -> None:
    """What default privileges give on the new schema, tables and sequence is revoked."""
    database.run(
        ROLES
        + """
        ALTER DEFAULT PRIVILEGES GRANT ALL ON SCHEMAS TO journal_mallory;
        ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO journal_mallory, PUBLIC;
        ALTER DEFAULT PRIVILEGES GRANT ALL ON SEQUENCES TO journal_mallory;
        CREATE TABLE public.filled (id int PRIMARY KEY);
        INSERT INTO public.filled VALUES (1);"""
    )
    state.write_text("tables: {filled: {columns: {n: {type: int, backfill: filled.id}}}}")
    applied = invoke(database.url, "apply", "--yes", "--state", state)
    assert applied.exit_code == 0, applied.output
    assert "may write" not in applied.output
    assert database.value("SELECT count(*) FROM reconcile.run WHERE status = 'done'") == 1
    with connect(database.url) as connection:
        assert untrusted(connection, Place()) == ""
    given = """
        SELECT count(*) FROM (
            SELECT relacl, relowner FROM pg_class WHERE relnamespace = 'reconcile'::regnamespace
            UNION ALL SELECT nspacl, nspowner FROM pg_namespace WHERE nspname = 'reconcile'
        ) AS o (acl, owner) CROSS JOIN LATERAL aclexplode(acl) AS a WHERE a.grantee <> owner"""
    assert database.value(given) == 0
    names = "SELECT count(*) FROM pg_class WHERE oid = to_regclass('reconcile.backfill')"
    assert database.value(names) == 1
