"""Count what a plan asks of the servers: its cost is the cost of the change, not of the database.

A figure that grows is a regression, unless the plan proves more than before.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from benchmarks.counts import (
    DATABASES,
    OBJECTS,
    READ_SCRATCH,
    READ_TARGET,
    SCRATCH,
    TARGET,
    TRIPS_SCRATCH,
    TRIPS_TARGET,
    counting,
)
from benchmarks.databases import spelled_by_people
from benchmarks.scenarios import SCENARIOS, write_change
from benchmarks.schema import roles, schema
from reconciler import pipeline
from reconciler.declare.load import load
from reconciler.model.state import Declaration, Scope
from reconciler.pipeline import Job
from reconciler.server.locks import LockPolicy
from tests.conftest import Database
from tests.test_execute import RecordingWatcher

EVERYTHING = Scope(frozenset("*"), everything=True)
SIZES = (4, 16)  # tables
FIGURES = (
    *(TARGET, TRIPS_TARGET, READ_TARGET),
    *(SCRATCH, TRIPS_SCRATCH, READ_SCRATCH),
    *(DATABASES, OBJECTS),
)
# The catalog queries of a scratch database are prepared when they first run there.
MOST = {  # whatever the size of the database
    "nothing": (27, 27, 1, 0, 0, 0, 0, 0),
    "one index": (36, 36, 1, 164, 132, 4, 2, 16),
    "one policy": (32, 32, 1, 140, 112, 4, 2, 10),
    "one table": (32, 32, 1, 174, 124, 4, 2, 16),
    "1 % of tables": (32, 32, 1, 138, 110, 4, 2, 8),
}
MOST_OF_ALL = {  # for a database of 4 tables, and for each further table
    "as people spell it": ((36, 36, 1, 264, 108, 2, 2, 60), (0, 0, 0, 31, 2, 0, 0, 11)),
    "from empty": ((20, 20, 1, 390, 158, 4, 2, 80), (0, 0, 0, 54, 4, 0, 0, 16)),
    # how often an apply checks what it has done depends on its speed
    "apply, from empty": ((400, 330, 3, 390, 158, 4, 2, 80), (30, 12, 0, 54, 4, 0, 0, 16)),
}
Databases = Callable[..., Database]


@contextmanager
def costing_at_most(most: tuple[int, ...], title: str) -> Generator[None]:
    """Count in the block, and fail above one of the figures."""
    with counting() as counts:
        yield
    found = {figure: counts[figure] for figure in FIGURES}
    excess = {f: n for (f, n), m in zip(found.items(), most, strict=True) if n > m}
    assert not excess, f"{title}: {excess} is more than {most}"


def _declared(scenario: str, url: str, folder: Path, tables: int) -> Declaration:
    if scenario != "nothing":
        return load(write_change(folder / scenario, scenario, tables))
    pipeline.export_state(url, EVERYTHING, folder / "whole")
    return load(folder / "whole")


def test_the_cost_of_a_plan_is_that_of_the_change(new_database: Databases, tmp_path: Path) -> None:
    assert MOST.keys() == SCENARIOS.keys()
    for tables in SIZES:
        url = new_database(roles() + schema(tables)).url
        # the process's scratch server gets the roles once
        pipeline.plan_changes(Job(url, load(write_change(tmp_path, "one table", tables)), Scope()))
        for scenario, most in MOST.items():
            declaration = _declared(scenario, url, tmp_path / str(tables), tables)
            with costing_at_most(most, f"{scenario} of {tables} tables"):
                plan = pipeline.plan_changes(Job(url, declaration, Scope(declaration.schemas)))
            assert plan.in_sync == (scenario == "nothing")


@pytest.mark.parametrize("tables", SIZES)
def test_the_cost_of_a_whole_database_is_that_of_its_objects(
    tables: int, new_database: Databases, tmp_path: Path
) -> None:
    most = {
        scenario: tuple(m + n * (tables - SIZES[0]) for m, n in zip(*figures, strict=True))
        for scenario, figures in MOST_OF_ALL.items()
    }
    url, empty = new_database(roles() + schema(tables)).url, new_database().url
    pipeline.export_state(url, EVERYTHING, tmp_path / "whole")
    spelled_by_people(tmp_path / "whole", tmp_path / "spelled")
    spelled = Job(url, load(tmp_path / "spelled"), EVERYTHING)
    pipeline.plan_changes(spelled)  # the process's scratch server gets the roles once
    with costing_at_most(most["as people spell it"], f"as people spell {tables} tables"):
        assert pipeline.plan_changes(spelled).in_sync
    whole = Job(empty, load(tmp_path / "whole"), EVERYTHING)
    with costing_at_most(most["from empty"], f"from empty to {tables} tables"):
        plan = pipeline.plan_changes(whole)
    with costing_at_most(most["apply, from empty"], f"apply from empty to {tables} tables"):
        plan = pipeline.plan_changes(whole)
        outcome = pipeline.apply_plan(
            plan, whole, empty, RecordingWatcher(), LockPolicy(), allow=["all"]
        )
    assert (outcome.failed, outcome.left) == (0, ())


def test_sql_that_postgres_prints_in_two_ways_is_planned_in_the_last(
    new_database: Databases, tmp_path: Path
) -> None:
    """The proof of a plan shows which other form that is; then all is built until it stays."""
    declared = tmp_path / "state.yml"
    declared.write_text(
        """
        tables:
          parcel:
            columns: {state: varchar(9)}
            constraints: {known: {check: "state IN ('new', 'sent')"}}
        """
    )
    url = new_database().url
    job = Job(url, load(declared), Scope(frozenset({"public"})))
    with counting() as counts:
        plan = pipeline.plan_changes(job)
    assert counts[DATABASES] > MOST_OF_ALL["from empty"][0][FIGURES.index(DATABASES)]
    assert any("('new'::character varying)::text" in step.sql for step in plan.steps)
    outcome = pipeline.apply_plan(plan, job, url, RecordingWatcher(), LockPolicy(), allow=["all"])
    assert (outcome.failed, outcome.left) == (0, ())
