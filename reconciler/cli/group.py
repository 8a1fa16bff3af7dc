"""The `reconcile` command: errors become messages and exit statuses."""

from __future__ import annotations

import sys
from typing import Any

import click

from reconciler import __version__
from reconciler.errors import ReconcileError

DONE, ERROR, DIFFERENT = 0, 1, 2


class _Reconcile(click.Group):
    """Turns our errors into a message on stderr and exit status 1, flags that are wrong included."""

    def main(self, *args: Any, **extra: Any) -> Any:
        extra["standalone_mode"] = False
        try:
            status = super().main(*args, **extra)
        except click.ClickException as e:
            e.show()
            sys.exit(ERROR)
        except click.Abort:
            click.echo("stopped; what was done stays done, run again to continue", err=True)
            sys.exit(ERROR)
        except ReconcileError as e:
            click.echo(click.style("error: ", fg="red") + str(e), err=True)
            sys.exit(ERROR)
        sys.exit(status if isinstance(status, int) else DONE)


@click.group("reconcile", cls=_Reconcile, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="reconcile")
def main() -> None:
    """Make a PostgreSQL database what YAML files say it is."""
