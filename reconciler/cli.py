"""The command line: reads flags, prints, picks the exit status; the only print, the only exit.

Exit status: 0 nothing to do, or all done; 2 there is a difference or a failed check; 1 an error.
"""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from pydantic import ValidationError
from rich.console import Console

from reconciler import __version__, demo, pipeline, settings, verify, watch
from reconciler.catalog import JOURNAL
from reconciler.errors import PlanRefused, ReconcileError, SettingsError
from reconciler.execute import Outcome, Watcher
from reconciler.load import json_schema, load
from reconciler.locks import Patience
from reconciler.pipeline import Job
from reconciler.plan import Plan
from reconciler.report import data, markdown, past, script, text
from reconciler.state import Scope
from reconciler.statement import Hazard

DONE, ERROR, DIFFERENT = 0, 1, 2
PLAN_FORMATS: dict[str, Callable[[Plan], str]] = {"text": text.plan, "json": data.plan, "sql": script.plan, "markdown": markdown.plan}
DRIFT_FORMATS: dict[str, Callable[[Plan], str]] = {"text": text.drift, "json": data.drift}


class _Reconcile(click.Group):
    """Turns our errors into a message on stderr and exit status 1, flags that are wrong included."""

    def main(self, *args: Any, **extra: Any) -> Any:
        extra["standalone_mode"] = False
        try:
            status = super().main(*args, **extra)
        except click.ClickException as e:
            e.show()
            sys.exit(ERROR)
        except click.Abort:
            click.echo("stopped; what was done stays done, run again to continue", err=True)
            sys.exit(ERROR)
        except ReconcileError as e:
            click.echo(click.style("error: ", fg="red") + str(e), err=True)
            sys.exit(ERROR)
        sys.exit(status if isinstance(status, int) else DONE)


@click.group("reconcile", cls=_Reconcile, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="reconcile")
def main() -> None:
    """Make a PostgreSQL database what YAML files say it is."""


Command = Callable[..., Any]


def _options(*options: Callable[[Command], Command]) -> Callable[[Command], Command]:
    def add(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return add


targeted = click.option("--target", "-t", help="A name from reconcile.yml, a URL, or `embedded`.")
declared = _options(
    targeted,
    click.option("--state", "-s", type=click.Path(path_type=Path), help="The folder of YAML files (desired_state)."),
    click.option("--schema", "schemas", multiple=True, help="Look at this schema; '*' is every one. Default: those declared."),
    click.option("--prune", is_flag=True, help="Drop what these schemas hold and nothing declares."),
    click.option("--scratch", help="embedded, target or a URL; default: embedded, else target."),
)
recording = _options(
    click.option("--journal", metavar="NAME", help="The schema of our record of runs (reconcile)."),
    click.option("--no-journal", is_flag=True, help="Record nothing."),
)
waits = _options(
    click.option("--lock-timeout", type=click.FloatRange(min=0, min_open=True), help="Seconds for one try at a lock (2)."),
    click.option("--retry-for", type=click.FloatRange(min=0), help="Seconds for all tries of a step (600)."),
    click.option("--statement-timeout", type=click.FloatRange(min=0), help="Seconds for what should be quick (30); 0: no bound."),
    click.option("--set", "session", multiple=True, metavar="NAME=VALUE", help="A setting for the run, such as maintenance_work_mem=1GB."),
)
allowing = click.option("--allow", multiple=True, type=click.Choice([*(h.value for h in Hazard), "all"]), help="Let a hazard pass.")
written = click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write to a file instead of stdout.")


@main.command()
@declared
@allowing
@click.option("--format", "form", type=click.Choice(list(PLAN_FORMATS)), default="text")
@written
def plan(form: str, out: Path | None, allow: Sequence[str], **given: Any) -> int:
    """Show what is not as declared, and the steps that would make it so."""
    del allow  # part of the contract: what it lets pass matters when the plan is applied
    made = pipeline.plan_changes(_job(given)[0])
    _print(PLAN_FORMATS[form](made), out, colour=form == "text")
    return DONE if made.in_sync else DIFFERENT


@main.command()
@click.argument("saved", metavar="[PLAN.json]", required=False, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@declared
@allowing
@waits
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--check", is_flag=True, help="Show what would be done, like plan, and refuse what apply would refuse.")
@recording
def apply(saved: Path | None, allow: Sequence[str], yes: bool, check: bool, **given: Any) -> int:
    """Make the target what is declared, or run a plan that was saved with `plan --format json --out`."""
    file = settings.read()
    if saved:
        read = settings.aim(file, given["target"])
        aim, job, made = replace(read, patience=_patience(read.patience, given)), None, _saved(saved)
    else:
        job, aim = _job(given)
        made = pipeline.plan_changes(job)
    _print(text.plan(made), None, colour=True, err=True)
    return _run(made, job, _recording(aim, given), allow, yes=yes, check=check)


def _run(made: Plan, job: Job | None, aim: settings.Aim, allow: Sequence[str], *, yes: bool, check: bool) -> int:
    """Run a plan that was shown, if it may run and people want it."""
    if refusals := pipeline.hazards_not_allowed(made, allow):
        raise PlanRefused("\n".join(refusals))
    if check:
        for words in pipeline.check_plan(made, aim.url, aim.patience, allow, aim.journal):
            click.echo(f"note: {words}", err=True)
        return DONE if made.in_sync else DIFFERENT
    if made.steps and not yes and not _agreed(made):
        return ERROR
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # stops as Ctrl-C does: cleanly
    with _watcher() as watcher:
        outcome = pipeline.apply_plan(made, job, aim.url, watcher, aim.patience, allow, aim.journal)
    click.echo(text.recap(outcome), nl=False)
    return ERROR if _failed(outcome) else DONE


@main.command()
@declared
@click.option("--format", "form", type=click.Choice(list(DRIFT_FORMATS)), default="text")
@written
def drift(form: str, out: Path | None, **given: Any) -> int:
    """Say what is no longer as declared; for cron: quiet exit 0 is good news, 2 is drift."""
    made = pipeline.plan_changes(_job(given)[0])
    _print(DRIFT_FORMATS[form](made), out, colour=form == "text")
    return DONE if made.in_sync else DIFFERENT


@main.command("verify")
@declared
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text")
def verify_(form: str, **given: Any) -> int:
    """Assert the declared checks, and that the structure is as declared."""
    job, _ = _job(given)
    made = pipeline.plan_changes(job)
    results = verify.run_checks(job.target, job.declaration.checks)
    click.echo(verify.as_json(made, results) if form == "json" else verify.as_text(made, results), nl=False)
    return DONE if made.in_sync and all(r.passed for r in results) else DIFFERENT


@main.command()
@click.argument("run", metavar="[RUN]", required=False, type=click.IntRange(min=1))
@targeted
@click.option("--scratch", help="embedded, target or a URL; default: embedded, else target.")
@allowing
@waits
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--check", is_flag=True, help="Show the plan, and refuse what rollback would refuse.")
@click.option("--format", "form", type=click.Choice(list(PLAN_FORMATS)), help="Print the plan on stdout, with --check.")
@written
@recording
def rollback(run: int | None, form: str | None, out: Path | None, allow: Sequence[str], yes: bool, check: bool, **given: Any) -> int:
    """Plan and go the way back to what was there before a run; left out, the last one that changed something."""
    if (form or out) and not check:
        raise SettingsError("--format and --out show the plan instead of running it: they go with --check")
    file = settings.read()
    read = settings.aim(file, given["target"])
    aim = replace(_recording(read, given), patience=_patience(read.patience, given))
    where = aim.journal or read.journal or JOURNAL
    made, job = pipeline.plan_rollback(aim.url, where, run, given["scratch"] or file.scratch, aim.patience.session)
    if form or out:
        _print(PLAN_FORMATS[form or "text"](made), out, colour=(form or "text") == "text")
    else:
        _print(text.plan(made), None, colour=True, err=True)
    return _run(made, job, aim, allow, yes=yes, check=check)


@main.command()
@click.argument("run", metavar="[RUN]", required=False, type=click.IntRange(min=1))
@targeted
@click.option("--limit", type=click.IntRange(min=1), default=20, help="How many runs to list, the latest first.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text")
@click.option("--journal", metavar="NAME", help="The schema of our record of runs (reconcile).")
def history(run: int | None, target: str | None, limit: int, form: str, journal: str | None) -> int:
    """List the runs that the journal records, or tell everything of one."""
    aim = settings.aim(settings.read(), target)
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
@click.option("--schema", "schemas", multiple=True, help="Export this schema; '*', the default, is every one.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="The folder to write to.")
def export_(target: str | None, schemas: Sequence[str], out: Path) -> int:
    """Write a database down as YAML, such as people write it."""
    aim = settings.aim(settings.read(), target)
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
    click.echo(json.dumps(json_schema() if document == "declaration" else data.plan_schema(), indent=2))


@main.command("demo")
@click.option("--scale", type=click.FloatRange(min=0.01), default=1.0, help="1 is 2,132 conversations and 5,998 messages.")
@click.option("--load-only", is_flag=True, help="Only put the starting point into the embedded target.")
def demo_(scale: float, load_only: bool) -> int:
    """Play the whole story on the embedded server: plan, apply, verify, drift, heal."""
    return demo.play(click.echo, _watcher, scale=scale, load_only=load_only)


def _job(given: dict[str, Any]) -> tuple[Job, settings.Aim]:
    file = settings.read()
    declaration = load(given["state"] or file.state)
    schemas = frozenset(given["schemas"] or file.schemas) or declaration.schemas
    aim = settings.aim(file, given["target"])
    scope = Scope(schemas, prune=given["prune"], everything="*" in schemas)
    aim = replace(aim, patience=_patience(aim.patience, given))
    return Job(aim.url, declaration, scope, given["scratch"] or file.scratch, session=aim.patience.session), aim


def _recording(aim: settings.Aim, given: dict[str, Any]) -> settings.Aim:
    """The aim with what flags say of the journal."""
    if given["journal"] and given["no_journal"]:
        raise SettingsError("--journal and --no-journal contradict each other")
    return replace(aim, journal=None if given["no_journal"] else given["journal"] or aim.journal)


def _patience(usual: Patience, given: dict[str, Any]) -> Patience:
    """What flags say, where the command has such, and for the rest the settings."""
    said = {"lock": given.get("lock_timeout"), "total": given.get("retry_for"), "statement": given.get("statement_timeout")}
    session = dict(usual.session)
    for setting in given.get("session", ()):
        own, found, value = setting.partition("=")
        if not found:
            raise SettingsError(f"--set {setting}: NAME=VALUE would do")
        session[own.strip()] = value.strip()
    return replace(usual, session=session, **{k: v for k, v in said.items() if v is not None})


def _saved(file: Path) -> Plan:
    try:
        return Plan.model_validate_json(file.read_bytes())
    except ValidationError as e:
        wrong = "; ".join(f"{'.'.join(map(str, x['loc']))}: {x['msg']}" for x in e.errors()[:5])
        raise SettingsError(f"{file} is not a plan of this version: {wrong}") from None


def _agreed(made: Plan) -> bool:
    if not sys.stdin.isatty():
        raise PlanRefused(f"{len(made.steps)} steps to run and nobody to ask; --yes means yes")
    return click.confirm(f"run {len(made.steps)} steps on {made.target}?", err=True)


def _failed(outcome: Outcome) -> bool:
    return bool(outcome.failed or outcome.skipped or outcome.left or outcome.unseen)


def _watcher() -> AbstractContextManager[Watcher]:
    console = Console(stderr=True)
    if console.is_terminal:
        return watch.Bars(console)
    return watch.Lines(lambda line: click.echo(line, err=True))


def _print(words: str, out: Path | None, *, colour: bool, err: bool = False) -> None:
    if out is not None:
        try:
            out.parent.mkdir(parents=True, exist_ok=True)
            out.write_text(words, encoding="utf-8", newline="")
        except OSError as e:
            raise SettingsError(f"--out {out}: {e.strerror or e}") from None
        return
    if not colour:  # for programs, to the letter
        click.echo(words, nl=False, err=err)
        return
    for line in words.removesuffix("\n").split("\n"):
        sign = line.strip()[:2]
        shade = {"+ ": "green", "- ": "red", "~ ": "yellow", "! ": "magenta"}.get(sign)
        click.echo(click.style(line, fg=shade) if shade else line, err=err)
