"""Write documents to stdout or a file; choose formats and progress displays."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import click
from rich.console import Console

from reconciler.apply.outcome import Outcome, Watcher
from reconciler.errors import PlanRefused, SettingsError
from reconciler.plan.plan import Plan
from reconciler.report import data, markdown, script, text
from reconciler.report import progress as watch

PLAN_FORMATS: dict[str, Callable[[Plan], str]] = {
    "text": text.plan,
    "json": data.plan,
    "sql": script.plan,
    "markdown": markdown.plan,
}


DRIFT_FORMATS: dict[str, Callable[[Plan], str]] = {"text": text.drift, "json": data.drift}


def agreed(made: Plan) -> bool:
    if not sys.stdin.isatty():
        raise PlanRefused(f"{len(made.steps)} steps to run and nobody to ask; --yes means yes")
    return click.confirm(f"run {len(made.steps)} steps on {made.target}?", err=True)


def failed(outcome: Outcome) -> bool:
    return bool(outcome.failed or outcome.skipped or outcome.left or outcome.unseen)


def watch_progress() -> AbstractContextManager[Watcher]:
    console = Console(stderr=True)
    if console.is_terminal:
        return watch.Bars(console)
    return watch.Lines(lambda line: click.echo(line, err=True))


def write_document(words: str, out: Path | None, *, colour: bool, err: bool = False) -> None:
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
