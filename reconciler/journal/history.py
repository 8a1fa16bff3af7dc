"""What the journal tells: which runs there were, how each of their steps went, and what was there before and after."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from reconciler.errors import PlanRefused
from reconciler.model.ref import Ref
from reconciler.plan.plan import Plan
from reconciler.server.connection import Connection, Row, rows
from reconciler.sql import compose, text

# A journal of an earlier version lacks columns and tables: rows are read whole, and what they lack is null.
RUNS = """
    SELECT to_jsonb(r) - 'plan' AS run, jsonb_array_length(r.plan -> 'steps') AS steps,
           ARRAY(SELECT c ->> 'action' FROM jsonb_array_elements(r.plan -> 'changes') AS c) AS actions,
           (SELECT count(*) FROM {schema}.step AS s WHERE s.run_id = r.id AND s.status = 'done') AS done,
           extract(epoch FROM coalesce(r.finished_at, (SELECT max(s.finished_at) FROM {schema}.step AS s WHERE s.run_id = r.id))
                              - r.started_at)::float8 AS seconds
    FROM {schema}.run AS r"""
STEPS = "SELECT step_id, status, finished_at, seconds, attempts, error FROM {schema}.step WHERE run_id = %s ORDER BY 3, 1"
TOUCHED = "SELECT ref, before, after, after IS NOT NULL AS seen FROM {schema}.touched WHERE run_id = %s ORDER BY place"
LATER = """
    SELECT r.id, r.status, r.rollback_of, coalesce(jsonb_agg(t.ref) FILTER (WHERE t.after IS DISTINCT FROM t.before), '[]') AS refs
    FROM {schema}.run AS r LEFT JOIN {schema}.touched AS t ON t.run_id = r.id
    WHERE r.id > %s GROUP BY r.id ORDER BY r.id"""
_REFS = TypeAdapter(list[Ref])


class Run(BaseModel):
    """One run in short: `changes` counts objects by what was planned for them, `done` the steps that succeeded."""

    model_config = ConfigDict(frozen=True)

    id: int
    started_at: datetime
    finished_at: datetime | None = None
    status: str
    role_name: str
    client_user: str
    client_host: str
    version: str
    git_commit: str | None = None
    digest: str | None = None
    rollback_of: int | None = None
    changes: dict[str, int] = {}
    steps: int = 0
    done: int = 0
    seconds: float | None = None


class StepRecord(BaseModel):
    """How a step went."""

    model_config = ConfigDict(frozen=True)

    step_id: str
    status: str
    finished_at: datetime
    seconds: float
    attempts: int
    error: str | None = None


@dataclass(frozen=True)
class Touched:
    """An object before and after a run, None where it was not there; nobody looked afterwards unless `seen`."""

    ref: Ref
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    seen: bool


@dataclass(frozen=True)
class Detail:
    """One run with all that is recorded of it."""

    run: Run
    plan: Plan
    steps: Sequence[StepRecord]
    touched: Sequence[Touched]


@dataclass(frozen=True)
class Later:
    """A run after another, and what it changed."""

    run: int
    done: bool
    rollback_of: int | None
    refs: frozenset[Ref]


def runs(connection: Connection, schema: str, limit: int) -> list[Run]:
    """The last runs, the latest first; none where there is no journal."""
    if not _there(connection, schema, "run"):
        return []
    return [_run(r) for r in _ask(connection, schema, RUNS + " ORDER BY r.id DESC LIMIT %s", limit)]


def detail(connection: Connection, schema: str, run: int) -> Detail:
    """Everything of one run; raises PlanRefused where it is not recorded."""
    found = (
        _ask(connection, schema, RUNS + " WHERE r.id = %s", run)
        if _there(connection, schema, "run")
        else []
    )
    if not found:
        raise PlanRefused(
            f"schema {schema} records no run {run}; `reconcile history` lists those that it does"
        )
    try:
        plan = Plan.model_validate(
            _ask(connection, schema, "SELECT plan FROM {schema}.run WHERE id = %s", run)[0]["plan"]
        )
    except ValidationError:
        raise PlanRefused(
            f"run {run} was recorded by version {_run(found[0]).version}, in words that this one does not know"
        ) from None
    steps = [StepRecord.model_validate(r) for r in _ask(connection, schema, STEPS, run)]
    kept = _ask(connection, schema, TOUCHED, run) if _there(connection, schema, "touched") else []
    refs = _REFS.validate_python([r["ref"] for r in kept])
    touched = [
        Touched(ref, r["before"], r["after"], r["seen"]) for ref, r in zip(refs, kept, strict=True)
    ]
    return Detail(_run(found[0]), plan, steps, touched)


def last_that_changed(connection: Connection, schema: str) -> Run | None:
    """The last run that changed something, or may have: what breaks off may do so between a commit and its record."""
    changed = """ WHERE EXISTS (SELECT FROM {schema}.step AS s WHERE s.run_id = r.id AND s.status = 'done')
                        OR r.status IN ('running', 'interrupted') ORDER BY r.id DESC LIMIT 1"""
    found = _ask(connection, schema, RUNS + changed) if _there(connection, schema, "run") else []
    return _run(found[0]) if found else None


def later(connection: Connection, schema: str, run: int) -> list[Later]:
    """The runs after this one that still stand: a rollback that is done, and what it took back, are as if they had not been."""
    if not _there(connection, schema, "touched"):
        return []
    found = [
        Later(
            r["id"],
            r["status"] == "done",
            r["rollback_of"],
            frozenset(_REFS.validate_python(r["refs"])),
        )
        for r in _ask(connection, schema, LATER, run)
    ]
    gone: set[int] = set()
    for each in reversed(found):
        if (
            each.done
            and each.rollback_of is not None
            and each.rollback_of > run
            and each.run not in gone
        ):
            gone |= {each.run, each.rollback_of}
    return [f for f in found if f.run not in gone]


def _run(row: Row) -> Run:
    return Run.model_validate(
        {
            **row["run"],
            **{k: row[k] for k in ("steps", "done", "seconds")},
            "changes": Counter(row["actions"]),
        }
    )


def _there(connection: Connection, schema: str, table: str) -> bool:
    query = "SELECT to_regclass(quote_ident(%s) || '.' || quote_ident(%s)) IS NOT NULL AS there"
    return rows(connection, query, [schema, table])[0]["there"]


def _ask(connection: Connection, schema: str, query: str, *values: object) -> list[Row]:
    named = text(compose("{}", schema)).replace("%", "%%")
    return rows(connection, query.replace("{schema}", named), values)
