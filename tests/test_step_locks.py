"""Compare the locks that steps claim with those that PostgreSQL holds while they run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import psycopg

from reconciler import pipeline
from reconciler.apply.retry import awaited_locks
from reconciler.plan.step import Step
from reconciler.server.locks import stronger
from tests.conftest import Database
from tests.test_locks import MODES, job_of

BEFORE = """
    CREATE TABLE parent (id int PRIMARY KEY, u int);
    CREATE TABLE child (id int PRIMARY KEY, pid int CONSTRAINT child_fk REFERENCES parent, n int);
    CREATE TABLE gone (id int PRIMARY KEY, pid int REFERENCES parent);
    CREATE TABLE plain (id int PRIMARY KEY, pid int, v varchar(10));
    CREATE TABLE part (k int, x int, y int) PARTITION BY RANGE (k);
    CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM (0) TO (10);
    CREATE TABLE part_2 PARTITION OF part FOR VALUES FROM (10) TO (20);
    CREATE TABLE part_3 PARTITION OF part FOR VALUES FROM (20) TO (30);
    CREATE TABLE part_rest PARTITION OF part DEFAULT;
    CREATE TABLE part_new (k int, x int, y int);
    CREATE TABLE keyed (k int, pid int REFERENCES parent) PARTITION BY RANGE (k);
    CREATE TABLE keyed_1 PARTITION OF keyed FOR VALUES FROM (0) TO (10);
    CREATE TABLE refd (id int PRIMARY KEY) PARTITION BY RANGE (id);
    CREATE TABLE refd_1 PARTITION OF refd FOR VALUES FROM (0) TO (10);
    CREATE TABLE refers (rid int CONSTRAINT refers_fk REFERENCES refd);
    CREATE TABLE base (a int);
    CREATE TABLE derived (b int) INHERITS (base);
    CREATE DOMAIN small AS int;
    CREATE TABLE measured (s small);
    CREATE FUNCTION fire() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
    CREATE POLICY own ON plain USING (true);
"""
CHANGES = (
    """
    tables:
      plain:
        columns: {v: varchar(20)}
        policies: {own: {using: id > 1}}
        constraints: {plain_fk: {foreign_key: pid, references: parent(id)}}
      child:
        constraints:
          child_fk: {foreign_key: pid, references: parent(id), deferrable: deferred}
      fresh: {columns: {id: int, pid: {type: int, references: parent(id)}}}
      part_4: {partition_of: part, values: FROM (40) TO (50)}
      part_new: {partition_of: part, values: FROM (60) TO (70)}
      keyed_2: {partition_of: keyed, values: FROM (10) TO (20)}
      refd_2: {partition_of: refd, values: FROM (10) TO (20)}
      base: {columns: {a: {type: int, default: 3}}}
      third: {inherits: [base], columns: {}}
    domains: {small: {type: int, not_null: true, constraints: {positive: {check: VALUE > 0}}}}
    publications: {feed: {tables: [plain, child]}}
    views: {seen: {query: SELECT id FROM plain}}
    """,
    """
    tables:
      plain: {constraints: {plain_refd: {foreign_key: pid, references: refd(id)}}}
      child: {columns: {pid: bigint}}
      gone: {state: absent}
      part_3: {state: absent}
      part:
        columns: {x: bigint, z: int}
        constraints: {positive: {check: k > 0}}
        triggers: {fires: {before: insert, for_each: row, execute: fire()}}
    """,
    """
    tables:
      plain: {constraints: {plain_fk: {state: absent}, plain_refd: {state: absent}}}
      child: {columns: {pid: {state: absent}}, constraints: {child_fk: {state: absent}}}
      part_2: {partition_of: part, values: FROM (10) TO (15)}
      part: {columns: {y: {state: absent}}, triggers: {fires: {state: absent}}}
      keyed_1: {state: absent}
      refers: {constraints: {refers_fk: {state: absent}}}
    """,
)
TABLES = """SELECT c.oid, c.relname FROM pg_class AS c
    WHERE c.relkind IN ('r', 'p', 'm', 'v') AND c.relnamespace = 'public'::regnamespace"""
SPELLED = {mode.title().replace(" ", "") + "Lock": mode for mode in MODES}


def test_steps_claim_the_locks_that_postgresql_takes(database: Database, tmp_path: Path) -> None:
    database.run(BEFORE)
    wrong = list[str]()
    for declared in CHANGES:
        plan = pipeline.plan_changes(job_of(database, declared, tmp_path))
        assert plan.steps, declared
        with psycopg.connect(database.url, autocommit=True) as connection:
            for group in plan.transactions():
                claimed, held = claimed_locks(group), run(connection, group)
                if group[0].transaction:
                    known = {k: v for k, v in claimed.items() if k in held.names}
                    if known != held.locks:
                        sql = "; ".join(s.sql for s in group)
                        wrong.append(f"{sql}\n  claims {known}\n  takes  {held.locks}")
    assert not wrong, "\n".join(wrong)


def test_no_session_is_looked_for_on_what_a_transaction_creates_itself(
    database: Database, tmp_path: Path
) -> None:
    database.run("CREATE TABLE t (a int); CREATE VIEW seen AS SELECT a FROM t")
    declared = """
    tables:
      fresh:
        columns: {id: {type: int, primary_key: true}}
        indexes: {fresh_id: id}
    views: {seen: {query: "SELECT a::text AS a FROM t"}}
    """
    plan = pipeline.plan_changes(job_of(database, declared, tmp_path))
    claimed = {name for group in plan.transactions() for name in claimed_locks(group)}
    assert {"fresh", "seen"} <= claimed
    awaited = {name for group in plan.transactions() for name in awaited_locks(group, set())}
    assert "public.seen" in awaited  # which is dropped first
    assert "public.fresh" not in awaited


def claimed_locks(group: Sequence[Step]) -> dict[str, str]:
    """Return the strongest claimed lock on each relation."""
    found: dict[str, str] = {}
    for step in group:
        assert not step.lock or step.lock in {
            k.mode for k in step.locks if k.relation == step.relation
        }
        for lock in step.locks:
            name = lock.relation.removeprefix("public.")
            found[name] = stronger(found.get(name, ""), lock.mode)
    return found


class Held:
    """The tables that existed before, and the strongest lock held on each."""

    def __init__(self) -> None:
        self.names, self.locks = set[str](), dict[str, str]()


def run(connection: psycopg.Connection, group: Sequence[Step]) -> Held:
    """Run steps; return locks stronger than those of readers."""
    found = Held()
    if not group[0].transaction:
        for step in group:
            connection.execute(step.sql.encode())
        return found
    oids = dict(connection.execute(TABLES.encode()).fetchall())
    found.names = {*oids.values()}
    with connection.transaction(force_rollback=False):
        for step in group:
            connection.execute(step.sql.encode())
        rows = connection.execute(
            "SELECT relation, mode FROM pg_locks WHERE pid = pg_backend_pid() AND granted"
        )
        for relation, mode in rows.fetchall():
            if relation in oids and SPELLED[mode] != "ACCESS SHARE":
                name = oids[relation]
                found.locks[name] = stronger(found.locks.get(name, ""), SPELLED[mode])
    return found
