"""Test the scripts of the examples against files and texts of a pull request that mean harm."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import pytest
from yaml import safe_load

from tests.api_server import served
from tests.conftest import ROOT
from tests.gitlab_api import API, OWN, PROJECT, TOKEN, GitLab
from tests.workflow import Scope, need_tools

SCRIPTS = ROOT / ".github" / "actions" / "scripts"
NOTE = ROOT / "examples" / "gitlab" / "note.sh"
WORKFLOW = ROOT / "examples" / "github" / "reconcile.yml"
PIPELINE = ROOT / "examples" / "gitlab" / "reconcile.gitlab-ci.yml"
SECRET = "postgresql://reader:s3cret@db.example/app"


def run_script(
    script: Path, folder: Path, *arguments: str, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run a script in a folder, in which stubs of programs lie in `stubs`."""
    return subprocess.run(
        ["bash", script, *arguments],
        cwd=folder,
        env={"PATH": f"{folder / 'stubs'}:{os.environ['PATH']}", **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def arguments_of(script: str, folder: Path, **variables: str) -> list[str]:
    """Run a script with a stub of reconcile; return what stands on its command line."""
    stub = folder / "stubs" / "reconcile"
    stub.parent.mkdir(exist_ok=True)
    stub.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > "{folder}/arguments"\n')
    stub.chmod(0o755)
    need_tools("bash")
    done = run_script(SCRIPTS / script, folder, "first", "second", **variables)
    assert done.returncode == 0, done.stderr
    return (folder / "arguments").read_text().splitlines()


@pytest.mark.parametrize("script", ["plan.sh", "lint.sh", "apply.sh"])
def test_no_list_of_processes_shows_the_database(tmp_path: Path, script: str) -> None:
    arguments = arguments_of(script, tmp_path, DATABASE_URL=SECRET)
    assert not [each for each in arguments if "s3cret" in each]


def test_lint_looks_at_the_database_of_the_variable(tmp_path: Path) -> None:
    (tmp_path / "desired_state").mkdir()
    (tmp_path / "desired_state" / "all.yml").write_text("schemas: {a: {}}\n")
    reconcile = Path(sys.executable).with_name("reconcile")
    done = subprocess.run(
        [reconcile, "lint"],
        cwd=tmp_path,
        env={**os.environ, "RECONCILE_LINT_TARGET": "postgresql://nobody@127.0.0.1:1/absent"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "127.0.0.1" in done.stderr


@pytest.mark.parametrize("script", ["plan.sh", "apply.sh"])
def test_options_stand_on_one_line_or_on_several(tmp_path: Path, script: str) -> None:
    options = "--prune\n--schema  shop\n"
    arguments = arguments_of(script, tmp_path, RECONCILE_TARGET="a", RECONCILE_OPTIONS=options)
    assert " --prune --schema shop " in f"{' '.join(arguments)} "


def test_options_are_words_and_no_patterns_of_file_names(tmp_path: Path) -> None:
    options = "--schema $(touch\tpwned) *"
    arguments = arguments_of("apply.sh", tmp_path, DATABASE_URL="a", RECONCILE_OPTIONS=options)
    assert "$(touch" in arguments and "*" in arguments
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize("module", ["venv", "logging"])
def test_no_file_of_the_repository_is_run_to_install(tmp_path: Path, module: str) -> None:
    need_tools("bash")
    (tmp_path / f"{module}.py").write_text("open('pwned', 'w').close()\nraise SystemExit(1)\n")
    done = run_script(
        SCRIPTS / "install.sh",
        tmp_path,
        PYTHON=sys.executable,
        RUNNER_TEMP=str(tmp_path / "temporary"),
        GITHUB_PATH=str(tmp_path / "path"),
        RECONCILE_INSTALL="./absent",
    )
    assert not (tmp_path / "pwned").exists()
    assert "absent" in done.stderr, "pip was reached"


def test_what_gitlab_installs_lies_outside_the_project() -> None:
    """A file of the project among those that pip builds would run where the secrets are."""
    content = cast("dict[str, Any]", safe_load(PIPELINE.read_text()))
    before = content[".reconcile"]["before_script"]
    assert "reconcile=$(mktemp -d)/reconcile" in before
    scripts = [line for job in content.values() if "script" in job for line in job["script"]]
    lines = [*before, *scripts]
    assert not [line for line in lines if ".reconcile/" in line or line.endswith(" .reconcile")]


def test_no_line_of_a_note_is_a_quick_action(tmp_path: Path) -> None:
    need_tools("bash", "curl", "jq")
    text = "````sql\n```\n/approve\n/merge\n/* a comment */\n````\n/close"
    (tmp_path / "plan.md").write_text(text)
    with served(GitLab()) as hub:
        done = run_script(
            NOTE,
            tmp_path,
            "7",
            "reconcile plan",
            "plan.md",
            CI_API_V4_URL=hub.url + API,
            CI_PROJECT_ID=str(PROJECT),
            CI_COMMIT_SHA="a" * 40,
            CI_JOB_URL="https://gitlab.example/jobs/1",
            RECONCILE_TOKEN=TOKEN,
        )
        assert done.returncode == 0, done.stderr
        ((author, body),) = [(n["author"]["id"], n["body"]) for n in hub.notes]
    assert author == OWN
    assert "\n /approve\n /merge\n/* a comment */\n````\n /close\n" in body


def group_of(github: Mapping[str, object]) -> str:
    """Return the concurrency group of a run."""
    content = cast("dict[str, Any]", safe_load(WORKFLOW.read_text()))
    return Scope({"github": github}).expand(content["concurrency"]["group"])


def test_a_run_by_hand_on_another_branch_takes_the_place_of_no_waiting_run() -> None:
    main, other = "refs/heads/main", "refs/heads/7"
    merged = group_of({"event_name": "push", "ref": main})
    assert merged == group_of({"event_name": "workflow_dispatch", "ref": main})
    assert merged != group_of({"event_name": "workflow_dispatch", "ref": other})
    pull = {"event_name": "pull_request", "event": {"pull_request": {"number": 7}}}
    assert group_of({**pull, "ref": "refs/pull/7/merge"}) not in {merged, f"reconcile-{other}"}


def test_code_owners_own_every_workflow() -> None:
    """Any workflow on the branch main can name the environment that holds the secrets."""
    lines = (WORKFLOW.parent / "CODEOWNERS").read_text().splitlines()
    assert any(line.split()[:1] == ["/.github/"] for line in lines)
