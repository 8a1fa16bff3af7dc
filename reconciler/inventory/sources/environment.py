"""Read targets from environment variables with a common prefix."""

from __future__ import annotations

import os
import re

from reconciler.errors import SettingsError
from reconciler.inventory.inventory import Entry
from reconciler.inventory.target import Target, fault_of_name

PREFIX = re.compile(r"RECONCILE_[A-Z0-9_]*_")


def with_prefix(prefix: str) -> list[tuple[str, Entry]]:
    """Return a target for each variable, named by the rest of the variable's name in lower case.

    RECONCILE_TENANT_ACME holds the URL of the target acme. Raises SettingsError.
    """
    found: list[tuple[str, Entry]] = []
    for variable in sorted(os.environ):
        name = variable.removeprefix(prefix).lower()
        if not variable.startswith(prefix) or not os.environ[variable]:
            continue
        if message := fault_of_name(name):
            raise SettingsError(f"the environment's {variable} names no target: {message}")
        found.append((name, Entry(Target(url=f"${{{variable}}}"), f"{prefix}…")))
    return found
