"""Test rollbacks: plans towards the recorded state, refused after later changes of others."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from reconciler import pipeline
from reconciler.apply.outcome import Outcome
from reconciler.cli import main
from reconciler.declare.load import load
from reconciler.errors import DeclarationError, PlanRefused
from reconciler.journal.ownership import Place
from reconciler.model.state import Scope
from reconciler.model.statement import HazardKind
from reconciler.pipeline import Job
from reconciler.server.locks import LockPolicy
from tests.conftest import MAJORS, ROOT, Database
from tests.installations import installed
from tests.test_cases import FIRST, FOUND, flagged, job_of, needs, quiet

INVOLVED = [
    c
    for c in FOUND
    if c.name.startswith(("keep_filled", "dropped_with")) or "child_table" in c.name
]
OVERLOADS = [c for c in FOUND if c.name.startswith("overload_added")]
SOME = {*sorted(FIRST)[::6], *INVOLVED[::3], *OVERLOADS}
TABLE = "CREATE TABLE public.t (id int PRIMARY KEY, n int);"
ROWS = """
    SELECT (SELECT md5(string_agg((to_jsonb(c) - 'organization_id')::text, '' ORDER BY id)) FROM
        conversations AS c) AS c,
           (SELECT md5(string_agg((to_jsonb(m) - 'organization_id')::text, '' ORDER BY id)) FROM
               messages AS m) AS m"""


def rolled_back(database: Database, run: int | None = None, scratch: str = "auto") -> Outcome:
    plan, job = pipeline.plan_rollback(database.url, Place(), run, scratch)
    return pipeline.apply_plan(plan, job, database.url, quiet(), LockPolicy(), ["all"])


@pytest.mark.parametrize("case", FOUND, ids=lambda c: f"{c.parent.name}/{c.name}")
def test_a_rollback_restores_each_case(
    case: Path, each_major: int, new_database: Callable[..., Database]
) -> None:
    if not installed() and (case not in SOME or each_major != MAJORS[0]):
        pytest.skip(
            "every sixth kind is enough here; with RECONCILE_TEST_POSTGRES all cases run on "
            "every PostgreSQL"
        )
    needs(case, each_major)
    database = new_database((case / "actual.sql").read_text(), each_major)
    before = database.dump()
    job = job_of(case, database)
    plan = pipeline.plan_changes(job)
    if not plan.steps:
        return
    pipeline.apply_plan(plan, job, database.url, quiet(), LockPolicy(), ["all"])
    after = database.dump()

    if flagged(case, "secret"):  # it was dropped with a connection string that no file holds
        with pytest.raises(DeclarationError, match="no file holds the connection string"):
            rolled_back(database, scratch=job.scratch)
        return
    outcome = rolled_back(database, scratch=job.scratch)
    assert (outcome.failed, outcome.skipped, outcome.left) == (0, 0, ()), outcome
    if not flagged(case, "partial-undo"):
        assert database.dump() == before
    plan, job = pipeline.plan_rollback(database.url, Place(), None, job.scratch)
    redone = pipeline.apply_plan(plan, job, database.url, quiet(), LockPolicy(), ["all"])
    assert (redone.failed, redone.skipped, redone.left) == (0, 0, ()), redone
    if not flagged(case, "partial-undo") and not [
        n for n in plan.notes if "created again without values" in n
    ]:
        assert database.dump() == after


def job_of_text(database: Database, folder: Path, declared: str) -> Job:
    file = folder / "state.yml"
    file.write_text(declared)
    declaration = load(file)
    return Job(database.url, declaration, Scope(declaration.schemas))


@pytest.fixture
def declare(database: Database, tmp_path: Path) -> Callable[[str], Outcome]:
    """Apply a declaration."""

    def apply(declared: str) -> Outcome:
        job = job_of_text(database, tmp_path, declared)
        return pipeline.apply_plan(
            pipeline.plan_changes(job), job, database.url, quiet(), LockPolicy(), ["all"]
        )

    return apply


Declare = Callable[[str], Outcome]


def refused(database: Database, run: int | None = None) -> str:
    with pytest.raises(PlanRefused) as told:
        pipeline.plan_rollback(database.url, Place(), run)
    return str(told.value)


def test_later_changes_of_others_are_not_overwritten(database: Database, declare: Declare) -> None:
    database.run(TABLE)
    declare("tables: {t: {columns: {n: {default: 1}}, indexes: {t_n: {on: n}}, comment: c}}")
    database.run("ALTER TABLE t ALTER n SET DEFAULT 2; DROP INDEX t_n;")
    told = refused(database)
    assert "column public.t.n was changed by somebody else since" in told
    assert "index public.t_n" not in told  # the index is already as before the run
    database.run("ALTER TABLE t ALTER n SET DEFAULT 1")
    assert rolled_back(database).changed == 2
    assert database.value("SELECT obj_description('t'::regclass)") is None


def test_a_later_run_must_be_rolled_back_first(database: Database, declare: Declare) -> None:
    database.run(TABLE)
    before = database.dump()
    declare("tables: {t: {comment: one}}")
    declare("tables: {t: {comment: two}}")
    assert (
        "run 2 changed table public.t after it; roll back that one first: reconcile rollback 2"
        in refused(database, 1)
    )
    assert rolled_back(database).run == 3
    assert database.value("SELECT obj_description('t'::regclass)") == "one"
    assert "run 3 has rolled it back" in refused(database, 2)
    assert rolled_back(database, 1).run == 4  # run 2 has been rolled back
    assert database.dump() == before
    assert rolled_back(database).run == 5  # rolls back the rollback
    assert database.value("SELECT obj_description('t'::regclass)") == "one"


def test_a_later_run_without_steps_is_ignored(database: Database, declare: Declare) -> None:
    database.run(TABLE)
    declare("tables: {t: {comment: one}}")
    declare("tables: {t: {comment: two}}")
    database.run(
        "UPDATE reconcile.run SET status = 'interrupted' WHERE id = 2; "
        "UPDATE reconcile.touched SET after = NULL WHERE run_id = 2"
    )
    assert "run 2 changed table public.t after it" in refused(database, 1)
    database.run("DELETE FROM reconcile.step WHERE run_id = 2; COMMENT ON TABLE t IS 'one'")
    assert pipeline.plan_rollback(database.url, Place(), 2)[0].in_sync
    assert rolled_back(database, 1).changed == 1


def test_a_later_run_on_other_objects_is_ignored(database: Database, declare: Declare) -> None:
    database.run(TABLE)
    declare("tables: {t: {comment: one}}")
    declare("tables: {t: {indexes: {t_n: {on: n}}}}")
    assert rolled_back(database, 1).changed == 1
    assert database.value("SELECT obj_description('t'::regclass)") is None
    assert database.value("SELECT to_regclass('t_n') IS NOT NULL")


@pytest.mark.parametrize(
    "by_hand",
    [
        "CREATE INDEX mine ON t (n)",
        "ALTER TABLE t ADD COLUMN mine int",
        "CREATE POLICY mine ON t",
        "CREATE TABLE s.mine ()",
    ],
)
def test_objects_added_to_created_objects_are_not_dropped(
    database: Database, declare: Declare, by_hand: str
) -> None:
    declare("{schemas: {public: {}, s: {}}, tables: {public.t: {columns: {id: int, n: int}}}}")
    database.run(by_hand)
    assert "mine" in refused(database)


def test_a_view_on_a_created_table_stops_the_rollback(database: Database, declare: Declare) -> None:
    declare("tables: {t: {columns: {id: int, n: int}}}")
    database.run("CREATE VIEW v AS SELECT n FROM t")
    with pytest.raises(DeclarationError, match=r"view public\.v cannot stay"):
        pipeline.plan_rollback(database.url, Place(), None)


def test_a_dropped_table_is_restored_with_its_parts(database: Database, declare: Declare) -> None:
    database.run(
        """
        CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql
            AS 'BEGIN PERFORM nowhere(); RETURN NEW; END';
        CREATE TABLE p (id serial PRIMARY KEY);
        CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, n int NOT NULL DEFAULT 3
            REFERENCES p CHECK (n > 0), w text);
        CREATE INDEX t_w ON t (lower(w)) WHERE n > 3; CREATE STATISTICS t_s ON id, n FROM t;
        CREATE POLICY mine ON t FOR SELECT TO pg_monitor USING (n > 1);
        ALTER TABLE t ENABLE ROW LEVEL SECURITY;
        CREATE TRIGGER tr BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f();
        CREATE RULE r AS ON DELETE TO t DO INSTEAD NOTHING;
        COMMENT ON COLUMN t.n IS 'the n'; GRANT SELECT ON t TO pg_monitor;
        GRANT UPDATE (w) ON t TO pg_monitor;
        CREATE VIEW v AS SELECT n FROM t; ALTER TABLE t DISABLE TRIGGER tr;
        INSERT INTO p DEFAULT VALUES; INSERT INTO t (n) SELECT 1 FROM generate_series(1, 9);
        ANALYZE t;"""
    )
    before = database.dump()
    gone = (
        "{tables: {t: {state: absent}}, views: {v: {state: absent}}, statistics: {t_s: "
        "{state: absent}}, functions: {f(): {state: absent}}}"
    )
    declare(gone)
    plan, _ = pipeline.plan_rollback(database.url, Place(), None)
    assert [
        n
        for n in plan.notes
        if "about 9 rows" in n
        and n.startswith("run 1 lost what no rollback brings back: table public.t")
    ]
    assert rolled_back(database).failed == 0
    assert database.dump() == before


def test_renames_are_reversed_and_rows_kept(database: Database, declare: Declare) -> None:
    database.run(
        "CREATE TYPE mood AS ENUM ('x', 'y'); CREATE TABLE t (id int PRIMARY KEY, n int, m "
        "mood); CREATE VIEW v AS SELECT n FROM t;"
    )
    database.run("INSERT INTO t VALUES (1, 2, 'x'); CREATE INDEX t_n ON t (n);")
    before = database.dump()
    outcome = declare(
        """
tables:
  u:
    renamed_from: t
    comment: renamed
    columns: {k: {renamed_from: n, default: 3}, more: int}
    indexes: {u_k: {renamed_from: t_n, on: k}}
enums:
  mood: {values: [{name: z, renamed_from: x}, y]}
views: {w: {renamed_from: v, query: SELECT k AS n FROM u}}
"""
    )
    assert (outcome.failed, outcome.left) == (0, ())
    assert rolled_back(database).failed == 0
    assert database.dump() == before
    assert database.rows("SELECT id, n, m::text FROM t") == [(1, 2, "x")]
    assert rolled_back(database).failed == 0
    assert database.rows("SELECT id, k, m::text FROM u") == [(1, 2, "z")]


def test_a_name_in_use_cannot_be_restored(database: Database, declare: Declare) -> None:
    database.run(TABLE)
    declare("tables: {u: {renamed_from: t}}")
    database.run("CREATE TABLE t (other int)")
    assert "table public.u cannot be renamed to t" in refused(database)


def test_a_failed_run_is_rolled_back(database: Database, declare: Declare) -> None:
    database.run(TABLE + "INSERT INTO public.t VALUES (1, 1), (2, 1);")
    before = database.dump()
    outcome = declare(
        "tables: {t: {comment: c, columns: {n: {default: 4}}, indexes: {t_n: {on: n, unique: "
        "true}, t_id: {on: [id, n]}}}}"
    )
    assert (outcome.changed, outcome.failed) == (3, 1)
    assert rolled_back(database).changed == 3
    assert database.dump() == before


def test_a_killed_run_is_rolled_back(database: Database, declare: Declare) -> None:
    """After `kill -9` the journal has no record of the run's end."""
    database.run(TABLE)
    before = database.dump()
    declare("tables: {t: {comment: c, columns: {n: {default: 4}, more: int}}}")
    database.run(
        "UPDATE reconcile.touched SET after = NULL; "
        "UPDATE reconcile.run SET status = 'running'; "
        "ALTER TABLE t DROP COLUMN more;"
    )
    plan, _ = pipeline.plan_rollback(database.url, Place(), None)
    assert not [n for n in plan.notes if "broke off" in n]
    database.run("ALTER TABLE t ALTER n SET DEFAULT 5")
    assert rolled_back(database).failed == 0
    assert database.dump() == before
    database.run(
        "DELETE FROM reconcile.run WHERE id > 1; UPDATE reconcile.run SET status = "
        "'interrupted'; ALTER TABLE t ALTER n SET DEFAULT 5"
    )
    plan, _ = pipeline.plan_rollback(database.url, Place(), None)
    assert [
        n
        for n in plan.notes
        if n.startswith("run 1 broke off before it could look at column public.t.n")
    ]


@pytest.mark.parametrize("rows", ["", "INSERT INTO public.t VALUES (1, 1);"])
def test_a_dropped_column_is_restored_without_values(
    database: Database, declare: Declare, rows: str
) -> None:
    database.run(
        TABLE + "ALTER TABLE public.t ALTER n SET NOT NULL, ADD m int NOT NULL DEFAULT 3;" + rows
    )
    before = database.dump()
    declare("tables: {t: {columns: {n: {state: absent}, m: {state: absent}}}}")
    plan, _ = pipeline.plan_rollback(database.url, Place(), None)
    assert (
        len([n for n in plan.notes if n.startswith("run 1 lost what no rollback brings back")]) == 2
    )
    loosened = [
        n
        for n in plan.notes
        if n == "column public.t.n is created again without values, so it may be null"
    ]
    assert len(loosened) == bool(rows)
    assert rolled_back(database).failed == 0
    database.run("UPDATE t SET n = 1; ALTER TABLE t ALTER n SET NOT NULL")
    assert database.dump() == before


def test_a_failed_rollback_can_be_resumed(database: Database, declare: Declare) -> None:
    database.run(TABLE + "CREATE UNIQUE INDEX t_n ON public.t (n);")
    before = database.dump()
    declare("tables: {t: {indexes: {t_n: {state: absent}}, comment: c}}")
    database.run("INSERT INTO t VALUES (1, 1), (2, 1)")
    first = rolled_back(database)
    assert (first.failed, first.changed) == (1, 1)
    assert "`rollback 1` goes on with it, `rollback 2` takes back what it did" in refused(database)
    database.run("DELETE FROM t WHERE id = 2")
    assert rolled_back(database, 1).failed == 0
    assert database.dump() == before
    assert "run 3 changed index public.t_n" in refused(database, 2)


def test_irreversible_changes_stay_and_are_noted(database: Database, declare: Declare) -> None:
    database.run(
        "CREATE TYPE state AS ENUM ('a'); CREATE TABLE jobs (s state) PARTITION BY LIST (s);"
    )
    outcome = declare("{enums: {state: [a, b]}, tables: {jobs: {comment: c}}}")
    assert [d.hazard for s in outcome.steps for d in s.step.hazards] == [HazardKind.IRREVERSIBLE]
    plan, _ = pipeline.plan_rollback(database.url, Place(), None)
    assert [n for n in plan.notes if n.startswith("enum public.state stays as it is: ")]
    assert [c.identity for c in plan.changes] == ["public.jobs"]


def test_a_rollback_without_changes_is_reported(database: Database, declare: Declare) -> None:
    assert "records no run that changed something" in refused(database)
    assert "records no run 3" in refused(database, 3)
    database.run(TABLE)
    declare("tables: {t: {comment: c}}")
    database.run("COMMENT ON TABLE t IS NULL")
    assert pipeline.plan_rollback(database.url, Place(), None)[0].in_sync


def reconcile(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments], catch_exceptions=False)


def test_the_command_shows_the_plan_and_refuses_hazards(
    database: Database, declare: Declare, tmp_path: Path
) -> None:
    declare("tables: {t: {columns: {id: int}}}")
    target = ("rollback", "--target", database.url)
    refusing = reconcile(*target, "--yes")
    assert (refusing.exit_code, "--allow data-loss" in refusing.stderr) == (1, True)
    assert reconcile(*target, "--format", "json").exit_code == 1
    shown = reconcile(*target, "--check", "--allow", "data-loss", "--format", "json")
    assert shown.exit_code == 2
    plan = json.loads(shown.stdout)
    assert (plan["rollback_of"], [c["action"] for c in plan["changes"]]) == (1, ["drop", "drop"])
    saved = tmp_path / "back.json"
    assert (
        reconcile(
            *target, "--check", "--allow", "all", "--format", "json", "--out", saved
        ).exit_code
        == 2
    )
    assert database.value("SELECT to_regclass('t') IS NOT NULL")
    assert (
        reconcile("apply", saved, "--target", database.url, "--yes", "--allow", "all").exit_code
        == 0
    )
    assert database.rows("SELECT id, status, rollback_of FROM reconcile.run ORDER BY id") == [
        (1, "done", None),
        (2, "done", 1),
    ]
    assert database.value("SELECT to_regclass('t') IS NULL")
    done = reconcile(*target, "--yes")
    assert (done.exit_code, done.stdout) == (0, "ok=0 changed=2 failed=0 skipped=0\n"), done.stderr
    assert "rollback of 2" in reconcile("history", "--target", database.url).stdout


def test_the_conversations_plan_is_rolled_back(conversations: Database) -> None:
    before, rows = conversations.dump(), conversations.rows(ROWS)
    assert (
        reconcile(
            "apply", "--target", conversations.url, "--state", ROOT / "desired_state", "--yes"
        ).exit_code
        == 0
    )
    assert conversations.dump() != before
    done = reconcile("rollback", "--target", conversations.url, "--yes", "--allow", "all")
    assert done.exit_code == 0, done.output
    assert conversations.dump() == before
    assert conversations.rows(ROWS) == rows
