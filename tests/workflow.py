"""Run jobs of a workflow of GitHub Actions in a shell: expressions, secrets, composite actions.

Only what the example uses is known; anything else is an error, so that no step passes unseen.
Actions of GitHub's own are replaced: checkout copies files, upload-artifact saves to the stand-in.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest
from yaml import safe_load

from tests.conftest import ROOT
from tests.fork_server import program
from tests.github_api import FORK_ID, REPOSITORY, REPOSITORY_ID, GitHub

OWN = re.compile(r"OWNER/reconcile/(\.github/actions/\w+)@0{40}")
PINNED = re.compile(r"actions/([\w-]+)@[0-9a-f]{40}")
_TOKEN = re.compile(r"\s*('(?:[^']|'')*'|&&|\|\||==|!=|[!()]|[\w.-]+)")
_OPERATORS = {"&&": " and ", "||": " or ", "!": " not ", "==": "==", "!=": "!="}
Values = Mapping[str, Any]

# The stubs of an environment in which pip notes what it is to install, and reconcile is this one.
PYTHON = """#!/bin/sh
[ "$1 $2 $3" = "-I -m venv" ] && mkdir -p "$4/bin" && cp "$(dirname "$0")/pip" "$4/bin/pip"
"""
PIP = """#!/bin/sh
echo "$*" >> "{log}" && ln -s "{reconcile}" "$(dirname "$0")/reconcile"
"""


@dataclass
class Scope:
    """The contexts in which the expressions of a job or an action are evaluated."""

    values: dict[str, Any]
    failed: bool = False

    def expand(self, text: object) -> str:
        """Replace the expressions in a text."""
        if isinstance(text, bool):
            return str(text).lower()
        whole = str("" if text is None else text)
        return re.sub(r"\$\{\{(.*?)\}\}", lambda m: _shown(self.evaluate(m[1])), whole)

    def evaluate(self, expression: str) -> Any:
        """Evaluate an expression."""
        code, rest = "", expression.strip().removeprefix("${{").removesuffix("}}").strip()
        while rest:
            token = _TOKEN.match(rest)
            assert token, f"unknown expression: {rest}"
            code, rest = code + self._python(token[1]), rest[token.end() :].strip()
        return eval(code, {"__builtins__": {}}, {"scope": self})  # noqa: S307 - of our own files

    def _python(self, token: str) -> str:
        if token in _OPERATORS or token in "()":
            return _OPERATORS.get(token, token)
        if token.startswith("'"):
            return repr(token[1:-1].replace("''", "'"))
        if token in {"always", "cancelled", "success", "failure"}:
            return f"scope.{token}"
        return repr(self.look_up(token))

    def look_up(self, path: str) -> Any:
        """Return the value of a path such as `github.event.number`; "" if there is none."""
        first, *others = path.split(".")
        assert first in self.values, f"unknown context: {path}"
        found: Any = self.values[first]
        for name in others:
            found = cast("Values", found).get(name) if isinstance(found, dict) else None
        return "" if found is None else found

    def is_due(self, condition: object) -> bool:
        """Tell whether a step or job runs; a condition without status function needs success."""
        if condition is None:
            return not self.failed
        own = str(condition)
        states = re.search(r"\b(always|cancelled|success|failure)\(", own)
        return bool(self.evaluate(own)) and (bool(states) or not self.failed)

    def always(self) -> bool:
        return True

    def cancelled(self) -> bool:
        return False

    def success(self) -> bool:
        return not self.failed

    def failure(self) -> bool:
        return self.failed


def _shown(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


@dataclass
class Repository:
    """The secrets by environment, what a user has set in the file, and what jobs printed.

    `beside` are further files of every commit.
    """

    hub: GitHub
    folder: Path
    secrets: Mapping[str, Mapping[str, str]]
    variables: Mapping[str, str]
    beside: Mapping[str, str] = field(default_factory=dict[str, str])
    workflow: Path = ROOT / "examples" / "github" / "reconcile.yml"
    log: str = ""
    summary: str = ""
    installed: list[str] = field(default_factory=list[str])
    jobs: dict[str, str] = field(default_factory=dict[str, str])

    def run(self, event: str, commit: str, files: Mapping[str, str], payload: Values) -> None:
        """Run all jobs of an event on files; note the jobs' results, and what they print."""
        workflow = cast("Values", safe_load(self.workflow.read_text()))
        ref = "refs/heads/main" if event != "pull_request" else "refs/pull/7/merge"
        github = {
            "event_name": event,
            "event": payload,
            "repository": REPOSITORY,
            "sha": commit,
            "ref": ref,
        }
        self.jobs, self.log, self.summary = {}, "", ""
        needs: dict[str, object] = {}
        for name, job in cast("dict[str, Values]", workflow["jobs"]).items():
            env = {**workflow["env"], **self.variables}
            scope = Scope({"github": github, "env": env, "needs": needs})
            scope.failed = "needs" in job and self.jobs[job["needs"]] != "success"
            result = "skipped"
            if scope.is_due(job.get("if")):
                result = _Job(self, name, job, scope.values, {**files, **self.beside}).run()
            self.jobs[name] = result
            needs[name] = {"result": result}

    def is_of_fork(self, payload: Values) -> bool:
        """Tell whether an event is that of a fork's pull request."""
        pull = payload.get("pull_request")
        return pull is not None and pull["head"]["repo"]["full_name"] != REPOSITORY


@dataclass
class _Job:
    repository: Repository
    name: str
    job: Values
    values: dict[str, Any]
    files: Mapping[str, str]

    def run(self) -> str:
        """Run the steps; return the result."""
        github = self.values["github"]
        of_fork = self.repository.is_of_fork(github["event"])
        token = f"token-{len(self.repository.hub.tokens)}"
        granted = self.job["permissions"]
        self.repository.hub.tokens[token] = {
            k: "read" if of_fork else v for k, v in granted.items()
        }
        place = self.repository.folder / f"job-{len(self.repository.hub.tokens)}"
        self.workspace, self.temporary = place / "workspace", place / "temp"
        self.workspace.mkdir(parents=True)
        self.temporary.mkdir()
        self.path = [str(self._python())]
        secrets = self.repository.secrets.get(self.job.get("environment", ""), {})
        context = {
            **self.values,
            "github": {**github, "token": token},
            "secrets": {} if of_fork else secrets,
            "steps": {},
        }
        scope = Scope(context)
        self._run_steps(self.job["steps"], scope, None)
        return "failure" if scope.failed else "success"

    def _python(self) -> Path:
        """Return a folder with stubs of python3 and pip."""
        stubs = self.temporary / "stubs"
        stubs.mkdir()
        pip = PIP.format(log=self.temporary / "pip.log", reconcile=program())
        for name, script in (("python3", PYTHON), ("pip", pip)):
            (stubs / name).write_text(script)
            (stubs / name).chmod(0o755)
        return stubs

    def _run_steps(self, steps: list[Values], scope: Scope, action: Path | None) -> None:
        for step in steps:
            outputs: dict[str, str] = {}
            outcome = "skipped"
            if scope.is_due(step.get("if")):
                passed = self._run_step(step, scope, action, outputs)
                scope.failed = scope.failed or not passed
                outcome = "success" if passed else "failure"
            if "id" in step:
                scope.values["steps"][step["id"]] = {"outputs": outputs, "outcome": outcome}

    def _run_step(
        self, step: Values, scope: Scope, action: Path | None, outputs: dict[str, str]
    ) -> bool:
        if "run" in step:
            return self._shell(step, scope, action, outputs)
        given = {k: scope.expand(v) for k, v in step.get("with", {}).items()}
        own = OWN.fullmatch(step["uses"])
        if own:
            return self._composite(ROOT / own[1], given, scope, outputs)
        theirs = PINNED.fullmatch(step["uses"])
        assert theirs, f"not pinned: {step['uses']}"
        if theirs[1] == "checkout":
            assert given == {"persist-credentials": "false"}
            for name, content in self.files.items():
                file = self.workspace / name
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(content)
        else:
            assert theirs[1] == "upload-artifact"
            if Path(given["path"]).exists():  # without files, the action warns and passes
                outputs["artifact-url"] = self._save(given, scope)
        return True

    def _save(self, given: Mapping[str, str], scope: Scope) -> str:
        github = scope.values["github"]
        pull = github["event"].get("pull_request")
        run = {
            "head_sha": pull["head"]["sha"] if pull else github["sha"],
            "repository_id": REPOSITORY_ID,
            "head_repository_id": FORK_ID
            if self.repository.is_of_fork(github["event"])
            else REPOSITORY_ID,
        }
        assert given["overwrite"] == "true", "a job that runs again saves the plan again"
        return self.repository.hub.save(given["name"], Path(given["path"]), run)

    def _composite(
        self, folder: Path, given: Mapping[str, str], outer: Scope, outputs: dict[str, str]
    ) -> bool:
        action = cast("Values", safe_load((folder / "action.yml").read_text()))
        unknown = given.keys() - action["inputs"].keys()
        assert not unknown, f"{folder.name} has no inputs {unknown}"
        defaults = {k: outer.expand(v["default"]) for k, v in action["inputs"].items()}
        github = outer.values["github"]
        scope = Scope({"github": github, "inputs": {**defaults, **given}, "steps": {}})
        self._run_steps(action["runs"]["steps"], scope, folder)
        for name, output in action.get("outputs", {}).items():
            outputs[name] = scope.expand(output["value"])
        return not scope.failed

    def _shell(
        self, step: Values, scope: Scope, action: Path | None, outputs: dict[str, str]
    ) -> bool:
        names = ("GITHUB_OUTPUT", "GITHUB_PATH", "GITHUB_STEP_SUMMARY")
        files = {n: self.temporary / n for n in names}
        for file in files.values():
            file.write_text("")
        environment = {
            **self._environment(scope),
            **{k: str(v) for k, v in files.items()},
            **({"GITHUB_ACTION_PATH": str(action)} if action else {}),
            **{k: scope.expand(v) for k, v in step.get("env", {}).items()},
        }
        assert "${{" not in step["run"], "an expression in a script is an injection"
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
            cwd=self.workspace,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        self.repository.log += done.stdout
        self.repository.summary += files["GITHUB_STEP_SUMMARY"].read_text()
        outputs.update(_lines(files["GITHUB_OUTPUT"]))
        self.path = [*files["GITHUB_PATH"].read_text().split(), *self.path]
        log = self.temporary / "pip.log"
        self.repository.installed = log.read_text().splitlines() if log.exists() else []
        return done.returncode == 0

    def _environment(self, scope: Scope) -> dict[str, str]:
        github = scope.values["github"]
        return {
            "PATH": os.pathsep.join([*self.path, os.environ["PATH"]]),
            "HOME": str(self.temporary),
            "RECONCILE_HOME": os.environ["RECONCILE_HOME"],
            "GITHUB_ACTIONS": "true",
            "GITHUB_API_URL": self.repository.hub.url,
            "GITHUB_SERVER_URL": "https://github.example",
            "GITHUB_REPOSITORY": REPOSITORY,
            "GITHUB_RUN_ID": "1",
            "GITHUB_EVENT_NAME": github["event_name"],
            "GITHUB_SHA": github["sha"],
            "GITHUB_REF": github["ref"],
            "RUNNER_TEMP": str(self.temporary),
        }


def _lines(file: Path) -> Iterator[tuple[str, str]]:
    for line in file.read_text().splitlines():
        name, _, value = line.partition("=")
        yield name, value


# Beside the programs of this environment, those of the system.
PROGRAMS = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])


def need_tools(*names: str) -> None:
    """Skip the test where a program is missing; fail in continuous integration."""
    missing = [name for name in names if shutil.which(name, path=PROGRAMS) is None]
    if missing and os.environ.get("CI"):
        pytest.fail(f"{', '.join(missing)} not found: .ci/run installs it")
    if missing:
        pytest.skip(f"needs {', '.join(missing)} on PATH")
