"""The command `drift`."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from json import loads

import click

from reconciler.cli.group import ARGUMENTS, DIFFERENT, DONE, ERROR, main
from reconciler.cli.job import Declared, read_declared
from reconciler.cli.journal_options import journal_option, journal_owner_option
from reconciler.cli.options import (
    DeclarationOptions,
    OutputOptions,
    ReadingOptions,
    collected,
    files_options,
    output_options,
    set_option,
)
from reconciler.cli.output import DEFAULT_FORMAT, print_error, print_notes
from reconciler.cli.targets import NamedTarget, TargetsOptions, targets_options
from reconciler.cli.telling import WebhookOptions, webhook_options
from reconciler.drift.look import look
from reconciler.drift.result import DriftReport, Status, TargetDrift
from reconciler.errors import ReconcileError
from reconciler.escape import Document
from reconciler.fleet.threads import Outcome, run_over
from reconciler.journal.ownership import Place
from reconciler.recall.observed import observe
from reconciler.recall.remembered import Question, Result, question_of_target
from reconciler.report import json
from reconciler.settings import ResolvedTarget, Settings


@dataclass(frozen=True)
class LookOptions:
    """PostgreSQL's settings for the look, and the journal to read."""

    session: tuple[str, ...]
    journal: str | None
    journal_owner: str | None

    def place(self, target: ResolvedTarget) -> Place | None:
        """Return the place of the journal of a target; None for no journal."""
        schema = self.journal or target.journal
        return Place(schema, self.journal_owner or "") if schema else None


look_options = collected("source", LookOptions, set_option, journal_option, journal_owner_option)
EXIT_STATUSES: Mapping[Status, int] = {"ok": DONE, "different": DIFFERENT, "error": ERROR}


@main.command()
@targets_options
@files_options
@look_options
@webhook_options
@click.option("--quiet", "-q", is_flag=True, help="Print nothing where nothing differs.")
@output_options("drift")
def drift(
    targets: TargetsOptions,
    declaration: DeclarationOptions,
    source: LookOptions,
    told: WebhookOptions,
    quiet: bool,
    output: OutputOptions,
) -> int:
    """Report differences from the declared state.

    For scheduled jobs: nothing is run, and nothing is made on the target. Where the journal tells
    what the last run left, each difference says which side has moved since. Exit status: 0 no
    differences, 2 differences, 1 an error; of several targets, the worst.
    """
    told.check()
    declared = read_declared(declaration, several=targets.several)
    named = targets.named(declared.file)
    declared.check(target.flag for target in named)
    alone = not (targets.several or told.asked)
    questions = _questions(named, declared.file, alone=alone)
    if questions.refusal and not quiet:
        print_notes([questions.refusal])
    look_at = _Look(declared, source, questions)
    outcomes = {o.target: o for o in run_over(named, look_at, targets.forks)}
    results = [_result(outcomes[target]) for target in named]
    report = DriftReport(results, several=targets.several)
    printed = _written(report, output, quiet=quiet)
    for target in named:
        if error := outcomes[target].error:
            print_error(error, target.name if report.several else "")
        if looked := outcomes[target].result:
            looked.remember(questions.answer(looked.result, printed, output))
    try:
        told.tell(report)
    except ReconcileError as error:
        print_error(error)
    return EXIT_STATUSES[report.status]


def _written(report: DriftReport, output: OutputOptions, *, quiet: bool) -> Document:
    """Print or write the report, and return the document.

    Files are written in any case, lest they tell of an earlier run. For people, the error of one
    target alone is no report.
    """
    is_silent = quiet and report.status == "ok"
    is_error = report.status == "error" and not report.several
    to_people = output.last_format == DEFAULT_FORMAT
    return output.write("drift", report, to_stdout=not (is_silent or (is_error and to_people)))


@dataclass(frozen=True)
class _Questions:
    """What earlier runs may have answered: of each target, or `alone` of the command line.

    Then the command has asked already; the answer is the printed document.
    """

    by_target: Mapping[NamedTarget, Question]
    alone: bool

    @property
    def refusal(self) -> str:
        """Why no answer can be remembered; "" if it can."""
        return next((q.cache.refusal() for q in self.by_target.values()), "")

    def answer(self, result: TargetDrift, document: str, output: OutputOptions) -> Result:
        """Return what to remember of a target."""
        if self.alone:
            return Result(document, output.last_format)
        return Result(json.drift(DriftReport([result])), "json")

    def known(self, target: NamedTarget) -> TargetDrift | None:
        """Return what an earlier run has found, if nothing has changed since."""
        question = None if self.alone else self.by_target.get(target)
        answer = question.result() if question else None
        if answer is None:
            return None
        found = loads(answer.document)
        return TargetDrift(
            target.name,
            found["target"],
            in_sync=True,
            unchanged=found["unchanged"],
            notes=tuple(found["notes"]),
        )


def _questions(named: Sequence[NamedTarget], file: Settings, *, alone: bool) -> _Questions:
    context = click.get_current_context()
    own = context.find_object(Question)
    arguments: Sequence[str] = context.meta[ARGUMENTS]
    asked = {t: own if alone else question_of_target(arguments, t.flag, file) for t in named}
    return _Questions({t: q for t, q in asked.items() if q}, alone)


@dataclass(frozen=True)
class _Looked:
    """The differences of a target, and a function to remember that there was none."""

    result: TargetDrift
    remember: Callable[[Result], None]


@dataclass(frozen=True)
class _Look:
    """Look at targets with one declaration."""

    declared: Declared
    source: LookOptions
    questions: _Questions

    def __call__(self, target: NamedTarget) -> _Looked:
        start, at = time.monotonic(), time.time()
        if found := self.questions.known(target):
            return _Looked(replace(found, at=at, seconds=time.monotonic() - start), lambda _: None)
        reading = ReadingOptions(target.flag, self.source.session)
        resolved = reading.resolve(self.declared.file)
        job = replace(self.declared.job(resolved), questions=False, proof=False)
        question = self.questions.by_target.get(target)
        examine = partial(look, declaration=job.declaration, journal=self.source.place(resolved))
        observed = observe(job, question, examine)
        plan = observed.plan
        result = TargetDrift(
            target.name,
            plan.target,
            plan.in_sync,
            plan.unchanged,
            (*plan.notes, *observed.found.notes),
            observed.found.objects,
            at=at,
            seconds=time.monotonic() - start,
        )
        if question is None:
            return _Looked(result, lambda _: None)
        return _Looked(result, lambda answer: observed.remember(question, answer, job))


def _result(outcome: Outcome[NamedTarget, _Looked]) -> TargetDrift:
    if outcome.result is None:
        return TargetDrift(outcome.target.name, error=str(outcome.error), at=time.time())
    return outcome.result.result
