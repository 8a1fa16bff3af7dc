"""Compare the options of the module for Ansible with those of the command line."""

from __future__ import annotations

import ast
from typing import Any

import click
from yaml import safe_load

from reconciler.cli import main
from tests.conftest import ROOT

MODULE = ROOT / "examples" / "ansible" / "plugins" / "modules" / "reconcile.py"
NAMES = {"schemas": "schema"}
OWN = {"url", "scratch_url", "verify_url", "chdir", "executable"}


def documented() -> dict[str, Any]:
    """Return the options in the documentation of the module."""
    for node in ast.parse(MODULE.read_text()).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "DOCUMENTATION":
            return safe_load(ast.literal_eval(node.value))["options"]
    raise AssertionError("no documentation")


def test_plan_and_apply_take_the_options_of_the_module() -> None:
    options = {NAMES.get(name, name) for name in documented() if name not in OWN}
    assert options
    context = click.Context(main)
    for name in ("plan", "apply"):
        command = main.get_command(context, name)
        assert command is not None
        flags = {flag for parameter in command.params for flag in parameter.opts}
        assert {f"--{option}" for option in options} <= flags


def test_the_module_knows_all_hazards() -> None:
    command = main.get_command(click.Context(main), "apply")
    assert command is not None
    (allow,) = [parameter for parameter in command.params if "--allow" in parameter.opts]
    assert isinstance(allow.type, click.Choice)
    assert documented()["allow"]["choices"] == [*allow.type.choices]
