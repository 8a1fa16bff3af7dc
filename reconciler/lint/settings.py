"""Define `lint:` of reconcile.yml.

A plain dataclass, which pydantic validates as a part of the settings: without a reconcile.yml, no
database has to wait for pydantic.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from reconciler.errors import SettingsError, Severity


def _described(description: str) -> Mapping[str, str]:
    """Return the metadata of a field that pydantic reads."""
    return {"description": description}


@dataclass(frozen=True)
class LintSettings:
    """Severities, rules that are off, the baseline, and the roles of requests."""

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012 - pydantic's name for it

    severity: dict[str, Severity] = field(
        default_factory=dict[str, Severity],
        metadata=_described("the severity of a rule, instead of its own"),
    )
    off: dict[str, str] = field(
        default_factory=dict[str, str],
        metadata=_described("a rule that is not applied, and the reason"),
    )
    baseline: Path | None = field(
        default=None,
        metadata=_described("a file of findings that are not shown: `lint --write-baseline`"),
    )
    api_roles: tuple[str, ...] = field(
        default=("anon", "authenticated"),
        metadata=_described("the roles of requests from outside, if they exist"),
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
