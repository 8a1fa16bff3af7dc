"""Test whose runs are undone where targets, schemas of one database, share its journal."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from click.testing import Result

from reconciler.journal.run_target import RunTarget, is_of
from tests.conftest import Database
from tests.test_three_way import declare, folder, run

__all__ = ["folder"]

TENANTS = ("t1", "t2", "t3")
BEFORE = """
variables: [tenant]
schema: ${tenant}
schemas: {"${tenant}": {}}
tables: {orders: {columns: {id: int}}}
"""
AFTER = BEFORE.replace("{id: int}", "{id: int, total: int}")
ALL = ("--limit", "t1,t2,t3")
YES = ("--yes", "--allow", "all")
FORGET = "ALTER TABLE reconcile.run DROP COLUMN target, DROP COLUMN variables"


def settings(folder: Path, targets: Mapping[str, str], more: str = "") -> None:
    """Write reconcile.yml with targets of one database, each with a value of `tenant`."""
    lines = [
        f"  {name}: {{url: '${{RECONCILE_SHOP_URL}}'"
        + (f", vars: {{tenant: {tenant}}}}}" if tenant else "}")
        for name, tenant in targets.items()
    ]
    (folder / "reconcile.yml").write_text("\n".join(["state: state", more, "targets:", *lines]))


@pytest.fixture
def tenants(database: Database, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Database:
    """Return a database with three tenants: runs 1 to 3 made the tables, 4 to 6 added a column."""
    monkeypatch.setenv("RECONCILE_SHOP_URL", database.url)
    settings(folder, {name: name for name in TENANTS})
    for declared, rollout in ((BEFORE, "R6"), (AFTER, "R7")):
        declare(folder, declared)
        done = run("apply", *ALL, "--yes", "--forks", "1", "--rollout", rollout)
        assert done.exit_code == 0, done.output
    return database


def with_total(database: Database) -> list[str]:
    """Return the schemas whose table has the column `total`."""
    query = "SELECT table_schema FROM information_schema.columns WHERE column_name = 'total'"
    return sorted(str(schema) for (schema,) in database.rows(query))


def undone(*options: str) -> Result:
    done = run("rollback", *options, *YES)
    assert done.exit_code == 0, done.output
    return done


@pytest.mark.parametrize("options", [("--rollout", "R7", "--target", "t1"), ("-t", "t1")])
def test_a_rollback_takes_the_runs_of_its_target(tenants: Database, options: list[str]) -> None:
    undone(*options)
    assert with_total(tenants) == ["t2", "t3"]


def test_a_roll_out_is_undone_on_each_under_its_name(tenants: Database) -> None:
    done = undone(*ALL, "--rollout", "R7", "--forks", "1")
    assert with_total(tenants) == []
    query = "SELECT target, rollback_of FROM reconcile.run WHERE id > 6 ORDER BY id"
    assert tenants.rows(query) == [("t1", 4), ("t2", 5), ("t3", 6)]
    assert done.stdout.count(" changed ") == 3
    again = undone(*ALL, "--rollout", "R7", "--forks", "1")
    assert again.stdout.count("records no run of roll-out R7 for target t1") == 1
    undone("--limit", "t2")  # the last roll-out of t2 that was not undone
    schemas = "SELECT nspname::text FROM pg_namespace WHERE nspname ~ '^t' ORDER BY 1"
    assert tenants.rows(schemas) == [("t1",), ("t3",)]


def test_history_tells_whose_each_run_is(tenants: Database) -> None:
    lines = [line.split() for line in run("history", "-t", "t2").stdout.splitlines()]
    assert [next(word for word in line if word in TENANTS) for line in lines[1:]] == [
        *reversed(TENANTS),
        *reversed(TENANTS),
    ]
    assert "for target t3 with tenant=t3" in run("history", "-t", "t2", "6").stdout


def test_a_renamed_target_keeps_its_runs(tenants: Database, folder: Path) -> None:
    settings(folder, {"first": "t1", "t2": "t2", "t3": "t3"})
    undone("-t", "first")
    assert with_total(tenants) == ["t2", "t3"]


def test_other_values_under_the_same_name_are_refused(tenants: Database, folder: Path) -> None:
    settings(folder, {"t3": "t1", "t2": "t2"})
    done = run("rollback", "-t", "t3", *YES)
    assert done.exit_code == 1
    assert "run 6 was made for target t3 with tenant=t3, not for target t3 with tenant=t1" in (
        done.stderr
    )
    assert "reconcile rollback 6 --target t3" in done.stderr
    assert with_total(tenants) == ["t1", "t2", "t3"]
    done = run("rollback", "--limit", "t3,t2", "--rollout", "R7", *YES)
    assert done.exit_code == 1
    assert "run 6 was made for target t3 with tenant=t3" in done.stdout
    given = undone("6", "-t", "t2")
    assert "run 6 was made for target t3 with tenant=t3" in given.stderr
    assert with_total(tenants) == ["t1", "t2"]


def test_a_target_without_runs_gets_those_of_no_other(tenants: Database, folder: Path) -> None:
    settings(folder, {"t4": "t4"})
    done = run("rollback", "-t", "t4", *YES)
    assert done.exit_code == 1
    assert "records no run for target t4 with tenant=t4 that changed something" in done.stderr
    assert "run 6 was made for target t3 with tenant=t3" in done.stderr
    by_url = run("rollback", "-t", tenants.url, *YES)
    assert by_url.exit_code == 1
    assert "run 6 was made for target t3" in by_url.stderr
    assert with_total(tenants) == ["t1", "t2", "t3"]


def test_runs_of_an_earlier_version_need_their_number(tenants: Database, folder: Path) -> None:
    tenants.run(FORGET)
    for options in (("-t", "t1"), ("-t", "t1", "--rollout", "R7"), ("--all",)):
        done = run("rollback", *options, *YES)
        assert done.exit_code == 1, options
        assert "reconcile rollback 6 --target t1" in done.output, options
    assert run("history", "-t", "t1").exit_code == 0
    undone("4", "-t", "t1")
    assert with_total(tenants) == ["t2", "t3"]
    declare(folder, AFTER)
    assert run("apply", "-t", "t1", "--yes").exit_code == 0
    undone("-t", "t1")
    assert with_total(tenants) == ["t2", "t3"]


def test_targets_without_variables_share_their_runs(
    database: Database, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECONCILE_SHOP_URL", database.url)
    settings(folder, {"one": ""})
    for number, options in enumerate(
        [("-t", "one"), ("-t", database.url), ("-t", "renamed"), ("-t", "old")]
    ):
        declare(folder, f"tables: {{t{number}: {{columns: {{a: int}}}}}}")
        settings(folder, {"one": ""})
        assert run("apply", "-t", "one", "--yes").exit_code == 0
        settings(folder, {"renamed": "", "old": ""})
        if options == ("-t", "old"):
            database.run(FORGET)
        if options == ("-t", "one"):
            settings(folder, {"one": ""})
        undone(*options)
        assert database.value(f"SELECT to_regclass('t{number}') IS NULL")


def test_variables_of_a_run_are_given_as_they_were(tenants: Database) -> None:
    tenants.run("ALTER TABLE t1.orders DROP total; ALTER TABLE t3.orders DROP total")
    for tenant in ("t1", "t3"):
        by_url = ("-t", tenants.url, "--yes", "--var", f"tenant={tenant}")
        assert run("apply", *by_url).exit_code == 0
    assert "run 8 was made for a target without a name with tenant=t3" in (
        run("rollback", "-t", tenants.url, *YES).stderr
    )
    undone("-t", tenants.url, "--var", "tenant=t1")
    assert with_total(tenants) == ["t2", "t3"]
    assert "tenant=t3" in run("history", "-t", tenants.url).stdout


def test_a_run_without_variables_belongs_to_no_other_tenant(
    tenants: Database, folder: Path
) -> None:
    declare(folder, "tables: {public.shared: {columns: {a: int}}}")
    assert run("apply", "-t", "t1", "--yes").exit_code == 0
    done = run("rollback", "-t", "t2", *YES)
    assert done.exit_code == 1
    assert "run 7 was made for target t1, not for target t2" in done.stderr
    undone("-t", "t1")
    assert tenants.value("SELECT to_regclass('public.shared') IS NULL")


@pytest.mark.parametrize(
    ("made", "target", "expected"),
    [
        (RunTarget("a", {"x": 1}), RunTarget("a", {"x": 1, "y": 2}), True),
        (RunTarget("a", {"x": 1}), RunTarget("b", {"x": 1}), True),
        (RunTarget("a", {"x": 1}), RunTarget("a", {"x": True}), None),
        (RunTarget("a", {"x": 1}), RunTarget("b", {"x": 2}), False),
        (RunTarget("a", {"x": 1}), RunTarget("b"), False),
        (RunTarget("a", {"x": 1}), RunTarget(), None),
        (RunTarget("", {"x": 1}), RunTarget("", {"x": 2}), False),
        (RunTarget("", {"x": 1}), RunTarget(), None),
        (RunTarget("a"), RunTarget("", {"x": 1}), True),
        (RunTarget("a"), RunTarget("b", {"x": 1}), None),
        (RunTarget("a"), RunTarget("b"), True),
        (None, RunTarget("b"), True),
        (None, RunTarget("b", {"x": 1}), None),
        (None, None, True),
    ],
)
def test_variables_and_names_decide(
    made: RunTarget | None, target: RunTarget | None, expected: bool | None
) -> None:
    assert is_of(made, target) is expected


def test_targets_of_one_database_are_applied_one_after_the_other(
    database: Database, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECONCILE_SHOP_URL", database.url)
    names = [f"t{number}" for number in range(6)]
    settings(folder, {name: name for name in names})
    declare(folder, BEFORE)
    done = run("apply", "--all", "--yes")
    assert done.exit_code == 0, done.output
    assert "ok=0 changed=6 failed=0 unreachable=0 busy=0 skipped=0" in done.stdout
    assert " busy " not in done.stderr
