"""The example of the README on the embedded server: plan, apply, verify, drift, repair, bench."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from reconciler import pipeline
from reconciler.apply.outcome import SilentWatcher, Watcher
from reconciler.bench.measure import Limits
from reconciler.benchmark import Comparison, compare
from reconciler.checks.run import run_checks
from reconciler.declare.load import load
from reconciler.drift.look import look
from reconciler.drift.result import DriftReport, TargetDrift
from reconciler.errors import ReconcileError
from reconciler.journal.ownership import DEFAULT_PLACE
from reconciler.model.state import Scope
from reconciler.pipeline import Job
from reconciler.plan.plan import Plan
from reconciler.recall.ahead import Ahead
from reconciler.recall.observed import observe
from reconciler.report import text
from reconciler.server.connection import connect, rows, run_sql, translated
from reconciler.server.kept import Kept, start_embedded
from reconciler.server.locks import LockPolicy

DATABASE = "reconcile"
DATABASE_COMMENT = "reconcile demo"  # marks a database of an earlier demo, which may be dropped
IS_FOREIGN = """
    SELECT shobj_description(oid, 'pg_database') IS DISTINCT FROM %s
           AND EXISTS (SELECT FROM pg_class
                       WHERE relnamespace = to_regnamespace('public')) AS is_foreign
    FROM pg_database WHERE datname = current_database()"""
ROW_COUNTS = """
    SELECT (SELECT count(*) FROM public.conversations) AS conversations,
           (SELECT count(*) FROM public.messages) AS messages"""
CHANGES_BY_HAND = (
    "DROP INDEX public.idx_messages_org_created",
    "ALTER POLICY messages_select_optimized ON public.messages USING (true)",
)


@dataclass(frozen=True)
class _Demo:
    """The job of the demo, the scale of the rows, and the output of progress."""

    job: Job
    scale: float
    print_text: Callable[[str], None]
    watch_progress: Callable[[], AbstractContextManager[Watcher]]

    def plan(self) -> Plan:
        plan = pipeline.plan_changes(self.job)
        self.print_text(text.plan(plan))
        return plan

    def apply(self) -> None:
        plan = pipeline.plan_changes(self.job)
        with self.watch_progress() as watcher:
            outcome = pipeline.apply_plan(
                plan, self.job, self.job.target, watcher, LockPolicy(), ()
            )
        self.print_text(text.recap(outcome).rstrip())

    def verify(self) -> int:
        """Run the checks, and return how many failed.

        With few rows, some are vacuous: nothing can be said about plans and times.
        """
        results = run_checks(self.job.target, self.job.declaration.checks)
        self.print_text(text.checks(pipeline.plan_changes(self.job), results))
        return sum(result.status == "failed" for result in results)

    def drift(self) -> TargetDrift:
        examine = partial(look, declaration=self.job.declaration, journal=DEFAULT_PLACE)
        seen = observe(self.job, Ahead(None), examine)
        plan, notes = seen.plan, (*seen.plan.notes, *seen.found.notes)
        found = TargetDrift(
            plan.target, plan.target, plan.in_sync, plan.unchanged, notes, seen.found.objects
        )
        self.print_text(text.drift(DriftReport([found])))
        return found

    def bench(self) -> None:
        """Measure the queries of the workload in few rounds."""
        scripts = [story_file("before.sql"), story_file("data.sql")]
        comparison = Comparison(
            self.job.declaration, scripts, scales=[self.scale], limits=Limits(5, 15.0)
        )
        benchmark = compare(comparison, lambda _: None, lambda: nullcontext(SilentWatcher()))
        self.print_text(text.benchmark_summary(benchmark))

    def change_by_hand(self) -> None:
        with connect(self.job.target) as connection:
            for statement in CHANGES_BY_HAND:
                self.print_text(f"    {statement};")
                run_sql(connection, statement)


def play(
    print_text: Callable[[str], None],
    watch_progress: Callable[[], AbstractContextManager[Watcher]],
    *,
    scale: float,
    load_only: bool,
) -> int:
    """Play the example, and return the exit status: 0 if every part ended as expected.

    `scale` multiplies the numbers of rows. With `load_only`, only the tables and rows are created.
    """
    started = time.monotonic()
    url = _create_database(print_text, start_embedded("target"), scale)
    if load_only:
        print_text("now: reconcile plan --target embedded")
        return 0
    declaration = load(story() / "desired_state")
    job = Job(url, declaration, Scope(declaration.schemas))
    succeeded = _play(_Demo(job, scale, print_text, watch_progress))
    seconds = time.monotonic() - started
    print_text(f"{'done' if succeeded else 'NOT as it should be'} in {seconds:.0f} s")
    print_text("yours to play with: reconcile plan --target embedded")
    return 0 if succeeded else 1


def _play(demo: _Demo) -> bool:
    demo.print_text("\n# reconcile plan\n")
    first_plan = demo.plan()
    demo.print_text("# reconcile apply\n")
    demo.apply()
    demo.print_text("\n# reconcile verify\n")
    failed = demo.verify()
    demo.print_text("# reconcile plan, again\n")
    second_plan = demo.plan()
    demo.print_text("# somebody drops an index and opens a policy by hand\n")
    demo.change_by_hand()
    demo.print_text("\n# reconcile drift\n")
    drift = demo.drift()
    demo.print_text("# reconcile verify notices both by its checks\n")
    noticed = demo.verify()
    demo.print_text("# reconcile apply repairs exactly these two\n")
    demo.apply()
    demo.print_text("")
    repaired = demo.drift()
    demo.print_text("# reconcile bench: the queries of workload.yml, before and after\n")
    demo.bench()
    return (
        not first_plan.in_sync
        and failed == 0
        and second_plan.in_sync
        and noticed >= len(CHANGES_BY_HAND)
        and len(drift.objects) == len(CHANGES_BY_HAND)
        and repaired.in_sync
    )


def _create_database(print_text: Callable[[str], None], server: Kept, scale: float) -> str:
    """Create the database with the tables, policies and rows to start from; return the URL."""
    with connect(server.database(DATABASE)) as connection:
        if rows(connection, IS_FOREIGN, [DATABASE_COMMENT])[0]["is_foreign"]:
            raise ReconcileError(
                f"the embedded database {DATABASE!r} holds tables that the demo did not create:"
                " drop it first"
            )
    server.drop(DATABASE)
    url = server.database(DATABASE)
    with connect(url) as connection, translated():
        connection.execute("RESET search_path")  # the scripts are written for psql
        connection.execute(f"COMMENT ON DATABASE {DATABASE} IS '{DATABASE_COMMENT}'".encode())
        connection.execute("SELECT set_config('conversations.scale', %s, false)", [str(scale)])
        for script in ("before.sql", "data.sql"):
            connection.execute(story_file(script).read_bytes())
        counts = rows(connection, ROW_COUNTS)[0]
    print_text(
        f"the starting point: {counts['conversations']:,} conversations,"
        f" {counts['messages']:,} messages"
    )
    return url


def story() -> Path:
    """Return the folder of `desired_state` and `examples`.

    An installed package contains them; in a checkout they stand beside the package.
    """
    inside = Path(__file__).parent / "story"
    return inside if inside.is_dir() else Path(__file__).parents[1]


def story_file(script: str) -> Path:
    """Return the path of a script of the conversations example."""
    return story() / "examples" / "conversations" / script
