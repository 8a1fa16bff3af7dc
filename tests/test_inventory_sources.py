"""Test where targets come from, with hostile files, programs, variables and control databases."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from psycopg import conninfo

from reconciler.errors import ConnectionFailed, ReconcileError, SettingsError
from reconciler.inventory.sources import program
from reconciler.settings import ResolvedTarget, read, resolve_target
from tests.conftest import Database
from tests.roles import url_of
from tests.test_three_way import folder, run

__all__ = ["folder"]

HOSTILE = 'a"; DROP TABLE x; --'
READER = "reconcile_inventory_reader"


@pytest.fixture(autouse=True)
def no_database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.setenv("RECONCILE_TENANTS_URL", "postgresql://app:s3cret@db/postgres")


def inventory(folder: Path, keys: str, rows: object = ()) -> None:
    text = rows if isinstance(rows, str) else json.dumps(rows)
    (folder / "tenants.json").write_text(text)
    (folder / "reconcile.yml").write_text(f"inventory: {{{keys}}}\n")


def resolved(name: str) -> ResolvedTarget:
    return resolve_target(read(), name)


def parts(name: str) -> dict[str, Any]:
    return conninfo.conninfo_to_dict(resolved(name).url)


BASE = "url: '${RECONCILE_TENANTS_URL}', file: tenants.json"


def test_a_row_names_a_database_of_the_url(folder: Path) -> None:
    inventory(folder, BASE, [{"name": "acme", "dbname": HOSTILE, "vars": {"tenant": HOSTILE}}])
    found = parts("acme")
    assert (found["host"], found["dbname"], found["password"]) == ("db", HOSTILE, "s3cret")
    assert resolved("acme").variables == {"tenant": HOSTILE}


def test_no_password_goes_to_a_server_that_a_row_names(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPASSWORD", "s3cret")
    rows = [
        {"name": "a", "host": "evil", "dbname": "x"},
        {"name": "b", "url": "postgresql://evil/x"},
        {"name": "c", "host": "db", "port": 5433, "user": "x"},
    ]
    inventory(folder, BASE, rows)
    for name in ("a", "b", "c"):
        found = parts(name)
        assert (found["password"], found["passfile"]) == ("", "/dev/null/none")
        assert "s3cret" not in resolved(name).url
    monkeypatch.setenv("RECONCILE_TRUSTED_HOSTS", "db:5433")
    assert "password" not in parts("c")
    assert parts("a")["password"] == ""


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("{", "tenants.json: the list: Invalid JSON"),
        ("{}", "the list: Input should be a valid array"),
        ("[1]", "tenants.json: 0: Input should be"),
        ("[" * 100_000, "Invalid JSON"),
        ([{"name": "a b"}], "0.name: a name has 1 to 63 letters"),
        ([{"name": "all"}], "0.name: all is the group of all targets"),
        (
            [{"name": "embedded"}],
            "0.name: embedded is the target on a server that reconcile starts",
        ),
        ([{"name": "a", "url": ""}], "0.url: empty text"),
        ([{"name": "a", "url": " "}], "0.url: empty text"),
        ([{"name": "a", "host": ""}], "0.host: empty text"),
        ([{"name": "a", "host": "h", "user": ""}], "0.user: empty text"),
        ([{"name": "a", "dbname": ""}], "0.dbname: expected the name"),
        ([{"name": "a", "passfile": "/etc/passwd"}], "0.…: unknown key"),
        ([{"name": "a", "url": "${RECONCILE_TENANTS_URL}"}], "no environment variable here"),
        ([{"name": "a", "url": "${HOME}"}], "no environment variable here"),
        ([{"name": "a", "url": "host=x passfile=/y"}], "may not set passfile"),
        ([{"name": "a", "url": "host=x sslmode=disable service=z"}], "may not set service"),
        ([{"name": "a", "url": "x" * 2001}], "0.url: String should have at most 2000"),
        ([{"name": "a", "url": "host=x", "host": "y"}], "host: part of the url"),
        ([{"name": "a", "port": 1}], "port without host"),
        ([{"name": "a", "dbname": "host=evil"}], "0.dbname: expected the name of a database"),
        ([{"name": "a", "dbname": "postgresql://evil"}], "0.dbname: expected the name"),
        ([{"name": "a", "dbname": "é" * 32}], "0.dbname: expected the name"),
        ([{"name": "a", "dbname": "a\0b"}], "0.dbname: expected the name"),
        ([{"name": "a", "vars": {"x": "a\nb"}}], "0.vars: variable x: .* control character"),
        ([{"name": "a", "vars": {"PATH": "x"}}], "0.vars: the name of a variable"),
        ([{"name": "a", "vars": {"x": [1]}}], "0.vars"),
        ([{"name": "a", "vars": {f"v{n}": 1 for n in range(201)}}], "more than 200 variables"),
        ([{"name": "a", "groups": ["x y"]}], "0.groups.0: a name has 1 to 63"),
        ([{"name": "a", "groups": [f"g{n}" for n in range(101)]}], "0.groups: Tuple"),
        ([{"name": "a"}, {"name": "a"}], "the name a is that of tenants.json already"),
        ([{"name": "a", "groups": ["a"]}], "a is the name of a target and of a group"),
        ([{"name": f"t{n}"} for n in range(10_001)], "more than 10,000 targets"),
    ],
)
def test_a_hostile_file_is_refused(folder: Path, rows: object, message: str) -> None:
    inventory(folder, BASE, rows)
    with pytest.raises(SettingsError, match=message) as raised:
        resolved("a")
    assert "s3cret" not in str(raised.value)
    assert len(str(raised.value)) < 1_500


def test_a_file_stays_below_reconcile_yml(folder: Path, tmp_path_factory: Any) -> None:
    secret = tmp_path_factory.mktemp("elsewhere") / "secret.json"
    secret.write_text('[{"name": "stolen"}]')
    inventory(folder, f"url: x, file: {secret}")
    for make in (lambda: None, lambda: link(folder, secret), lambda: os.mkfifo(folder / "pipe")):
        make()
        for name in (str(secret), "link.json", "pipe", "../secret.json", ".hidden", "none.json"):
            inventory(folder, f"url: x, file: {name}")
            with pytest.raises(SettingsError, match=r"inventory\.file: cannot read"):
                resolved("stolen")


def link(folder: Path, secret: Path) -> None:
    (folder / "link.json").symlink_to(secret)


def test_the_environment_names_a_file_anywhere(
    folder: Path, tmp_path_factory: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path_factory.mktemp("elsewhere") / "targets.json"
    other.write_text('[{"name": "acme", "url": "postgresql://db/acme"}]')
    monkeypatch.setenv("RECONCILE_INVENTORY", str(other))
    assert parts("acme")["dbname"] == "acme"
    other.unlink()
    with pytest.raises(SettingsError, match=r"RECONCILE_INVENTORY=.*: No such file"):
        resolved("acme")


def test_variables_of_the_environment_are_targets(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inventory(folder, "environment: RECONCILE_SHOP_")
    monkeypatch.setenv("RECONCILE_SHOP_ACME", "postgresql://app:s3cret@db/acme")
    monkeypatch.setenv("RECONCILE_SHOP_BOLT", "no url")
    assert parts("acme")["password"] == "s3cret"
    with pytest.raises(SettingsError, match="RECONCILE_SHOP_BOLT holds no URL"):
        resolved("bolt")
    for prefix in ("PG", "RECONCILE", "AWS_SECRET_", "RECONCILE_x_"):
        inventory(folder, f"environment: {prefix}")
        with pytest.raises(SettingsError, match=r"inventory\.environment: expected a prefix"):
            read()


# -- a program -----------------------------------------------------------------------------------


def script(folder: Path, text: str) -> str:
    file = folder / "program.py"
    file.write_text(text)
    return f"{sys.executable} {file} '$(touch shell)'"


def test_a_program_prints_targets(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = '[{"name": "acme", "url": "host=db"}]'
    printing = f"import sys; print({rows!r}); assert '$' in sys.argv[1]"
    monkeypatch.setenv("RECONCILE_INVENTORY_COMMAND", script(folder, printing))
    assert parts("acme")["host"] == "db"
    assert not (folder / "shell").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import sys; sys.exit('\\x1b[31mno\\nway')", r"ended with 1: \\x1b\[31mno"),
        ("print('x')", "RECONCILE_INVENTORY_COMMAND: the list: Invalid JSON"),
        ("import time; time.sleep(60)", "has not ended after 1 s"),
        ("print('[' + ' ' * (16 << 20) + ']')", "printed more than 16,777,216 bytes"),
        ("while True: print(' ' * 100_000)", "printed more than 16,777,216 bytes"),
        (
            "import os; os.close(1); os.close(2)\nimport time; time.sleep(60)",
            "has not ended after 1 s",
        ),
        (
            "import sys\nfor _ in range(10_000): sys.stderr.write('no' * 1_000)\nsys.exit(3)",
            "ended with 3: nono",
        ),
    ],
)
def test_a_program_that_misbehaves_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch, text: str, message: str
) -> None:
    monkeypatch.setattr(program, "SECONDS", 1.0 if "sleep" in text else 60.0)
    monkeypatch.setenv("RECONCILE_INVENTORY_COMMAND", script(folder, text))
    with pytest.raises(SettingsError, match=message) as raised:
        resolved("acme")
    assert "\x1b" not in str(raised.value)


def test_a_program_that_leaves_another_one_is_not_waited_for(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leaving = "import subprocess; subprocess.Popen(['sleep', '50']); print('[]')"
    monkeypatch.setenv("RECONCILE_INVENTORY_COMMAND", script(folder, leaving))
    start = time.monotonic()
    assert not read().all_targets().entries
    assert time.monotonic() - start < 30


@pytest.mark.parametrize(
    "options", [("plan", "--all", "--forks", "8"), ("drift", "--all"), ("plan", "-t", "a")]
)
@pytest.mark.parametrize("status", [0, 1])
def test_a_command_runs_a_program_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], status: int
) -> None:
    rows = json.dumps([{"name": name, "url": "host=/nowhere"} for name in "abcdefgh"])
    counting = f"open('runs', 'a').write('x'); print({rows!r}); raise SystemExit({status})"
    monkeypatch.setenv("RECONCILE_INVENTORY_COMMAND", script(folder, counting))
    (folder / "reconcile.yml").write_text("state: state")
    (folder / "state").mkdir(exist_ok=True)
    (folder / "state" / "t.yml").write_text("tables: {t: {columns: {a: int}}}")
    for number in (1, 2):
        done = run(*options)
        assert done.exit_code == 1, done.output
        assert (folder / "runs").read_text() == "x" * number
    expected = "ended with 1" if status else "cannot connect to host=/nowhere"
    assert expected in done.output


@pytest.mark.parametrize("command", ["/nowhere/none", "'", " "])
def test_a_command_that_cannot_run_is_an_error(
    folder: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setenv("RECONCILE_INVENTORY_COMMAND", command)
    with pytest.raises(SettingsError, match="RECONCILE_INVENTORY_COMMAND"):
        resolved("acme")


def test_reconcile_yml_names_no_program(folder: Path) -> None:
    inventory(folder, "command: 'touch x'")
    with pytest.raises(SettingsError, match=r"inventory\.command: unknown key"):
        read()


# -- a control database --------------------------------------------------------------------------


@pytest.fixture
def control(
    new_database: Callable[..., Database], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Database:
    """Return a database with tenants, which an ordinary role reads."""
    database = new_database(
        f"""
        DO $$ BEGIN CREATE ROLE {READER} LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
        CREATE SCHEMA control;
        GRANT USAGE ON SCHEMA control TO {READER};
        CREATE TABLE control.tenants (name text, dbname text, region text, tier text);
        GRANT SELECT ON control.tenants TO {READER};
        CREATE SEQUENCE control.s;
        GRANT ALL ON SEQUENCE control.s TO {READER};
        INSERT INTO control.tenants VALUES
            ('acme', 'acme', 'eu', 'gold'), ('bolt', $n${HOSTILE}$n$, NULL, NULL);
        """
    )
    monkeypatch.setenv("RECONCILE_CONTROL_URL", url_of(database, READER))
    return database


QUERY = """
    SELECT name, dbname, array_remove(ARRAY[region], NULL) AS groups,
           json_build_object('tenant', dbname, 'tier', tier) AS vars
    FROM control.tenants ORDER BY name -- all;
"""


def ask(folder: Path, query: str) -> None:
    keys = f"url: '${{RECONCILE_TENANTS_URL}}', query: {json.dumps(query)}"
    (folder / "reconcile.yml").write_text(f"inventory: {{{keys}}}\ngroups: {{eu: []}}\n")


def test_a_control_database_names_targets(control: Database, folder: Path) -> None:
    ask(folder, QUERY)
    assert parts("acme")["dbname"] == "acme"
    assert parts("bolt")["dbname"] == HOSTILE
    assert resolved("acme").variables == {"tenant": "acme", "tier": "gold"}
    assert resolved("bolt").variables == {"tenant": HOSTILE}
    assert {*read().all_targets().groups} == {"eu"}
    control.run("UPDATE control.tenants SET name = 'x; y' WHERE name = 'bolt'")
    with pytest.raises(SettingsError, match=r"inventory\.query on .*: 1\.name: a name has"):
        resolved("acme")


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("DELETE FROM control.tenants RETURNING name", "syntax error"),
        ("SELECT 1) AS r) AS j; DELETE FROM control.tenants; --", "multiple commands|syntax"),
        (
            "WITH d AS (DELETE FROM control.tenants RETURNING *) TABLE d",
            "data-modifying",
        ),
        ("SELECT 'x' || nextval('control.s') AS name", "read-only"),
        ("SELECT set_config('transaction_read_only', 'off', true) AS name", "read-write"),
        ("SELECT 'x' AS name FROM pg_sleep(30)", "timeout|no answer"),
        ("SELECT 'x' AS name, repeat('x', 30000) AS url", "a row is longer than 20,000"),
        ("SELECT 'x' || n AS name FROM generate_series(1, 100000) AS n", "more than 10,000"),
        ("SELECT pg_read_file('/etc/passwd') AS name", "permission denied"),
        ("SELECT 1 AS name", "0.name: Input should be a valid string"),
        ("SELECT 'x' AS name, 'y' AS password", "0.…: unknown key"),
        ("SELECT 'x' AS name, '${RECONCILE_TENANTS_URL}' AS url", "no environment variable here"),
        ("SELECT FROM nowhere", "does not exist"),
    ],
)
def test_a_hostile_query_does_nothing(
    control: Database, folder: Path, monkeypatch: pytest.MonkeyPatch, query: str, message: str
) -> None:
    monkeypatch.setattr("reconciler.inventory.sources.control.SECONDS", 2.0)
    ask(folder, query)
    with pytest.raises(SettingsError, match=message):
        resolved("acme")
    assert control.value("SELECT count(*) FROM control.tenants") == 2
    assert control.value("SELECT is_called FROM control.s") is False


def test_only_an_ordinary_role_runs_the_query(
    control: Database, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(folder, QUERY)
    monkeypatch.setenv("RECONCILE_CONTROL_URL", control.url)
    with pytest.raises(SettingsError, match="a superuser: the query stands in"):
        resolved("acme")
    monkeypatch.setenv("RECONCILE_CONTROL_URL", "host=/nowhere password=s3cret")
    with pytest.raises(ConnectionFailed) as raised:
        resolved("acme")
    assert "s3cret" not in str(raised.value)
    monkeypatch.delenv("RECONCILE_CONTROL_URL")
    with pytest.raises(ReconcileError, match="RECONCILE_CONTROL_URL names no database to ask"):
        resolved("acme")
    assert run("drift", "--all").exit_code == 1


# -- variables of groups -------------------------------------------------------------------------


def test_inner_groups_and_targets_override(folder: Path) -> None:
    (folder / "reconcile.yml").write_text(
        """
        vars: {a: 1, b: 1, c: 1, d: 1}
        targets: {t: {url: host=h, dbname: x, vars: {d: 4}}, u: {url: host=h}}
        groups:
          inner: {members: [t], vars: {c: 3, d: 3}}
          outer: {members: [inner, u], vars: {b: 2, c: 2}}
          other: {members: [t], vars: {b: 2}}
        """
    )
    assert resolved("t").variables == {"a": 1, "b": 2, "c": 3, "d": 4}
    assert resolved("u").variables == {"a": 1, "b": 2, "c": 2, "d": 1}
    text = (folder / "reconcile.yml").read_text()
    (folder / "reconcile.yml").write_text(text.replace("vars: {b: 2}}", "vars: {b: '2'}}"))
    with pytest.raises(SettingsError, match="outer and other give the variable b two values"):
        resolved("t")


def test_the_inventory_is_listed_without_secrets(folder: Path) -> None:
    rows = [{"name": "acme", "groups": ["shops"], "vars": {"tenant": "a\u202eb"}}, {"name": "bolt"}]
    inventory(folder, BASE, rows)
    with (folder / "reconcile.yml").open("a") as file:
        file.write(
            "targets: {one: {url: 'postgresql://x:s3cret@db/x'}}\ngroups: {every: [shops, one]}\n"
        )
    text, graph = run("inventory"), run("inventory", "--format", "graph")
    assert [line.split()[0] for line in text.stdout.splitlines()] == ["one", "acme", "bolt"]
    assert graph.stdout.split() == ["all", "every:", "shops:", "acme", "one", "bolt"]
    found = json.loads(run("inventory", "--limit", "every,!one", "--format", "json").stdout)
    assert found["targets"] == [
        {
            "name": "acme",
            "source": "tenants.json",
            "groups": ["every", "shops"],
            "vars": {"tenant": "a\u202eb"},
        }
    ]
    shown = text.output + graph.output + run("inventory", "--format", "json").output
    assert "s3cret" not in shown
    assert "\u202e" not in text.output
    assert run("inventory", "--limit", "shop").exit_code == 1
