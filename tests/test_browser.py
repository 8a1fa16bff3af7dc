"""Look at the pages in headless Chromium, with axe: `pytest -m heavy tests/test_browser.py`.

Needs Chromium, Node.js, and `npm ci --prefix tests/browser`. The pages are seen in light and dark,
on a wide screen and on a phone; screenshots and a print are kept in the folder that
RECONCILE_SCREENSHOTS names.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from reconciler.report import html
from tests.evidence import evidence
from tests.test_page import HOSTILE

BROWSER = Path(__file__).parent / "browser"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

pytestmark = [
    pytest.mark.heavy,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium"),
    pytest.mark.skipif(shutil.which("node") is None, reason="needs Node.js"),
    pytest.mark.skipif(
        not (BROWSER / "node_modules").is_dir(), reason="needs `npm ci --prefix tests/browser`"
    ),
]


def look(folder: Path, pages: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return what the browser saw of each page, in each scheme and size."""
    files: list[Path] = []
    for name, page in pages.items():
        files.append(folder / name)
        files[-1].write_text(page)
    shots = os.environ.get("RECONCILE_SCREENSHOTS") or folder
    command = ["node", BROWSER / "look.mjs", str(CHROMIUM), shots, *files]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=900)
    return json.loads(done.stdout)


def test_the_pages_are_fit_for_everybody(tmp_path: Path) -> None:
    hostile = "".join(HOSTILE)
    pages = {
        "report.html": html.report(evidence("public.conversations")),
        "runbook.html": html.runbook(evidence("public.conversations")),
        "hostile.html": html.report(evidence(hostile)),
        "hostile-runbook.html": html.runbook(evidence(hostile)),
    }
    seen = look(tmp_path, pages)
    assert len(seen) == 4 * len(pages)
    for page in seen:
        where = (page["page"], page["colorScheme"], page["size"])
        assert page["violations"] == [], where
        assert page["overflow"] <= 0, where
        assert page["unprinted"] == 0, where
        assert page["errors"] == [], where
        assert page["requests"] == [(tmp_path / page["page"]).as_uri()], where
    elements = {page["page"]: page["elements"] for page in seen}
    harmless = look(tmp_path, {"x.html": html.report(evidence("x\nx\nx\nx"))})[0]["elements"]
    assert elements["hostile.html"] == harmless
    assert hostile.count("\n") == 3


def test_the_look_sees_faults(tmp_path: Path) -> None:
    page = html.report(evidence("x"))
    broken = (
        page.replace('<html lang="en">', "<html>")
        .replace("<h1>", '<img src="https://example.invalid/x.png"><h1>')
        .replace("</main>", '<script>console.error("run")</script></main>')
        .replace("</footer>", '<svg width="3000" height="9"></svg></footer>')
    )
    for seen in look(tmp_path, {"broken.html": broken}):
        found = {violation.split(":")[0] for violation in seen["violations"]}
        assert {"html-has-lang", "image-alt"} <= found
        assert seen["overflow"] > 0
        assert any("Content Security Policy" in error for error in seen["errors"])
        assert not any(error == "run" for error in seen["errors"])
