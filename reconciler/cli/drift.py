"""The command `drift`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from json import loads
from secrets import token_hex
from threading import Event

import click

from reconciler.cli.cluster_work import (
    assert_no_secrets,
    declaration_of_worker,
    digest_of_files,
    without_urls,
)
from reconciler.cli.fleet_options import check_executor, executor_option, open_executor
from reconciler.cli.group import ARGUMENTS, DIFFERENT, DONE, ERROR, main
from reconciler.cli.job import Declared, begin, read_declared
from reconciler.cli.journal_options import journal_option, journal_owner_option
from reconciler.cli.options import (
    DeclarationOptions,
    ReadingOptions,
    collected,
    files_options,
    set_option,
)
from reconciler.cli.output import DEFAULT_FORMAT, print_error, print_notes
from reconciler.cli.output_options import OutputOptions, output_options
from reconciler.cli.targets import NamedTarget, TargetsOptions, targets_options, with_variables
from reconciler.cli.telling import WebhookOptions, webhook_options
from reconciler.drift.look import look
from reconciler.drift.result import DriftReport, Status, TargetDrift
from reconciler.errors import ReconcileError
from reconciler.escape import Document
from reconciler.fleet.threads import Outcome
from reconciler.inventory.source_answers import keep_for
from reconciler.journal.ownership import Place
from reconciler.recall.ahead import Ahead
from reconciler.recall.observed import observe
from reconciler.recall.remembered import Question, Result, question_of_target
from reconciler.report import json
from reconciler.settings import ResolvedTarget, Settings


@dataclass(frozen=True)
class LookOptions:
    """PostgreSQL's settings for the look, the journal to read, and where the work is done."""

    session: tuple[str, ...]
    journal: str | None
    journal_owner: str | None
    executor: str | None

    def place(self, target: ResolvedTarget) -> Place | None:
        """Return the place of the journal of a target; None for no journal."""
        schema = self.journal or target.journal
        return Place(schema, self.journal_owner or "") if schema else None


look_options = collected(
    "source", LookOptions, set_option, journal_option, journal_owner_option, executor_option
)
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
    what the last run left, each difference says which side has moved since. Declared objects that
    PostgreSQL refuses there, such as one for a role that is gone, are an error, beside which all
    other differences are shown. Exit status: 0 no differences, 2 differences, 1 an error; of
    several targets, the worst.
    """
    told.check()
    check_executor(source.executor, targets)
    declared = read_declared(declaration, several=targets.several)
    named = targets.named(declared.file)
    if source.executor:
        named = with_variables(named, declared.file)
    alone = not (targets.several or told.asked)
    questions = _questions(named, declared.file, alone=alone)
    with closing(questions.ahead(named)) as ahead:
        if alone and not source.executor:
            _begin(ahead, named, source, declared)
        declared.check(target.flag for target in named)
        workers = open_executor(source.executor, targets)
        look_at: Callable[[NamedTarget], _Looked]
        if workers.local:
            look_at = _Look(declared, source, questions, ahead if alone else None)
        else:
            questions = NO_QUESTIONS
            look_at = partial(_look_in_worker, _Task.of(declaration, source, named))
        if not quiet:
            print_notes(filter(None, [questions.refusal]))
        outcomes = {o.target: o for o in workers.run(look_at, named, Event())}
    results = [_result(outcomes[target]) for target in named]
    report = DriftReport(results, several=targets.several)
    printed = _written(report, output, quiet=quiet)
    for target in named:
        if error := _error_of(outcomes[target]):
            print_error(error, target.name if report.several else "")
    _remember(outcomes.values(), questions, printed, output)
    try:
        told.tell(report)
    except ReconcileError as error:
        print_error(error)
    return EXIT_STATUSES[report.status]


def _begin(
    ahead: Ahead, named: Sequence[NamedTarget], source: LookOptions, declared: Declared
) -> None:
    """Begin to read the only target; a shard may be without one."""
    for target in named[:1]:
        begin(ahead, ReadingOptions(target.flag, source.session), declared.file)


def _remember(
    outcomes: Iterable[Outcome[NamedTarget, _Looked]],
    questions: _Questions,
    printed: Document,
    output: OutputOptions,
) -> None:
    """Remember of which targets the declaration and the catalogs do not differ."""
    for outcome in outcomes:
        if looked := outcome.result:
            looked.remember(questions.answer(looked.result, printed, output))


def _written(report: DriftReport, output: OutputOptions, *, quiet: bool) -> Document:
    """Print or write the report, and return the document.

    Files are written in any case, lest they tell of an earlier run. For people, the error of one
    target alone is no report.
    """
    is_silent = quiet and report.status == "ok"
    is_error = not report.several and all(t.error and not t.objects for t in report.targets)
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

    def ahead(self, named: Sequence[NamedTarget]) -> Ahead:
        """Return a reading of the first target that has not begun."""
        return Ahead(next(map(self.by_target.get, named), None))

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


NO_QUESTIONS = _Questions({}, alone=False)


def _questions(named: Sequence[NamedTarget], file: Settings, *, alone: bool) -> _Questions:
    context = click.get_current_context()
    own = context.find_object(Question)
    arguments: Sequence[str] = context.meta[ARGUMENTS]
    asked = {t: own if alone else question_of_target(arguments, t.flag, file) for t in named}
    return _Questions({t: q for t, q in asked.items() if q}, alone)


def _forget(answer: Result) -> None:
    """Remember nothing of a target."""


@dataclass(frozen=True)
class _Looked:
    """The differences of a target, and a function to remember that there was none.

    `refused` is the error about what could not be compared.
    """

    result: TargetDrift
    remember: Callable[[Result], None] = _forget
    refused: ReconcileError | None = None


@dataclass(frozen=True)
class _Look:
    """Look at targets with one declaration."""

    declared: Declared
    source: LookOptions
    questions: _Questions
    ahead: Ahead | None = None  # of the only target

    def __call__(self, target: NamedTarget) -> _Looked:
        start, at = time.monotonic(), time.time()
        if found := self.questions.known(target):
            return _Looked(replace(found, at=at, seconds=time.monotonic() - start))
        reading = ReadingOptions(target.flag, self.source.session)
        resolved = reading.resolve(self.declared.file)
        job = replace(self.declared.job(resolved), questions=False, proof=False)
        ahead = self.ahead or self.questions.ahead([target])
        examine = partial(look, declaration=job.declaration, journal=self.source.place(resolved))
        observed = observe(job, ahead, examine, partly=True)
        plan = observed.plan
        result = TargetDrift(
            target.name,
            plan.target,
            plan.in_sync,
            plan.unchanged,
            (*plan.notes, *observed.found.notes),
            observed.found.objects,
            error=str(observed.refused or ""),
            at=at,
            seconds=time.monotonic() - start,
        )
        question = ahead.question
        if question is None or observed.refused is not None:
            return _Looked(result, refused=observed.refused)
        return _Looked(result, lambda answer: observed.remember(question, answer, job))


@dataclass(frozen=True)
class _Task:
    """What workers of a cluster need to look at targets: options, and a digest of the files.

    `id` tells the command from others of the same worker. A worker remembers no answers.
    """

    id: str
    declaration: DeclarationOptions
    source: LookOptions
    files: str

    @classmethod
    def of(
        cls, declaration: DeclarationOptions, source: LookOptions, named: Sequence[NamedTarget]
    ) -> _Task:
        """Return the task without secrets; raises SettingsError."""
        assert_no_secrets(named, source.session)
        own = without_urls(declaration)
        return cls(token_hex(8), own, source, digest_of_files(declaration, named))


def _look_in_worker(task: _Task, target: NamedTarget) -> _Looked:
    """Look at a target with the files and the environment of this worker; an error is a result."""
    keep_for(task.id)
    try:
        own = declaration_of_worker(task.declaration, task.files, target)
        return _look_of(replace(task, declaration=own))(target)
    except (ReconcileError, OSError) as error:
        return _Looked(TargetDrift(target.name, error=str(error), at=time.time()))


@lru_cache(maxsize=1)
def _look_of(task: _Task) -> _Look:
    """Return the look of a command, made at its first target in this worker."""
    declared = read_declared(task.declaration, several=True)
    return _Look(declared, task.source, NO_QUESTIONS)


def _error_of(outcome: Outcome[NamedTarget, _Looked]) -> ReconcileError | OSError | None:
    """Return why a look failed, in this process or in a worker."""
    looked = outcome.result
    if looked is not None and looked.result.error:
        return looked.refused or ReconcileError(looked.result.error)
    return outcome.error


def _result(outcome: Outcome[NamedTarget, _Looked]) -> TargetDrift:
    if outcome.result is None:
        return TargetDrift(outcome.target.name, error=str(outcome.error), at=time.time())
    return outcome.result.result
