"""The journal: a record of every run in the target database, for history and rollback.

It holds the user, the time, the plan, the outcome of every step, and the touched objects before and
after. No other stage depends on it, so a failure to write it is reported and does not stop the run.
"""

from __future__ import annotations

import getpass
import socket
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from psycopg.types.json import Jsonb

from reconciler.errors import PlanRefused, StatementFailed
from reconciler.journal.ownership import Place, lock_and_check, untrusted
from reconciler.journal.tables import TABLES, add_columns, create_table, revoke_default_privileges
from reconciler.model.ref import Ref
from reconciler.model.reserved_names import JOURNAL_COMMENT
from reconciler.plan.plan import Plan
from reconciler.server.connection import Connection, rows, run_sql, translated
from reconciler.sql import compose, literal, name, text
from reconciler.version import version

Model = dict[str, Any]


FIRST_VERSION: Mapping[str, set[str]] = {  # columns by which a journal of any version is known
    "run": {"id", "status", "git_commit", "plan"},
    "step": {"run_id", "step_id"},
}
SET_TIMEOUTS = """
    SELECT set_config('lock_timeout', '2s', true), set_config('statement_timeout', '30s', true)"""
COLUMNS = """
    SELECT c.relname::text AS relname, array_agg(a.attname::text) AS names
    FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
    WHERE c.relnamespace = to_regnamespace(quote_ident(%s)) AND c.relkind = 'r'
          AND a.attnum > 0 AND NOT a.attisdropped
    GROUP BY 1"""
OCCUPIED = """
    SELECT obj_description(to_regclass(quote_ident(%(name)s) || '.run'), 'pg_class')
               IS DISTINCT FROM %(mark)s
           AND (EXISTS (SELECT FROM pg_class WHERE relnamespace = n.oid)
                OR EXISTS (SELECT FROM pg_proc WHERE pronamespace = n.oid)
                OR EXISTS (SELECT FROM pg_type WHERE typnamespace = n.oid)) AS occupied
    FROM pg_namespace AS n WHERE n.nspname = %(name)s"""
INTERRUPT_RUNS = "UPDATE {} SET status = 'interrupted' WHERE status = 'running'"
INSERT_RUN = """
    INSERT INTO {schema}.run
        (client_user, client_host, version, git_commit, plan, digest, rollback_of, rollout,
         target, variables)
    VALUES (%(user)s, %(host)s, %(version)s, %(commit)s, %(plan)s, %(digest)s, %(rollback_of)s,
            nullif(%(rollout)s, ''), nullif(%(target)s, ''), %(variables)s)
    RETURNING id"""
INSERT_TOUCHED = """
    INSERT INTO {schema}.touched (run_id, place, identity, ref, before)
    SELECT %(run)s, t.place - 1, o ->> 'identity', o -> 'ref', o -> 'model'
    FROM jsonb_array_elements(%(objects)s) WITH ORDINALITY AS t(o, place)"""
INSERT_STEPS = """
    INSERT INTO {schema}.step (run_id, step_id, status, seconds, attempts, error)
    SELECT %(run)s, s.* FROM jsonb_to_recordset(%(steps)s) AS
        s(step_id text, status text, seconds double precision, attempts integer, error text)
    ON CONFLICT (run_id, step_id) DO UPDATE
    SET (status, error, finished_at) = (EXCLUDED.status, EXCLUDED.error, DEFAULT)"""
INSERT_APPROVALS = """
    INSERT INTO {schema}.approval (run_id, place, hazard, object, digest, given_by, steps)
    SELECT %(run)s, a.place, p.hazard, p.object, p.digest, p.given_by, p.steps
    FROM jsonb_array_elements(%(used)s) WITH ORDINALITY AS a(value, place)
    CROSS JOIN LATERAL jsonb_to_record(a.value) AS
        p(hazard text, object text, digest text, given_by text, steps text[])"""
CLOSE_RUN = """
    UPDATE {schema}.run SET status = %(status)s, finished_at = clock_timestamp()
    WHERE id = %(run)s"""
INSERT_BASELINE = """
    INSERT INTO {schema}.baseline (run_id, moment, counters)
    VALUES (%(run)s, %(moment)s, %(counters)s)"""
UPDATE_TOUCHED = """
    UPDATE {schema}.touched AS t SET after = a.model
    FROM jsonb_array_elements(%(models)s) WITH ORDINALITY AS a(model, place)
    WHERE t.run_id = %(run)s AND t.place = a.place - 1"""


@dataclass(frozen=True)
class StepRecord:
    """The outcome of a step; `status` is done, failed or skipped."""

    step_id: str
    status: str
    seconds: float
    attempts: int
    error: str | None


@dataclass
class Journal:
    """The record of a run; `run` is the number, or None if nothing is recorded.

    `complaints` are the reasons for gaps in the record.
    """

    place: Place | None = None
    run: int | None = None
    refs: Sequence[Ref] = ()
    complaints: list[str] = field(default_factory=list[str])

    def steps(self, connection: Connection, records: Sequence[StepRecord]) -> None:
        """Record the outcomes of steps, each in place of an earlier record."""
        values = Jsonb([asdict(record) for record in records])
        self._write(connection, INSERT_STEPS, {"steps": values})

    def close(
        self, connection: Connection, status: str, after: Mapping[Ref, Model | None] | None
    ) -> None:
        """Record the end of the run: done, failed or interrupted, and the touched objects.

        `after` maps objects to their models, or to None if they do not exist; it is None itself if
        the objects could not be read.
        """
        self._write(connection, CLOSE_RUN, {"status": status})
        if after is not None and self.refs:
            models = Jsonb([after.get(ref) for ref in self.refs])
            self._write(connection, UPDATE_TOUCHED, {"models": models})

    def baseline(self, connection: Connection, moment: str, counters: Model) -> None:
        """Record the statistics of the target "before" the first step, or "after" the last."""
        values = {"moment": moment, "counters": Jsonb(counters)}
        self._write(connection, INSERT_BASELINE, values)

    def complain(self, reason: str) -> None:
        """Add the reason for a gap in the record, once."""
        if reason not in self.complaints:
            self.complaints.append(reason)

    def _write(self, connection: Connection, query: str, values: Mapping[str, object]) -> None:
        if self.run is None or self.place is None:
            return
        query = in_schema(query, self.place.schema)
        try:
            with translated(), connection.transaction():
                rows(connection, SET_TIMEOUTS)
                lock_and_check(connection, self.place)
                rows(connection, query, {**values, "run": self.run})
        except StatementFailed as error:
            self.complain(f"run {self.run} is recorded with gaps: {error.message}")
        except PlanRefused as error:
            self.complain(f"run {self.run} is recorded with gaps: {error}")


def refusal(connection: Connection, place: Place) -> str:
    """Return why the schema cannot hold the journal; "" if possible."""
    if reason := untrusted(connection, place):
        return reason
    schema = place.schema
    found = rows(connection, OCCUPIED, {"name": schema, "mark": JOURNAL_COMMENT})
    occupied = bool(found) and found[0]["occupied"]
    if not occupied or _is_journal(_columns(connection, schema)):
        return ""
    return (
        f"schema {schema} holds objects that are not a journal of reconcile: name another schema"
        " with --journal NAME, or record nothing with --no-journal"
    )


def begin(
    connection: Connection,
    place: Place | None,
    plan: Plan,
    before: Mapping[Ref, Model | None],
    *,
    rollout: str = "",
    used: Sequence[Model] = (),
) -> Journal:
    """Record the start of a run of `plan`, and create or upgrade the journal's tables.

    Without a place nothing is recorded. `before` maps the objects that the plan touches to their
    models, or to None if they do not exist. `rollout` names the roll-out of the run, "" for none.
    `used` are the permissions that entries of approvals.yml give. Raises PlanRefused if the schema
    holds other objects, if others than trusted roles may have written the journal, or if nothing
    can count the entries.
    """
    if place is None:
        return Journal()
    schema = place.schema
    try:
        if reason := refusal(connection, place):
            raise PlanRefused(reason)
        with translated(), connection.transaction():
            rows(connection, SET_TIMEOUTS)
            _create_tables(connection, schema)
            lock_and_check(connection, place)
            run = _insert_run(connection, place, plan, rollout)
            _insert_touched(connection, schema, run, before)
            if used:
                values: dict[str, object] = {"run": run, "used": Jsonb([*used])}
                rows(connection, in_schema(INSERT_APPROVALS, schema), values)
        return Journal(place, run, list(before))
    except StatementFailed as error:
        reason = f"this run is not recorded in schema {schema}: {error.message}"
        if used:
            raise PlanRefused(f"approvals.yml counts once, by the journal, and {reason}") from None
        return Journal(complaints=[reason])


def in_schema(query: str, schema: str) -> str:
    """Replace `{schema}` in a query with parameters by the journal's schema."""
    return query.replace("{schema}", text(name(schema)).replace("%", "%%"))


def _columns(connection: Connection, schema: str) -> dict[str, set[str]]:
    """Map the tables of the schema to sets of column names."""
    return {row["relname"]: set(row["names"]) for row in rows(connection, COLUMNS, [schema])}


def _is_journal(tables: Mapping[str, set[str]]) -> bool:
    return all(columns <= tables.get(table, set()) for table, columns in FIRST_VERSION.items())


def _create_tables(connection: Connection, schema: str) -> None:
    """Create the schema, the tables and the columns, unless present."""
    if not rows(connection, "SELECT 1 FROM pg_namespace WHERE nspname = %s", [schema]):
        run_sql(connection, text(compose("CREATE SCHEMA {}", schema)))
        revoke_default_privileges(connection, schema)
    existing = _columns(connection, schema)
    for table in TABLES:
        statements = (
            add_columns(schema, table, existing[table])
            if table in existing
            else [create_table(schema, table)]
        )
        if statements and table == "run":
            comment = "COMMENT ON TABLE {} IS {}"
            statements.append(text(compose(comment, name(schema, table), literal(JOURNAL_COMMENT))))
        for statement in statements:
            run_sql(connection, statement)
        if table not in existing:
            revoke_default_privileges(connection, schema, table)


def _insert_run(connection: Connection, place: Place, plan: Plan, rollout: str) -> int:
    """Insert the run and return the number.

    Only one applier runs at a time: an earlier run without an end is one whose client died.
    """
    run_sql(connection, text(compose(INTERRUPT_RUNS, name(place.schema, "run"))))
    values: dict[str, object] = {
        "user": _user(),
        "host": socket.gethostname(),
        "version": version(),
        "commit": _git_commit(),
        "plan": Jsonb(plan, dumps=Plan.model_dump_json),
        "digest": plan.digest,
        "rollback_of": plan.rollback_of,
        "rollout": rollout,
        "target": place.run_target.name if place.run_target else "",
        "variables": Jsonb(dict(place.run_target.variables)) if place.run_target else None,
    }
    return rows(connection, in_schema(INSERT_RUN, place.schema), values)[0]["id"]


def _insert_touched(
    connection: Connection, schema: str, run: int, before: Mapping[Ref, Model | None]
) -> None:
    if not before:
        return
    objects = [
        {"identity": str(ref), "ref": ref.document, "model": model} for ref, model in before.items()
    ]
    values: dict[str, object] = {"run": run, "objects": Jsonb(objects)}
    rows(connection, in_schema(INSERT_TOUCHED, schema), values)


def _user() -> str:
    try:
        return getpass.getuser()
    except (ImportError, KeyError, OSError):  # a container whose user has no name
        return "?"


def _git_commit() -> str | None:
    """Return the commit of the working directory, or None outside of a git repository."""
    try:
        done = subprocess.run(
            ["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False, timeout=5
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None
