"""Define suspension: objects with data release a replaced object, instead of being dropped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Self

from reconciler.model.context import PlanningContext
from reconciler.model.object import Object
from reconciler.model.statement import Statement, TypeConversion


class Suspendable(Object):
    """An object able to give up a dependency or a name for a while: a column with a default."""

    def suspend(self, context: PlanningContext) -> Iterable[Statement] | None:
        """Release the objects to be replaced; None if the object must be recreated instead."""
        del context
        return None

    def restore(
        self, old: Self, conversions: Mapping[str, TypeConversion], context: PlanningContext
    ) -> Iterable[Statement]:
        """Turn suspended `old` into `self`; `conversions` are by name of the replaced data type."""
        del old, conversions, context
        return ()

    def after_restore(self, old: Self, context: PlanningContext) -> Self:
        """Return the state of `old` after `restore`, from which an ALTER leads to `self`."""
        del old, context
        return self

    def free_name(
        self, new: Self, context: PlanningContext
    ) -> tuple[Self, Iterable[Statement]] | None:
        """Release a name or a partition bound missing from `new`, for use by another object.

        Return the object without the name or bound, and the statements; None if the object keeps
        every name and the bound.
        """
        del new, context
        return None


def suspend(obj: Object, context: PlanningContext) -> list[Statement] | None:
    """Release the objects to be replaced; None if any object must be recreated instead."""
    found = obj.suspend(context) if isinstance(obj, Suspendable) else None
    return None if found is None else list(found)


def free_name(
    obj: Object, new: Object, context: PlanningContext
) -> tuple[Object, Iterable[Statement]] | None:
    """Release any object's name or partition bound, if missing from `new`."""
    if not isinstance(obj, Suspendable) or not isinstance(new, Suspendable):
        return None
    return obj.free_name(new, context)


def restore(
    obj: Object, old: Object, conversions: Mapping[str, TypeConversion], context: PlanningContext
) -> list[Statement]:
    """Turn suspended `old` into any object; `conversions` are by name of the replaced data type."""
    if not isinstance(obj, Suspendable) or not isinstance(old, Suspendable):
        return []
    return list(obj.restore(old, conversions, context))


def restored(obj: Object, old: Object, context: PlanningContext) -> Object:
    """Return the state of `old` after `restore`."""
    if not isinstance(obj, Suspendable) or not isinstance(old, Suspendable):
        return obj
    return obj.after_restore(old, context)
