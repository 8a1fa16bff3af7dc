"""`--log-format json`: each line of stderr is an entry, of notes, errors and the progress."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from reconciler.apply.backfill import Progress
from reconciler.apply.outcome import StepOutcome
from reconciler.cli import main
from reconciler.cli.output import LOG_VARIABLE
from reconciler.escape import Document
from reconciler.report import log
from tests.conftest import Database
from tests.test_escape import STEP

Entry = dict[str, Any]
Run = Callable[..., tuple[int, list[Entry], str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Return a function that runs a command, and returns its status, the entries and stdout."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(LOG_VARIABLE, "text")

    def run_command(*arguments: str) -> tuple[int, list[Entry], str]:
        with pytest.raises(SystemExit) as end:
            main([*arguments])
        shown = capsys.readouterr()
        entries = [json.loads(line) for line in shown.err.splitlines()]
        for each in entries:
            assert datetime.fromisoformat(each["time"]).tzinfo is not None
            assert each["level"] in ("info", "note", "error")
        assert isinstance(end.value.code, int)
        return end.value.code, entries, shown.out

    return run_command


def test_a_run_is_told_as_entries(run: Run, database: Database) -> None:
    Path("s.yml").write_text("{schema: public, tables: {t: {columns: {id: integer}}}}")
    arguments = ("apply", "--log-format", "json", "-t", database.url, "-s", "s.yml", "--yes", "-v")
    status, entries, recap = run(*arguments)
    assert status == 0
    assert "changed=2" in recap
    assert [e.get("event") for e in entries] == ["report", "started", "ended"]
    started, ended = entries[1:]
    assert started["step"] == {"id": "1", "action": "create", "kind": "table", "name": "public.t"}
    assert started["sql"].startswith("CREATE TABLE")
    assert (ended["status"], ended["attempts"], ended["level"]) == ("done", 1, "info")
    assert 0 <= ended["seconds"] < 60
    quiet = (*arguments[:-1], "-q")
    database.run("DROP TABLE t")
    assert run(*quiet)[:2] == (0, [])


def test_errors_and_notes_are_entries_too(run: Run, database: Database) -> None:
    Path("s.yml").write_text("tables: {t: {columms: {}}}")
    status, entries, _ = run("--log-format=json", "validate", "-s", "s.yml")
    assert status == 1
    assert [e["level"] for e in entries] == ["error"]
    assert "s.yml:1:" in entries[0]["message"]
    assert "did you mean 'columns'?" in entries[0]["message"]
    database.run("CREATE CONVERSION c FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8")
    database.run("CREATE TABLE schema_migrations (version text)")
    status, entries, _ = run("--log-format=json", "export", "-t", database.url, "--out", "out")
    assert status == 0
    assert [e["level"] for e in entries] == ["note"]
    assert "public.schema_migrations" in entries[0]["message"]
    status, entries, _ = run("plan", "--log-format", "json", "--no-such-option")
    assert status == 1
    assert "No such option" in entries[0]["message"]


def test_the_variable_is_the_option_and_other_formats_are_refused(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(LOG_VARIABLE, "json")
    status, entries, _ = run("validate", "-s", "nowhere")
    assert (status, entries[0]["level"]) == (1, "error")
    monkeypatch.setenv(LOG_VARIABLE, "xml")
    with pytest.raises(SystemExit) as end:
        main(["validate"])
    assert end.value.code == 1
    assert "--log-format xml: expected text or json" in capsys.readouterr().err


def test_progress_has_numbers_and_comes_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    entries: list[Entry] = []

    def keep(entry: Document) -> None:
        assert entry.count("\n") == 1
        entries.append(json.loads(entry))

    watcher = log.Entries(keep)
    watcher.started(STEP)
    watcher.progress(STEP, Progress(1, 100, "rows"))  # at once after the beginning
    monkeypatch.setattr(log, "REPORT_INTERVAL", 0.0)
    watcher.progress(STEP, Progress(50, 100, "rows", 10.04, 5.02, "standby lags"))
    watcher.notice("two\nlines\n::error::x")
    watcher.ended(StepOutcome(STEP, "failed", 1.23456, 2, "no such thing"))
    started, progress, notice, ended = entries
    assert started["event"] == "started"
    assert "sql" not in started
    numbers = {key: progress[key] for key in ("done", "total", "unit", "rate", "left", "message")}
    assert [*numbers.values()] == [50, 100, "rows", 10.0, 5.0, "standby lags"]
    assert notice["message"] == "two\nlines\n::error::x"
    assert (ended["level"], ended["seconds"], ended["attempts"]) == ("error", 1.235, 2)
    assert ended["message"] == "no such thing"
