"""A plan tells what of a declaration changes nothing, or more than it seems to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from reconciler import pipeline
from reconciler.cli import main
from reconciler.declare.load import load
from reconciler.errors import DeclarationError
from tests.conftest import Database
from tests.test_locks import job_of

BEFORE = """
CREATE TABLE public.t (id int PRIMARY KEY, "Na" int);
CREATE TABLE public.child () INHERITS (public.t);
CREATE TABLE public.u (id int);
CREATE INDEX ui ON public.u (id);
CREATE VIEW public.v AS SELECT 1 AS a;
CREATE SCHEMA s2;
CREATE TABLE s2.w (a int);
CREATE FUNCTION public.f(int) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE POLICY p ON public.u;
"""
# One declaration each, and words of the note.
ABSENT = {
    "tables: {v: {state: absent}}": "table public.v (there is view public.v)",
    "tables: {U: {state: absent}}": "table public.U (there is table public.u)",
    "tables: {w: {state: absent}}": "table public.w (there is table s2.w)",
    "tables: {nothing: {state: absent}}": "changes nothing: table public.nothing",
    "tables: {t: {columns: {na: {state: absent}}}}": "(there is column public.t.Na)",
    "tables: {t: {indexes: {ui: {state: absent}}}}": "(there is index public.ui on table public.u)",
    "tables: {t: {indexes: {t_pkey: {state: absent}}}}": "(there is constraint t_pkey on public.t)",
    "tables: {child: {columns: {id: {state: absent}}}}": "it is inherited: the parent has it",
    "functions: {'f(text)': {state: absent}}": "(there is function public.f(integer))",
    "functions: {'f(nosuch)': {state: absent}}": "(there is function public.f(integer))",
    "functions: {'g(int)': {state: absent}}": "function public.g(int)",
    "procedures: {'f(int)': {state: absent}}": "(there is function public.f(integer))",
    "casts: {text AS int: {state: absent}}": "cast text AS int",
}
OTHERS = {
    "tables: {u: {policies: {p: {to: public}}}}": "row_level_security of the table is off",
    "tables: {u: {force_row_level_security: true}}": "row_level_security is off",
    "tables: {u: {exclusive: [indexes], indexes: }}": "indexes is exclusive and lists nothing",
    "tables: {u: {exclusive: []}}": "exclusive is an empty list",
    "tables: {u: {grants: {}}}": "all privileges stay as they are",
}
SILENT = (
    "tables: {u: {row_level_security: true, policies: {p: {to: public}}}}",
    "tables: {u: {force_row_level_security: true, row_level_security: true}}",
    "tables: {u: {exclusive: [policies], indexes: }}\nfunctions: {'f(int4)': {state: absent}}",
    "tables: {u: {grants: {}, exclusive: [grants]}}",
    "tables: {u: {exclusive: [indexes], indexes: {ui: {on: id}}}, t: {grants: {public: []}}}",
)


def test_a_note_tells_what_has_no_effect(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    database = new_database(BEFORE)
    for declared, words in {**ABSENT, **OTHERS}.items():
        plan = pipeline.plan_changes(job_of(database, declared, tmp_path))
        assert [n for n in plan.notes if words in n], (declared, plan.notes)
        assert len(plan.notes) == 1, (declared, plan.notes)
        assert plan.in_sync or declared not in ABSENT, declared
    for declared in SILENT:
        plan = pipeline.plan_changes(job_of(database, declared, tmp_path))
        assert plan.notes == (), declared


def test_all_that_is_not_there_takes_one_line(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    names = ", ".join(f"n{i}: {{state: absent}}" for i in range(15))
    plan = pipeline.plan_changes(job_of(new_database(), f"tables: {{{names}}}", tmp_path))
    (note,) = plan.notes
    assert note.endswith("table public.n9; 5 more")


@pytest.mark.parametrize(
    ("declared", "words"),
    [
        ("tables: {u: {exclusive: }}", "expected a section"),
        ("tables: {u: {grants: }}", "leave the key out to keep"),
    ],
)
def test_what_says_nothing_is_refused(declared: str, words: str, tmp_path: Path) -> None:
    file = tmp_path / "state.yml"
    file.write_text(declared)
    with pytest.raises(DeclarationError) as refused:
        load(file)
    assert words in str(refused.value)


def test_what_a_run_has_dropped_is_no_surprise(database: Database, tmp_path: Path) -> None:
    """A file keeps `state: absent` after the object was dropped; the journal knows."""
    database.run("CREATE TABLE public.t (id int); CREATE TABLE public.u (id int)")
    file = tmp_path / "state.yml"
    file.write_text("tables: {t: {state: absent}, never: {state: absent}}")
    arguments = ("-t", database.url, "-s", str(file))
    applied = CliRunner().invoke(main, ["apply", *arguments, "--yes", "--allow", "all"])
    assert applied.exit_code == 0, applied.output
    again = CliRunner().invoke(main, ["plan", *arguments])
    assert "changes nothing: table public.never\n" in again.output
    database.run("DROP SCHEMA reconcile CASCADE")
    without_journal = CliRunner().invoke(main, ["plan", *arguments])
    assert "changes nothing: table public.t; table public.never\n" in without_journal.output


def test_a_not_null_constraint_is_absent_or_declared(database: Database, tmp_path: Path) -> None:
    database.run("CREATE TABLE public.t (price int CONSTRAINT known NOT NULL, b int)")
    file = tmp_path / "state.yml"
    file.write_text(
        "tables: {t: {columns: {price: {not_null: true}}, constraints: {known: {state: absent}}}}"
    )
    planned = CliRunner().invoke(main, ["plan", "-t", database.url, "-s", str(file)])
    assert planned.exit_code == 1
    assert "is declared absent, while column public.t.price declares not_null" in planned.output
    file.write_text(
        "tables: {t: {constraints: {b_known: {state: absent}, known: {state: absent}}}}"
    )
    planned = CliRunner().invoke(main, ["plan", "-t", database.url, "-s", str(file)])
    assert "changes nothing: constraint b_known on public.t" in planned.output
    assert "ALTER TABLE public.t ALTER COLUMN price DROP NOT NULL" in planned.output
