"""Test which changes of row security policies have the hazard `weakens-security`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from reconciler import pipeline
from reconciler.declare.load import load
from reconciler.model.conditions import lets_no_more_through, without_casts
from reconciler.model.state import Scope
from reconciler.model.statement import HazardKind
from reconciler.pipeline import Job
from tests.conftest import Database

TABLE = "CREATE TABLE {t} (id int, who text, code varchar(5));"
OWN = "CREATE POLICY p ON {t} FOR SELECT TO pg_monitor USING (who = current_user)"
WRITE = """
    CREATE POLICY p ON {t} FOR UPDATE TO pg_monitor USING (true) WITH CHECK (who = current_user)
"""
NARROW = """
    CREATE POLICY p ON {t} AS RESTRICTIVE FOR UPDATE TO pg_monitor USING (id > 0 AND id < 9)
"""
SAME = "to: [pg_monitor], using: who = current_user"
NARROWER = "permissive: false, to: [pg_monitor], for: update"
OLD_CONDITION, SHORT = "(who = CURRENT_USER)", "((id > 0) AND (id < 9))"
# by table: the policy before, the declared ones, the reason's end or + between several; "": none
CHANGES = {
    "check_lost": (
        WRITE,
        '{p: {for: update, to: [pg_monitor], using: "true"}}',
        f"new rows are held to USING (true), no longer to WITH CHECK {OLD_CONDITION}",
    ),
    "check_another": (
        WRITE,
        '{p: {for: update, to: [pg_monitor], using: "true", check: id > 0}}',
        f"may let more rows through: WITH CHECK (id > 0) replaces WITH CHECK {OLD_CONDITION}",
    ),
    "check_of_insert": (
        "CREATE POLICY p ON {t} FOR INSERT TO pg_monitor WITH CHECK (who = current_user)",
        "{p: {for: insert, to: [pg_monitor], check: id > 0}}",
        f"may let more rows through: WITH CHECK (id > 0) replaces WITH CHECK {OLD_CONDITION}",
    ),
    "check_as_using_was": (
        "CREATE POLICY p ON {t} FOR UPDATE USING (id > 0) WITH CHECK (id > 0)",
        "{p: {for: update, using: id > 0}}",
        "",
    ),
    "everybody": (
        OWN,
        "{p: {for: all, to: [public], using: who = current_user}}",
        "is for everybody now, and was for pg_monitor + is for INSERT, UPDATE, DELETE as well",
    ),
    "roles": (
        OWN,
        "{p: {for: select, to: [pg_monitor, pg_signal_backend], using: who = current_user}}",
        "is for pg_signal_backend as well",
    ),
    "commands": (OWN, f"{{p: {{for: all, {SAME}}}}}", "is for INSERT, UPDATE, DELETE as well"),
    "another_command": (OWN, f"{{p: {{for: delete, {SAME}}}}}", "is for DELETE as well"),
    "wider": (
        OWN,
        "{p: {for: select, to: [pg_monitor], using: who = current_user OR id = 1}}",
        "may let more rows through: USING ((who = CURRENT_USER) OR (id = 1)) replaces"
        f" USING {OLD_CONDITION}",
    ),
    "narrower": (
        OWN,
        "{p: {for: select, to: [pg_monitor], using: id = 1 AND who = current_user}}",
        "",
    ),
    "narrower_twice": (
        OWN,
        "{p: {for: select, to: [pg_monitor], using: id = 1 AND (who = current_user AND id < 9)}}",
        "",
    ),
    "fewer_commands": (
        "CREATE POLICY p ON {t} TO pg_monitor USING (who = current_user)",
        f"{{p: {{for: select, {SAME}}}}}",
        "",
    ),
    "fewer_roles": ("CREATE POLICY p ON {t} USING (who = current_user)", f"{{p: {{{SAME}}}}}", ""),
    "once_in_a_query": (
        OWN,
        "{p: {for: select, to: [pg_monitor], using: who = (SELECT current_user)}}",
        "",
    ),
    "unconditional": (
        OWN,
        '{p: {for: select, to: [pg_monitor], using: "true"}}',
        "lets pg_monitor through without a condition",
    ),
    "permissive": (
        NARROW,
        "{p: {to: [pg_monitor], for: update, using: id > 0 AND id < 9}}",
        "is permissive now, and narrows nothing any more",
    ),
    "restrictive": (OWN, f"{{p: {{permissive: false, for: select, {SAME}}}}}", ""),
    "narrows_fewer_commands": (
        NARROW.replace("FOR UPDATE", ""),
        f"{{p: {{{NARROWER}, using: id > 0 AND id < 9}}}}",
        "no longer narrows SELECT, INSERT, DELETE",
    ),
    "narrows_more_commands": (
        NARROW,
        "{p: {permissive: false, to: [pg_monitor], using: id > 0 AND id < 9}}",
        "",
    ),
    "narrows_fewer_roles": (
        NARROW.replace("TO pg_monitor", ""),
        f"{{p: {{{NARROWER}, using: id > 0 AND id < 9}}}}",
        "narrows for pg_monitor only, and did for public",
    ),
    "narrows_more_roles": (
        NARROW,
        "{p: {permissive: false, for: update, using: id > 0 AND id < 9}}",
        "",
    ),
    "narrows_less": (
        NARROW,
        f"{{p: {{{NARROWER}, using: id > 0}}}}",
        f"may let more rows through: USING (id > 0) replaces USING {SHORT}",
    ),
    "narrows_more": (
        NARROW,
        f"{{p: {{{NARROWER}, using: id > 0 AND id < 9 AND who = current_user}}}}",
        "",
    ),
    "narrows_nothing": (
        NARROW,
        f'{{p: {{{NARROWER}, using: "true"}}}}',
        "no longer narrows what is visible",
    ),
    "under_another_name": (NARROW, f"{{n: {{{NARROWER}, using: id > 0 AND id < 9}}}}", ""),
    "unconditional_under_another_name": (
        "CREATE POLICY p ON {t} FOR SELECT USING (true)",
        '{n: {for: select, using: "true"}}',
        "",
    ),
    "less_under_another_name": (
        NARROW,
        f"{{n: {{{NARROWER}, using: id > 0}}}}",
        "no longer narrows what is visible",
    ),
    "over_a_new_type": (
        "CREATE POLICY p ON {t} USING (code IN ('a', 'b') AND length(code) > 1 AND (id = 1))",
        "{}, columns: {code: text}",
        "",
    ),
    "changed_over_a_new_type": (
        "CREATE POLICY p ON {t} USING (code IN ('a', 'b'))",
        "{p: {using: \"code IN ('a', 'c')\"}}, columns: {code: text}",
        "may let more rows through: USING (code = ANY (ARRAY['a'::text, 'c'::text])) replaces USING"
        " ((code)::text = ANY (ARRAY[('a'::character varying)::text, ('b'::character varying)"
        "::text]))",
    ),
    "over_a_replaced_function": (
        """CREATE FUNCTION f_{t}() RETURNS int STABLE LANGUAGE sql RETURN 1;
           CREATE POLICY p ON {t} AS RESTRICTIVE USING (id = f_{t}())""",
        "{}",
        "",
    ),
}
FUNCTION = "f_over_a_replaced_function(): {returns: bigint, volatility: stable, body: SELECT 1}"


@pytest.fixture
def reasons(new_database: Callable[..., Database], tmp_path: Path) -> Mapping[str, str]:
    """Return the reasons of the hazards by table, of one plan for all changes."""
    before, declared = list[str](), list[str]()
    for table, (policy, policies, _) in CHANGES.items():
        before.append(TABLE.replace("{t}", table) + policy.replace("{t}", table) + ";")
        exclusive = "" if policies.startswith("{}") else "exclusive: [policies], "
        declared.append(f"  {table}: {{{exclusive}policies: {policies}}}")
    lines = ["tables:", *declared, "functions:", f"  {FUNCTION}"]
    (tmp_path / "all.yml").write_text("\n".join(lines))
    database = new_database("\n".join(before))
    declaration = load(tmp_path / "all.yml")
    plan = pipeline.plan_changes(Job(database.url, declaration, Scope(declaration.schemas)))
    found = dict[str, str]()
    for step in plan.steps:
        for hazard in step.hazards:
            if hazard.hazard is HazardKind.WEAKENS_SECURITY:
                table = step.identity.partition(".")[2].partition(".")[0].rpartition(" ")[2]
                found[table] = f"{found.get(table, '')}{hazard.reason}\n"
    return found


def test_policies_that_let_more_through_weaken_security(reasons: Mapping[str, str]) -> None:
    for table, (_, _, reason) in CHANGES.items():
        expected = reason.split(" + ") if reason else []
        found = reasons.get(table, "").splitlines()
        assert len(found) == len(expected), table
        assert all(f.endswith(e) for f, e in zip(found, expected, strict=True)), found


@pytest.mark.parametrize(
    ("new", "old", "no_more"),
    [
        ("(a = 1)", "(a = 1)", True),
        ("((a = 1) AND (b = 2))", "(b = 2)", True),
        ("((a = 1) OR (b = 2))", "(b = 2)", False),
        ("((x AND ((a = 1) OR b)) AND c)", "(c AND x)", True),
        ("(b = 2)", "((a = 1) AND (b = 2))", False),
        ("false", "(a = 1)", True),
        ("(a = 1)", "true", True),
        ("(a = ' AND (b')", "b'", False),
        ("(a = ( SELECT f('x'::text, 1) AS f))", "(a = f('x'::text, 1))", True),
        ("(a = ( SELECT (f('x'::text))::integer AS f))", "(a = (f('x'::text))::integer)", True),
        ("(a = ( SELECT 1000))", "(a = 1000)", True),
        ("(a = ( SELECT 'x'::text AS text))", "(a = 'x'::text)", True),
        ("(a = ( SELECT 'x'::text FROM t))", "(a = 'x'::text)", False),
        ("(a = ( SELECT f(1) AS f FROM t))", "(a = f(1))", False),
        ("(a = ( SELECT b AS b WHERE c))", "(a = b)", False),
        ("(a = '( SELECT b AS b)')", "(a = 'b')", False),
    ],
)
def test_a_condition_and_more_lets_no_more_through(new: str, old: str, no_more: bool) -> None:
    assert lets_no_more_through(new, old) is no_more


def test_a_cast_brings_its_brackets() -> None:
    plain = "((a = ANY (ARRAY['x', 'y::z'])) AND (f(b) = 1))"
    for retyped in (
        "((a = ANY (ARRAY['x'::text, 'y::z'::text])) AND (f(b) = 1))",
        "(((a)::text = ANY ((ARRAY['x'::character varying, 'y::z'::character varying(9)])::text[]))"
        " AND (f((b)::numeric(4,2)) = 1))",
        "(((a)::text = ANY (ARRAY[('x'::character varying)::text, ('y::z'::bpchar)::text]))"
        " AND (f((b)::numeric(4,2)) = 1))",
    ):
        assert without_casts(retyped) == plain
