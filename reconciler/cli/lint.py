"""The command `lint`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.cache import open_cache
from reconciler.cli.group import DIFFERENT, DONE, main
from reconciler.cli.options import (
    ReadingOptions,
    collected,
    files_root_option,
    no_cache_option,
    scratch_option,
    set_option,
    start_option,
    state_option,
    variable_of,
    variable_option,
    with_session,
)
from reconciler.cli.output import print_line, print_notes, write_file
from reconciler.cli.output_options import OutputOptions, output_options
from reconciler.counted import counted
from reconciler.errors import SettingsError
from reconciler.lint.live import lint_database
from reconciler.lint.result import LintResult
from reconciler.lint.settings import LintSettings
from reconciler.project_files import SETTINGS_FILE, STATE_FOLDER
from reconciler.recall.remembered import LINT_TARGET, Question, Result, fingerprint_for
from reconciler.server.catalog_fingerprint import CatalogFingerprint
from reconciler.server.connection import connect_to_read
from reconciler.server.locks import LockPolicy
from reconciler.server.redaction import is_url

if TYPE_CHECKING:
    from reconciler.declare.files import Sources
    from reconciler.model.variables import Values
    from reconciler.settings import ResolvedTarget, Settings


@dataclass(frozen=True)
class LintOptions:
    """What to lint."""

    state: Path | None
    files_root: Path | None
    target: str | None
    everything: bool
    schemas: tuple[str, ...]
    scratch: str | None
    session: Sequence[str]
    scripts: Sequence[Path]
    variables: Sequence[str]
    write_baseline: bool
    no_cache: bool

    def values(self, target: ResolvedTarget | None, file: Settings) -> Values:
        """Return the variables of the target, with those of --var."""
        of_target = target.variables if target else file.vars
        return {**of_target, **dict(map(variable_of, self.variables))}

    @property
    def needs_no_file(self) -> bool:
        """Whether a database named by its URL is linted as it is, without any file."""
        everything = self.everything and self.state is None and is_url(self.target or "")
        return everything and not any(map(os.path.lexists, (SETTINGS_FILE, STATE_FOLDER)))

    def check(self) -> None:
        """Raise SettingsError for options that exclude each other."""
        if self.target and self.scripts:
            raise SettingsError("--start makes a database instead of that of --target: name one")
        if self.everything and not self.target and not self.scripts:
            raise SettingsError("--all shows objects of a database: name it by --target")


@dataclass(frozen=True)
class _Looked:
    """Findings, and what they follow from: the folder of YAML files and the files, the catalogs."""

    result: LintResult
    rules: LintSettings
    folder: Path
    sources: Sources | None = None
    fingerprint: CatalogFingerprint | None = None
    session: dict[str, str] | None = None
    variables: Values | None = None

    def remember(self, question: Question, shown: Result) -> None:
        """Store the output, if later changes of what it follows from can be told."""
        if self.fingerprint is None or not self.result.is_repeatable:
            return
        places: Sequence[str] = (str(self.folder),)
        if self.sources:
            from reconciler.server.installation import (  # noqa: PLC0415 - slow to import
                places_of_programs,
            )

            places = places_of_programs()
        baseline = self.rules.baseline_file()
        files = (*places, str(baseline)) if baseline else places
        session, variables = self.session or {}, self.variables or {}
        question.remember(shown, self.fingerprint, self.sources, session, files, variables)


lint_options = collected(
    "options",
    LintOptions,
    state_option,
    files_root_option,
    variable_option,
    click.option(
        "--target",
        "-t",
        metavar="NAME|URL",
        envvar=LINT_TARGET,
        help="A database: the declaration is linted as laid over it. Default:"
        " RECONCILE_LINT_TARGET, else none: the declaration alone is built on a scratch server.",
    ),
    start_option("It takes the place of --target."),
    click.option(
        "--all",
        "everything",
        is_flag=True,
        help="Show findings of objects of the target that the YAML files do not declare, too.",
    ),
    click.option(
        "--schema",
        "schemas",
        metavar="SCHEMA",
        multiple=True,
        help="Show findings in this schema only; can be repeated.",
    ),
    scratch_option,
    set_option,
    click.option(
        "--write-baseline",
        is_flag=True,
        help="Write the findings to the file `lint: {baseline: FILE}` of reconcile.yml; from then"
        " on only others are shown.",
    ),
    no_cache_option,
)


@main.command("lint")
@lint_options
@output_options("lint")
def lint_command(options: LintOptions, output: OutputOptions) -> int:
    """Look for faults in the declared state, or in a database.

    Exit status: 0 nothing found, 2 findings. What is found can be accepted by the key `lint` of an
    object, a rule switched off in reconcile.yml, both with a reason; see docs/lint.md.
    """
    options.check()
    if options.write_baseline:
        return _write_baseline(options)
    question = click.get_current_context().find_object(Question)
    if question and (refusal := question.cache.refusal()):
        print_notes([refusal])
    looked = _look(options, question)
    result = looked.result
    print_notes(result.notes)
    document = output.write("lint", result)
    status = DIFFERENT if result.findings else DONE
    if question:
        shown = Result(document, output.last_format, status, result.measured)
        looked.remember(question, shown)
    return status


def _look(options: LintOptions, question: Question | None) -> _Looked:
    """Lint; reconcile.yml and what is declared take modules that are slow to import."""
    if options.target and options.needs_no_file:
        policy = with_session(LockPolicy(), options.session)
        return _look_at(options, options.target, policy, LintSettings(), STATE_FOLDER, question)
    from reconciler import settings  # noqa: PLC0415 - slow to import

    file = settings.read()
    return _look_with(file, file.lint, options, question)


def _look_at(
    options: LintOptions,
    url: str,
    policy: LockPolicy,
    rules: LintSettings,
    folder: Path,
    question: Question | None,
) -> _Looked:
    """Lint a database as it is."""
    session = {**policy.session}
    with connect_to_read(url, session) as connection:
        taken = fingerprint_for(question, connection)
        result = lint_database(connection, rules, options.schemas)
    return _Looked(result, rules, folder, None, taken, session)


def _look_with(
    file: Settings, rules: LintSettings, options: LintOptions, question: Question | None = None
) -> _Looked:
    """Lint with the settings of a file."""
    folder = options.state or file.state_folder()
    target = None
    if options.target:
        target = ReadingOptions(options.target, options.session).resolve(file)
    session = {**target.lock_policy.session} if target else {}
    undeclared = options.everything and options.state is None and not folder.exists()
    if target and undeclared:
        return _look_at(options, target.url, target.lock_policy, rules, folder, question)

    from reconciler import linting  # noqa: PLC0415 - slow to import
    from reconciler.declare.load import load  # noqa: PLC0415 - slow to import
    from reconciler.model.state import Declaration  # noqa: PLC0415 - slow to import

    cache = None if options.no_cache else open_cache()
    root = options.files_root
    job = linting.Lint(
        Declaration()
        if undeclared
        else load(folder, files_root=root, cache=cache, variables=options.values(target, file)),
        rules,
        target.url if target else None,
        options.everything,
        frozenset(options.schemas),
        options.scratch or file.scratch,
        session,
        options.scripts,
    )
    if target is None:
        return _Looked(linting.lint(job), rules, folder)
    with connect_to_read(target.url, session) as connection:
        taken = fingerprint_for(question, connection)
        result = linting.lint_target(job, connection)
    declared = job.declaration
    return _Looked(result, rules, folder, declared.sources, taken, session, declared.variables)


def _write_baseline(options: LintOptions) -> int:
    """Write the findings to the baseline of the settings."""
    from reconciler import settings  # noqa: PLC0415 - slow to import
    from reconciler.lint.baseline import baseline_document  # noqa: PLC0415 - slow to import

    file = settings.read()
    path = file.lint.baseline_file()
    if path is None:
        raise SettingsError(
            "--write-baseline: name the file in reconcile.yml: lint: {baseline: FILE}"
        )
    looked = _look_with(file, replace(file.lint, baseline=None), options)
    found = looked.result.findings
    write_file(baseline_document(found), path)
    print_line(f"{path}: {counted(len(found), 'finding')}")
    return DONE
