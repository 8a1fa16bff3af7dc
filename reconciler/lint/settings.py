"""Define `lint:` of reconcile.yml, and the baseline file."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from reconciler.errors import SettingsError, Severity
from reconciler.escape import Document, json_document
from reconciler.lint.rule import Finding

MAX_BASELINE = 64 << 20  # bytes


class LintSettings(BaseModel):
    """Severities, rules that are off, the baseline, and the roles of requests."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    severity: dict[str, Severity] = Field(
        default_factory=dict, description="the severity of a rule, instead of its own"
    )
    off: dict[str, str] = Field(
        default_factory=dict, description="a rule that is not applied, and the reason"
    )
    baseline: Path | None = Field(
        default=None, description="a file of findings that are not shown: `lint --write-baseline`"
    )
    api_roles: tuple[str, ...] = Field(
        default=("anon", "authenticated"),
        description="the roles of requests from outside, if they exist",
    )

    def baseline_file(self) -> Path | None:
        """Return the baseline, which is below the working directory; raises SettingsError."""
        if self.baseline is None:
            return None
        if Path.cwd() not in self.baseline.resolve().parents:
            raise SettingsError(
                f"lint.baseline: {self.baseline} is not below reconcile.yml's folder"
            )
        return self.baseline


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
