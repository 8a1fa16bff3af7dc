"""Read the journal: the list of runs, and every record of a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from reconciler.errors import PlanRefused, StatementFailed
from reconciler.journal.journal import in_schema
from reconciler.journal.run_target import RunTarget
from reconciler.model.ref import Ref
from reconciler.model.reserved_names import APPLIER_LOCK
from reconciler.model.variables import Value
from reconciler.plan.plan import Plan
from reconciler.server.connection import Connection, Row, rows
from reconciler.server.elevation import INSUFFICIENT_PRIVILEGE
from reconciler.sql import compose, text

# Whether an applier, whose lock is older than the run, may still be at work; a standby does not
# know the locks of the primary.
_IS_HELD = f"""(
    pg_is_in_recovery() OR EXISTS (
        SELECT FROM pg_locks AS l LEFT JOIN pg_stat_activity AS a ON a.pid = l.pid
        WHERE l.locktype = 'advisory' AND (l.classid, l.objid) = {APPLIER_LOCK} AND l.granted
              AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
              AND coalesce(a.backend_start <= r.started_at, true)))"""
# A journal of an earlier version lacks columns, so rows are read whole: an absent column is null.
RUNS = f"""
    SELECT to_jsonb(r) - 'plan'
           || CASE WHEN r.status = 'running' AND NOT {_IS_HELD}
                   THEN jsonb_build_object('status', 'interrupted') ELSE '{{}}' END AS run,
           jsonb_array_length(r.plan -> 'steps') AS steps,
           ARRAY(SELECT c ->> 'action'
                 FROM jsonb_array_elements(r.plan -> 'changes') AS c) AS actions,
           (SELECT count(*) FROM {{schema}}.step AS s
            WHERE s.run_id = r.id AND s.status = 'done') AS done,
           extract(epoch FROM coalesce(r.finished_at, (SELECT max(s.finished_at)
                                                       FROM {{schema}}.step AS s
                                                       WHERE s.run_id = r.id))
                              - r.started_at)::float8 AS seconds
    FROM {{schema}}.run AS r"""
LATEST_RUNS = RUNS + " ORDER BY r.id DESC LIMIT %s"
ONE_RUN = RUNS + " WHERE r.id = %s"
# An interrupted run may have committed a step that it did not record.
CHANGED = """(
    EXISTS (SELECT FROM {schema}.step AS s WHERE s.run_id = r.id AND s.status = 'done')
    OR r.status IN ('running', 'interrupted'))"""
PLAN = "SELECT plan FROM {schema}.run WHERE id = %s"
STEPS = """
    SELECT step_id, status, finished_at, seconds, attempts, error
    FROM {schema}.step WHERE run_id = %s ORDER BY 3, 1"""
TOUCHED = """
    SELECT ref, before, after, after IS NOT NULL AS seen
    FROM {schema}.touched WHERE run_id = %s ORDER BY place"""
# The last recorded form of each object that a run touched: later runs may have changed it.
LEFT = """
    SELECT DISTINCT ON (t.identity) t.ref, t.before, t.after, t.after IS NOT NULL AS seen
    FROM {schema}.touched AS t
    WHERE t.run_id >= %s AND t.identity IN (SELECT o.identity FROM {schema}.touched AS o
                                            WHERE o.run_id = %s)
    ORDER BY t.identity, t.run_id DESC"""
BASELINES = "SELECT moment, taken_at, counters FROM {schema}.baseline WHERE run_id = %s"
KNOWN = """
    SELECT DISTINCT identity FROM {schema}.touched
    WHERE identity = ANY (%s) AND before <> 'null'"""
LATER = """
    SELECT r.id, r.status, r.rollback_of,
           coalesce(jsonb_agg(t.ref) FILTER (WHERE t.after IS DISTINCT FROM t.before), '[]') AS refs
    FROM {schema}.run AS r LEFT JOIN {schema}.touched AS t ON t.run_id = r.id
    WHERE r.id > %s GROUP BY r.id ORDER BY r.id"""
# The last run that touched each object, and what it left: no `after` where it was not read. Of a
# run that was not done, also what it was to leave.
LAST_APPLIED = f"""
    WITH touched AS MATERIALIZED (
        SELECT DISTINCT ON (t.identity) t.identity, t.before, t.after, t.run_id
        FROM {{schema}}.touched AS t WHERE t.identity = ANY (%s)
        ORDER BY t.identity, t.run_id DESC),
    planned AS MATERIALIZED (
        SELECT r.id, concat(c ->> 'kind', ' ', c ->> 'identity') AS identity, c -> 'after' AS after
        FROM {{schema}}.run AS r CROSS JOIN jsonb_array_elements(r.plan -> 'changes') AS c
        WHERE r.status <> 'done' AND r.id IN (SELECT run_id FROM touched))
    SELECT t.identity, t.before, t.after, t.after IS NOT NULL AS seen, p.after AS planned,
           r.id AS run, r.started_at,
           CASE WHEN r.status = 'running' AND NOT {_IS_HELD}
                THEN 'interrupted' ELSE r.status END AS status
    FROM touched AS t JOIN {{schema}}.run AS r ON r.id = t.run_id
         LEFT JOIN planned AS p ON p.id = r.id AND p.identity = t.identity"""
LAST_DONE = "SELECT max(finished_at) AS at FROM {schema}.run WHERE status = 'done'"
TABLE_EXISTS = """
    SELECT to_regclass(quote_ident(%s) || '.' || quote_ident(%s)) IS NOT NULL AS found"""
_REFS = TypeAdapter(list[Ref])


class Run(BaseModel):
    """A run in short.

    `changes` counts the changed objects of the plan by action, `steps` the plan's steps, and `done`
    the steps that succeeded. `target` is the name of the target in reconcile.yml, and `variables`
    are those that the YAML files list; None in a run of an earlier version.
    """

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
    rollout: str | None = None
    target: str | None = None
    variables: dict[str, Value] | None = None
    changes: dict[str, int] = {}
    steps: int = 0
    done: int = 0
    seconds: float | None = None

    @property
    def run_target(self) -> RunTarget | None:
        """The target of the run; None if it was not recorded."""
        return None if self.variables is None else RunTarget(self.target or "", self.variables)


class StepRecord(BaseModel):
    """The recorded outcome of a step."""

    model_config = ConfigDict(frozen=True)

    step_id: str
    status: str
    finished_at: datetime
    seconds: float
    attempts: int
    error: str | None = None


@dataclass(frozen=True)
class Touched:
    """The model of an object before and after a run, None if absent.

    Unless `seen`, the object was not read after the run.
    """

    ref: Ref
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    seen: bool


@dataclass(frozen=True)
class LastApplied:
    """What the last run that touched an object found and left; None for an absent object.

    Unless `seen`, the object was not read after the run. `planned` is what a run that was not done
    was to leave.
    """

    before: dict[str, Any] | None
    after: dict[str, Any] | None
    seen: bool
    planned: dict[str, Any] | None
    run: int
    started_at: datetime
    status: str


@dataclass(frozen=True)
class Detail:
    """A run with its plan, the outcome of every step, and the touched objects."""

    run: Run
    plan: Plan
    steps: Sequence[StepRecord]
    touched: Sequence[Touched]


@dataclass(frozen=True)
class Later:
    """A run after another run, and the changed objects."""

    run: int
    done: bool
    rollback_of: int | None
    refs: frozenset[Ref]


def runs(connection: Connection, schema: str, limit: int) -> list[Run]:
    """Read the latest runs, the last first; without a journal, none."""
    return read_runs(connection, schema, LATEST_RUNS, limit)


def read_runs(connection: Connection, schema: str, query: str, *values: object) -> list[Run]:
    """Read the runs of a query that begins with RUNS; without a journal, none."""
    return [_run(row) for row in query_journal(connection, schema, query, *values)]


def detail(connection: Connection, schema: str, run: int) -> Detail:
    """Read every record of a run; raises PlanRefused if the journal has no such run."""
    found = query_journal(connection, schema, ONE_RUN, run)
    if not found:
        raise PlanRefused(f"schema {schema} records no run {run}; `reconcile history` lists them")
    summary = _run(found[0])
    try:
        plan = Plan.model_validate(query_journal(connection, schema, PLAN, run)[0]["plan"])
    except ValidationError:
        raise PlanRefused(
            f"run {run} was recorded by version {summary.version},"
            " whose plans this version cannot read"
        ) from None
    steps = [
        StepRecord.model_validate(row) for row in query_journal(connection, schema, STEPS, run)
    ]
    return Detail(summary, plan, steps, _touched(connection, schema, run))


def _touched(connection: Connection, schema: str, run: int) -> list[Touched]:
    return _as_touched(query_journal(connection, schema, TOUCHED, run, table="touched"))


def last_left(connection: Connection, schema: str, run: int) -> list[Touched]:
    """Read the objects that a run touched, each as the last run left it that touched it."""
    return _as_touched(query_journal(connection, schema, LEFT, run, run, table="touched"))


def baselines(connection: Connection, schema: str, run: int) -> dict[str, Row]:
    """Map moments, "before" and "after", to rows with `taken_at` and `counters`."""
    found = query_journal(connection, schema, BASELINES, run, table="baseline")
    return {row["moment"]: row for row in found}


def _as_touched(found: Sequence[Row]) -> list[Touched]:
    refs = _REFS.validate_python([row["ref"] for row in found])
    return [
        Touched(ref, row["before"], row["after"], row["seen"])
        for ref, row in zip(refs, found, strict=True)
    ]


def later(connection: Connection, schema: str, run: int) -> list[Later]:
    """Read the runs after a run, except runs undone by a later rollback.

    A finished rollback of a later run is left out together with the run that it undid.
    """
    found = [_later(row) for row in query_journal(connection, schema, LATER, run, table="touched")]
    undone: set[int] = set()
    for each in reversed(found):
        if each.done and each.run not in undone and (each.rollback_of or 0) > run:
            undone |= {each.run, each.rollback_of or 0}
    return [each for each in found if each.run not in undone]


def _later(row: Row) -> Later:
    refs = frozenset(_REFS.validate_python(row["refs"]))
    return Later(row["id"], row["status"] == "done", row["rollback_of"], refs)


def _run(row: Row) -> Run:
    counted = {column: row[column] for column in ("steps", "done", "seconds")}
    return Run.model_validate({**row["run"], **counted, "changes": Counter(row["actions"])})


def recorded(connection: Connection, schema: str, refs: Iterable[Ref]) -> frozenset[Ref]:
    """Return the objects that existed before a recorded run; none without a readable journal."""
    by_name = {str(ref): ref for ref in refs}
    if not by_name:
        return frozenset()
    try:
        found = query_journal(connection, schema, KNOWN, [*by_name], table="touched")
    except StatementFailed:  # the role may not read the journal
        return frozenset()
    return frozenset(by_name[row["identity"]] for row in found)


def exists(connection: Connection, schema: str) -> bool:
    """Tell whether the schema holds a journal."""
    return _reading(connection, schema, TABLE_EXISTS, [schema, "touched"])[0]["found"]


def last_applied(
    connection: Connection, schema: str, identities: Iterable[str]
) -> dict[str, LastApplied]:
    """Map objects, as kind and identity, to what the last run that touched each has left."""
    found = query_journal(connection, schema, LAST_APPLIED, [*identities], table="touched")
    return {row.pop("identity"): LastApplied(**row) for row in found}


def last_done(connection: Connection, schema: str) -> datetime | None:
    """Return the time at which the last run that was done ended."""
    found = query_journal(connection, schema, LAST_DONE)
    return found[0]["at"] if found else None


def query_journal(
    connection: Connection, schema: str, query: str, *values: object, table: str = "run"
) -> list[Row]:
    """Run a query on the journal; without the table, return no rows."""
    if not _reading(connection, schema, TABLE_EXISTS, [schema, table])[0]["found"]:
        return []
    return _reading(connection, schema, in_schema(query, schema), values)


def _reading(
    connection: Connection, schema: str, query: str, values: Sequence[object]
) -> list[Row]:
    """Run a query; tell a role that may not read the journal what would allow that."""
    try:
        return rows(connection, query, values)
    except StatementFailed as error:
        if error.sqlstate != INSUFFICIENT_PRIVILEGE:
            raise
        hint = f"this allows it: {_grants_to_read(connection, schema)}"
        raise StatementFailed(error.message, sqlstate=error.sqlstate, hint=hint) from None


def _grants_to_read(connection: Connection, schema: str) -> str:
    """Compose the statements by which the role may read the journal."""
    user = rows(connection, "SELECT current_user::text AS name")[0]["name"]
    usage = compose("GRANT USAGE ON SCHEMA {} TO {}", schema, user)
    select = compose("GRANT SELECT ON ALL TABLES IN SCHEMA {} TO {}", schema, user)
    return f"{text(usage)}; {text(select)}"
