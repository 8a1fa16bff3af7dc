"""The command `explain`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from textwrap import wrap

import click

from reconciler.cli.group import main
from reconciler.cli.output import print_document, print_line, write_file
from reconciler.cli.pages import HOW_TO, how_tos
from reconciler.declare.examples import TOPICS as KINDS_AND_MORE
from reconciler.declare.reference import OVERVIEW, explanation, pages, sections
from reconciler.escape import document
from reconciler.lint import document as lint
from reconciler.lint.rules import all_rules
from reconciler.plan import explained

TOPICS = "topics"


@main.command()
@click.argument("topic", metavar="[TOPIC]", required=False)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="The folder to write all pages of the reference to, a page for each kind.",
)
def explain(topic: str | None, out: Path | None) -> None:
    """Explain a kind of object, a key of the YAML files, a hazard, a rule of lint, or how to do it.

    Without TOPIC, the overview of the language is shown; `topics` lists all that can be explained.
    """
    if out is not None:
        for name, page in sorted(pages().items()):
            write_file(document(page.splitlines()), out / name)
            print_line(str(out / name))
    elif topic == lint.TOPIC:
        print_document(document(lint.document().splitlines()))
    elif topic == TOPICS:
        print_document(document(_topics()))
    elif topic and topic in explained.topics():
        print_document(document(explained.topics()[topic].splitlines()))
    elif topic in all_rules():
        print_document(document(lint.described(all_rules()[topic]).splitlines()))
    elif topic and topic in _how_tos():
        print_document(document(_how_tos()[topic].read_text(encoding="utf-8").splitlines()))
    else:
        print_document(document(_of_the_language(topic or OVERVIEW)))


def _of_the_language(topic: str) -> list[str]:
    """Explain a kind, a section or a key, and name the page on how to work with a section."""
    how_to = f"{topic}{HOW_TO}"
    more = ["", f"How to work with them: reconcile explain {how_to}"]
    return [*explanation(topic).splitlines(), *(more if how_to in _how_tos() else ())]


def _topics() -> list[str]:
    """List what can be explained, a line for each sort."""
    sorts = {
        "Kinds of objects, or KIND.KEY": sorted(KINDS_AND_MORE),
        "Hazards and locks": explained.topics(),
        "Rules of lint": [lint.TOPIC, *all_rules()],
        "How to": _how_tos(),
    }
    return [line for sort, names in sorts.items() for line in (f"{sort}:", *_wrapped(names), "")]


def _how_tos() -> Mapping[str, Path]:
    return how_tos({*explained.topics(), *all_rules(), lint.TOPIC}, sections())


def _wrapped(names: Iterable[str]) -> list[str]:
    return wrap(
        ", ".join(names), 80, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False
    )
