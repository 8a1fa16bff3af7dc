"""Let undeclared objects follow a declared one: the sequence of a serial column."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

from reconciler.model.object import Object
from reconciler.model.ref import Ref

Objects = Mapping[Ref, Object]


class Companion(Object):
    """An object that exists for the sake of another, and is usually not declared itself."""

    def goes_along(self, live: Objects, desired: Objects) -> bool:
        """Return whether the object is dropped because the other no longer needs it."""
        raise NotImplementedError

    def moves_with(self) -> frozenset[Ref]:
        """Return the tables with which PostgreSQL moves the object to another schema."""
        raise NotImplementedError

    def following(self, live: Objects, desired: Objects) -> Self:
        """Return the object as the change of the other requires."""
        raise NotImplementedError

    def shortfall(self, desired: Objects) -> str | None:
        """Tell people how the object falls short of the other; None if it does not."""
        raise NotImplementedError


class GoesWithColumns(Object):
    """An object dropped by PostgreSQL with any of the columns used by the object."""


def goes_along(obj: Object, live: Objects, desired: Objects) -> bool:
    """Return whether any undeclared object is dropped along with another."""
    return isinstance(obj, Companion) and obj.goes_along(live, desired)


def following(obj: Object, live: Objects, desired: Objects) -> Object:
    """Return any undeclared object as the change of another requires."""
    return obj.following(live, desired) if isinstance(obj, Companion) else obj


def shortfall(obj: Object, desired: Objects) -> str | None:
    """Tell people how any object falls short of another; None if it does not."""
    return obj.shortfall(desired) if isinstance(obj, Companion) else None
