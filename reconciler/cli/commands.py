"""The commands; each returns an exit status.

0: nothing to do, or all done. 1: an error. 2: a difference, or a failed check.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click

from reconciler import pipeline, settings
from reconciler.apply.guards import hazards_not_allowed
from reconciler.checks.attached import AttachedChecks
from reconciler.checks.run import run_checks
from reconciler.checks.session import Terms
from reconciler.cli.group import DIFFERENT, DONE, ERROR, main
from reconciler.cli.job import make_job
from reconciler.cli.options import (
    CheckOptions,
    DeclarationOptions,
    ExecutionOptions,
    OutputOptions,
    ReadingOptions,
    allow_option,
    check_options,
    declaration_options,
    execution_options,
    format_option,
    journal_option,
    journal_owner_option,
    output_options,
    reading_options,
    scratch_option,
    set_option,
    target_option,
)
from reconciler.cli.output import (
    DEFAULT_FORMAT,
    confirmed,
    confirmed_unvouched,
    print_document,
    print_line,
    print_lines,
    print_notes,
    print_recap,
    print_report,
    watch_progress,
)
from reconciler.cli.saved import SavedPlan, read_plan
from reconciler.declare.json_schema import json_schema
from reconciler.declare.reference import OVERVIEW, explanation, write_pages
from reconciler.demo import play
from reconciler.errors import PlanRefused, SettingsError
from reconciler.escape import document, json_document
from reconciler.journal.ownership import Place
from reconciler.lint import document as lint
from reconciler.lint.rules import all_rules
from reconciler.model.reserved_names import JOURNAL
from reconciler.model.state import Scope
from reconciler.pipeline import Job
from reconciler.plan.plan import Plan
from reconciler.plan.saved import signed
from reconciler.recall.observed import observe
from reconciler.recall.remembered import Question, Result
from reconciler.report import text
from reconciler.report.formats import Subject
from reconciler.report.json import plan_schema
from reconciler.server.redaction import redacted
from reconciler.settings import ResolvedTarget

NOT_CHECKED = (
    "--check looked at nothing on the target: give the YAML files by --state, sign the plan, or say"
    " --allow all"
)
run_argument = click.argument("run", metavar="[RUN]", required=False, type=click.IntRange(min=1))


@main.command()
@declaration_options
@set_option
@allow_option
@output_options("plan")
def plan(
    declaration: DeclarationOptions,
    session: Sequence[str],
    allow: Sequence[str],
    output: OutputOptions,
) -> int:
    """Show the changes and the SQL leading to the declared state.

    Nothing is run. Exit status: 0 no differences, 2 differences.
    """
    del allow  # accepted, so that the options of `apply` can be tried out; only runs need it
    job, _ = make_job(declaration, session=session)
    return _compare("plan", job, output)


def _compare(subject: Subject, job: Job, output: OutputOptions) -> int:
    """Show the differences, remember an empty result, and return the exit status."""
    question = click.get_current_context().find_object(Question)
    if question and (refusal := question.cache.refusal()):
        print_notes([refusal])
    observed = observe(job, question)
    changes = observed.plan
    shown = signed(changes, settings.plan_key()) if subject == "plan" else changes
    document = output.write(subject, shown)
    if question:
        result = Result(document, output.format_name or DEFAULT_FORMAT)
        observed.remember(question, result, job)
    return DONE if changes.in_sync else DIFFERENT


@main.command()
@click.argument(
    "saved",
    metavar="[PLAN.json]",
    required=False,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
)
@declaration_options
@execution_options
@check_options
def apply(
    saved: Path | None,
    declaration: DeclarationOptions,
    execution: ExecutionOptions,
    checks: CheckOptions,
) -> int:
    """Change the database to the declared state, or run a saved plan.

    The plan is shown first, and run after a confirmation. PLAN.json is the output of `reconcile
    plan --format json`; the plan is refused if the database has changed since. If the YAML files
    are at hand (--state, else the folder of reconcile.yml or desired_state), they are planned
    again, with the same --schema and --prune as before: the plan is refused unless that gives the
    same steps and hazards. If RECONCILE_PLAN_KEY is set, a plan that was saved without the same key
    is refused. With neither, nobody vouches for the plan: it is run after a yes on a terminal, or
    with --allow all.

    Checks with `apply: before` must pass before the first step; those with `apply: after` are run
    after the last one. Exit status: 0 all done, 1 an error, 2 such a check did not pass.
    """
    if saved:
        of_file = SavedPlan(read_plan(saved), saved, declaration, execution)
        return _apply_saved(of_file, checks.terms(None))
    job, target = make_job(declaration, execution)
    changes = pipeline.plan_changes(job)
    print_report(text.plan(changes), stderr=True)
    return _run(changes, job, target, execution, checks.terms(job.declaration))


def _apply_saved(saved: SavedPlan, terms: Terms) -> int:
    """Run a saved plan; one that nobody vouches for only with a yes on a terminal, or by flag.

    The checks before the first step use SQL of the plan, so --check does not make them either.
    """
    execution = saved.execution
    configured = settings.resolve_target(settings.read(), saved.declaration.target)
    target = execution.override(configured)
    shown = saved.plan.model_copy(update={"target": redacted(target.url)})
    print_report(text.plan(shown), stderr=True)
    if why := saved.unvouched(target):
        print_notes([why])
        allowed = not saved.plan.steps or "all" in execution.allow
        if not allowed and execution.check:
            print_notes([NOT_CHECKED])
            return DIFFERENT
        if not allowed:
            if not confirmed_unvouched(shown):
                return ERROR
            execution = replace(execution, yes=True)
    return _run(saved.plan, None, target, execution, terms)


def _run(
    plan: Plan,
    job: Job | None,
    target: ResolvedTarget,
    execution: ExecutionOptions,
    terms: Terms,
) -> int:
    """Run a plan, after the hazard check and a confirmation; return the exit status."""
    if refusals := hazards_not_allowed(plan, execution.allow):
        raise PlanRefused("\n".join(refusals))
    allow, policy, journal = execution.allow, target.lock_policy, execution.place(target)
    checks = AttachedChecks.of(plan.checks if plan.steps else (), target.url, terms)
    if execution.check:
        checks.assert_before()
        print_notes(pipeline.check_plan(plan, target.url, policy, allow, journal))
        return DONE if plan.in_sync else DIFFERENT
    if plan.steps and not execution.yes and not confirmed(plan):
        return ERROR
    checks.assert_before()
    with watch_progress() as watcher:
        outcome = pipeline.apply_plan(plan, job, target.url, watcher, policy, allow, journal)
    print_recap(text.recap(outcome))
    if outcome.failed or outcome.skipped or outcome.left or outcome.unseen:
        return ERROR
    results = checks.run("after")
    print_report(text.checks_after(results), stderr=True)
    return DONE if all(result.passed for result in results) else DIFFERENT


@main.command()
@declaration_options
@set_option
@output_options("drift")
def drift(declaration: DeclarationOptions, session: Sequence[str], output: OutputOptions) -> int:
    """Report differences from the declared state.

    For scheduled jobs. Exit status: 0 no differences, 2 differences.
    """
    job, _ = make_job(declaration, session=session)
    return _compare("drift", job, output)


@main.command()
@declaration_options
@set_option
@check_options
@output_options("checks")
def verify(
    declaration: DeclarationOptions,
    session: Sequence[str],
    checks: CheckOptions,
    output: OutputOptions,
) -> int:
    """Run the declared checks, and look for differences in structure.

    Checks run as a user that is no superuser. Whatever a check writes is rolled back. A check that
    found nothing to look at is vacuous and has not passed. Exit status: 0 all passed, 2 a
    difference, a failed or a vacuous check.
    """
    job, _ = make_job(declaration, session=session)
    changes = pipeline.plan_changes(job)
    results = run_checks(job.target, job.declaration.checks, checks.terms(job.declaration))
    output.write("checks", changes, results)
    passed = changes.in_sync and all(result.passed for result in results)
    return DONE if passed else DIFFERENT


@main.command()
@run_argument
@target_option
@scratch_option
@execution_options
@output_options("plan")
def rollback(
    run: int | None,
    target: str | None,
    scratch: str | None,
    execution: ExecutionOptions,
    output: OutputOptions,
) -> int:
    """Restore the objects changed by a run.

    They return to their state before the run. RUN is a number from `reconcile history`. Default:
    the last run that changed something. The plan is shown first, and run after a confirmation.
    --format and --out need --check.
    """
    shown = output.format_name or output.out
    if shown and not execution.check:
        raise SettingsError(
            "--format and --out show the plan instead of running it: they go with --check"
        )
    file = settings.read()
    configured = settings.resolve_target(file, target)
    resolved = execution.override(configured)
    changes, job = pipeline.plan_rollback(
        resolved.url,
        Place(resolved.journal or configured.journal or JOURNAL, execution.journal_owner or ""),
        run,
        scratch or file.scratch,
        resolved.lock_policy.session,
    )
    if shown:
        output.write("plan", signed(changes, settings.plan_key()))
    else:
        print_report(text.plan(changes), stderr=True)
    return _run(changes, job, resolved, execution, Terms())


@main.command()
@run_argument
@reading_options
@click.option(
    "--limit",
    metavar="NUMBER",
    type=click.IntRange(min=1),
    default=20,
    help="The number of runs to list, the latest first. Default: 20.",
)
@format_option("history", "run")
@journal_option
@journal_owner_option
def history(
    run: int | None,
    reading: ReadingOptions,
    limit: int,
    format_name: str | None,
    journal: str | None,
    journal_owner: str | None,
) -> int:
    """List recorded runs, or show the changes and steps of a run."""
    resolved = reading.resolve()
    session = resolved.lock_policy.session
    place = Place(journal or resolved.journal or JOURNAL, journal_owner or "")
    output = OutputOptions(format_name)
    if run is None:
        output.write("history", pipeline.read_history(resolved.url, place, limit, session))
    else:
        output.write("run", pipeline.read_run(resolved.url, place, run, session))
    return DONE


@main.command()
@reading_options
@click.option(
    "--schema",
    "schemas",
    multiple=True,
    help="Export this schema, '*' for all; can be repeated. Default: '*'.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="The folder to write to, which may hold no YAML files yet.",
)
def export(reading: ReadingOptions, schemas: Sequence[str], out: Path) -> int:
    """Write an existing database as YAML files."""
    resolved = reading.resolve()
    bounds = frozenset(schemas or ["*"])
    scope = Scope(bounds, everything="*" in bounds)
    files, notes = pipeline.export_state(resolved.url, scope, out, resolved.lock_policy.session)
    for file in files:
        print_line(str(file))
    print_notes(notes)
    return DONE


@main.command()
@click.argument("document", type=click.Choice(["declaration", "plan"]), default="declaration")
def schema(document: str) -> None:
    """Print the JSON Schema of the YAML files or of a plan.

    Editors complete and check YAML files by the schema.
    """
    print_document(json_document(json_schema() if document == "declaration" else plan_schema()))


@main.command()
@click.argument("topic", metavar="[KIND[.KEY]]", required=False)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="The folder to write all pages of the reference to, a page for each kind.",
)
def explain(topic: str | None, out: Path | None) -> None:
    """Explain the language of the YAML files: a kind of object, or one of its keys.

    For example `reconcile explain constraint` or `reconcile explain constraint.on_delete`. Without
    KIND, the overview with the list of kinds is shown. `reconcile explain lint` explains the rules
    of `reconcile lint`, `reconcile explain RULE` one of them.
    """
    if out is not None:
        for file in write_pages(out):
            print_line(str(file))
    elif topic == lint.TOPIC:
        print_document(document(lint.document().splitlines()))
    elif topic in all_rules():
        print_document(document(lint.described(all_rules()[topic]).splitlines()))
    else:
        print_document(document(explanation(topic or OVERVIEW).splitlines()))


@main.command()
@click.option(
    "--scale",
    type=click.FloatRange(min=0.01),
    default=1.0,
    help="The size of the data. Default: 1, for 2,132 conversations and 5,998 messages.",
)
@click.option("--load-only", is_flag=True, help="Create the example's tables and rows, and stop.")
def demo(scale: float, load_only: bool) -> int:
    """Play an example on an embedded server.

    Plan, apply, verify, changes by hand, drift, their repair, and the queries before and after; it
    takes a minute.
    """
    return play(print_lines, watch_progress, scale=scale, load_only=load_only)
