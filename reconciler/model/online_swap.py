"""Online swap: a shadow is created, kept in sync by a trigger, filled, and takes the name over."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self

from reconciler.errors import PlanError
from reconciler.model.context import PlanningContext
from reconciler.model.object import Object
from reconciler.model.statement import Statement


class SwappedOnline(Object):
    """An object that an online swap can alter, if its declaration asks for that."""

    def shadow(self, old: Object, context: PlanningContext) -> str:
        """Return the name of the shadow of `old`, "" to alter `old` in place.

        Raises PlanError if a swap is asked for and impossible.
        """
        raise NotImplementedError

    def unable(self, why: str) -> PlanError:
        """Return the error for a swap that is impossible."""
        return PlanError(
            f"{self.ref} cannot get its new type online: {why}; "
            "leave `retype` out, and its table is rewritten under lock",
            objects=[str(self.ref)],
        )

    def swap(self, old: Object, context: PlanningContext) -> Iterable[Statement]:
        """Create and fill the shadow, then swap it for `old` in one short transaction."""
        raise NotImplementedError

    def after_swap(self, old: Object) -> Self:
        """Return `old` as it is after `swap`; an ALTER does the rest."""
        raise NotImplementedError
