"""Test the documents of one command: several formats at once, errors, a database made by SQL."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reconciler.errors import PlanRefused
from reconciler.report import github
from tests.conftest import Database
from tests.test_safety import declare, reconcile

START = "CREATE TABLE public.t (id int, n int); INSERT INTO public.t VALUES (1, 1), (1, 2);"
DECLARED = """\
tables:
  t:
    columns:
      n: {state: absent}
    constraints:
      t_id: {unique: id}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the current folder, with the declaration in state.yml."""
    monkeypatch.chdir(tmp_path)
    declare(tmp_path, DECLARED)
    return tmp_path


def test_one_plan_is_written_in_several_formats(database: Database, folder: Path) -> None:
    database.run(START)
    plan = ("plan", "--target", database.url, "--state", "state.yml")
    files = ("--format", "json", "--out", "p.json", "--format", "markdown", "--out", "p.md")
    done = reconcile(*plan, *files, "--format", "github")
    assert done.exit_code == 2, done.output
    assert json.loads((folder / "p.json").read_text())["steps"]
    assert (folder / "p.md").read_text().startswith("## reconcile")
    assert [line.split("::")[1] for line in done.stdout.splitlines()] == [
        "error file=state.yml,line=6,col=7,title=rows in the way",
        "warning file=state.yml,line=4,col=7,title=data-loss",
    ]
    too_few = reconcile(*plan, "--format", "json", "--format", "github")
    assert too_few.exit_code == 1
    assert "--format is given 2 times and --out 0 times" in too_few.output
    too_many = reconcile(*plan, "--out", "a.txt", "--out", "b.txt")
    assert (too_many.exit_code, (folder / "a.txt").exists()) == (1, False)


def test_an_error_is_a_document_in_the_formats_that_show_it(
    database: Database, folder: Path
) -> None:
    declare(folder, "tables: {t: {columns: {n: {type: in}}}, }\nviews:\n  v: SELECT '```'\n")
    plan = ("plan", "--target", database.url, "--state", "state.yml")
    files = ("--format", "json", "--out", "p.json", "--format", "markdown", "--out", "p.md")
    done = reconcile(*plan, *files, "--format", "github")
    assert done.exit_code == 1
    assert done.stdout.startswith("::error file=state.yml,line=1,col=")
    assert not (folder / "p.json").exists(), "an error is no plan"
    assert (folder / "p.md").read_text().startswith("## reconcile: an error\n\n```text\nstate.yml")
    unreachable = reconcile("plan", "--target", "host=/nowhere", *plan[3:], "--format", "github")
    assert unreachable.stdout.startswith("::error title=connection-failed::")


def test_a_plan_starts_from_a_database_that_files_of_sql_make(folder: Path) -> None:
    (folder / "start.sql").write_text("CREATE TABLE public.t (id int, n int, m int);")
    plan = ("plan", "--state", "state.yml", "--format", "json")
    done = reconcile(*plan, "--start", "start.sql")
    changed = {c["identity"] for c in json.loads(done.stdout)["changes"]}
    assert changed == {"public.t.n", "t_id on public.t"}
    declare(folder, "tables: {new: {columns: {n: int}}}")
    empty = reconcile(*plan, "--start", "/dev/null")
    assert [c["action"] for c in json.loads(empty.stdout)["changes"]] == ["create", "create"]
    both = reconcile(*plan, "--start", "/dev/null", "--target", "embedded")
    assert (both.exit_code, "name one" in both.output) == (1, True)


def test_a_database_made_by_sql_is_made_for_every_plan(folder: Path) -> None:
    """No earlier result "no difference" stands for what the file of SQL holds now."""
    plan = ("plan", "--state", "state.yml", "--start", "start.sql")
    (folder / "start.sql").write_text("CREATE TABLE public.t (id int UNIQUE);")
    declare(folder, "tables: {t: {columns: {id: int}}}")
    assert [reconcile(*plan).exit_code for _ in range(2)] == [0, 0]
    (folder / "start.sql").write_text("CREATE TABLE public.t (id bigint);")
    assert reconcile(*plan).exit_code == 2


def test_text_from_outside_ends_no_annotation() -> None:
    shown = github.error(PlanRefused("a\n::stop-commands::x\r%0A"))
    assert shown == "::error title=plan-refused::a%0A::stop-commands::x\\r%250A\n"
