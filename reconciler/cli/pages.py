"""Find the pages of docs/: in a checkout, or in the package, which a wheel brings them with."""

from __future__ import annotations

from collections.abc import Container, Mapping
from pathlib import Path

_PACKAGE = Path(__file__).parents[1]
FOLDERS = (_PACKAGE / "docs", _PACKAGE.parent / "docs")


def how_tos(known: Container[str]) -> Mapping[str, Path]:
    """Map names to the pages of docs/ but those that are known under their names already."""
    folder = next((folder for folder in FOLDERS if folder.is_dir()), None)
    found = sorted(folder.glob("*.md")) if folder else []
    return {page.stem: page for page in found if page.stem not in known}
