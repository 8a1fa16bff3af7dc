"""The record of runs, kept in the target: who, when, what was planned, how each step went, and what was there before.

Correctness never depends on it: it is read for history and for going back. So what cannot be recorded is told, and the run
goes on.
"""

from __future__ import annotations

import getpass
import socket
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from psycopg.types.json import Jsonb

from reconciler import __version__
from reconciler.errors import PlanRefused, StatementFailed
from reconciler.model.ref import Ref
from reconciler.model.reserved_names import JOURNAL_COMMENT
from reconciler.server.connection import Connection, rows, run_sql, translated
from reconciler.sql import compose, literal, name, raw, text

Model = dict[str, Any]
# Table → column → its definition. A table of an earlier version lacks the later columns, and gets them.
LAYOUT: Mapping[str, Mapping[str, str]] = {
    "run": {
        "id": "bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
        "started_at": "timestamptz NOT NULL DEFAULT clock_timestamp()",
        "finished_at": "timestamptz",
        "status": "text NOT NULL DEFAULT 'running' CHECK (status IN ('running', 'done', 'failed', 'interrupted'))",
        "role_name": "text NOT NULL DEFAULT current_user",
        "client_user": "text NOT NULL",
        "client_host": "text NOT NULL",
        "version": "text NOT NULL",
        "git_commit": "text",
        "plan": "jsonb NOT NULL",
        "digest": "text",
        "rollback_of": "bigint",
    },
    "step": {
        "run_id": "bigint NOT NULL REFERENCES {schema}.run ON DELETE CASCADE",
        "step_id": "text NOT NULL",
        "status": "text NOT NULL CHECK (status IN ('done', 'failed', 'skipped'))",
        "finished_at": "timestamptz NOT NULL DEFAULT clock_timestamp()",
        "seconds": "double precision NOT NULL",
        "attempts": "integer NOT NULL",
        "error": "text",
        "PRIMARY KEY": "(run_id, step_id)",
    },
    # An object that is not there is JSON's null; what is SQL's NULL in `after` was never looked at: the run broke off.
    "touched": {
        "run_id": "bigint NOT NULL REFERENCES {schema}.run ON DELETE CASCADE",
        "place": "integer NOT NULL",
        "identity": "text NOT NULL",
        "ref": "jsonb NOT NULL",
        "before": "jsonb NOT NULL",
        "after": "jsonb",
        "PRIMARY KEY": "(run_id, place)",
    },
}
PATIENCE = "SELECT set_config('lock_timeout', '2s', true), set_config('statement_timeout', '30s', true)"  # for an entry
PRESENT = """
    SELECT c.relname::text AS relname, array_agg(a.attname::text) AS has
    FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
    WHERE c.relnamespace = to_regnamespace(quote_ident(%s)) AND a.attnum > 0 AND NOT a.attisdropped AND c.relkind = 'r'
    GROUP BY 1"""
FOREIGN = """
    SELECT obj_description(to_regclass(quote_ident(%(own)s) || '.run'), 'pg_class') IS DISTINCT FROM %(mark)s
           AND (EXISTS (SELECT FROM pg_class WHERE relnamespace = n.oid) OR EXISTS (SELECT FROM pg_proc WHERE pronamespace = n.oid)
                OR EXISTS (SELECT FROM pg_type WHERE typnamespace = n.oid)) AS taken
    FROM pg_namespace AS n WHERE n.nspname = %(own)s"""


@dataclass
class Journal:
    """One run's entry; `run` is None where nothing is recorded, and `complaints` says why, if anything is wrong."""

    schema: str = ""
    run: int | None = None
    refs: Sequence[Ref] = ()
    complaints: list[str] = field(default_factory=list[str])

    def step(
        self,
        connection: Connection,
        step_id: str,
        status: str,
        seconds: float,
        attempts: int,
        error: str | None,
    ) -> None:
        """Record how a step went: done, failed or skipped; what was recorded of it before was said too early."""
        words = """INSERT INTO {}.step (run_id, step_id, status, seconds, attempts, error) VALUES ({}, %s, %s, %s, %s, %s)
                   ON CONFLICT (run_id, step_id) DO UPDATE SET (status, error, finished_at) = (EXCLUDED.status, EXCLUDED.error, DEFAULT)"""
        self._write(connection, words, [step_id, status, seconds, attempts, error])

    def close(
        self, connection: Connection, status: str, after: Mapping[Ref, Model | None] | None
    ) -> None:
        """Record how the run ended (done, failed or interrupted) and, if somebody looked, what the objects are now."""
        self._write(
            connection,
            "UPDATE {}.run SET status = %s, finished_at = clock_timestamp() WHERE id = {}",
            [status],
        )
        if after is not None and self.refs:
            self._write(
                connection,
                """UPDATE {}.touched AS t SET after = a.model FROM unnest(%s::integer[], %s::jsonb[]) AS a(place, model)
                   WHERE t.run_id = {} AND t.place = a.place""",
                [list(range(len(self.refs))), [Jsonb(after.get(r)) for r in self.refs]],
            )

    def complain(self, why: str) -> None:
        """Remember what could not be recorded, once."""
        if why not in self.complaints:
            self.complaints.append(why)

    def _write(self, connection: Connection, words: str, values: Sequence[object]) -> None:
        if self.run is None:
            return
        query = text(raw(words).format(raw(_named(self.schema)), literal(self.run)))
        try:
            with translated(), connection.transaction():
                rows(connection, PATIENCE)
                connection.execute(query.encode(), values)
        except StatementFailed as e:
            self.complain(f"run {self.run} is recorded with gaps: {e.message}")


def refusal(connection: Connection, schema: str) -> str:
    """Why the journal cannot be kept in this schema: it holds something else; "" where it can."""
    found = rows(connection, FOREIGN, {"own": schema, "mark": JOURNAL_COMMENT})
    known = _present(connection, schema)
    if not found or not found[0]["taken"] or _ours(known):
        return ""
    return f"schema {schema} holds something that is no journal of ours: name another with --journal NAME, or write none with --no-journal"


def begin(
    connection: Connection,
    schema: str | None,
    plan: Model,
    before: Mapping[Ref, Model | None],
    *,
    rollback_of: int | None = None,
) -> Journal:
    """Open the entry of a run of `plan`, making the journal's tables or bringing them up to date; `schema` None writes none.

    Only one applier runs at a time, so an entry that is still running is one whose client died. Raises PlanRefused where
    the schema is somebody else's.
    """
    if schema is None:
        return Journal()
    if why := refusal(connection, schema):
        raise PlanRefused(why)
    try:
        with translated(), connection.transaction():
            rows(connection, PATIENCE)
            _lay_out(connection, schema)
            return Journal(
                schema, _opened(connection, schema, plan, before, rollback_of), list(before)
            )
    except StatementFailed as e:
        return Journal(complaints=[f"this run is not recorded in schema {schema}: {e.message}"])


def _present(connection: Connection, schema: str) -> dict[str, set[str]]:
    return {r["relname"]: set(r["has"]) for r in rows(connection, PRESENT, [schema])}


def _ours(present: Mapping[str, set[str]]) -> bool:
    """Whether the tables are such as the first version made them."""
    return {"id", "status", "git_commit", "plan"} <= present.get("run", set()) and {
        "run_id",
        "step_id",
    } <= present.get("step", set())


def _lay_out(connection: Connection, schema: str) -> None:
    present = _present(connection, schema)
    if not rows(connection, "SELECT 1 FROM pg_namespace WHERE nspname = %s", [schema]):
        run_sql(connection, text(compose("CREATE SCHEMA {}", schema)))
    own = text(name(schema))
    for table, columns in LAYOUT.items():
        relation = compose("{}.{}", schema, table)
        if table not in present:
            listed = ", ".join(f"{n} {d.replace('{schema}', own)}" for n, d in columns.items())
            run_sql(connection, text(compose("CREATE TABLE {} ({})", relation, raw(listed))))
            if table == "run":
                run_sql(
                    connection,
                    text(compose("COMMENT ON TABLE {} IS {}", relation, literal(JOURNAL_COMMENT))),
                )
            continue
        for missing in [c for c in columns if c.islower() and c not in present[table]]:
            run_sql(
                connection,
                text(
                    compose(
                        "ALTER TABLE {} ADD COLUMN {} {}", relation, missing, raw(columns[missing])
                    )
                ),
            )
            if table == "run":
                run_sql(
                    connection,
                    text(compose("COMMENT ON TABLE {} IS {}", relation, literal(JOURNAL_COMMENT))),
                )


def _opened(
    connection: Connection,
    schema: str,
    plan: Model,
    before: Mapping[Ref, Model | None],
    rollback_of: int | None,
) -> int:
    own = _named(schema)
    run_sql(
        connection,
        text(compose("UPDATE {}.run SET status = 'interrupted' WHERE status = 'running'", schema)),
    )
    entry = rows(
        connection,
        f"""INSERT INTO {own}.run (client_user, client_host, version, git_commit, plan, digest, rollback_of)
            VALUES (%s, %s, %s, %s, %s, %s, %s) RETURNING id""",
        [
            _user(),
            socket.gethostname(),
            __version__,
            _commit(),
            Jsonb(plan),
            plan.get("digest"),
            rollback_of,
        ],
    )[0]["id"]
    if before:
        rows(
            connection,
            f"""INSERT INTO {own}.touched (run_id, place, identity, ref, before)
                SELECT %s, t.place - 1, t.identity, t.ref, t.model
                FROM unnest(%s::text[], %s::jsonb[], %s::jsonb[]) WITH ORDINALITY AS t(identity, ref, model, place)""",
            [
                entry,
                [str(r) for r in before],
                [Jsonb(asdict(r)) for r in before],
                [Jsonb(m) for m in before.values()],
            ],
        )
    return entry


def _named(schema: str) -> str:
    """The schema's name in a query that takes parameters."""
    return text(name(schema)).replace("%", "%%")


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container whose user has no name
        return "?"


def _commit() -> str | None:
    """The git commit of the working directory, if it is one."""
    try:
        done = subprocess.run(
            ["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False, timeout=5
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None
