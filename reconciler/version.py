"""Tell the version of the installed package."""

from __future__ import annotations


def version() -> str:
    """Return the version, such as `0.1.0`; `0+unknown` for a source tree that is not installed."""
    from importlib import metadata  # noqa: PLC0415 - slow to import

    try:
        return metadata.version("pg-reconciler")
    except metadata.PackageNotFoundError:
        return "0+unknown"
