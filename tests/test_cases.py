"""Run every folder of tests/cases.

The plan is exactly the expected text and SQL, converges, gives the same database when psql runs
its script, and its undo restores the start.

actual.sql   the database before
desired.yml  the declaration
flags        (optional) words separated by blanks:
             `prune`         plan with --prune
             `partial-undo`  the undo does not restore everything: the start holds unfinished work,
                             or the plan has an irreversible hazard
             `since-15`      skip on older majors (any number)
             `embedded`      skip on servers other than the embedded ones, which have the extension
             `labels`        skip where no provider of security labels can be loaded
             `respelled`     PostgreSQL prints the expression differently after it has parsed its
                             own output; the export is not compared as text
plan.txt     the output of `plan` without the line of the target; --update-cases rewrites it and
             plan.sql
plan.sql     the output of `plan --format sql` without its first line and the session's parameters
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path

import pytest

from reconciler import pipeline
from reconciler.declare.load import load
from reconciler.errors import DeclarationError
from reconciler.kinds import KINDS
from reconciler.model.state import Scope
from reconciler.pipeline import Job
from reconciler.plan.plan import Plan
from reconciler.report import sql, text
from reconciler.report.progress import Lines
from reconciler.server.connection import connect, run_sql
from reconciler.server.locks import LockPolicy
from tests.conftest import MAJORS, SUPPORTED, Database, need_labels
from tests.installations import installed

CASES = Path(__file__).parent / "cases"
FOUND = sorted(p.parent for p in CASES.glob("*/*/desired.yml"))
FIRST = set({c.parent.name: c for c in reversed(FOUND)}.values())  # of each kind


def quiet() -> Lines:
    return Lines(lambda _: None)


def flagged(case: Path, flag: str) -> bool:
    return flag in flags(case)


def flags(case: Path) -> list[str]:
    return (case / "flags").read_text().split() if (case / "flags").exists() else []


def needs(case: Path, major: int) -> None:
    """Skip the test if the case's flags exclude the server."""
    need(flags(case), major)


def need(required: list[str], major: int) -> None:
    """Skip the test if a flag excludes the server."""
    for flag in required:
        if flag.startswith("since-") and major < int(flag.removeprefix("since-")):
            pytest.skip(f"needs PostgreSQL {flag.removeprefix('since-')}")
        if flag == "embedded" and major not in MAJORS:
            pytest.skip("needs an extension that the embedded PostgreSQL has")
        if flag == "labels":
            need_labels(major)


def scratch_for(flags: Collection[str], database: Database) -> str:
    """Choose the scratch server: only the tests' own has the library of the label provider."""
    return database.url if "labels" in flags else "auto"


def job_of(case: Path, database: Database) -> Job:
    declaration = load(case / "desired.yml")
    scope = Scope(declaration.schemas, prune=flagged(case, "prune"))
    scratch = scratch_for(["labels"] if flagged(case, "labels") else [], database)
    return Job(database.url, declaration, scope, scratch)


@pytest.mark.parametrize("case", FOUND, ids=lambda c: f"{c.parent.name}/{c.name}")
def test_case(
    case: Path,
    each_major: int,
    new_database: Callable[..., Database],
    request: pytest.FixtureRequest,
) -> None:
    if each_major != MAJORS[0] and not installed() and case not in FIRST:
        pytest.skip(
            "one case of each kind is enough here; with RECONCILE_TEST_POSTGRES all run on "
            "every "
            "PostgreSQL"
        )
    needs(case, each_major)
    actual = (case / "actual.sql").read_text()
    database = new_database(actual, each_major)
    job = job_of(case, database)
    plan = pipeline.plan_changes(job)
    if each_major == MAJORS[0]:
        _expect(case, plan, update=bool(request.config.getoption("--update-cases")))

    if not _is_applied(case, each_major):
        return  # the proof on scratch has run the plan and its undo
    before = database.dump()
    outcome = pipeline.apply_plan(plan, job, database.url, quiet(), LockPolicy(), ["all"])
    assert (outcome.failed, outcome.skipped, outcome.left) == (0, 0, ())
    after = database.dump()
    assert pipeline.plan_changes(job).in_sync

    undo(plan, database)
    if not flagged(case, "partial-undo"):
        assert database.dump() == before

    by_psql = new_database(actual, each_major)
    done = by_psql.psql(sql.plan(plan))
    assert done.returncode == 0, done.stderr
    assert by_psql.dump() == after
    _build_from_declaration_only(case, new_database(major=each_major), after)


def _is_applied(case: Path, major: int) -> bool:
    """Return whether a case is run on a target, too; with RECONCILE_TEST_POSTGRES all are."""
    some = case in FIRST or FOUND.index(case) % 10 == 0
    return bool(installed()) or (some and major == MAJORS[0])


def _without_target(plan: Plan) -> str:
    lines = str(text.plan(plan)).splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith(plan.target))


def _expect(case: Path, plan: Plan, *, update: bool) -> None:
    scratch = "a server of the test" if flagged(case, "labels") else plan.scratch
    shown = {
        "plan.txt": _without_target(plan).replace(plan.scratch, scratch),
        "plan.sql": sql.plan(plan).split("\n", 1)[1].replace(f"{sql.PARAMETERS}\n", ""),
    }
    own_name = plan.database.partition("/")[2]
    for name, script in shown.items():
        content = script.replace(own_name, "this_database")
        if update:
            (case / name).write_text(content)
        assert (case / name).read_text() == content


def undo(plan: Plan, database: Database) -> None:
    """Run the undo of every step in reverse order."""
    with connect(database.url) as connection:
        run_sql(connection, "SELECT set_config('search_path', '', false)")
        for step in reversed(plan.steps):
            for statement in step.undo:
                run_sql(connection, statement)


def _build_from_declaration_only(case: Path, empty: Database, after: list[str]) -> None:
    """Apply the declaration to an empty database; a complete one gives the same result."""
    job = job_of(case, empty)
    try:
        plan = pipeline.plan_changes(job)
    except DeclarationError:
        return  # the declaration needs objects of actual.sql
    pipeline.apply_plan(plan, job, empty.url, quiet(), LockPolicy(), ["all"])
    if job.scope.prune:
        assert empty.dump() == after


def test_cases_exist_for_every_kind() -> None:
    assert {c.parent.name for c in FOUND} == set(KINDS)


@pytest.mark.parametrize("major", SUPPORTED)
def test_the_major_is_in_the_matrix(major: int) -> None:
    if major not in {*MAJORS, *installed()}:
        pytest.skip(
            f"PostgreSQL {major} is not installed: RECONCILE_TEST_POSTGRES names folders that "
            "hold bin/postgres"
        )
