"""Write and read the baseline file: findings that are not shown."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from reconciler.errors import SettingsError
from reconciler.escape import Document, json_document
from reconciler.lint.rule import Finding

MAX_BASELINE = 64 << 20  # bytes


class _Known(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    rule: str
    object: str
    message: str


class _Baseline(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int
    findings: tuple[_Known, ...]


def baseline_document(findings: Iterable[Finding]) -> Document:
    """Make the baseline file of findings."""
    known = [{"rule": f.rule, "object": f.identity, "message": f.message} for f in findings]
    return json_document({"version": 1, "findings": known})


def read_baseline(file: Path) -> Counter[tuple[str, str]]:
    """Count the findings of a baseline file by rule and object; raises SettingsError.

    A message may hold numbers that grow, so it is not compared.
    """
    try:
        with file.open("rb") as opened:
            content: Any = json.loads(opened.read(MAX_BASELINE))
        baseline = _Baseline.model_validate(content)
    except FileNotFoundError:
        raise SettingsError(f"lint.baseline: there is no {file}: `lint --write-baseline`") from None
    except OSError as error:
        raise SettingsError(f"lint.baseline: {file}: {error.strerror}") from None
    except (ValueError, RecursionError, ValidationError):
        message = f"lint.baseline: {file} is no baseline: `lint --write-baseline` writes one"
        raise SettingsError(message) from None
    return Counter((known.rule, known.object) for known in baseline.findings)
