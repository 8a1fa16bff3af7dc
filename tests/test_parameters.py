"""Whatever a role or a database sets: plans, catalog queries and results are the same."""

from __future__ import annotations

import os
import re
import socket
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from psycopg import conninfo

from reconciler.errors import ConnectionFailed, SettingsError, StatementFailed
from reconciler.server.connection import adjust, connect, connect_to_read, rows
from reconciler.server.parameters import DEFAULTS, FIXED, SEARCH_PATH
from tests.conftest import ROOT, Database
from tests.pooler import pooled
from tests.test_conversations import reconcile

# Functions, operators, relations and types of pg_catalog with a namesake in `public`. Each raises
# an error, so that no command succeeds that calls one.
TRAPS = r"""
CREATE FUNCTION public.trapped() RETURNS boolean LANGUAGE plpgsql AS
    $$BEGIN RAISE 'a trap was called'; END$$;
DO $do$
DECLARE o record; body text = $$BEGIN RAISE 'a trap was called'; END$$;
BEGIN
    FOR o IN SELECT p.proname, pg_get_function_identity_arguments(p.oid) AS arguments,
                    pg_get_function_result(p.oid) AS result
             FROM pg_proc AS p
             WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.prokind = 'f'
                   AND p.proname = ANY ('{{{words}}}')
                   AND pg_get_function_result(p.oid) NOT LIKE 'TABLE%' LOOP
        BEGIN
            EXECUTE format('CREATE FUNCTION public.%I(%s) RETURNS %s LANGUAGE plpgsql AS %L',
                           o.proname, o.arguments, o.result, body);
        EXCEPTION WHEN OTHERS THEN NULL;  -- PL/pgSQL has no functions of "any" and of internal
        END;
    END LOOP;
    FOR o IN SELECT oprname, oprleft::regtype AS one, oprright::regtype AS other,
                    oprresult::regtype AS result, row_number() OVER () AS n
             FROM pg_operator
             WHERE oprname IN ('=', '<>', '||', '~', '!~', '~~', '>=', '>', '-', '+', '->>')
                   AND format_type(oprleft, NULL) = ANY ('{{{types}}}')
                   AND format_type(oprright, NULL) = ANY ('{{{types}}}') LOOP
        EXECUTE format('CREATE FUNCTION public.o%s(%s, %s) RETURNS %s LANGUAGE plpgsql AS %L',
                       o.n, o.one, o.other, o.result, body);
        EXECUTE format('CREATE OPERATOR public.%s (FUNCTION = public.o%s, LEFTARG = %s,'
                       'RIGHTARG = %s)', o.oprname, o.n, o.one, o.other);
    END LOOP;
    FOR o IN SELECT relname FROM pg_class
             WHERE relnamespace = 'pg_catalog'::regnamespace AND relkind IN ('r', 'v')
                   AND relname = ANY ('{{{words}}}') LOOP
        EXECUTE format('CREATE VIEW public.%I AS SELECT public.trapped()', o.relname);
    END LOOP;
    FOR o IN SELECT typname FROM pg_type
             WHERE typname IN ('regclass', 'regtype', 'regnamespace', 'text', 'name', 'int8', 'oid')
    LOOP
        EXECUTE format('CREATE DOMAIN public.%I AS pg_catalog.%I CHECK (public.trapped())',
                       o.typname, o.typname);
    END LOOP;
END $do$;
CREATE FUNCTION public.format(text, name, name) RETURNS text LANGUAGE plpgsql AS
    $$BEGIN RAISE 'a trap was called'; END$$;
"""
TYPES = 'text,name,bigint,integer,smallint,oid,boolean,jsonb,double precision,"char"'
START = """
CREATE SCHEMA shop;
CREATE TABLE shop.t (id integer PRIMARY KEY, n integer);
INSERT INTO shop.t SELECT g, g FROM generate_series(1, 10) AS g;
"""
DECLARED = r"""
schema: shop
tables:
  t:
    columns:
      m: {type: integer, not_null: true, backfill: {value: n + 1}}
      "Quoted Name": {type: text, default: "E'a\\\\b'"}
      b: {type: bytea, default: "'\\x0fff'::bytea"}
      s: {type: interval, default: "'1 day 02:00:00'::interval"}
      d: {type: date, default: "'2026-02-03'::date"}
      z: {type: timestamptz, default: "'2026-02-03 04:05'::timestamptz"}
      f: {type: double precision, default: "0.1::double precision + 0.2"}
      a: {type: "text[]", default: "'{NULL}'::text[]"}
      money: {type: money, default: "'1.50'::money"}
    constraints:
      backslash: {check: "\"Quoted Name\" <> '\\' AND \"Quoted Name\" !~ '\\d'"}
      nothing: {check: "(n = NULL) IS NULL"}
    indexes:
      t_n: {on: n}
views:
  v: {query: 'SELECT id, "Quoted Name" FROM shop.t WHERE s > ''3 days'''}
"""


def words() -> str:
    """Return the words of the package's source that may name something of pg_catalog."""
    source = " ".join(p.read_text() for p in (ROOT / "reconciler").rglob("*.py"))
    return ",".join(sorted({*re.findall(r"\b[a-z][a-z_0-9]{3,}\b", source)}))


SMALL = """
schema: shop
tables: {t: {indexes: {t_n: {on: n}}, constraints: {positive: {check: n > 0}}}}
views: {v: {query: SELECT id FROM shop.t}}
"""


@pytest.fixture
def small(tmp_path: Path) -> str:
    file = tmp_path / "small.yml"
    file.write_text(SMALL)
    return str(file)


@pytest.fixture
def declared(tmp_path: Path) -> str:
    file = tmp_path / "state.yml"
    file.write_text(DECLARED)
    return str(file)


def own_name(database: Database) -> str:
    return str(conninfo.conninfo_to_dict(database.url)["dbname"])


@pytest.mark.parametrize("pooler", [False, True])
def test_no_namesake_of_a_function_is_ever_called(
    new_database: Callable[..., Database], small: str, tmp_path: Path, pooler: bool
) -> None:
    database = new_database(START)
    database.run(TRAPS.format(words=words(), types=TYPES))
    database.run(f"ALTER DATABASE {own_name(database)} SET search_path = public, pg_catalog")
    with psycopg.connect(database.url) as application:
        for caught in ("SELECT set_config('a.b', 'c', false)", "SELECT 1 = 1", "TABLE pg_class"):
            with pytest.raises(psycopg.errors.RaiseException, match="trap"):
                application.execute(caught.encode())
            application.rollback()
    with pooled(database.url, "session") as url:
        target = ("--target", url if pooler else database.url)
        shown = reconcile("plan", *target, "--state", small)
        assert shown.exit_code == 2, shown.output
        if pooler:
            return
        done = reconcile("apply", *target, "--state", small, "--yes", "--allow", "all")
        assert done.exit_code == 0, done.output
        for command, *more in (
            ("drift", "--state", small),
            ("verify", "--state", small),
            ("export", "--schema", "shop", "--out", str(tmp_path / "out")),
            ("history",),
        ):
            done = reconcile(command, *target, *more)
            assert done.exit_code == 0, done.output
        done = reconcile("rollback", *target, "--yes", "--allow", "all")
        assert done.exit_code == 0, done.output


OTHER_VALUES = {
    "search_path": "public, pg_catalog",
    "client_encoding": "LATIN1",
    "standard_conforming_strings": "off",
    "backslash_quote": "off",
    "transform_null_equals": "on",
    "array_nulls": "off",
    "xmloption": "document",
    "timezone_abbreviations": "India",
    "quote_all_identifiers": "on",
    "bytea_output": "escape",
    "xmlbinary": "hex",
    "datestyle": "German, DMY",
    "intervalstyle": "sql_standard",
    "extra_float_digits": "-10",
    "lc_monetary": "C.UTF-8",
    "lc_numeric": "C.UTF-8",
    "lc_time": "C.UTF-8",
    "check_function_bodies": "on",
    "default_transaction_isolation": "serializable",
    "default_transaction_deferrable": "on",
    "exit_on_error": "on",
    "timezone": "Asia/Tokyo",
    "row_security": "off",
    "gin_fuzzy_search_limit": "1",
    "statement_timeout": "200ms",
    "lock_timeout": "200ms",
    "idle_in_transaction_session_timeout": "2s",
    "idle_session_timeout": "200ms",
    "transaction_timeout": "200ms",
    "client_min_messages": "debug5",
    "session_replication_role": "replica",
}


def test_every_parameter_is_tried() -> None:
    assert OTHER_VALUES.keys() >= FIXED.keys() | DEFAULTS.keys()


@pytest.mark.parametrize("of", ["role", "options"])
def test_parameters_change_nothing(
    of: str, declared: str, new_database: Callable[..., Database]
) -> None:
    """Plan and apply as a role with other values of every parameter."""
    database, role = new_database(START), f"peculiar_{os.getpid()}"
    ordinary = ("--target", database.url, "--state", declared)
    expected = sql_of(reconcile("plan", *ordinary, "--format", "sql").output)
    assert "ADD COLUMN" in expected
    database.run(f"CREATE ROLE {role} SUPERUSER LOGIN")
    target = conninfo.make_conninfo(database.url, user=role)
    if of == "options":
        given = (f"-c {n}={v.replace(' ', chr(92) + ' ')}" for n, v in OTHER_VALUES.items())
        target = conninfo.make_conninfo(target, options=" ".join(given))
    try:
        if of == "role":
            values = OTHER_VALUES.items()
            database.run(";".join(f"ALTER ROLE {role} SET {n} = {listed(v)}" for n, v in values))
        options = ("--target", target, "--state", declared)
        with connect(target) as connection:
            for name, value in {**FIXED, **DEFAULTS, "session_replication_role": "origin"}.items():
                (found,) = rows(connection, f"SHOW {name}")[0].values()
                assert (name, found) == (name, value)
        planned = reconcile("plan", *options, "--format", "sql").output
        assert sql_of(planned) == expected
        done = reconcile("apply", *options, "--yes", "--allow", "all")
        assert done.exit_code == 0, done.output
        shown = reconcile("plan", *options)
        assert (shown.exit_code, "is kept" in shown.output) == (0, False), shown.output
    finally:
        database.run(
            f"REASSIGN OWNED BY {role} TO postgres; DROP OWNED BY {role}; DROP ROLE {role}"
        )


def listed(value: str) -> str:
    return ", ".join(f"'{part.strip()}'" for part in value.split(","))


def sql_of(script: str) -> str:
    """Return the SQL of a script, without the comments, which name the database."""
    return "\n".join(line for line in script.splitlines() if not line.startswith("--"))


def test_what_an_administrator_chose_is_kept_and_named(
    new_database: Callable[..., Database], small: str
) -> None:
    database = new_database(START)
    owner = f"owner_{os.getpid()}"
    database.run(f"CREATE ROLE {owner} SUPERUSER; CREATE ROLE {owner}_login SUPERUSER LOGIN")
    try:
        database.run(
            f"ALTER ROLE {owner}_login SET role = {owner};"
            f"ALTER DATABASE {own_name(database)} SET default_table_access_method = heap"
        )
        target = conninfo.make_conninfo(database.url, user=f"{owner}_login")
        options = ("--target", target, "--state", small)
        shown = reconcile("plan", *options).output
        assert f"role = {owner} is in force here, and is kept" in shown
        assert "default_table_access_method = heap is in force here, and is kept" in shown
    finally:
        database.run(f"DROP ROLE {owner}, {owner}_login")


LIMITED = (
    "SET statement_timeout = 1",
    "SET transaction_timeout = 20",
    "SET work_mem = '64kB'",
    "SET temp_file_limit = 0",
)


def test_limits_of_a_database_do_not_reach_what_reads(
    new_database: Callable[..., Database], small: str, tmp_path: Path
) -> None:
    database = new_database(START)
    own = own_name(database)
    database.run(";".join(f"ALTER DATABASE {own} {limit}" for limit in LIMITED))
    target = ("--target", database.url)
    with connect_to_read(database.url) as connection:
        spilling = "SELECT count(DISTINCT md5(g::text)) FROM generate_series(1, 20000) AS g"
        assert rows(connection, spilling)[0]["count"] == 20000
        adjust(connection, {"work_mem": "64kB", "temp_file_limit": "0"})
        with pytest.raises(StatementFailed, match="--set temp_file_limit=-1"):
            rows(connection, spilling)
    done = reconcile("apply", *target, "--state", small, "--yes", "--set", "temp_file_limit=-1")
    assert done.exit_code == 0, done.output
    for command, *more in (
        ("plan", "--state", small),
        ("export", "--schema", "shop", "--out", str(tmp_path / "out")),
        ("history",),
    ):
        assert reconcile(command, *target, *more).exit_code == 0
        refused = reconcile(command, *target, *more, "--set", "work_mem=huge")
        assert refused.exit_code == 1
        assert 'invalid value for parameter "work_mem": "huge"' in refused.output


def test_a_fixed_parameter_cannot_be_set(database: Database) -> None:
    with connect(database.url) as connection:
        with pytest.raises(SettingsError, match="Search_Path: reconcile sets this itself"):
            adjust(connection, {"Search_Path": "public"})
        adjust(connection, {"timezone": "Asia/Tokyo"})
        assert rows(connection, "SHOW timezone")[0]["TimeZone"] == "Asia/Tokyo"


def test_a_temporary_table_hides_no_catalog(database: Database) -> None:
    with connect(database.url) as connection:
        connection.execute("CREATE TEMPORARY TABLE pg_class (trap integer)")
        found = rows(
            connection, "SELECT 'pg_class'::regclass::oid = 'pg_catalog.pg_class'::regclass"
        )
        assert [*found[0].values()] == [True]
        assert rows(connection, "SHOW search_path")[0]["search_path"] == SEARCH_PATH


def test_a_url_decides_parameters_of_the_network() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql://postgres@127.0.0.1:{silent.getsockname()[1]}/d?connect_timeout=2"
        began = time.monotonic()
        with pytest.raises(ConnectionFailed):
            connect(url)
        assert time.monotonic() - began < 12


def test_parameters_of_the_network_are_defaults(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection string, a service and the environment decide first."""
    service = tmp_path / "services"
    service.write_text("[own]\nkeepalives_idle=77\nhost=192.0.2.1\nhostaddr=192.0.2.1\n")
    monkeypatch.setenv("PGSERVICEFILE", str(service))
    monkeypatch.setenv("PGCONNECT_TIMEOUT", "66")
    own = conninfo.make_conninfo(database.url, service="own", hostaddr="", tcp_user_timeout=55000)
    with connect(own) as connection:
        given = connection.info.get_parameters()
    names = ("keepalives_idle", "connect_timeout", "tcp_user_timeout", "keepalives_count")
    assert [given.get(name) for name in names] == ["77", "66", "55000", "3"]
