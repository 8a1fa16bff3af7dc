"""Test that a remembered result is shown only where a full look would give the same."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from psycopg import conninfo

from reconciler import pipeline, recall
from reconciler.cache import Cache
from reconciler.cli import group, main
from reconciler.cli import lint as lint_module
from reconciler.kinds import KINDS
from reconciler.recall.ahead import Ahead
from reconciler.recall.observed import Observed, observe
from reconciler.server.capabilities import Server
from reconciler.server.catalog_fingerprint import (
    IGNORED,
    VISIBLE,
    CatalogFingerprint,
    catalog_fingerprint,
    counts_of,
)
from reconciler.server.connection import connect_to_read, rows, server_of
from tests.conftest import Database
from tests.test_cases import need
from tests.test_drift import EVERYTHING, sample_of

START = """
    CREATE ROLE {role} NOLOGIN;
    CREATE TABLE public.t (a integer DEFAULT 1 CHECK (a > 0), b text);
    CREATE VIEW public.v AS SELECT a FROM public.t;
    CREATE SEQUENCE public.s;
    CREATE TYPE public.e AS ENUM ('a');
    CREATE TABLE public.parted (a integer) PARTITION BY LIST (a);
    CREATE FUNCTION public.f(integer) RETURNS integer LANGUAGE sql AS 'SELECT $1';
    CREATE FUNCTION public.less(integer, integer) RETURNS boolean LANGUAGE sql AS 'SELECT $1 < $2';
    CREATE FOREIGN DATA WRAPPER wrapper;
    CREATE SERVER far FOREIGN DATA WRAPPER wrapper;
    CREATE OPERATOR FAMILY public.family USING btree;
    CREATE TEXT SEARCH CONFIGURATION public.config (PARSER = default);
    CREATE PUBLICATION pub;
"""
# For each catalog of which the fingerprint takes account: a command that changes it.
CHANGES = {
    "pg_aggregate": "CREATE AGGREGATE public.total(integer) (SFUNC = int4pl, STYPE = integer)",
    "pg_am": "CREATE ACCESS METHOD my_heap TYPE TABLE HANDLER heap_tableam_handler",
    "pg_amop": """ALTER OPERATOR FAMILY public.family USING btree
                  ADD OPERATOR 1 < (integer, integer)""",
    "pg_amproc": """ALTER OPERATOR FAMILY public.family USING btree
                    ADD FUNCTION 1 btint4cmp(integer, integer)""",
    "pg_attrdef": "ALTER TABLE public.t ALTER b SET DEFAULT 'x'",
    "pg_attribute": "ALTER TABLE public.t ALTER b SET STATISTICS 7",
    "pg_auth_members": "GRANT {role} TO postgres",
    "pg_authid": "ALTER ROLE {role} CREATEROLE",
    "pg_cast": "CREATE CAST (public.e AS integer) WITH INOUT",
    "pg_class": "ALTER TABLE public.t ENABLE ROW LEVEL SECURITY",
    "pg_collation": 'CREATE COLLATION public.c FROM "C"',
    "pg_constraint": "ALTER TABLE public.t RENAME CONSTRAINT t_a_check TO other",
    "pg_conversion": "CREATE CONVERSION public.conv FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8",
    "pg_database": "ALTER DATABASE {database} OWNER TO {role}",
    "pg_db_role_setting": "ALTER DATABASE {database} SET work_mem = '8MB'",
    "pg_default_acl": "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO {role}",
    "pg_depend": "ALTER SEQUENCE public.s OWNED BY public.t.a",
    "pg_description": "COMMENT ON TABLE public.t IS 'x'",
    "pg_enum": "ALTER TYPE public.e ADD VALUE 'b'",
    "pg_event_trigger": """CREATE FUNCTION public.fire() RETURNS event_trigger LANGUAGE plpgsql
        AS 'BEGIN END'; CREATE EVENT TRIGGER et ON ddl_command_end EXECUTE FUNCTION public.fire();
        ALTER EVENT TRIGGER et DISABLE""",
    "pg_extension": "ALTER EXTENSION plpgsql SET SCHEMA pg_catalog; CREATE EXTENSION cube",
    "pg_foreign_data_wrapper": "ALTER FOREIGN DATA WRAPPER wrapper OPTIONS (a 'b')",
    "pg_foreign_server": "ALTER SERVER far OPTIONS (a 'b')",
    "pg_foreign_table": "CREATE FOREIGN TABLE public.ft (a integer) SERVER far",
    "pg_index": "CREATE INDEX i ON public.t (a)",
    "pg_inherits": "CREATE TABLE public.part PARTITION OF public.parted DEFAULT",
    "pg_init_privs": "CREATE EXTENSION pg_stat_statements",
    "pg_language": "CREATE LANGUAGE pl HANDLER plpgsql_call_handler",
    "pg_largeobject_metadata": """SELECT lo_create(1234567);
        GRANT SELECT ON LARGE OBJECT 1234567 TO PUBLIC""",
    "pg_namespace": "CREATE SCHEMA other",
    "pg_opclass": """CREATE OPERATOR CLASS public.class FOR TYPE integer USING hash
                     AS OPERATOR 1 =, FUNCTION 1 hashint4(integer)""",
    "pg_operator": """CREATE OPERATOR public.<<< (FUNCTION = public.less, LEFTARG = integer,
                      RIGHTARG = integer)""",
    "pg_opfamily": "CREATE OPERATOR FAMILY public.another USING hash",
    "pg_parameter_acl": "GRANT SET ON PARAMETER deadlock_timeout TO {role}",
    "pg_partitioned_table": "CREATE TABLE public.p2 (a integer) PARTITION BY HASH (a)",
    "pg_policy": "CREATE POLICY p ON public.t",
    "pg_proc": "ALTER FUNCTION public.f(integer) STABLE",
    "pg_publication": "ALTER PUBLICATION pub SET (publish = 'insert')",
    "pg_publication_namespace": "ALTER PUBLICATION pub ADD TABLES IN SCHEMA public",
    "pg_publication_rel": "ALTER PUBLICATION pub ADD TABLE public.t",
    "pg_range": "CREATE TYPE public.r AS RANGE (SUBTYPE = integer)",
    "pg_rewrite": "CREATE OR REPLACE VIEW public.v AS SELECT a FROM public.t WHERE a > 1",
    "pg_seclabel": "INSERT INTO pg_seclabel VALUES ('public.t'::regclass, 1259, 0, 'p', 'l')",
    "pg_sequence": "ALTER SEQUENCE public.s INCREMENT 2",
    "pg_shdescription": "COMMENT ON DATABASE {database} IS 'x'",
    "pg_shseclabel": """INSERT INTO pg_shseclabel SELECT oid, 1262, 'p', 'l' FROM pg_database
                        WHERE datname = current_database()""",
    "pg_statistic_ext": "CREATE STATISTICS public.st ON a, b FROM public.t",
    "pg_subscription": "CREATE SUBSCRIPTION {role} CONNECTION 'host=/nowhere' PUBLICATION pub"
    " WITH (connect = false)",
    "pg_subscription_rel": """INSERT INTO pg_subscription_rel
        SELECT oid, 'public.t'::regclass, 'i' FROM pg_subscription WHERE subname = '{role}'""",
    "pg_tablespace": "ALTER TABLESPACE pg_default SET (seq_page_cost = {number})",
    "pg_transform": """CREATE TRANSFORM FOR public.e LANGUAGE sql
        (FROM SQL WITH FUNCTION prsd_lextype(internal))""",
    "pg_trigger": "ALTER TABLE public.t DISABLE TRIGGER ALL;"
    " CREATE TRIGGER tr BEFORE UPDATE ON public.t FOR EACH ROW"
    " EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    "pg_ts_config": "ALTER TEXT SEARCH CONFIGURATION public.config RENAME TO config2",
    "pg_ts_config_map": """ALTER TEXT SEARCH CONFIGURATION public.config2
                           ADD MAPPING FOR word WITH simple""",
    "pg_ts_dict": "CREATE TEXT SEARCH DICTIONARY public.dict (TEMPLATE = simple)",
    "pg_ts_parser": """CREATE TEXT SEARCH PARSER public.parser (START = prsd_start,
        GETTOKEN = prsd_nexttoken, END = prsd_end, LEXTYPES = prsd_lextype)""",
    "pg_ts_template": "CREATE TEXT SEARCH TEMPLATE public.template (LEXIZE = dsimple_lexize)",
    "pg_type": "ALTER TYPE public.e OWNER TO {role}",
    "settings": "ALTER SYSTEM SET track_functions = 'pl'; SELECT pg_reload_conf(), pg_sleep(0.5)",
    "available extensions": "CREATE EXTENSION hstore",
}
CLEAN = """
    ALTER SUBSCRIPTION {role} DISABLE; ALTER SUBSCRIPTION {role} SET (slot_name = NONE);
    DROP SUBSCRIPTION {role}; ALTER SYSTEM RESET track_functions; SELECT pg_reload_conf();
    DELETE FROM pg_shseclabel WHERE provider = 'p';
    ALTER TABLESPACE pg_default RESET (seq_page_cost);
    ALTER DATABASE {database} OWNER TO postgres;
    REVOKE SET ON PARAMETER deadlock_timeout FROM {role};
    REASSIGN OWNED BY {role} TO CURRENT_USER; DROP OWNED BY {role}; DROP ROLE {role}
"""


SHARED = {
    *("pg_auth_members", "pg_authid", "pg_parameter_acl", "pg_shdescription", "pg_shseclabel"),
    *("pg_subscription", "pg_tablespace", "settings"),
}


def fingerprint(url: str) -> CatalogFingerprint:
    with connect_to_read(url) as connection:
        found = catalog_fingerprint(connection)
    assert found is not None
    return found


def counts(database: Database) -> dict[str, object]:
    with connect_to_read(database.url) as connection:
        query = " UNION ALL ".join(counts_of(server_of(connection)).values())
        found = rows(connection, f"SELECT * FROM ({query}) AS c(what, count, hash)")
    return {row["what"]: (row["count"], row["hash"]) for row in found}


def run_each(database: Database, script: str) -> None:
    for command in re.split(r";\s+", script):
        database.run(command)


def test_every_catalog_is_in_the_fingerprint_or_is_ignored_for_a_reason(
    each_major: int, new_database: Callable[..., Database]
) -> None:
    database = new_database("", each_major)
    catalogs = {
        str(row[0])
        for row in database.rows(
            "SELECT relname FROM pg_class WHERE relnamespace = 'pg_catalog'::regnamespace"
            " AND relkind = 'r'"
        )
    }
    with connect_to_read(database.url) as connection:
        known = counts_of(server_of(connection)).keys() - {"settings", "available extensions"}
        assert catalog_fingerprint(connection) is not None
    assert {*known, *IGNORED} == catalogs
    assert known.isdisjoint(IGNORED)


def test_a_change_in_any_catalog_changes_the_fingerprint(database: Database) -> None:
    role = f"recall_{os.getpid()}"
    names = {
        "role": role,
        "database": conninfo.conninfo_to_dict(database.url)["dbname"],
        "number": 1 + os.getpid() % 100 / 100,
    }
    assert CHANGES.keys() == counts(database).keys()
    database.run(START.format(**names))
    try:
        database.run("SET allow_system_table_mods = on")
        for what, command in CHANGES.items():
            before, taken = counts(database), fingerprint(database.url)
            run_each(database, command.format(**names))
            assert counts(database)[what] != before[what], what
            assert not taken.is_same(fingerprint(database.url)), what
    finally:
        run_each(database, CLEAN.format(**names))


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_an_alteration_of_any_field_changes_the_fingerprint(
    kind: str, new_database: Callable[..., Database]
) -> None:
    sample = sample_of(kind)
    need(sample.flags, 18)
    database = new_database(sample.before)
    with connect_to_read(database.url) as connection:
        before = catalog_fingerprint(connection)
        for field, alteration in sample.fields.items():
            database.run(alteration.by)
            after = catalog_fingerprint(connection)
            assert before is None or after is None or not before.is_same(after), field
            assert (after is None) == (kind == "user_mapping"), field
            before = after


@pytest.mark.usefixtures("without_shared")
def test_what_changes_no_structure_leaves_the_fingerprint(
    database: Database, new_database: Callable[..., Database]
) -> None:
    database.run("CREATE TABLE public.t (a integer PRIMARY KEY); CREATE INDEX i ON public.t (a)")
    before = fingerprint(database.url)
    database.run("INSERT INTO public.t SELECT generate_series(1, 1000)")
    for command in ("ANALYZE public.t", "VACUUM public.t", "VACUUM FREEZE", "VACUUM pg_class"):
        database.run(command)
    new_database("CREATE TABLE public.elsewhere (a integer)")
    database.run("SELECT pg_stat_reset()")
    assert before.is_same(fingerprint(database.url))


def test_numbers_of_transactions_that_may_come_again_are_no_proof() -> None:
    before = CatalogFingerprint("x", 1000)
    assert before.is_same(CatalogFingerprint("x", 1000 + (1 << 31) - 1))
    assert not before.is_same(CatalogFingerprint("x", 1000 + (1 << 31)))
    assert not before.is_same(CatalogFingerprint("x", 999))
    assert not before.is_same(CatalogFingerprint("y", 1000))


def test_other_roles_and_databases_have_other_fingerprints(
    database: Database, new_database: Callable[..., Database]
) -> None:
    other = new_database()
    role = "pg_read_all_data"
    with connect_to_read(database.url, {"role": role}) as connection:
        as_role = catalog_fingerprint(connection)
    assert as_role is not None
    prints = [fingerprint(database.url), fingerprint(other.url), as_role]
    assert len({p.digest for p in prints}) == 3


# -- the commands ------------------------------------------------------------------------------


@pytest.fixture
def looked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Record the full looks at the catalogs."""
    seen: list[str] = []

    def counted(
        job: pipeline.Job, ahead: Ahead, examine: Any, *, partly: bool = False
    ) -> Observed[Any]:
        seen.append("full")
        return observe(job, ahead, examine, partly=partly)

    monkeypatch.setattr("reconciler.cli.comparing.observe", counted)
    monkeypatch.setattr("reconciler.cli.drift.observe", counted)
    return seen


@pytest.fixture
def without_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out what other tests change meanwhile on the same server: roles, settings, …"""

    def unshared(server: Server) -> dict[str, str]:
        return {what: query for what, query in counts_of(server).items() if what not in SHARED}

    monkeypatch.setattr("reconciler.server.catalog_fingerprint.counts_of", unshared)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, without_shared: None) -> Path:
    """Give the test a cache of its own; servers stay where they are."""
    monkeypatch.setattr("reconciler.cache.cache_folder", lambda: tmp_path / "cache")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments], catch_exceptions=False)


def declare(home: Path, database: Database) -> tuple[object, ...]:
    database.run(
        "CREATE TABLE public.t (a varchar(3)); "
        "CREATE FUNCTION public.f() RETURNS integer LANGUAGE sql AS 'SELECT 1'"
    )
    (home / "state").mkdir()
    (home / "state" / "f.sql").write_text("SELECT 1")
    (home / "state" / "all.yml").write_text(
        "tables: {t: {columns: {a: character varying (3)}}}\n"
        "functions: {f(): {returns: int, language: sql, body_file: f.sql}}\n"
    )
    return "--target", database.url, "--state", "state"


def test_drift_is_answered_from_memory_until_anything_changes(
    home: Path, database: Database, looked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    options = declare(home, database)

    def full(*more: object, command: str = "drift", status: int = 0) -> bool:
        """Tell whether all was read; if not, the output must be that of a full look."""
        looked.clear()
        result = run(command, *options, *more)
        assert result.exit_code == status
        if looked:
            return True
        fresh = run(command, *options, *more, "--no-cache")
        assert (result.exit_code, result.output) == (fresh.exit_code, fresh.output)
        return False

    def is_answered(*more: object, command: str = "drift") -> bool:
        """Look up to five times: other tests may change roles, which all databases share."""
        return not all(full(*more, command=command) for _ in range(5))

    def is_read_once(*more: object, command: str = "drift") -> bool:
        return full(*more, command=command) and is_answered(*more, command=command)

    assert is_read_once()
    assert is_read_once(command="plan")
    assert is_read_once("--format", "json", command="plan")
    state = home / "state"
    (state / "f.sql").write_text("SELECT 2")
    assert [full(status=2), full(status=2)] == [True, True]  # differences are read each time
    (state / "f.sql").write_text("SELECT 1")
    assert is_answered()
    (state / "more.yml").write_text("schema: public\n")
    assert is_read_once()
    (state / "more.yml").unlink()
    assert full()
    database.run("ALTER TABLE public.t ALTER a TYPE varchar(4)")
    assert full(status=2)
    database.run("ALTER TABLE public.t ALTER a TYPE varchar(3)")
    assert full()
    (home / "reconcile.yml").write_text("lock_timeout: 3\n")
    assert full()
    monkeypatch.setenv("RECONCILE_SCRATCH", "embedded")
    assert is_read_once()
    monkeypatch.setenv("RECONCILE_NO_CACHE", "1")
    assert full()


def test_a_result_of_another_user_or_shape_is_none(
    home: Path, database: Database, looked: list[str]
) -> None:
    options = declare(home, database)
    run("drift", *options)
    cache = home / "cache"
    (entry,) = cache.glob("result-*")
    wrongs: list[object] = [{}, [], {"time": 0}, {"time": "x"}, {"time": 1e99}, {"time": None}]
    for wrong in wrongs:
        Cache(cache).put("result", entry.name.removeprefix("result-"), wrong)
        looked.clear()
        assert run("drift", *options).exit_code == 0
        assert looked == ["full"]
    cache.chmod(0o777)
    refused = run("drift", *options)
    assert "is not used: it can be written by others" in refused.output


def test_no_password_is_stored(home: Path, database: Database) -> None:
    options = declare(home, database)
    options = (options[0], f"{database.url} password=s3cretword", *options[2:])
    assert run("drift", *options).exit_code == 0
    stored = b"".join(p.read_bytes() for p in (home / "cache").iterdir())
    assert b"no drift" in stored
    assert b"s3cretword" not in stored


def test_what_is_written_or_signed_is_made_anew(
    home: Path, database: Database, looked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    options = declare(home, database)
    for _ in range(2):
        assert run("plan", *options, "--out", "plan.txt").exit_code == 0
    monkeypatch.setenv("RECONCILE_PLAN_KEY", "k" * 40)
    for _ in range(2):
        assert run("plan", *options).exit_code == 0
    assert len(looked) == 4
    assert not [*(home / "cache").glob("result-*")]


def test_unfinished_work_is_looked_at_each_time(
    home: Path, database: Database, looked: list[str]
) -> None:
    options = declare(home, database)
    database.run("CREATE INDEX reconcile_none ON public.t (a)")
    database.run(
        "SET allow_system_table_mods = on; UPDATE pg_index SET indisvalid = false"
        " WHERE indexrelid = 'public.reconcile_none'::regclass"
    )
    for _ in range(2):
        run("drift", *options)
    assert len(looked) == 2


def test_commands_that_are_recalled_are_known() -> None:
    assert set(recall.COMMANDS) < set(group.COMMANDS)
    assert VISIBLE.keys() >= {"pg_authid"}
    assert EVERYTHING.everything


# -- lint --------------------------------------------------------------------------------------


def test_findings_are_repeated_until_anything_changes_that_they_follow_from(
    home: Path, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.run("CREATE TABLE public.t (id serial PRIMARY KEY, at timestamp)")
    looks: list[str] = []

    def counted(*arguments: Any) -> Any:
        looks.append("full")
        return look(*arguments)

    look = lint_module._look  # pyright: ignore[reportPrivateUsage]
    monkeypatch.setattr("reconciler.cli.lint._look", counted)

    def found(*more: str) -> set[str]:
        """Return the rules found, the same as in a full look."""
        options = ("--target", database.url, "--all", "--format", "json", *more)
        result = run("lint", *options)
        remembered = not looks
        looks.clear()
        fresh = run("lint", *options, "--no-cache")
        looks.clear()
        assert (result.exit_code, result.stdout) == (fresh.exit_code, fresh.stdout)
        looks.extend(["remembered"] * remembered)
        rules = {f["rule"] for f in json.loads(result.stdout)["findings"]}
        assert result.exit_code == (2 if rules else 0)
        return rules

    def is_remembered(*more: str) -> bool:
        """Look up to five times: other tests may change what all databases share."""
        for _ in range(5):
            looks.clear()
            found(*more)
            if looks:
                looks.clear()
                return True
        return False

    assert found() == {"timestamp-without-time-zone"}
    assert is_remembered()
    database.run("SELECT setval('t_id_seq', 2000000000)")  # changes no catalog
    assert found() == {"timestamp-without-time-zone", "sequence-near-end"}
    assert is_remembered()
    database.run("ALTER TABLE public.t ALTER at TYPE timestamptz")
    assert found() == {"sequence-near-end"}
    assert is_remembered()
    settings = home / "reconcile.yml"
    settings.write_text("lint: {baseline: known.json}")
    known = home / "known.json"
    known.write_text('{"version": 1, "findings": []}')
    assert found() == {"sequence-near-end"}
    assert is_remembered()
    assert run("lint", "--target", database.url, "--all", "--write-baseline").exit_code == 0
    looks.clear()
    assert found() == set()
    assert is_remembered()
    (home / "desired_state").mkdir()
    (home / "desired_state" / "t.yml").write_text(
        "tables: {t: {columns: {at: timestamp}, indexes: {i: {on: [at]}, j: {on: [at]}}}}"
    )
    assert found() == {"index-duplicate", "timestamp-without-time-zone"}
    assert is_remembered()
    (home / "desired_state" / "t.yml").write_text("tables: {t: {comment: x}}")
    assert found() == set()
    assert is_remembered()
