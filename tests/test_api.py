"""Test the Python API: its doctests, its errors, and what importing it costs."""

from __future__ import annotations

import doctest
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import reconciler
from reconciler import api
from tests.conftest import ROOT, Database

SLOW = ("psycopg", "pydantic", "yaml", "rich", "deepdiff", "click", "importlib.metadata")
NOTES = "tables:\n  notes:\n    columns:\n      id: {type: bigint}\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Go to a folder with declared notes."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "desired_state").mkdir()
    (tmp_path / "desired_state" / "notes.yml").write_text(NOTES)
    return tmp_path


def state(folder: Path, text: str) -> reconciler.Declaration:
    """Declare a text."""
    file = folder / "state.yml"
    file.write_text(text)
    return reconciler.load(file)


def modules_after(script: str) -> set[str]:
    """Run a script in a process of its own; return the slow modules that were imported."""
    end = f"\nimport sys; print(*(m for m in {SLOW!r} if m in sys.modules))"
    command = [sys.executable, "-c", script + end]
    done = subprocess.run(command, text=True, capture_output=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


def test_doctests_of_the_api_hold_in_their_order(folder: Path, database: Database) -> None:
    names = {"reconciler": reconciler, "url": database.url}
    found = doctest.DocTestFinder().find(api, globs={})
    examples = [each for each in found if each.examples]
    # in the order of the file: each continues where the one above has ended
    examples.sort(key=lambda test: test.lineno or 0)
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    for test in examples:
        test.globs = names
        runner.run(test, clear_globs=False)
    assert {t.name.removeprefix("reconciler.api.") for t in examples} >= {
        "load",
        *(f"Database.{n}" for n in ("plan", "apply", "drift", "verify", "export")),
    }
    assert runner.summarize(verbose=False).failed == 0


def test_examples_of_the_documentation_hold(folder: Path, database: Database) -> None:
    document = str(ROOT / "docs" / "python.md")
    names = {"url": database.url}
    done = doctest.testfile(document, module_relative=False, globs=names, encoding="utf-8")
    assert done.attempted >= 12
    assert done.failed == 0


def test_every_name_is_found_and_none_is_a_subpackage() -> None:
    for name in reconciler.__all__:
        assert not isinstance(getattr(reconciler, name), ModuleType), name
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = getattr(reconciler, "nonsense")  # noqa: B009 - the checker knows that there is none


def test_import_costs_nothing_until_a_name_is_used() -> None:
    assert modules_after("import reconciler, reconciler.errors") == set()
    assert {"psycopg", "pydantic"} <= modules_after("import reconciler; reconciler.Database")


def test_hazard_is_refused_until_allowed(folder: Path, database: Database) -> None:
    database.run("CREATE TABLE notes (id bigint, old text)")
    declared = state(folder, "tables:\n  notes: {columns: {old: {state: absent}}}\n")
    target = reconciler.Database(database.url)
    with pytest.raises(reconciler.PlanRefused, match="data-loss"):
        target.apply(declared)
    assert target.apply(declared, allow=["data-loss"]).changed == 1


def test_plan_is_refused_where_the_database_has_moved(folder: Path, database: Database) -> None:
    target = reconciler.Database(database.url)
    plan = target.plan(reconciler.load())
    database.run("CREATE TABLE notes (id int)")
    with pytest.raises(reconciler.PlanRefused):
        target.apply(plan)


def test_failed_step_raises_with_the_outcome(folder: Path, database: Database) -> None:
    database.run(
        """CREATE TABLE notes (id bigint);
        CREATE FUNCTION refuse() RETURNS event_trigger LANGUAGE plpgsql AS $$BEGIN
        IF EXISTS (SELECT FROM pg_event_trigger_ddl_commands()
                   WHERE object_identity LIKE 'public.notes%')
        THEN RAISE 'no columns today'; END IF; END$$;
        CREATE EVENT TRIGGER refuse ON ddl_command_end EXECUTE FUNCTION refuse()"""
    )
    declared = state(folder, "tables: {notes: {columns: {id: {type: bigint}, more: {type: int}}}}")
    target = reconciler.Database(database.url)
    events: list[reconciler.Event] = []
    with pytest.raises(reconciler.RunFailed, match="no columns today") as raised:
        target.apply(declared, on_event=events.append)
    assert raised.value.outcome.failed == 1
    assert [e.message for e in events if e.status == "failed"] != []


def test_checks_after_a_run_decide(folder: Path, database: Database) -> None:
    declared = state(
        folder,
        NOTES + "checks:\n  has notes:\n    apply: after\n"
        "    query: SELECT count(*) FROM public.notes\n    equals: 1\n",
    )
    target = reconciler.Database(database.url)
    with pytest.raises(reconciler.RunFailed, match="has notes") as raised:
        target.apply(declared)
    assert raised.value.outcome.changed == 2
    assert [c.passed for c in raised.value.checks] == [False]


def test_events_are_lines_for_people(folder: Path, database: Database) -> None:
    lines: list[str] = []
    reconciler.Database(database.url).apply(
        reconciler.load(), on_event=lambda event: lines.append(str(event))
    )
    assert lines[0].endswith("create table public.notes: started")
    assert lines[-1].endswith("create table public.notes: done")
