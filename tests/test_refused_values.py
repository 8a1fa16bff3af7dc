"""Test that empty text and `nan` are refused in all options, variables and keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest

from reconciler.cli.group import COMMANDS, main
from tests.conftest import Database
from tests.test_several_targets import settings
from tests.test_three_way import declare, folder, run

__all__ = ["folder"]

START = "CREATE TABLE t (a text)"
DECLARED = "tables: {t: {columns: {a: text, b: text}}}"


@pytest.fixture
def databases(
    new_database: Callable[..., Database], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, Database]:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    found = {name: new_database(START) for name in ("one", "two")}
    settings(folder, monkeypatch, **{name: d.url for name, d in found.items()})
    declare(folder, DECLARED)
    monkeypatch.setenv("PGHOST", "nowhere.invalid")
    return found


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--limit", ""), "--limit is empty: leave it out, or give a value"),
        (("--limit=",), "--limit is empty"),
        (("--limit", " "), "--limit is empty"),
        (("--limit", ","), "--limit ',' has an empty pattern"),
        (("--limit", "one", "--limit", ""), "--limit is empty"),
        (("--limit", "all,"), "--limit 'all,' has an empty pattern"),
        (("--all", "--tags", ""), "--tags is empty"),
        (("--all", "--tags", "a,,b"), "--tags 'a,,b' has an empty tag"),
        (("--all", "--shard", ""), "--shard is empty"),
        (("--all", "--schema", ""), "--schema is empty"),
        (("--all", "--serial", ""), "--serial is empty"),
        (("--all", "--executor", ""), "--executor is empty"),
        (("--all", "--state", ""), "--state is empty"),
        (("--target", ""), "--target is empty"),
        (("-t", ""), "--target is empty"),
        (("",), "[PLAN.json] is empty"),
    ],
)
def test_apply_does_nothing(
    databases: dict[str, Database], options: tuple[str, ...], message: str
) -> None:
    done = run("apply", *options, "--yes")
    assert done.exit_code == 1, done.output
    assert message in done.stderr
    for database in databases.values():
        assert database.value("SELECT count(*) FROM pg_attribute WHERE attname = 'b'") == 0


def test_an_empty_url_of_the_database_is_refused(
    databases: dict[str, Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    del databases
    monkeypatch.setenv("DATABASE_URL", "")
    done = run("apply", "--yes")
    assert done.exit_code == 1, done.output
    assert "DATABASE_URL is empty: unset the variable, or give it a value" in done.stderr


def test_an_empty_variable_of_an_option_leaves_the_option_out(
    databases: dict[str, Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pipelines set such a variable from a secret, which is empty where there is none."""
    del databases
    for variable in (
        *("RECONCILE_SCRATCH", "RECONCILE_FILES_ROOT", "RECONCILE_VERIFY_URL"),
        *("RECONCILE_RESULTS", "RECONCILE_JOURNAL_OWNER", "RECONCILE_WEBHOOK"),
    ):
        monkeypatch.setenv(variable, "")
    for command in ("plan", "drift", "verify"):
        done = run(command, "--target", "one")
        assert done.exit_code == 2, done.output


@pytest.mark.parametrize("variable", ["RECONCILE_INVENTORY", "RECONCILE_INVENTORY_COMMAND"])
def test_an_empty_source_is_refused(
    databases: dict[str, Database], monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    del databases
    monkeypatch.setenv(variable, "")
    done = run("inventory")
    assert done.exit_code == 1, done.output
    assert f"{variable} is empty" in done.stderr


def test_an_empty_key_signs_nothing(
    databases: dict[str, Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    del databases
    monkeypatch.setenv("RECONCILE_PLAN_KEY", "")
    done = run("plan", "--target", "one", "--format", "json")
    assert done.exit_code == 1, done.output
    assert "RECONCILE_PLAN_KEY is empty" in done.stderr


def test_an_empty_format_of_the_log_is_refused() -> None:
    done = run("plan", "--log-format", "")
    assert done.exit_code == 1, done.output
    assert "--log-format is empty" in done.stderr


def test_an_option_goes_before_an_empty_variable(
    databases: dict[str, Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    del databases
    monkeypatch.setenv("DATABASE_URL", "")
    monkeypatch.setenv("RECONCILE_SCRATCH", "")
    done = run("plan", "--target", "one", "--scratch", "embedded")
    assert done.exit_code == 2, done.output


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("target: ''", "reconcile.yml:1:1: target: empty text"),
        ("targets: {a: {url: ''}}", "targets.a.url: empty text"),
        ("targets: {a: {url: ' '}}", "targets.a.url: empty text"),
        ("targets: {a: {url: host=h, journal: ''}}", "targets.a.journal: empty text"),
        ("schemas: ['']", "schemas.0: empty text"),
    ],
)
def test_an_empty_key_is_refused(folder: Path, text: str, message: str) -> None:
    (folder / "reconcile.yml").write_text(text)
    done = run("plan")
    assert done.exit_code == 1, done.output
    assert message in done.stderr


def commands() -> Iterator[tuple[str, click.Command]]:
    context = click.Context(main)
    for name in COMMANDS:
        command = main.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            inner = command.commands.items()
            yield from ((f"{name} {own}", each) for own, each in inner)
        else:
            yield name, command


@pytest.mark.parametrize(("name", "command"), [*commands()])
def test_every_option_with_a_value_refuses_empty_text(name: str, command: click.Command) -> None:
    for parameter in command.params:
        if isinstance(parameter, click.Option) and not (parameter.is_flag or parameter.count):
            option = max(parameter.opts, key=len)
            done = run(*name.split(), option, "")
            assert done.exit_code == 1, option
            assert f"{option} is empty" in done.stderr, done.output


@pytest.mark.parametrize(("name", "command"), [*commands()])
@pytest.mark.parametrize("number", ["nan", "inf", "-inf"])
def test_every_option_for_a_number_takes_finite_ones(
    name: str, command: click.Command, number: str
) -> None:
    for parameter in command.params:
        if isinstance(parameter.type, click.types.FloatParamType):
            option = max(parameter.opts, key=len)
            done = run(*name.split(), option, number)
            assert done.exit_code == 1, option
            assert f"Invalid value for '{option}'" in done.stderr, done.output


@pytest.mark.parametrize(
    "text",
    [
        "rollout: {max_fail_percentage: .nan}",
        "lock_timeout: .inf",
        "retry_for: .inf",
        "statement_timeout: .nan",
        "targets: {a: {url: host=h, retry_for: .inf}}",
    ],
)
def test_numbers_of_the_settings_are_finite(folder: Path, text: str) -> None:
    (folder / "reconcile.yml").write_text(text)
    done = run("plan")
    assert done.exit_code == 1, done.output
    assert "finite number" in done.stderr
