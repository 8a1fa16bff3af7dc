"""Targets in a file of JSON."""

from __future__ import annotations

from pathlib import Path

from reconciler.declare.files import FileRefused, files_in_folder, read_regular
from reconciler.errors import SettingsError
from reconciler.inventory.inventory import Entry
from reconciler.inventory.row import rows_of_json

MAX_SIZE = 16 << 20  # bytes


def beside_settings(path: Path, base: str | None) -> list[tuple[str, Entry]]:
    """Read a file named by reconcile.yml, inside the folder of reconcile.yml."""
    try:
        content = files_in_folder(Path()).read(path, MAX_SIZE)
    except FileRefused as error:
        raise SettingsError(f"inventory.file: cannot read {path}: {error.reason}") from None
    return rows_of_json(content, str(path), base)


def named(path: Path, title: str, base: str | None) -> list[tuple[str, Entry]]:
    """Read a file named by the user of the command."""
    try:
        content = read_regular(path.resolve(), MAX_SIZE)
    except FileRefused as error:
        raise SettingsError(f"{title}: {error.reason}") from None
    except (OSError, RuntimeError, ValueError):
        raise SettingsError(f"{title}: it is no usable path") from None
    return rows_of_json(content, title, base)
