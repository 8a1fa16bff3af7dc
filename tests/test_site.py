"""The pages as a site: every link leads somewhere, and a page loads nothing from elsewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT

FOREIGN = re.compile(r'<(?:script|link|img)[^>]*(?:src|href)="(?:https?:)?//')


def test_site_is_built_of_all_pages(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-f", "docs/site.yml"]
    done = subprocess.run(
        [*command, "-d", str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    pages = [tmp_path / "index.html"]
    for page in (ROOT / "docs").rglob("*.md"):
        folder = page.relative_to(ROOT).with_suffix("")
        folder = folder.parent if folder.name == "README" else folder
        pages.append(tmp_path / folder / "index.html")
    for page in pages:
        assert FOREIGN.search(page.read_text()) is None, page
