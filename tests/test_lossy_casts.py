"""Compare what is known of PostgreSQL's casts with what they do to values, forth and back."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import permutations, product

import pytest
from psycopg import sql

from reconciler.errors import StatementFailed
from reconciler.model.casts import conversion, loses, rewrites, shifts_time
from reconciler.server.connection import Connection, connect, rows, run_sql
from reconciler.sql import compose, name, raw, text
from tests.conftest import Database

# values of which a lossy cast loses something, if it does not refuse them
VALUES = {
    "smallint": ("32767", "-7"),
    "integer": ("16777217", "-7", "1259"),
    "bigint": ("9007199254740993", "-7", "1259"),
    "numeric": ("1.2345678901234567890123", "-7", "12345678", "1234567890.12"),
    "real": ("1.2345678", "0.1", "-7"),
    "double precision": ("1.2345678901234567", "0.1", "-7"),
    "money": ("1.23", "-7"),
    "text": (
        "x" * 70,
        "two",
        '{"a": 1,  "a": 2}',
        "1.2345678901234567890123",
        "1.236",
        "2024-01-02 03:04:05.123456789",
    ),
    "character varying": ("x" * 70, "two", "2024-01-02 03:04:05.123456789+02"),
    "bpchar": ("x" * 70, "two"),
    "name": ("x" * 63, "two"),
    '"char"': ("x",),
    "json": ('{"a": 1,  "a": 2}', "1.2345678901234567890123", f'"{"x" * 70}"'),
    "jsonb": ('{"a": [1, 2]}', "1.2345678901234567890123", f'"{"x" * 70}"', "true"),
    "xml": ("<a/>", "x" * 70),
    "boolean": ("true", "false"),
    "bit varying": ("1", "10110"),
    "bit(40)": ("1" * 40,),
    "inet": ("10.0.0.1/24", "10.0.0.0/24"),
    "cidr": ("10.0.0.0/24",),
    "macaddr": ("08:00:2b:01:02:03",),
    "macaddr8": ("08:00:2b:ff:fe:01:02:03", "08:00:2b:01:02:03:04:05"),
    "date": ("2024-02-03",),
    "timestamp without time zone": ("2024-02-03 04:05:06.123456", "2024-02-03"),
    "timestamp with time zone": ("2024-02-03 04:05:06.123456+02", "2024-02-03 00:00+00"),
    "time without time zone": ("04:05:06.123456", "04:00"),
    "time with time zone": ("04:05:06.123456+02", "04:00+00"),
    "interval": ("1 year 2 mons 3 days 04:05:06.123456", "-26:05:06.5", "04:05:06"),
    "point": ("(1,2)",),
    "box": ("(3,4),(1,2)",),
    "path": ("((0,0),(0,1),(1,1))", "[(0,0),(0,1)]"),
    "polygon": ("((0,0),(0,1),(1,1))", "((0,0),(0,1),(1,1),(1,0))"),
    "oid": ("1259", "4294967295"),
    **{
        f"reg{of}": ("1259",)
        for of in ("class", "collation", "config", "dictionary", "namespace", "oper", "operator")
    },
    **{f"reg{of}": ("1259",) for of in ("proc", "procedure", "role", "type")},
}
BY_ASSIGNMENT = """
    SELECT format_type(castsource, NULL) AS old, format_type(casttarget, NULL) AS new
    FROM pg_cast WHERE castcontext <> 'e' AND castsource <> casttarget AND casttarget < 16384
          AND castsource::regtype::text !~ '^pg_' ORDER BY 1, 2"""
SPELLED = {"character": "bpchar", "bit": "bit(40)"}
INTERVALS = (
    "interval",
    "interval(2)",
    *(f"interval {f}" for f in ("year", "month", "day", "hour", "minute", "second", "second(0)")),
    *("interval year to month", "interval day to hour", "interval hour to minute"),
    *("interval day to second", "interval day to second(2)"),
)
NUMBERS = (
    *("smallint", "integer", "bigint", "real", "double precision", "money"),
    *("numeric", "numeric(12,2)", "numeric(12,1)", "numeric(8,0)", "numeric(12,-2)"),
)
TIMES = (
    *("date", "time without time zone", "time(0) without time zone", "time(3) with time zone"),
    *("timestamp without time zone", "timestamp(3) without time zone"),
    *("timestamp with time zone", "timestamp(0) with time zone", "interval", "interval day"),
)
READ = (
    *("real", "double precision", "numeric", "numeric(12,2)", "money", "integer", "boolean"),
    *("date", "time without time zone", "timestamp without time zone", "interval", "interval year"),
    *("timestamp with time zone", "time with time zone", "jsonb", "json", "uuid", "inet"),
    *("bit(2)", "bit varying(2)", "character varying(3)", "character(3)", "name"),
)


@pytest.fixture
def connection(database: Database) -> Iterator[Connection]:
    with connect(database.url) as found:
        run_sql(found, "SET TimeZone TO 'UTC'")
        yield found


def _values(type_: str) -> Iterable[str]:
    if type_.endswith("[]"):
        values = VALUES[type_.removesuffix("[]")]
        return [f"{{{v}}}" for v in (*values, ",".join(["1"] * 70))]
    if type_.startswith("interval"):
        return VALUES["interval"]
    return VALUES[type_] if type_ in VALUES else VALUES[re.sub(r"\(.*?\)", "", type_)]


def _alter(connection: Connection, old: str, new: str) -> None:
    using = conversion(old, new, name("v"))
    suffix = raw("") if using is None else compose(" USING {}", using)
    run_sql(connection, text(compose("ALTER TABLE pg_temp.v ALTER v TYPE {}{}", raw(new), suffix)))


def _fate(connection: Connection, value: str, old: str, new: str) -> str:
    """Tell whether a value comes back from another type."""
    create = sql.SQL("CREATE TEMP TABLE v AS SELECT CAST({} AS {}) AS v").format(value, raw(old))
    fate = "refused"
    with suppress(StatementFailed), connection.transaction(force_rollback=True):
        run_sql(connection, text(create))
        before = rows(connection, "SELECT v::text FROM pg_temp.v")
        _alter(connection, old, new)
        fate = "lost"
        _alter(connection, new, old)
        fate = "kept" if rows(connection, "SELECT v::text FROM pg_temp.v") == before else "changed"
    return fate


def _check(connection: Connection, pairs: Iterable[tuple[str, str]]) -> None:
    """Expect all losses to be known; of money they depend on lc_monetary."""
    wrong: list[str] = []
    for old, new in pairs:
        found = {_fate(connection, v, old, new) for v in _values(old)}
        if "changed" in found and not (loses(old, new) or shifts_time(old, new)):
            wrong.append(f"{old} → {new} loses values")
        if loses(old, new) and found <= {"kept", "refused"} and "kept" in found:
            wrong += [f"{old} → {new} loses no value"] if "money" not in {old, new} else []
    assert not wrong, "\n".join(wrong)


def test_all_casts_by_assignment(connection: Connection) -> None:
    pairs: list[tuple[str, str]] = [(r["old"], r["new"]) for r in rows(connection, BY_ASSIGNMENT)]
    _check(connection, ((SPELLED.get(a, a), SPELLED.get(b, b)) for a, b in pairs))


@pytest.mark.parametrize(
    "types", [INTERVALS, NUMBERS, TIMES], ids=["intervals", "numbers", "times"]
)
def test_types_with_modifiers(types: tuple[str, ...], connection: Connection) -> None:
    _check(connection, permutations(types, 2))


def test_types_read_from_others(connection: Connection) -> None:
    _check(connection, product(("text", "json", "jsonb", "integer[]", "text[]"), READ))


def test_intervals_are_rewritten_where_postgresql_rewrites_them(connection: Connection) -> None:
    wrong: list[str] = []
    for old, new in permutations(INTERVALS, 2):
        with connection.transaction(force_rollback=True):
            run_sql(connection, f"CREATE TEMP TABLE v (v {old})")
            files = [rows(connection, "SELECT pg_relation_filenode('pg_temp.v')")]
            _alter(connection, old, new)
            files.append(rows(connection, "SELECT pg_relation_filenode('pg_temp.v')"))
        if (files[0] != files[1]) != rewrites(old, new):
            wrong.append(f"{old} → {new}")
    assert not wrong
