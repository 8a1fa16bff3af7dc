"""Write documents and messages to stdout, stderr or a file, in colour on a terminal."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager
from pathlib import Path

import click
from rich.console import Console

from reconciler.apply.outcome import Watcher
from reconciler.errors import PlanRefused, SettingsError
from reconciler.plan.plan import Plan
from reconciler.report.progress import Bars, Lines

LINE_COLOURS = {"+ ": "green", "- ": "red", "~ ": "yellow", "! ": "magenta"}


def confirmed(plan: Plan) -> bool:
    """Ask on the terminal whether to run the plan; raises PlanRefused without a terminal."""
    if not sys.stdin.isatty():
        raise PlanRefused(
            f"{len(plan.steps)} steps to run, and no terminal to ask for confirmation on: "
            "--yes runs them without asking"
        )
    return click.confirm(f"run {len(plan.steps)} steps on {plan.target}?", err=True)


def watch_progress() -> AbstractContextManager[Watcher]:
    """Show the progress of a run on stderr: bars on a terminal, plain lines elsewhere."""
    console = Console(stderr=True)
    if console.is_terminal:
        return Bars(console)
    return Lines(lambda line: click.echo(line, err=True))


def write_file(document: str, path: Path) -> None:
    """Write the document of `--out`, and create the folder; raises SettingsError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(document, encoding="utf-8", newline="")
    except OSError as error:
        raise SettingsError(f"--out {path}: {error.strerror or error}") from None


def print_report(text: str, *, stderr: bool = False) -> None:
    """Print a report in text format, with changes and hazards coloured on a terminal."""
    console = Console(stderr=stderr)
    if not console.is_terminal:  # rich would expand tabs
        click.echo(text, nl=False, err=stderr)
        return
    for line in text.removesuffix("\n").split("\n"):
        console.out(line, style=LINE_COLOURS.get(line.strip()[:2]), highlight=False)


def print_error(message: str) -> None:
    """Print why the command failed."""
    console = Console(stderr=True)
    if console.is_terminal:
        console.out("error: ", style="red", end="", highlight=False)
        click.echo(message, err=True)
    else:
        click.echo(f"error: {message}", err=True)


def print_notes(notes: list[str]) -> None:
    """Print notes on stderr, a line each."""
    for note in notes:
        click.echo(f"note: {note}", err=True)
