"""Commands of superusers on scratch: no declared code runs as one, or where one logged in."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager

import pytest
from psycopg.errors import Diagnostic

from reconciler.errors import StatementFailed
from reconciler.server.capabilities import Server
from reconciler.server.connection import Connection, rows, run_sql
from reconciler.server.elevation import run_statement
from reconciler.server.scratch import scratches

DENIED = "42501"
MAJORS = (18, 16)
# Each function tells who runs it: whether the session's and the current role are superusers.
TELL = """RAISE NOTICE '% %',
    (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = session_user),
    (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user);"""
BODY = f"LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN {TELL}"
SETUP = (
    "CREATE SCHEMA s",
    f"CREATE FUNCTION s.f() RETURNS integer {BODY} RETURN 1; END $$",
    f"CREATE FUNCTION s.of(n integer) RETURNS integer {BODY} RETURN n; END $$",
    "CREATE TABLE s.t (a integer)",
    "INSERT INTO s.t VALUES (1)",
    "CREATE TABLE s.p (a integer) PARTITION BY LIST (a)",
    "CREATE TABLE s.attached (a integer CHECK (a = s.f()))",
    "CREATE DOMAIN s.d AS integer",
    "CREATE DOMAIN s.checked AS integer CHECK (s.of(VALUE) > 0)",
    "CREATE TYPE s.pair AS (x s.checked)",
    "CREATE FUNCTION s.next(s.checked, integer) RETURNS s.checked LANGUAGE sql AS 'SELECT $1'",
    "CREATE TYPE s.range AS RANGE (SUBTYPE = integer)",
    "CREATE TYPE s.point AS (n integer)",
    f"CREATE FUNCTION s.cmp(s.point, s.point) RETURNS integer {BODY} RETURN $1.n - $2.n; END $$",
    "CREATE FUNCTION s.less(s.point, s.point) RETURNS boolean LANGUAGE sql AS 'SELECT true'",
    "CREATE OPERATOR s.< (FUNCTION = s.less, LEFTARG = s.point, RIGHTARG = s.point)",
    "CREATE OPERATOR CLASS s.points FOR TYPE s.point USING btree AS OPERATOR 1 s.<,"
    " FUNCTION 1 s.cmp(s.point, s.point)",
    "CREATE TABLE s.by_point (a s.point) PARTITION BY RANGE (a s.points)",
    "CREATE VIEW s.shown AS SELECT s.f() AS n",
)
# What PostgreSQL evaluates while it executes a command.
RUNS = (
    "CREATE TABLE s.g (a integer, b integer GENERATED ALWAYS AS (s.f()) STORED)",
    "CREATE TABLE s.p1 PARTITION OF s.p FOR VALUES IN (s.f())",
    "CREATE TABLE s.key (a integer) PARTITION BY LIST ((a + s.f()))",
    "ALTER TABLE s.t ADD b integer DEFAULT s.f()",
    "ALTER TABLE s.t ALTER a TYPE bigint USING s.f()",
    "ALTER TABLE s.t ADD CHECK (s.f() > 0)",
    "ALTER DOMAIN s.d ADD CHECK (VALUE > s.f())",
    "ALTER TABLE s.p ATTACH PARTITION s.attached FOR VALUES IN (5)",
    "CREATE VIEW s.literal AS SELECT '(1)'::s.pair AS n",
    "CREATE AGGREGATE s.agg(integer) (SFUNC = s.next, STYPE = s.checked, INITCOND = '1')",
    "CREATE MATERIALIZED VIEW s.m AS SELECT s.f() AS n",
    "EXPLAIN SELECT * FROM s.shown",
    "CREATE TABLE s.points_1 PARTITION OF s.by_point"
    " FOR VALUES FROM (ROW(1)::s.point) TO (ROW(2)::s.point)",
    "CREATE INDEX ON s.t (s.of(a::integer))",
    "ALTER TABLE s.t ADD EXCLUDE USING btree (s.of(a::integer) WITH =)",
)
# What runs only if someone's code is evaluated, and needs a superuser.
REFUSED = (
    "CREATE FUNCTION s.default(n s.pair DEFAULT '(1)') RETURNS integer LEAKPROOF"
    " LANGUAGE sql AS 'SELECT 1'",
    "CREATE FOREIGN DATA WRAPPER checked VALIDATOR s.validate OPTIONS (a 'b')",
    "ALTER FOREIGN DATA WRAPPER plain VALIDATOR s.validate OPTIONS (ADD a 'b')",
    "CREATE FUNCTION s.leakproof() RETURNS integer LEAKPROOF LANGUAGE spoken AS 'BEGIN END'",
)
VALIDATORS = (
    "CREATE FOREIGN DATA WRAPPER plain",
    f"CREATE FUNCTION s.validate(text[], oid) RETURNS void {BODY} END $$",
    f"CREATE FUNCTION s.validate(oid) RETURNS void {BODY} END $$",
    "CREATE TRUSTED LANGUAGE spoken HANDLER s.handle VALIDATOR s.validate",
)
LEAVE = (
    "COPY (SELECT 1) TO PROGRAM 'id'",
    "COPY (SELECT 1) TO '/tmp/reconcile-was-here'",
    "SELECT pg_read_file('PG_VERSION')",
    "SELECT pg_ls_dir('.')",
    "SELECT lo_export(lo_from_bytea(0, 'x'), 'was-here')",
    "SELECT extensions.dblink_connect('host=127.0.0.1 user=x password=x')",
    "SELECT extensions.dblink('host=127.0.0.1 user=x password=x', 'SELECT 1')",
    "SET ROLE {admin}",
    "SET ROLE reconcile_no_one",
    "SET SESSION AUTHORIZATION {admin}",
    "ALTER ROLE postgres SUPERUSER",
    "GRANT pg_execute_server_program TO postgres",
    "CREATE ROLE other",
    "ALTER SYSTEM SET work_mem = '1MB'",
    "SET session_replication_role = origin",
    "SET dynamic_library_path = '/tmp'",
    "LOAD '/tmp/x.so'",
    "SELECT pg_reconcile.open('guess', '{{}}')",
    "SELECT secret FROM pg_reconcile.key",
    "SELECT passwd FROM pg_shadow",
    "GRANT EXECUTE ON FUNCTION extensions.dblink(text) TO postgres",
    "ALTER FOREIGN DATA WRAPPER postgres_fdw HANDLER extensions.postgres_fdw_handler",
)
NATIVE = (
    "CREATE FUNCTION s.read(text) RETURNS text LANGUAGE internal AS 'pg_read_file_all'",
    "CREATE FUNCTION s.peek(bigint) RETURNS text LANGUAGE internal AS 'textcat'",
    "CREATE FUNCTION s.load() RETURNS void LANGUAGE c AS '/lib/x86_64-linux-gnu/libc.so.6', 'exit'",
    "CREATE FUNCTION s.connect(text) RETURNS text LANGUAGE c AS '$libdir/dblink', 'dblink_connect'",
)


@pytest.fixture(params=MAJORS, ids=lambda m: f"pg{m}")
def builder(request: pytest.FixtureRequest) -> Iterator[Connection]:
    """Return a connection to a scratch database of a user who is a superuser on the target."""
    server = Server(request.param * 10000)
    scratch = next(scratches("embedded", "", server, frozenset()))
    with scratch.database({"case_owner", "pg_read_server_files"}, "postgres") as connection:
        yield connection


@contextmanager
def told(connection: Connection) -> Generator[list[str]]:
    """Collect what functions tell of the roles that run them."""
    notices: list[str] = []

    def note(diagnostic: Diagnostic) -> None:
        notices.append(diagnostic.message_primary or "")

    connection.add_notice_handler(note)
    run_sql(connection, "SET client_min_messages TO notice")
    yield notices
    connection.remove_notice_handler(note)


def sqlstate(connection: Connection, statement: str) -> str:
    """Run a statement; return the SQLSTATE, "" where it succeeds."""
    try:
        run_statement(connection, statement)
    except StatementFailed as e:
        return e.sqlstate
    return ""


def prepared(connection: Connection) -> Connection:
    """Make what RUNS needs, and what needs a superuser, before declared code could run in it."""
    handler = "LANGUAGE c AS '$libdir/plpgsql', 'plpgsql_call_handler'"
    run_statement(connection, SETUP[0])
    run_statement(connection, f"CREATE FUNCTION s.handle() RETURNS language_handler {handler}")
    for statement in SETUP[1:]:
        run_statement(connection, statement)
    return connection


def test_no_code_runs_as_a_superuser(builder: Connection) -> None:
    connection = prepared(builder)
    for statement in RUNS:
        with told(connection) as notices:
            assert sqlstate(connection, statement) == "", statement
        assert {*notices} == {"f f"}, statement
    for statement in VALIDATORS:
        run_statement(connection, statement)
    with told(connection) as notices:
        made = "CREATE FUNCTION s.spoken() RETURNS integer LANGUAGE spoken AS 'BEGIN RETURN 1; END'"
        run_statement(connection, made)
        assert notices == ["f f"]
        assert {s: sqlstate(connection, s) for s in REFUSED} == dict.fromkeys(REFUSED, DENIED)
        with pytest.raises(StatementFailed, match="--scratch URL"):
            run_statement(connection, REFUSED[0])
    assert "t" not in " ".join(notices)


def test_event_triggers_do_not_fire_in_commands_of_superusers(builder: Connection) -> None:
    run_statement(builder, "CREATE SCHEMA s")
    run_statement(
        builder,
        f"CREATE FUNCTION s.e() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN {TELL} END $$",
    )
    run_statement(builder, "CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION s.e()")
    run_statement(builder, "ALTER EVENT TRIGGER e ENABLE ALWAYS")
    run_statement(builder, "ALTER EVENT TRIGGER e OWNER TO case_owner")
    with told(builder) as notices:
        run_statement(builder, "CREATE ACCESS METHOD heap2 TYPE TABLE HANDLER heap_tableam_handler")
        assert notices == []
    (found,) = rows(
        builder, "SELECT evtenabled::text, evtowner::regrole::text FROM pg_event_trigger"
    )
    assert found == {"evtenabled": "A", "evtowner": "case_owner"}


def test_no_event_trigger_fires_for_superusers_after_a_reset(
    builder: Connection,
) -> None:
    """Declared code may reset what keeps event triggers from firing, as far as its role may."""
    run_statement(builder, "CREATE SCHEMA s")
    run_statement(
        builder,
        f"CREATE FUNCTION s.e() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN {TELL} END $$",
    )
    for event in ("ddl_command_start", "ddl_command_end", "sql_drop"):
        run_statement(builder, f"CREATE EVENT TRIGGER e_{event} ON {event} EXECUTE FUNCTION s.e()")
    with told(builder) as notices:
        run_sql(builder, "RESET ALL")
        run_sql(builder, "SET client_min_messages TO notice")
        run_statement(builder, "CREATE ACCESS METHOD heap2 TYPE TABLE HANDLER heap_tableam_handler")
        run_statement(builder, "CREATE FUNCTION s.f() RETURNS int LEAKPROOF RETURN 1")
        run_statement(builder, "DROP ACCESS METHOD heap2")
    assert {*notices} <= {"f f"}
    found = rows(builder, "SELECT DISTINCT evtenabled::text AS enabled FROM pg_event_trigger")
    assert found == [{"enabled": "O"}]


def test_a_builder_gets_no_more_rights(builder: Connection) -> None:
    admin = rows(builder, "SELECT rolname::text AS name FROM pg_roles WHERE rolsuper")[0]["name"]
    for statement in ("CREATE SCHEMA s", "CREATE SCHEMA extensions"):
        run_statement(builder, statement)
    available = {r["name"] for r in rows(builder, "SELECT name::text FROM pg_available_extensions")}
    for extension in {"dblink", "postgres_fdw"} & available:
        run_statement(builder, f"CREATE EXTENSION {extension} SCHEMA extensions")
    for statement in ("RESET ROLE", "RESET SESSION AUTHORIZATION", "SET ROLE case_owner"):
        run_sql(builder, statement)
        assert rows(builder, "SELECT current_setting('is_superuser') AS is_")[0]["is_"] == "off"
    run_sql(builder, "RESET ROLE")
    for statement in (s.format(admin=admin) for s in LEAVE):
        if "extensions." in statement and "dblink" not in available:
            continue
        with pytest.raises(StatementFailed) as refused:
            run_sql(builder, statement)
        assert refused.value.sqlstate == DENIED, statement
    assert "" not in [sqlstate(builder, s) for s in NATIVE]


def test_two_targets_may_have_each_others_users() -> None:
    """A process that plans for both must not make the roles members of each other."""
    scratch = next(scratches("embedded", "", Server(MAJORS[0] * 10000), frozenset()))
    for user, owner in (("door_a", "door_b"), ("door_b", "door_a")):
        with scratch.database({owner}, user) as connection:
            run_statement(connection, f"CREATE SCHEMA s AUTHORIZATION {owner}")
            assert rows(connection, "SELECT session_user::text AS name") == [{"name": user}]
