"""Check the examples of roll-outs: manifests by Kubernetes' schema, and what the pods run."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
from yaml import safe_load, safe_load_all

from reconciler.fleet.cluster import address_of
from tests.conftest import ROOT, Database
from tests.test_rollout import DECLARED, START, columns
from tests.test_several_targets import RECONCILE, settings
from tests.test_three_way import declare, folder

__all__ = ["folder"]

MANIFESTS = [ROOT / "examples/kubernetes" / f"rollout-{n}.yml" for n in ("job", "cronjob")]


@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda m: m.stem)
@pytest.mark.parametrize("version", ["1.29", "1.34"])
def test_the_manifests_are_valid(manifest: Path, version: str) -> None:
    (document,) = safe_load_all(manifest.read_text())
    kubernetes_validate.validate(document, version, strict=True)
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate({**document, "spec": {"x": 1}}, version, strict=True)


def job_of(manifest: Path) -> dict[str, Any]:
    (document,) = safe_load_all(manifest.read_text())
    return document["spec"].get("jobTemplate", document)["spec"]


def test_both_run_the_same_job() -> None:
    one, other = map(job_of, MANIFESTS)
    assert one["template"] == other["template"]
    assert (one["completionMode"], other["completionMode"]) == ("Indexed", "Indexed")


def test_the_pods_of_the_job_change_each_target_once(
    new_database: Callable[..., Database], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = job_of(MANIFESTS[0])
    (container,) = job["template"]["spec"]["containers"]
    assert container["args"][-1].endswith(f"/{job['completions']}")
    databases = {name: new_database(START) for name in ("one", "two", "three")}
    settings(folder, monkeypatch, **{name: d.url for name, d in databases.items()})
    declare(folder, DECLARED)
    shown = ""
    for index in range(job["completions"]):
        environment = {**os.environ, "JOB_COMPLETION_INDEX": str(index)}
        arguments = [a.replace("$(JOB_COMPLETION_INDEX)", str(index)) for a in container["args"]]
        done = subprocess.run(
            [RECONCILE, *arguments], text=True, capture_output=True, check=False, env=environment
        )
        assert done.returncode == 0, done.stderr
        shown += done.stdout
    assert all(columns(d) == ["a", "b"] for d in databases.values())
    assert shown.count("changed      ok=") == len(databases)


def test_the_services_of_the_cluster_fit_together() -> None:
    services = safe_load((ROOT / "examples/dask/compose.yml").read_text())["services"]
    assert services.keys() == {"scheduler", "worker", "apply"}
    port = services["scheduler"]["command"][3]
    assert services["worker"]["command"][0] == f"tls://scheduler:{port}"
    assert address_of(services["apply"]["command"][-1]) == services["worker"]["command"][0]
    assert "env_file" not in services["apply"], "the URLs of targets are the workers' own"
    names = {n for s in services.values() for n in s["environment"]}
    assert {"DASK_DISTRIBUTED__COMM__TLS__CA_FILE", "DASK_DISTRIBUTED__COMM__TLS__CLIENT__CERT"} < (
        names
    )
