"""Read environment variables, of which an empty one is an error.

Where a variable names a database or a file, a pipeline sets it from a secret or an expression: one
that came out empty must not choose what holds without the variable.
"""

from __future__ import annotations

import os

from reconciler.errors import SettingsError


def environment_value(name: str) -> str | None:
    """Return the value of an environment variable, None if it is not set.

    Raises SettingsError for an empty value.
    """
    value = os.environ.get(name)
    if value is not None and not value.strip():
        raise SettingsError(f"{name} is empty: unset the variable, or give it a value")
    return value
