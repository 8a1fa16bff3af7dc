"""Read what lets hazards through: --allow, and approvals.yml with the journal that counts it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from reconciler import settings
from reconciler.approvals import Allowed, read_approvals
from reconciler.cli.journal_options import (
    HAZARD_NAMES,
    HAZARDS,
    journal_option,
    journal_owner_option,
)
from reconciler.cli.options import collected
from reconciler.journal.ownership import Place
from reconciler.settings import ResolvedTarget


@dataclass(frozen=True)
class PermissionOptions:
    """What lets hazards through, and the journal that counts the uses of approvals."""

    allow: tuple[str, ...]
    journal: str | None
    journal_owner: str | None

    def place(self, target: ResolvedTarget, applier: str) -> Place | None:
        """Return the place of the journal, None for no journal.

        `applier` is the role that applies the plan, whose journal `apply` believes; "" is the
        role that plans.
        """
        schema = self.journal or target.journal
        return Place(schema, self.journal_owner or applier) if schema else None


permission_options = collected(
    "permission",
    PermissionOptions,
    click.option(
        "--allow",
        metavar="HAZARD",
        multiple=True,
        type=HAZARDS,
        help="Show what `apply` with this flag would let through; can be repeated." + HAZARD_NAMES,
    ),
    journal_option,
    journal_owner_option,
)


def read_allowed(allow: Sequence[str], state: Path | None = None) -> Allowed:
    """Read approvals.yml, which allows beside --allow; raises SettingsError."""
    folder = state or settings.read().state  # a saved plan and a rollback read nothing else of it
    return Allowed(allow, read_approvals(state=folder))
