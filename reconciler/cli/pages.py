"""Find the pages of docs/: in a checkout, or in the package, which a wheel brings them with."""

from __future__ import annotations

from collections.abc import Container, Mapping
from pathlib import Path

_PACKAGE = Path(__file__).parents[1]
FOLDERS = (_PACKAGE / "docs", _PACKAGE.parent / "docs")


HOW_TO = "-how-to"  # behind the name of a page that a section of the YAML files has too


def how_tos(generated: Container[str], sections: Container[str]) -> Mapping[str, Path]:
    """Map topics to the pages of docs/ without the generated ones.

    The page beside the reference of a section is called `checks-how-to`.
    """
    folder = next((folder for folder in FOLDERS if folder.is_dir()), None)
    found = sorted(folder.glob("*.md")) if folder else []
    pages = {page.stem: page for page in found if page.stem not in generated}
    return {f"{n}{HOW_TO}" if n in sections else n: page for n, page in pages.items()}
