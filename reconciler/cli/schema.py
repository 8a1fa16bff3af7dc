"""The command `schema`."""

from __future__ import annotations

import click

from reconciler.cli.group import main
from reconciler.cli.output import print_document
from reconciler.declare.json_schema import json_schema
from reconciler.escape import json_document
from reconciler.report.json import plan_schema


@main.command()
@click.argument("document", type=click.Choice(["declaration", "plan"]), default="declaration")
def schema(document: str) -> None:
    """Print the JSON Schema of the YAML files or of a plan.

    Editors complete and check YAML files by the schema.
    """
    print_document(json_document(json_schema() if document == "declaration" else plan_schema()))
