"""Lint the SQL of all cases and of the conversations plan with squawk: https://squawkhq.com/docs/rules

Each warning is either a hazard in a comment above the statement or a rule that is disabled here
with a reason.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from reconciler import pipeline
from reconciler.declare.load import load
from reconciler.model.state import Scope
from reconciler.pipeline import Job
from reconciler.report import sql
from tests.conftest import ROOT, Database

CASES = [
    case
    for case in sorted((ROOT / "tests" / "cases").glob("*/*/plan.sql"))
    if "\\getenv" not in case.read_text()  # squawk reads no variables of psql
]
DECLARED = "declared so; a step that loses data has its own hazard"
PART = (
    "it goes and comes back in one transaction, because something beneath it is replaced; "
    "the step that builds it has the hazard"
)
SWITCHED_OFF = {
    "prefer-robust-stmts": (
        "IF NOT EXISTS would take an invalid index for a good one; "
        "a rerun starts from what is there"
    ),
    "prefer-bigint-over-int": "the declaration says which type",
    "prefer-text-field": "the declaration says which type",
    "require-enum-value-ordering": "a value that is last needs no place",
    "require-concurrent-index-deletion": PART,
    "ban-create-domain-with-constraint": "a new domain has no columns yet",
    "ban-alter-domain-with-add-constraint": (
        "NOT VALID first, then VALIDATE: it is the check under lock that the rule is about"
    ),
    "renaming-object": (
        "steps of a swap: the name is back before anybody sees it gone; or declared as renamed_from"
    ),
    "renaming-column": "declared as renamed_from",
    "renaming-table": "declared as renamed_from",
    "ban-drop-generated-expression": DECLARED,
    "ban-alter-identity": DECLARED,
    "ban-set-schema": DECLARED,
    "require-concurrent-partition-detach": (
        "DETACH CONCURRENTLY leaves a check behind and is refused with a default partition"
    ),
    **dict.fromkeys(
        (
            "ban-drop-column",
            "ban-drop-constraint",
            "ban-drop-default",
            "ban-drop-domain",
            "ban-drop-function",
            "ban-drop-not-null",
        ),
        DECLARED,
    ),
    **dict.fromkeys(
        ("ban-drop-sequence", "ban-drop-table", "ban-drop-type", "ban-drop-view"), DECLARED
    ),
}
ONLY = "ALTER TABLE ONLY"  # partitions are not locked: their constraints are attached one by one
# the partitions already have the indexes
WITH_PARTITION_INDEXES = ("ADD CONSTRAINT parts_once", "ADD CONSTRAINT p_key UNIQUE (email, id)")
PROVEN = "_not_null NOT NULL"  # a validated check exists
# Rules with exceptions: statements that contain these words block nobody.
HARMLESS = {
    "changing-column-type": (
        "TYPE text;",
        "TYPE character varying",
        "TYPE numeric(",
        "FOREIGN TABLE",
    ),  # no rewrite, as the case shows
    "constraint-missing-not-valid": (
        "old_orders",
        ONLY,
        *WITH_PARTITION_INDEXES,
        PROVEN,
    ),  # old_orders is a foreign table: nothing is checked
    "disallowed-unique-constraint": (ONLY, *WITH_PARTITION_INDEXES),
    "adding-serial-primary-key-field": (ONLY,),
    "adding-field-with-default": (
        "ADD COLUMN id uuid DEFAULT gen_random_uuid()",
    ),  # a small table, as the case shows
    "require-concurrent-index-creation": (
        " ON ONLY ",
        "ON public.by_region",
    ),  # by_region is created in the same plan
    "adding-required-field": ("d_known NOT NULL",),  # the table is empty, as the case shows
    "prefer-timestamp-tz": ("hour timestamp without",),  # an hour of UTC, which no TimeZone changes
}
UNSUPPORTED_SYNTAX = ("CREATE TRUSTED LANGUAGE",)  # statements that squawk cannot parse


def squawk(version: int, *files: Path) -> list[dict[str, Any]]:
    command = [
        Path(sys.executable).parent / "squawk",
        "--pg-version",
        f"{version}.0",
        "--reporter",
        "json",
        *files,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    return json.loads(done.stdout)


def unexplained(finding: dict[str, Any]) -> bool:
    lines, line, rule = (
        Path(str(finding["file"])).read_text().splitlines(),
        int(finding["line"]),
        str(finding["rule_name"]),
    )
    statement, above = lines[line], lines[line - 1]
    if rule == "syntax-error":
        return not statement.startswith(UNSUPPORTED_SYNTAX)
    harmless = any(words in statement for words in HARMLESS.get(rule, ()))
    return rule not in SWITCHED_OFF and not harmless and not above.startswith("-- hazard")


def words(findings: list[dict[str, Any]]) -> list[str]:
    return [
        f"{f['rule_name']} at {f['file']}:{f['line'] + 1}: {f['message']}"
        for f in findings
        if unexplained(f)
    ]


@pytest.mark.parametrize("version", [15, 18])
def test_every_case(version: int) -> None:
    assert len(CASES) > 100
    assert words(squawk(version, *CASES)) == []


@pytest.mark.parametrize("version", [15, 18])
def test_the_conversations(version: int, conversations: Database, tmp_path: Path) -> None:
    declaration = load(ROOT / "desired_state")
    plan = pipeline.plan_changes(Job(conversations.url, declaration, Scope(declaration.schemas)))
    assert len(plan.steps) > 20
    (tmp_path / "plan.sql").write_text(sql.plan(plan))
    assert words(squawk(version, tmp_path / "plan.sql")) == []


def test_squawk_finds_a_blocking_index(tmp_path: Path) -> None:
    (tmp_path / "plan.sql").write_text(
        "SET lock_timeout = '2s';\nSET statement_timeout = '30s';\n\nCREATE INDEX i ON t (a);\n"
    )
    assert [
        "require-concurrent-index-creation" in w for w in words(squawk(18, tmp_path / "plan.sql"))
    ] == [True]


def test_every_disabled_rule_is_needed() -> None:
    assert {*SWITCHED_OFF} <= {f["rule_name"] for f in squawk(18, *CASES)}
