"""Turn a plan into a procedure: what to do before, while and after it is applied, and back.

Nothing that comes out of a database stands in a command.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from reconciler.checks.attached import names
from reconciler.evidence.model import Evidence
from reconciler.plan.plan import Plan
from reconciler.report.content import rollback_hazards, seconds
from reconciler.report.units import units_of

Mark = Literal["done", "open", "failed"]

LOCK_WAITS = (
    "SELECT pid, pg_blocking_pids(pid) AS waits_for, now() - query_start AS since, left(query, 60)"
    " AS query FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
)
INDEX_BUILDS = (
    "SELECT pid, relid::regclass, phase, blocks_done, blocks_total, lockers_done, lockers_total"
    " FROM pg_stat_progress_create_index"
)
STANDBYS = "SELECT application_name, state, replay_lag FROM pg_stat_replication"
OLD_TRANSACTIONS = (
    "SELECT pid, state, now() - xact_start AS since, left(query, 60) AS query FROM pg_stat_activity"
    " WHERE now() - xact_start > interval '1 minute' ORDER BY xact_start"
)
INDEX_USE = (
    "SELECT relname, indexrelname, idx_scan FROM pg_stat_user_indexes ORDER BY idx_scan, 1, 2"
    " LIMIT 30"
)
DEAD_ROWS = (
    "SELECT relname, n_live_tup, n_dead_tup, last_autovacuum FROM pg_stat_user_tables"
    " ORDER BY n_dead_tup DESC LIMIT 10"
)


@dataclass(frozen=True)
class Item:
    """An item of the checklist.

    command   for sh, "" for what has no command
    expected  the exit status of the command, and what it prints
    mark      whether it has been done, as `recorded` shows
    recorded  the run or measurement that shows it; "" where somebody has to tick
    named     names that the title speaks of, which come from outside
    """

    title: str
    command: str = ""
    expected: str = ""
    mark: Mark = "open"
    recorded: str = ""
    named: Sequence[str] = ()


@dataclass(frozen=True)
class Section:
    """A part of the runbook: a title, text, and items."""

    title: str
    text: str
    items: Sequence[Item]


@dataclass(frozen=True)
class Watched:
    """What to watch, with the query that shows it, and when to act."""

    title: str
    query: str
    act: str

    @property
    def command(self) -> str:
        """The query as a command line for sh."""
        return f'psql "$DATABASE_URL" -X -c "{self.query}"'


def procedure(evidence: Evidence) -> list[Section]:
    """Return the steps of the runbook, and the rollback."""
    return [_before(evidence), _apply(evidence), _after(evidence), _rollback(evidence)]


def _allowed(hazards: Sequence[str]) -> list[str]:
    return [word for hazard in sorted(hazards) for word in ("--allow", hazard)]


def _before(evidence: Evidence) -> Section:
    plan, commands, run = evidence.plan.content, evidence.commands, evidence.application
    items: list[Item] = []
    if not commands.plan:
        items.append(Item("Save the plan.", commands.save(), "exit status 2, and the file"))
    check = commands.apply(*_allowed(list(plan.hazards())), "--check")
    recorded = f"run {run.run.id} was not refused" if run else ""
    items.append(
        Item(
            "Try whether the plan would be refused. Nothing is changed.",
            check,
            "exit status 2, and no line that begins with `error`",
            "done" if run else "open",
            recorded,
        )
    )
    if attached := names(plan.checks, "before"):
        items.append(
            Item(
                "Nothing to do: `apply` runs these checks first, and stops if one does not pass.",
                mark="done" if run else "open",
                recorded=recorded,
                named=attached,
            )
        )
    items.append(
        Item("Make sure that a backup from before can be restored, and who decides to go back.")
    )
    text = "Nothing that is done here changes the database."
    return Section("1. Before", text, items)


def _apply(evidence: Evidence) -> Section:
    plan, commands, run = evidence.plan.content, evidence.commands, evidence.application
    line = commands.apply(*_allowed(list(plan.hazards())), "--yes")
    mark: Mark = "open"
    recorded = ""
    if run is not None:
        mark = "done" if run.run.status == "done" else "failed"
        done = f"{run.run.done} of {run.run.steps} steps"
        time = f" in {seconds(run.run.seconds)}" if run.run.seconds is not None else ""
        recorded = f"run {run.run.id}: {run.run.status}, {done}{time}"
    item = Item(
        f"Apply the {plan.step_count}.",
        line,
        "exit status 0, and a last line with `failed=0 skipped=0`",
        mark,
        recorded,
    )
    text = (
        "It may be stopped at any time with Ctrl-C: finished steps stay, and the same command"
        " goes on where it stopped. A step that gets no lock is tried again by itself."
    )
    return Section("2. Apply", text, [item])


def _after(evidence: Evidence) -> Section:
    commands, found, run = evidence.commands, evidence.verified_after, evidence.application
    mark: Mark = "open"
    recorded = ""
    if found is not None:
        mark, recorded = ("done" if found.content.passed else "failed"), found.source
    verify = Item(
        "Compare the structure, and run the declared checks. What they write is rolled back.",
        commands.verify(),
        "exit status 0; a vacuous check found too few rows to look at, and counts as not passed;"
        " a user who may not run checks is told to set `RECONCILE_VERIFY_URL`",
        mark,
        recorded,
    )
    history = Item(
        "Note the number of the run.",
        commands.history(),
        "exit status 0, and one run with the status `done`",
        "done" if run is not None and run.run.status == "done" else "open",
        f"run {run.run.id}" if run is not None else "",
    )
    tick = Item(
        "Let this runbook tick itself, from the journal.",
        commands.tick(),
        "exit status 0, and the runbook, in which is ticked what is recorded",
    )
    later = Item(
        "After a day, a week and a month, see what became of the run.",
        commands.monitor(run.run.id if run else None),
        "exit status 0; with 2, the lines say which promise is not kept, or what to look at",
    )
    text = "The change is done when both the structure and the checks are as declared."
    return Section("3. After", text, [verify, history, tick, later])


def _rollback(evidence: Evidence) -> Section:
    plan, commands, run = evidence.plan.content, evidence.commands, evidence.application
    number = run.run.id if run else None
    back = run.rollback if run else None
    allowed = _allowed(list(plan.undo_hazards or ()))
    show = Item(
        "See what the rollback would do, and its hazards. Nothing is changed.",
        commands.rollback(number, *allowed, "--check"),
        "exit status 2, and the plan of the rollback; if it is refused for another hazard, add the"
        " `--allow` that it names to both commands",
    )
    do = Item(
        "Roll back.",
        commands.rollback(number, *allowed, "--yes"),
        "exit status 0, and a last line with `failed=0 skipped=0`",
        "done" if back else "open",
        f"run {back.id}: {back.status}" if back else "",
    )
    text = (
        "Only if somebody has decided to go back. It is planned from the journal, on what the"
        " database is then, and ends with the objects as they were before the run;"
        f" hazards foreseen: {rollback_hazards(plan)}."
    )
    return Section("Rollback", text, [show, do])


def watch_list(plan: Plan) -> Iterator[Watched]:
    """Yield what to watch while the plan is applied, and afterwards."""
    yield Watched(
        "Sessions that wait for locks",
        LOCK_WAITS,
        "Sessions that wait for the applier for more than a few seconds: stop it with Ctrl-C.",
    )
    units = units_of(plan)
    if any(unit.is_long for unit in units):
        yield Watched(
            "Old transactions, for which concurrent builds wait",
            OLD_TRANSACTIONS,
            "End those that nobody needs; the applier waits meanwhile, and blocks nobody.",
        )
    if any(step.builds_index for step in plan.steps):
        yield Watched(
            "Progress of index builds",
            INDEX_BUILDS,
            "If `lockers_done` stands still, an old transaction is in the way.",
        )
    if any(step.fill for step in plan.steps):
        yield Watched(
            "Standbys",
            STANDBYS,
            "If the lag grows, stop with Ctrl-C, and set `max_lag` for the backfill.",
        )
        yield Watched(
            "Dead rows that backfills leave",
            DEAD_ROWS,
            "If autovacuum does not follow, VACUUM the table by hand afterwards.",
        )
    if any(step.builds_index for step in plan.steps):
        yield Watched(
            "Use of indexes, in the days afterwards",
            INDEX_USE,
            "A new index that is still at 0 after a day of work has no use.",
        )
