"""Test the fixture for tests of applications, as docs/python.md shows it."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from tests.conftest import ROOT, Database

PLUGIN = "reconciler.pytest_plugin"
INSTALLED = any(e.value == PLUGIN for e in entry_points(group="pytest11"))
STATE = (
    "tables:\n  notes:\n    columns: {id: {type: bigint}}\n    grants: {app: [select, insert]}\n"
)
_BLOCK = re.compile(r"```\w+\n(?:#|--) (?P<file>[\w./]+).*\n(?P<text>[^`]*)```")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Write the files that the documentation shows."""
    for block in _BLOCK.finditer((ROOT / "docs" / "python.md").read_text()):
        file = tmp_path / block["file"]
        file.parent.mkdir(exist_ok=True)
        file.write_text(block["text"])
    (tmp_path / "desired_state").mkdir()
    (tmp_path / "desired_state" / "notes.yml").write_text(STATE)
    return tmp_path


def run(project: Path, *options: str) -> str:
    """Run the project's tests, and return the output."""
    plugin = () if INSTALLED else ("-p", PLUGIN)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *plugin, *options]
    return subprocess.run(command, cwd=project, text=True, capture_output=True, check=False).stdout


def test_tests_of_the_documentation_pass_with_a_database_each(project: Path) -> None:
    assert "2 passed" in (output := run(project)), output


def test_databases_are_made_on_a_named_server_and_dropped(
    project: Path, database: Database
) -> None:
    (project / "tests" / "test_more.py").write_text(
        "import psycopg\n"
        "def test_there(reconciled_database):\n"
        "    first, second = reconciled_database(), reconciled_database()\n"
        "    assert first != second\n"
        "    with psycopg.connect(first) as connection:\n"
        "        found = connection.execute('SELECT current_database()').fetchone()[0]\n"
        "        open('name', 'w').write(found)\n"
        "        assert connection.execute(\"SELECT to_regnamespace('reconcile')\").fetchone()[0]"
        " is None\n"
    )
    assert "3 passed" in (output := run(project, "--reconcile-url", database.url)), output
    prefix = (project / "name").read_text().rpartition("_")[0]
    assert prefix.startswith("reconcile_test_")
    assert database.value(f"SELECT count(*) FROM pg_database WHERE datname LIKE '{prefix}%'") == 0


def test_mistake_in_the_state_is_told_without_a_traceback(project: Path) -> None:
    (project / "desired_state" / "notes.yml").write_text("tables:\n  notes: {colums: {}}\n")
    output = run(project)
    assert "unknown key" in output and "did you mean" in output, output
    assert "Traceback" not in output and "2 failed" in output, output


def test_plugin_costs_nothing_where_the_fixture_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "test_other.py").write_text(
        "import sys\n"
        "def test_modules():\n"
        f"    assert {PLUGIN!r} in sys.modules\n"
        "    slow = ('psycopg', 'pydantic', 'yaml', 'rich', 'deepdiff', 'click')\n"
        "    assert [m for m in slow if m in sys.modules] == []\n"
    )
    assert "1 passed" in (output := run(tmp_path, "-p", "no:hypothesispytest")), output


def test_entry_point_is_declared() -> None:
    lines = (ROOT / "pyproject.toml").read_text().split("[project.entry-points.pytest11]\n")[1]
    assert lines.startswith(f'reconcile = "{PLUGIN}"\n')
