"""The command line; `main` is the console script `reconcile`."""

from reconciler.cli.group import main

__all__ = ["main"]
