"""Turn a plan into a procedure: before, during and after `apply`, and the rollback.

Nothing that comes out of a database stands in a command.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from reconciler.checks.attached import names
from reconciler.counted import counted
from reconciler.evidence.model import Evidence
from reconciler.model.reserved_names import APPLICATION
from reconciler.plan.plan import Plan
from reconciler.report.content import rollback_hazards, seconds
from reconciler.report.units import units_of

Mark = Literal["done", "open", "failed"]

LOCK_WAITS = (
    "SELECT w.pid, now() - w.query_start AS since, left(w.query, 60) AS query, b.pid AS waits_for,"
    " b.application_name FROM pg_stat_activity AS w LEFT JOIN pg_stat_activity AS b"
    " ON b.pid = ANY (pg_blocking_pids(w.pid)) WHERE w.wait_event_type = 'Lock'"
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
    """A figure to watch, with the query for the figure, and the value for acting."""

    title: str
    query: str
    act: str

    @property
    def command(self) -> str:
        """The query as a command line for sh."""
        return f'psql "$DATABASE_URL" -X -c "{self.query}"'


def preparation() -> str:
    """List the requirements of the runbook's commands."""
    return (
        "Commands are for `sh`, and need reconcile and psql. Run them in the folder in which the"
        " command was run that wrote this runbook, or in a copy of it with reconcile.yml and the"
        " YAML files. First, `export DATABASE_URL='postgresql://USER:PASSWORD@HOST/DATABASE'` names"
        " the database above; this runbook holds no password."
    )


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
    items.append(Item("Have a backup that can be restored, and agree on who decides to roll back."))
    text = "Nothing that is done here changes the database."
    return Section("1. Before", text, items)


def _apply(evidence: Evidence) -> Section:
    plan, commands, run = evidence.plan.content, evidence.commands, evidence.application
    line = commands.apply(*_allowed(list(plan.hazards())), "--yes")
    mark: Mark = "open"
    recorded = ""
    if run is not None:
        mark = "done" if run.run.status == "done" else "failed"
        done = f"{run.run.done} of {counted(run.run.steps, 'step')}"
        time = f" in {seconds(run.run.seconds)}" if run.run.seconds is not None else ""
        recorded = f"run {run.run.id}: {run.run.status}, {done}{time}"
    item = Item(
        f"Apply the {plan.step_count}.",
        line,
        "exit status 0, and a last line with `failed=0 skipped=0`. After exit status 1, a line with"
        " `error` says what happened and what to do: then the same command goes on, or roll back",
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
        "exit status 0. With 2, something differs or a check did not pass, and the lines say what:"
        " whoever decides looks at them. A vacuous check found too few rows to look at, and counts"
        " as not passed. If this user may not run checks, `RECONCILE_VERIFY_URL` has to be set to"
        " the URL of the same database with an ordinary user",
        mark,
        recorded,
    )
    history = Item(
        "Note the number of the run.",
        commands.history(),
        "exit status 0, and one run with the status `done`. Its number is in the first column:"
        " `export RUN=NUMBER` names it to the commands below",
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
        f"Only if it has been decided. {_which(number)} It is planned from the journal, on what"
        " the database is then, and ends with the objects as they were before the run;"
        f" hazards foreseen: {rollback_hazards(plan)}."
    )
    return Section("Rollback", text, [show, do])


def _which(number: int | None) -> str:
    """Name the run to roll back."""
    if number is not None:
        return f"Both commands roll back run {number}."
    return (
        "Both commands roll back the run whose number is in RUN: `export RUN=NUMBER`;"
        " `reconcile history`, in part 3, shows it."
    )


def watch_list(plan: Plan) -> Iterator[Watched]:
    """Yield the figures to watch during and after `apply`."""
    yield Watched(
        "Sessions that wait for locks",
        LOCK_WAITS,
        "If a session waits for more than a few seconds for one with the application_name"
        f" `{APPLICATION}`, which is this apply, stop it with Ctrl-C, and run it again later.",
    )
    units = units_of(plan)
    if any(unit.is_long for unit in units):
        yield Watched(
            "Old transactions, for which concurrent builds wait",
            OLD_TRANSACTIONS,
            "End those that nobody needs: `SELECT pg_terminate_backend(pid)`. Meanwhile apply"
            " waits, and blocks nobody.",
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
            "If the lag grows, stop with Ctrl-C, and go on when it is small again. For the next"
            " plan, `max_lag` below `backfill` of the column lets apply wait by itself.",
        )
        yield Watched(
            "Dead rows that backfills leave",
            DEAD_ROWS,
            "If they are many and `last_autovacuum` does not change, run `VACUUM` on the table"
            " afterwards.",
        )
    if any(step.builds_index for step in plan.steps):
        yield Watched(
            "Use of indexes, in the days afterwards",
            INDEX_USE,
            "A new index with `idx_scan` 0 after a month, on every standby too, has no use.",
        )
