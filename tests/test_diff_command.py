"""Test `diff`: databases, YAML files and git revisions, each with each other."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler.cli.group import main
from reconciler.server.redaction import redacted
from tests.conftest import Database

OLD = """
tables:
  users:
    columns: {id: {type: int, primary_key: true}, name: varchar(30)}
    indexes: {users_name: name}
  gone: {columns: {id: int}}
"""
NEW = """
enums: {mood: {values: [good, bad]}}
tables:
  users:
    columns: {id: {type: int, primary_key: true}, name: text, mood: mood}
    indexes: {users_name: name}
"""
SQL = {
    "old": """CREATE TABLE users (id int PRIMARY KEY, name varchar(30));
        CREATE INDEX users_name ON users (name); CREATE TABLE gone (id int)""",
    "new": """CREATE TYPE mood AS ENUM ('good', 'bad');
        CREATE TABLE users (id int PRIMARY KEY, name text, mood mood);
        CREATE INDEX users_name ON users (name)""",
}
SHOWN = {
    ("create", "enum", "public.mood"),
    ("create", "column", "public.users.mood"),
    ("alter", "column", "public.users.name"),
    ("drop", "table", "public.gone"),
    ("drop", "column", "public.gone.id"),
}
OPPOSITE = {"create": "drop", "drop": "create", "alter": "alter"}


@pytest.fixture
def sides(new_database: Callable[..., Database], tmp_path: Path) -> dict[str, str]:
    """Return each side, by its name; `new` and `old` are the same states everywhere."""
    found = {f"{name} database": new_database(script).url for name, script in SQL.items()}
    for name, content in {"old": OLD, "new": NEW}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "state.yml").write_text(content)
        found[f"{name} files"] = str(tmp_path / name)
    return found


def compared(capfd: pytest.CaptureFixture[str], *arguments: str) -> tuple[object, set[object]]:
    with pytest.raises(SystemExit) as ended:
        main(["diff", "--format", "json", *arguments])
    out, error = capfd.readouterr()
    changes = json.loads(out)["changes"] if out else error
    if isinstance(changes, str):
        return ended.value.code, {changes}
    return ended.value.code, {(c["action"], c["kind"], c["identity"]) for c in changes}


@pytest.mark.parametrize("new", ["files", "database"])
@pytest.mark.parametrize("old", ["files", "database"])
def test_files_and_databases(
    old: str, new: str, sides: dict[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    found = compared(capfd, sides[f"old {old}"], sides[f"new {new}"])
    assert found == (2, SHOWN)
    back = compared(capfd, sides[f"new {new}"], sides[f"old {old}"])
    assert back == (2, {(OPPOSITE[action], *which) for action, *which in SHOWN})
    assert compared(capfd, sides[f"new {old}"], sides[f"new {new}"]) == (0, set())


def test_the_title_names_both_sides(
    sides: dict[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    files, database = sides["new files"], sides["new database"]
    for new, shown in {files: files, database: redacted(database)}.items():
        with pytest.raises(SystemExit):
            main(["diff", files, new])
        assert capfd.readouterr().out == f"{files} → {shown}: no difference\n"


def test_materialized_views_of_files_are_filled_as_declared(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for name, filled in {"a": "true", "b": "true", "c": "false"}.items():
        (tmp_path / f"{name}.yml").write_text(
            "{tables: {t: {columns: {i: int}}}, materialized_views: "
            f"{{m: {{query: SELECT i FROM t, with_data: {filled}}}}}}}"
        )
    a, b, c = (str(tmp_path / f"{name}.yml") for name in "abc")
    assert compared(capfd, a, b) == (0, set())
    assert compared(capfd, a, c) == (2, {("alter", "materialized_view", "public.m")})


def test_the_server_of_a_target_is_no_scratch_server(
    sides: dict[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    code, (error,) = compared(
        capfd, sides["old files"], sides["new database"], "--scratch", "target"
    )
    assert (code, "`diff` has no target" in str(error)) == (1, True)


def test_revisions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    state = Path("state")
    state.mkdir()
    (state / "a.yml").write_text(
        "functions: {f(): {returns: int, language: sql, body_file: f.sql}}"
    )
    (state / "f.sql").write_text("SELECT 1")
    (state / "link.yml").symlink_to("/etc/passwd")
    author = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
    for words in (["init", "-q"], ["add", "."], [*author, "commit", "-qm", "x"]):
        subprocess.run(["git", *words], check=True)
    (state / "link.yml").unlink()
    assert compared(capfd, "HEAD:state", "state") == (0, set())
    (state / "f.sql").write_text("SELECT 2")
    assert compared(capfd, "HEAD:state", "state") == (2, {("alter", "function", "public.f()")})
    for side, said in {
        "HEAD:nowhere": "has no such folder",
        "nothing:state": "git knows no such revision",
        "-x:state": "git knows no such revision",
        "nowhere": "no REVISION:FOLDER",
    }.items():
        code, (error,) = compared(capfd, "--", side, "state")
        assert (code, said in str(error)) == (1, True), error


def test_parts_are_laid_over_a_database(
    database: Database, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    database.run(SQL["old"])
    for name, comment in {"a": "x", "b": "y"}.items():
        (tmp_path / f"{name}.yml").write_text(f"tables: {{users: {{comment: {comment}}}}}")
    a, b = str(tmp_path / "a.yml"), str(tmp_path / "b.yml")
    code, (error,) = compared(capfd, a, b)
    assert (code, "users" in str(error)) == (1, True)
    assert compared(capfd, a, b, "--over", database.url) == (
        2,
        {("alter", "table", "public.users")},
    )
    assert compared(capfd, a, a, "--over", database.url) == (0, set())
