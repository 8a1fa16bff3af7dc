"""Test the hazards of a declared `using`: only casts of the column are known to keep its values."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler import pipeline
from reconciler.journal.ownership import Place
from reconciler.model.statement import HazardKind
from reconciler.plan.plan import Plan
from tests.conftest import Database
from tests.test_keep_filled import apply
from tests.test_retype import planned
from tests.test_rollback import rolled_back

LOSES, NO_WAY_BACK = HazardKind.DATA_LOSS, HazardKind.IRREVERSIBLE
TABLE = """
    CREATE TYPE mood AS ENUM ('sad', 'ok');
    CREATE TABLE t (id int PRIMARY KEY, "Old" {} NOT NULL, w text);"""
DECLARED = "tables: {{t: {{columns: {{Old: {{type: {}, using: {}{}}}}}}}}}"


def hazards(plan: Plan) -> list[HazardKind]:
    found = (h.hazard for step in plan.steps for h in step.hazards)
    return sorted(h for h in found if h in {LOSES, NO_WAY_BACK})


@pytest.mark.parametrize(
    ("old", "new", "using", "expected"),
    [
        ("int", "text", "'gone'", [LOSES, NO_WAY_BACK]),
        ("int", "uuid", "gen_random_uuid()", [LOSES, NO_WAY_BACK]),
        ("int", "bigint", "id", [LOSES]),
        ("int", "bigint", '"Old" + 1', [LOSES]),
        ("int", "text", '"Old"::text || w', [LOSES, NO_WAY_BACK]),
        ("int", "bigint", '"Old"', []),
        ("int", "text", 't."Old"::text', []),
        ("int", "numeric", '"Old"::text::numeric', []),
        ("int", "text", '"Old"::boolean::text', [LOSES]),
        ("text", "varchar(3)", '"Old"', []),
        ("text", "varchar(3)", '"Old"::varchar(3)', [LOSES]),
        ("text", "text[]", 'ARRAY["Old"]', [LOSES, NO_WAY_BACK]),
        ("text", "mood", '"Old"::mood', []),
        ("text", "mood", "nullif(\"Old\", 'none')::mood", [LOSES]),
        ("mood", "text", '"Old"', []),
        ("mood", "varchar(2)", '"Old"::varchar(2)', [LOSES, NO_WAY_BACK]),
        ("timestamp", "timestamptz", '"Old"', [LOSES]),
        ("timestamp", "timestamptz", "\"Old\" AT TIME ZONE 'UTC'", []),
        ("timestamp(0)", "timestamptz(0)", "\"Old\" AT TIME ZONE 'UTC'", []),
        ("timestamptz", "date", "\"Old\" AT TIME ZONE 'UTC'", [LOSES]),
        ("date", "timestamptz", "\"Old\"::timestamp AT TIME ZONE 'UTC'", []),
        ("numeric(8,2)", "int", 'round("Old")', [LOSES]),
        ("numeric(8,2)", "int", '"Old"::int', [LOSES]),
    ],
)
@pytest.mark.parametrize("online", ["", ", retype: online"])
def test_hazards(
    old: str,
    new: str,
    using: str,
    expected: list[HazardKind],
    online: str,
    new_database: Callable[..., Database],
    tmp_path: Path,
) -> None:
    database = new_database(TABLE.format(old))
    quoted = "'" + using.replace("'", "''") + "'"
    plan = planned(database, tmp_path, DECLARED.format(f"'{new}'", quoted, online))
    assert hazards(plan) == expected


@pytest.mark.parametrize("online", ["", ", retype: online"])
def test_a_rollback_leaves_a_column_whose_values_no_cast_leads_back(
    online: str, database: Database, tmp_path: Path
) -> None:
    database.run("CREATE TABLE t (id int PRIMARY KEY, a int, v int NOT NULL)")
    database.run("INSERT INTO t SELECT n, n, n FROM generate_series(1, 5) AS n")
    file = "tables: {t: {columns: {a: bigint, v: {type: text, using: \"'gone'\"" + online + "}}}}"
    apply(database, tmp_path, file)
    assert database.rows("SELECT DISTINCT v FROM t") == [("gone",)]
    plan, _ = pipeline.plan_rollback(database.url, Place(), None)
    assert any("column public.t.v stays as it is" in note for note in plan.notes)
    outcome = rolled_back(database)
    assert (outcome.failed, outcome.left) == (0, ())
    types = (
        "SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 't'::regclass"
    )
    assert [t for (t,) in database.rows(types + " AND attname IN ('a', 'v') ORDER BY attname")] == [
        "integer",
        "text",
    ]
