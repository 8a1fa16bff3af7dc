"""The command line: reads flags, prints, picks the exit status; the only print, the only exit.

Exit status: 0 nothing to do, or all done; 2 there is a difference or a failed check; 1 an error.
"""

from __future__ import annotations

import json
import signal
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from reconciler import demo, pipeline, settings
from reconciler.apply.guards import hazards_not_allowed
from reconciler.checks.run import run_checks
from reconciler.cli.group import DIFFERENT, DONE, ERROR, main
from reconciler.cli.options import (
    allowing,
    declared,
    journal_flags,
    lock_flags,
    make_job,
    read_plan,
    recording,
    targeted,
    waits,
    written,
)
from reconciler.cli.output import (
    DRIFT_FORMATS,
    PLAN_FORMATS,
    agreed,
    failed,
    watch_progress,
    write_document,
)
from reconciler.declare.json_schema import json_schema
from reconciler.errors import PlanRefused, SettingsError
from reconciler.model.reserved_names import JOURNAL
from reconciler.model.state import Scope
from reconciler.pipeline import Job
from reconciler.plan.plan import Plan
from reconciler.report import checks, data, past, text


@main.command()
@declared
@allowing
@click.option("--format", "form", type=click.Choice(list(PLAN_FORMATS)), default="text")
@written
def plan(form: str, out: Path | None, allow: Sequence[str], **given: Any) -> int:
    """Show what is not as declared, and the steps that would make it so."""
    del allow  # part of the contract: what it lets pass matters when the plan is applied
    made = pipeline.plan_changes(make_job(given)[0])
    write_document(PLAN_FORMATS[form](made), out, colour=form == "text")
    return DONE if made.in_sync else DIFFERENT


@main.command()
@click.argument(
    "saved",
    metavar="[PLAN.json]",
    required=False,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
)
@declared
@allowing
@waits
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option(
    "--check",
    is_flag=True,
    help="Show what would be done, like plan, and refuse what apply would refuse.",
)
@recording
def apply(saved: Path | None, allow: Sequence[str], yes: bool, check: bool, **given: Any) -> int:
    """Make the target what is declared, or run a plan that was saved with `plan --format json --out`."""
    file = settings.read()
    if saved:
        read = settings.resolve_target(file, given["target"])
        aim, job, made = (
            replace(read, patience=lock_flags(read.patience, given)),
            None,
            read_plan(saved),
        )
    else:
        job, aim = make_job(given)
        made = pipeline.plan_changes(job)
    write_document(text.plan(made), None, colour=True, err=True)
    return _run(made, job, journal_flags(aim, given), allow, yes=yes, check=check)


def _run(
    made: Plan,
    job: Job | None,
    aim: settings.ResolvedTarget,
    allow: Sequence[str],
    *,
    yes: bool,
    check: bool,
) -> int:
    """Run a plan that was shown, if it may run and people want it."""
    if refusals := hazards_not_allowed(made, allow):
        raise PlanRefused("\n".join(refusals))
    if check:
        for words in pipeline.check_plan(made, aim.url, aim.patience, allow, aim.journal):
            click.echo(f"note: {words}", err=True)
        return DONE if made.in_sync else DIFFERENT
    if made.steps and not yes and not agreed(made):
        return ERROR
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # stops as Ctrl-C does: cleanly
    with watch_progress() as watcher:
        outcome = pipeline.apply_plan(made, job, aim.url, watcher, aim.patience, allow, aim.journal)
    click.echo(text.recap(outcome), nl=False)
    return ERROR if failed(outcome) else DONE


@main.command()
@declared
@click.option("--format", "form", type=click.Choice(list(DRIFT_FORMATS)), default="text")
@written
def drift(form: str, out: Path | None, **given: Any) -> int:
    """Say what is no longer as declared; for cron: quiet exit 0 is good news, 2 is drift."""
    made = pipeline.plan_changes(make_job(given)[0])
    write_document(DRIFT_FORMATS[form](made), out, colour=form == "text")
    return DONE if made.in_sync else DIFFERENT


@main.command("verify")
@declared
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text")
def verify_(form: str, **given: Any) -> int:
    """Assert the declared checks, and that the structure is as declared."""
    job, _ = make_job(given)
    made = pipeline.plan_changes(job)
    results = run_checks(job.target, job.declaration.checks)
    click.echo(
        checks.as_json(made, results) if form == "json" else checks.as_text(made, results), nl=False
    )
    return DONE if made.in_sync and all(r.passed for r in results) else DIFFERENT


@main.command()
@click.argument("run", metavar="[RUN]", required=False, type=click.IntRange(min=1))
@targeted
@click.option("--scratch", help="embedded, target or a URL; default: embedded, else target.")
@allowing
@waits
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--check", is_flag=True, help="Show the plan, and refuse what rollback would refuse.")
@click.option(
    "--format",
    "form",
    type=click.Choice(list(PLAN_FORMATS)),
    help="Print the plan on stdout, with --check.",
)
@written
@recording
def rollback(
    run: int | None,
    form: str | None,
    out: Path | None,
    allow: Sequence[str],
    yes: bool,
    check: bool,
    **given: Any,
) -> int:
    """Plan and go the way back to what was there before a run; left out, the last one that changed something."""
    if (form or out) and not check:
        raise SettingsError(
            "--format and --out show the plan instead of running it: they go with --check"
        )
    file = settings.read()
    read = settings.resolve_target(file, given["target"])
    aim = replace(journal_flags(read, given), patience=lock_flags(read.patience, given))
    where = aim.journal or read.journal or JOURNAL
    made, job = pipeline.plan_rollback(
        aim.url, where, run, given["scratch"] or file.scratch, aim.patience.session
    )
    if form or out:
        write_document(PLAN_FORMATS[form or "text"](made), out, colour=(form or "text") == "text")
    else:
        write_document(text.plan(made), None, colour=True, err=True)
    return _run(made, job, aim, allow, yes=yes, check=check)


@main.command()
@click.argument("run", metavar="[RUN]", required=False, type=click.IntRange(min=1))
@targeted
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=20,
    help="How many runs to list, the latest first.",
)
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text")
@click.option("--journal", metavar="NAME", help="The schema of our record of runs (reconcile).")
def history(run: int | None, target: str | None, limit: int, form: str, journal: str | None) -> int:
    """List the runs that the journal records, or tell everything of one."""
    aim = settings.resolve_target(settings.read(), target)
    kept = journal or aim.journal or JOURNAL
    if run is None:
        found = pipeline.read_history(aim.url, kept, limit)
        click.echo(past.runs_as_data(found) if form == "json" else past.runs(found), nl=False)
    else:
        one = pipeline.read_run(aim.url, kept, run)
        click.echo(past.detail_as_data(one) if form == "json" else past.detail(one), nl=False)
    return DONE


@main.command("export")
@targeted
@click.option(
    "--schema", "schemas", multiple=True, help="Export this schema; '*', the default, is every one."
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="The folder to write to.",
)
def export_(target: str | None, schemas: Sequence[str], out: Path) -> int:
    """Write a database down as YAML, such as people write it."""
    aim = settings.resolve_target(settings.read(), target)
    bounds = frozenset(schemas or ["*"])
    files, notes = pipeline.export_state(aim.url, Scope(bounds, everything="*" in bounds), out)
    for file in files:
        click.echo(file)
    for note in notes:
        click.echo(f"note: {note}", err=True)
    return DONE


@main.command()
@click.argument("document", type=click.Choice(["declaration", "plan"]), default="declaration")
def schema(document: str) -> None:
    """Print the JSON Schema of the YAML files, for editors, or of `plan --format json`."""
    click.echo(
        json.dumps(json_schema() if document == "declaration" else data.plan_schema(), indent=2)
    )


@main.command("demo")
@click.option(
    "--scale",
    type=click.FloatRange(min=0.01),
    default=1.0,
    help="1 is 2,132 conversations and 5,998 messages.",
)
@click.option(
    "--load-only", is_flag=True, help="Only put the starting point into the embedded target."
)
def demo_(scale: float, load_only: bool) -> int:
    """Play the whole story on the embedded server: plan, apply, verify, drift, heal."""
    return demo.play(click.echo, watch_progress, scale=scale, load_only=load_only)
