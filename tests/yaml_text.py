"""Declarations that tests build as Python values, written as YAML."""

from __future__ import annotations

from typing import Any, cast

import yaml


def as_yaml(content: object) -> str:
    """Return the YAML document of plain Python values; mappings keep their order."""
    return cast("Any", yaml).safe_dump(content, sort_keys=False)  # its stubs are partly untyped
