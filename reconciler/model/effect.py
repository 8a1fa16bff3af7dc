"""Find declared objects and fields without an effect in PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.model.object import Object
from reconciler.model.ref import Ref


class MayHaveNoEffect(Object):
    """An object that has an effect only together with another: a policy with row security."""

    def without_effect(self, desired: Mapping[Ref, Object]) -> str | None:
        """Explain why the object or a field has no effect; None for an effect."""
        raise NotImplementedError


def without_effect(obj: Object, desired: Mapping[Ref, Object]) -> str | None:
    """Tell people why any object has no effect; None if it has."""
    return obj.without_effect(desired) if isinstance(obj, MayHaveNoEffect) else None
