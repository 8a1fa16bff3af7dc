"""The command `reconcile`, its exit statuses, and the display of errors."""

from __future__ import annotations

import io
import sys
from typing import Any

import click

from reconciler import __version__
from reconciler.cli.output import print_error, print_line, print_lines
from reconciler.cli.streams import flush_streams, prepare_streams
from reconciler.errors import ReconcileError

DONE, ERROR, DIFFERENT = 0, 1, 2  # exit statuses


class _Group(click.Group):
    """A group of commands with exit statuses as return values.

    Errors in the command line's syntax exit with 1, not with click's 2, which means "different".
    """

    def main(self, *args: Any, **extra: Any) -> Any:
        extra["standalone_mode"] = False
        prepare_streams()
        try:
            status = super().main(*args, **extra)
        except click.ClickException as error:
            usage = io.StringIO()
            error.show(usage)
            print_lines(usage.getvalue().removesuffix("\n"), stderr=True)
            sys.exit(ERROR)
        except click.Abort:
            print_line("stopped; finished steps stay, run again to continue", stderr=True)
            sys.exit(ERROR)
        except ReconcileError as error:
            print_error(error)
            sys.exit(ERROR)
        except OSError as error:  # of a file, a folder or a stream
            print_line(f"error: {_described(error)}", stderr=True)
            sys.exit(ERROR)
        finally:
            flush_streams()
        sys.exit(status if isinstance(status, int) else DONE)


def _described(error: OSError) -> str:
    reason = error.strerror or str(error) or type(error).__name__
    return f"{error.filename}: {reason}" if error.filename else reason


@click.group("reconcile", cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="reconcile")
def main() -> None:
    """Bring a PostgreSQL database to the state declared in YAML files."""
