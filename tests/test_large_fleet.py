"""Roll out to 200 databases of one server: one is down, one drifted by hand, one is locked."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from psycopg import conninfo

from reconciler.apply.session import sole_applier
from reconciler.server.connection import connect, run_sql
from reconciler.server.scratch import drop_database
from reconciler.sql import compose, text
from tests.conftest import Database
from tests.test_several_targets import RECONCILE, cpu_of_children, settings
from tests.test_three_way import declare, folder

__all__ = ["folder"]

NUMBER, FORKS, ALONE = 200, 16, 4
NOBODY = "host=127.0.0.1 port=1 dbname=none user=nobody"
TABLES = 20
START = ";".join(
    f"CREATE TABLE t{n} (id bigint PRIMARY KEY, tenant uuid NOT NULL, name text CHECK (name <> ''),"
    f" at timestamptz DEFAULT now()); CREATE INDEX t{n}_at ON t{n} (tenant, at)"
    for n in range(TABLES)
)
COLUMNS = (
    "{id: {type: bigint, primary_key: true}, tenant: {type: uuid, not_null: true}, name: text,"
    " at: {type: timestamptz, default: now()}"
)
DECLARED = "tables:\n" + "".join(
    f"  t{n}:\n    columns: {COLUMNS}{', more: varchar (9)' if n < 3 else ''}}}\n"
    f"    constraints: {{t{n}_name_check: {{check: name <> ''}}}}\n"
    f"    indexes: {{t{n}_at: {{on: {'[at]' if n == 0 else '[tenant, at]'}}}}}\n"
    for n in range(TABLES)
)


@dataclass
class Done:
    """A finished command, with its CPU and wall-clock time in seconds."""

    status: int
    out: str
    cpu: float
    seconds: float

    def of(self, name: str) -> str:
        (line,) = [n for n in self.out.splitlines() if n.split()[0] == name]
        return line


def reconcile(*arguments: str) -> Done:
    cpu, start = cpu_of_children(), time.monotonic()
    done = subprocess.run(
        [RECONCILE, *arguments, "--no-cache"], capture_output=True, text=True, check=False
    )
    seconds = time.monotonic() - start
    print(done.stderr[-2000:])
    return Done(done.returncode, done.stdout, cpu_of_children() - cpu, seconds)


@pytest.fixture
def urls(
    new_database: Callable[..., Database], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[list[str]]:
    """Make the databases; those behind the last of the settings are for single runs."""
    first = new_database(START)
    template = str(first.value("SELECT current_database()"))
    names = [f"{template}_{number}" for number in range(NUMBER - 1 + ALONE)]
    found = [conninfo.make_conninfo(first.url, dbname=name) for name in names]
    with connect(conninfo.make_conninfo(first.url, dbname="postgres")) as server:
        try:
            for name in names:
                command = "CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy"
                run_sql(server, text(compose(command, name, template)))
            of_fleet = {f"t{n}": url for n, url in enumerate(found[: NUMBER - 1])}
            settings(folder, monkeypatch, gone=NOBODY, **of_fleet)
            declare(folder, DECLARED)
            yield found
        finally:
            for name in names:
                drop_database(server, name)


@pytest.mark.heavy
def test_two_hundred_databases(urls: list[str]) -> None:
    with connect(urls[7]) as connection:
        run_sql(connection, "ALTER TABLE public.t5 ALTER name TYPE varchar(20)")
    alone = [reconcile("apply", "--yes", "--target", url) for url in urls[NUMBER - 1 :]]
    assert [d.status for d in alone] == [0] * ALONE
    with sole_applier(urls[11]):
        fleet = reconcile("apply", "--all", "--yes", "--forks", str(FORKS), "--allow", "all")
    assert fleet.status == 1
    assert fleet.out.splitlines()[-1].endswith(
        "200 targets: ok=0 changed=198 failed=0 unreachable=1 busy=1 skipped=0"
    )
    assert "unreachable" in fleet.of("gone")
    assert "another reconcile is applying to this database" in fleet.of("t11")
    usual, drifted = fleet.of("t8").split()[3], fleet.of("t7").split()[3]
    assert usual != drifted, "the one changed by hand has one more change"
    again = reconcile("apply", "--all", "--yes", "--forks", str(FORKS))
    assert again.out.splitlines()[-1].endswith(
        "200 targets: ok=198 changed=1 failed=0 unreachable=1 busy=0 skipped=0"
    )
    last = reconcile("apply", "--all", "--yes", "--forks", str(FORKS))
    assert last.out.splitlines()[-1].endswith(
        "ok=199 changed=0 failed=0 unreachable=1 busy=0 skipped=0"
    )
    single = sum(d.cpu for d in alone) / ALONE
    ratio = single * NUMBER / fleet.cpu
    print(
        f"one target alone {single:.2f} s of CPU in {alone[0].seconds:.1f} s;"
        f" {NUMBER} targets {fleet.cpu:.1f} s of CPU in {fleet.seconds:.1f} s: {ratio:.1f} times"
        f" less than {NUMBER} runs; without changes {last.cpu:.1f} s in {last.seconds:.1f} s"
    )
    assert ratio > 10
