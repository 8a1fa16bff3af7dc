"""List the words of a routine body stored as text, without a parsed form in the catalog."""

from __future__ import annotations

from functools import cache

from reconciler.model.default_path import names_in


@cache
def words(body: str) -> frozenset[str]:
    """Return the names in a body, in lower case, those in comments and strings too."""
    return frozenset(names_in(body))
