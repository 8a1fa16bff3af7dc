"""Test that data types are read as PostgreSQL prints them, and written as people write them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from reconciler.model.type_spelling import TypeSql
from tests.conftest import Database

WRITTEN = {  # as people write it: as export writes it
    "int": "int",
    "INT4": "int",
    "integer[]": "int[]",
    "int2": "smallint",
    "int8": "bigint",
    "bool": "boolean",
    "float4": "real",
    "float8": "double precision",
    "Double  Precision": "double precision",
    "varchar": "varchar",
    "varchar(20)": "varchar(20)",
    "character varying (20) []": "varchar(20)[]",
    "char varying(3)": "varchar(3)",
    "char(3)": "char(3)",
    "character(3)": "char(3)",
    "decimal(10, 2)": "numeric(10,2)",
    "varbit(3)": "varbit(3)",
    "bit varying": "varbit",
    "timestamptz": "timestamptz",
    "timestamp(3) with time zone[]": "timestamptz(3)[]",
    "TIMESTAMPTZ (0)": "timestamptz(0)",
    "timestamp": "timestamp",
    "timestamp(3) without time zone": "timestamp(3)",
    "timetz(3)": "timetz(3)",
    "time with time zone": "timetz",
    "time": "time",
}
LEFT_TO_POSTGRESQL = (
    *("char", "character", "bpchar", '"char"', "numeric", "numeric(10)", "dec", "float(3)", "bit"),
    *("int[][]", "int array", "interval(3)", "public.int", "%TYPE", "text", "_int4", "serial"),
)


def test_types_are_read_as_postgres_prints_them(
    each_major: int, new_database: Callable[..., Database]
) -> None:
    columns = ", ".join(f"c{n} {written}" for n, written in enumerate(WRITTEN))
    database = new_database(f"CREATE TABLE t ({columns})", each_major)
    printed = database.rows("""
        SELECT format_type(atttypid, atttypmod) FROM pg_attribute
        WHERE attrelid = 't'::regclass AND attnum > 0 ORDER BY attnum""")
    types = [str(row[0]) for row in printed]
    assert [TypeSql().read(written) for written in WRITTEN] == types
    assert [TypeSql().write(type_) for type_ in types] == [*WRITTEN.values()]


@pytest.mark.parametrize("written", LEFT_TO_POSTGRESQL)
def test_other_types_are_left_as_they_are(written: str) -> None:
    assert TypeSql().read(written) == written
    assert TypeSql().write(written) == written
