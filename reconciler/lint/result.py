"""Hold the result of a lint: what is to be mended, what is accepted, and what was there before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reconciler.lint.rule import Finding


@dataclass(frozen=True)
class Accepted:
    """A finding that a declaration or the settings accept, with their reason."""

    finding: Finding
    reason: str


@dataclass(frozen=True)
class LintResult:
    """The findings to be mended, the accepted ones, and those of the baseline.

    `notes` tell what could not be looked at.
    """

    findings: Sequence[Finding]
    accepted: Sequence[Accepted] = ()
    known: Sequence[Finding] = ()
    notes: Sequence[str] = ()
