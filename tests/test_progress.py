"""Test the progress of a run: bars that only grow, estimates that end at 0, a step's own time."""

from __future__ import annotations

import io
import time
from pathlib import Path

import pytest
from rich.console import Console

import reconciler
from reconciler.apply.backfill.progress import Meter, Progress
from reconciler.apply.outcome import StepOutcome
from reconciler.plan.step import Step
from reconciler.report import progress as module
from reconciler.report.progress import Bars, Lines
from tests.conftest import Database
from tests.test_escape import STEP

BUILD = (  # what pg_stat_progress_create_index reports during a build
    Progress(0, 0, "sessions", phase="initializing"),
    Progress(3, 3, "sessions", phase="waiting for writers before build"),
    Progress(50, 100, "blocks", phase="building index: scanning table"),
    Progress(100, 100, "blocks", phase="building index: scanning table"),
    Progress(0, 0, "sessions", phase="building index: sorting live tuples"),
    Progress(1, 9000, "tuples", phase="building index: loading tuples in tree"),
    Progress(0, 2, "sessions", phase="waiting for writers before validation"),
    Progress(1, 40, "blocks", phase="index validation: scanning index"),
    Progress(0, 100, "blocks", phase="index validation: scanning table"),
    Progress(100, 100, "blocks", phase="index validation: scanning table"),
    Progress(0, 1, "sessions", phase="waiting for old snapshots"),
)


def test_bar_of_an_index_never_moves_backwards() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=200)
    shares: list[float] = []
    with Bars(console) as bars:
        bars.started(STEP)
        for each in BUILD:
            bars.progress(STEP, each)
            shares.append(bars._bars.tasks[0].completed)  # pyright: ignore[reportPrivateUsage]
        bars.ended(StepOutcome(STEP, "done", 1.5))
    assert shares == sorted(shares)
    assert shares[3] < shares[5] < shares[-1] == 1.0
    assert isinstance(console.file, io.StringIO)
    assert "(1.50 s)" in console.file.getvalue()


def test_lines_name_the_phase_and_count_only_what_is_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "REPORT_INTERVAL", 0.0)
    lines: list[str] = []
    shown = Lines(lines.append)
    for each in (BUILD[0], BUILD[2]):
        shown.progress(STEP, each)
    assert lines[0].endswith(": initializing")
    assert lines[1].endswith(": building index: scanning table, 50 of 100 blocks")


def test_estimate_of_a_backfill_ends_at_0_whatever_was_estimated() -> None:
    for estimate, rows in ((1000, 10), (10, 1000), (0, 0)):
        meter = Meter(estimate)
        meter.advance(rows)
        end = meter.reading(ended=True)
        assert (end.done, end.total, end.left) == (rows, rows, 0.0)


def test_second_pass_of_a_backfill_counts_on_and_estimates_nothing() -> None:
    meter = Meter(100)
    meter.advance(100)
    before = meter.reading()
    meter.repeat()
    meter.advance(5)
    after = meter.reading()
    assert after.done == 105 > before.done
    assert after.left is None and "locked or added" in after.waits


def test_steps_of_one_transaction_have_a_time_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database: Database
) -> None:
    monkeypatch.chdir(tmp_path)
    database.run(
        """CREATE TABLE t (id int);
        CREATE FUNCTION slow() RETURNS event_trigger LANGUAGE plpgsql AS $$BEGIN
        IF EXISTS (SELECT FROM pg_event_trigger_ddl_commands() WHERE object_identity LIKE '%slow%')
        THEN PERFORM pg_sleep(0.3); END IF; END$$;
        CREATE EVENT TRIGGER slow ON ddl_command_end WHEN TAG IN ('CREATE POLICY')
        EXECUTE FUNCTION slow()"""
    )
    (tmp_path / "s.yml").write_text(
        "tables: {t: {row_level_security: true,"
        " policies: {slow: {using: id > 0}, quick: {using: id > 1}}}}"
    )
    steps: dict[str, tuple[Step, float]] = {}

    def keep(event: reconciler.Event) -> None:
        if event.step is not None and event.kind == "ended":
            steps[event.step.identity] = event.step, event.seconds

    began = time.monotonic()
    target = reconciler.Database(database.url)
    target.apply(reconciler.load("s.yml"), allow="all", on_event=keep)
    took = time.monotonic() - began
    (slow, slow_took), (quick, quick_took) = (
        next(v for k, v in steps.items() if name in k) for name in ("slow", "quick")
    )
    assert slow.transaction and slow.transaction == quick.transaction
    assert quick_took < 0.25 < slow_took < took
