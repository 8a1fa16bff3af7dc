"""Test the types of `backfill` and `using`: literals take the column's, others must fit it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler.errors import DeclarationError, ProofError
from tests.conftest import Database
from tests.test_keep_filled import apply
from tests.test_retype import planned

START = """
    CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE DOMAIN price AS numeric(8,2) CHECK (VALUE > 0);
    CREATE DOMAIN code AS varchar(3); CREATE TYPE pair AS (a int, b text);
    CREATE TABLE t (id int PRIMARY KEY, old {} {}); INSERT INTO t VALUES (1, {})"""
FILE = "tables: {{t: {{columns: {{{}: {{type: {}, not_null: true, {}: {}}}}}}}}}"
LITERALS = [
    ("date", "'2024-01-01'", "2024-01-01"),
    ("mood", "'ok'", "ok"),
    ("mood", "('ok')", "ok"),
    ("jsonb", "'{\"a\": 1}'", '{"a": 1}'),
    ("numeric(5,2)", "'1.5'", "1.50"),
    ("int", "'7'", "7"),
    ("boolean", "'yes'", "true"),
    ("text[]", "'{a,b}'", "{a,b}"),
    ("int[]", "'{1}'", "{1}"),
    ("price", "'2.5'", "2.50"),
    ("code", "'abc'", "abc"),
    ("pair", "'(1,x)'", "(1,x)"),
    ("uuid", "'00000000-0000-0000-0000-000000000000'", "00000000-0000-0000-0000-000000000000"),
    ("interval day", "'1 day'", "1 day"),
    ("bit(3)", "'101'", "101"),
    ("char(3)", "'abc'", "abc"),
    ("varchar(3)", "'abc'", "abc"),
    ("name", "'abc'", "abc"),
    ('"char"', "'a'", "a"),
]


def quoted(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def declared(column: str, type_: str, key: str, expression: str) -> str:
    return FILE.format(column, quoted(type_), key, quoted(expression))


@pytest.mark.parametrize(("type_", "literal", "expected"), LITERALS)
def test_a_literal_takes_the_type_of_the_column(
    type_: str,
    literal: str,
    expected: str,
    new_database: Callable[..., Database],
    tmp_path: Path,
) -> None:
    database = new_database(START.format(type_, "", "NULL"))
    apply(database, tmp_path, declared("old", type_, "backfill", literal))
    value = f"{{value: {quoted(literal)}, keep_filled: true}}"
    added = FILE.format("added", quoted(type_), "backfill", value)
    apply(database, tmp_path, added)
    assert database.rows("SELECT old::text, added::text FROM t") == [(expected, expected)]
    assert planned(database, tmp_path, added).in_sync


@pytest.mark.parametrize(("type_", "literal", "expected"), LITERALS[:-1])
@pytest.mark.parametrize("online", ["", ", retype: online"])
def test_a_literal_of_using_takes_the_new_type(
    type_: str,
    literal: str,
    expected: str,
    online: str,
    new_database: Callable[..., Database],
    tmp_path: Path,
) -> None:
    if online and type_ in {"price"}:
        pytest.skip("a domain with constraints has no shadow column")
    database = new_database(START.format("bytea", "NOT NULL", "'old'"))
    file = declared("old", type_, "using", literal).replace("}}}}", online + "}}}}")
    apply(database, tmp_path, file)
    assert database.rows("SELECT old::text FROM t") == [(expected,)]


@pytest.mark.parametrize("key", ["backfill", "using"])
@pytest.mark.parametrize(
    ("expression", "of"),
    [("CASE WHEN id > 1 THEN '2024-01-01' END", "text"), ("id", "integer"), ("'x'::text", "text")],
)
def test_an_expression_of_another_type_is_an_error_of_the_file(
    key: str, expression: str, of: str, database: Database, tmp_path: Path
) -> None:
    database.run(START.format("date" if key == "backfill" else "int", "", "NULL"))
    file = "\n".join(("tables:", "  t:", "    columns:", "      old:", "        type: date"))
    with pytest.raises(DeclarationError) as error:
        planned(
            database,
            tmp_path,
            f"{file}\n        not_null: true\n        {key}: {quoted(expression)}",
        )
    assert f'column "old" is of type date but expression is of type {of}' in str(error.value)
    assert "state.yml:7:" in str(error.value)


def test_a_string_too_long_is_refused_and_not_cut(database: Database, tmp_path: Path) -> None:
    database.run(START.format("varchar(3)", "", "NULL"))
    with pytest.raises(ProofError, match="value too long"):
        planned(database, tmp_path, declared("old", "varchar(3)", "backfill", "'abcdef'"))
