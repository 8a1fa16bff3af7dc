"""Write the files of an export, in place of those of an earlier export and of no others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from reconciler.declare.files import yaml_files_below
from reconciler.errors import MAX_PROBLEMS, SettingsError

MARK = "# Written by `reconcile export`, which replaces this file; without this line, it does not."
JSON_SCHEMA = "reconcile.schema.json"
EDITOR_LINE = "# yaml-language-server: $schema="


def assert_replaceable(folder: Path) -> list[Path]:
    """Return the YAML files of earlier exports in a folder; raise SettingsError for any other.

    What another file declares would be declared twice.
    """
    found = yaml_files_below(folder)
    others = sorted(path for path in found if not _is_exported(path))
    if others:
        listed = ", ".join(map(str, others[:MAX_PROBLEMS]))
        raise SettingsError(
            f"{folder} holds YAML files that are no export: {listed}; what they declare would be"
            " declared twice: export into another folder, or an empty one"
        )
    return found


def _is_exported(path: Path) -> bool:
    """Tell whether a file, and no link, begins with the mark of an export."""
    if path.is_symlink() or not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(MARK.encode()) + 1) == f"{MARK}\n".encode()


def write_exported(texts: Mapping[Path, str], earlier: Iterable[Path], folder: Path) -> None:
    """Write the files, and remove the others of an `earlier` export with the emptied folders."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in earlier:
        path.unlink()
    for path, text in texts.items():
        _write(path, f"{MARK}\n{_editor_line(path, folder)}{text}", folder)
    for parent in {path.parent for path in earlier} - {folder}:
        with suppress(OSError):  # it holds other files
            parent.rmdir()


def _editor_line(path: Path, folder: Path) -> str:
    """Return the comment by which editors find the JSON Schema, if that stands in the folder."""
    if not (folder / JSON_SCHEMA).is_file():
        return ""
    above = "../" * len(path.relative_to(folder).parent.parts)
    return f"{EDITOR_LINE}{above}{JSON_SCHEMA}\n"


def _write(path: Path, text: str, folder: Path) -> None:
    """Write a new file, in the folder or in folders there that are no links."""
    for parent in reversed(path.relative_to(folder).parents[:-1]):
        (folder / parent).mkdir(exist_ok=True)
        if (folder / parent).is_symlink():
            raise SettingsError(
                f"{folder / parent} is a link; an export is written into folders only"
            )
    with path.open("x", encoding="utf-8", newline="") as file:
        file.write(text)
