"""Define the online swap: create a shadow, sync by trigger, fill, and rename to the final name."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self

from reconciler.errors import PlanError
from reconciler.model.context import PlanningContext
from reconciler.model.object import Object
from reconciler.model.statement import Statement


class SwappedOnline(Object):
    """An object to be altered by an online swap, if declared with `retype`."""

    def shadow(self, old: Object, context: PlanningContext) -> str:
        """Return the name of the shadow of `old`, "" to alter `old` in place.

        Raises PlanError if a swap is asked for and impossible.
        """
        raise NotImplementedError

    def unable(self, why: str) -> PlanError:
        """Return the error for an impossible swap."""
        return PlanError(
            f"{self.ref} cannot get its new type online: {why}; "
            "leave `retype` out, and its table is rewritten under lock",
            objects=[str(self.ref)],
        )

    def swap(self, old: Object, context: PlanningContext) -> Iterable[Statement]:
        """Create and fill the shadow, then swap shadow and `old` in a short transaction."""
        raise NotImplementedError

    def after_swap(self, old: Object) -> Self:
        """Return the state of `old` after `swap`, from which an ALTER leads to `self`."""
        raise NotImplementedError
