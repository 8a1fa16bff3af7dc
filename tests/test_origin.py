"""Changes and refusals tell the YAML that causes them, a stable rule name and a severity."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler import errors, pipeline
from reconciler.declare.load import load
from reconciler.errors import DeclarationError, PlanError, ReconcileError
from reconciler.model.state import Scope
from reconciler.pipeline import Job
from reconciler.plan.plan import ORIGIN_FIELDS, Plan
from tests.conftest import Database

KEBAB_CASE = re.compile(r"[a-z]+(-[a-z0-9]+)*")
DECLARED = """\
tables:
  t:
    exclusive: [columns]
    columns:
      id: bigint
      n: {type: integer, not_null: true, backfill: {value: 0}}
  u:
    columns: {id: bigint}
  gone:
    state: absent
"""


def planned(database: Database, folder: Path, text: str) -> Plan:
    file = folder / "state.yml"
    file.write_text(text)
    return pipeline.plan_changes(Job(database.url, load(file), Scope(frozenset({"public"}))))


def subclasses(of: type[ReconcileError]) -> Iterator[type[ReconcileError]]:
    for kind in of.__subclasses__():
        yield kind
        yield from subclasses(kind)


def test_every_kind_of_error_has_a_rule_of_its_own() -> None:
    kinds = [ReconcileError, *subclasses(ReconcileError)]
    assert {k.__name__ for k in kinds} >= {
        n for n, e in vars(errors).items() if isinstance(e, type) and issubclass(e, ReconcileError)
    }
    assert all(KEBAB_CASE.fullmatch(k.rule) and k.severity == "error" for k in kinds)
    assert len({k.rule for k in kinds}) == len(kinds)


def test_changes_tell_where_they_are_declared(database: Database, tmp_path: Path) -> None:
    database.run(
        "CREATE TABLE public.t (id bigint, n integer, spare text);"
        "CREATE TABLE public.gone (id int); CREATE TABLE public.other (id int);"
    )
    plan = planned(database, tmp_path, DECLARED)
    found = {
        f"{c.action} {c.kind} {c.identity}": (
            c.position and (Path(c.position.file).name, c.position.line, c.position.column),
            c.rule,
            c.severity,
        )
        for c in plan.changes
        if (c.kind, c.identity) != ("column", "public.gone.id")
    }
    assert found == {
        "create table public.u": (("state.yml", 7, 3), "create", "note"),
        "create column public.u.id": (("state.yml", 8, 15), "create", "note"),
        "alter column public.t.n": (("state.yml", 6, 26), "alter", "note"),
        "drop column public.t.spare": (("state.yml", 3, 5), "data-loss", "warning"),
        "drop table public.gone": (("state.yml", 9, 3), "data-loss", "warning"),
    }


def test_plans_that_were_saved_without_origins_stay_intact(
    database: Database, tmp_path: Path
) -> None:
    plan = planned(database, tmp_path, "tables:\n  t: {columns: {id: bigint}}\n")
    document = json.loads(plan.model_dump_json())
    for change in document["changes"]:
        assert change.keys() >= ORIGIN_FIELDS
        for field in ORIGIN_FIELDS:
            del change[field]
    saved = Plan.model_validate_json(json.dumps(document))
    assert saved.intact()
    assert saved.changes[0].position is None


@pytest.mark.parametrize(
    ("text", "rule", "place"),
    [
        ("tables: {t: {colums: {}}}\n", "unknown-key", "1:14"),
        ("tables: {t: {columns: {a: nosuchtype}}}\n", "type-not-found", "1:27"),
        ("schema: nowhere\nviews: {v: {query: SELECT 1}}\n", "schema-not-found", "2:9"),
        ("views: {v: {query: SELECT * FROM missing}}\n", "relation-not-found", "1:13"),
        ("tables: {t: [\n", "not-yaml", "2:1"),
    ],
)
def test_refusals_tell_rule_and_position(
    text: str, rule: str, place: str, database: Database, tmp_path: Path
) -> None:
    with pytest.raises(DeclarationError) as refused:
        planned(database, tmp_path, text)
    problem = refused.value.problems[0]
    assert (problem.rule, problem.severity) == (rule, "error")
    assert str(problem.position).endswith(f"state.yml:{place}")
    assert refused.value.position == problem.position


def test_a_change_that_no_plan_can_make_tells_where_it_is_declared(
    database: Database, tmp_path: Path
) -> None:
    database.run("CREATE TABLE public.t (b int, a int GENERATED ALWAYS AS (b + 1) STORED)")
    with pytest.raises(PlanError) as refused:
        planned(database, tmp_path, "tables: {t: {columns: {a: {type: bigint, retype: online}}}}\n")
    assert str(refused.value.position).endswith("state.yml:1:24")
    assert refused.value.rule == "no-order"
