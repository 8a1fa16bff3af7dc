"""Test that no kind is taken for absent from a database that has an object of it."""

from __future__ import annotations

from collections.abc import Callable

from reconciler.introspect.queries import CHILDREN, DEFAULT_PRIVILEGES, EMPTY_SOURCES, SOURCES
from reconciler.kinds import KINDS
from reconciler.server.connection import Connection, connect, rows
from tests.conftest import MAJORS, Database

TABLE = "CREATE TABLE t (n int);"
BASE_TYPE = """
    CREATE TYPE b;
    CREATE FUNCTION b_in(cstring) RETURNS b LANGUAGE internal IMMUTABLE STRICT AS 'textin';
    CREATE FUNCTION b_out(b) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'textout';
    CREATE TYPE b (INPUT = b_in, OUTPUT = b_out)"""
ONE_OBJECT = {  # of kinds that share a catalog with others
    "base_type": ("CREATE TYPE s;", BASE_TYPE),
    "column": (TABLE, "CREATE TABLE t (n int) PARTITION BY LIST (n);"),
    "composite_type": ("CREATE TYPE c AS (n int);",),
    "constraint": (
        "CREATE TABLE t (n int CHECK (n > 0));",
        "CREATE TABLE t (n int UNIQUE);",
        "CREATE TABLE t (n int, EXCLUDE (n WITH =));",
    ),
    "domain": ("CREATE DOMAIN d AS int;",),
    "enum": ("CREATE TYPE e AS ENUM ();",),
    "function": (
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql RETURN 1;",
        "CREATE FUNCTION f() RETURNS int LANGUAGE internal WINDOW AS 'window_row_number';",
    ),
    "index": (f"{TABLE} CREATE INDEX i ON t (n);",),
    "materialized_view": ("CREATE MATERIALIZED VIEW m AS SELECT 1 AS n;",),
    "procedure": ("CREATE PROCEDURE p() LANGUAGE sql BEGIN ATOMIC END;",),
    "rule": (f"{TABLE} CREATE RULE r AS ON INSERT TO t DO INSTEAD NOTHING;",),
    "table": (TABLE, "CREATE TABLE t (n int) PARTITION BY LIST (n);"),
    "view": ("CREATE VIEW v AS SELECT 1 AS n;",),
}


def _empty(connection: Connection) -> set[tuple[str, str]]:
    return {SOURCES[r["number"]] for r in rows(connection, EMPTY_SOURCES)}


def test_a_single_object_makes_its_kind_present(new_database: Callable[..., Database]) -> None:
    shared = {k.kind for k in KINDS.values() if k.own_rows}
    assert shared == ONE_OBJECT.keys()
    for major in MAJORS:
        with connect(new_database(major=major).url) as connection:
            assert _empty(connection) == {*SOURCES}
            for kind, scripts in ONE_OBJECT.items():
                source = KINDS[kind].oid_column, KINDS[kind].own_rows
                for script in scripts:
                    with connection.transaction(force_rollback=True):
                        connection.execute("SET LOCAL search_path = public")
                        connection.execute(script.encode())
                        assert source not in _empty(connection), script
            for source, script in (
                (CHILDREN, f"{TABLE} CREATE TABLE c () INHERITS (t);"),
                (DEFAULT_PRIVILEGES, "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC;"),
            ):
                with connection.transaction(force_rollback=True):
                    connection.execute("SET LOCAL search_path = public")
                    connection.execute(script.encode())
                    assert source not in _empty(connection), script
