"""reconcile: an idempotent state reconciler for PostgreSQL."""

__version__: str


def __getattr__(name: str) -> str:
    """Look up `__version__` when asked: the package's metadata are slow to read."""
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415 - slow to import

    try:
        return version("pg-reconciler")
    except PackageNotFoundError:  # run from a source tree that was never installed
        return "0+unknown"
