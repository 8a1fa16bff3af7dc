"""Readers of YAML 1.1, such as PyYAML, read our files and exports as `reconcile` does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from reconciler import pipeline
from reconciler.declare.dump import dump_yaml
from reconciler.declare.json_schema import json_schema
from tests.conftest import ROOT, Database
from tests.test_export import EVERYTHING

OWN = sorted((ROOT / "desired_state").rglob("*.yml"))
VALIDATOR: Any = Draft202012Validator(json_schema())
SWITCHES = (
    "on",
    "off",
    "yes",
    "no",
    "y",
    "n",
    "On",
    "NO",
    "true",
    "null",
    "~",
    "2020-01-01",
    "010",
)
NUMBERS = ("1_000", "12:30:45", "0x1F", "1e3", ".5", "+1", "0o7", "=", "<<")


def faults(file: Path) -> list[str]:
    return [error.message for error in VALIDATOR.iter_errors(yaml.safe_load(file.read_text()))]


@pytest.mark.parametrize("file", OWN, ids=lambda p: p.name)
def test_our_files_are_valid_for_pyyaml(file: Path) -> None:
    assert faults(file) == []


def test_exports_are_valid_for_pyyaml(conversations: Database, tmp_path: Path) -> None:
    conversations.run("""
        CREATE TABLE "on" ("yes" int, no date DEFAULT '2020-01-01', "12:30" int);
        CREATE INDEX off ON "on" ("yes") WHERE "12:30" > 0;
        CREATE STATISTICS n ON "yes", no FROM "on"
        """)
    pipeline.export_state(conversations.url, EVERYTHING, tmp_path)
    files = [*tmp_path.rglob("*.yml")]
    assert files
    assert {file.name: found for file in files if (found := faults(file))} == {}
    table = yaml.safe_load((tmp_path / "public" / "tables.yml").read_text())["tables"]["on"]
    assert table["columns"].keys() == {"yes", "no", "12:30"}
    assert table["indexes"]["off"]["columns"] == ["yes"]


@pytest.mark.parametrize("text", [*SWITCHES, *NUMBERS])
def test_texts_are_texts_for_both(text: str) -> None:
    content: dict[str, Any] = {text: text, "list": [text], "map": {text: {"deeper": text}}}
    assert yaml.safe_load(dump_yaml(content)) == content
