"""Tell which fields of an object decide who may do what."""

from __future__ import annotations

from typing import ClassVar

from reconciler.model.object import Object
from reconciler.model.owned import Grantable, Owned


class DecidesAccess(Object):
    """An object that decides who may do what, by the fields in `access_fields`; empty: by all."""

    access_fields: ClassVar[frozenset[str]] = frozenset()

    def decides_access(self, field: str = "") -> bool:
        """Tell whether a field decides who may do what, or without one, the whole object."""
        return not self.access_fields or field in self.access_fields


def decides_access(obj: Object | None, field: str = "") -> bool:
    """Tell whether a field of any object decides who may do what, or the whole object."""
    if isinstance(obj, DecidesAccess) and obj.decides_access(field):
        return True
    return (isinstance(obj, Owned) and field == "owner") or (
        isinstance(obj, Grantable) and field == "grants"
    )
