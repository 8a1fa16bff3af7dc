"""Define capabilities of type changes: objects with a data type, and dependents of the type."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self

from reconciler.model.object import Object


class ChangesType(Object):
    """An object with a type changed by `redefine`: a column, a domain, a composite type."""

    def needs_dependents_dropped(self, old: Self) -> bool:
        """Tell whether PostgreSQL refuses the change while views or policies are dependents."""
        del old
        return False

    def rewrites_values(self, old: Self) -> bool:
        """Tell whether the change rewrites all values, if dependents must be dropped."""
        del old
        return False

    def must_recreate(self, old: Self, dependents: Iterable[Object]) -> bool:
        """Tell whether dependents rule out `redefine`."""
        del old, dependents
        return False


class FollowsTypeChange(Object):
    """An object rebuilt by PostgreSQL when a column's type changes: an index."""

    def reparses_expressions(self, old: Self) -> bool:
        """Tell whether the rebuild would parse expressions of `old` changed in `self`."""
        del old
        return False

    def accepts(self, dependency: Object) -> bool:
        """Tell whether a dependency is possible after a change: no key on nullable columns."""
        del dependency
        return True


class PinsType(Object):
    """An object preventing type changes of dependencies: a typed table."""

    def pins_column_type(self, column: Object) -> bool:
        """Tell whether the type of a column is fixed, as in a partition key."""
        del column
        return False

    def pins_type(self, dependency: Object) -> bool:
        """Tell whether the object, as a dependent, prevents changes of `dependency`."""
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
    """Tell whether dependents rule out `redefine` of any object."""
    if not isinstance(new, ChangesType) or not isinstance(old, ChangesType):
        return False
    return new.must_recreate(old, dependents)


def reparses_expressions(new: Object | None, old: Object) -> bool:
    """Tell whether a rebuild by PostgreSQL would parse changed expressions of any object."""
    if not isinstance(new, FollowsTypeChange) or not isinstance(old, FollowsTypeChange):
        return False
    return new.reparses_expressions(old)


def accepts(obj: Object, dependency: Object) -> bool:
    """Tell whether any object can depend on `dependency`, the state after a change."""
    return not isinstance(obj, FollowsTypeChange) or obj.accepts(dependency)


def pins_column_type(table: Object | None, column: Object) -> bool:
    """Tell whether any object fixes the type of a column."""
    return isinstance(table, PinsType) and table.pins_column_type(column)


def pins_type(obj: Object, dependency: Object) -> bool:
    """Tell whether any object, as a dependent, prevents changes of `dependency`."""
    return isinstance(obj, PinsType) and obj.pins_type(dependency)
