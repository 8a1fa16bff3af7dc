"""Test a roll-out in the workers of a Dask cluster: real processes, one of which is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from threading import Event, Thread

import pytest

from reconciler.cli.check_options import CheckOptions
from reconciler.cli.cluster_work import for_workers
from reconciler.cli.execution_options import reading_execution
from reconciler.cli.options import NO_FILES
from reconciler.cli.target_work import Work
from reconciler.cli.targets import NamedTarget
from reconciler.errors import SettingsError
from reconciler.fleet.cluster import Cluster, address_of
from tests.conftest import Database
from tests.test_rollout import DECLARED, START, columns, statuses
from tests.test_several_targets import settings
from tests.test_three_way import declare, folder, run

__all__ = ["folder"]

NAMES = ("one", "two", "three", "four")
OTHER_NAME = "127.1"  # of 127.0.0.1
DASK = (
    (sys.executable, "-m", "distributed.cli.dask_scheduler"),
    (
        sys.executable,
        "-m",
        "distributed.cli.dask_worker",
    ),
)


@dataclass
class Started:
    """A cluster on this machine: its address, and the processes of its workers."""

    address: str
    workers: list[subprocess.Popen[bytes]]


@pytest.fixture
def databases(
    new_database: Callable[..., Database], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, Database]:
    found = {name: new_database(START) for name in NAMES}
    settings(folder, monkeypatch, **{name: d.url for name, d in found.items()})
    declare(folder, DECLARED)
    return found


@pytest.fixture
def cluster(databases: dict[str, Database], folder: Path) -> Iterator[Started]:
    """Start a scheduler and two workers, which have the environment of the test."""
    del databases
    with started(folder, "--host", "127.0.0.1") as found:
        yield found


@contextmanager
def started(folder: Path, *options: str) -> Generator[Started]:
    """Start a scheduler and two workers."""
    file = folder / "scheduler.json"
    given = (*options, "--no-dashboard")
    scheduler = subprocess.Popen([*DASK[0], *given, "--port", "0", "--scheduler-file", str(file)])
    worker = [*DASK[1], *given, "--scheduler-file", str(file), "--no-nanny", "--nthreads", "2"]
    workers: list[subprocess.Popen[bytes]] = []
    try:
        for _ in range(200):
            if file.exists() and file.read_text().strip():
                break
            time.sleep(0.1)
        workers += [subprocess.Popen(worker) for _ in range(2)]
        address: str = json.loads(file.read_text())["address"]
        wait_for_workers(address, 2)
        yield Started(f"dask://{address.partition('://')[2]}", workers)
    finally:
        for process in (*workers, scheduler):
            process.kill()
            process.wait()


def wait_for_workers(address: str, number: int) -> None:
    script = (
        "import sys; from distributed import Client;"
        "Client(sys.argv[1], timeout=60).wait_for_workers(int(sys.argv[2]), timeout=120)"
    )
    subprocess.run([sys.executable, "-c", script, address, str(number)], check=True)


@pytest.mark.heavy
def test_a_cluster_does_what_threads_do(cluster: Started, databases: dict[str, Database]) -> None:
    options = ("--all", "--executor", cluster.address)
    planned = run("plan", *options)
    assert planned.exit_code == 2, planned.output
    assert "4 targets: one, two, three, four" in planned.stdout
    done = run("apply", *options, "--yes", "--rollout", "cluster")
    assert done.exit_code == 0, done.output
    assert set(statuses(done).values()) == {"changed"}
    assert all(columns(d) == ["a", "b"] for d in databases.values())
    back = run("rollback", *options, "--yes", "--allow", "all", "--rollout", "cluster")
    assert set(statuses(back).values()) == {"changed"}, back.output
    assert all(columns(d) == ["a"] for d in databases.values())


@pytest.mark.heavy
def test_drift_is_found_by_workers(cluster: Started, databases: dict[str, Database]) -> None:
    options = ("--all", "--executor", cluster.address)
    assert run("apply", *options, "--yes").exit_code == 0
    assert run("drift", *options).exit_code == 0
    databases["two"].run("ALTER TABLE t DROP b")
    databases["three"].run("ALTER TABLE t ALTER b TYPE varchar(30)")
    found = run("drift", *options, "--format", "json")
    assert found.exit_code == 2, found.output
    assert {
        (target["name"], each["identity"], each["class"])
        for target in json.loads(found.stdout)["targets"]
        for each in target["drift"]
    } == {("two", "public.t.b", "missing"), ("three", "public.t.b", "drifted")}
    refused = run("drift", "--executor", cluster.address)
    assert refused.exit_code == 1
    assert "--executor goes with several targets" in refused.stderr


@pytest.mark.heavy
def test_a_cluster_with_certificates_is_trusted(
    databases: dict[str, Database], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The host is this machine by a name that is no loopback address to reconcile."""
    own, other = certificate(folder, "own"), certificate(folder, "other")
    trust(monkeypatch, *own)
    with started(folder, "--host", OTHER_NAME, "--protocol", "tls") as cluster:
        address = cluster.address.replace("127.0.0.1", OTHER_NAME)
        done = run("apply", "--all", "--yes", "--executor", address)
        assert set(statuses(done).values()) == {"changed"}, done.output
        assert all(columns(d) == ["a", "b"] for d in databases.values())
        assert run("drift", "--all", "--executor", address).exit_code == 0
        trust(monkeypatch, *other)
        refused = run("drift", "--all", "--executor", address)
        assert refused.exit_code == 1
        assert f"--executor {address}: " in refused.stderr


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """Make a certificate that vouches for itself, and its key."""
    made, key = folder / f"{name}.pem", folder / f"{name}.key"
    options = ("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=dask")
    subprocess.run(["openssl", *options, "-out", made, "-keyout", key], check=True)
    return made, key


def trust(monkeypatch: pytest.MonkeyPatch, own: Path, key: Path) -> None:
    """Let the processes of Dask trust a certificate, and show it."""
    found = {"ca-file": own, "require-encryption": True}
    for role in ("scheduler", "worker", "client"):
        found |= {f"{role}.cert": own, f"{role}.key": key}
    for setting, value in found.items():
        monkeypatch.setenv(
            f"DASK_DISTRIBUTED__COMM__TLS__{setting.upper().replace('.', '__').replace('-', '_')}",
            str(value),
        )
    import_module("dask").config.refresh()


@pytest.mark.heavy
def test_an_error_of_a_worker_is_told(
    cluster: Started,
    databases: dict[str, Database],
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The workers have the environment of their start, without the URL of a new target."""
    monkeypatch.setenv("RECONCILE_new", databases["one"].url)
    with (folder / "reconcile.yml").open("a") as file:
        file.write('  new: {url: "${RECONCILE_new}"}\n')
    found = run("drift", "--all", "--executor", cluster.address, "--format", "json")
    assert found.exit_code == 1, found.output
    assert "error: new: " in found.stderr
    assert "RECONCILE_new" in found.stderr
    failed = {t["name"]: "error" in t for t in json.loads(found.stdout)["targets"]}
    assert failed == {**dict.fromkeys(NAMES, False), "new": True}


@pytest.mark.heavy
def test_workers_tell_what_postgresql_refuses(cluster: Started, folder: Path) -> None:
    refused = "{columns: {a: int}, grants: {nobody_here: [select]}}"
    declare(folder, f"tables: {{t: {refused}, u: {{columns: {{a: int}}}}}}")
    found = run("drift", "--all", "--executor", cluster.address, "--format", "json")
    assert found.exit_code == 1, found.output
    assert found.stderr.count("role nobody_here does not exist") == len(NAMES)
    shown = {
        (target["name"], each["identity"])
        for target in json.loads(found.stdout)["targets"]
        for each in target["drift"]
    }
    assert shown == {(name, each) for name in NAMES for each in ("public.u", "public.u.a")}


@pytest.mark.heavy
def test_a_killed_worker_loses_nothing(
    cluster: Started, databases: dict[str, Database], folder: Path
) -> None:
    """Each run takes seconds; one worker is killed amid those after the canary."""
    rows = "INSERT INTO t SELECT g FROM generate_series(1, 2000) AS g"
    for database in databases.values():
        database.run(
            f"{rows}; CREATE FUNCTION slow(int) RETURNS int LANGUAGE plpgsql IMMUTABLE"
            " AS 'BEGIN PERFORM pg_sleep(0.002); RETURN $1; END'"
        )
    declare(folder, "tables: {t: {columns: {a: int}, indexes: {i: {on: [slow(a)]}}}}")
    command = [Path(sys.executable).parent / "reconcile", "apply", "--all", "--yes", "--forks", "4"]
    options = ["--executor", cluster.address, "--serial", "1,3", "--allow", "all"]
    with subprocess.Popen(
        [*command, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as applying:
        wait_until(lambda: columns_indexed(databases) >= 1)
        wait_until(lambda: at_work(databases) >= 2)
        os.kill(cluster.workers[0].pid, signal.SIGKILL)
        out, err = applying.communicate(timeout=600)
    last = run("apply", "--all", "--yes", "--allow", "all")
    assert last.exit_code == 0, last.output
    assert columns_indexed(databases) == 4
    assert applying.returncode in (0, 1), (out, err)
    shown = dict(line.split()[:2] for line in out.splitlines() if line.split()[0] in NAMES)
    assert set(shown.values()) <= {"changed", "ok", "busy"}, (out, err)
    assert list(statuses(last).values()).count("ok") >= 3


def columns_indexed(databases: dict[str, Database]) -> int:
    query = "SELECT count(*) FROM pg_index WHERE indexrelid = to_regclass('i') AND indisvalid"
    return sum(int(str(d.value(query))) for d in databases.values())


def at_work(databases: dict[str, Database]) -> int:
    names = ", ".join(f"'{d.value('SELECT current_database()')}'" for d in databases.values())
    query = f"""SELECT count(DISTINCT datname) FROM pg_stat_activity
                WHERE datname IN ({names}) AND query LIKE 'CREATE INDEX%'"""
    return int(str(databases["one"].value(query)))


def wait_until(condition: Callable[[], bool]) -> None:
    for _ in range(1200):
        if condition():
            return
        time.sleep(0.1)
    raise AssertionError("it did not come to that")


@contextmanager
def another_worker(cluster: Started, folder: Path) -> Generator[None]:
    """Replace the workers by one in a folder of its own, which has the same reconcile.yml."""
    for process in cluster.workers:
        process.kill()
        process.wait()
    (folder / "there" / "state").mkdir(parents=True)
    (folder / "there" / "reconcile.yml").write_text((folder / "reconcile.yml").read_text())
    address = cluster.address.replace("dask://", "tcp://")
    worker = [*DASK[1], address, "--host", "127.0.0.1", "--no-nanny", "--no-dashboard"]
    with subprocess.Popen(worker, cwd=folder / "there") as other:
        try:
            wait_for_workers(address, 1)
            yield
        finally:
            other.kill()


@pytest.mark.heavy
def test_a_worker_with_other_files_or_variables_does_nothing(
    cluster: Started, databases: dict[str, Database], folder: Path
) -> None:
    declared = """
variables: [column, length]
tables: {t: {columns: {"${column}": {type: int, comment: x}}}}
functions: {f(): {returns: int, language: sql, body_file: f.txt}}
"""
    variables = "vars: {column: b, length: 3}\n"
    declare(folder, declared)
    (folder / "state" / "f.txt").write_text("SELECT 1")
    settings_here = (folder / "reconcile.yml").read_text()
    (folder / "reconcile.yml").write_text(settings_here + variables)
    there = folder / "there"
    with another_worker(cluster, folder):
        for file, text, same, message in (
            (
                "state/all.yml",
                declared + "# other",
                declared,
                "the YAML files of the worker are oth",
            ),
            ("state/f.txt", "SELECT 2", "SELECT 1", "others than those of the command, or a file"),
            (
                "reconcile.yml",
                settings_here + variables.replace("b", "other"),
                settings_here + variables,
                "the variables of the target are others in the worker",
            ),
            (
                "reconcile.yml",
                f"schemas: [public]\n{settings_here}{variables}",
                settings_here + variables,
                "or `schemas` of reconcile.yml",
            ),
        ):
            for name in ("all.yml", "f.txt"):
                (there / "state" / name).write_bytes((folder / "state" / name).read_bytes())
            (there / file).write_text(text)
            for command in (("apply", "--yes"), ("drift",)):
                done = run(*command, "--all", "--executor", cluster.address)
                assert done.exit_code == 1, done.output
                assert message in done.stdout
            (there / file).write_text(same)
        assert all(columns(d) == ["a"] for d in databases.values())
        done = run("apply", "--all", "--yes", "--executor", cluster.address)
        assert done.exit_code == 0, done.output
    assert all(columns(d) == ["a", "b"] for d in databases.values())


@pytest.mark.heavy
def test_targets_at_work_are_given_up_when_all_workers_are_gone(
    cluster: Started,
    databases: dict[str, Database],
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("reconciler.fleet.cluster.PATIENCE", 4.0)
    for database in databases.values():
        database.run(
            "INSERT INTO t SELECT g FROM generate_series(1, 2000) AS g;"
            " CREATE FUNCTION slow(int) RETURNS int LANGUAGE plpgsql IMMUTABLE"
            " AS 'BEGIN PERFORM pg_sleep(0.002); RETURN $1; END'"
        )
    declare(folder, "tables: {t: {columns: {a: int}, indexes: {i: {on: [slow(a)]}}}}")

    def end() -> None:
        wait_until(lambda: at_work(databases) >= 1)
        for process in cluster.workers:
            process.kill()

    killing = Thread(target=end)
    killing.start()
    options = ("--allow", "all", "--yes", "--executor", cluster.address)
    done = run("apply", "--all", *options)
    killing.join()
    assert done.exit_code == 1, done.output
    assert done.stderr.count("the cluster has no workers: start some by `dask worker`;") == 1
    assert set(statuses(done).values()) == {"unreachable"}
    assert done.stdout.count("--executor: the cluster has no workers") == 4
    none = run("apply", "--all", *options)
    assert none.exit_code == 1
    assert "error: --executor: the cluster has no workers" in none.stderr


def test_other_machines_are_spoken_to_by_tls_only() -> None:
    import_module("dask").config.refresh()  # without the certificates of other tests
    assert address_of("dask://127.0.0.1:8786") == "tcp://127.0.0.1:8786"
    assert address_of("dask://[::1]:8786") == "tcp://[::1]:8786"
    assert address_of("dask://scheduler:8786") == "tls://scheduler:8786"
    with pytest.raises(SettingsError, match="no certificates"):
        next(Cluster("dask://scheduler:8786", 4).run(str, ["one"], Event()))
    for wrong in ("scheduler:8786", "tcp://scheduler:8786", "dask://user:pw@host:1", "dask://h"):
        with pytest.raises(SettingsError, match="expected dask://HOST:PORT"):
            address_of(wrong)


def test_no_credentials_are_sent() -> None:
    execution = reading_execution(["work_mem=1MB"])
    declaration = replace(NO_FILES, scratch="host=h password=s3cret")
    checks = CheckOptions("postgresql://u:s3cret@h/d", 1.0)
    work = Work("apply", "id", declaration, execution, checks, undo="x")
    assert "s3cret" not in repr(for_workers(work, [NamedTarget("one", "one")]))
    for flag in (None, "postgresql://u:s3cret@h/d", "host=h password=s3cret"):
        with pytest.raises(SettingsError, match="workers find its URL") as raised:
            for_workers(work, [NamedTarget(flag, "shown")])
        assert "s3cret" not in str(raised.value)
    secret = Work("apply", "id", declaration, reading_execution(["app.key=x"]), checks, undo="x")
    with pytest.raises(SettingsError, match="may hold a secret"):
        for_workers(secret, [NamedTarget("one", "one")])
