"""Alter every field of every kind by hand: exactly this is found, and exactly this is repaired.

tests/drift/<kind>.yml holds, for one kind,
before   SQL that makes what the fields are altered on
fields   for each field: `of`, the object's identity, and `by`, the SQL that alters only this field;
         `also` lists further fields of the object that always change with it; `since` is the first
         PostgreSQL that has the field
flags    as of the cases
roles    the roles that are exported too
never    the fields that no database holds, and why
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import BaseModel, ConfigDict
from yaml import safe_load

from reconciler import pipeline
from reconciler.declare.fields import fields_of
from reconciler.declare.load import load
from reconciler.introspect.global_objects import RolesAsked
from reconciler.kinds import KINDS
from reconciler.model.state import Scope
from reconciler.pipeline import Job
from reconciler.report.progress import Lines
from reconciler.server.locks import LockPolicy
from tests.conftest import MAJORS, Database
from tests.installations import installed
from tests.test_cases import need, scratch_for

FOLDER = Path(__file__).parent / "drift"
EVERYTHING = Scope(frozenset({"*"}), prune=True, everything=True)
NEVER = {  # of every kind
    "renamed_from": "what an object was called is in no catalog",
    "depends_on": "it is declared because no catalog knows it",
    "lint": "it is about findings, not about the database",
}


class Alteration(BaseModel):
    """The alteration of one field by hand."""

    model_config = ConfigDict(extra="forbid")

    of: str
    by: str
    also: list[str] = []
    since: int = 14


class Sample(BaseModel):
    """The content of one file."""

    model_config = ConfigDict(extra="forbid")

    before: str
    fields: dict[str, Alteration] = {}
    never: dict[str, str] = {}
    flags: list[str] = []
    roles: list[str] = []


SLOW = {"base_type"}  # with fifty types of their own; tests/test_base_types.py is quicker


def sample_of(kind: str) -> Sample:
    return Sample.model_validate(safe_load((FOLDER / f"{kind}.yml").read_text()))


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_field_has_an_alteration(kind: str) -> None:
    sample = sample_of(kind)
    known = set(fields_of(KINDS[kind])) - NEVER.keys()
    assert {*sample.fields, *sample.never} == known
    assert not sample.fields.keys() & sample.never.keys()


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_drift_is_found_and_repaired(
    kind: str, each_major: int, new_database: Callable[..., Database], tmp_path: Path
) -> None:
    if (each_major != MAJORS[0] or kind in SLOW) and not installed():
        pytest.skip(
            "the newest is enough here; with RECONCILE_TEST_POSTGRES all run on every PostgreSQL"
        )
    sample = sample_of(kind)
    need(sample.flags, each_major)
    altered = {f: a for f, a in sample.fields.items() if a.since <= each_major}
    database = new_database(sample.before, each_major)
    before = database.dump()
    pipeline.export_state(
        database.url, EVERYTHING, tmp_path / "state", roles=RolesAsked(frozenset(sample.roles))
    )
    scratch = scratch_for(sample.flags, database)
    job = Job(database.url, load(tmp_path / "state"), EVERYTHING, scratch)
    assert pipeline.plan_changes(job).in_sync

    for alteration in altered.values():
        database.run(alteration.by)
    plan = pipeline.plan_changes(job)
    found = {
        (c.action, c.kind, c.identity, d.field.split(".")[0])
        for c in plan.changes
        for d in c.differences
    }
    assert found == {
        ("alter", kind, a.of, field) for f, a in altered.items() for field in (f, *a.also)
    }
    assert all(c.differences for c in plan.changes)

    outcome = pipeline.apply_plan(
        plan, job, database.url, Lines(lambda _: None), LockPolicy(), ["all"]
    )
    assert (outcome.failed, outcome.skipped, outcome.left) == (0, 0, ())
    assert database.dump() == before
    assert pipeline.plan_changes(job).in_sync
