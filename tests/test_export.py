"""What is exported is what is there: a plan of it is empty, and a fresh database built from it is the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler import pipeline
from reconciler.errors import SettingsError
from reconciler.load import load
from reconciler.locks import Patience
from reconciler.pipeline import Job
from reconciler.state import Scope
from reconciler.watch import Lines
from tests.conftest import MAJORS, Database, starting_point
from tests.test_cases import FOUND, flagged, needs

EVERYTHING = Scope(frozenset({"*"}), prune=True, everything=True)


def round_trip(database: Database, fresh: Database, folder: Path) -> None:
    pipeline.export_state(database.url, EVERYTHING, folder)
    declaration = load(folder)
    assert pipeline.plan_changes(Job(database.url, declaration, EVERYTHING)).in_sync
    job = Job(fresh.url, declaration, EVERYTHING)
    outcome = pipeline.apply_plan(pipeline.plan_changes(job), job, fresh.url, Lines(lambda _: None), Patience(), ["all"])
    assert (outcome.failed, outcome.skipped, outcome.left) == (0, 0, ())
    assert fresh.dump() == [line for line in database.dump() if not line.strip().startswith("password ")]  # a secret stays where it is


SOUND = [c for c in FOUND if not flagged(c, "debris") and not flagged(c, "respelled")]


@pytest.mark.parametrize("case", SOUND, ids=lambda c: f"{c.parent.name}/{c.name}")
def test_every_case_round_trips(case: Path, new_database: Callable[..., Database], tmp_path: Path) -> None:
    needs(case, MAJORS[0])
    round_trip(new_database((case / "actual.sql").read_text()), new_database(), tmp_path / "state")


def test_the_example_round_trips(new_database: Callable[..., Database], tmp_path: Path) -> None:
    database, fresh = new_database(starting_point(0.01)), new_database()
    round_trip(database, fresh, tmp_path / "state")


def test_export_never_writes_beside_other_files(database: Database, tmp_path: Path) -> None:
    (tmp_path / "mine.yml").write_text("schema: public\n")
    with pytest.raises(SettingsError, match="empty folder"):
        pipeline.export_state(database.url, EVERYTHING, tmp_path)
