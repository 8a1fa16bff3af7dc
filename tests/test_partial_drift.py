"""Find drift beside what cannot be compared: an error hides no difference."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from reconciler.cli import main
from tests.conftest import Database

STRANGE = "CREATE TABLE public.theirs (id int PRIMARY KEY, label text, said text)"
DECLARED = """schema: public
tables:
  theirs:
    indexes: {by_label: label, by_said: said}
    exclusive: [indexes]
  other:
    columns: {id: {type: bigint, primary_key: true}, label: text}
views:
  shown: {query: SELECT label FROM other}
  labels: {query: SELECT label FROM theirs}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "state.yml").write_text(DECLARED)
    return tmp_path


@pytest.fixture
def database(new_database: Callable[..., Database], folder: Path) -> Database:
    made = new_database(STRANGE)
    assert run("apply", made, folder, "--yes", "--allow", "all").exit_code == 0
    assert run("drift", made, folder).exit_code == 0
    return made


def run(command: str, database: Database, folder: Path, *options: str) -> Result:
    named = ("--target", database.url, "--state", str(folder), "--schema", "public")
    return CliRunner().invoke(main, [command, *named, *options])


def found(database: Database, folder: Path, *options: str) -> dict[str, Any]:
    result = run("drift", database, folder, "--format", "json", *options)
    assert result.exit_code == 1, result.output
    return json.loads(result.stdout)


@pytest.mark.parametrize("options", [(), ("--prune",)], ids=["", "prune"])
def test_differences_are_found_beside_a_refused_object(
    database: Database, folder: Path, options: tuple[str, ...]
) -> None:
    database.run(
        "DROP VIEW public.labels; ALTER TABLE public.theirs RENAME label TO renamed;"
        "DROP INDEX public.by_said; ALTER TABLE public.other ALTER label SET DEFAULT 'x'"
    )
    shown = found(database, folder, *options)
    assert "index public.by_label: column" in shown["error"]
    assert "did you mean label?" not in shown["error"]
    differing = {(o["kind"], o["identity"]) for o in shown["drift"]}
    altered = [("column", "public.other.label")]  # without --prune, a default is left open
    assert differing == {("index", "public.by_said"), *(altered if options else ())}
    assert shown["in_sync"] is False
    result = run("drift", database, folder, *options)
    assert result.exit_code == 1
    assert "by_label" in result.stderr
    assert "by_label" not in result.stdout.partition("beside that")[2]
    assert "index public.by_said" in result.stdout


def test_nothing_to_compare_is_an_error_alone(database: Database, folder: Path) -> None:
    (folder / "state.yml").write_text(
        "schema: public\nviews: {v: {query: SELECT gone FROM other}}\n"
    )
    result = run("drift", database, folder)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "gone" in result.stderr


def test_what_could_not_be_compared_is_not_remembered(database: Database, folder: Path) -> None:
    (folder / "more.yml").write_text("tables: {public.other: {grants: {nobody_here: [select]}}}\n")
    for _ in range(2):
        result = run("drift", database, folder)
        assert result.exit_code == 1
        assert "nobody_here" in result.stderr


@pytest.mark.parametrize("name", ["text", "json", "markdown", "github", "junit", "prometheus"])
def test_every_format_shows_both(database: Database, folder: Path, name: str) -> None:
    (folder / "more.yml").write_text("tables: {public.other: {grants: {nobody_here: [select]}}}\n")
    database.run("DROP VIEW public.shown")
    result = run("drift", database, folder, "--format", name)
    assert result.exit_code == 1
    assert "nobody_here" in result.output
    assert ("public.shown" in result.stdout) == (name != "prometheus")


@pytest.mark.parametrize("options", [(), ("--prune",)], ids=["", "prune"])
def test_differences_are_found_where_a_role_is_gone(
    database: Database, folder: Path, options: tuple[str, ...]
) -> None:
    """The refused object is the table: neither the table nor its parts seem to be undeclared."""
    (folder / "more.yml").write_text("tables: {public.other: {grants: {nobody_here: [select]}}}\n")
    database.run("DROP VIEW public.shown; ALTER TABLE public.other ADD more text")
    shown = found(database, folder, *options)
    assert "role nobody_here does not exist" in shown["error"]
    differing = {(o["kind"], o["identity"]) for o in shown["drift"]}
    undeclared = [("column", "public.other.more")] if options else []
    assert differing == {("view", "public.shown"), *undeclared}


UNDER_OTHER_NAMES = """
CREATE TYPE public.ty AS ENUM ('a');
CREATE FUNCTION public.h(x public.ty) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE TABLE public.b (id int, tenant int, label text);
CREATE INDEX ib_old ON public.b (label);
CREATE VIEW public.v_old AS SELECT 1 AS one;
CREATE TABLE public.t_old (id serial PRIMARY KEY, z int);
CREATE INDEX t_old_i ON public.t_old (z);
CREATE TABLE public.moved_old (id int, z int);
CREATE INDEX moved_i ON public.moved_old (z);
CREATE TABLE public.undeclared (id int);
CREATE FUNCTION public.undeclared(x int) RETURNS int LANGUAGE sql AS 'SELECT 1';
"""


def test_refused_objects_are_declared_under_their_old_names(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    """The declarations of what has another name, or other arguments, are refused."""
    (tmp_path / "state.yml").write_text("""
schema: public
enums: {ty: [a]}
tables:
  b:
    columns: {id: int, tenant: int, label: text}
    indexes: {ib: {columns: [labl], renamed_from: ib_old}}
  t_new:
    renamed_from: t_old
    columns: {id: serial, z: int}
    constraints: {t_old_pkey: {primary_key: id}}
    indexes: {t_old_i: [z]}
    grants: {nobody_here: [select]}
  moved_new:
    renamed_from: moved_old
    columns: {id: int, z: int}
    indexes: {moved_i: [gone]}
views: {v: {query: SELECT gone FROM b, renamed_from: v_old}}
functions: {h(x ty): {returns: int, language: plpgsql, body: begin retrn 1; end}}
""")
    database = new_database(UNDER_OTHER_NAMES)
    shown = found(database, tmp_path, "--prune")
    for refused in ("nobody_here", "labl", "gone", "retrn"):
        assert refused in shown["error"]
    differing = {o["identity"] for o in shown["drift"]}
    assert differing == {
        "public.undeclared",
        "public.undeclared.id",
        "public.undeclared(integer)",
        "public.moved_new",
    }


def test_objects_of_one_anchor_are_told_apart(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    (tmp_path / "state.yml").write_text("""
tables:
  public.a: {policies: {pa: &p {for: all, using: tenant = 1}}}
  public.b: {policies: {pb: *p}}
""")
    database = new_database("""
        CREATE TABLE public.a (id int, tenant2 int);
        CREATE TABLE public.b (id int, tenant int);
        CREATE POLICY pa ON public.a USING (tenant2 = 1);
        CREATE POLICY pb ON public.b USING (true)""")
    shown = found(database, tmp_path)
    assert "policy pa on public.a" in shown["error"]
    assert [o["identity"] for o in shown["drift"]] == ["pb on public.b"]
