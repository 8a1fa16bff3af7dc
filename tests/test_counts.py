"""Count what a plan asks of the servers: its cost is the cost of the change, not of the database.

A figure that grows is a regression, unless the plan proves more than before.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from benchmarks.counts import (
    DATABASES,
    OBJECTS,
    READ_SCRATCH,
    READ_TARGET,
    SCRATCH,
    TARGET,
    counting,
)
from benchmarks.scenarios import SCENARIOS, write_change
from benchmarks.schema import roles, schema
from reconciler import pipeline
from reconciler.declare.load import load
from reconciler.model.state import Declaration, Scope
from reconciler.pipeline import Job
from tests.conftest import Database

MOST = {  # to the target, to scratch, databases, objects made, and how often both are read
    "nothing": (27, 0, 0, 0, 1, 0),
    "one index": (36, 155, 2, 18, 1, 4),
    "one policy": (32, 170, 3, 17, 1, 5),
    "one table": (32, 220, 3, 27, 1, 5),
    "1 % of tables": (32, 125, 2, 9, 1, 4),
}
FIGURES = (TARGET, SCRATCH, DATABASES, OBJECTS, READ_TARGET, READ_SCRATCH)


def _declared(scenario: str, url: str, folder: Path, tables: int) -> Declaration:
    if scenario != "nothing":
        return load(write_change(folder / scenario, scenario, tables))
    pipeline.export_state(url, Scope(frozenset("*"), everything=True), folder / "whole")
    return load(folder / "whole")


def test_the_cost_of_a_plan_is_that_of_the_change(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    assert MOST.keys() == SCENARIOS.keys()
    for tables in (4, 16):
        url = new_database(roles() + schema(tables)).url
        for scenario, most in MOST.items():
            declaration = _declared(scenario, url, tmp_path / str(tables), tables)
            with counting() as counts:
                plan = pipeline.plan_changes(Job(url, declaration, Scope(declaration.schemas)))
            assert plan.in_sync == (scenario == "nothing")
            found = {figure: counts[figure] for figure in FIGURES}
            excess = {f: n for (f, n), m in zip(found.items(), most, strict=True) if n > m}
            assert not excess, f"{scenario} of {tables} tables: {excess} is more than {most}"
