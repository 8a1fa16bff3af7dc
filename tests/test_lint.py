"""Test `lint`: each rule on a failing and a passing schema, and what the mend leaves."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.introspect.introspect import introspect
from reconciler.lint.database import read_database
from reconciler.lint.document import document
from reconciler.lint.look import look
from reconciler.lint.rule import Finding
from reconciler.lint.rules import all_rules
from reconciler.server.connection import connect_to_read
from tests.conftest import ROOT, Database

CASES = Path(__file__).parent / "lint" / "rules"
API_ROLES = ("anon", "authenticated")
ROLES = "".join(
    f"DO $$ BEGIN CREATE ROLE {role} NOLOGIN; EXCEPTION WHEN duplicate_object OR unique_violation"
    " THEN NULL; END $$;"
    for role in (*API_ROLES, "backend")
)
WEEKS = 30 * 86_400.0
NO_SCHEMA = {"extension-in-public": ("extension citext", "extension pg_trgm")}
NO_SQL = {  # rules whose mend is another design, which only a person can write
    "view-not-limitable",
}
OF_DECLARATIONS = {"unused-suppression"}
WITH_EXTENSIONS = {18}  # the embedded PostgreSQL 16 has but one that can be moved
SPLINTER = {1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 16, 20, 24, 28, 29}


def _found(database: Database) -> list[Finding]:
    with connect_to_read(database.url) as connection:
        addresses = introspect(connection).addresses
        facts = read_database(connection, API_ROLES)
        return look(replace(facts, observed=WEEKS), addresses)


def _of(findings: list[Finding], rule: str, place: str) -> list[Finding]:
    """Return a rule's findings in the failing ("f") or passing ("p") schema."""
    wanted = NO_SCHEMA.get(rule, (f"f_{rule}.", f"p_{rule}."))["fp".index(place)]
    return [f for f in findings if f.rule == rule and wanted in f.identity]


@pytest.mark.parametrize("major", [18, 16])
def test_each_rule_finds_its_failing_case_until_it_is_mended(
    new_database: Callable[..., Database], major: int
) -> None:
    database = new_database(ROLES, major=major)
    rules = [r for r in all_rules() if r not in OF_DECLARATIONS]
    assert sorted(rules) == sorted(p.stem for p in CASES.iterdir())
    if major not in WITH_EXTENSIONS:
        rules.remove("extension-in-public")
    for rule in rules:
        failing, passing = (CASES / f"{rule}.sql").read_text().split("-- passing\n")
        for place, script in (("f", failing), ("p", passing)):
            schema = f'"{place}_{rule}"'
            database.run(
                f"CREATE SCHEMA {schema}; GRANT USAGE ON SCHEMA {schema} TO PUBLIC;"
                f"SET search_path = {schema}; {script}"
            )
    database.psql("VACUUM")
    findings = _found(database)
    assert [r for r in rules if not _of(findings, r, "f")] == []
    assert [f for r in rules for f in _of(findings, r, "p")] == []
    without_sql = {f.rule for f in findings if f.mend.startswith("-- ")}
    assert without_sql >= NO_SQL
    for rule in rules:
        for finding in _of(findings, rule, "f"):
            if rule not in NO_SQL:
                assert not finding.mend.startswith("-- "), finding
                done = database.psql(f"\\set ON_ERROR_STOP 1\n{finding.mend}")
                assert done.returncode == 0, f"{finding}\n{done.stderr}"
    findings = _found(database)
    assert [f for r in rules for f in _of(findings, r, "f") if r not in NO_SQL] == []


def test_rules_cover_the_rules_of_splinter_that_are_promised() -> None:
    covered = {int(r.covers[:4]) for r in all_rules().values() if r.covers}
    assert covered >= SPLINTER


def test_the_documentation_is_that_of_the_rules() -> None:
    assert (ROOT / "docs" / "lint.md").read_text() == document()


def test_rules_say_why_in_words() -> None:
    for rule in all_rules().values():
        assert re.fullmatch(r"[a-z]+(-[a-z]+)+", rule.name)
        assert rule.summary
        assert rule.why.endswith(".")
