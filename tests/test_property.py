"""Test random pairs of schemas: apply, undo and rollback lead from each to the other and back."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler import pipeline
from reconciler.declare.load import load
from reconciler.journal.ownership import Place
from reconciler.model.state import Scope
from reconciler.pipeline import Job
from reconciler.plan.plan import Plan
from reconciler.report.progress import Lines
from reconciler.server.locks import LockPolicy
from tests.conftest import Database
from tests.test_cases import undo
from tests.yaml_text import as_yaml

PAIRS = int(os.environ.get("RECONCILE_TEST_PAIRS", "3"))  # set to test other pairs in each run
EVERYTHING = Scope(frozenset({"*"}), prune=True, everything=True)
TABLES = ("a", "b", "c")
PLAIN = (
    "integer",
    "bigint",
    "text",
    "varchar(20)",
    "numeric(10,2)",
    "timestamptz",
    "boolean",
    "jsonb",
    "integer[]",
)
Body = dict[str, Any]


@dataclass
class Schema:
    """A declaration under construction, and the objects on which others can depend."""

    content: Body = field(
        default_factory=lambda: {"schemas": {"public": {"grants": {"public": "usage"}}}}
    )

    def add(self, section: str, name: str, body: Any) -> None:
        self.content.setdefault(section, {})[name] = body

    def names(self, section: str) -> list[str]:
        return list(self.content.get(section, {}))

    def columns(self, table: str) -> dict[str, str]:
        return {c: b["type"] for c, b in self.content["tables"][table]["columns"].items()}


def with_comment_and_grants(draw: st.DrawFn, body: Body, *, grants: str = "select") -> Body:
    """Add a comment and grants at random."""
    if draw(st.integers(0, 3)) == 0:
        body["comment"] = draw(st.sampled_from(("one", "it's two")))
    if grants and draw(st.integers(0, 3)) == 0:
        body["grants"] = {"pg_monitor": grants}
    return body


@st.composite
def schemas(draw: st.DrawFn) -> Body:
    schema = Schema()
    _types(draw, schema)
    _functions(draw, schema)
    for table in TABLES:
        if draw(st.integers(0, 3)):
            schema.add("tables", table, _table(draw, schema, table))
    _views(draw, schema)
    return schema.content


def _types(draw: st.DrawFn, schema: Schema) -> None:
    if draw(st.booleans()):
        values = draw(
            st.sampled_from((["x", "y"], ["x", "y", "z"], ["w", "x", "y"], ["y", "x"], ["x", "z"]))
        )
        schema.add(
            "enums", "mood", with_comment_and_grants(draw, {"values": values}, grants="usage")
        )
    if draw(st.booleans()):
        check = draw(st.sampled_from(("VALUE <> ''", "length(VALUE) < 9")))
        schema.add("domains", "word", {"type": "text", "constraints": {"fits": check}})
    if draw(st.booleans()):
        schema.add(
            "sequences",
            "counter",
            {"increment": draw(st.sampled_from((1, 5))), "start": draw(st.sampled_from((1, 10)))},
        )


def _functions(draw: st.DrawFn, schema: Schema) -> None:
    if draw(st.booleans()):
        returns, more = draw(st.sampled_from(("integer", "bigint"))), draw(st.sampled_from((1, 2)))
        body = {
            "returns": returns,
            "language": "sql",
            "volatility": "immutable",
            "body": f"SELECT (n + {more})::{returns}",
        }
        schema.add(
            "functions", "next(n integer)", with_comment_and_grants(draw, body, grants="execute")
        )
    if draw(st.booleans()):
        note = draw(st.sampled_from(("-- one", "-- two")))
        schema.add(
            "functions",
            "stamp()",
            {
                "returns": "trigger",
                "language": "plpgsql",
                "body": f"BEGIN {note}\n  RETURN NEW;\nEND",
            },
        )


def _column(draw: st.DrawFn, schema: Schema) -> Body:
    types = [*PLAIN, *schema.names("enums"), *schema.names("domains")]
    body: Body = {"type": draw(st.sampled_from(types))}
    if draw(st.integers(0, 2)) == 0:
        body["not_null"] = True
    if body["type"] in ("integer", "bigint") and draw(st.integers(0, 2)) == 0:
        defaults = [
            "7",
            *(["public.next(1)"] if "next(n integer)" in schema.names("functions") else []),
        ]
        defaults += ["nextval('public.counter'::regclass)"] if schema.names("sequences") else []
        body["default"] = draw(st.sampled_from(defaults))
    if body["type"] == "mood" and draw(st.booleans()):
        body["default"] = "'x'"
    return with_comment_and_grants(draw, body)


def _table(draw: st.DrawFn, schema: Schema, name: str) -> Body:
    columns: Body = {"id": {"type": "bigint", "primary_key": True, "not_null": True}}
    for column in draw(st.lists(st.sampled_from(("m", "n", "o", "p")), unique=True, max_size=4)):
        columns[column] = _column(draw, schema)
    if (others := schema.names("tables")) and draw(st.booleans()):
        columns["other"] = {"type": "bigint", "references": f"{draw(st.sampled_from(others))}(id)"}
    body: Body = {"columns": columns, "row_level_security": draw(st.booleans())}
    numbers = [c for c, b in columns.items() if b["type"] in ("integer", "bigint")]
    functions = schema.names("functions")
    if draw(st.booleans()):
        body["constraints"] = {
            f"{name}_check": {
                "check": f"{draw(st.sampled_from(numbers))} <> {draw(st.sampled_from((0, 1)))}"
            }
        }
    if draw(st.booleans()):
        keys = draw(st.lists(st.sampled_from(list(columns)), min_size=1, max_size=2, unique=True))
        keys = [k for k in keys if columns[k]["type"] != "jsonb"] or ["id"]
        index: Body = {"on": keys, "unique": draw(st.booleans())}
        body["indexes"] = {
            f"{name}_idx": index | ({"where": "id > 3"} if draw(st.booleans()) else {})
        }
    if draw(st.booleans()):
        using = draw(
            st.sampled_from(
                (
                    "id > 1",
                    "id > 2",
                    *(["public.next(1) > id"] if "next(n integer)" in functions else []),
                )
            )
        )
        body["policies"] = {
            "visible": {"using": using, "for": draw(st.sampled_from(("select", "all")))}
        }
    if "stamp()" in functions and draw(st.booleans()):
        body["triggers"] = {
            "stamped": {
                "before": draw(st.sampled_from((["insert"], ["insert", "update"]))),
                "for_each": "row",
                "execute": "stamp()",
            }
        }
    return with_comment_and_grants(draw, body)


def _views(draw: st.DrawFn, schema: Schema) -> None:
    for table in schema.names("tables"):
        if draw(st.booleans()):
            columns = draw(
                st.lists(st.sampled_from(list(schema.columns(table))), min_size=1, unique=True)
            )
            called = (
                ["public.next(1) AS following"]
                if "next(n integer)" in schema.names("functions") and draw(st.booleans())
                else []
            )
            query = f"SELECT {', '.join([*columns, *called])} FROM {table}"
            section = draw(st.sampled_from(("views", "views", "materialized_views")))
            schema.add(section, f"of_{table}", with_comment_and_grants(draw, {"query": query}))
            if draw(st.booleans()):
                schema.add(
                    "views",
                    f"over_{table}",
                    with_comment_and_grants(
                        draw, {"query": f"SELECT {columns[0]} FROM of_{table}"}
                    ),
                )


def job_of(content: Body, database: Database, folder: Path) -> Job:
    file = folder / "state.yml"
    file.write_text(as_yaml(content))
    return Job(database.url, load(file), EVERYTHING)


def applied(job: Job) -> Plan:
    plan = pipeline.plan_changes(job)
    outcome = pipeline.apply_plan(
        plan, job, job.target, Lines(lambda _: None), LockPolicy(), ["all"]
    )
    assert (outcome.failed, outcome.skipped, outcome.left) == (0, 0, ())
    return plan


@settings(
    max_examples=PAIRS,
    deadline=None,
    derandomize="RECONCILE_TEST_PAIRS" not in os.environ,
    print_blob=True,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
    ],
)
@given(old=schemas(), new=schemas())
def test_random_schemas_converge_to_each_other(
    old: Body, new: Body, new_database: Callable[..., Database], tmp_path: Path
) -> None:
    database, fresh = new_database(), new_database()
    applied(job_of(old, database, tmp_path))
    before = database.dump()
    plan = applied(job_of(new, database, tmp_path))
    applied(job_of(new, fresh, tmp_path))
    assert database.dump() == fresh.dump()
    undo(plan, database)
    assert database.dump() == before
    if not plan.steps:
        return
    applied(job_of(new, database, tmp_path))
    back, job = pipeline.plan_rollback(database.url, Place(), None)
    outcome = pipeline.apply_plan(
        back, job, database.url, Lines(lambda _: None), LockPolicy(), ["all"]
    )
    assert (outcome.failed, outcome.skipped, outcome.left) == (0, 0, ())
    assert database.dump() == before
