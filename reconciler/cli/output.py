"""Write documents and messages to stdout, stderr or a file, in colour on a terminal.

Nothing is printed elsewhere. Documents are escaped already, as their type says; all other text is
escaped here. `reconciler.cli.streams` deals with streams that cannot be written to.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.cli.streams import is_terminal, writing
from reconciler.errors import (
    DeclarationError,
    OutputFailed,
    PlanRefused,
    ReconcileError,
    SettingsError,
)
from reconciler.escape import Document, document, one_line

if TYPE_CHECKING:  # slow to import, and not needed by --help and --version
    from rich.console import Console

    from reconciler.apply.outcome import Watcher
    from reconciler.plan.plan import Plan
    from reconciler.report.log import Level
    from reconciler.report.rollout_progress import View

DEFAULT_FORMAT = "text"
LOG_VARIABLE, JSON = "RECONCILE_LOG_FORMAT", "json"
NO_TERMINAL = "no terminal to ask for confirmation on"
TERMINAL_VARIABLES = ("FORCE_COLOR", "TTY_COMPATIBLE")  # by which rich takes a pipe for a terminal
LINE_COLOURS = {"+ ": "green", "- ": "red", "~ ": "yellow", "! ": "magenta"}


def confirmed(plan: Plan) -> bool:
    """Ask on the terminal whether to run the plan; raises PlanRefused without a terminal."""
    steps = plan.step_count
    if not is_terminal(sys.stdin):
        raise PlanRefused(f"{steps} to run, and {NO_TERMINAL}: --yes runs them without asking")
    return _asked(f"run {steps} on {plan.target}?")


def confirmed_unvouched(plan: Plan) -> bool:
    """Ask whether to run a plan that nobody vouches for; raises PlanRefused without a terminal."""
    if not sys.stdin.isatty():
        raise PlanRefused(
            f"nobody vouches for the plan, and {NO_TERMINAL}: give the YAML files by --state, or"
            " set RECONCILE_PLAN_KEY for `plan` and `apply`; --allow all runs it unchecked"
        )
    return _asked(
        f"nobody vouches for this plan of {plan.step_count} and its hazards: run it on"
        f" {plan.target}?"
    )


def rollout_confirmed(title: str) -> bool:
    """Ask on the terminal whether to roll out; raises PlanRefused without a terminal."""
    if not is_terminal(sys.stdin):
        raise PlanRefused(f"{title}: {NO_TERMINAL}, --yes does it without asking")
    return _asked(f"{title}?")


def removal_confirmed(names: str) -> bool:
    """Ask on the terminal whether to remove servers; raises SettingsError without a terminal."""
    if not is_terminal(sys.stdin):
        raise SettingsError(
            f"{names} would be removed with all data, and {NO_TERMINAL}: --yes removes them"
            " without asking"
        )
    return _asked(f"remove {names} with all data?")


def answered(question: str, default: str | None = None) -> str:
    """Ask on the terminal; without one return the default, or raise SettingsError."""
    if not is_terminal(sys.stdin):
        if default is None:
            raise SettingsError(f"no terminal to ask on: {question}")
        return default
    try:
        return str(click.prompt(one_line(question), default=default, err=True))
    except OSError as error:
        raise OutputFailed(f"cannot ask on the terminal: {error.strerror or error}") from None


def _asked(question: str) -> bool:
    try:
        return click.confirm(one_line(question), err=True)
    except OSError as error:
        raise OutputFailed(f"cannot ask on the terminal: {error.strerror or error}") from None


def watch_progress(
    *, quiet: bool = False, verbose: bool = False
) -> AbstractContextManager[Watcher]:
    """Show the progress of a run on stderr: bars on a terminal, plain lines or JSON elsewhere.

    `quiet` shows notes only, `verbose` also the SQL of each step.
    """
    from reconciler.report.log import Entries  # noqa: PLC0415 - slow to import
    from reconciler.report.progress import Bars, Lines, Notes  # noqa: PLC0415 - slow to import

    if _logs_json():
        return Entries(_print_entry, quiet=quiet, verbose=verbose)
    console = _console(stderr=True)
    if console.is_terminal and not quiet:
        return Bars(console, verbose=verbose)
    lines = Notes if quiet else Lines
    return lines(lambda line: print_line(line, stderr=True), verbose=verbose)


def _logs_json() -> bool:
    """Tell whether stderr gets lines of JSON."""
    return os.environ.get(LOG_VARIABLE) == JSON


def _print_entry(entry: Document) -> None:
    with writing(stderr=True):
        click.echo(entry, nl=False, err=True)


def _log(level: Level, message: str, **fields: object) -> None:
    """Print an entry of a log on stderr."""
    from reconciler.report.log import entry  # noqa: PLC0415 - slow to import

    _print_entry(entry(level, message, **fields))


def watch_targets(*, quiet: bool = False) -> AbstractContextManager[View]:
    """Show the work on several targets on stderr: a live view on a terminal, lines elsewhere."""
    from reconciler.report.rollout_progress import (  # noqa: PLC0415 - slow to import
        RolloutLines,
        RolloutTable,
    )

    console = _console(stderr=True)
    if console.is_terminal and not quiet and not _logs_json():
        return RolloutTable(console)
    return RolloutLines(lambda line: print_line(line, stderr=True), quiet=quiet)


def _console(*, stderr: bool) -> Console:
    """Return rich's console for stdout or stderr."""
    from rich.console import Console  # noqa: PLC0415 - slow to import

    return Console(stderr=stderr)


def _may_be_terminal(*, stderr: bool) -> bool:
    """Tell whether rich, which is slow to import, may take a stream for a terminal."""
    stream = sys.stderr if stderr else sys.stdout
    return is_terminal(stream) or any(name in os.environ for name in TERMINAL_VARIABLES)


def write_file(content: Document | bytes, path: Path, option: str = "--out") -> None:
    """Write the file that an option names, and create its folder; raises SettingsError.

    A symbolic link in the file's place is not followed: the link may come out of a pull request.
    """
    written = content if isinstance(content, bytes) else content.encode()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        assert_no_link(path, option)
        with open(path, "wb", opener=_open_no_link) as file:
            file.write(written)
    except OSError as error:
        raise SettingsError(f"{option} {path}: {error.strerror or error}") from None


def replace_file(content: Document, path: Path, option: str = "--out") -> None:
    """Write a file as `write_file` does, but in one step: programs may read it at any time.

    Only a regular file is replaced, not a pipe or a device.
    """
    if path.exists() and not path.is_file():
        write_file(content, path, option)
        return
    import secrets  # noqa: PLC0415 - slow to import

    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        assert_no_link(path, option)
        with open(unfinished, "xb", opener=_open_no_link) as file:
            file.write(content.encode())
        unfinished.replace(path)
    except OSError as error:
        raise SettingsError(f"{option} {path}: {error.strerror or error}") from None
    finally:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)


def assert_no_link(path: Path, option: str) -> None:
    """Raise SettingsError for a symbolic link, which may come out of a pull request."""
    if path.is_symlink():
        raise SettingsError(
            f"{option} {path}: it is a symbolic link, and nothing is written through links;"
            " remove the link, or name the file to write"
        )


def _open_no_link(path: str, flags: int) -> int:
    """Open a file for `open`; raises OSError for a link that took the file's place meanwhile."""
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), 0o666)  # Windows has no such flag


def print_in_format(document: Document, format_name: str) -> None:
    """Print a document for people or for programs, as its format says."""
    if format_name == DEFAULT_FORMAT:
        print_report(document)
    else:
        print_document(document)


def print_document(shown: Document) -> None:
    """Print a document for programs as it stands, in UTF-8 whatever the locale."""
    with writing():
        click.echo(shown.encode(), nl=False)


def print_recap(recap: Document) -> None:
    """Print the end of a run on stdout, or on stderr if stdout fails: the run is over anyway."""
    try:
        with writing(broken_pipe=True):
            click.echo(recap, nl=False)
    except OutputFailed:
        with writing(stderr=True):
            click.echo(recap, nl=False, err=True)


def print_report(report: Document, *, stderr: bool = False) -> None:
    """Print a report in text format, with changes and hazards coloured on a terminal."""
    if stderr and _logs_json():
        if report:
            _log("info", report.removesuffix("\n"), event="report")
        return
    console = _console(stderr=stderr) if _may_be_terminal(stderr=stderr) else None
    if console is None or not console.is_terminal:  # rich would expand tabs
        with writing(stderr=stderr):
            click.echo(report, nl=False, err=stderr)
        return
    with writing(stderr=stderr):
        for line in report.removesuffix("\n").split("\n"):
            console.out(line, style=LINE_COLOURS.get(line.strip()[:2]), highlight=False)


def print_line(line: str, *, stderr: bool = False) -> None:
    """Print one line, whatever the text holds."""
    if stderr and _logs_json():
        _log("info", line)
        return
    with writing(stderr=stderr):
        click.echo(document([line]), nl=False, err=stderr)


def print_lines(text: str, *, stderr: bool = False) -> None:
    """Print a text of several lines, whatever the lines hold."""
    if stderr and _logs_json():
        _log("info", text.strip("\n"))
        return
    with writing(stderr=stderr):
        click.echo(document(text.split("\n")), nl=False, err=stderr)


def print_error(error: ReconcileError | OSError, subject: str = "") -> None:
    """Print why the command failed, or one of its subjects, and the notes added to the error.

    A line break in a name must not begin a line that looks like one of ours: lines after the first
    are indented, but for the problems of a declaration, which have escaped theirs.
    """
    described = error.described() if isinstance(error, ReconcileError) else reason_of(error)
    shown = f"{subject}: {described}" if subject else described
    notes: Sequence[str] = getattr(error, "__notes__", ())
    if _logs_json():
        _log("error", shown, notes=[*notes] or None)
        return
    console = _console(stderr=True)
    with writing(stderr=True):
        if console.is_terminal:
            console.out("error: ", style="red", end="", highlight=False)
        else:
            click.echo("error: ", nl=False, err=True)
    indent = "" if isinstance(error, DeclarationError) else "  "
    print_lines(shown.replace("\n", f"\n{indent}"), stderr=True)
    print_notes(notes)


def reason_of(error: OSError) -> str:
    """Describe an error of a file, a folder or a stream."""
    reason = error.strerror or str(error) or type(error).__name__
    return f"{error.filename}: {reason}" if error.filename else reason


def print_notes(notes: Iterable[str]) -> None:
    """Print notes on stderr, a line each."""
    for note in notes:
        if _logs_json():
            _log("note", note)
        else:
            print_line(f"note: {note}", stderr=True)
