"""Read documents of `bench`, `verify` and `lint`, saved as JSON."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from reconciler.declare.files import FileRefused, files_in_folder
from reconciler.errors import SettingsError
from reconciler.evidence.model import Benchmark, Lint, Sourced, Verification

MAX_SIZE = 64 << 20  # bytes of a file
MAX_LISTED = 3
_CLIPPED = 100  # characters of a key or a message

Saved = TypeVar("Saved", bound=BaseModel)


def read_benchmark(file: Path) -> Sourced[Benchmark]:
    """Read the document of `bench`; raises SettingsError."""
    return _read(file, Benchmark, "bench")


def read_verification(file: Path) -> Sourced[Verification]:
    """Read the document of `verify`; raises SettingsError."""
    return _read(file, Verification, "verify")


def read_lint(file: Path) -> Sourced[Lint]:
    """Read the document of `lint`; raises SettingsError."""
    return _read(file, Lint, "lint")


def _read(file: Path, model: type[Saved], command: str) -> Sourced[Saved]:
    """Read a regular file of limited size; the source names the file and the time of the file."""
    try:
        content = files_in_folder(file).read(file, MAX_SIZE)
        written = datetime.fromtimestamp(file.stat().st_mtime, UTC)
    except FileRefused as error:
        raise SettingsError(f"{file}: {error}") from None
    source = f"reconcile {command} --format json, in {file} of {written:%Y-%m-%d %H:%M} UTC"
    try:
        return Sourced(model.model_validate_json(content), source, written)
    except ValidationError as error:
        mistakes = "; ".join(
            f"{'.'.join(map(str, mistake['loc']))[:_CLIPPED]}: {mistake['msg'][:_CLIPPED]}"
            if mistake["loc"]
            else mistake["msg"][:_CLIPPED]
            for mistake in error.errors(include_url=False, include_input=False)[:MAX_LISTED]
        )
        raise SettingsError(
            f"{file} is not what `reconcile {command} --format json` prints: {mistakes}"
        ) from None
