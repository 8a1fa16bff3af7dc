"""The command `explain`."""

from __future__ import annotations

from pathlib import Path

import click

from reconciler.cli.group import main
from reconciler.cli.output import print_document, print_line, write_file
from reconciler.declare.reference import OVERVIEW, explanation, pages
from reconciler.escape import document
from reconciler.lint import document as lint
from reconciler.lint.rules import all_rules


@main.command()
@click.argument("topic", metavar="[KIND[.KEY]]", required=False)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="The folder to write all pages of the reference to, a page for each kind.",
)
def explain(topic: str | None, out: Path | None) -> None:
    """Explain the language of the YAML files: a kind of object, or one of its keys.

    For example `reconcile explain constraint` or `reconcile explain constraint.on_delete`. Without
    KIND, the overview with the list of kinds is shown. `reconcile explain lint` explains the rules
    of `reconcile lint`, `reconcile explain RULE` one of them.
    """
    if out is not None:
        for name, page in sorted(pages().items()):
            write_file(document(page.splitlines()), out / name)
            print_line(str(out / name))
    elif topic == lint.TOPIC:
        print_document(document(lint.document().splitlines()))
    elif topic in all_rules():
        print_document(document(lint.described(all_rules()[topic]).splitlines()))
    else:
        print_document(document(explanation(topic or OVERVIEW).splitlines()))
