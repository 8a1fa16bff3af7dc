"""Test commands over several targets: a canary, batches, what is tried again, and the way back."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from click.testing import Result
from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console

from reconciler.apply.session import sole_applier
from reconciler.cli.signals import stopping
from reconciler.fleet.batches import RolloutSettings, parse_sizes, sizes_of_batches
from reconciler.fleet.shard import Shard, parse_shard
from reconciler.report.rollout_progress import RolloutTable
from reconciler.rollout.result import TargetResult
from reconciler.rollout.roll import Attempt, RollOut
from tests.conftest import Database
from tests.test_several_targets import DOWN, settings
from tests.test_three_way import declare, folder, run

__all__ = ["folder"]

START = "CREATE TABLE t (a int)"
DECLARED = "tables: {t: {columns: {a: int, b: text}}}"
NAMES = ("one", "two", "three", "four")


@pytest.fixture
def databases(
    new_database: Callable[..., Database], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, Database]:
    """Return four databases in reconcile.yml that lack a column."""
    found = {name: new_database(START) for name in NAMES}
    settings(folder, monkeypatch, **{name: d.url for name, d in found.items()})
    declare(folder, DECLARED)
    return found


def columns(database: Database) -> list[object]:
    query = "SELECT attname::text FROM pg_attribute WHERE attrelid = 't'::regclass AND attnum > 0"
    return [c for (c,) in database.rows(f"{query} AND NOT attisdropped ORDER BY 1")]


def statuses(done: Result) -> dict[str, str]:
    """Return the status of each target, as the recap shows it."""
    lines = [line.split() for line in done.stdout.splitlines() if line]
    return {words[0]: words[1] for words in lines if words[0] in (*NAMES, "gone")}


def totals(done: Result) -> str:
    return done.stdout.splitlines()[-1].split(": ", 2)[-1]


def rollout_of(database: Database, run: int = 1) -> object:
    return database.value(f"SELECT rollout FROM reconcile.run WHERE id = {run}")


def test_all_are_changed_once_and_a_second_run_changes_nothing(
    databases: dict[str, Database],
) -> None:
    first = run("apply", "--all", "--yes")
    assert first.exit_code == 0, first.output
    assert set(statuses(first).values()) == {"changed"}
    assert totals(first) == "ok=0 changed=4 failed=0 unreachable=0 busy=0 skipped=0"
    assert all(columns(d) == ["a", "b"] for d in databases.values())
    (name,) = {rollout_of(d) for d in databases.values()}
    assert f"roll-out {name}: 4 targets" in first.stdout
    second = run("apply", "--all", "--yes")
    assert second.exit_code == 0, second.output
    assert totals(second) == "ok=4 changed=0 failed=0 unreachable=0 busy=0 skipped=0"
    assert databases["one"].value("SELECT count(*) FROM reconcile.run") == 1


def test_identical_plans_are_shown_once(databases: dict[str, Database]) -> None:
    databases["three"].run("ALTER TABLE t ADD b int")
    done = run("plan", "--all")
    assert done.exit_code == 2
    assert done.stdout.count("3 targets: one, two, four") == 1
    assert done.stdout.count("1 target: three") == 1
    assert done.stdout.count("ADD COLUMN b text") == 1
    assert columns(databases["one"]) == ["a"]
    document = json.loads(run("plan", "--all", "--format", "json").stdout)
    assert [p["targets"] for p in document["plans"]] == [["one", "two", "four"], ["three"]]
    assert [t["exit"] for t in document["targets"]] == [2, 2, 2, 2]


def test_nothing_is_run_without_a_yes(databases: dict[str, Database]) -> None:
    done = run("apply", "--all")
    assert done.exit_code == 1
    assert "run 1 plan on 4 targets" in done.stderr
    assert "no terminal to ask for confirmation on" in done.stderr
    checked = run("apply", "--all", "--check")
    assert (checked.exit_code, set(statuses(checked).values())) == (2, {"changed"})
    assert all(columns(d) == ["a"] for d in databases.values())


def test_what_is_down_locked_or_drifted_does_not_keep_the_rest_waiting(
    databases: dict[str, Database], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    urls = {name: d.url for name, d in databases.items()}
    settings(folder, monkeypatch, gone=DOWN, **urls)
    databases["three"].run("ALTER TABLE t ALTER a TYPE bigint")
    with sole_applier(databases["one"].url):
        done = run("apply", "--all", "--yes", "--allow", "all")
    assert done.exit_code == 1
    assert statuses(done) == {
        "gone": "unreachable",
        "one": "busy",
        "two": "changed",
        "three": "changed",
        "four": "changed",
    }
    assert "another reconcile is applying to this database" in done.stdout
    assert databases["three"].value("SELECT pg_typeof(a)::text FROM (SELECT (NULL::t).a) s") == (
        "integer"
    )
    again = run("apply", "--all", "--yes")
    assert statuses(again)["one"] == "changed"
    assert totals(again).startswith("ok=3 changed=1 failed=0 unreachable=1")


def test_one_that_is_free_by_the_end_is_changed(
    databases: dict[str, Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The canary is locked, so the second target takes its place, and the canary comes last."""
    applier = sole_applier(databases["one"].url)
    applier.__enter__()
    released: list[str] = []

    def applied(*given: Any, **more: Any) -> Any:
        if given[2] != databases["one"].url and not released:
            released.append("")
            applier.__exit__(None, None, None)
        return apply_plan(*given, **more)

    from reconciler.cli.target_work import pipeline  # noqa: PLC0415

    apply_plan = pipeline.apply_plan
    monkeypatch.setattr(pipeline, "apply_plan", applied)
    done = run("apply", "--all", "--yes")
    assert done.exit_code == 0, done.output
    shown = [line.split()[:2] for line in done.stderr.splitlines() if "(" in line]
    assert ["busy", "one"] in shown
    assert shown[-1] == ["changed", "one"]
    assert set(statuses(done).values()) == {"changed"}


CHECK = "checks: {no rows: {query: SELECT count(*) FROM t, equals: 0}}"


def test_a_canary_whose_check_fails_ends_the_roll_out(
    databases: dict[str, Database], folder: Path
) -> None:
    databases["one"].run("INSERT INTO t VALUES (1)")
    declare(folder, f"{DECLARED}\n{CHECK}")
    done = run("apply", "--all", "--yes")
    assert done.exit_code == 2, done.output
    assert statuses(done) == {"one": "failed", **dict.fromkeys(NAMES[1:], "skipped")}
    assert [columns(d) for d in databases.values()] == [["a", "b"], ["a"], ["a"], ["a"]]
    assert "check no rows (failed)" in done.stdout
    name = rollout_of(databases["one"])
    (advice,) = [line for line in done.stdout.splitlines() if line.startswith("to undo it")]
    command = f"rollback --rollout {name} --target one"
    assert advice == f"to undo it on 1 target: reconcile {command}"
    back = run(*command.split(), "--yes", "--allow", "all")
    assert back.exit_code == 0, back.output
    assert columns(databases["one"]) == ["a"]


def test_a_check_that_fails_later_ends_what_is_not_begun(
    databases: dict[str, Database], folder: Path
) -> None:
    databases["two"].run("INSERT INTO t VALUES (1)")
    check = CHECK.replace("{query", "{apply: after, query")
    declare(folder, f"{DECLARED}\n{check}")
    done = run("apply", "--all", "--yes", "--serial", "1", "--forks", "1")
    assert list(statuses(done).values()) == ["changed", "failed", "skipped", "skipped"]
    assert "ended: two, in a batch of 1, is failed" in done.stdout
    databases["one"].run("INSERT INTO t VALUES (1)")
    going_on = run("apply", "--all", "--yes", "--max-fail-percentage", "50", "--serial", "2")
    assert totals(going_on) == "ok=2 changed=2 failed=0 unreachable=0 busy=0 skipped=0"


def test_a_paused_roll_out_goes_on_under_its_name(databases: dict[str, Database]) -> None:
    options = ("--all", "--yes", "--serial", "1,2", "--rollout", "spring.1")
    first = run("apply", *options, "--pause-after", "1")
    assert first.exit_code == 2
    assert list(statuses(first).values()) == ["changed", "skipped", "skipped", "skipped"]
    assert "ended: paused after 1 batch" in first.stdout
    assert "reconcile apply --rollout spring.1" in first.stdout
    second = run("apply", *options)
    assert second.exit_code == 0, second.output
    assert list(statuses(second).values()) == ["ok", "changed", "changed", "changed"]
    assert {rollout_of(d) for d in databases.values()} == {"spring.1"}


def test_rollback_undoes_exactly_the_last_roll_out(
    databases: dict[str, Database], folder: Path
) -> None:
    assert run("apply", "--target", "four", "--yes").exit_code == 0
    assert run("apply", "--all", "--yes", "--rollout", "first").exit_code == 0
    declare(folder, DECLARED.replace("b: text", "b: text, c: int"))
    assert run("apply", "-t", "one", "-t", "two", "--yes", "--rollout", "second").exit_code == 0
    back = run("rollback", "--all", "--yes", "--allow", "all")
    assert back.exit_code == 0, back.output
    assert list(statuses(back).values()) == ["changed", "changed", "ok", "ok"]
    assert [columns(d) for d in databases.values()] == [["a", "b"]] * 4
    back = run("rollback", "--all", "--yes", "--allow", "all")
    assert list(statuses(back).values()) == ["changed", "changed", "changed", "ok"], back.output
    assert [columns(d) for d in databases.values()] == [["a"], ["a"], ["a"], ["a", "b"]]
    nothing = run("rollback", "--all", "--yes")
    assert nothing.exit_code == 1
    assert "no journal of these targets records a roll-out" in nothing.stderr


def test_a_roll_out_that_went_on_is_undone_run_by_run(
    databases: dict[str, Database], folder: Path
) -> None:
    assert run("apply", "--all", "--yes", "--rollout", "long").exit_code == 0
    declare(folder, DECLARED.replace("b: text", "b: text, c: int"))
    assert run("apply", "-t", "one", "-t", "two", "--yes", "--rollout", "long").exit_code == 0
    options = ("rollback", "--all", "--rollout", "long", "--yes", "--allow", "all", "-q")
    first = run(*options)
    assert first.exit_code == 2, first.output
    assert set(statuses(first).values()) == {"changed"}
    assert [columns(d) for d in databases.values()] == [["a", "b"], ["a", "b"], ["a"], ["a"]]
    assert first.stdout.count("note: run 1 of this roll-out is left to undo") == 2
    *_, advice, _ = first.stdout.splitlines()
    assert advice == (
        "roll-out long went on, and earlier runs of it are left on 2 targets; to undo them:"
        " reconcile rollback --rollout long, with the same targets"
    )
    second = run(*options)
    assert second.exit_code == 0, second.output
    assert list(statuses(second).values()) == ["changed", "changed", "ok", "ok"]
    assert "left" not in second.stdout
    assert [columns(d) for d in databases.values()] == [["a"]] * 4
    assert run(*options).exit_code == 0


def test_a_roll_out_that_no_journal_knows_is_an_error(databases: dict[str, Database]) -> None:
    assert run("apply", "-t", "one", "--yes", "--rollout", "small").exit_code == 0
    unknown = run("rollback", "--all", "--rollout", "smal", "--yes")
    assert unknown.exit_code == 1
    assert "no journal of these targets records roll-out smal" in unknown.stderr
    known = run("rollback", "--all", "--rollout", "small", "--yes", "--allow", "all")
    assert known.exit_code == 0, known.output
    assert list(statuses(known).values()) == ["changed", "ok", "ok", "ok"]


def test_hazards_are_each_targets_own(databases: dict[str, Database], folder: Path) -> None:
    databases["two"].run("ALTER TABLE t ADD old int")
    declare(folder, DECLARED.replace("b: text", "b: text, old: {state: absent}"))
    done = run("apply", "--all", "--yes")
    assert done.exit_code == 1
    assert statuses(done) == {**dict.fromkeys(NAMES, "skipped"), "two": "failed"}
    assert "data-loss" in done.stdout
    assert columns(databases["one"]) == ["a"]
    without = run("apply", "--all", "--yes", "--max-fail-percentage", "50")
    assert statuses(without) == {**dict.fromkeys(NAMES, "changed"), "two": "failed"}
    assert columns(databases["two"]) == ["a", "old"]


def test_verify_runs_the_checks_of_all(databases: dict[str, Database], folder: Path) -> None:
    declare(folder, f"tables: {{t: {{columns: {{a: int}}}}}}\n{CHECK}")
    databases["two"].run("INSERT INTO t VALUES (1)")
    databases["three"].run("ALTER TABLE t ALTER a TYPE bigint")
    done = run("verify", "--all")
    assert done.exit_code == 2, done.output
    expected = {"one": "ok", "two": "failed", "three": "failed", "four": "ok"}
    assert statuses(done) == expected
    assert "alter column public.t.a" in done.stdout
    junit = run("verify", "--all", "--format", "junit").stdout
    assert '<testsuite name="reconcile verify" tests="4" failures="2" errors="0"' in junit


def test_formats_tell_what_became_of_each(
    databases: dict[str, Database], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings(folder, monkeypatch, gone=DOWN, one=databases["one"].url)
    files = ("--format", "prometheus", "--out", "m.prom", "--format", "json", "--out", "r.json")
    done = run("apply", "--all", "--yes", *files)
    assert (done.exit_code, done.stdout) == (1, "")
    families = text_string_to_metric_families((folder / "m.prom").read_text())
    values = {
        (s.name, s.labels["target"], s.labels.get("status", "")): s.value
        for family in families
        for s in family.samples
    }
    assert values["reconcile_rollout_status", "gone", "unreachable"] == 1
    assert values["reconcile_rollout_status", "one", "changed"] == 1
    assert values["reconcile_rollout_objects", "one", "changed"] == 1
    document = json.loads((folder / "r.json").read_text())
    assert document["rollout"] == rollout_of(databases["one"])
    assert [t["run"] for t in document["targets"]] == [None, 1]
    assert "--format markdown does not show several" in run("plan", "--all", *markdown()).stderr
    assert "go with several targets" in run("apply", "-t", "one", "--format", "json").stderr


def test_results_are_rows_of_a_control_database(
    databases: dict[str, Database],
    new_database: Callable[..., Database],
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    control = new_database()
    settings(folder, monkeypatch, gone=DOWN, one=databases["one"].url)
    monkeypatch.setenv("RECONCILE_RESULTS", control.url)
    assert run("apply", "--all", "--yes").exit_code == 1
    assert run("verify", "--all").exit_code == 1
    found = control.rows(
        "SELECT command, target, status, run, rollout IS NULL AS unnamed"
        " FROM reconcile_results ORDER BY id"
    )
    assert found == [
        ("apply", "gone", "unreachable", None, False),
        ("apply", "one", "changed", 1, False),
        ("verify", "gone", "unreachable", None, True),
        ("verify", "one", "ok", None, True),
    ]
    assert "expected the URL" in run("verify", "--all", "--results", "control").stderr


def markdown() -> tuple[str, str]:
    return "--format", "markdown"


def test_options_of_several_targets_are_refused_for_one(databases: dict[str, Database]) -> None:
    for options in (["--shard", "0/2"], ["--serial", "1"], ["--pause-after", "1"]):
        done = run("apply", "--target", "one", "--yes", *options)
        assert done.exit_code == 1
        assert "several targets: --all, --limit" in done.stderr
    assert "a name has" in run("apply", "--all", "--rollout", "a b").stderr
    assert "expected a number of targets" in run("apply", "--all", "--serial", "0").stderr
    assert "a saved plan is for one" in run("apply", "reconcile.yml", "--all").stderr


@pytest.mark.parametrize("command", ["plan", "drift"])
def test_shards_divide_the_targets(databases: dict[str, Database], command: str) -> None:
    found = [statuses(run(command, "--all", "--shard", f"{i}/2")) for i in range(2)]
    assert found[0].keys() | found[1].keys() == {*NAMES}
    assert not found[0].keys() & found[1].keys()


def test_a_shard_without_targets_is_no_error(databases: dict[str, Database]) -> None:
    commands = ("plan", "drift", "apply", "verify", "rollback", "rollback --rollout other")
    sparse = [run(*c.split(), "--all", "--shard", "999/1000") for c in commands]
    assert [(d.exit_code, d.stderr.count("error")) for d in sparse] == [(0, 0)] * len(commands)
    assert all("0 targets" in d.stdout for d in sparse)


# -- without a database -----------------------------------------------------------------------


def test_a_shard_of_a_name_does_not_depend_on_others() -> None:
    names = [f"tenant_{n}" for n in range(1000)]
    shards = [Shard(i, 4).of(names) for i in range(4)]
    assert sorted(name for shard in shards for name in shard) == sorted(names)
    assert all(200 < len(shard) < 300 for shard in shards)
    for wrong in ("4/4", "1", "a/b", "-1/2", "0/0"):
        with pytest.raises(Exception, match="expected I/N"):
            parse_shard(wrong)


@pytest.mark.parametrize(
    ("given", "total", "expected"),
    [
        ([1, "10%", "100%"], 200, [1, 20, 200, 200]),
        (["1", "50 %"], 3, [1, 1, 1, 1]),
        ([5], 200, [5, 5, 5, 5]),
    ],
)
def test_sizes_of_batches(given: list[object], total: int, expected: list[int]) -> None:
    sizes = sizes_of_batches(parse_sizes(given), total)
    assert [next(sizes) for _ in range(4)] == expected


@pytest.mark.parametrize("given", [[], [0], ["0%"], ["101%"], ["x"], [True], [1.5], [-1]])
def test_other_sizes_are_refused(given: list[object]) -> None:
    with pytest.raises(ValueError, match="expected"):
        parse_sizes(given)


def rolled(
    outcomes: dict[str, list[str]], pause: int = 0, unseen: str = "", **given: Any
) -> tuple[list[tuple[str, str, str]], RollOut]:
    """Roll out to targets with these outcomes; return the attempts and what became of each."""
    log: list[tuple[str, str, str]] = []

    def work(names: Any, attempt: Attempt, stop: Event) -> Iterator[TargetResult]:
        for name in names:
            if stop.is_set():
                yield TargetResult(name, "skipped")
                continue
            status: Any = outcomes[name].pop(0)
            words = [
                w for w, is_so in (("canary", attempt.canary), ("again", attempt.again)) if is_so
            ]
            log.append((name, " ".join(words) or "batch", status))
            yield TargetResult(name, status, retry=status in ("busy", "unreachable"))

    waiting = [name for name in outcomes if name not in unseen]
    deferred = [TargetResult(name, "unreachable", retry=True) for name in unseen]
    roll = RollOut(RolloutSettings.model_validate(given), waiting, deferred, work, pause)
    for _ in roll.results():
        pass
    return log, roll


def test_a_canary_that_cannot_be_reached_is_no_canary() -> None:
    log, _ = rolled({"a": ["busy", "changed"], "b": ["changed"], "c": ["changed"]}, serial=[1, 2])
    assert log == [
        ("a", "canary", "busy"),
        ("b", "canary", "changed"),
        ("c", "batch", "changed"),
        ("a", "canary again", "changed"),
    ]


def test_more_failures_than_allowed_end_a_batch() -> None:
    outcomes = {n: ["failed" if n in "bc" else "changed"] for n in "abcdef"}
    log, roll = rolled(outcomes, serial=[1, 5], max_fail_percentage=20)
    assert [name for name, *_ in log] == ["a", "b", "c"]
    assert roll.ended.startswith("c, in a batch of 5, is failed")
    log, roll = rolled({n: ["failed" if n == "b" else "ok"] for n in "abcdef"}, serial=[1, 5])
    assert [name for name, *_ in log] == ["a", "b"]


def test_what_is_tried_at_the_end_goes_in_batches() -> None:
    """Five targets could not be looked at, and the rows of each refuse the change."""
    outcomes = {"a": ["changed"], **{n: ["failed"] for n in "bcdef"}}
    log, roll = rolled(outcomes, unseen="bcdef")
    assert log == [("a", "canary", "changed"), ("b", "canary again", "failed")]
    assert roll.ended.startswith("b, the canary, is failed")
    outcomes = {"a": ["busy", "busy"], **{n: ["changed"] for n in "bcdef"}, "c": ["failed"]}
    log, roll = rolled(outcomes, unseen="bcdef", serial=[1, 3], max_fail_percentage=40)
    assert log == [
        ("a", "canary", "busy"),
        ("b", "canary again", "changed"),
        ("c", "again", "failed"),
        ("d", "again", "changed"),
        ("e", "again", "changed"),
        ("f", "again", "changed"),
        ("a", "again", "busy"),
    ]
    assert not roll.ended


def test_a_pause_keeps_what_is_tried_at_the_end() -> None:
    outcomes = {"a": ["changed"], "b": ["changed"], "c": ["changed"]}
    log, roll = rolled(outcomes, pause=2, unseen="bc", serial=[1])
    assert [name for name, *_ in log] == ["a", "b"]
    assert roll.ended.startswith("paused after 2 batches")


def test_any_error_ends_it_if_asked() -> None:
    outcomes = {"a": ["changed"], "b": ["busy"], "c": ["changed"]}
    log, roll = rolled(outcomes, serial=[1], any_errors_fatal=True)
    assert [name for name, *_ in log] == ["a", "b"]
    assert roll.stop.is_set()


def test_the_first_signal_ends_the_beginning_and_the_second_the_command() -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a job may ignore it
    try:
        with pytest.raises(KeyboardInterrupt):
            interrupt_twice(Event())
    finally:
        signal.signal(signal.SIGINT, before)


def interrupt_twice(stop: Event) -> None:
    with stopping(stop):
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.wait(5)
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(5)


def test_the_view_of_a_terminal_obeys_nothing_foreign() -> None:
    console = Console(file=StringIO(), force_terminal=True, width=60)
    view = RolloutTable(console)
    with view:
        view.phase("roll-out x to 40 targets", 40)
        for number in range(20):
            view.started(f"t{number}")
        view.step("t0", "alter column public.t.\x1b[2J[red]a")
        view.waiting("t1", "behind pid 7\n\n\n")
        view.ended(TargetResult("t2", "failed", 1, message="syntax \x1b[31merror"))
        view.ended(TargetResult("t3", "changed"))
    with console.capture() as captured:
        console.print(view.shown())
    lines = captured.get().splitlines()
    text = re.sub(r"\x1b\[[\d;]*m", "", captured.get())
    assert text.splitlines()[0].startswith("roll-out x to 40 targets: 2 of 40  changed=1  failed=1")
    assert "[red]a" in text
    assert "\x1b[2J" not in captured.get()
    assert "  and 2 more at work" in text.splitlines()
    assert any(line.startswith("t1 waits: behind pid 7") for line in text.splitlines())
    assert len(lines) == 1 + 16 + 1 + 2
