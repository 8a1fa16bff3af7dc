"""The command `report`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import click

from reconciler import measuring, pipeline, settings
from reconciler.cli.check_options import CheckOptions, check_options
from reconciler.cli.group import DONE, main
from reconciler.cli.job import make_job
from reconciler.cli.journal_options import journal_option, journal_owner_option
from reconciler.cli.options import (
    DeclarationOptions,
    Decorator,
    ReadingOptions,
    collected,
    declaration_options,
    set_option,
)
from reconciler.cli.output import print_document, print_line, write_file
from reconciler.cli.saved import read_plan
from reconciler.environment import environment_value
from reconciler.errors import SettingsError
from reconciler.escape import Document
from reconciler.evidence.model import Application, Commands, Evidence, Sourced
from reconciler.evidence.saved import read_benchmark, read_lint, read_verification
from reconciler.journal.ownership import Place
from reconciler.linting import Lint
from reconciler.model.reserved_names import JOURNAL
from reconciler.plan.plan import Plan
from reconciler.plan.saved import signed
from reconciler.report import json
from reconciler.report.formats import Subject, renderer
from reconciler.report.html import assert_renderable
from reconciler.server.redaction import is_url
from reconciler.version import version

KINDS: tuple[Subject, ...] = ("report", "runbook")
SUFFIXES = {"markdown": ".md", "html": ".html"}
PLAN = "plan.json"


@dataclass(frozen=True)
class EvidenceOptions:
    """The measurements to show: saved documents, those made now, and the run in the journal."""

    run: int | None
    bench: Path | None
    verify: Path | None
    lint: Path | None
    measure: Sequence[str]
    journal: str | None
    journal_owner: str | None


def _document_option(command: str, meaning: str) -> Decorator:
    """Return an option for a document that a command has printed as JSON."""
    return click.option(
        f"--{command}",
        metavar="FILE",
        type=click.Path(path_type=Path, exists=True, dir_okay=False),
        help=f"{meaning}: what `reconcile {command} --format json` has printed.",
    )


evidence_options = collected(
    "measured",
    EvidenceOptions,
    click.option(
        "--run",
        metavar="RUN",
        type=click.IntRange(min=1),
        help="Report this run of the journal, and its plan. Default: the last run of the plan.",
    ),
    _document_option("bench", "The figures before and after"),
    _document_option("verify", "The results of checks"),
    _document_option("lint", "The problems"),
    click.option(
        "--measure",
        multiple=True,
        type=click.Choice(["lint", "verify"]),
        help="Run `lint` or `verify` now, instead of reading a document; can be repeated.",
    ),
    journal_option,
    journal_owner_option,
)


@dataclass(frozen=True)
class PageOptions:
    """The kind and format of a single document and its file, or the folder for all of them."""

    kind: Subject
    format_name: str
    out: Path | None
    folder: Path | None

    def write(self, evidence: Evidence, *, save: bool) -> None:
        """Write the document, or reports and runbooks into the folder; with `save`, the plan."""
        if self.folder is None:
            shown = renderer(self.kind, self.format_name)(evidence)
            if self.out is None:
                print_document(shown)
            else:
                write_file(shown, self.out)
            return
        written: dict[str, Document] = {
            f"{kind}{suffix}": renderer(kind, name)(evidence)
            for kind in KINDS
            for name, suffix in SUFFIXES.items()
        }
        if save:
            written[PLAN] = json.plan(evidence.plan.content)
        for name, document in written.items():
            write_file(document, self.folder / name, "--out-dir")
            print_line(str(self.folder / name))


page_options = collected(
    "pages",
    PageOptions,
    click.option("--kind", type=click.Choice(KINDS), default=KINDS[0], help="Default: report."),
    click.option(
        "--format",
        "format_name",
        type=click.Choice([*SUFFIXES]),
        default="markdown",
        help="The format of the output. Default: markdown.",
    ),
    click.option(
        "--out",
        type=click.Path(path_type=Path, dir_okay=False),
        help="Write to this file instead of stdout.",
    ),
    click.option(
        "--out-dir",
        "folder",
        metavar="FOLDER",
        type=click.Path(path_type=Path, file_okay=False),
        help="Write report and runbook in both formats into this folder, and the plan, if it is not"
        " saved yet.",
    ),
)


@main.command("report")
@click.argument(
    "saved",
    metavar="[PLAN.json]",
    required=False,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
)
@declaration_options
@set_option
@evidence_options
@check_options
@page_options
def report_command(
    saved: Path | None,
    declaration: DeclarationOptions,
    session: Sequence[str],
    measured: EvidenceOptions,
    checks: CheckOptions,
    pages: PageOptions,
) -> int:
    """Write a report or a runbook of a plan, with what was measured.

    The plan is PLAN.json, or that of --run, or is made now. The report shows the changes with their
    locks, sizes and hazards, the order, problems, figures before and after, checks and the way
    back; the runbook says what to do before, while and after the plan is applied, what to watch,
    and how to roll back, and ticks what the journal of --target records. What was not measured is
    shown as not measured. Nothing is changed. A saved plan needs no --target; the journal is then
    not read.
    """
    if pages.format_name == "html" or pages.folder:
        assert_renderable()
    if pages.folder and pages.out:
        raise SettingsError("--out names one file, --out-dir a folder for all: give one of them")
    collecting = _Collecting(declaration, session, measured, checks)
    pages.write(collecting.evidence(saved, pages.folder), save=saved is None)
    return DONE


@dataclass(frozen=True)
class _Collecting:
    """The options of the command that say where plan and measurements come from."""

    declaration: DeclarationOptions
    session: Sequence[str]
    measured: EvidenceOptions
    checks: CheckOptions

    def evidence(self, saved: Path | None, folder: Path | None) -> Evidence:
        """Read or make the plan, and collect its measurements."""
        self._check(saved)
        measured = self.measured
        plan, run = self._plan_and_run(saved)
        file = saved or (folder / PLAN if folder else None)
        found = Evidence(
            plan,
            run,
            benchmark=read_benchmark(measured.bench) if measured.bench else None,
            verification=read_verification(measured.verify) if measured.verify else None,
            lint=read_lint(measured.lint) if measured.lint else None,
            commands=self._commands(str(file) if file else "", str(folder) if folder else ""),
            version=version(),
            unapplied=self._unapplied(saved),
        )
        return self._with_measured_now(found)

    def _unapplied(self, saved: Path | None) -> str:
        """Say why no run of the plan is known, if none is."""
        if saved is None:
            return "the plan was made for this report"
        if not self.declaration.target:
            return "not looked for: --target names the database whose journal is read"
        return Evidence.unapplied

    def _check(self, saved: Path | None) -> None:
        """Raise SettingsError for options that contradict each other."""
        measured = self.measured
        if saved and measured.run:
            raise SettingsError("PLAN.json and --run each name a plan: give one of them")
        for name, document in (("lint", measured.lint), ("verify", measured.verify)):
            if document and name in measured.measure:
                raise SettingsError(f"--{name} and --measure {name}: give one of them")

    def _plan_and_run(
        self, saved: Path | None
    ) -> tuple[Sourced[Plan], Sourced[Application] | None]:
        """Return the plan, and its run in the journal; a plan made now has none yet."""
        if self.measured.run:
            run = self._run(self.measured.run)
            return Sourced(run.content.detail.plan, run.source), run
        if saved is None:
            return Sourced(self._plan(), "reconcile plan, run for this report"), None
        plan = read_plan(saved)
        found = self._run_of(plan) if self.declaration.target else None
        return Sourced(plan, f"reconcile plan, in {saved}"), found

    def _plan(self) -> Plan:
        job, _ = make_job(self.declaration, session=self.session)
        job = replace(job, lint=settings.read().lint)
        return signed(pipeline.plan_changes(job), settings.plan_key())

    def _run(self, run: int) -> Sourced[Application]:
        target, place, session = self._journal()
        return measuring.read_application(run, target, place, session)

    def _run_of(self, plan: Plan) -> Sourced[Application] | None:
        return measuring.find_application(plan, *self._journal())

    def _journal(self) -> tuple[str, Place, dict[str, str]]:
        """Return the target, the place of its journal, and the session's settings."""
        target = ReadingOptions(self.declaration.target, self.session).resolve()
        schema = self.measured.journal or target.journal or JOURNAL
        place = Place(schema, self.measured.journal_owner or "")
        return target.url, place, dict(target.lock_policy.session)

    def _with_measured_now(self, found: Evidence) -> Evidence:
        """Return the evidence with what --measure asks for."""
        chosen = self.measured.measure
        if not chosen:
            return found
        job, target = make_job(self.declaration, session=self.session)
        if "lint" in chosen:
            file = settings.read()
            lint = Lint(
                job.declaration,
                file.lint,
                target.url,
                scratch=job.scratch,
                session=target.lock_policy.session,
            )
            found = replace(found, lint=measuring.lint_now(lint))
        if "verify" in chosen:
            terms = self.checks.terms(job.declaration)
            found = replace(found, verification=measuring.verify_now(job, terms))
        return found

    def _commands(self, plan: str, folder: str) -> Commands:
        """Return the options that the commands of the runbook need, as they were given here.

        A scratch server named by a URL is left out: the URL may hold a password.
        """
        given, measured = self.declaration, self.measured
        state = [*_words("--state", given.state), *_words("--files-root", given.files_root)]
        bounds = [
            *(word for schema in given.schemas for word in ("--schema", schema)),
            *(["--prune"] if given.prune else []),
            *(["--no-questions"] if given.no_questions else []),
        ]
        named = given.scratch and not is_url(given.scratch)
        journal = _words("--journal", measured.journal)
        owner = _words("--journal-owner", measured.journal_owner)
        lint = ["--measure", "lint"] if "lint" in measured.measure else []
        return Commands(
            self._target_name(),
            [word for setting in self.session for word in ("--set", setting)],
            state,
            bounds,
            _words("--scratch", given.scratch if named else None),
            [*journal, *owner],
            [*_words("--bench", measured.bench), *_words("--lint", measured.lint), *lint],
            plan,
            folder,
        )

    def _target_name(self) -> str:
        """Return the name of the target; "" for a URL, which may hold a password."""
        named = self.declaration.target or environment_value(settings.DATABASE_VARIABLE)
        name = named or settings.read().target or ""
        return "" if is_url(name) else name


def _words(option: str, value: object) -> list[str]:
    """Return an option and its value as words; none without a value."""
    return [option, str(value)] if value else []
