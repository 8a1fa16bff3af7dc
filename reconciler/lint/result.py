"""Hold the result of a lint: findings to fix, accepted findings, and those of the baseline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reconciler.lint.rule import Finding


@dataclass(frozen=True)
class Accepted:
    """A finding accepted by a declaration or the settings, with the reason."""

    finding: Finding
    reason: str


@dataclass(frozen=True)
class LintResult:
    """The findings to fix, the accepted findings, and the findings of the baseline.

    `notes` tell what could not be looked at. `measured` are the findings of the rules that ask for
    statistics, sizes or numbers used, in scope or not. `is_repeatable`: apart from these the result
    follows from the catalogs, the files, and programs on this machine.
    """

    findings: Sequence[Finding]
    accepted: Sequence[Accepted] = ()
    known: Sequence[Finding] = ()
    notes: Sequence[str] = ()
    measured: Sequence[Finding] = ()
    is_repeatable: bool = False
