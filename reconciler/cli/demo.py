"""The command `demo`."""

from __future__ import annotations

import click

from reconciler.cli.group import main
from reconciler.cli.numbers import Number
from reconciler.cli.output import print_lines, watch_progress
from reconciler.demo import play


@main.command()
@click.option(
    "--scale",
    metavar="NUMBER",
    type=Number(min=0.01),
    default=1.0,
    help="The size of the data. Default: 1, for 2,132 conversations and 5,998 messages.",
)
@click.option("--load-only", is_flag=True, help="Create the example's tables and rows, and stop.")
def demo(scale: float, load_only: bool) -> int:
    """Play an example on an embedded server.

    Plan, apply, verify, changes by hand, drift, their repair, and the queries before and after; it
    takes a minute.
    """
    return play(print_lines, watch_progress, scale=scale, load_only=load_only)
