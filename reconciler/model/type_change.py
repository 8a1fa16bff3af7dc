"""Capabilities of type changes: objects with a data type, and objects that depend on it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self

from reconciler.model.object import Object


class ChangesType(Object):
    """An object with a type that `redefine` may change: a column, a domain, a composite type."""

    def needs_dependents_dropped(self, old: Self) -> bool:
        """Tell whether PostgreSQL refuses the change while views or policies depend on it."""
        del old
        return False

    def rewrites_values(self, old: Self) -> bool:
        """Tell whether the change, if it needs dependents dropped, writes all values anew."""
        del old
        return False

    def must_recreate(self, old: Self, dependents: Iterable[Object]) -> bool:
        """Tell whether dependents rule out the change that `redefine` knows."""
        del old, dependents
        return False


class FollowsTypeChange(Object):
    """An object that PostgreSQL itself rebuilds when a column's type changes: an index."""

    def reparses_expressions(self, old: Self) -> bool:
        """Tell whether the rebuild would parse expressions of `old` that this object changes."""
        del old
        return False

    def accepts(self, dependency: Object) -> bool:
        """Tell whether a dependency is possible after a change: no key on nullable columns."""
        del dependency
        return True


class PinsType(Object):
    """An object that prevents type changes of objects it depends on: a typed table."""

    def pins_column_type(self, column: Object) -> bool:
        """Tell whether the type of a column is fixed, as in a partition key."""
        del column
        return False

    def pins_type(self, dependency: Object) -> bool:
        """Tell whether another object cannot change while this one depends on it."""
        del dependency
        return False


def needs_dependents_dropped(new: Object, old: Object) -> bool:
    """Tell whether PostgreSQL refuses a change while views or policies depend on the object."""
    if not isinstance(new, ChangesType) or not isinstance(old, ChangesType):
        return False
    return new.needs_dependents_dropped(old)


def rewrites_values(new: Object, old: Object) -> bool:
    """Tell whether a change of any object writes all values anew."""
    return (
        isinstance(new, ChangesType) and isinstance(old, ChangesType) and new.rewrites_values(old)
    )


def must_recreate(new: Object, old: Object, dependents: Iterable[Object]) -> bool:
    """Tell whether dependents rule out the change that `redefine` of any object knows."""
    if not isinstance(new, ChangesType) or not isinstance(old, ChangesType):
        return False
    return new.must_recreate(old, dependents)


def reparses_expressions(new: Object | None, old: Object) -> bool:
    """Tell whether a rebuild by PostgreSQL would parse expressions of any object that changed."""
    if not isinstance(new, FollowsTypeChange) or not isinstance(old, FollowsTypeChange):
        return False
    return new.reparses_expressions(old)


def accepts(obj: Object, dependency: Object) -> bool:
    """Tell whether any object can depend on another after its change."""
    return not isinstance(obj, FollowsTypeChange) or obj.accepts(dependency)


def pins_column_type(table: Object | None, column: Object) -> bool:
    """Tell whether any object fixes the type of a column."""
    return isinstance(table, PinsType) and table.pins_column_type(column)


def pins_type(obj: Object, dependency: Object) -> bool:
    """Tell whether another object cannot change while any object depends on it."""
    return isinstance(obj, PinsType) and obj.pins_type(dependency)
