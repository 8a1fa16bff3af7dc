"""Objects are moved between schemas, by `renamed_from` with a schema, and moved back."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from reconciler.cli.group import main
from tests.conftest import Database

LIVE = """
CREATE SCHEMA s;
CREATE SCHEMA old;
CREATE TYPE s.mood AS ENUM ('a');
CREATE TABLE s.a (id serial PRIMARY KEY, m s.mood, x int CHECK (x > 0));
CREATE INDEX a_x ON s.a (x);
CREATE VIEW s.v AS SELECT id FROM s.a;
CREATE FUNCTION s.f(s.mood) RETURNS int LANGUAGE sql AS 'SELECT min(id) FROM s.a';
CREATE TABLE public.r (a_id int REFERENCES s.a (id));
CREATE POLICY p ON s.a USING (x > 1);
CREATE TABLE old.a (x int);
CREATE TABLE old.t (y int);
CREATE SEQUENCE s.owned OWNED BY s.a.x;
INSERT INTO s.a (x) VALUES (1), (2);
INSERT INTO old.a VALUES (3);
"""
MOVED = """
schemas: {archive: {}, new: {renamed_from: old}}
tables:
  archive.b:
    renamed_from: s.a
    columns: {id: {type: serial, primary_key: true}, y: {type: int, renamed_from: x}}
    indexes: {b_y: {on: y, renamed_from: a_x}}
  new.b: {renamed_from: a, columns: {y: {type: int, renamed_from: x}}}
  new.t: {columns: {z: {type: int, renamed_from: y}}}
enums: {archive.mood: {renamed_from: s.mood, values: [a]}}
views: {archive.v: {renamed_from: s.v, query: SELECT id FROM archive.b}}
functions:
  archive.f(archive.mood): {renamed_from: s.f}
"""


def _run(command: str, database: Database, folder: Path, declared: str = "") -> str:
    arguments = ["-t", database.url]
    if declared:
        (folder / "state.yml").write_text(declared)
        arguments += ["-s", str(folder)]
    if command != "plan":
        arguments += ["--yes", "--allow", "all"]
    result = CliRunner().invoke(main, [command, *arguments])
    assert result.exit_code != 1 or command == "plan", result.output
    return result.output


def test_what_is_moved_is_kept_and_moved_back(database: Database, tmp_path: Path) -> None:
    database.run(LIVE)
    before = database.dump()
    _run("apply", database, tmp_path, MOVED)
    database.run("INSERT INTO archive.b (y) VALUES (7); INSERT INTO public.r VALUES (3)")
    assert "nothing to do" in _run("plan", database, tmp_path, MOVED)
    database.run("DELETE FROM public.r; DELETE FROM archive.b WHERE id = 3")
    _run("rollback", database, tmp_path)
    assert database.dump() == before


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ("sequences:\n  old.q: {renamed_from: s.owned}", 'Sequence "owned" is linked to table "a"'),
        ("tables:\n  new.c: {renamed_from: old.a}", 'schema "new" does not exist'),
    ],
)
def test_what_cannot_be_moved_is_said_with_its_line(
    declared: str, message: str, database: Database, tmp_path: Path
) -> None:
    database.run(LIVE)
    output = _run("plan", database, tmp_path, declared)
    assert message in output
    assert "state.yml:2" in output
