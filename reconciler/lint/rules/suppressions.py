"""The rule about suppressions of rules."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.lint.database import Database
from reconciler.lint.rule import Found, rule


@rule(
    "unused-suppression",
    "note",
    """A suppression without a finding hides the next one. The findings come from
    `reconciler.lint.accept`, which alone knows what was suppressed.""",
)
def unused_suppression(_: Database) -> Iterator[Found]:
    """Find a rule under `lint: {allow: …}` that finds nothing there."""
    return iter(())
