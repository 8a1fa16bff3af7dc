"""Checks act neither outside the database nor beyond their transaction, and nobody answers them."""

from __future__ import annotations

import json
import os
import re
import socket
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
import pytest
from psycopg import conninfo

from reconciler.checks import access
from reconciler.checks.model import Assertion, Check
from reconciler.checks.result import Finding
from reconciler.checks.run import run_checks
from reconciler.checks.session import Terms
from reconciler.checks.shown import MAX_SHOWN
from reconciler.errors import SettingsError
from reconciler.server import deadline
from tests.conftest import Database, verify_options
from tests.pooler import pooled
from tests.test_conversations import reconcile
from tests.test_parameters import TRAPS, TYPES, words
from tests.yaml_text import as_yaml

SCRIPT = """
CREATE TABLE t (id int PRIMARY KEY, name varchar);
INSERT INTO t VALUES (1, 'one'), (2, 'two');
CREATE SEQUENCE s;
CREATE FUNCTION run(command text) RETURNS text LANGUAGE plpgsql
    AS 'BEGIN EXECUTE command; RETURN current_user; END';
CREATE FUNCTION write() RETURNS bigint LANGUAGE sql
    AS 'INSERT INTO public.t VALUES (3); SELECT count(*) FROM public.t';
CREATE PROCEDURE commits() LANGUAGE plpgsql AS 'BEGIN INSERT INTO t VALUES (4); COMMIT; END';
"""
WITNESS = Path("/tmp/reconcile-check-was-here")  # noqa: S108
OWN = "reconcile_verify"
TWO = "SELECT count(*)::text FROM t"
DENIED = "permission denied|must be (a )?(superuser|member)"

# What each check does, and what `verify` says of it; "" where it passes.
ATTACKS: dict[str, tuple[dict[str, object], str]] = {
    "a program": ({"query": f"COPY t TO PROGRAM 'touch {WITNESS}'", "equals": 1}, "syntax error"),
    "a program in a command": (
        {"query": f"COPY t TO PROGRAM 'touch {WITNESS}'", "fails_with": "insufficient_privilege"},
        "",
    ),
    "a program in a function": (
        {
            "query": f"SELECT run($$COPY t TO PROGRAM 'touch {WITNESS}'$$)",
            "equals": 1,
            "writes": True,
        },
        DENIED,
    ),
    "a file": ({"query": f"SELECT run($$COPY t TO '{WITNESS}'$$)", "equals": 1}, DENIED),
    "a server's file": ({"query": "SELECT pg_read_file('PG_VERSION')", "equals": 18}, DENIED),
    "another session": (
        {"query": "SELECT pg_terminate_backend(%(victim)s)", "equals": True},
        DENIED,
    ),
    "a sequence": ({"query": "SELECT nextval('s')", "equals": 1}, "read-only"),
    "a sequence's position": ({"query": "SELECT setval('s', 9)", "equals": 9}, "read-only"),
    "a commit": ({"query": "COMMIT", "equals": 1}, "syntax error"),
    "a commit in a command": ({"query": "COMMIT", "fails_with": "feature_not_supported"}, ""),
    "a commit behind": ({"query": "SELECT 1; COMMIT", "equals": 1}, "multiple commands"),
    "a commit behind a write": (
        {"query": "INSERT INTO t VALUES (5); COMMIT", "fails_with": "check_violation"},
        "multiple commands",
    ),
    "a commit in a function": (
        {"query": "SELECT write(), run('COMMIT')", "equals": 3, "writes": True},
        "transaction commands",
    ),
    "a commit in a block": (
        {
            "query": "DO 'BEGIN INSERT INTO t VALUES (6); COMMIT; END'",
            "fails_with": "invalid_transaction_termination",
        },
        "",
    ),
    "a commit in a procedure": (
        {"query": "CALL commits()", "fails_with": "invalid_transaction_termination"},
        "",
    ),
    "a call": ({"query": "CALL commits()", "equals": None, "writes": True}, "syntax error"),
    "a prepared transaction": (
        {"query": "PREPARE TRANSACTION 'x'", "fails_with": "feature_not_supported"},
        "",
    ),
    "the end of a block": (
        {"query": "SELECT 1; END; CREATE TABLE pwned ()", "equals": 1},
        "multiple commands",
    ),
    "an unsaid write": ({"query": "SELECT write()", "equals": 3}, "read-only"),
    "a said write": ({"query": "SELECT write()", "equals": 3, "writes": True}, ""),
    "a visible write": (
        {"query": "WITH w AS (DELETE FROM t RETURNING id) SELECT count(*) FROM w", "equals": 2},
        "",
    ),
    "another mode": (
        {"query": "SELECT set_config('transaction_read_only', 'off', false)", "equals": "off"},
        "cannot set transaction read-write mode",
    ),
    "another mode by a setting": (
        {
            "query": "SELECT write()",
            "equals": 3,
            "as": {"settings": {"transaction_read_only": "off"}},
        },
        "read-only",
    ),
    "a setting's write": (
        {
            "query": "SELECT 1",
            "equals": 1,
            "as": {"settings": {"a.b": {"query": "SELECT write()"}}},
        },
        "read-only",
    ),
    "a superuser": (
        {"query": "SELECT set_config('role', 'postgres', false)", "equals": "postgres"},
        DENIED,
    ),
    "a superuser's session": (
        {"query": "SELECT run('SET SESSION AUTHORIZATION postgres')", "equals": "postgres"},
        DENIED,
    ),
    "the role before": (
        {"query": "SELECT run('RESET ROLE')", "equals": OWN, "as": {"role": "%(reader)s"}},
        "",
    ),
    "a role beyond": (
        {
            "query": "SELECT 1",
            "fails_with": "insufficient_privilege",
            "as": {"role": "pg_read_server_files"},
        },
        "must be a member of the role",
    ),
}


@pytest.fixture
def attacked(new_database: Callable[..., Database], each_major: int) -> Database:
    return new_database(SCRIPT, each_major)


@pytest.fixture
def reader(database: Database) -> Iterator[str]:
    role = f"reader_{os.getpid()}"
    database.run(f"CREATE ROLE {role}")
    yield role
    database.run(f"DROP OWNED BY {role}; DROP ROLE {role}")


def verified(
    folder: Path, database: Database, checks: dict[str, object], *options: object, schema: str = ""
) -> dict[str, str]:
    """Run `verify`, and return the complaints by name."""
    file = folder / "checks.yml"
    file.write_text(as_yaml({"schema": schema or "public", "checks": checks}))
    target = ("--target", database.url, "--state", file, *verify_options(database))
    shown = reconcile("verify", *target, "--format", "json", *options)
    assert shown.exit_code in {0, 2}, shown.output
    return {c["name"]: c["complaint"] for c in json.loads(shown.stdout)["checks"]}


def test_checks_leave_nothing(attacked: Database, tmp_path: Path) -> None:
    WITNESS.unlink(missing_ok=True)
    database, reader = attacked, f"narrow_{os.getpid()}"
    database.run(f"CREATE ROLE {reader}")
    with psycopg.connect(database.url) as victim:
        words = {"victim": victim.info.backend_pid, "reader": reader}
        checks = json.loads(_filled(json.dumps({n: c for n, (c, _) in ATTACKS.items()}), words))
        complaints = verified(tmp_path, database, checks)
        assert victim.execute("SELECT 1").fetchone() == (1,)
    for name, (_, expected) in ATTACKS.items():
        if expected:
            assert re.search(expected, complaints[name]), (name, complaints[name])
        else:
            assert complaints[name] == "", name
    assert not WITNESS.exists()
    assert database.rows("SELECT id FROM t ORDER BY 1") == [(1,), (2,)]
    assert database.rows("SELECT last_value, is_called FROM s") == [(1, False)]
    assert database.value("SELECT count(*) FROM pg_prepared_xacts") == 0
    assert database.value("SELECT to_regclass('pwned')") is None
    database.run(f"DROP ROLE {reader}")


def _filled(text: str, words: Mapping[str, object]) -> str:
    for word, value in words.items():
        text = text.replace(f"%({word})s", str(value))
    return text


def test_nothing_of_an_assertion_reaches_the_next(database: Database, tmp_path: Path) -> None:
    held = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()"
    assertions = [
        {"query": "SELECT pg_try_advisory_lock(7)", "equals": True},
        {"query": held, "equals": 0},
        {"query": "SELECT set_config('statement_timeout', '0', false)", "equals": "0"},
        {"query": "SELECT current_setting('statement_timeout')", "equals": "1min"},
        {"query": "SELECT set_config('search_path', 'pg_temp', false)", "equals": "pg_temp"},
        {"query": "SELECT (current_schemas(false))[1:2]::text", "equals": "{pg_catalog,public}"},
    ]
    assert verified(tmp_path, database, {"c": {"all": assertions}}) == {"c": ""}


def test_the_default_mode_of_the_user_is_kept(database: Database, tmp_path: Path) -> None:
    database.run(SCRIPT)
    name = database.value("SELECT current_database()")
    access.url_for_checks(database.url, None, [])  # makes the user
    database.run(f"ALTER ROLE {OWN} IN DATABASE {name} SET default_transaction_read_only = on")
    checks: dict[str, object] = {
        "read": {"query": "SELECT count(*) FROM t", "equals": 2},
        "write": {"query": "DELETE FROM t", "fails_with": "read_only_sql_transaction"},
        "command": {"query": "TRUNCATE t", "fails_with": "read_only_sql_transaction"},
    }
    assert verified(tmp_path, database, checks) == dict.fromkeys(checks, "")


# -- time


def test_a_check_ends_in_time(database: Database, tmp_path: Path) -> None:
    checks: dict[str, object] = {
        "long": {"query": "SELECT pg_sleep(60)", "equals": ""},
        "endless": {
            "query": "WITH RECURSIVE r AS (SELECT 1 UNION ALL SELECT 1 FROM r)"
            " SELECT set_config('statement_timeout', '0', false), count(*) FROM r",
            "equals": 0,
        },
    }
    started = time.monotonic()
    complaints = verified(tmp_path, database, checks, "--check-timeout", "0.3")
    assert time.monotonic() - started < 3
    assert all("timeout" in c or "no result in 0.3" in c for c in complaints.values()), complaints


@contextmanager
def freezing(url: str, word: bytes) -> Generator[str]:
    """Forward to a server until a message holds the word; then neither answer nor accept."""
    parts = conninfo.conninfo_to_dict(url)
    path = f"{parts['host']}/.s.PGSQL.{parts.get('port', 5432)}"
    frozen = threading.Event()

    def forward(source: socket.socket, to: socket.socket) -> None:
        with suppress(OSError):
            while (data := source.recv(65536)) and not frozen.is_set():
                if word in data:
                    frozen.set()
                    return
                to.sendall(data)

    def serve(listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                kept.append(client)
                if not frozen.is_set():
                    server = socket.socket(socket.AF_UNIX)
                    server.connect(path)
                    kept.append(server)
                    for pair in ((client, server), (server, client)):
                        threading.Thread(target=forward, args=pair, daemon=True).start()

    kept: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        port = listener.getsockname()[1]
        yield conninfo.make_conninfo(
            url, host="127.0.0.1", port=port, sslmode="disable", gssencmode="disable"
        )
        for used in kept:
            used.close()


@pytest.mark.parametrize("word", [b"freeze", b"Sreconcile_check"])  # a query; a description
def test_a_server_that_answers_no_more_ends_a_check(
    database: Database, monkeypatch: pytest.MonkeyPatch, word: bytes
) -> None:
    monkeypatch.setattr(deadline, "GRACE", 0.3)
    url = access.url_for_checks(database.url, None, [])
    check = Check(name="c", assertions=(Assertion(query="SELECT 'freeze'", equals="freeze"),))
    with freezing(url, word) as frozen:
        started = time.monotonic()
        done = run_checks(url, {"c": check}, Terms(frozen, seconds=0.5))
    (found,) = done
    assert found.findings == (Finding("failed", "was ended: no result in 0.5 seconds"),)
    assert time.monotonic() - started < 3


# -- who answers


HIJACK = """
CREATE FUNCTION public.yes(varchar, varchar) RETURNS boolean LANGUAGE sql AS 'SELECT true';
CREATE OPERATOR public.= (FUNCTION = yes, LEFTARG = varchar, RIGHTARG = varchar);
CREATE FUNCTION public.lower(varchar) RETURNS text LANGUAGE sql AS $$SELECT 'hijacked'$$;
CREATE FUNCTION public.owner_of(uuid) RETURNS text LANGUAGE sql AS $$SELECT 'somebody'$$;
CREATE FUNCTION public.owner_of(text) RETURNS text LANGUAGE sql AS $$SELECT 'hijacked'$$;
CREATE VIEW public.pg_class AS SELECT 'hijacked' AS relname;
"""


def test_nothing_in_public_answers_for_postgresql(database: Database, tmp_path: Path) -> None:
    database.run(SCRIPT + HIJACK)
    checks: dict[str, object] = {
        "an operator": {"query": "SELECT count(*) FROM t WHERE name = 'three'", "equals": 0},
        "an operator in another": {
            "query": "SELECT count(*) FROM t WHERE name IN ('three', 'OPERATOR(public.=)')",
            "equals": 0,
        },
        "a function": {"query": "SELECT lower(name) FROM t WHERE id = 1", "equals": "one"},
        "a relation": {
            "query": "SELECT count(*) FROM pg_class WHERE relname = 'hijacked'",
            "equals": 0,
        },
        "in a write": {
            "query": "WITH w AS (DELETE FROM t WHERE name = 'three' RETURNING id)"
            " SELECT count(*) FROM w",
            "equals": 0,
        },
        "an index": {"query": "SELECT FROM t WHERE id = 1 AND name = 'x'", "uses_index": "t_pkey"},
        "what is named": {
            "query": "SELECT public . lower(name) FROM t WHERE id = 1",
            "equals": "hijacked",
        },
        "what has no namesake": {"query": "SELECT run('SELECT 1')", "equals": OWN},
    }
    found = verified(tmp_path, database, checks)
    assert found == dict.fromkeys(found, "")


def test_an_undeclared_overload_does_not_answer_for_a_declared_function(
    database: Database, tmp_path: Path
) -> None:
    database.run(HIJACK)
    query = "SELECT owner_of('11111111-1111-1111-1111-111111111111')"
    checks = {"c": Check(name="c", assertions=(Assertion(query=query, equals="hijacked"),))}
    declared = {("public", "owner_of", "p_id uuid")}
    (done,) = run_checks(database.url, checks, Terms(declared=declared))
    assert "owner_of(text) is not declared" in done.complaint


# -- as whom


def test_the_refusal_of_a_superuser_says_how_to_make_another(
    database: Database, reader: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.run(SCRIPT)
    user = f"verifier_{os.getpid()}"
    checks: dict[str, object] = {
        "reads": {"query": "SELECT count(*) FROM t", "equals": 2},
        "narrows": {
            "query": "SELECT FROM t",
            "fails_with": "insufficient_privilege",
            "as": {"role": reader},
        },
        "writes": {"query": "INSERT INTO t VALUES (1)", "fails_with": "unique_violation"},
        "is": {"query": "SELECT session_user::text", "equals": user},
    }
    verified(tmp_path, database, checks)  # as the embedded server's own user
    target = ("--target", database.url, "--state", tmp_path / "checks.yml")
    refused = reconcile("verify", *target, "--verify-target", database.url)
    assert refused.exit_code == 1
    assert "checks would run as postgres, a superuser" in refused.output
    said = refused.output.replace(OWN, user)
    statements = re.findall(r"^ +((?:CREATE|GRANT) .*)$", said, re.M)
    try:
        database.run("\n".join(statements))
        (url,) = re.findall(r'RECONCILE_VERIFY_URL="(.*)" reconcile verify', said)
        monkeypatch.setenv("RECONCILE_VERIFY_URL", url)
        done = reconcile("verify", *target)
        assert done.exit_code == 0, done.output
        database.run(f"GRANT pg_read_server_files TO {reader}")  # indirectly
        refused = reconcile("verify", *target)
        assert refused.exit_code == 1
        assert f"{user}, a member of pg_read_server_files" in refused.output
    finally:
        database.run(f"DROP OWNED BY {user}; DROP ROLE {user}")


@pytest.mark.parametrize("attribute", ["SUPERUSER", "CREATEROLE", "REPLICATION"])
def test_a_member_of_a_powerful_role_runs_no_checks(
    database: Database, reader: str, attribute: str
) -> None:
    user = f"verifier_{os.getpid()}"
    database.run(f"CREATE ROLE {user} LOGIN; GRANT {reader} TO {user}")
    url = conninfo.make_conninfo(database.url, user=user)
    try:
        assert access.url_for_checks(url, None, []) == url  # an ordinary role is used as it is
        database.run(f"ALTER ROLE {reader} {attribute}")
        with pytest.raises(SettingsError, match=f"{user}, a member of {reader}"):
            access.url_for_checks(database.url, url, [])
        own = access.url_for_checks(database.url, None, [])  # has given the role up
        assert access.url_for_checks(database.url, own, []) == own
    finally:
        database.run(f"DROP ROLE {user}; ALTER ROLE {reader} NO{attribute}")


def test_checks_run_on_the_target_only(new_database: Callable[..., Database]) -> None:
    one, other = new_database(), new_database()
    url = access.url_for_checks(other.url, None, [])
    with pytest.raises(SettingsError, match="another database"):
        access.url_for_checks(one.url, url, [])
    with pytest.raises(SettingsError, match="takes a URL"):
        access.url_for_checks(one.url, "staging", [])


# -- values and words


def test_values_are_those_of_the_query(database: Database, tmp_path: Path) -> None:
    database.run(
        "CREATE DOMAIN age AS int; CREATE TYPE mood AS ENUM ('sad');"
        "CREATE FUNCTION nothing() RETURNS void LANGUAGE plpgsql AS 'BEGIN END'"
    )
    values: dict[str, object] = {
        "SELECT 7::age": 7,
        "SELECT 'sad'::mood": "sad",
        "SELECT 1 AS x, 2 AS x": 1,
        "SELECT 1 WHERE false": None,
        "SELECT NULL": None,
        "VALUES (1), (2)": 1,
        "SELECT true -- said": True,
        "SELECT 1.50": "1.50",
        "SELECT timestamp '2020-01-01'": "2020-01-01 00:00:00",
        "SELECT '\\x61'::bytea": "b'a'",
        "SELECT nothing()": "",
        "SELECT ROW(1, 2)": "(1, 2)",
    }
    checks: dict[str, object] = {
        f"{query} is {value}": {"query": query, "equals": value} for query, value in values.items()
    }
    found = verified(tmp_path, database, checks)
    assert found == dict.fromkeys(found, "")


def test_complaints_are_cut_and_show_no_other_file(database: Database, tmp_path: Path) -> None:
    (tmp_path / "secret.sql").write_text("SELECT 1 -- the secret")
    checks: dict[str, object] = {
        "long": {"query": "SELECT repeat('x', 100000)" + " " * 5000 + "\n" * 50, "equals": 1},
        "file": {"query_file": "secret.sql", "equals": 2},
        "lines": {"query": "SELECT\n" * 50, "equals": 2},
    }
    found = verified(tmp_path, database, checks)
    assert len(found["long"]) < 3 * MAX_SHOWN
    assert found["file"].startswith("gave 1, 2 was expected\nin ")
    assert "secret" not in found["file"].splitlines()[0]
    assert len(found["lines"].splitlines()) < 25


def test_no_trap_in_the_schema_of_a_check_is_called(database: Database, tmp_path: Path) -> None:
    database.run(SCRIPT + TRAPS.format(words=words(), types=TYPES))
    checks: dict[str, object] = {
        "reads": {"query": "SELECT count(*) FROM t WHERE id = 1 AND name = 'one'", "equals": 1},
        "as": {
            "query": "SELECT current_setting('a.b') || format_type(23, NULL)",
            "equals": "2integer",
            "as": {"role": "pg_read_all_data", "settings": {"a.b": {"query": TWO}}},
        },
        "index": {"query": "SELECT FROM t WHERE id = 1", "uses_index": "t_pkey"},
        "writes": {"query": "INSERT INTO t VALUES (1)", "fails_with": "unique_violation"},
        "command": {"query": "TRUNCATE t", "fails_with": "insufficient_privilege"},
    }
    assert verified(tmp_path, database, checks) == dict.fromkeys(checks, "")


def test_a_pooler_keeps_nothing_of_a_check(database: Database) -> None:
    own = access.url_for_checks(database.url, None, [])
    lock = "pg_advisory_lock(7)"
    check = Check(
        name="c",
        assertions=(
            Assertion(query=f"SELECT 1 FROM {lock}", equals=1),
            Assertion(query=f"SELECT 1 / 0 FROM {lock}", fails_with="division_by_zero"),
            Assertion(query="SELECT count(*) FROM pg_prepared_statements", equals=0),
        ),
    )
    with pooled(own, "transaction") as url:
        (found,) = run_checks(database.url, {"c": check}, Terms(url))
        assert found.passed, found.complaint
        locks = """SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database = (
            SELECT oid FROM pg_database WHERE datname = current_database())"""
        assert database.value(locks) == 0
