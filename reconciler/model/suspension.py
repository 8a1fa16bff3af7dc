"""Suspension: objects with data release an object that is replaced, and are not dropped for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Self

from reconciler.model.context import PlanningContext
from reconciler.model.object import Object
from reconciler.model.statement import Statement, TypeConversion


class Suspendable(Object):
    """An object that gives up a dependency, or a name, for a moment: a column its default."""

    def suspend(self, context: PlanningContext) -> Iterable[Statement] | None:
        """Release the objects that may be replaced; None if the object must be recreated."""
        del context
        return None

    def restore(
        self, old: Self, conversions: Mapping[str, TypeConversion], context: PlanningContext
    ) -> Iterable[Statement]:
        """Turn `old`, suspended, into this object; `conversions` holds those of replaced data types, by name."""
        del old, conversions, context
        return ()

    def after_restore(self, old: Self, context: PlanningContext) -> Self:
        """Return `old` as it is after `restore`; an ALTER does the rest."""
        del old, context
        return self

    def free_name(
        self, new: Self, context: PlanningContext
    ) -> tuple[Self, Iterable[Statement]] | None:
        """Release a name or a partition bound that `new` does not have and another may take.

        Return the object without it and the statements; None if the object keeps all of them.
        """
        del new, context
        return None


def suspend(obj: Object, context: PlanningContext) -> list[Statement] | None:
    """Release the objects that may be replaced; None if any object must be recreated."""
    found = obj.suspend(context) if isinstance(obj, Suspendable) else None
    return None if found is None else list(found)


def free_name(
    obj: Object, new: Object, context: PlanningContext
) -> tuple[Object, Iterable[Statement]] | None:
    """Release a name or a partition bound of any object that `new` does not have."""
    if not isinstance(obj, Suspendable) or not isinstance(new, Suspendable):
        return None
    return obj.free_name(new, context)


def restore(
    obj: Object, old: Object, conversions: Mapping[str, TypeConversion], context: PlanningContext
) -> list[Statement]:
    """Turn `old`, suspended, into any object; `conversions` holds those of replaced data types, by name."""
    if not isinstance(obj, Suspendable) or not isinstance(old, Suspendable):
        return []
    return list(obj.restore(old, conversions, context))


def restored(obj: Object, old: Object, context: PlanningContext) -> Object:
    """Return `old` as it is after `restore`."""
    if not isinstance(obj, Suspendable) or not isinstance(old, Suspendable):
        return obj
    return obj.after_restore(old, context)
