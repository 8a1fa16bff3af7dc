"""Test every command with roles that have exactly the privileges of docs/privileges.md."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from psycopg import conninfo

from reconciler.cli.group import COMMANDS
from tests.conftest import ROOT, Database
from tests.test_three_way import declare, folder, run

__all__ = ["folder"]

DOCUMENT = (ROOT / "docs" / "privileges.md").read_text()
BLOCKS = re.findall(r"```sql\n(.*?)```", DOCUMENT, re.DOTALL)
LOOKS, JOURNAL, ROWS, APPLIES = BLOCKS
START = """
    CREATE TABLE t (id int PRIMARY KEY, owner text, n int);
    INSERT INTO t SELECT i, 'a', nullif(i, 3) FROM generate_series(1, 100) AS i;
    ANALYZE t;
"""
DECLARED = """
tables:
  t:
    row_level_security: true
    columns: {n: {comment: a number}}
    indexes: {t_n: {on: [n]}}
    policies: {p: {to: [pg_monitor], using: owner = current_user}}
functions: {f(): {returns: int, language: sql, body: SELECT 1}}
checks:
  there are rows: {query: SELECT count(*) > 10 FROM public.t, equals: true}
workload:
  by number: {query: SELECT * FROM t WHERE n = 5}
"""
WITHOUT_CONNECTION = {  # to a target that they are given
    *("demo", "diff", "embedded", "explain", "import", "init", "inventory", "schema", "validate"),
}


@dataclass
class Roles:
    """A database, and roles of its own for the names of the document."""

    database: Database
    made: dict[str, str] = field(default_factory=dict[str, str])

    def grant(self, block: str) -> None:
        """Run a block of the document as a superuser."""
        self.database.run(self.named(block))

    def named(self, text: str) -> str:
        own = str(self.database.value("SELECT current_database()"))
        for name in ("reader", "deployer"):
            self.made.setdefault(name, f"{name}_{own}")
            text = re.sub(rf"\b{name}\b", self.made[name], text)
        return re.sub(r"\bapp\b", own, text)

    def url(self, name: str) -> str:
        return conninfo.make_conninfo(self.database.url, user=self.made[name])

    def databases(self) -> object:
        """Return the databases of the server that belong to the roles."""
        return self.database.rows(
            "SELECT datname FROM pg_database WHERE pg_get_userbyid(datdba) = ANY (ARRAY["
            + ", ".join(f"'{role}'" for role in self.made.values())
            + "]) AND datname <> current_database()"
        )


@pytest.fixture
def roles(new_database: Callable[..., Database]) -> Iterator[Roles]:
    """Return a database to which nobody may connect but by a GRANT."""
    found = Roles(new_database(START))
    found.grant("REVOKE ALL ON DATABASE app FROM PUBLIC; REVOKE ALL ON SCHEMA public FROM PUBLIC")
    yield found
    present = found.database.rows(
        "SELECT rolname FROM pg_roles WHERE rolname LIKE '%er\\_' || current_database()"
    )
    for (role,) in present:
        found.database.run(f"REASSIGN OWNED BY {role} TO postgres; DROP OWNED BY {role}")
        found.database.run(f"DROP ROLE {role}")


def test_the_table_names_every_command_that_connects() -> None:
    table = DOCUMENT[DOCUMENT.index("| `plan` |") :].partition("\n\n")[0]
    listed = set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) | {"apply", "rollback"}
    assert COMMANDS.keys() - WITHOUT_CONNECTION == listed


def test_the_roles_have_no_attribute() -> None:
    assert all(re.search(r"^CREATE ROLE \w+ LOGIN;$", b, re.MULTILINE) for b in (LOOKS, APPLIES))


def test_a_role_that_may_only_connect_looks(roles: Roles, folder: Path) -> None:
    roles.grant(LOOKS)
    target = ("--target", roles.url("reader"))
    options = (*target, *declare(folder, DECLARED))
    changed = DECLARED.replace("comment: a number", "not_null: true")
    (folder / "other").mkdir()
    (folder / "other" / "all.yml").write_text(changed)
    plan = run("plan", *target, "--state", "other")
    assert plan.exit_code == 2, plan.output
    assert "is not known: the role may not read the table" in plan.output
    drift = run("drift", *options)
    assert drift.exit_code == 2, drift.output
    assert drift.stdout.count("which side of a difference has moved is not known") == 1
    assert run("export", *target, "--out", "out").exit_code == 0
    assert "owner: text" in (folder / "out" / "public" / "tables.yml").read_text()
    assert run("lint", *options).exit_code == 2
    report = run("report", *options, "--format", "markdown")
    assert report.exit_code in (0, 2), report.output
    verify = run("verify", *options)
    assert verify.exit_code == 2, verify.output
    assert "permission denied for" in verify.output
    bench = run("bench", *options, "--rounds", 2, "--seconds", 1)
    assert bench.exit_code == 0, bench.output
    assert roles.databases() == []
    assert run("apply", *options, "--check").exit_code == 1


def test_drift_of_a_database_that_is_as_declared_needs_no_more(roles: Roles, folder: Path) -> None:
    options = declare(folder, DECLARED)
    assert run("apply", "--target", roles.database.url, *options, "--yes").exit_code == 0
    roles.grant(LOOKS)
    drift = run("drift", "--target", roles.url("reader"), *options, "--quiet")
    assert (drift.exit_code, drift.output) == (0, "")


def test_the_journal_is_read_with_its_grants(roles: Roles, folder: Path) -> None:
    options = declare(folder, DECLARED)
    assert run("apply", "--target", roles.database.url, *options, "--yes").exit_code == 0
    roles.database.run("DROP INDEX t_n")
    roles.grant(LOOKS)
    target = ("--target", roles.url("reader"))
    grant = f"GRANT USAGE ON SCHEMA reconcile TO {roles.made['reader']}"
    for command in ("history", "monitor"):
        refused = run(command, *target)
        assert refused.exit_code == 1
        assert grant in refused.stderr
    roles.grant(JOURNAL)
    assert run("history", *target).exit_code == 0
    monitored = run("monitor", *target, *options)
    assert monitored.exit_code in (0, 2), monitored.output
    assert "run 1" in monitored.stdout
    assert run("report", *target, *options, "--run", 1, "--format", "markdown").exit_code == 0
    found = json.loads(run("drift", *target, *options, "--format", "json").stdout)
    assert [d["class"] for d in found["drift"]] == ["missing"]
    assert found["notes"] == []


def test_rows_are_read_with_their_grant(roles: Roles, folder: Path) -> None:
    roles.grant(LOOKS + ROWS)
    changed = DECLARED.replace("comment: a number", "not_null: true")
    options = ("--target", roles.url("reader"), *declare(folder, changed))
    plan = run("plan", *options)
    assert "have no value in n (id=3)" in plan.output
    verify = run("verify", *options)
    assert "1/1 check passed" in verify.output


def test_an_owner_applies_without_being_superuser(roles: Roles, folder: Path) -> None:
    """As the master user of RDS, which is neither superuser nor, here, allowed CREATEDB."""
    roles.grant(APPLIES + "ALTER TABLE t OWNER TO deployer; CREATE ROLE reader LOGIN")
    options = ("--target", roles.url("deployer"), *declare(folder, DECLARED))
    applied = run("apply", *options, "--yes")
    assert applied.exit_code == 0, applied.output
    verified = run("verify", *options)
    assert verified.exit_code == 0, verified.output
    roles.database.run("DROP INDEX t_n")
    found = json.loads(run("drift", *options, "--format", "json").stdout)
    assert [d["class"] for d in found["drift"]] == ["missing"]
    roles.grant("GRANT CONNECT ON DATABASE app TO reader;" + JOURNAL)
    reader = ("--target", roles.url("reader"), *options[2:])
    assert "a superuser can repair it" in run("drift", *reader).stdout
    owner = ("--journal-owner", roles.made["deployer"])
    found = json.loads(run("drift", *reader, *owner, "--format", "json").stdout)
    assert [d["class"] for d in found["drift"]] == ["missing"]
    assert run("apply", *options, "--yes").exit_code == 0
    back = run("rollback", 1, "--target", roles.url("deployer"), "--yes", "--allow", "all")
    assert back.exit_code == 0, back.output
    assert roles.databases() == []


def test_a_member_of_the_owner_applies_without_create_on_the_database(
    roles: Roles, folder: Path
) -> None:
    roles.grant(
        APPLIES.replace("CONNECT, CREATE,", "CONNECT,")
        + "CREATE ROLE reader; ALTER TABLE t OWNER TO reader; GRANT reader TO deployer"
    )
    options = ("--target", roles.url("deployer"), *declare(folder, DECLARED), "--yes")
    refused = run("apply", *options, "--check")
    unrecorded = run("apply", *options, "--no-journal")
    assert unrecorded.exit_code == 0, unrecorded.output
    roles.database.run("DROP INDEX t_n")
    roles.grant("CREATE SCHEMA reconcile AUTHORIZATION deployer")
    recorded = run("apply", *options)
    assert recorded.exit_code == 0, recorded.output
    assert "note" not in recorded.output
    assert "permission denied for database" not in refused.output


def test_policies_call_what_belongs_to_others(roles: Roles, folder: Path) -> None:
    """As `postgres` of Supabase, to which neither `auth` nor an event trigger belongs."""
    roles.grant(
        APPLIES
        + """
        ALTER TABLE t OWNER TO deployer;
        CREATE SCHEMA auth;
        CREATE FUNCTION auth.uid() RETURNS text LANGUAGE sql STABLE AS $$SELECT 'a'$$;
        GRANT USAGE ON SCHEMA auth TO deployer;
        CREATE FUNCTION auth.watch() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
        CREATE EVENT TRIGGER watch_reconcile ON ddl_command_end EXECUTE FUNCTION auth.watch();
        """
    )
    declared = DECLARED.replace("owner = current_user", "owner = (SELECT auth.uid())")
    options = ("--target", roles.url("deployer"), *declare(folder, declared))
    applied = run("apply", *options, "--yes")
    assert applied.exit_code == 0, applied.output
    assert run("drift", *options, "--quiet").output == ""
    roles.database.run("ALTER POLICY p ON t USING (true)")
    found = json.loads(run("drift", *options, "--format", "json").stdout)
    assert [(d["class"], d["security"]) for d in found["drift"]] == [("drifted", True)]
    assert run("apply", *options, "--yes").exit_code == 0
