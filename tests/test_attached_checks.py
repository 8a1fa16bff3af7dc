"""Test checks with `apply:`, which stop an apply before the first step or follow the last one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import Database, verify_options
from tests.test_conversations import reconcile
from tests.yaml_text import as_yaml

START = "CREATE TABLE t (id int PRIMARY KEY, name text); INSERT INTO t VALUES (1, 'one')"
NO_INDEX = "SELECT to_regclass('t_name') IS NULL"


def declared(folder: Path, names: int, *, indexed: bool) -> Path:
    """Write a declaration with an index to create, and a check of each moment."""
    count = {"query": "SELECT count(*) FROM t", "equals": names, "apply": "before"}
    index = {
        "all": [{"query": NO_INDEX, "equals": not indexed}],
        "apply": ["after"],
    }
    neither = {"query": "SELECT 1", "equals": 2}
    file = folder / "state.yml"
    file.write_text(
        as_yaml(
            {
                "tables": {"t": {"indexes": {"t_name": {"on": "name"}}}},
                "checks": {"the rows": count, "the index": index, "neither": neither},
            }
        )
    )
    return file


def test_a_check_before_stops_the_apply(database: Database, tmp_path: Path) -> None:
    database.run(START)
    state = declared(tmp_path, 2, indexed=True)
    target = ("--target", database.url, "--state", state)
    shown = reconcile("plan", *target)
    assert "checks before it: the rows" in shown.stdout
    assert "checks after it: the index" in shown.stdout
    markdown = reconcile("plan", *target, "--format", "markdown").stdout
    assert "Checks before it: `the rows`" in markdown
    for flag in ("--yes", "--check"):
        stopped = reconcile("apply", *target, flag, *verify_options(database))
        assert stopped.exit_code == 1
        assert "the rows (failed):\n  gave 1, 2 was expected" in stopped.output
        assert database.value(NO_INDEX)


def test_a_check_after_is_reported(database: Database, tmp_path: Path) -> None:
    database.run(START)
    target = ("--target", database.url, *verify_options(database), "--yes")
    state = declared(tmp_path, 1, indexed=False)
    done = reconcile("apply", "--state", state, *target)
    assert done.exit_code == 2, done.output
    assert "changed=1 failed=0" in done.stdout
    assert "FAILED   the index" in done.stderr
    assert "neither" not in done.output
    assert not database.value(NO_INDEX)
    again = reconcile("apply", "--state", state, *target)  # nothing to do: no check is run
    assert again.exit_code == 0, again.output


def test_a_saved_plan_brings_its_checks(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.run(START)
    monkeypatch.setenv("RECONCILE_PLAN_KEY", "k" * 32)
    state, plan = declared(tmp_path, 2, indexed=True), tmp_path / "plan.json"
    target = ("--target", database.url)
    saving = ("--format", "json", "--out", plan)
    assert reconcile("plan", *target, "--state", state, *saving).exit_code == 2
    run = ("apply", plan, *target, "--yes", *verify_options(database))
    stopped = reconcile(*run, "--state", tmp_path / "none")
    assert stopped.exit_code == 1
    assert "the rows (failed)" in stopped.output
    without = json.loads(plan.read_text()) | {"checks": []}
    plan.write_text(json.dumps(without))
    edited = reconcile(*run, "--state", tmp_path / "none")
    assert edited.exit_code == 1
    assert database.value(NO_INDEX)
    monkeypatch.delenv("RECONCILE_PLAN_KEY")
    plan.unlink()
    reconcile("plan", *target, "--state", state, *saving)
    state = declared(tmp_path, 1, indexed=True)
    other = reconcile(*run, "--state", state)
    assert "`checks` differs" in other.output
    plan.unlink()
    reconcile("plan", *target, "--state", state, *saving)
    done = reconcile(*run, "--state", state)
    assert done.exit_code == 0, done.output
    assert "ok       the index" in done.stderr


@pytest.mark.parametrize("value", ["never", "[before, never]", "{}", ""])
def test_a_moment_is_before_or_after(database: Database, tmp_path: Path, value: str) -> None:
    state = tmp_path / "state.yml"
    state.write_text(f"checks: {{c: {{query: SELECT 1, equals: 1, apply: {value}}}}}")
    refused = reconcile("plan", "--target", database.url, "--state", state)
    assert refused.exit_code == 1
    assert "apply: expected before or after, got" in refused.output
