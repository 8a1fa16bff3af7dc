"""Deploy, verify and roll back the conversations example with nothing but its runbook."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.conftest import ROOT, Database, starting_point
from tests.fork_server import program
from tests.test_safety import declare, reconcile

START = "CREATE TABLE public.t (id int, n int)"
DECLARED = "tables: {t: {columns: {m: int}, indexes: {t_id: id}}}"


SHELL = re.compile(r"^ *```sh\n *([^\n]+)\n *```\n(.*?)(?=^ *```sh|\Z)", re.MULTILINE | re.DOTALL)


class Command(NamedTuple):
    """A command of a runbook: the section, what sh runs, and the exit statuses to expect."""

    section: str
    line: str
    statuses: set[int]


def commands(runbook: str) -> Iterator[Command]:
    """Yield what a person reads who follows the runbook word by word."""
    for section in re.split(r"^## ", runbook, flags=re.MULTILINE)[1:]:
        title = section.split("\n", 1)[0]
        for found in SHELL.finditer(section):
            expected = re.search(r"Expected: exit status (\d)(?:; with (\d))?", found[2])
            statuses = {int(s) for s in expected.groups() if s} if expected else {0}
            yield Command(title, found[1], statuses)


def run(command: Command, database: Database, folder: Path) -> str:
    """Run a command in sh, in a folder of its own, and compare the exit status."""
    path = os.pathsep.join([str(program().parent), str(database.tools), os.environ["PATH"]])
    done = subprocess.run(
        ["sh", "-c", command.line],
        cwd=folder,
        env={**os.environ, "PATH": path, "DATABASE_URL": database.url, "RUN": "1"},
        text=True,
        capture_output=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode in command.statuses, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty folder, the current one, with the example's declaration."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "desired_state").symlink_to(ROOT / "desired_state")
    return tmp_path


def test_the_runbook_alone_leads_there_and_back(
    new_database: Callable[..., Database], place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = new_database(starting_point(1))
    start = database.dump()
    monkeypatch.setenv("DATABASE_URL", database.url)
    done = reconcile("report", "--state", "desired_state", "--measure", "lint", "--out-dir", "out")
    assert done.exit_code == 0, done.output
    assert {p.name for p in (place / "out").iterdir()} == {
        *("plan.json", "report.md", "report.html", "runbook.md", "runbook.html")
    }
    runbook = place / "out" / "runbook.md"
    assert "- [x]" not in runbook.read_text()
    found = list(commands(runbook.read_text()))
    assert [c.section for c in found if c.section != "Watch"] == [
        *("1. Before", "2. Apply", *["3. After"] * 4, "Rollback", "Rollback")
    ]

    for command in found:
        if command.section != "Rollback":
            run(command, database, place)
    ticked = runbook.read_text()
    assert "- [x] Apply the 80 steps. Ticked by `run 1: done, 80 of 80 steps" in ticked
    assert re.search(
        r"- \[x\] Compare the structure.*reconcile verify, run for this report", ticked
    )
    report = (place / "out" / "report.md").read_text()
    assert "- Checks: 16 of 16 passed." in report
    assert "run 1 of the journal in schema reconcile" in report
    assert "- Problems: 0. Source: `reconcile lint, run for this report" in report

    for command in found:
        if command.section == "Rollback":
            run(command, database, place)
    assert database.dump() == start
    tick = next(c for c in found if " report " in c.line)
    run(tick, database, place)
    assert "- [x] Roll back. Ticked by `run 2: done`." in runbook.read_text()


@pytest.fixture
def small(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Database:
    """Return a database of one table, with a declaration in the current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", database.url)
    database.run(START)
    declare(tmp_path, DECLARED)
    return database


def test_a_runbook_without_a_saved_plan_saves_it_first(small: Database, tmp_path: Path) -> None:
    done = reconcile("report", "--state", "state.yml", "--kind", "runbook")
    found = list(commands(done.stdout))
    assert found[0].line.startswith("reconcile plan ")
    for command in found:
        if command.section in {"1. Before", "2. Apply", "Rollback"}:
            run(command, small, tmp_path)
    assert small.value("SELECT count(*) FROM reconcile.run WHERE status = 'done'") == 2


def test_commands_repeat_the_options_but_no_password(small: Database, tmp_path: Path) -> None:
    (tmp_path / "lint.json").write_text('{"version": 1, "findings": [], "accepted": []}')
    target = f"{small.url} password=secret"
    options = ("--state", "state.yml", "--target", target, "--set", "role=postgres")
    more = ("--journal", "noted", "--lint", "lint.json", "--scratch", "embedded")
    done = reconcile("report", *options, *more, "--kind", "runbook")
    assert done.exit_code == 0, done.output
    assert "secret" not in done.output
    for command in commands(done.stdout):
        if command.section != "Watch":
            assert '--target "$DATABASE_URL" --set role=postgres' in command.line
        if command.section in {"1. Before", "2. Apply", "Rollback"}:
            assert "--scratch embedded" in command.line
            run(command, small, tmp_path)
    assert small.value("SELECT count(*) FROM noted.run WHERE status = 'done'") == 2
    hidden = reconcile("report", *options, "--scratch", target, "--kind", "runbook")
    assert "--scratch" not in hidden.output and "secret" not in hidden.output


def test_a_saved_plan_needs_no_server(
    small: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reconcile("plan", "--state", "state.yml", "--format", "json", "--out", "plan.json")
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    for format_name in ("markdown", "html"):
        done = reconcile("report", "plan.json", "--format", format_name)
        assert done.exit_code == 0, done.output
        assert "index public.t_id" in re.sub("<[^>]*>", "", done.stdout)


def test_a_run_is_reported_with_its_plan(small: Database) -> None:
    reconcile("apply", "--state", "state.yml", "--yes")
    done = reconcile("report", "--run", "1")
    assert done.exit_code == 0, done.output
    assert "run 1 of the journal" in done.stdout
    assert reconcile("report", "--run", "9").exit_code == 1


@pytest.mark.parametrize("kind", ["report", "runbook"])
@pytest.mark.parametrize("format_name", ["html", "markdown"])
def test_one_step_is_not_in_several_commits(
    small: Database, tmp_path: Path, kind: str, format_name: str
) -> None:
    declare(tmp_path, "tables: {t: {comment: c}}")
    options = ("--state", "state.yml", "--kind", kind, "--format", format_name)
    shown = reconcile("report", *options).stdout
    assert "in 1 commit" in shown
    assert not re.search(r"\b1 (commits|steps)\b", shown)


def test_what_a_plan_without_differences_says(small: Database) -> None:
    reconcile("apply", "--state", "state.yml", "--yes")
    assert "nothing to do" in reconcile("report", "--state", "state.yml").stdout


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("nonsense", "not what `reconcile bench --format json` prints: Invalid JSON"),
        ('{"version": 1, "in_sync": true, "checks": []}', "server: Field required"),
        ('{"version": 2}', "version: Input should be 1"),
    ],
)
def test_a_document_of_another_kind_is_refused(
    small: Database, tmp_path: Path, content: str, message: str
) -> None:
    (tmp_path / "bench.json").write_text(content)
    done = reconcile("report", "--state", "state.yml", "--bench", "bench.json")
    assert done.exit_code == 1
    assert message in " ".join(done.output.split())


@pytest.mark.parametrize("command", ["lint", "verify", "bench"])
def test_a_plan_is_no_measurement(small: Database, tmp_path: Path, command: str) -> None:
    reconcile("plan", "--state", "state.yml", "--format", "json", "--out", "plan.json")
    done = reconcile("report", "plan.json", f"--{command}", "plan.json")
    assert done.exit_code == 1
    assert f"not what `reconcile {command}" in done.output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("plan.json", "--run", "1"), "each name a plan"),
        (("--out", "a", "--out-dir", "b"), "give one of them"),
        (("--measure", "lint", "--lint", "plan.json"), "--lint and --measure lint"),
    ],
)
def test_options_that_contradict_each_other_are_refused(
    small: Database, tmp_path: Path, options: tuple[str, ...], message: str
) -> None:
    reconcile("plan", "--state", "state.yml", "--format", "json", "--out", "plan.json")
    done = reconcile("report", "--state", "state.yml", *options)
    assert done.exit_code == 1
    assert message in done.output


def test_a_rollback_that_is_repeated_does_not_apply_the_plan_again(
    small: Database, tmp_path: Path
) -> None:
    reconcile("report", "--state", "state.yml", "--out-dir", "out")
    found = list(commands((tmp_path / "out" / "runbook.md").read_text()))
    back = [c for c in found if c.section == "Rollback"][-1]
    start = small.dump()
    for command in found:
        if command.section == "2. Apply":
            run(command, small, tmp_path)
    run(back, small, tmp_path)
    run(back._replace(statuses={1}), small, tmp_path)
    assert small.dump() == start
    without = subprocess.run(["sh", "-c", back.line], capture_output=True, text=True, check=False)
    assert without.returncode != 0 and "the number of the run" in without.stderr


def test_a_report_says_why_it_knows_of_no_run(small: Database, tmp_path: Path) -> None:
    options = ("--state", "state.yml", "--out-dir", "out")
    reconcile("report", *options)
    report = tmp_path / "out" / "report.md"
    assert "- Applied: the plan was made for this report" in report.read_text()
    reconcile("report", "out/plan.json", "--out-dir", "out")
    assert "- Applied: not looked for: --target names" in report.read_text()
    reconcile("report", "out/plan.json", "--target", small.url, "--out-dir", "out")
    assert "- Applied: no run of this plan was found in the journal" in report.read_text()


def test_a_plan_that_lint_found_clean_says_so(small: Database, tmp_path: Path) -> None:
    declare(tmp_path, "tables: {t: {columns: {m: int}}}")
    reconcile("report", "--state", "state.yml", "--out-dir", "out")
    report, saved = tmp_path / "out" / "report.md", tmp_path / "out" / "plan.json"
    assert "- Problems: 0. Source: `reconcile plan, run for this report" in report.read_text()
    assert '"linted": true' in saved.read_text()
    document = json.loads(saved.read_text())
    del document["linted"]  # as versions before have saved it
    saved.write_text(json.dumps(document))
    assert reconcile("report", "out/plan.json", "--out-dir", "out").exit_code == 0
    assert "- Problems: not measured" in report.read_text()
