"""Check YAML files without a server."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from yaml import safe_load

from reconciler.cli import main

ROOT = Path(__file__).parents[1]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder that no server's address leads out of."""
    monkeypatch.chdir(tmp_path)
    for name in ("DATABASE_URL", "PGHOST", "PGSERVICE", "RECONCILE_SCRATCH"):
        monkeypatch.setenv(name, "nowhere")
    return tmp_path


def validated(*options: str) -> Result:
    return CliRunner().invoke(main, ["validate", *options])


def test_a_declaration_without_faults_is_counted(folder: Path) -> None:
    done = validated("--state", str(ROOT / "desired_state"))
    assert done.exit_code == 0
    assert "desired_state: no fault found (objects: " in done.output
    (folder / "state.yml").write_text("{tables: {t: {columns: {a: int}}}, views: {v: SELECT 1}}")
    assert validated("--state", "state.yml").output == (
        "state.yml: no fault found (objects: 3, checks: 0, queries of the workload: 0)\n"
    )
    assert validated("--state", "state.yml", "--format", "github").output == ""


def test_every_fault_is_shown_with_its_place(folder: Path) -> None:
    (folder / "state").mkdir()
    (folder / "state" / "a.yml").write_text("tables: {t: {colums: {a: int}}}")
    (folder / "state" / "b.yml").write_text("views:\n  v: {qery: SELECT 1}\n")
    done = validated("--state", "state")
    assert done.exit_code == 1
    assert "state/a.yml:1:14: table: unknown key 'colums'" in done.output
    assert "state/b.yml:2:7: view: unknown key 'qery'" in done.output
    shown = validated("--state", "state", "--format", "github").output
    assert "::error file=state/a.yml,line=1,col=14," in shown
    assert "::error file=state/b.yml,line=2,col=7," in shown


def test_faults_of_the_settings_are_shown(folder: Path) -> None:
    (folder / "reconcile.yml").write_text("stat: state")
    done = validated()
    assert done.exit_code == 1
    assert "reconcile.yml" in done.output
    assert "stat" in done.output


def test_the_hook_runs_the_command() -> None:
    (hook,) = safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    assert hook["entry"] == "reconcile validate"
    assert not hook["pass_filenames"]
