"""The results of checks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Status = Literal["passed", "failed", "vacuous"]


@dataclass(frozen=True)
class Finding:
    """A reason why an assertion did not pass, with the query.

    `failed` says that something was otherwise than declared, `vacuous` that there was nothing to
    look at.
    """

    status: Status
    complaint: str


@dataclass(frozen=True)
class Result:
    """The result of a check: a finding for every assertion that did not pass."""

    name: str
    findings: tuple[Finding, ...] = ()
    seconds: float = 0.0

    @property
    def status(self) -> Status:
        """A failure counts more than a vacuous assertion."""
        found = {f.status for f in self.findings}
        return "failed" if "failed" in found else "vacuous" if found else "passed"

    @property
    def passed(self) -> bool:
        """Whether every assertion passed; a vacuous one did not."""
        return not self.findings

    @property
    def complaint(self) -> str:
        """All complaints, a line each."""
        return "\n".join(f.complaint for f in self.findings)
