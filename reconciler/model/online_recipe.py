"""Define online recipes: statements without the long locks of plain DDL, for busy servers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Self

from reconciler.model.context import PlanningContext
from reconciler.model.object import InlinePart, Object, with_explicit_names
from reconciler.model.ref import Ref
from reconciler.model.statement import Statement


class OnlineRecipe(Object):
    """An object created or dropped without long locks by statements of the kind's own."""

    def define_online(
        self, context: PlanningContext, parts: Sequence[InlinePart] = ()
    ) -> Iterable[Statement]:
        """Create the object without long locks."""
        return self.define(context, parts)

    def remove_online(self, context: PlanningContext) -> Iterable[Statement]:
        """Drop the object without long locks."""
        return self.remove(context)

    def define_replacement(self, old: Self | None, context: PlanningContext) -> Iterable[Statement]:
        """Create the object in the transaction dropping `old`, or dropping a dependency."""
        del old
        return self.define(context)

    def reuses(self, old: Self | None, context: PlanningContext) -> frozenset[Ref]:
        """Return existing objects reused as parts: leftovers, indexes of partitions."""
        del old, context
        return frozenset()

    def replaces_object(self, old: Self) -> bool:
        """Tell whether `redefine` builds a new object and drops `old` with the deferred part."""
        del old
        return False

    def create(
        self, context: PlanningContext, parts: Sequence[InlinePart] = (), *, online: bool = True
    ) -> list[Statement]:
        """Create the object as `Object.create` does, without long locks if `online`."""
        if not online:
            return super().create(context, parts, online=False)
        parts = with_explicit_names(parts, context)
        return self.created_by(self.define_online(context, parts), parts, context)

    def recreate(
        self, old: Self | None, context: PlanningContext, parts: Sequence[InlinePart] = ()
    ) -> list[Statement]:
        """Create the object as part of a replacement, with owner, comment and privileges."""
        if parts:
            return self.create(context, parts, online=False)
        return self.created_by(self.define_replacement(old, context), (), context)

    def removal(self, context: PlanningContext, *, online: bool) -> Iterable[Statement]:
        """Drop the object, `online` without long locks."""
        return self.remove_online(context) if online else self.remove(context)


def reuses(obj: Object, old: Object | None, context: PlanningContext) -> frozenset[Ref]:
    """Return existing objects reused as parts of any object."""
    if not isinstance(obj, OnlineRecipe):
        return frozenset()
    return obj.reuses(old if isinstance(old, OnlineRecipe) else None, context)


def recreate(
    obj: Object, old: Object | None, context: PlanningContext, parts: Sequence[InlinePart]
) -> list[Statement]:
    """Create any object as part of a replacement, with owner, comment and privileges."""
    if not isinstance(obj, OnlineRecipe):
        return obj.create(context, parts, online=False)
    return obj.recreate(old if isinstance(old, OnlineRecipe) else None, context, parts)


def replaces_object(new: Object | None, old: Object | None) -> bool:
    """Tell whether altering any object builds a new object and drops `old`."""
    if not isinstance(new, OnlineRecipe) or not isinstance(old, OnlineRecipe):
        return False
    return new.replaces_object(old)
