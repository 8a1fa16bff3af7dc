"""Test settings: flags, then environment, then file; errors name the key."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.errors import SettingsError
from reconciler.server.locks import LockPolicy
from reconciler.server.redaction import redacted
from reconciler.settings import read, resolve_target

FILE = """
target: staging
targets:
  staging: {url: "postgresql://staging/app", lock_timeout: 1}
  production: {url: "${PRODUCTION_URL}"}
retry_for: 60
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "reconcile.yml"
    path.write_text(FILE)
    return path


def test_flag_then_environment_then_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = read(file)
    assert redacted(resolve_target(settings, None).url) == "postgresql://staging/app"
    monkeypatch.setenv("DATABASE_URL", "postgresql://env/app")
    assert resolve_target(settings, None).url == "postgresql://env/app"
    assert resolve_target(settings, "postgresql://flag/app").url == "postgresql://flag/app"
    monkeypatch.setenv("PRODUCTION_URL", "postgresql://prod/app")
    assert resolve_target(settings, "production").url == "postgresql://prod/app"


def test_timeouts_come_from_target_then_file_then_defaults(file: Path) -> None:
    assert resolve_target(read(file), "staging").lock_policy == LockPolicy(
        lock=1, total=60, statement=LockPolicy().statement
    )


def test_libpq_variables_are_left_to_libpq(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PGHOST", "somewhere")
    assert resolve_target(read(tmp_path / "none.yml"), None).url == ""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("targets: {a: {}}", "targets.a.url"),
        ("lock_timeout: -1", "lock_timeout"),
        ("nope: 1", "reconcile.yml:1:1: nope"),
        ("journal: off", "false"),
        ("targets: {a: {url: x, nope: 1}}", "reconcile.yml:1:23: targets.a.nope"),
        ("a: [", "reconcile.yml"),
    ],
)
def test_a_wrong_file_is_named_with_its_key(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "reconcile.yml"
    path.write_text(text)
    with pytest.raises(SettingsError, match=message):
        read(path)


def test_an_unknown_target_lists_the_known_ones(file: Path) -> None:
    with pytest.raises(SettingsError, match="staging, production, embedded"):
        resolve_target(read(file), "prodution")


def test_a_missing_target_lists_the_possibilities(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="DATABASE_URL"):
        resolve_target(read(tmp_path / "none.yml"), None)
