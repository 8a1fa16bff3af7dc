"""The command line; `main` is the console script `reconcile`."""

from reconciler.cli.commands import main
from reconciler.cli.embedded import embedded

main.add_command(embedded)

__all__ = ["main"]
