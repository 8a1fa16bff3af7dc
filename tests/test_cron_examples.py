"""Run the examples for scheduled jobs as their users would, on paths of the test."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
from prometheus_client.parser import text_string_to_metric_families
from yaml import safe_load_all

from tests.conftest import ROOT, Database
from tests.fork_server import program
from tests.test_webhook import Hook, listening

CRON, KUBERNETES = ROOT / "examples" / "cron", ROOT / "examples" / "kubernetes"
FOLDERS = ("srv/app/.venv/bin", "etc/reconcile", "var/lib/reconcile", "var/lib/node_exporter")
Done = subprocess.CompletedProcess[str]


@dataclass
class Installed:
    """A folder with the paths that the examples name, a target and a webhook."""

    root: Path
    database: Database
    hook: Hook

    def here(self, text: str) -> str:
        """Return a text with the absolute paths below the folder."""
        return re.sub(r"(?<![\w.:/])/(srv|etc|var|app|tmp|src)\b", rf"{self.root}/\1", text)

    @property
    def environment(self) -> dict[str, str]:
        """What the secrets of an example hold."""
        return {"PRODUCTION_URL": self.database.url, "RECONCILE_WEBHOOK": self.hook.url}

    def run(self, command: str | list[str], folder: Path, **more: str) -> Done:
        """Run a line of a shell, or a command, with no other environment."""
        kept = {n: os.environ[n] for n in ("PATH", "RECONCILE_HOME")}
        line = ["/bin/sh", "-c", command] if isinstance(command, str) else command
        return subprocess.run(
            line, cwd=folder, env={**kept, **more}, text=True, capture_output=True, check=False
        )


@pytest.fixture
def installed(tmp_path: Path, new_database: Callable[..., Database]) -> Iterator[Installed]:
    """Return an installation whose only target is as declared."""
    database = new_database("CREATE TABLE t (a int); CREATE INDEX i ON t (a)")
    for name in FOLDERS:
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "srv/app/.venv/bin/reconcile").symlink_to(program())
    (tmp_path / "srv/app/desired_state").mkdir()
    (tmp_path / "srv/app/desired_state/t.yml").write_text(
        "tables: {t: {columns: {a: int}, indexes: {i: {on: [a]}}}}"
    )
    (tmp_path / "srv/app/reconcile.yml").write_text(
        'targets: {production: {url: "${PRODUCTION_URL}"}}\n'
    )
    with listening() as hook:
        yield Installed(tmp_path, database, hook)


def look(installed: Installed, run: Callable[[], Done]) -> str:
    """Look twice at a target without and with a difference; return the output of the last look."""
    for _ in range(2):
        done = run()
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert installed.hook.told == []
    installed.database.run("DROP INDEX i")
    run()
    done = run()
    assert (done.returncode, done.stderr) == (2, "")
    assert "index public.i missing" in done.stdout
    assert len(installed.hook.told) == 1
    return done.stdout


def test_the_line_of_the_crontab_runs(installed: Installed) -> None:
    (line,) = [n for n in (CRON / "crontab").read_text().splitlines() if re.match(r"[*\d]", n)]
    assert "%" not in line, "cron would end the command there"
    *when, user, command = re.split(r"\s+", line, maxsplit=6)
    assert (len(when), user) == (5, "reconcile")
    (installed.root / "etc/reconcile/environment").write_text(
        "".join(f"export {n}='{v}'\n" for n, v in installed.environment.items())
    )
    look(installed, lambda: installed.run(installed.here(command), installed.root))
    metrics = (installed.root / "var/lib/node_exporter/reconcile.prom").read_text()
    values = {
        (s.name, *s.labels.values()): s.value
        for family in text_string_to_metric_families(metrics)
        for s in family.samples
    }
    assert values["reconcile_drift_up", "production"] == 1
    assert values["reconcile_drift_objects", "production", "missing"] == 1
    assert values["reconcile_drift_objects", "production", "drifted"] == 0


def test_the_units_of_systemd_are_correct_and_run(installed: Installed) -> None:
    units = [CRON / f"reconcile-drift.{kind}" for kind in ("service", "timer")]
    made = [installed.root / unit.name for unit in units]
    for unit, copy in zip(units, made, strict=True):
        copy.write_text(installed.here(unit.read_text()))
    if analyze := shutil.which("systemd-analyze"):
        checked = installed.run([analyze, "verify", *map(str, made)], installed.root)
        assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")
    service = dict(re.findall(r"^(\w+)=(.*)$", made[0].read_text(), re.MULTILINE))
    state = str(installed.root / "var/lib")
    command = service["ExecStart"].replace("%S", state)
    assert "%" not in command
    look(
        installed,
        lambda: installed.run(
            command.split(), Path(service["WorkingDirectory"]), **installed.environment
        ),
    )
    told = json.loads((installed.root / "var/lib/reconcile/drift.json").read_text())
    assert told["targets"]["production"]["status"] == "different"


def cron_job() -> dict[str, Any]:
    job, claim = safe_load_all((KUBERNETES / "cronjob.yml").read_text())
    assert (job["kind"], claim["kind"]) == ("CronJob", "PersistentVolumeClaim")
    return job["spec"]["jobTemplate"]["spec"]["template"]["spec"]


@pytest.mark.parametrize("version", ["1.28", "1.34"])
def test_the_manifest_is_valid(version: str) -> None:
    for document in safe_load_all((KUBERNETES / "cronjob.yml").read_text()):
        kubernetes_validate.validate(document, version, strict=True)
        with pytest.raises(kubernetes_validate.ValidationError):
            kubernetes_validate.validate({**document, "spec": {"x": 1}}, version, strict=True)


def test_the_container_of_the_cron_job_runs(installed: Installed) -> None:
    pod = cron_job()
    (container,) = pod["containers"]
    mounts = {mount["name"] for mount in container["volumeMounts"]}
    assert mounts == {volume["name"] for volume in pod["volumes"]}
    command = [str(program()), *map(installed.here, container["args"])]
    app = installed.root / "srv/app"
    look(installed, lambda: installed.run(command, app, **installed.environment))
    assert "index public.i" in installed.hook.told[0]["text"]


def test_the_files_of_a_mounted_config_map_are_read(installed: Installed) -> None:
    """Kubernetes mounts links to files below a link to a folder with a hidden name."""
    app = installed.root / "srv/app"
    mounted = app / "desired_state"
    (mounted / "..2026").mkdir()
    (mounted / "t.yml").rename(mounted / "..2026/t.yml")
    (mounted / "..data").symlink_to("..2026")
    (mounted / "t.yml").symlink_to("..data/t.yml")
    command = [str(program()), *map(installed.here, cron_job()["containers"][0]["args"])]
    look(installed, lambda: installed.run(command, app, **installed.environment))


def test_the_image_holds_what_the_job_runs(installed: Installed, tmp_path: Path) -> None:
    """Do what each instruction says, but for the base image and dependencies, in a venv."""
    instructions = re.findall(
        r"^([A-Z]+) (.+)$", (KUBERNETES / "Dockerfile").read_text(), re.MULTILINE
    )
    assert [word for word, _ in instructions] == [
        *("FROM", "COPY", "RUN", "COPY", "COPY", "WORKDIR", "USER", "ENV", "ENTRYPOINT", "CMD")
    ]
    context, home = tmp_path / "context", tmp_path / "venv"
    kept = (
        *("reconciler", "examples", "desired_state", "docs"),
        *("README.md", "LICENSE", "pyproject.toml"),
    )
    for name in kept:
        of, to = ROOT / name, context / "reconcile" / name
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(of, to) if of.is_dir() else shutil.copy(of, to)
    shutil.copytree(tmp_path / "srv/app/desired_state", context / "desired_state")
    shutil.copy(tmp_path / "srv/app/reconcile.yml", context)
    venv.create(home, with_pip=True)
    path = f"{home / 'bin'}:{os.environ['PATH']}"
    packages = next(p for p in sys.path if p.endswith("site-packages"))
    own = {"PATH": path, "PYTHONPATH": packages, **installed.environment}  # has the dependencies
    told = dict(instructions)
    for word, rest in instructions:
        if word == "COPY":
            of, to = rest.split()
            target = Path(installed.here(to))
            target.parent.mkdir(exist_ok=True)
            (shutil.copytree if (context / of).is_dir() else shutil.copy)(context / of, target)
        elif word == "RUN":
            done = installed.run(installed.here(rest), tmp_path, **own)
            assert done.returncode == 0, done.stderr
    assert not (tmp_path / "src").exists()
    assert told["USER"] == "{runAsUser}:{runAsGroup}".format(**cron_job()["securityContext"])
    command = [*json.loads(told["ENTRYPOINT"]), *json.loads(told["CMD"])]
    done = installed.run(command, Path(installed.here(told["WORKDIR"])), **own)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("production  ok"), done.stdout
