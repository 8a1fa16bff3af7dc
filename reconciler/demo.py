"""The whole story on the embedded server: a starting point, a plan, an apply, a drift, a cure."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from reconciler import pipeline
from reconciler.apply.outcome import Watcher
from reconciler.checks.run import run_checks
from reconciler.declare.load import load
from reconciler.errors import ReconcileError
from reconciler.model.state import Scope
from reconciler.pipeline import Job
from reconciler.report import text
from reconciler.server.connection import connect, rows, translated
from reconciler.server.locks import LockPolicy
from reconciler.server.scratch import Embedded, start_embedded

DATABASE = "reconcile"
MARK = "reconcile demo"  # its comment, by which we know that we may drop it
OTHERS = """
    SELECT shobj_description(oid, 'pg_database') IS DISTINCT FROM %s
           AND EXISTS (SELECT FROM pg_class WHERE relnamespace = to_regnamespace('public')) AS strange
    FROM pg_database WHERE datname = current_database()"""
BY_HAND = (
    "DROP INDEX public.idx_messages_org_created",
    "ALTER POLICY messages_select_optimized ON public.messages USING (true)",
)


def play(
    say: Callable[[str], None],
    watching: Callable[[], AbstractContextManager[Watcher]],
    *,
    scale: float,
    load_only: bool,
) -> int:
    """Tell the story with `say`; returns the exit status, 0 where every scene ended as it should."""
    began = time.monotonic()
    server = start_embedded("target")
    url = _starting_point(say, server, scale)
    if load_only:
        say("now: reconcile plan --target embedded")
        return 0
    declaration = load(story() / "desired_state")
    job = Job(url, declaration, Scope(declaration.schemas))

    say("\n# reconcile plan\n")
    plan = pipeline.plan_changes(job)
    say(text.plan(plan))
    say("# reconcile apply\n")
    _apply(say, job, watching)
    say("\n# reconcile verify\n")
    passed = _verify(say, job)
    say("# reconcile plan, again\n")
    again = pipeline.plan_changes(job)
    say(text.plan(again))
    say("# somebody drops an index and opens a policy by hand\n")
    with connect(url) as connection, translated():
        for statement in BY_HAND:
            say(f"    {statement};")
            connection.execute(statement.encode())
    say("\n# reconcile drift\n")
    drifted = pipeline.plan_changes(job)
    say(text.drift(drifted))
    say("# reconcile apply heals exactly that\n")
    _apply(say, job, watching)
    healed = pipeline.plan_changes(job)
    say("\n" + text.drift(healed))
    well = (
        passed
        and again.in_sync
        and len(drifted.changes) == len(BY_HAND)
        and healed.in_sync
        and not plan.in_sync
    )
    say(f"{'done' if well else 'NOT as it should be'} in {time.monotonic() - began:.0f} s")
    say("yours to play with: reconcile plan --target embedded")
    return 0 if well else 1


def _apply(
    say: Callable[[str], None], job: Job, watching: Callable[[], AbstractContextManager[Watcher]]
) -> None:
    with watching() as watcher:
        outcome = pipeline.apply_plan(
            pipeline.plan_changes(job), job, job.target, watcher, LockPolicy(), ()
        )
    say(text.recap(outcome).rstrip())


def _verify(say: Callable[[str], None], job: Job) -> bool:
    results = run_checks(job.target, job.declaration.checks)
    say(text.checks(pipeline.plan_changes(job), results))
    return all(r.passed for r in results)


def _starting_point(say: Callable[[str], None], server: Embedded, scale: float) -> str:
    """A fresh database with the tables, policies and rows as they were before."""
    url = server.database(DATABASE)
    with connect(url) as connection:
        if rows(connection, OTHERS, [MARK])[0]["strange"]:
            raise ReconcileError(
                f"the embedded database {DATABASE!r} holds something that is not the demo's; drop it first"
            )
    server.drop(DATABASE)
    url = server.database(DATABASE)
    with connect(url) as connection, translated():
        connection.execute(f"COMMENT ON DATABASE {DATABASE} IS '{MARK}'".encode())
        connection.execute("SELECT set_config('conversations.scale', %s, false)", [str(scale)])
        for script in ("before.sql", "data.sql"):
            connection.execute((story_file(script)).read_bytes())
        counted = connection.execute(
            "SELECT (SELECT count(*) FROM public.conversations) AS conversations, (SELECT count(*) FROM public.messages) AS messages"
        ).fetchone()
    assert counted is not None
    say(
        f"the starting point: {counted['conversations']:,} conversations, {counted['messages']:,} messages"
    )
    return url


def story() -> Path:
    """The folder that holds `desired_state` and `examples`: beside the package in a checkout, inside it when installed."""
    inside = Path(__file__).parent / "story"
    return inside if inside.is_dir() else Path(__file__).parents[1]


def story_file(script: str) -> Path:
    """A script of the conversations example."""
    return story() / "examples" / "conversations" / script
