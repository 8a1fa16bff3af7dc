"""Test groups of targets, and the patterns that select targets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler.errors import SettingsError
from reconciler.inventory.limit import limited
from reconciler.settings import read, resolve_target
from tests.conftest import Database
from tests.test_several_targets import DECLARED, START
from tests.test_several_targets import settings as write_settings
from tests.test_three_way import declare, folder, run

__all__ = ["folder"]

NAMES = ("acme", "bolt", "coil_eu", "dune_eu")
TARGETS = f"targets: {{{', '.join(f'{name}: {{url: host=h}}' for name in NAMES)}}}\n"
GROUPS = """
groups:
  europe: [coil_eu, dune_eu]
  big: {members: [acme, coil_eu]}
  paying: [big, europe]
"""


@pytest.mark.parametrize(
    ("pattern", "selected"),
    [
        ("acme", "acme"),
        ("all", "acme bolt coil_eu dune_eu"),
        ("*", "acme bolt coil_eu dune_eu"),
        ("dune_eu,acme", "acme dune_eu"),
        ("europe:bolt", "bolt coil_eu dune_eu"),
        ("*_eu", "coil_eu dune_eu"),
        ("eur*", "coil_eu dune_eu"),
        ("paying", "acme coil_eu dune_eu"),
        ("big,&europe", "coil_eu"),
        ("!europe", "acme bolt"),
        ("!europe,paying", "acme"),
        ("all,!big,!none*", "bolt dune_eu"),
        ("&paying,!dune_eu", "acme coil_eu"),
        ("[ab]??[et]", "acme bolt"),
    ],
)
def test_patterns_select_targets(tmp_path: Path, pattern: str, selected: str) -> None:
    file = read(write(tmp_path, TARGETS + GROUPS))
    assert " ".join(limited([pattern], file.targets, file.groups)) == selected


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("acmee", r"no target or group is named 'acmee': did you mean acme\?"),
        ("all,!europ", r"no target or group is named 'europ': did you mean europe\?"),
        ("none*", "none\\* selects no target"),
        ("", "--limit '' has an empty pattern: `all` selects every target"),
        (",", "--limit ',' has an empty pattern"),
        ("acme, ", "--limit 'acme, ' has an empty pattern"),
        ("europe::bolt", "--limit 'europe::bolt' has an empty pattern"),
        ("bolt,&europe", "selects no target"),
        ("!", "no target or group is named ''"),
        (",".join(["all"] * 1001), "more than 1,000 patterns"),
    ],
)
def test_a_pattern_for_nothing_is_an_error(tmp_path: Path, pattern: str, message: str) -> None:
    file = read(write(tmp_path, TARGETS + GROUPS))
    with pytest.raises(SettingsError, match=message):
        limited([pattern], file.targets, file.groups)


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ("g: [acme, blot]", r"yml:3:13: groups\.g\.members\.1: .* 'blot': did you mean bolt\?"),
        ("a: [b]\n  b: [acme, c]\n  c: {members: [a]}", "yml:[345]:.*: a circle of groups: .* → "),
        ("a: [a]", r"yml:3:7: groups\.a\.members\.0: a circle of groups: a → a"),
        ("all: [acme]", "yml:3:3: groups.all: all is the group of all targets"),
        ("acme: [bolt]", "yml:3:3: groups.acme: a target has this name too"),
        ("a!b: [bolt]", "yml:3:3: groups.…: a name has 1 to 63 letters"),
        ("g: {members: acme}", "yml:3:7: groups.g.members: "),
        ("g: {nope: 1}", "yml:3:7: groups.g.nope: unknown key"),
    ],
)
def test_a_faulty_group_is_named_with_its_position(
    tmp_path: Path, groups: str, message: str
) -> None:
    with pytest.raises(SettingsError, match=message):
        read(write(tmp_path, f"{TARGETS}groups:\n  {groups}\n"))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "embedded",
            "yml:2:3: targets.embedded: embedded is the target on a server that reconcile",
        ),
        ("all", "yml:2:3: targets.all: all is the group of all targets: choose another"),
        ('""', "yml:2:3: targets.…: a name has 1 to 63 letters, digits, underscores, hyphens"),
        ('"a,b"', "targets.…: a name has 1 to 63"),
        ('"!x"', "targets.…: a name has 1 to 63"),
        ('"&x"', "targets.…: a name has 1 to 63"),
        ("a=b", "targets.…: a name has 1 to 63"),
        ("x" * 64, "targets.…: a name has 1 to 63"),
        (r'"a\nb"', "targets.…: a name has 1 to 63"),
        (r'"a\e[31m"', "targets.…: a name has 1 to 63"),
    ],
)
@pytest.mark.parametrize("section", ["targets", "groups"])
def test_a_name_that_cannot_be_selected_is_refused(
    tmp_path: Path, section: str, name: str, message: str
) -> None:
    entry = "{url: host=h}" if section == "targets" else "{}"
    with pytest.raises(SettingsError, match=message.replace("targets.", f"{section}.")) as raised:
        read(write(tmp_path, f"{section}:\n  {name}: {entry}\n"))
    assert "\x1b" not in str(raised.value)


def test_a_long_circle_is_found_soon(tmp_path: Path) -> None:
    number = 20_000
    groups = "".join(f"  g{n}: [g{(n + 1) % number}]\n" for n in range(number))
    with pytest.raises(SettingsError, match=r"a circle of groups: .* → …") as raised:
        read(write(tmp_path, f"groups:\n{groups}"))
    assert len(str(raised.value)) < 1_000


def test_a_group_is_no_target(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="europe is a group of targets: --limit europe"):
        resolve_target(read(write(tmp_path, TARGETS + GROUPS)), "europe")


def test_a_command_looks_at_the_selected_targets(
    new_database: Callable[..., Database], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = {name: new_database(START) for name in ("one", "two", "three")}
    declare(folder, DECLARED)
    write_settings(folder, monkeypatch, **{name: d.url for name, d in found.items()})
    with (folder / "reconcile.yml").open("a") as file:
        file.write("groups: {odd: [one, three]}\n")
    assert lines("--limit", "odd") == ["one", "three"]
    assert lines("--limit", "odd", "--limit", "!one") == ["three"]
    assert lines("--all", "--limit", "!odd") == ["two"]
    assert "contradict" in run("drift", "--limit", "odd", "-t", "two").stderr
    assert "did you mean odd?" in run("drift", "--limit", "od").stderr


def lines(*options: str) -> list[str]:
    """Return the first words of the recap."""
    done = run("drift", *options)
    assert done.exit_code == 0, done.output
    return [line.split()[0] for line in done.stdout.splitlines()]


def write(folder: Path, text: str) -> Path:
    file = folder / "reconcile.yml"
    file.write_text(text)
    return file
