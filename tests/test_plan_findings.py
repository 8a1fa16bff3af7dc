"""Test the findings of lint that `plan` shows on what it changes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from reconciler.cli import main
from tests.conftest import Database

START = """
    CREATE TABLE places (id int PRIMARY KEY, at timestamp);
    CREATE TABLE people (id int PRIMARY KEY, place int, seen timestamp);
    CREATE INDEX people_place_id ON people (place, id);
    CREATE TABLE log (line text);
"""
DECLARED = """
tables:
  people:
    columns: {born: timestamp}
    constraints: {lives: {foreign_key: [place], references: places(id)}}
    indexes: {by_place: {on: [place]}}
"""


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "desired_state").mkdir()
    file = tmp_path / "desired_state" / "people.yml"
    file.write_text(DECLARED)
    return file


def _run(command: str, database: Database, *options: str) -> Result:
    return CliRunner().invoke(main, [command, "--target", database.url, *options])


def _plan(database: Database, *options: str) -> dict[str, Any]:
    done = _run("plan", database, "--format", "json", *options)
    assert done.exit_code in (0, 2), done.output
    return json.loads(done.stdout)


def _rules(database: Database) -> set[tuple[str, str]]:
    return {(f["rule"], f["object"]) for f in _plan(database)["findings"]}


CHANGED = {
    ("index-prefix", "index public.by_place"),
    ("timestamp-without-time-zone", "column public.people.born"),
}


def test_only_what_changes_is_looked_at_beside_all_that_is_on_its_table(
    state: Path, new_database: Callable[..., Database]
) -> None:
    # people_place_id, which nobody declared, serves the foreign key and makes by_place superfluous;
    # the column `seen` and the tables `log` and `places` stay as they are
    assert _rules(new_database(START)) == CHANGED
    state.write_text("tables: {people: {comment: whoever lives here}, log: {comment: lines}}")
    assert _rules(new_database(START)) == {("table-without-primary-key", "table public.log")}


def test_every_format_for_people_and_programs_shows_findings_and_exits_as_without(
    state: Path, new_database: Callable[..., Database]
) -> None:
    del state
    database = new_database(START)
    text = _run("plan", database)
    assert "lint: 2 findings: 1 warning, 1 note on what changes" in text.stdout
    assert "warning: index public.by_place: its columns are the first of" in text.stdout
    markdown = _run("plan", database, "--format", "markdown")
    assert "Lint: 2 findings: 1 warning, 1 note" in markdown.stdout
    assert "index public.by_place: its columns are the first of" in markdown.stdout
    github = _run("plan", database, "--format", "github")
    assert (
        "::warning file=desired_state/people.yml,line=6,col=15,title=index-prefix::index"
        " public.by_place: its columns are the first of people_place_id%0ADROP INDEX"
    ) in github.stdout
    assert {text.exit_code, markdown.exit_code, github.exit_code} == {2}
    finding = _plan(database)["findings"][0]
    assert finding == {
        "rule": "index-prefix",
        "severity": "warning",
        "object": "index public.by_place",
        "message": "its columns are the first of people_place_id",
        "fix": "DROP INDEX CONCURRENTLY public.by_place;",
        "position": {"file": "desired_state/people.yml", "line": 6, "column": 15},
    }
    assert _run("apply", database, "--yes", "--allow", "all").exit_code == 0
    assert _run("plan", database).exit_code == 0
    assert _plan(database)["findings"] == []


def test_suppressions_and_settings_hold_for_plans_too(
    state: Path, new_database: Callable[..., Database]
) -> None:
    database = new_database(START)
    accepted = "{lint: {allow: {index-prefix: small, check-casts: not here}}, on: [place]}"
    state.write_text(DECLARED.replace("{on: [place]}", accepted))
    assert _rules(database) == CHANGED - {("index-prefix", "index public.by_place")}
    settings = Path("reconcile.yml")
    settings.write_text("lint: {off: {timestamp-without-time-zone: as the framework has it}}")
    assert _rules(database) == set()
    settings.write_text("lint: {severity: {timestamp-without-time-zone: error}}")
    assert [f["severity"] for f in _plan(database)["findings"]] == ["error"]
    settings.write_text("lint: {baseline: b.json}")
    plan = _plan(database)
    assert plan["findings"] == []
    assert [n for n in plan["notes"] if "there is no b.json" in n]
    known = {"rule": "timestamp-without-time-zone", "object": "column public.people.born"}
    Path("b.json").write_text(json.dumps({"version": 1, "findings": [{**known, "message": ""}]}))
    assert _rules(database) == set()


def test_a_saved_plan_with_findings_is_applied(
    state: Path, new_database: Callable[..., Database]
) -> None:
    del state
    database, saved = new_database(START), Path("plan.json")
    assert _run("plan", database, "--format", "json", "--out", str(saved)).exit_code == 2
    assert json.loads(saved.read_text())["findings"] != []
    done = _run("apply", database, str(saved), "--yes", "--allow", "all")
    assert done.exit_code == 0, done.output


def test_a_definer_that_asks_a_helper_for_the_caller_is_not_found_to_trust_its_argument(
    state: Path, new_database: Callable[..., Database]
) -> None:
    database = new_database(
        "CREATE FUNCTION whoever() RETURNS uuid LANGUAGE sql STABLE"
        " AS $$ SELECT current_setting('app.user')::uuid $$"
    )
    asking = """
functions:
  mine(p_user_id uuid):
    returns: boolean
    language: sql
    security: definer
    set: {search_path: public}
    body: SELECT p_user_id = WHOEVER
"""
    state.write_text(asking.replace("WHOEVER", "whoever()"))
    found = _rules(database)
    assert ("definer-trusts-argument", "function public.mine(uuid)") not in found
    state.write_text(asking.replace("WHOEVER", "p_user_id"))
    assert ("definer-trusts-argument", "function public.mine(uuid)") in _rules(database)
