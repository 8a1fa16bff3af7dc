"""The command `lint`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import click

from reconciler import settings
from reconciler.cli.group import DIFFERENT, DONE, main
from reconciler.cli.options import (
    OutputOptions,
    ReadingOptions,
    collected,
    files_root_option,
    output_options,
    scratch_option,
    set_option,
    start_option,
    state_option,
)
from reconciler.cli.output import print_line, print_notes, write_file
from reconciler.declare.load import load
from reconciler.errors import SettingsError
from reconciler.lint.settings import baseline_document
from reconciler.linting import Lint, lint
from reconciler.model.state import Declaration


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
    write_baseline: bool

    def job(self) -> Lint:
        """Read the settings and the YAML files."""
        file = settings.read()
        resolved = ReadingOptions(self.target, self.session).resolve() if self.target else None
        if self.everything and resolved is None and not self.scripts:
            raise SettingsError("--all shows objects of a database: name it by --target")
        if resolved is not None and self.scripts:
            raise SettingsError("--start makes a database instead of that of --target: name one")
        return Lint(
            self._declaration(file),
            file.lint,
            resolved.url if resolved else None,
            self.everything,
            frozenset(self.schemas),
            self.scratch or file.scratch,
            resolved.lock_policy.session if resolved else {},
            self.scripts,
        )

    def _declaration(self, file: settings.Settings) -> Declaration:
        """Read the declaration; optional with --all."""
        state = self.state or file.state_folder()
        if self.everything and self.state is None and not state.exists():
            return Declaration()
        return load(state, files_root=self.files_root)


lint_options = collected(
    "options",
    LintOptions,
    state_option,
    files_root_option,
    click.option(
        "--target",
        "-t",
        metavar="NAME|URL",
        envvar="RECONCILE_LINT_TARGET",
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
)


@main.command("lint")
@lint_options
@output_options("lint")
def lint_command(options: LintOptions, output: OutputOptions) -> int:
    """Look for faults in the declared state, or in a database.

    Exit status: 0 nothing found, 2 findings. What is found can be accepted by the key `lint` of an
    object, a rule switched off in reconcile.yml, both with a reason; see docs/lint.md.
    """
    job = options.job()
    if options.write_baseline:
        return _write_baseline(job)
    result = lint(job)
    print_notes(result.notes)
    output.write("lint", result)
    return DIFFERENT if result.findings else DONE


def _write_baseline(job: Lint) -> int:
    file = job.settings.baseline_file()
    if file is None:
        raise SettingsError(
            "--write-baseline: name the file in reconcile.yml: lint: {baseline: FILE}"
        )
    without = job.settings.model_copy(update={"baseline": None})
    found = lint(replace(job, settings=without)).findings
    write_file(baseline_document(found), file)
    print_line(f"{file}: {len(found)} findings")
    return DONE
