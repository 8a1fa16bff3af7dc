"""Databases of other encodings than UTF-8: correct work, or an error that says what to do."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

from psycopg import conninfo

from tests.conftest import Database
from tests.test_conversations import reconcile

DECLARED = """
schema: public
tables:
  t:
    comment: Größe
    columns: {größe: integer}
"""


@contextmanager
def encoded(server: Database, encoding: str) -> Generator[Database]:
    """Create a database of another encoding."""
    name = f"encoded_{os.getpid()}_{encoding.lower()}"
    server.run(
        f"CREATE DATABASE {name} ENCODING '{encoding}' TEMPLATE template0"
        " LC_COLLATE 'C' LC_CTYPE 'C'"
    )
    try:
        yield Database(conninfo.make_conninfo(server.url, dbname=name), server.tools)
    finally:
        server.run(f"DROP DATABASE {name} WITH (FORCE)")


def test_latin1_converts(new_database: Callable[..., Database], tmp_path: Path) -> None:
    state = tmp_path / "state.yml"
    with encoded(new_database(), "LATIN1") as database:
        database.run("CREATE TABLE t ()")
        state.write_text(DECLARED, encoding="utf-8")
        options = ("--target", database.url, "--state", str(state))
        done = reconcile("apply", *options, "--yes")
        assert done.exit_code == 0, done.output
        assert reconcile("plan", *options).exit_code == 0
        state.write_text(DECLARED.replace("Größe", "尺寸"), encoding="utf-8")
        done = reconcile("apply", *options, "--yes")
        assert done.exit_code == 1
        assert "the encoding of the database lacks the character" in done.output


def test_sql_ascii_holds_utf8_or_is_refused(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    state = tmp_path / "state.yml"
    state.write_text(DECLARED, encoding="utf-8")
    with encoded(new_database(), "SQL_ASCII") as database:
        database.run("CREATE TABLE t ()")
        options = ("--target", database.url, "--state", str(state))
        done = reconcile("apply", *options, "--yes")
        assert done.exit_code == 0, done.output
        assert reconcile("plan", *options).exit_code == 0
        database.psql("SET client_encoding = SQL_ASCII; COMMENT ON TABLE t IS E'\\xff'")
        for command in (
            ("plan", *options),
            ("export", "--target", database.url, "--out", str(tmp_path / "out")),
        ):
            done = reconcile(*command)
            assert done.exit_code == 1
            assert "PostgreSQL does not check names, comments and bodies" in done.output
