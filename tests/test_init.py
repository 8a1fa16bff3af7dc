"""Test `init`: an existing database, its YAML files, and a first plan without differences."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from psycopg import conninfo

from reconciler.server.connection import connect, run_sql
from reconciler.server.redaction import parsed
from reconciler.sql import compose, literal, text
from tests.conftest import Database

SCRIPT = """
    CREATE SCHEMA app;
    CREATE TYPE app.mood AS ENUM ('good', 'bad');
    CREATE TABLE app.users (id bigserial PRIMARY KEY, name varchar(30) NOT NULL, mood app.mood);
    CREATE TABLE notes (id int PRIMARY KEY, owner bigint REFERENCES app.users, words text);
    CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY);"""


def run(
    folder: Path, *arguments: str, answers: str | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder; with `answers`, on a terminal."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("PG") and k != "DATABASE_URL"}
    command = [str(Path(sys.executable).with_name("reconcile")), *arguments]
    own, terminal = pty.openpty()
    os.write(own, (answers or "").encode())
    try:
        return subprocess.run(
            command,
            cwd=folder,
            env={**kept, **environment},
            stdin=subprocess.DEVNULL if answers is None else terminal,
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        os.close(own)
        os.close(terminal)


def test_options_say_everything(database: Database, tmp_path: Path) -> None:
    database.run(SCRIPT)
    done = run(tmp_path, "init", "-t", database.url, "-s", "state", "--schema", "app")
    assert done.returncode == 0, done.stderr
    assert "nothing to do" in done.stdout
    assert (tmp_path / "reconcile.yml").read_text().splitlines()[1:] == [
        *("target: ${DATABASE_URL}", "state: state", "schemas: [app]")
    ]
    assert [p.name for p in (tmp_path / "state" / "app").iterdir()]
    assert not (tmp_path / "state" / "public").exists()
    again = run(tmp_path, "init", "-t", database.url, "-s", "other")
    assert again.returncode == 1
    assert "reconcile.yml exists already" in again.stderr
    plan = run(tmp_path, "plan", DATABASE_URL=database.url)
    assert plan.returncode == 0, plan.stderr


def test_what_no_option_says_is_asked(database: Database, tmp_path: Path) -> None:
    database.run(SCRIPT)
    done = run(tmp_path, "init", answers=f"{database.url}\n\n*\n")
    assert done.returncode == 0, done.stderr
    assert "URL of the database" in done.stderr
    assert "Alembic" in done.stderr
    written = (tmp_path / "reconcile.yml").read_text()
    assert "state: desired_state\nschemas: ['*']\n" in written
    (tmp_path / "desired_state" / "more.yml").write_text("tables: {t: {columns: {a: int}}}")
    assert run(tmp_path, "plan", DATABASE_URL=database.url).returncode == 2


def test_no_file_holds_a_password(database: Database, tmp_path: Path) -> None:
    password = "s3cret-Wörd"
    with connect(database.url) as connection:
        create = compose("ALTER ROLE {} PASSWORD {}", "init_reader", literal(password))
        run_sql(connection, "DROP ROLE IF EXISTS init_reader")
        run_sql(connection, "CREATE ROLE init_reader LOGIN SUPERUSER")
        run_sql(connection, text(create))
    try:
        url = conninfo.make_conninfo(
            "", **{**(parsed(database.url) or {}), "user": "init_reader", "password": password}
        )
        done = run(tmp_path, "init", DATABASE_URL=url)
        assert done.returncode == 0, done.stderr
        given = run(tmp_path, "init", "-s", "other", "-t", url)
        assert given.returncode == 1  # reconcile.yml is there
        (tmp_path / "reconcile.yml").unlink()
        given = run(tmp_path, "init", "-s", "other", "-t", url)
        assert given.returncode == 0, given.stderr
        assert "set DATABASE_URL to it before the next command" in given.stderr
    finally:
        with connect(database.url) as connection:
            run_sql(connection, "DROP ROLE init_reader")
    texts = [p.read_text() for p in tmp_path.rglob("*") if p.is_file()]
    assert len(texts) > 1
    assert not any(password in t for t in (*texts, done.stdout, done.stderr, given.stderr))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "no terminal to ask on: URL of the database"),
        (("-t", "postgresql://localhost:1/x", "-s", "../out"), "no folder below"),
        (("-t", "postgresql://localhost:1/x", "-s", "full"), "full holds YAML files already"),
        (("-t", "postgresql://localhost:1/x"), "localhost:1"),
        (("-t", "production"), "neither a URL nor a known name"),
    ],
)
def test_nothing_is_written_where_init_fails(
    arguments: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.yml").write_text("schema: public\n")
    done = run(tmp_path, "init", *arguments)
    assert done.returncode == 1
    assert said in done.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["full"]
