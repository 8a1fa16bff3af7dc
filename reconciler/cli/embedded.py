"""The commands `embedded status`, `stop` and `clean`, for the servers that reconcile keeps."""

from __future__ import annotations

from collections.abc import Sequence

import click

from reconciler.cli.command import Command
from reconciler.cli.group import DONE, ERROR, main
from reconciler.cli.output import print_line, removal_confirmed
from reconciler.cli.output_options import OutputOptions, format_option
from reconciler.errors import SettingsError
from reconciler.server.embedded import EmbeddedServer, servers

names_argument = click.argument("names", metavar="[SERVER]...", nargs=-1)


@main.group()
def embedded() -> None:
    """Show, stop and remove the PostgreSQL servers that reconcile keeps.

    They serve `--target embedded` and `demo`, and stop by themselves when nobody has used them for
    15 minutes. Their data stay below RECONCILE_HOME. SERVER is a name from `embedded status`; left
    out, it is every server.
    """


embedded.command_class = Command


@embedded.command()
@format_option("servers")
def status(format_name: str | None) -> int:
    """List the servers, with their data and sockets."""
    OutputOptions((format_name,) if format_name else ()).write("servers", list(servers()))
    return DONE


@embedded.command()
@names_argument
def stop(names: Sequence[str]) -> int:
    """Stop servers; their data stay."""
    for server in _selected(names):
        state = "stopped" if server.stop() else "was not running"
        print_line(f"{server.name} {state}")
    return DONE


@embedded.command()
@names_argument
@click.option("--yes", is_flag=True, help="Remove them without asking.")
def clean(names: Sequence[str], yes: bool) -> int:
    """Stop servers, and remove them with their data."""
    selected = _selected(names)
    if selected and not yes and not removal_confirmed(", ".join(s.name for s in selected)):
        return ERROR
    for server in selected:
        server.remove()
        print_line(f"{server.name} removed: {server.folder}")
    return DONE


def _selected(names: Sequence[str]) -> list[EmbeddedServer]:
    """Return the named servers, or all; raises SettingsError for an unknown name."""
    found = {server.name: server for server in servers()}
    if unknown := sorted({*names} - found.keys()):
        known = f"; there are: {', '.join(found)}" if found else ""
        raise SettingsError(f"no embedded server is named {', '.join(unknown)}{known}")
    return [server for name, server in found.items() if not names or name in names]
