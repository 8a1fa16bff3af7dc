"""The command line; `main` is the console script `reconcile`."""

from reconciler.cli.commands import main

__all__ = ["main"]
