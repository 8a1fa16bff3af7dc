"""Keys that mean nothing beside the others of an entry are refused, each at its line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from reconciler import pipeline
from reconciler.declare.load import load
from reconciler.errors import DeclarationError
from reconciler.kinds import KINDS
from tests.conftest import Database
from tests.test_locks import job_of

REFUSED = {  # a declaration, and the keys that are refused with what they need
    "tables: {t: {constraints: {c: {check: a > 0, on_delete: cascade, on_update: cascade}}}}": {
        "on_delete": "foreign_key",
        "on_update": "foreign_key",
    },
    "tables: {t: {constraints: {c: {check: a > 0, deferrable: deferred, include: [b]}}}}": {
        "deferrable": "unique",
        "include": "primary_key",
    },
    "tables: {t: {constraints: {c: {foreign_key: a, references: t, include: b}}}}": {
        "include": "unique"
    },
    "tables: {t: {constraints: {c: {foreign_key: a, references: t, on_delete_columns: a}}}}": {
        "on_delete_columns": "on_delete"
    },
    "tables: {t: {constraints: {c: {unique: a, no_inherit: true, not_valid: true}}}}": {
        "no_inherit": "check",
        "not_valid": "foreign_key",
    },
    "tables: {t: {constraints: {c: {check: a > 0, not_valid: true, not_enforced: true}}}}": {
        "not_valid": "not_enforced"
    },
    "tables: {t: {triggers: {g: {inherited: true, after: insert, when: 'true'}}}}": {
        "after": "inherited",
        "when": "inherited",
    },
    "casts: {int AS text: {method: inout, function: f(int)}}": {"function": "method"},
    "tables: {t: {constraints: {c: {primary_key: a, nulls_not_distinct: true}}}}": {
        "nulls_not_distinct": "unique"
    },
    "tables: {t: {indexes: {i: {on: a, nulls_not_distinct: true}}}}": {
        "nulls_not_distinct": "unique"
    },
    "casts: {text AS int: {function: f(text), method: inout}}": {"function": "method"},
    "tables: {t: {triggers: {x: {inherited: true, enabled: always, when: 'true'}}}}": {
        "when": "inherited"
    },
    "publications: {p: {all_tables: true, tables: [t], schemas: [s]}}": {
        "tables": "all_tables",
        "schemas": "all_tables",
    },
}
LATER = {  # where the live object could have what the key needs
    "tables: {t: {columns: {a: {virtual: true}, n: {type: int, virtual: true}}}}": {
        "virtual": "generated"
    },
    "tables: {t: {values: DEFAULT, attach_under_lock: true}}": {
        "values": "partition_of",
        "attach_under_lock": "partition_of",
    },
    "tables: {p1: {inherits: q}}": {"inherits": "partition_of"},
    "domains: {d: {not_null_name: x, not_null_comment: y}}": {
        "not_null_name": "not_null",
        "not_null_comment": "not_null",
    },
}
LIVE = """
CREATE TABLE public.t (a int);
CREATE DOMAIN public.d AS int;
CREATE TABLE public.p (a int) PARTITION BY LIST (a);
CREATE TABLE public.p1 PARTITION OF public.p FOR VALUES IN (1);
"""
TRUE = """
tables:
  t:
    constraints:
      c: {check: a > 0, on_delete: no action, nulls_not_distinct: false, include: []}
    indexes: {i: {on: a, nulls_not_distinct: false}}
    columns: {a: {type: int, virtual: false, primary_key: false}}
publications: {p: {all_tables: false, tables: [t]}}
"""


def loaded(declared: str, folder: Path) -> None:
    file = folder / "state.yml"
    file.write_text(declared)
    load(file)


@pytest.mark.parametrize("declared", REFUSED)
def test_a_key_of_another_sort_is_refused(declared: str, tmp_path: Path) -> None:
    with pytest.raises(DeclarationError) as refused:
        loaded(declared, tmp_path)
    assert_refused(refused.value, REFUSED[declared])


def assert_refused(error: DeclarationError, expected: Mapping[str, str]) -> None:
    for key, needed in expected.items():
        found = [p for p in error.problems if f": {key} means nothing " in p.message]
        assert found, (key, error)
        for problem in found:
            assert needed in problem.message
            assert problem.position is not None
            assert problem.position.text[problem.position.column - 1 :].startswith(f"{key}:")
    assert all(" means nothing " in p.message for p in error.problems)


def test_a_key_that_the_live_object_does_not_fit_is_refused(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    database = new_database(LIVE)
    for declared, expected in LATER.items():
        with pytest.raises(DeclarationError) as refused:
            pipeline.plan_changes(job_of(database, declared, tmp_path))
        assert_refused(refused.value, expected)
    fits = "tables: {p1: {values: FOR VALUES IN (1)}}"
    assert pipeline.plan_changes(job_of(database, fits, tmp_path)).in_sync


def test_a_default_may_be_written_anywhere(tmp_path: Path) -> None:
    loaded(TRUE, tmp_path)


@pytest.mark.parametrize("kind", KINDS)
def test_rules_name_fields(kind: str) -> None:
    model = KINDS[kind]
    for rules in (model.only_with, model.not_with):
        assert {*rules, *(o for others in rules.values() for o in others)} <= {*model.model_fields}


KEYS = """
CREATE TABLE public.t (id int PRIMARY KEY, u int UNIQUE, r int REFERENCES public.t (id), n int);
"""


@pytest.mark.parametrize(
    ("column", "key", "constraint"),
    [
        ("id", "primary_key: false", "t_pkey"),
        ("u", "unique: false", "t_u_key"),
        ("r", "references: null", "t_r_fkey"),
    ],
)
def test_a_column_that_denies_its_constraint_is_refused(
    column: str, key: str, constraint: str, new_database: Callable[..., Database], tmp_path: Path
) -> None:
    database = new_database(KEYS)
    with pytest.raises(DeclarationError) as refused:
        pipeline.plan_changes(
            job_of(database, f"tables: {{t: {{columns: {{{column}: {{{key}}}}}}}}}", tmp_path)
        )
    assert f"there is constraint {constraint} on public.t" in str(refused.value)
    assert f"constraints: {{{constraint}: {{state: absent}}}}" in str(refused.value)
    absent = f"constraints: {{{constraint}: {{state: absent}}, t_r_fkey: {{state: absent}}}}"
    both = f"tables: {{t: {{columns: {{{column}: {{{key}}}, n: {{{key}}}}}, {absent}}}}}"
    if column != "r":
        plan = pipeline.plan_changes(job_of(database, both, tmp_path))
        assert f"DROP CONSTRAINT {constraint}" in plan.steps[-1].sql
