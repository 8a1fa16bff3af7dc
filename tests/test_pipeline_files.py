"""Lint the files for GitHub and GitLab with the tools that their users have."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.workflow import PROGRAMS, need_tools

ACTIONS = sorted((ROOT / ".github" / "actions").glob("*/action.yml"))
SCRIPTS = sorted(
    [*(ROOT / ".github" / "actions").rglob("*.sh"), *(ROOT / "examples" / "gitlab").glob("*.sh")]
)
WORKFLOW = ROOT / "examples" / "github" / "reconcile.yml"
PIPELINE = ROOT / "examples" / "gitlab" / "reconcile.gitlab-ci.yml"
SCHEMAS = (
    ("vendor.github-workflows", (WORKFLOW,)),
    ("vendor.github-actions", ACTIONS),
    ("vendor.gitlab-ci", (PIPELINE,)),
)


def assert_clean(*command: object, folder: Path = ROOT) -> None:
    """Run a linter in a folder; fail with what it finds."""
    need_tools(str(command[0]))
    done = subprocess.run(
        [*map(str, command)],
        cwd=folder,
        env={**os.environ, "PATH": PROGRAMS},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a repository in which the example stands where GitHub looks for it."""
    (tmp_path / ".git").mkdir()
    workflows = tmp_path / ".github" / "workflows"
    workflows.mkdir(parents=True)
    shutil.copy(WORKFLOW, workflows)
    return tmp_path


def test_the_scripts_pass_shellcheck() -> None:
    assert_clean("shellcheck", "--external-sources", *SCRIPTS)


def test_every_script_is_used() -> None:
    """A script that no action and no other script runs would be run by no test."""
    users = [*ACTIONS, *SCRIPTS, PIPELINE]
    for script in SCRIPTS:
        texts = (user.read_text() for user in users if user != script)
        assert any(f"/{script.name}" in text for text in texts), script


def test_the_workflow_passes_actionlint(checkout: Path) -> None:
    assert_clean("actionlint", folder=checkout)


def test_the_workflow_and_the_actions_pass_zizmor(checkout: Path) -> None:
    strictest = ("--offline", "--persona=auditor", "--no-progress")
    assert_clean("zizmor", *strictest, checkout / ".github", ROOT / ".github" / "actions")


@pytest.mark.parametrize(
    ("schema", "files"), SCHEMAS, ids=lambda p: p if isinstance(p, str) else ""
)
def test_the_files_match_their_schema(schema: str, files: tuple[Path, ...]) -> None:
    transform = ("--data-transform", "gitlab-ci") if "gitlab" in schema else ()
    assert_clean("check-jsonschema", "--builtin-schema", schema, *transform, *files)


def test_the_code_owners_own_what_decides_about_the_database() -> None:
    lines = (WORKFLOW.parent / "CODEOWNERS").read_text().splitlines()
    owned = {line.split()[0] for line in lines if line and not line.startswith("#")}
    assert {"/desired_state/", "/approvals.yml", "/reconcile.yml"} <= owned
