"""Test that the example's checks notice changes by hand, each on a copy of the database."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import TypeVar

import psycopg
import pytest
import yaml
from psycopg import conninfo

from reconciler import pipeline
from reconciler.checks.model import Check
from reconciler.checks.run import run_checks
from reconciler.declare.load import load
from reconciler.model.state import Scope
from reconciler.pipeline import Job
from reconciler.report.progress import Lines
from reconciler.server.locks import LockPolicy
from tests.conftest import ROOT, Database, starting_point

T = TypeVar("T")
WORKERS = 2
DECLARATION = load(ROOT / "desired_state")
GROUPS: Mapping[str, Mapping[str, str]] = yaml.safe_load(
    (Path(__file__).parent / "mutations.yml").read_text()
)
MUTATIONS = {  # the script and the check that notices it
    name: (script, check)
    for check, found in GROUPS.items()
    if check != "vacuous"
    for name, script in found.items()
}


@pytest.fixture
def reconciled(new_database: Callable[..., Database]) -> Database:
    """The example at its real size, as declared."""
    database = new_database(starting_point(1))
    job = Job(database.url, DECLARATION, Scope(DECLARATION.schemas))
    policy = LockPolicy()
    plan = pipeline.plan_changes(job)
    outcome = pipeline.apply_plan(plan, job, job.target, Lines(lambda _: None), policy, ["all"])
    assert (outcome.failed, outcome.skipped, outcome.left) == (0, 0, ()), outcome
    database.run("VACUUM ANALYZE")
    return database


@contextmanager
def copied(original: Database, number: int, script: str) -> Generator[str]:
    """Copy a database, change the copy, and drop it in the end; yield the URL."""
    name = f"{original.value('SELECT current_database()')}_{number}"
    maintenance = conninfo.make_conninfo(original.url, dbname="postgres")
    template = str(conninfo.conninfo_to_dict(original.url)["dbname"])
    with psycopg.connect(maintenance, autocommit=True) as connection:
        connection.execute(
            f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy".encode()
        )
        try:
            url = conninfo.make_conninfo(original.url, dbname=name)
            with psycopg.connect(url, autocommit=True) as copy:
                copy.execute(script.encode())
            yield url
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def each_copy(
    original: Database, scripts: Mapping[str, str], work: Callable[[str, str], T]
) -> dict[str, T]:
    """Do the work on a copy for every script, a few at a time."""

    def do(number: int, name: str) -> T:
        with copied(original, number, scripts[name]) as url:
            return work(name, url)

    with ThreadPoolExecutor(WORKERS) as pool:
        return dict(zip(scripts, pool.map(do, count(), scripts), strict=False))


@pytest.mark.heavy
def test_checks_notice_mutations(reconciled: Database, tmp_path: Path) -> None:
    """No check of the structure is asked, and of the declared ones only the one named."""
    checks = DECLARATION.checks
    passed = run_checks(reconciled.url, {**checks, **check_of_readme(tmp_path)})
    assert {r.name: r.complaint for r in passed if not r.passed} == {}

    def status(name: str, url: str) -> str:
        check = MUTATIONS[name][1]
        (result,) = run_checks(url, {check: checks[check]})
        return result.status

    found = each_copy(reconciled, {n: script for n, (script, _) in MUTATIONS.items()}, status)
    assert [name for name, noticed in found.items() if noticed != "failed"] == []
    assert_vacuous(reconciled)


def check_of_readme(folder: Path) -> Mapping[str, Check]:
    """Read the check that docs/checks.md shows, under another name."""
    blocks = (ROOT / "docs" / "checks.md").read_text().split("```yaml\n")[1:]
    (example,) = [b.split("```")[0] for b in blocks if b.startswith("checks:")]
    file = folder / "checks.yml"
    file.write_text(example)
    return {f"README: {name}": check for name, check in load(file).checks.items()}


def assert_vacuous(reconciled: Database) -> None:
    """Where there is nothing to look at, no check fails, and some say that they saw nothing."""

    def statuses(_: str, url: str) -> dict[str, tuple[str, str]]:
        return {r.name: (r.status, r.complaint) for r in run_checks(url, DECLARATION.checks)}

    for name, found in each_copy(reconciled, GROUPS["vacuous"], statuses).items():
        failed = {check: complaint for check, (s, complaint) in found.items() if s == "failed"}
        assert failed == {}, name
        assert [check for check, (status, _) in found.items() if status == "vacuous"], name
