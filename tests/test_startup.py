"""Test what starting the command costs: modules, not seconds."""

from __future__ import annotations

import subprocess
import sys

from reconciler.cli import main
from reconciler.cli.group import COMMANDS

SLOW = ("psycopg", "pydantic", "yaml", "rich", "deepdiff", "reconciler.pipeline")


def test_help_and_version_import_no_slow_modules() -> None:
    for options, further in ((["--help"], ("importlib.metadata",)), (["--version"], ())):
        script = (
            "import sys\nfrom reconciler.cli import main\n"
            f"try: main({options!r})\n"
            f"finally: print('imported', [m for m in {SLOW + further!r} if m in sys.modules])"
        )
        done = subprocess.run(
            [sys.executable, "-c", script], text=True, capture_output=True, check=True
        )
        assert "reconcile" in done.stdout
        assert done.stdout.endswith("imported []\n"), done.stdout


def test_planning_imports_what_terminals_and_differences_need_only_when_needed() -> None:
    script = (
        "import sys, reconciler.cli.plan, reconciler.cli.apply\n"
        "print([m for m in ('rich', 'deepdiff') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], text=True, capture_output=True, check=True
    )
    assert done.stdout == "[]\n"


def test_linting_a_database_imports_neither_kinds_nor_yaml_nor_models() -> None:
    script = (
        "import sys, reconciler.cli.lint\n"
        "from reconciler.report.formats import renderer\n"
        "renderer('lint', 'text')\n"
        "slow = ('yaml', 'rich', 'deepdiff', 'pydantic', 'pydantic_core', 'reconciler.kinds',"
        " 'reconciler.plan.plan', 'reconciler.pipeline', 'reconciler.settings')\n"
        "print([m for m in slow if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], text=True, capture_output=True, check=True
    )
    assert done.stdout == "[]\n"


def test_help_lists_every_command_with_the_first_line_of_its_own_help() -> None:
    context = main.make_context("reconcile", [], resilient_parsing=True)
    found = {name: main.get_command(context, name) for name in COMMANDS}
    assert {
        n: (c.help or "").split("\n\n")[0].replace("\n", " ") for n, c in found.items() if c
    } == COMMANDS
    assert sorted(main.commands) == sorted(COMMANDS)
