"""Run the example for GitLab from the merge request to the database, with the API replaced."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest
from yaml import safe_load

from tests.api_server import served
from tests.conftest import ROOT, Database
from tests.fork_server import program
from tests.gitlab_api import API, OWN, PROJECT, TOKEN, GitLab
from tests.roles import DEPLOYER, READER, create_roles, url_of
from tests.workflow import need_tools

FILE = ROOT / "examples" / "gitlab" / "reconcile.gitlab-ci.yml"
HEAD, MERGE, FORK = "a" * 40, "b" * 40, 2
START = f"CREATE TABLE t (id int, n int); ALTER TABLE t OWNER TO {DEPLOYER};"
INDEX = "tables: {t: {indexes: {t_id: id}}}"
# What the image of the job would have: git brings this repository, nothing is installed.
STUBS = {
    "git": f'[ "$1" != init ] || ln -s "{ROOT}" "$3"',
    "apt-get": "true",
    "pip": 'echo "$*" >> pip.log',
}
MERGE_REQUEST = {"CI_PIPELINE_SOURCE": "merge_request_event", "CI_MERGE_REQUEST_IID": "7"}
MAIN = {"CI_COMMIT_BRANCH": "main"}


@dataclass
class Project:
    """A project, and what its jobs printed."""

    hub: GitLab
    folder: Path
    database: Database
    log: str = ""

    def run(self, declared: str, commit: str, variables: Mapping[str, str]) -> dict[str, bool]:
        """Run the jobs of a pipeline; return whether each passed."""
        content = cast("dict[str, Any]", safe_load(FILE.read_text()))
        predefined = {
            "CI_API_V4_URL": self.hub.url + API,
            "CI_PROJECT_ID": str(PROJECT),
            "CI_COMMIT_SHA": commit,
            "CI_DEFAULT_BRANCH": "main",
            "CI_JOB_URL": "https://gitlab.example/jobs/1",
            "CI_MERGE_REQUEST_PROJECT_ID": str(PROJECT),
            "CI_MERGE_REQUEST_SOURCE_PROJECT_ID": str(PROJECT),
            **content["variables"],
            **variables,
        }
        workspace = self.folder / f"pipeline-{len(list(self.folder.iterdir()))}"
        (workspace / "desired_state").mkdir(parents=True)
        (workspace / "desired_state" / "shop.yml").write_text(declared)
        self.log = ""
        return {
            name: self._run_job(content, job, workspace, predefined)
            for name, job in content.items()
            if name.startswith("reconcile-") and _is_due(job, predefined)
        }

    def _run_job(
        self, content: Any, job: Any, workspace: Path, predefined: Mapping[str, str]
    ) -> bool:
        stubs = workspace / "stubs"
        stubs.mkdir(exist_ok=True)
        for name, script in STUBS.items():
            (stubs / name).write_text(f"#!/bin/sh\n{script}\n")
            (stubs / name).chmod(0o755)
        programs = f"{program().parent}:{Path(sys.executable).parent}"
        done = subprocess.run(
            ["bash", "-e", "-o", "pipefail"],
            input="\n".join([*content[job["extends"]]["before_script"], *job["script"]]),
            cwd=workspace,
            env={
                "PATH": f"{stubs}:{programs}:{os.environ['PATH']}",
                "RECONCILE_HOME": os.environ["RECONCILE_HOME"],
                **predefined,
                **job.get("variables", {}),
                **({"RECONCILE_FOR_ROLE": DEPLOYER} if "environment" in job else {}),
                **self._secrets(job.get("environment", {}).get("name")),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        self.log += done.stdout
        plan = workspace / "reconcile-plan" / "plan.json"
        if "artifacts" in job and plan.exists():
            self.hub.plans[len(self.hub.pipelines) + 1] = plan.read_bytes()
        return done.returncode == 0

    def _secrets(self, environment: str | None) -> dict[str, str]:
        """Return the variables whose scope is the environment of a job."""
        roles = {"reconcile-plan": READER, "reconcile-apply": DEPLOYER}
        if environment is None:
            return {}
        url = url_of(self.database, roles[environment])
        return {"DATABASE_URL": url, "RECONCILE_TOKEN": TOKEN}

    def propose(self, declared: str) -> bool:
        """Run the pipeline of a merge request; tell whether a plan was made."""
        number = len(self.hub.pipelines) + 1
        jobs = self.run(declared, HEAD, MERGE_REQUEST)
        assert jobs.keys() == {"reconcile-plan"}, self.log
        status = "success" if jobs["reconcile-plan"] else "failed"
        self.hub.pipelines.insert(0, {"id": number, "sha": HEAD, "project_id": PROJECT})
        self.hub.jobs[number] = [
            {"id": 90, "name": "test", "status": "success"},
            {"id": 91, "name": "build", "status": "success"},
            {"id": number, "name": "reconcile-plan", "status": status},
        ]
        return jobs["reconcile-plan"]

    def merge(self, declared: str) -> bool:
        """Merge the merge request; tell whether the plan was applied."""
        other = {"iid": 6, "state": "merged", "merge_commit_sha": HEAD}
        ours = {"iid": 7, "state": "merged", "merge_commit_sha": MERGE}
        self.hub.merged = [other, {**other, "state": "closed"}, ours]
        jobs = self.run(declared, MERGE, {"CI_PIPELINE_SOURCE": "push", **MAIN})
        assert jobs.keys() == {"reconcile-apply"}, self.log
        return jobs["reconcile-apply"]

    def only_note(self, marker: str) -> str:
        """Return the only note of ours with a marker."""
        (body,) = self.hub.own_notes(marker)
        return body


def _is_due(job: Any, variables: Mapping[str, str]) -> bool:
    """Tell whether a rule of a job holds; `changes` are taken to hold."""
    for rule in job["rules"]:
        named = re.sub(r"\$(\w+)", lambda m: repr(variables.get(m[1], "")), rule["if"])
        if eval(named.replace("&&", " and "), {"__builtins__": {}}):  # noqa: S307 - our own file
            return True
    return False


@pytest.fixture
def project(database: Database, tmp_path: Path) -> Iterator[Project]:
    need_tools("bash", "curl", "jq")
    create_roles(database)
    database.run(START)
    with served(GitLab()) as hub:
        hub.note(OWN + 1, "<!-- reconcile plan -->\nof somebody else")
        hub.note(OWN, "of another job")
        yield Project(hub, tmp_path, database)


def has_index(database: Database) -> bool:
    return database.value("SELECT to_regclass('public.t_id') IS NOT NULL") is True


def test_the_plan_of_the_merge_request_is_applied_after_the_merge(
    project: Project, database: Database
) -> None:
    assert not project.propose("tables: {t: {indexes: {t_id: ids}}}")
    assert "## reconcile: an error" in project.only_note("reconcile plan")
    assert project.propose(INDEX)
    note = project.only_note("reconcile plan")
    assert "public.t_id" in note and "an error" not in note
    assert f"Commit {HEAD}; [log](https://gitlab.example/jobs/1)" in note
    assert [n["body"] for n in project.hub.notes[:2]] == [
        "<!-- reconcile plan -->\nof somebody else",
        "of another job",
    ]
    assert not has_index(database)
    assert project.merge(INDEX), project.log
    assert has_index(database)
    assert "## reconcile: applied" in project.only_note("reconcile apply")


def test_a_target_that_moved_is_planned_again_by_hand(project: Project, database: Database) -> None:
    assert project.propose(INDEX)
    database.run("CREATE INDEX t_id ON t (n)")
    assert not project.merge(INDEX)
    assert "the target has moved since the plan was made" in project.only_note("reconcile apply")
    jobs = project.run(INDEX, MERGE, {"CI_PIPELINE_SOURCE": "web", **MAIN})
    assert jobs == {"reconcile-plan": True, "reconcile-apply": True}, project.log
    assert "(id)" in str(database.value("SELECT indexdef FROM pg_indexes WHERE tablename = 't'"))


def test_a_hazard_is_not_applied(project: Project, database: Database) -> None:
    declared = "tables: {t: {columns: {n: {state: absent}}}}"
    assert project.propose(declared)
    assert "data-loss" in project.only_note("reconcile plan")
    assert not project.merge(declared)
    assert "error: data-loss: " in project.only_note("reconcile apply")


def test_nothing_to_do_is_said_and_applied(project: Project, database: Database) -> None:
    database.run("CREATE INDEX t_id ON t (id)")
    assert project.propose(INDEX)
    assert "nothing to do" in project.only_note("reconcile plan")
    assert project.merge(INDEX), project.log


def test_a_failed_plan_is_not_replaced_by_an_earlier_one(
    project: Project, database: Database
) -> None:
    assert project.propose(INDEX)
    assert not project.propose("tables: {t: {indexes: {t_id: ids}}}")
    assert not project.merge(INDEX)
    assert "has made no plan" in project.only_note("reconcile apply")
    assert not has_index(database)


def test_a_fork_is_planned_without_secrets(project: Project, database: Database) -> None:
    of_fork = {**MERGE_REQUEST, "CI_MERGE_REQUEST_SOURCE_PROJECT_ID": str(FORK)}
    declared = "tables: {visits: {columns: {at: timestamptz}}}"
    jobs = project.run(declared, HEAD, of_fork)
    assert jobs == {"reconcile-plan-of-fork": True}, project.log
    assert "table public.visits" in project.log
    assert project.hub.requests == []
    project.hub.pipelines = [{"id": 1, "sha": HEAD, "project_id": FORK}]
    assert not project.merge(declared)
    assert "it ran in a fork" in project.only_note("reconcile apply")
    assert database.value("SELECT to_regclass('visits')") is None
