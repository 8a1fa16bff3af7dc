"""Define the deferred part of an object, created after referenced objects (pg_dump: post-data)."""

from __future__ import annotations

from collections.abc import Iterable, Set
from typing import Self

from reconciler.model.context import PlanningContext
from reconciler.model.object import Object
from reconciler.model.ref import Ref
from reconciler.model.statement import Statement, undoable


class Deferred(Object):
    """An object with a deferred part: a sequence with OWNED BY, set after the column exists."""

    def define_deferred(self, old: Self | None, context: PlanningContext) -> Iterable[Statement]:
        """Create or alter the deferred part."""
        raise NotImplementedError

    def deferred_needs(self) -> frozenset[Ref]:
        """Return the objects referenced by the deferred part only, not by CREATE."""
        return frozenset()

    def deferred_on(self, needed: Set[Ref]) -> Self:
        """Return the object with the deferred part as far as it refers to `needed`."""
        del needed
        return self

    def remove_deferred(self, context: PlanningContext) -> Iterable[Statement]:
        """Drop the deferred part, before DROP of referenced objects would drop the object too."""
        del context
        return ()

    def deferred_statements(self, old: Self | None, context: PlanningContext) -> list[Statement]:
        """Create or alter the deferred part, with undo statements."""

        def undo() -> Iterable[Statement]:
            if old is None:
                return self.remove_deferred(context)
            return old.define_deferred(self, context)

        return undoable(self.define_deferred(old, context), undo)


class CreatedAsShell(Deferred):
    """An object created as a shell, and completed by its deferred part: a base type.

    Until then only what the deferred part needs may use it. Its functions that use it are dropped
    together with it, since neither can be dropped alone.
    """

    def unproven(self) -> Iterable[str]:
        """Yield what a proof on scratch leaves open, as clauses about the object."""
        raise NotImplementedError


def deferred_statements(
    obj: Object, old: Object | None, context: PlanningContext
) -> list[Statement]:
    """Create or alter the deferred part of any object, with undo statements."""
    if not isinstance(obj, Deferred):
        return []
    return obj.deferred_statements(old if isinstance(old, Deferred) else None, context)


def deferred_needs(obj: Object) -> frozenset[Ref]:
    """Return the objects referenced by the deferred part of any object."""
    return obj.deferred_needs() if isinstance(obj, Deferred) else frozenset()


def deferred_on(obj: Object, needed: Set[Ref]) -> Object:
    """Return any object with the deferred part as far as it refers to `needed`."""
    return obj.deferred_on(needed) if isinstance(obj, Deferred) else obj


def define_deferred(obj: Object, context: PlanningContext) -> Iterable[Statement]:
    """Create the deferred part of any object."""
    return obj.define_deferred(None, context) if isinstance(obj, Deferred) else ()


def remove_deferred(obj: Object, context: PlanningContext) -> Iterable[Statement]:
    """Drop the deferred part of any object."""
    return obj.remove_deferred(context) if isinstance(obj, Deferred) else ()
