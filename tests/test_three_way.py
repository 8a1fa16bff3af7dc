"""Test which side of a difference is said to have moved since the last run."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner, Result

from reconciler.apply.session import sole_applier
from reconciler.cli import main
from reconciler.drift.result import CLASSES
from reconciler.server.locks import LockPolicy
from tests.conftest import Database

DECLARED = """
tables:
  t:
    row_level_security: true
    exclusive: [policies]
    columns:
      a: {type: int, comment: one}
      b: {type: varchar(20), comment: two}
    indexes:
      t_a: {on: [a]}
      t_b: {on: [b]}
    constraints:
      t_positive: {check: a > 0}
    policies:
      p: {using: a > 1}
functions:
  f():
    returns: int
    language: sql
    security: definer
    set: {search_path: ""}
    grants: {public: [], pg_read_all_data: []}
    body: SELECT 1
"""


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments], catch_exceptions=False)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RECONCILE_WEBHOOK", raising=False)
    return tmp_path


def declare(folder: Path, content: str = DECLARED) -> tuple[object, ...]:
    (folder / "state").mkdir(exist_ok=True)
    (folder / "state" / "all.yml").write_text(content)
    return "--state", "state"


@pytest.fixture
def applied(database: Database, folder: Path) -> tuple[object, ...]:
    """Return the options for a database to which the declaration was applied."""
    options = ("--target", database.url, *declare(folder))
    done = run("apply", *options, "--yes")
    assert done.exit_code == 0, done.output
    return options


def classes(*options: object) -> dict[str, str]:
    return {f"{o['kind']} {o['identity']}": o["class"] for o in objects(*options)}


def objects(*options: object) -> list[dict[str, Any]]:
    result = run("drift", *options, "--format", "json")
    assert result.exit_code == 2, result.output
    return json.loads(result.stdout)["drift"]


def test_a_change_of_the_files_is_pending(
    applied: tuple[object, ...], folder: Path, database: Database
) -> None:
    declare(
        folder, DECLARED.replace("comment: one", "comment: uno").replace("on: [b]", "on: [b, a]")
    )
    assert classes(*applied) == {
        "column public.t.a": "pending",
        "index public.t_b": "pending",
    }
    new = DECLARED.replace("t_b: {on: [b]}", "t_b: {on: [b]}\n      t_ab: {on: [a, b]}")
    declare(folder, new)
    assert classes(*applied) == {"index public.t_ab": "pending"}
    declare(folder, DECLARED.replace("t_b: {on: [b]}", "t_b: {state: absent}"))
    assert classes(*applied) == {"index public.t_b": "pending"}


def test_a_change_of_the_database_has_drifted(
    applied: tuple[object, ...], database: Database
) -> None:
    database.run(
        "COMMENT ON COLUMN t.a IS 'hand'; DROP INDEX t_b; DROP INDEX t_a;"
        "CREATE INDEX t_a ON t (a DESC); ALTER POLICY p ON t USING (a > 2)"
    )
    found = objects(*applied)
    assert {o["identity"]: o["class"] for o in found} == {
        "p on public.t": "drifted",
        "public.t.a": "drifted",
        "public.t_a": "drifted",
        "public.t_b": "missing",
    }
    assert found[0]["security"], "what concerns security comes first"
    using = found[0]["differences"][0]
    assert (using["live"], using["wanted"], using["applied"]) == ("(a > 2)", "(a > 1)", "(a > 1)")
    assert found[0]["last_run"]["id"] == 1
    assert found[0]["last_written"]["age"] >= 1
    assert {o["owner"] for o in found} == {owner(database)}


def test_both_sides_may_have_moved(
    applied: tuple[object, ...], folder: Path, database: Database
) -> None:
    database.run("COMMENT ON COLUMN t.a IS 'hand'; ALTER TABLE t ALTER b TYPE varchar(30)")
    declare(folder, DECLARED.replace("comment: one", "comment: uno").replace("two", "due"))
    found = {o["identity"]: o for o in objects(*applied)}
    assert found["public.t.a"]["class"] == "both"
    assert found["public.t.a"]["differences"][0]["applied"] == "one"
    assert found["public.t.b"]["class"] == "both"  # each side has changed another field
    shown = run("drift", *applied)
    assert "comment (live → declared): hand → uno" in shown.stdout
    assert "comment (last applied → live): one → hand" in shown.stdout


def test_what_an_exclusive_section_does_not_list_is_unmanaged(
    applied: tuple[object, ...], database: Database
) -> None:
    database.run("CREATE POLICY q ON t USING (true)")
    assert classes(*applied) == {"policy q on public.t": "unmanaged"}
    database.run("CREATE TABLE u ()")
    pruned = classes(*applied, "--schema", "public", "--prune")
    assert pruned == {"policy q on public.t": "unmanaged", "table public.u": "unmanaged"}


def test_what_was_dropped_by_a_run_and_is_there_again_has_drifted(
    applied: tuple[object, ...], folder: Path, database: Database
) -> None:
    declare(folder, DECLARED.replace("t_b: {on: [b]}", "t_b: {state: absent}"))
    assert run("apply", *applied, "--yes").exit_code == 0
    database.run("CREATE INDEX t_b ON t (b)")
    assert classes(*applied) == {"index public.t_b": "drifted"}


def test_a_renaming_is_pending_and_renaming_back_has_drifted(
    applied: tuple[object, ...], folder: Path, database: Database
) -> None:
    declare(folder, DECLARED.replace("  t:", "  tt:\n    renamed_from: t", 1))
    assert classes(*applied) == {"table public.tt": "pending"}
    renamed = run("apply", *applied, "--yes", "--allow", "all")
    assert renamed.exit_code == 0, renamed.output
    database.run("COMMENT ON COLUMN tt.a IS 'hand'; ALTER POLICY p ON tt USING (a > 2)")
    assert classes(*applied) == {
        "column public.tt.a": "drifted",
        "policy p on public.tt": "drifted",
    }
    assert run("apply", *applied, "--yes", "--allow", "weakens-security").exit_code == 0
    database.run("ALTER TABLE tt RENAME TO t")
    assert classes(*applied) == {"table public.tt": "drifted"}


def test_unfinished_work_is_named(applied: tuple[object, ...], database: Database) -> None:
    database.run(
        "SET allow_system_table_mods = on;"
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 't_a'::regclass;"
        "ALTER TABLE t DROP CONSTRAINT t_positive;"
        "ALTER TABLE t ADD CONSTRAINT t_positive CHECK (a > 0) NOT VALID"
    )
    assert set(classes(*applied).values()) == {"unfinished"}
    assert len(classes(*applied)) == 2


def test_what_a_failed_run_did_not_reach_is_unfinished(
    applied: tuple[object, ...], folder: Path, database: Database
) -> None:
    database.run("INSERT INTO t VALUES (5, 'x')")
    declare(folder, DECLARED.replace("a > 0", "a > 9"))
    options = (*applied, "--yes", "--no-questions")
    assert run("apply", *options, "--allow", "all").exit_code == 1
    found = objects(*applied)
    assert {o["class"] for o in found} == {"unfinished"}
    assert {o["last_run"]["status"] for o in found} == {"failed"}


def test_a_run_that_was_killed_and_one_at_work_are_told_apart(
    applied: tuple[object, ...], database: Database
) -> None:
    """The journal of a run that broke off before it had made an index."""
    database.run(
        "DROP INDEX t_b; UPDATE reconcile.run SET status = 'running', finished_at = NULL;"
        "UPDATE reconcile.touched SET after = NULL WHERE identity = 'index public.t_b'"
    )
    assert classes(*applied) == {"index public.t_b": "unfinished"}
    assert objects(*applied)[0]["last_run"]["status"] == "interrupted"
    with sole_applier(database.url, LockPolicy()):
        database.run("UPDATE reconcile.run SET started_at = clock_timestamp()")
        shown = run("drift", *applied)
        assert "note: run 1 is at work on what differs" in shown.stdout


def test_without_a_journal_the_comparison_has_two_sides(database: Database, folder: Path) -> None:
    options = ("--target", database.url, *declare(folder))
    assert run("apply", *options, "--yes", "--no-journal").exit_code == 0
    database.run("COMMENT ON COLUMN t.a IS 'hand'; DROP INDEX t_b; CREATE POLICY q ON t")
    assert classes(*options) == {
        "column public.t.a": "different",
        "index public.t_b": "missing",
        "policy q on public.t": "unmanaged",
    }
    shown = run("drift", *options).stdout
    assert shown.count("which side of a difference has moved is not known") == 1


@pytest.mark.parametrize(
    ("change", "concerned"),
    [
        ("ALTER TABLE t DISABLE ROW LEVEL SECURITY", "table public.t"),
        ("ALTER TABLE t FORCE ROW LEVEL SECURITY", "table public.t"),
        ("GRANT SELECT ON t TO PUBLIC", "table public.t"),
        ("ALTER POLICY p ON t USING (true)", "policy p on public.t"),
        ("DROP POLICY p ON t", "policy p on public.t"),
        ("CREATE POLICY q ON t", "policy q on public.t"),
        (
            "CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql SECURITY DEFINER"
            " SET search_path = '' AS 'SELECT 2'",
            "function public.f()",
        ),
        ("ALTER FUNCTION f() SECURITY INVOKER", "function public.f()"),
        ("GRANT EXECUTE ON FUNCTION f() TO pg_read_all_data", "function public.f()"),
        ("ALTER FUNCTION f() OWNER TO pg_monitor", "function public.f()"),
    ],
)
def test_what_decides_who_may_do_what_comes_first(
    change: str, concerned: str, database: Database, folder: Path
) -> None:
    declared = DECLARED.replace(
        "row_level_security: true",
        "row_level_security: true\n    force_row_level_security: false\n    grants: {public: []}",
    ).replace(
        "security: definer",
        f"owner: {owner(database)}\n    security: definer",
    )
    options = ("--target", database.url, *declare(folder, declared))
    assert run("apply", *options, "--yes", "--allow", "all").exit_code == 0
    database.run(f"{change}; COMMENT ON COLUMN t.a IS 'hand'")
    first, second = objects(*options)
    assert f"{first['kind']} {first['identity']}" == concerned
    assert (first["security"], second["security"]) == (True, False)


def owner(database: Database) -> object:
    return database.value("SELECT current_user")


def test_what_a_run_left_undone_is_told_from_what_it_did(
    applied: tuple[object, ...], folder: Path, database: Database
) -> None:
    database.run("INSERT INTO t VALUES (5, 'x')")
    changed = DECLARED.replace("a > 0", "a > 9").replace("comment: one", "comment: uno")
    declare(folder, changed)
    options = (*applied, "--yes", "--no-questions", "--allow", "all")
    assert run("apply", *options).exit_code == 1
    declare(folder, changed.replace("comment: uno", "comment: eins"))
    assert classes(*applied) == {
        "constraint t_positive on public.t": "unfinished",
        "column public.t.a": "pending",
    }


@pytest.mark.parametrize(
    ("before", "by", "missing"),
    [
        (
            "CREATE TABLE t (a int); CREATE INDEX i ON t (a)",
            "ALTER TABLE t RENAME TO t2",
            {"table public.t", "column public.t.a", "index public.i"},
        ),
        (
            "CREATE VIEW i AS SELECT 1 AS a",
            "DROP VIEW i; CREATE TABLE i (a int)",
            {"view public.i"},
        ),
    ],
)
def test_what_lost_its_name_to_another_is_missing(
    before: str, by: str, missing: set[str], database: Database, folder: Path
) -> None:
    """Nobody runs a plan: a name that is taken hides no other difference."""
    database.run(f"{before}; CREATE TABLE other (n int)")
    assert run("export", "--target", database.url, "--out", folder / "state").exit_code == 0
    database.run(f"{by}; ALTER TABLE other ALTER n TYPE bigint")
    options = ("--target", database.url, "--state", folder / "state")
    found = run("drift", *options, "--format", "json")
    assert found.exit_code == 2, found.output
    drift = json.loads(found.stdout)["drift"]
    assert {f"{d['kind']} {d['identity']}" for d in drift} == missing | {"column public.other.n"}
    verified = run("verify", *options)
    assert verified.exit_code == 2, verified.output
    planned = run("plan", *options)
    assert planned.exit_code == 1
    assert "the name public.i is taken by" in planned.stderr
    if "t2" in by:
        assert "declare t2 with `renamed_from: t` in its place" in planned.stderr


def test_nothing_is_printed_where_nothing_differs(
    applied: tuple[object, ...], database: Database
) -> None:
    for more in ((), ("--no-cache",), ("--format", "json"), ("--format", "prometheus")):
        for _ in range(2):  # the second time from memory
            quiet = run("drift", *applied, "--quiet", *more)
            assert (quiet.exit_code, quiet.output) == (0, ""), more
    assert "no drift" in run("drift", *applied).stdout
    database.run("DROP INDEX t_b")
    quiet = run("drift", *applied, "--quiet")
    assert (quiet.exit_code, quiet.output) == (2, run("drift", *applied).output)


def test_every_format_names_what_differs(
    applied: tuple[object, ...], database: Database, folder: Path
) -> None:
    database.run("COMMENT ON COLUMN t.a IS 'hand'; ALTER POLICY p ON t USING (a > 2)")
    shown = {
        name: run("drift", *applied, "--format", name).stdout
        for name in ("text", "json", "markdown", "junit", "prometheus", "github")
    }
    for name in ("text", "json", "markdown", "junit", "github"):
        assert "public.t.a" in shown[name], name
        assert "hand" in shown[name], name
    assert "2 of 8 objects differ: 2 drifted; 1 about security" in shown["text"]
    suite = ET.fromstring(shown["junit"])  # noqa: S314 - our own
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("3", "3", "0")
    assert re.search(
        r'^reconcile_drift_objects\{target="[^"]*",class="drifted"\} 2$',
        shown["prometheus"],
        re.MULTILINE,
    )
    assert shown["prometheus"].count("class=") == len(CLASSES)
    line = 1 + DECLARED[: DECLARED.index("using: a > 1")].count("\n")
    assert re.search(rf"^::error file=state/all.yml,line={line},", shown["github"], re.MULTILINE)
