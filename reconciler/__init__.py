"""reconcile: an idempotent state reconciler for PostgreSQL."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("pg-reconciler")
except PackageNotFoundError:  # run from a source tree that was never installed
    __version__ = "0+unknown"
