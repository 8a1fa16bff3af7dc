"""Options for the formats of a command's output, and the files that it is written to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import wraps
from itertools import zip_longest
from pathlib import Path
from typing import Any

import click

from reconciler.cli.options import Command, Decorator, collected
from reconciler.cli.output import DEFAULT_FORMAT, print_in_format, replace_file, write_file
from reconciler.counted import counted
from reconciler.errors import ReconcileError, SettingsError
from reconciler.escape import Document, document
from reconciler.report.formats import FORMATS, Subject, renderer

READ_AT_ANY_TIME = ("prometheus",)  # by the collector of the node exporter


@dataclass(frozen=True)
class OutputOptions:
    """Formats, and the files of their documents; a format without a file goes to stdout."""

    formats: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()

    def write(self, subject: Subject, *values: object, to_stdout: bool = True) -> Document:
        """Render the values of a subject in each format; return the document of the last one.

        Without `to_stdout` only files are written, and the document is empty.
        """
        documents = [document([])]
        for name, file in self._places():
            if file is not None or to_stdout:
                documents.append(renderer(subject, name)(*values))
                _put(documents[-1], name, file)
        return documents[-1]

    def write_error(self, error: ReconcileError) -> None:
        """Render an error in each format that shows errors."""
        for name, file in self._places():
            if name in FORMATS["error"]:
                _put(renderer("error", name)(error), name, file)

    @property
    def last_format(self) -> str:
        """The name of the last format."""
        return self.formats[-1] if self.formats else DEFAULT_FORMAT

    def assert_unused(self, command: str) -> None:
        """Raise SettingsError for options that the command takes for several targets only."""
        if self.formats or self.files:
            raise SettingsError(
                f"--format and --out of `{command}` go with several targets: --all, --limit, or"
                " --target more than once"
            )

    def check(self) -> None:
        """Raise SettingsError unless every format but the last has a file, and none is missing."""
        if "html" in self.formats:
            from reconciler.report.html import assert_renderable  # noqa: PLC0415 - slow to import

            assert_renderable()
        formats, files = len(self.formats or (DEFAULT_FORMAT,)), len(self.files)
        if not formats - 1 <= files <= formats:
            raise SettingsError(
                f"--format is given {counted(formats, 'time')} and --out {counted(files, 'time')}:"
                " each --out belongs to the --format in the same place, and only the last"
                " --format may have none"
            )

    def _places(self) -> Iterable[tuple[str, Path | None]]:
        return zip_longest(self.formats or (DEFAULT_FORMAT,), self.files)


def _put(shown: Document, format_name: str, file: Path | None) -> None:
    if file is None:
        print_in_format(shown, format_name)
    elif format_name in READ_AT_ANY_TIME:
        replace_file(shown, file)
    else:
        write_file(shown, file)


def format_option(*subjects: Subject, multiple: bool = False) -> Decorator:
    """Return the option --format, with the formats common to all subjects, or `multiple` of any."""
    known = [{*FORMATS[subject]} for subject in subjects]
    common = set[str].union(*known) if multiple else set[str].intersection(*known)
    again = " Can be repeated, each with its --out." if multiple else ""
    return click.option(
        "--format",
        "formats" if multiple else "format_name",
        multiple=multiple,
        type=click.Choice(sorted(common)),
        help=f"The format of the output. Default: {DEFAULT_FORMAT}.{_by_number(subjects)}{again}",
    )


def _by_number(subjects: Sequence[Subject]) -> str:
    """Say which formats show only one target, or only several, of a command that takes both."""
    if "rollout" not in subjects or len(subjects) == 1:
        return ""
    several = {*FORMATS["rollout"]}
    one = {f for subject in subjects if subject != "rollout" for f in FORMATS[subject]}
    only = {"one target": one - several, "several": several - one}
    return "".join(f" Only for {n}: {', '.join(sorted(f))}." for n, f in only.items())


def output_options(*subjects: Subject) -> Decorator:
    """Return the options --format and --out of a command for any subject; they show errors too."""
    out_option = click.option(
        "--out",
        "files",
        multiple=True,
        type=click.Path(path_type=Path, dir_okay=False),
        help="Write to this file instead of stdout; can be repeated for several formats.",
    )
    collect = collected(
        "output", OutputOptions, format_option(*subjects, multiple=True), out_option
    )

    def add(command: Command) -> Command:
        @wraps(command)
        def show_errors(output: OutputOptions, **values: Any) -> Any:
            output.check()
            try:
                return command(output=output, **values)
            except ReconcileError as error:
                output.write_error(error)
                raise

        return collect(show_errors)

    return add
