"""Run the application of examples/conversations while its plan is applied."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import md5

from reconciler import pipeline
from reconciler.declare.load import load
from reconciler.model.state import Scope
from reconciler.pipeline import Job
from reconciler.report.progress import Lines
from reconciler.server.locks import LockPolicy
from tests.conftest import ROOT, as_application, starting_point
from tests.online import WRITERS, LoadStatistics, Statement, Weight, measured, weighed

ASKED = "SELECT c.id, c.metadata FROM conversations AS c WHERE c.id = %s"
READ = (
    "SELECT m.role, m.content FROM messages AS m WHERE m.conversation_id = %s ORDER BY m.created_at"
)
OPENED = (
    "INSERT INTO conversations (id, domain_id, session_id, organization_id) VALUES "
    "(gen_random_uuid(), %s, 'new', %s)"
)
# The application already writes both columns, as before a switch to the second.
SAID = """INSERT INTO messages (conversation_id, role, content, organization_id)
    SELECT c.id, 'user', 'Is anybody there?', coalesce(c.organization_id, d.organization_id)
    FROM conversations AS c JOIN domains AS d ON d.id = c.domain_id WHERE c.id = %s"""
COUNTED = """UPDATE conversations SET metadata = metadata || jsonb_build_object('n',
            coalesce((metadata ->> 'n')::int, 0) + 1)
    WHERE id = %s"""
SUMS = """SELECT (SELECT count(*) FROM conversations) + (SELECT count(*) FROM messages) AS n,
    (SELECT coalesce(sum((metadata ->> 'n')::int), 0) FROM conversations) AS counted"""
# Checksums of the values that neither the plan nor the application changes.
KEPT = """SELECT (SELECT sum(hashtextextended(ROW(id, domain_id, session_id, started_at, ended_at,
            metadata - 'n', created_at)::text, 0))
                  FROM conversations WHERE session_id <> 'new') AS conversations,
                 (SELECT sum(hashtextextended(ROW(id, conversation_id, role, content, metadata,
                     created_at)::text, 0))
                  FROM messages WHERE content <> 'Is anybody there?') AS messages"""


@dataclass(frozen=True)
class Chat:
    """Sessions of a backend that writes and of tenants that read; ids are those of data.sql."""

    conversations: int

    def session_setup(self, number: int) -> Sequence[str]:
        if number < WRITERS:
            return ["SET ROLE service_role"]
        return [
            f"SET request.jwt.claim.sub = '{_id(f'user 1 {number}')}'",
            "SET ROLE authenticated",
        ]

    def next_statement(self, number: int, dice: random.Random) -> Statement:
        one, luck = _id(f"conversation 1 {dice.randrange(self.conversations)}"), dice.random()
        if number >= WRITERS:
            return ASKED, [one]
        if luck < 0.1:
            tenant = dice.randrange(1, 11)
            return OPENED, [_id(f"domain 1 {tenant} 1"), _id(f"organization 1 {tenant}")]
        return (SAID if luck < 0.4 else COUNTED if luck < 0.7 else READ), [one]


def _id(text: str) -> str:
    return md5(text.encode()).hexdigest()  # noqa: S324 - as data.sql makes them


def prepare(url: str, scale: float) -> None:
    """Create the tables and rows of the starting point."""
    with as_application(url) as connection:
        connection.execute(
            "DROP SCHEMA public CASCADE; DROP SCHEMA IF EXISTS auth, reconcile CASCADE; "
            "CREATE SCHEMA public"
        )
        connection.execute(starting_point(scale).encode())
        connection.execute("VACUUM ANALYZE")


def applied(url: str, weight: Weight | None = None) -> tuple[float, LoadStatistics]:
    """Apply the plan under load; return the seconds and the application's statistics.

    Raises AssertionError if a row was lost or changed.
    """
    declaration = load(ROOT / "desired_state")
    job = Job(url, declaration, Scope(declaration.schemas))
    plan, before = pipeline.plan_changes(job), _row(url, KEPT)

    def work() -> None:
        outcome = pipeline.apply_plan(plan, job, url, Lines(lambda _: None), LockPolicy(), ["all"])
        assert (outcome.failed, outcome.skipped, outcome.left) == (0, 0, ()), outcome

    took, seen = measured(url, _chat(url), weighed(url, weight, work) if weight else work, _sums)
    assert _row(url, KEPT) == before, "rows were changed"
    assert _row(url, "SELECT count(*) AS n FROM conversations WHERE organization_id IS NULL") == [0]
    return took, seen


def idle(url: str, seconds: float) -> tuple[float, LoadStatistics]:
    """Run the application without a plan; return the seconds and its statistics."""
    return measured(url, _chat(url), lambda: time.sleep(seconds), _sums)


def _chat(url: str) -> Chat:
    return Chat(
        int(str(_row(url, "SELECT count(*) AS n FROM conversations WHERE session_id <> 'new'")[0]))
    )


def _sums(url: str) -> tuple[int, int]:
    rows, counted = _row(url, SUMS)
    return int(str(rows)), int(str(counted))


def _row(url: str, query: str) -> list[object]:
    with as_application(url) as connection:
        return [*connection.execute(query.encode()).fetchall()[0].values()]
