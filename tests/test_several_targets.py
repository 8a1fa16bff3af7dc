"""Test `drift` over several targets: one command, a line of recap each, the worst status."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from psycopg import conninfo

from reconciler.pipeline import Job
from reconciler.recall.ahead import Ahead
from reconciler.recall.observed import Observed, observe
from reconciler.server.connection import connect, run_sql
from reconciler.server.scratch import drop_database
from reconciler.sql import compose, text
from tests.conftest import ROOT, Database, starting_point
from tests.test_three_way import declare, folder, run

__all__ = ["folder"]

STATE = ROOT / "desired_state"
NUMBER = 50
CPU = 0.5  # seconds, for each target
RECONCILE = Path(sys.executable).parent / "reconcile"

DECLARED = "tables: {t: {columns: {a: varchar (20)}}}"
START = "CREATE TABLE t (a varchar(20))"
DOWN = "host=/nowhere dbname=none user=nobody"


def settings(folder: Path, monkeypatch: pytest.MonkeyPatch, **targets: str) -> None:
    """Write reconcile.yml; the URLs are in the environment."""
    for name, url in targets.items():
        monkeypatch.setenv(f"RECONCILE_{name}", url)
    entries = "".join(f'  {name}: {{url: "${{RECONCILE_{name}}}"}}\n' for name in targets)
    (folder / "reconcile.yml").write_text(f"state: state\ntargets:\n{entries}")


@pytest.fixture
def targets(
    new_database: Callable[..., Database], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, Database]:
    """Return three databases that are in the settings, of which one differs; the last is down."""
    found = {name: new_database(START) for name in ("one", "two", "three")}
    found["two"].run("ALTER TABLE t ALTER a TYPE varchar(30)")
    declare(folder, DECLARED)
    settings(folder, monkeypatch, **{name: d.url for name, d in found.items()}, gone=DOWN)
    return found


def test_each_target_has_a_line_and_the_worst_status_counts(targets: dict[str, Database]) -> None:
    names = ("--target", "one", "--target", "three")
    same = run("drift", *names)
    assert (same.exit_code, same.stderr) == (0, "")
    assert [line.split()[:2] for line in same.stdout.splitlines()] == [
        ["one", "ok"],
        ["three", "ok"],
    ]
    assert run("drift", *names, "--quiet").output == ""
    different = run("drift", *names, "--target", "two", "--quiet")
    assert different.exit_code == 2
    assert "column public.t.a" in different.stdout
    assert [line.split()[:2] for line in different.stdout.splitlines()[-3:]] == [
        ["one", "ok"],
        ["three", "ok"],
        ["two", "different"],
    ]
    every = run("drift", "--all")
    assert every.exit_code == 1
    assert "column public.t.a" in every.stdout
    assert every.stdout.splitlines()[-1].startswith("gone   error      cannot connect to host=/now")
    assert every.stderr.startswith("error: gone: cannot connect to host=/nowhere")


def test_json_holds_the_document_of_each(targets: dict[str, Database]) -> None:
    every = run("drift", "--all", "--format", "json")
    document = json.loads(every.stdout)
    assert document.keys() == {"version", "targets"}
    alone = [json.loads(run("drift", "-t", n, "--format", "json").stdout) for n in ("one", "two")]
    for each in (*alone, *document["targets"]):
        for found in each.get("drift", ()):
            del found["last_written"]["age"]  # others begin transactions meanwhile
    assert document["targets"][:2] == alone
    assert [t["name"] for t in document["targets"]] == ["one", "two", "three", "gone"]
    assert document["targets"][3]["error"].startswith("cannot connect")


def test_a_list_of_one_is_a_list(
    targets: dict[str, Database], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings(folder, monkeypatch, one=targets["one"].url)
    every = json.loads(run("drift", "--all", "--format", "json").stdout)
    assert [t["name"] for t in every["targets"]] == ["one"]


def test_what_names_no_target_is_an_error(targets: dict[str, Database], folder: Path) -> None:
    unknown = run("drift", "-t", "one", "-t", "onee")
    assert unknown.exit_code == 1
    assert "did you mean one?" in unknown.stderr
    assert "one   ok" in unknown.stdout
    assert "contradict" in run("drift", "--all", "-t", "one").stderr
    (folder / "reconcile.yml").write_text("state: state\n")
    assert "names no targets" in run("drift", "--all").stderr


def test_a_target_named_twice_is_looked_at_once(targets: dict[str, Database]) -> None:
    assert len(run("drift", "-t", "one", "-t", "three", "-t", "one").stdout.splitlines()) == 2


def test_no_name_of_a_target_shows_a_password(targets: dict[str, Database]) -> None:
    urls = [f"{targets[n].url} password=s3cretword" for n in ("one", "two")]
    shown = run("drift", "-t", urls[0], "-t", urls[1], "--format", "json")
    assert shown.exit_code == 2, shown.output
    assert "s3cretword" not in shown.output


def test_targets_are_answered_from_memory(
    targets: dict[str, Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[str] = []

    def counted(job: Job, ahead: Ahead, examine: Any, *, partly: bool = False) -> Observed[Any]:
        looked.append("full")
        return observe(job, ahead, examine, partly=partly)

    monkeypatch.setattr("reconciler.cli.drift.observe", counted)
    names = ("-t", "one", "-t", "three", "--format", "json")
    first = run("drift", *names)
    for _ in range(5):  # other tests may change what all databases share
        looked.clear()
        again = run("drift", *names)
        assert again.stdout == first.stdout
        if not looked:
            break
    assert looked == []
    targets["one"].run("ALTER TABLE t ALTER a TYPE varchar(7)")
    assert run("drift", *names).exit_code == 2


@pytest.fixture
def fifty(
    new_database: Callable[..., Database], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """Write NUMBER databases that are as declared into the settings; return the URL of one."""
    first = new_database(starting_point(0.01))
    assert run("apply", "--target", first.url, "--state", STATE, "--yes").exit_code == 0
    template = str(first.value("SELECT current_database()"))
    names = [f"{template}_{number}" for number in range(NUMBER)]
    urls = [conninfo.make_conninfo(first.url, dbname=name) for name in names]
    with connect(conninfo.make_conninfo(first.url, dbname="postgres")) as server:
        try:
            for name in names:
                command = "CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy"
                run_sql(server, text(compose(command, name, template)))
            settings(folder, monkeypatch, **{f"t{n}": url for n, url in enumerate(urls)}, gone=DOWN)
            yield urls[7]
        finally:
            for name in names:
                drop_database(server, name)


def test_fifty_databases_of_one_server(fifty: str, folder: Path) -> None:
    """Look at all without what earlier runs kept; one differs, and one is down."""
    with connect(fifty) as connection:
        run_sql(connection, "DROP INDEX public.idx_messages_org_created")
    options = ("--state", STATE, "--no-cache", "--format", "prometheus", "--out", "drift.prom")
    before = cpu_of_children()
    done = subprocess.run(
        [RECONCILE, "drift", "--all", *options], capture_output=True, text=True, check=False
    )
    cpu = (cpu_of_children() - before) / NUMBER
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: gone: cannot connect")
    assert cpu < CPU, f"{cpu:.2f} s for each"
    values = {
        (s.name.removeprefix("reconcile_drift_"), *s.labels.values()): s.value
        for family in text_string_to_metric_families((folder / "drift.prom").read_text())
        for s in family.samples
    }
    up = {key[1]: value for key, value in values.items() if key[0] == "up"}
    assert up == {**{f"t{n}": 1 for n in range(NUMBER)}, "gone": 0}
    assert {k: v for k, v in values.items() if k[0] == "objects" and v} == {
        ("objects", "t7", "missing"): 1
    }
    assert len([k for k in values if k[0] == "unchanged_objects"]) == NUMBER
    assert all(time.time() - v < 600 for k, v in values.items() if k[0] == "timestamp_seconds")


def cpu_of_children() -> float:
    """Return the seconds of CPU of the processes that have ended, scratch servers included."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
